/* SPDX-License-Identifier: MIT */
/*
 * The queues of watchers: an event is added whole or is one of those that watchOverflow stands for,
 * and an owner is signalled when an empty queue gets its first.
 */
#include "watch.h"

#include <stddef.h>
#include <string.h>

#include <capos/schema/service.h>
#include <capos/schema/status.h>

/* ---- Events ---- */

static uint32_t padded(uint32_t length)
{
	return length ? (length + WATCH_RECORD) & ~(WATCH_RECORD - 1) : 0;
}

static uint32_t record_size(const struct watch_event *event)
{
	return WATCH_RECORD + padded(event->length);
}

static void hang_in(struct watchers *all, struct watcher *watcher, struct watch_event *event)
{
	bool was_empty = !watcher->first;

	event->next = NULL;
	*watcher->last = event;
	watcher->last = &event->next;
	watcher->nevents++;
	watcher->bytes += record_size(event);
	if (was_empty)
		all->signal(watcher->event, watcher->bits);
}

static void overflow(struct watchers *all, struct watcher *watcher)
{
	if (watcher->overflowed)
		return;
	watcher->overflowed = true;
	watcher->overflow = (struct watch_event){.watch = UINT32_MAX, .mask = WATCH_OVERFLOW};
	hang_in(all, watcher, &watcher->overflow);
}

static struct watch_event *last_of(const struct watcher *watcher)
{
	return watcher->first ? (struct watch_event *)((char *)watcher->last -
	                                               offsetof(struct watch_event, next))
	                      : NULL;
}

static bool same(const struct watch_event *event, uint32_t watch, const struct watch_news *news)
{
	return event && event->watch == watch && event->mask == news->mask &&
	       !(news->mask & WATCH_IGNORED) && event->length == news->length &&
	       memcmp(event->name, news->name, news->length) == 0;
}

static void queue(struct watchers *all, struct watcher *watcher, uint32_t watch,
                  const struct watch_news *news)
{
	struct watch_event *event;

	if (same(last_of(watcher), watch, news))
		return;
	event = watcher->nevents < WATCH_EVENTS_MAX
	                ? slab_get(watcher->slab, sizeof(*event) + news->length)
	                : NULL;
	if (!event) {
		overflow(all, watcher);
		return;
	}
	event->watch = watch;
	event->mask = news->mask;
	event->cookie = news->cookie;
	event->length = (uint8_t)news->length;
	if (news->length)
		memcpy(event->name, news->name, news->length);
	hang_in(all, watcher, event);
}

static void take_first(struct watcher *watcher)
{
	struct watch_event *event = watcher->first;

	watcher->first = event->next;
	if (!watcher->first)
		watcher->last = &watcher->first;
	watcher->nevents--;
	watcher->bytes -= record_size(event);
	if (event == &watcher->overflow)
		watcher->overflowed = false;
	else
		slab_put(watcher->slab, event, sizeof(*event) + event->length);
}

int64_t watcher_read(struct watcher *watcher, uint8_t *buffer, uint32_t size)
{
	uint32_t done = 0;

	while (watcher->first) {
		const struct watch_event *event = watcher->first;
		const uint32_t length = record_size(event);
		const uint32_t head[] = {event->watch, event->mask, event->cookie,
		                         padded(event->length)};

		_Static_assert(sizeof(head) == WATCH_RECORD, "as the schema says");
		if (length > size - done)
			return done ? (int64_t)done : -1;
		memset(buffer + done, 0, length);
		memcpy(buffer + done, head, sizeof(head));
		memcpy(buffer + done + sizeof(head), event->name, event->length);
		done += length;
		take_first(watcher);
	}
	return done;
}

/* ---- Watches ---- */

/* Takes it out of both lists and says so. */
static void end(struct watchers *all, struct watch *watch)
{
	struct watcher *watcher = watch->watcher;
	struct watch **link = watch->list;

	while (*link != watch)
		link = &(*link)->next_of_inode;
	*link = watch->next_of_inode;
	for (link = &watcher->watches; *link != watch;)
		link = &(*link)->next_of_watcher;
	*link = watch->next_of_watcher;
	watcher->nwatches--;
	if (all)
		queue(all, watcher, watch->number,
		      &(struct watch_news){.mask = WATCH_IGNORED, .name = ""});
	slab_put(watcher->slab, watch, sizeof(*watch));
}

static struct watch *watch_on(struct watch *list, const struct watcher *watcher)
{
	while (list && list->watcher != watcher)
		list = list->next_of_inode;
	return list;
}

/* The next number that no watch has: numbers are used again only when all were. */
static uint32_t next_number(struct watcher *watcher)
{
	watcher->last_number = watcher->last_number == INT32_MAX ? 1 : watcher->last_number + 1;
	for (const struct watch *w = watcher->watches; w; w = w->next_of_watcher)
		if (w->number == watcher->last_number)
			return 0;
	return watcher->last_number;
}

uint32_t watch_number(struct watcher *watcher, uint32_t back)
{
	uint32_t number;

	if (back) {
		watcher->last_number -= watcher->last_number == back;
		return 0;
	}
	do {
		number = next_number(watcher);
	} while (!number);
	return number;
}

int watch_add(struct watcher *watcher, struct watch **list, uint32_t mask, uint32_t *number)
{
	struct watch *watch = watch_on(*list, watcher);
	const uint32_t kept = WATCH_ALL | WATCH_ONCE | WATCH_NO_UNLINKED;

	if (watch && mask & WATCH_NEW)
		return STATUS_EXISTS;
	if (watch) {
		watch->mask = (mask & kept) | (mask & WATCH_MORE ? watch->mask : 0);
		*number = watch->number;
		return STATUS_OK;
	}
	if (watcher->nwatches >= WATCHES_PER_WATCHER)
		return STATUS_NO_SPACE;
	watch = slab_get(watcher->slab, sizeof(*watch));
	if (!watch)
		return STATUS_NO_SPACE;
	if (!*number)
		*number = watch_number(watcher, 0);
	watch->number = *number;
	watch->watcher = watcher;
	watch->list = list;
	watch->mask = mask & kept;
	watch->next_of_watcher = watcher->watches;
	watcher->watches = watch;
	watcher->nwatches++;
	watch->next_of_inode = *list;
	*list = watch;
	return STATUS_OK;
}

int watch_remove(struct watchers *all, struct watcher *watcher, uint32_t number)
{
	struct watch *watch = watcher->watches;

	while (watch && watch->number != number)
		watch = watch->next_of_watcher;
	if (!watch)
		return STATUS_INVALID_ARGUMENT;
	end(all, watch);
	return STATUS_OK;
}

bool watch_wants(const struct watch *list, uint32_t mask)
{
	for (const struct watch *w = list; w; w = w->next_of_inode)
		if (w->mask & mask)
			return true;
	return false;
}

void watch_tell(struct watchers *all, struct watch *list, const struct watch_news *news)
{
	struct watch *next;

	for (struct watch *w = list; w; w = next) {
		next = w->next_of_inode;
		if (!(w->mask & news->mask & WATCH_ALL) ||
		    (news->unlinked && w->mask & WATCH_NO_UNLINKED))
			continue;
		queue(all, w->watcher, w->number, news);
		if (w->mask & WATCH_ONCE)
			end(all, w);
	}
}

void watch_end_all(struct watchers *all, struct watch **list)
{
	while (*list)
		end(all, *list);
}

/* ---- Watchers ---- */

static void count(struct watchers *all, int change)
{
	if (all->shown)
		__atomic_store_n(all->shown, *all->shown + (uint64_t)(int64_t)change,
		                 __ATOMIC_RELEASE);
}

int watcher_make(struct watchers *all, struct slab *slab, uint32_t session, uint64_t key,
                 struct watcher **out)
{
	struct watcher *watcher;

	if (watcher_by_key(all, session, key))
		return STATUS_EXISTS;
	if (all->of_session[session] >= WATCHERS_PER_SESSION)
		return STATUS_NO_BUFFERS;
	watcher = slab_get(slab, sizeof(*watcher));
	if (!watcher)
		return STATUS_NO_SPACE;
	watcher->slab = slab;
	watcher->session = session;
	watcher->key = key;
	watcher->serial = ++all->last_serial;
	watcher->last = &watcher->first;
	watcher->next = all->first;
	all->first = watcher;
	all->of_session[session]++;
	count(all, 1);
	*out = watcher;
	return STATUS_OK;
}

void watcher_free(struct watchers *all, struct watcher *watcher)
{
	struct watcher **link = &all->first;

	while (watcher->watches)
		end(NULL, watcher->watches);
	while (watcher->first)
		take_first(watcher);
	while (*link != watcher)
		link = &(*link)->next;
	*link = watcher->next;
	all->of_session[watcher->session]--;
	count(all, -1);
	slab_put(watcher->slab, watcher, sizeof(*watcher));
}

struct watcher *watcher_by_key(const struct watchers *all, uint32_t session, uint64_t key)
{
	struct watcher *w = all->first;

	while (w && (w->session != session || w->key != key))
		w = w->next;
	return w;
}

struct watcher *watcher_by_serial(const struct watchers *all, uint64_t serial)
{
	struct watcher *w = all->first;

	while (w && w->serial != serial)
		w = w->next;
	return w;
}
