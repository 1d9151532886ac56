/* SPDX-License-Identifier: MIT */
/*
 * Windows on memory objects.  A page is mapped for who reads it again, as the first touch of a page
 * costs as much as a copy by the kernel; what is read once never is.
 */
#include "core/window.h"

#include <string.h>

#include <capos/cap.h>
#include <capos/object.h>

#include "core/pages.h"
#include "core/user.h"

#define AGAIN_MIN     8u /* reads before a part is mapped */
#define ELSEWHERE_MAX 8u /* reads before a part is given up for another */
#define LOOK_EVERY \
	64u /* reads of which the kernel does one: it says when the object's server ended */
#define WINDOWS_MAX 16u /* of a process, so that what fork copies stays small */

static struct window *mapped[WINDOWS_MAX];
static unsigned nmapped;

/* ---- Mapping ---- */

static struct window **place_of(const struct window *w)
{
	for (unsigned i = 0; i < WINDOWS_MAX; i++) {
		if (mapped[i] == w)
			return &mapped[i];
	}
	return NULL;
}

static const void *map(cap_t object, uint64_t offset, uint64_t size)
{
	uint64_t address = 0;

	if (cap_memory_map_near(object, offset, size, CAP_RIGHT_READ, false, &address))
		return NULL;
	return (const void *)address;
}

static bool open_window(struct window *w, cap_t object)
{
	struct window **place = place_of(NULL);
	cap_t shown;

	if (!place)
		return false;
	w->refused = true;
	if (cap_memory_show_size(object, &shown))
		return false;
	w->size = map(shown, 0, PAGE_BYTES);
	cap_release(shown);
	if (!w->size)
		return false;
	w->base = map(object, w->index * WINDOW_BYTES, WINDOW_BYTES);
	if (!w->base) {
		pages_unmap((void *)w->size, PAGE_BYTES);
		return false;
	}
	*place = w;
	nmapped++;
	w->refused = false;
	return true;
}

/* Of a mapping, what does not lie in a range that is another's now. */
static void unmap_outside(const void *mapping, uint64_t size, uint64_t start, uint64_t end)
{
	uint64_t from = (uint64_t)mapping, to = from + size;

	if (from < start)
		pages_unmap((void *)from, (start < to ? start : to) - from);
	if (end < to)
		pages_unmap((void *)(end > from ? end : from), to - (end > from ? end : from));
}

static void drop(struct window *w, uint64_t start, uint64_t end)
{
	if (w->base) {
		unmap_outside(w->base, WINDOW_BYTES, start, end);
		unmap_outside(w->size, PAGE_BYTES, start, end);
		*place_of(w) = NULL;
		nmapped--;
	}
	*w = (struct window){.refused = w->refused};
}

void window_close(struct window *w)
{
	drop(w, UINT64_MAX, UINT64_MAX);
}

static bool overlaps(const void *mapping, uint64_t size, uint64_t start, uint64_t end)
{
	return (uint64_t)mapping < end && start < (uint64_t)mapping + size;
}

void window_forget(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; nmapped && i < WINDOWS_MAX; i++) {
		struct window *w = mapped[i];

		if (w && (overlaps(w->base, WINDOW_BYTES, start, end) ||
		          overlaps(w->size, PAGE_BYTES, start, end)))
			drop(w, start, end);
	}
}

/* ---- Reading ---- */

static bool was_seen(const struct window *w, uint64_t offset, size_t length)
{
	uint64_t page = offset % WINDOW_BYTES / PAGE_BYTES;
	uint64_t last = (offset + length - 1) % WINDOW_BYTES / PAGE_BYTES;

	for (; page <= last; page++) {
		if (!(w->seen[page / 64] >> page % 64 & 1))
			return false;
	}
	return true;
}

static bool is_inside(const struct window *w, uint64_t offset, size_t length)
{
	return length && length <= WINDOW_BYTES && offset / WINDOW_BYTES == w->index &&
	       (offset + length - 1) / WINDOW_BYTES == w->index;
}

bool window_read(struct window *w, cap_t object, void *to, size_t length, uint64_t offset,
                 size_t *got)
{
	uint64_t size;

	if (!is_inside(w, offset, length) || !was_seen(w, offset, length))
		return false;
	w->elsewhere = 0;
	if (++w->again % LOOK_EVERY == 0)
		return false;
	if (!w->base && (w->again < AGAIN_MIN || w->refused || !open_window(w, object)))
		return false;
	if (__atomic_load_n(&w->size[1], __ATOMIC_RELAXED))
		return false; /* the service is to be notified */
	size = __atomic_load_n(w->size, __ATOMIC_ACQUIRE);
	if (offset >= size)
		length = 0;
	else if (length > size - offset)
		length = size - offset;
	/* What is not there any more faults; the kernel says then what there is. */
	if (posix_user_copy(to, w->base + offset % WINDOW_BYTES, length))
		return false;
	*got = length;
	/* What was cut off meanwhile may have been read as zeroes. */
	return !length || offset + length <= __atomic_load_n(w->size, __ATOMIC_ACQUIRE);
}

void window_note(struct window *w, uint64_t offset, size_t length)
{
	uint64_t page = offset % WINDOW_BYTES / PAGE_BYTES, last;

	if (!length)
		return;
	if (offset / WINDOW_BYTES != w->index) {
		if (w->base && ++w->elsewhere < ELSEWHERE_MAX)
			return;
		window_close(w);
		w->index = offset / WINDOW_BYTES;
	}
	last = length < WINDOW_BYTES ? (offset % WINDOW_BYTES + length - 1) / PAGE_BYTES
	                             : WINDOW_PAGES;
	for (; page <= last && page < WINDOW_PAGES; page++)
		w->seen[page / 64] |= 1ull << page % 64;
}
