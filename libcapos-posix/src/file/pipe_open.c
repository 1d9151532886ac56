/* SPDX-License-Identifier: MIT */
/*
 * Making pipes and opening FIFOs: what fails leaves no end counted and no capability behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

#include <capos/cap.h>
#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"
#include "file/pipe.h"

#define BIT(side) (1u << (side))

/* ---- Pipes ---- */

/* Both ends, neither of which has a description yet. */
static int create(struct pipe_end ends[PIPE_SIDES])
{
	struct shared_ends held;
	cap_t memory;
	struct pipe *p = NULL;
	int result = ends_open(&held);

	if (result)
		return result;
	if (!pages_create_common(sizeof(struct pipe_shared), &memory))
		p = pipe_map(memory);
	for (int side = 0; side < PIPE_SIDES; side++) {
		if (!p) {
			cap_release(held.ends[side]);
			continue;
		}
		ends[side] = (struct pipe_end){.pipe = p, .held = held.ends[side]};
		pipe_enter(&ends[side], held.word ? held.word + (unsigned)side : 0, BIT(side));
	}
	return p ? 0 : -ENOMEM;
}

/* Both descriptions. */
static int describe_both(const struct pipe_end ends[PIPE_SIDES], long flags, struct file *out[2])
{
	static const int modes[PIPE_SIDES] = {O_RDONLY, O_WRONLY};

	for (int side = 0; side < PIPE_SIDES; side++) {
		int result = pipe_describe(&ends[side], modes[side] | (int)(flags & O_NONBLOCK),
		                           &out[side]);

		if (!result)
			continue;
		if (side)
			file_put(out[0]);
		for (; side < PIPE_SIDES; side++)
			cap_release(ends[side].held);
		return result;
	}
	return 0;
}

static int make_pipe(long flags, int fds[2])
{
	struct pipe_end ends[PIPE_SIDES];
	struct file *f[PIPE_SIDES];
	int result = create(ends);

	if (result)
		return result;
	ends[0].pipe->ends++; /* it stays until both have their descriptions */
	result = describe_both(ends, flags, f);
	ends[0].pipe->ends--;
	if (result) {
		pipe_settle(ends[0].pipe);
		return result;
	}
	fds[0] = fd_install(f[0], 0, flags & O_CLOEXEC);
	if (fds[0] < 0) {
		file_put(f[0]);
		file_put(f[1]);
		return fds[0];
	}
	fds[1] = fd_install(f[1], 0, flags & O_CLOEXEC);
	if (fds[1] >= 0)
		return 0;
	sys_close(fds[0]);
	file_put(f[1]);
	return fds[1];
}

long sys_pipe2(long fds, long flags)
{
	int ends[2], result;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK)) {
		long refused = absent_flags(ABSENT_PIPE, (unsigned long)flags);

		return refused ? refused : -EINVAL;
	}
	result = make_pipe(flags, ends);
	if (!result && user_put(fds, &ends)) {
		sys_close(ends[0]);
		sys_close(ends[1]);
		result = -EFAULT;
	}
	return result;
}

long sys_pipe(long fds)
{
	return sys_pipe2(fds, 0);
}

/* ---- FIFOs ---- */

/* Waits until the other side is open, or was since this one came. */
struct partner {
	struct pipe_shared *pipe;
	enum pipe_side side;
	uint32_t opened;
};

static ssize_t find_partner(void *context)
{
	const struct partner *partner = context;
	struct pipe_shared *p = partner->pipe;

	atomic_store(&p->wants, 1);
	return pipe_has(p, partner->side) ||
	                       atomic_load(&p->opened[partner->side]) != partner->opened
	               ? 0
	               : WAIT_NOTHING;
}

/* Takes its places among the opens.  0, -ENXIO: nothing reads; -ENFILE.  *met: the other side was
 * there, which may go on and be gone before this one looks again. */
static int enter(struct pipe_end *end, uint64_t word, unsigned sides, bool may_fail, bool *met)
{
	struct pipe_shared *p = end->pipe->shared;
	bool reads, writes;
	int result = pipe_lock(p);

	if (result)
		return result;
	reads = pipe_has(p, PIPE_READS);
	writes = pipe_has(p, PIPE_WRITES);
	*met = sides == BIT(PIPE_READS) ? writes : reads;
	if (!reads && !writes)
		p->head = p->tail = 0; /* what the last that had it open left */
	if (may_fail && sides == BIT(PIPE_WRITES) && !reads)
		result = -ENXIO;
	end->writers_since = atomic_load(&p->opened[PIPE_WRITES]);
	if (writes)
		end->writers_since--; /* one came before */
	if (!result)
		result = pipe_enter(end, word, sides);
	pipe_unlock(p, !result);
	return result;
}

static int await_partner(struct pipe_end *end, struct file *f, unsigned sides, uint32_t opened)
{
	struct partner partner = {.pipe = end->pipe->shared,
	                          .side = sides == BIT(PIPE_READS) ? PIPE_WRITES : PIPE_READS,
	                          .opened = opened};
	const struct waiting w = {.attempt = find_partner, .context = &partner};

	if (f->flags & O_NONBLOCK || sides == (BIT(PIPE_READS) | BIT(PIPE_WRITES)))
		return 0;
	return (int)wait_for(&w);
}

static unsigned sides_of(int flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return BIT(PIPE_READS);
	case O_WRONLY:
		return BIT(PIPE_WRITES);
	default:
		return BIT(PIPE_READS) | BIT(PIPE_WRITES);
	}
}

/* Takes over the end's capabilities. */
static int open_end(const struct pipe_end *start, uint64_t word, int flags, struct file **out)
{
	struct pipe_shared *p = start->pipe->shared;
	unsigned sides = sides_of(flags);
	int other = sides == BIT(PIPE_READS) ? PIPE_WRITES : PIPE_READS;
	uint32_t opened = atomic_load(&p->opened[other]);
	struct pipe_end *end;
	bool met = false;
	int result = pipe_describe(start, flags, out);

	if (result) {
		cap_release(start->held);
		cap_release(start->file);
		pipe_settle(start->pipe);
		return result;
	}
	end = (*out)->data;
	result = enter(end, word, sides, flags & O_NONBLOCK, &met);
	if (!result && !met)
		result = await_partner(end, *out, sides, opened);
	if (result)
		file_put(*out);
	return result;
}

int fifo_open(cap_t file, cap_t memory, int flags, struct file **out)
{
	struct pipe_end end = {.file = file, .place = {-1, -1}};
	struct shared_ends held;
	int result = ends_open(&held);

	if (!result)
		end.pipe = pipe_map(memory);
	else
		cap_release(memory);
	if (!result && !end.pipe) {
		cap_release(held.ends[0]);
		cap_release(held.ends[1]);
		result = -ENOMEM;
	}
	if (result) {
		cap_release(file);
		return result;
	}
	cap_release(held.ends[1]);
	end.held = held.ends[0];
	return open_end(&end, held.word, flags, out);
}
