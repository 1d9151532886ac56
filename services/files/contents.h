/* SPDX-License-Identifier: MIT */
/*
 * The memory objects that hold what files hold: one for each file that is open or was written.
 * Clients load from them and store to them without asking the service, which therefore asks the
 * kernel for their size, and never touches their pages itself.
 *
 * An object is paid for by the client in whose name it was made.
 */
#ifndef FILES_CONTENTS_H
#define FILES_CONTENTS_H

#include <stdbool.h>

#include "pages.h"

struct contents_status {
	uint64_t size;    /* bytes */
	uint64_t pages;   /* that have memory */
	uint64_t changed; /* when it was last stored to or cut: monotonic ns; 0: never */
	uint64_t loaded;  /* when it was last read: the same */
	bool mapped;      /* where it may be stored to */
};
/* Unix time, in ns, of such a time. */
int64_t contents_time(uint64_t changed);

/* All return a Status.  An object that shows the size bytes at base, which lie in the boot archive
 * from the start of a page (NULL: none, it is empty).  noSpace. */
int contents_make(struct page_source *payer, const uint8_t *base, uint64_t size, uint64_t *object);
void contents_drop(struct page_source *payer, uint64_t object);
int contents_load(uint64_t object, uint64_t offset, void *buffer, uint32_t length,
                  uint32_t *loaded);
/* append: at its end, whatever the offset.  noSpace when nothing was stored; no further than the
 * limit. */
int contents_store(uint64_t object, bool append, uint64_t offset, const void *buffer,
                   uint32_t length, uint32_t *stored);
int contents_resize(uint64_t object, uint64_t size);
/* How long stores, of clients too, may make it. */
int contents_set_limit(uint64_t object, uint64_t size);
int contents_get_status(uint64_t object, struct contents_status *status);
/* The whole pages of the range read as zeroes and have no memory; notSupported: it was made of the
 * archive's. */
int contents_discard(uint64_t object, uint64_t offset, uint64_t length);

#endif
