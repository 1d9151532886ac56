/* SPDX-License-Identifier: MIT */
/*
 * A few steps, of which a new one takes the place of that which was used the longest time ago.
 */
#include "drivers/virtio-9p/trail.h"

#include <string.h>

static struct trail_step *find(struct trail *trail, uint64_t start, struct p9_text path)
{
	for (uint32_t i = 0; i < TRAIL_LENGTH; i++) {
		struct trail_step *s = &trail->steps[i];

		if (s->fid && s->start == start && s->length == path.len &&
		    !memcmp(s->text, path.ptr, path.len))
			return s;
	}
	return NULL;
}

static void give_up(struct p9 *p, struct trail_step *s)
{
	if (s->fid)
		p9_clunk(p, s->fid - 1);
	s->fid = 0;
}

bool trail_take(struct trail *trail, uint64_t start, struct p9_text path, struct trail_step *out)
{
	struct trail_step *s = trail->now ? find(trail, start, path) : NULL;

	if (!s)
		return false;
	*out = *s;
	s->fid = 0;
	return true;
}

static struct trail_step *oldest(struct trail *trail)
{
	struct trail_step *out = &trail->steps[0];

	for (uint32_t i = 1; i < TRAIL_LENGTH && out->fid; i++)
		if (!trail->steps[i].fid || trail->steps[i].used < out->used)
			out = &trail->steps[i];
	return out;
}

void trail_leave(struct trail *trail, struct p9 *p, uint64_t start, struct p9_text path,
                 const struct trail_step *step)
{
	struct trail_step *s = find(trail, start, path);

	if (!s)
		s = oldest(trail);
	give_up(p, s);
	*s = *step;
	s->start = start;
	s->seen = step->seen ? step->seen : trail->now();
	s->used = ++trail->turn;
	s->length = (uint8_t)path.len;
	memcpy(s->text, path.ptr, path.len);
}

void trail_forget(struct trail *trail, struct p9 *p, bool directories)
{
	for (uint32_t i = 0; i < TRAIL_LENGTH; i++)
		if (directories || !p9_is_directory(trail->steps[i].qid))
			give_up(p, &trail->steps[i]);
}
