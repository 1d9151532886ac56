/* SPDX-License-Identifier: MIT */
/*
 * What clients hold open.  A handle is the word of one File or Directory capability: a place in the
 * table and that place's generation, so that a late release notice never closes another's
 * handle.
 */
#ifndef FILES_HANDLE_H
#define FILES_HANDLE_H

#include "path.h"

/* The word of the whole tree's Directory, fixed in the manifests; no handle has it. */
#define HANDLE_ROOT 1u
/* Words with this bit are of sessions; no handle has it. */
#define HANDLE_SESSION_BIT (1ull << 63)
/* For all clients together, 80 bytes each; the first in a machine with MEMORY_FULL. */
#define HANDLES_MAX   8192u
#define HANDLES_LEAST 1024u
/* A session is a program and the processes that it makes: several with their fill of descriptors
 * (FD_MAX is 1024), and half of the table is left for others. */
#define HANDLES_PER_SESSION(table) ((table)->most / 2)
/* Sessions that are open, or have files left. */
#define HANDLE_SESSIONS_MAX 32u

struct handle {
	struct inode *inode; /* held; NULL: free */
	struct inode *root;  /* directories: held too; else NULL */
	struct inode *home;  /* files: the directory that has its name, held; or NULL */
	char *gone;          /* files: the name that it had there, once that is watched; or NULL */
	uint8_t gone_length;
	uint8_t opened; /* as flags, as the client asked for it; 0: only to name it */
	bool of_top;    /* its home may be told to the client as a path */
	uint32_t flags; /* OPEN_READ, OPEN_WRITE */
	bool stores;    /* its client may store to the contents by itself */
	uint32_t generation;
	uint32_t next_free; /* index + 1 */
	uint16_t session;   /* that pays for what is written through it */
	uint64_t offered;   /* the key of File.offer; 0: none */
};

struct handle_table {
	struct handle *handles; /* most, zeroed; set once by the owner */
	uint32_t most;
	uint32_t of_session[HANDLE_SESSIONS_MAX]; /* how many each has */
	uint32_t used;                            /* places that were ever used */
	uint32_t first_free;
};

/* Holds inode (and root, if not NULL).  Status; noBuffers: a limit is reached. */
int handle_open(struct handle_table *table, struct inode *inode, struct inode *root, uint32_t flags,
                uint16_t session, uint64_t *word);
/* NULL: no such handle. */
struct handle *handle_find(struct handle_table *table, uint64_t word);
/* The one of that session that was offered with this key; NULL: none. */
struct handle *handle_offered(struct handle_table *table, uint16_t session, uint64_t key);
/* An unknown word is no error. */
void handle_close(struct handle_table *table, struct tree *tree, uint64_t word);

#endif
