/* SPDX-License-Identifier: MIT */
/*
 * fork, vfork and clone as far as it is one of them.  The kernel copies memory and capabilities;
 * here what processes hold in common is made so before, and what belongs to one process alone
 * begins anew in the child.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>

#include <capos/cap.h>

#include "core/core.h"
#include "file/file.h"
#include "memory/memory.h"
#include "process/process.h"
#include "process/vfork.h"
#include "process/world.h"
#include "signal/signal.h"
#include "thread/thread.h"
#include "time/time.h"

/* What the child finds in its copy of the parent's stack. */
struct birth {
	struct posix_thread *thread; /* whose copy is the child's one thread */
	struct world_birth world;
	cap_t signals; /* the child's event */
	cap_t process; /* the result */
	cap_t ended;   /* signalled at the child's end; CAP_NULL: nothing is */
};

struct sharing {
	uint32_t n;
	struct file *seen[]; /* descriptions that were made common, each once */
};

static int share_file(int fd, struct file *f, bool close_on_exec, void *context)
{
	struct sharing *s = context;
	int result;

	(void)fd, (void)close_on_exec;
	result = description_share(f);
	if (result || !f->ops->fork)
		return result;
	for (uint32_t i = 0; f->refs > 1 && i < s->n; i++) {
		if (s->seen[i] == f)
			return 0;
	}
	result = f->ops->fork(f);
	if (!result)
		s->seen[s->n++] = f;
	return result;
}

static void unshare_files(const struct sharing *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->seen[i]->ops->fork_failed)
			s->seen[i]->ops->fork_failed(s->seen[i]);
	}
}

static long make_child(uint64_t stack, void *argument)
{
	struct birth *birth = argument;

	return errno_of(cap_process_fork((uint64_t)posix_fork_entry, stack, birth->ended,
	                                 birth->ended ? 1 : 0, &birth->process));
}

/* Everything that can fail but the making itself. */
static long prepare(struct birth *birth)
{
	/* Relatives have it in common, whichever of them waits first. */
	return process_event() ? errno_of(cap_event_create(&birth->signals)) : -ENOMEM;
}

static void give_up(struct birth *birth)
{
	cap_release(birth->signals);
	world_abandon(&birth->world);
}

static long begin_child(const struct birth *birth)
{
	threads_forked(birth->thread);
	fd_forked();
	memory_forked();
	timers_forked(); /* first: what waited of them must not start them again */
	signal_forked(birth->signals);
	world_join(&birth->world, birth->signals);
	return 0;
}

static long make(struct birth *birth)
{
	struct sharing *sharing =
	        posix_alloc(sizeof(*sharing) + (size_t)fd_end() * sizeof(sharing->seen[0]));
	long result = sharing ? fd_each(share_file, sharing) : -ENOMEM;

	if (!result)
		result = posix_fork_here(make_child, birth);
	if (result && result != 1 && sharing)
		unshare_files(sharing);
	posix_free(sharing);
	return result;
}

/* With what this thread does next, unless another may fork before: no child is to have what
 * controls another one. */
static void give_child_up(const struct birth *birth)
{
	if (threads_alone()) {
		cap_release_later(birth->process);
		cap_release_later(birth->signals);
	} else {
		cap_release_both(birth->process, birth->signals);
	}
}

/* As Linux has it: memory is short, or there are as many of something as may be. */
static long fork_error(long result)
{
	return result == -ENOBUFS || result == -EMFILE ? -EAGAIN : result;
}

long fork_with_event(cap_t ended)
{
	struct birth birth = {.thread = thread_self(), .ended = ended};
	long result;

	files_settle(); /* of what is kept there a child needs nothing */
	result = world_prepare(&birth.world);
	if (result)
		return fork_error(result);
	result = prepare(&birth);
	if (!result)
		result = make(&birth);
	if (result == 1)
		return begin_child(&birth);
	if (result) {
		give_up(&birth);
		return fork_error(result);
	}
	give_child_up(&birth);
	world_made(&birth.world);
	return (long)birth.world.number;
}

long sys_fork(void)
{
	long result = fork_with_event(CAP_NULL);

	if (!result)
		vfork_forked();
	return result;
}

/* What makes a process, or a thread; the stack is set by __clone, which goes on in both. */
long sys_clone(long flags, long stack, long parent_tid, long child_tid, long tls)
{
	unsigned long refused = (unsigned long)flags & ~(unsigned long)CSIGNAL;
	long result;

	if (flags & CLONE_THREAD)
		return thread_clone(flags, stack, parent_tid, child_tid, tls);
	/* With vfork's promise the child does not use the memory that it would share. */
	if (flags & CLONE_VFORK)
		refused &= ~(unsigned long)(CLONE_VM | CLONE_VFORK);
	result = absent_flags(ABSENT_CLONE, refused);
	if (!result && (flags & CSIGNAL) != SIGCHLD)
		result = absent(ABSENT_EXIT_SIGNAL);
	return result ? result : sys_fork();
}
