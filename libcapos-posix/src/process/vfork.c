/* SPDX-License-Identifier: MIT */
/*
 * vfork: the child has a copy of the memory, and the parent waits until the child executes a
 * program or ends.  Then the frames that both had are the parent's as the child left them, so that
 * a variable in which the child keeps why execve failed has that value.
 */
#include <errno.h>
#include <stdatomic.h>

#include <capos/cap.h>

#include "core/core.h"
#include "process/process.h"
#include "process/vfork.h"

/* So much of the stack is handed over, from the caller of vfork on; rarely is there more. */
#define FRAMES_BYTES (64u << 10)
#define STACK_BYTES  (8u << 20) /* of the first thread */

/* In memory that parent and child share. */
struct frames {
	_Atomic uint32_t left; /* the child has */
	uint8_t bytes[FRAMES_BYTES];
};

/* Of the parent while it makes the child, then of the child. */
static struct vfork {
	struct frames *frames; /* NULL: the process is no such child */
	cap_t event;           /* signalled when the child leaves */
	uintptr_t from;
	size_t length; /* 0: no frames are handed over */
} now;

/* Frames end where the start block begins.  Not of a handler's own stack: what is behind that is
 * no stack.  Nor of other threads: they go on meanwhile. */
static size_t length_of_frames(uintptr_t from)
{
	const uintptr_t end = (uintptr_t)__capos_auxv();

	if (threads_many || from >= end || end - from > STACK_BYTES)
		return 0;
	return end - from < FRAMES_BYTES ? end - from : FRAMES_BYTES;
}

static void give_up(struct vfork *v)
{
	cap_memory_unmap(v->frames, PAGES_SIZE(sizeof(*v->frames)));
	cap_release(v->event);
}

static long prepare(struct vfork *v, uintptr_t from)
{
	const uint64_t size = PAGES_SIZE(sizeof(*v->frames));
	void *address;
	cap_t memory;
	int result = cap_memory_create(size, &memory);

	if (result)
		return errno_of(result);
	result = cap_memory_map(memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address);
	cap_release(memory);
	if (result)
		return errno_of(result);
	*v = (struct vfork){.frames = address, .from = from, .length = length_of_frames(from)};
	result = cap_event_create(&v->event);
	if (!result)
		return 0;
	v->event = CAP_NULL;
	give_up(v);
	return errno_of(result);
}

/* Until the child has left; a signal that is to be taken ends the wait, too. */
static void wait_for_child(const struct vfork *v)
{
	struct capos_sqe sqe = {.op = CAP_OP_WATCH, .cap = v->event};
	struct cap_op op = {.done = false};

	if (!cap_submit(&sqe, &op))
		(void)wait_for_op(&op, UINT64_MAX);
	if (atomic_load(&v->frames->left))
		(void)posix_user_copy((void *)v->from, v->frames->bytes, v->length);
}

void vfork_leave(void)
{
	struct frames *frames = now.frames;

	if (!frames)
		return;
	(void)posix_user_copy(frames->bytes, (void *)now.from, now.length);
	atomic_store(&frames->left, 1);
	(void)cap_signal(now.event, 1);
	give_up(&now);
	now = (struct vfork){.frames = NULL};
}

void vfork_forked(void)
{
	if (now.frames)
		give_up(&now);
	now = (struct vfork){.frames = NULL};
}

long sys_vfork_from(long from)
{
	const struct vfork outer = now; /* of a child that does the same */
	struct vfork v;
	long result = prepare(&v, (uintptr_t)from);

	if (result)
		return result;
	now = v;
	result = fork_with_event(v.event);
	if (!result)
		return 0;
	now = outer;
	if (result > 0)
		wait_for_child(&v);
	give_up(&v);
	return result;
}

long sys_vfork(void)
{
	return sys_vfork_from(0);
}
