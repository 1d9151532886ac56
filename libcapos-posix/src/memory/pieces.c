/* SPDX-License-Identifier: MIT */
/*
 * Ranges with holes.  The kernel changes all of a range or nothing of it; Linux changes what is
 * mapped, and then says that something was not.
 */
#include <errno.h>

#include <capos/cap.h>
#include <capos/object.h>

#include "core/core.h"
#include "memory/memory.h"
#include "memory/pieces.h"

struct walk {
	uint64_t at, end; /* what is left of the range */
	bool over_holes, hole;
	memory_piece *visit;
	uint32_t context;
};

/* One mapping, of those in order.  Whether to stop: *result says why. */
static bool visit(struct walk *w, const struct cap_mapping *m, int *result)
{
	const uint64_t start = m->start > w->at ? m->start : w->at;
	const uint64_t end = m->end < w->end ? m->end : w->end;

	if (start >= end)
		return m->start >= w->end;
	w->hole |= start > w->at;
	if (w->hole && !w->over_holes)
		return true;
	*result = w->visit(start, end - start, w->context);
	w->at = end;
	return *result || w->at == w->end;
}

int memory_pieces(uint64_t start, uint64_t size, bool over_holes, memory_piece *piece,
                  uint32_t context)
{
	struct walk w = {.at = start,
	                 .end = start + size,
	                 .over_holes = over_holes,
	                 .visit = piece,
	                 .context = context};
	struct cap_mapping list[CAP_MAPPINGS_MAX];
	uint64_t next = start;
	bool stop = false;
	int result = 0;

	if (w.end <= start)
		return -ENOMEM;
	while (!stop && next) {
		uint32_t count;

		if (cap_process_mappings(next, list, &count, &next))
			return -ENOMEM;
		for (uint32_t i = 0; i < count && !stop; i++)
			stop = visit(&w, &list[i], &result);
	}
	return result ? result : w.hole || w.at < w.end ? -ENOMEM : 0;
}
