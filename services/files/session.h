/* SPDX-License-Identifier: MIT */
/*
 * Sessions: one for each client that init opened one for, and the service's own.  All that is made
 * in a session (pages written, inodes, names, snapshots) is charged to its account, and its handles
 * are counted.  What it made outlives it, and stays charged.
 */
#ifndef FILES_SESSION_H
#define FILES_SESSION_H

#include "handle.h"
#include "store.h"

/* The session of the service's own memory: what holders of the manifest's root write. */
#define SESSION_OWN 0u
/* Pages that they may use: the names of a large image, the files under etc/, and a test's
 * output. */
#define SESSION_OWN_PAGES 8192u

struct session {
	uint64_t word; /* of its root Directory; 0: closed, or never opened */
	struct store store;
	struct slab slab;
};

struct sessions {
	struct session of[HANDLE_SESSIONS_MAX];
	uint32_t found; /* last: most calls come in one session */
};

/* Opens the service's own, which draws on this account. */
void session_start(struct sessions *sessions, cap_t account);
/* Opens one; takes the account over when it succeeds.  Status: exists, noBuffers. */
int session_open(struct sessions *sessions, const struct handle_table *handles, uint64_t word,
                 cap_t account);
/* The session whose root Directory has this word; -1: none. */
int session_find(struct sessions *sessions, uint64_t word);
/* Its last capability is gone.  It goes on until its last handle is closed. */
void session_close(struct sessions *sessions, const struct handle_table *handles, uint32_t index);
/* A handle of it was closed. */
void session_settle(struct sessions *sessions, const struct handle_table *handles, uint32_t index);

#endif
