/* SPDX-License-Identifier: MIT */
/*
 * What clients hold open.  A handle is the word of one File or Directory capability: a place in the
 * table and that place's generation, so that a late release notice never closes somebody else's
 * handle.
 */
#ifndef FILES_HANDLE_H
#define FILES_HANDLE_H

#include "path.h"

/* The word of the whole tree's Directory, fixed in the manifests; no handle has it. */
#define HANDLE_ROOT 1u
/* For all clients together; bounds the table, 48 bytes each. */
#define HANDLES_MAX 8192u
/* A POSIX process has at most 1024 descriptors (FD_MAX); the rest is for its working directory and
 * open calls. */
#define HANDLES_PER_CLIENT 1280u
/* Clients with something open at a time. */
#define HANDLE_CLIENTS_MAX 128u

struct handle {
	struct inode *inode; /* held; NULL: free */
	struct inode *root;  /* directories: held too; else NULL */
	uint32_t flags;      /* OPEN_READ, OPEN_WRITE */
	uint32_t generation;
	uint32_t next_free; /* index + 1 */
	uint16_t client;
};

struct handle_client {
	uint64_t id; /* process id of who opened */
	uint32_t count;
};

struct handle_table {
	struct handle handles[HANDLES_MAX];
	struct handle_client clients[HANDLE_CLIENTS_MAX];
	uint32_t used; /* places that were ever used */
	uint32_t first_free;
};

/* Holds inode (and root, if not NULL).  Status; noBuffers: a limit is reached. */
int handle_open(struct handle_table *table, struct inode *inode, struct inode *root, uint32_t flags,
                uint64_t client, uint64_t *word);
/* NULL: no such handle. */
struct handle *handle_find(struct handle_table *table, uint64_t word);
/* An unknown word is no error. */
void handle_close(struct handle_table *table, struct tree *tree, uint64_t word);

#endif
