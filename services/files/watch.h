/* SPDX-License-Identifier: MIT */
/*
 * Who is told of what happens to files.  A watcher has watches, at most one on an inode, and a
 * queue of events that were not read yet; a watch is in its inode's list and in its watcher's until
 * it ends, which the queue says as well.
 *
 * All of a watcher is of the slab of the session that made it, also what others' doings add to its
 * queue.
 */
#ifndef FILES_WATCH_H
#define FILES_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "pages.h"

#define WATCHERS_PER_SESSION 128u   /* as Linux's max_user_instances */
#define WATCHES_PER_WATCHER  8192u  /* as Linux's max_user_watches once was */
#define WATCH_EVENTS_MAX     16384u /* that a watcher was not asked for: max_queued_events */

/* Of one event before its name; names are padded with zeroes to a multiple of it, as the schema
 * says. */
#define WATCH_RECORD 16u

struct watch {
	struct watch *next_of_inode, *next_of_watcher;
	struct watcher *watcher;
	struct watch **list; /* of what is watched: where it begins */
	uint32_t number;
	uint32_t mask;
};

struct watch_event {
	struct watch_event *next;
	uint32_t watch, mask, cookie;
	uint8_t length; /* of the name; 0: none */
	char name[];    /* no final NUL */
};

struct watcher {
	struct watcher *next;
	struct slab *slab;
	uint64_t key;    /* by which its owner names it */
	uint64_t serial; /* by which its capability does */
	uint32_t session;
	uint32_t holders; /* capabilities that name it, where a service gives several */
	uint64_t event;   /* is signalled when there is something to read again */
	uint64_t bits;
	struct watch *watches;
	uint32_t nwatches, last_number;
	struct watch_event *first, **last; /* last: where the next one is hung in */
	struct watch_event overflow;       /* in the queue when `overflowed` */
	bool overflowed;
	uint32_t nevents;
	uint64_t bytes; /* that reading all of them gives */
};

struct watchers {
	struct watcher *first;
	uint64_t last_serial;
	uint32_t of_session[32]; /* as many as there are sessions */
	uint64_t *shown;         /* how many there are, for clients to see; NULL: it is not */
	/* Tells the owner. */
	void (*signal)(uint64_t event, uint64_t bits);
};

/* What happened, to whom. */
struct watch_news {
	uint32_t mask; /* one event, and watchDirectory perhaps */
	uint32_t cookie;
	const char *name; /* of the entry; length 0: what is watched itself */
	uint32_t length;
	bool unlinked; /* what happened to does not have the name any more */
};

/* Status; exists: the session has one with that key; noBuffers: it has too many. */
int watcher_make(struct watchers *all, struct slab *slab, uint32_t session, uint64_t key,
                 struct watcher **out);
/* Its watches and events go too. */
void watcher_free(struct watchers *all, struct watcher *watcher);
struct watcher *watcher_by_key(const struct watchers *all, uint32_t session, uint64_t key);
struct watcher *watcher_by_serial(const struct watchers *all, uint64_t serial);

/* Watches what has the list, or changes the watch on it.  *number: of a new one, 0: the next; then
 * that of the watch.  Status; exists; noSpace. */
int watch_add(struct watcher *watcher, struct watch **list, uint32_t mask, uint32_t *number);
/* Takes the number of a watch that is kept elsewhere; `back`: gives that one back, if it was the
 * last. */
uint32_t watch_number(struct watcher *watcher, uint32_t back);
/* invalidArgument: it has no such watch. */
int watch_remove(struct watchers *all, struct watcher *watcher, uint32_t number);
/* Whether a watch on it wants one of these events. */
bool watch_wants(const struct watch *list, uint32_t mask);
/* Tells those who watch it and want it. */
void watch_tell(struct watchers *all, struct watch *list, const struct watch_news *news);
/* What is watched goes: all its watches end. */
void watch_end_all(struct watchers *all, struct watch **list);

/* Takes as many events as fit: bytes, 0: none is there; -1: the first is longer than size. */
int64_t watcher_read(struct watcher *watcher, uint8_t *buffer, uint32_t size);

#endif
