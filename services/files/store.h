/* SPDX-License-Identifier: MIT */
/*
 * Where pages come from in the running service: each client has a store, which draws chunks of
 * pages on that client's account.  They are committed when they are drawn: a page that was got
 * can be written, and a client that has no memory left gets an error, not the service a fault.
 */
#ifndef FILES_STORE_H
#define FILES_STORE_H

#include <capos/cap.h>

#include "pages.h"

/* Pages for files at most: one half of the machine's, so that programs are not starved by what they
 * write; Linux's tmpfs has the same. */
#define STORE_SHARE 2u

/* Contents of files that a store pays for at most: each is a capability in the service's table, of
 * which half is left for others. */
#define STORE_OBJECTS_MAX 65536u

struct store {
	cap_t account; /* CAP_NULL: closed, nothing more is drawn */
	struct page_source source;
	uint64_t pages,
	        pages_max; /* in use, files' contents too; at most (0: no limit of its own) */
	uint64_t objects;  /* that hold contents and are paid for by the account */
	uint32_t partial;  /* its chunks with a free page: index + 1 of the first */
	uint32_t chunks;   /* that it has */
	uint32_t empty;    /* of these without a page in use: at most one is kept, so that
	                            * a file that comes and goes does not map and unmap */
};

/* Once, before the others.  CAP_OK or an error. */
int store_init(void);
/* Takes the account over. */
void store_open(struct store *store, cap_t account, uint64_t pages_max);
/* Nothing more is drawn.  Pages in use stay, and stay charged, until they are put back. */
void store_close(struct store *store);
/* Whether the store is closed and has no page or object left: its memory may be used again. */
bool store_is_gone(const struct store *store);
/* Of all stores together. */
void store_space(uint64_t *pages, uint64_t *free);

#endif
