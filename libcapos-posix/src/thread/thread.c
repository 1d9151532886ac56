/* SPDX-License-Identifier: MIT */
/*
 * Threads as clone() makes them and exit ends them.  Each is a thread of the kernel with a ring of
 * its own.  The first one outlives its own end, as on Linux: signals that are sent to the process
 * come to its ring.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>

#include <capos/cap.h>

#include "core/core.h"
#include "signal/signal.h"
#include "thread/thread.h"

/* The numbers of threads but the first are the kernel's, far above those of processes, so that a
 * number names one thing.  A robust lock has 30 bits for them, the name of a thread's clock 28. */
#define NUMBER_FIRST 0x8000000u
#define NUMBER_MASK  0x7ffffffu

static uint64_t number_of(uint64_t kernel_id)
{
	return NUMBER_FIRST | (kernel_id & NUMBER_MASK);
}

/* ---- Begin ---- */

/* What Linux demands of a thread, and what is so here in any case. */
#define FLAGS_NEEDED (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define FLAGS_SHARED (CLONE_FS | CLONE_FILES | CLONE_SETTLS)
#define FLAGS_ALLOWED                                                                             \
	(FLAGS_NEEDED | FLAGS_SHARED | CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | \
	 CLONE_CHILD_CLEARTID | CLONE_DETACHED)

static int check_flags(long flags)
{
	if ((flags & FLAGS_NEEDED) != FLAGS_NEEDED)
		return -EINVAL;
	if ((flags & FLAGS_SHARED) != FLAGS_SHARED)
		return (int)absent(ABSENT_THREAD_APART);
	return (int)absent_flags(ABSENT_CLONE, (unsigned long)(flags & ~FLAGS_ALLOWED));
}

/* One block. */
struct thread_memory {
	struct posix_thread thread;
	struct signal_thread signals;
};

/* As on Linux, that the program cannot be given the number there is no error. */
static void put_number(const struct posix_thread *t, int *at)
{
	const int number = (int)t->number;

	if (at)
		(void)user_put(at, &number);
}

/* Where a new thread comes from posix_thread_entry. */
void posix_thread_begin(struct posix_thread *t)
{
	struct capos_ring *ring = cap_ring();

	ring->upcall_mask = 1;
	ring->user_word[0] = (uint64_t)t;
	t->ring = ring;
	ring->end.exit_word = t->exit_word;
	t->number = number_of(ring->thread_id);
	signal_thread_begin(t->signals);
	for (int i = 0; i < 2; i++)
		put_number(t, t->tid_at[i]);
	/* What came since is looked at when the first call ends. */
	ring->upcall_mask = 0;
}

long thread_clone(long flags, long stack, long parent_tid, long child_tid, long tls)
{
	struct thread_memory *memory;
	struct posix_thread *t;
	uint64_t id;
	long result = check_flags(flags);

	if (result)
		return result;
	memory = posix_alloc(sizeof(*memory));
	if (!memory)
		return -EAGAIN;
	t = &memory->thread;
	t->signals = &memory->signals;
	t->timer_slack_ns = t->timer_slack_usual_ns = thread_self()->timer_slack_ns;
	result = signal_thread_init(&memory->signals);
	t->exit_word = flags & CLONE_CHILD_CLEARTID ? (uint64_t)child_tid : 0;
	t->tid_at[0] = flags & CLONE_PARENT_SETTID ? (int *)parent_tid : NULL;
	t->tid_at[1] = flags & CLONE_CHILD_SETTID ? (int *)child_tid : NULL;
	threads_begin();
	if (result || cap_thread_create((uint64_t)posix_thread_entry, (uint64_t)stack, (uint64_t)t,
	                                (uint64_t)tls, &id)) {
		signal_thread_release(t);
		posix_free(t);
		return -EAGAIN;
	}
	t->number = number_of(id);
	t->kernel_id = id;
	threads_add(t);
	put_number(t, t->tid_at[0]);
	return (long)t->number;
}

/* ---- End ---- */

static void wake_word(uint64_t address)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAKE, .send_addr = address, .arg = 1};
	struct cap_op op = {0};

	__atomic_store_n((int *)address, 0, __ATOMIC_SEQ_CST);
	if (!cap_submit(&sqe, &op))
		cap_await_uninterruptible(&op);
}

/* The first thread has ended for the program, and passes on what signals come for the process. */
_Noreturn static void linger(void)
{
	struct capos_ring *ring = cap_ring();
	uint64_t exit_word = ring->end.exit_word;

	ring->end.exit_word = 0;
	if (exit_word)
		wake_word(exit_word);
	for (;;) {
		bool left = library_leave();

		cap_poll(true, CAPOS_FOREVER);
		library_return(left);
		signal_collect();
	}
}

_Noreturn static void leave(struct posix_thread *self)
{
	wait_end();
	signal_thread_end();
	threads_remove(self);
	if (!self->number)
		linger();
	signal_thread_release(self);
	posix_free(self);
	library_unlock_last();
	cap_thread_exit();
}

long sys_exit(long status)
{
	if (threads_alone())
		posix_exit((int)status & 0xff, 0);
	leave(thread_self());
}

/* ---- Numbers and lists ---- */

long sys_gettid(void)
{
	return (long)thread_number(thread_self());
}

long sys_set_tid_address(long address)
{
	cap_ring()->end.exit_word = (uint64_t)address;
	return sys_gettid();
}

long sys_set_robust_list(long head, long size)
{
	struct capos_thread_end *end = &cap_ring()->end;

	if (size != sizeof(struct capos_robust_list))
		return -EINVAL;
	end->robust_owner = (uint32_t)sys_gettid();
	end->robust_list = (uint64_t)head;
	return 0;
}

/* Of the caller alone: another thread's list is in its ring. */
long sys_get_robust_list(long thread, long head, long size)
{
	const uint64_t list = cap_ring()->end.robust_list, bytes = sizeof(struct capos_robust_list);

	if (thread && thread != sys_gettid())
		return threads_find((uint64_t)thread) ? absent(ABSENT_ROBUST_LIST_OF_OTHER)
		                                      : -ESRCH;
	return user_put(head, &list) || user_put(size, &bytes) ? -EFAULT : 0;
}
