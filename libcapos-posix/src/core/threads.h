/* SPDX-License-Identifier: MIT */
/*
 * The threads of this process, and the one lock that they keep each other out with.
 *
 * Lock order.  The library has one lock: a system call runs under it from its first line to its
 * last, so everything that a process has but its threads' own state is touched by one thread at a
 * time.  It is given up while a thread sleeps (process_wait, and calls that may take long, between
 * library_leave and library_return) and while a handler of the program runs.  A lock in memory that
 * is shared with other processes (lock.h) is taken under it, held for a copy, and never while one
 * sleeps.  Nothing is ever taken in the other order.
 *
 * A process that never had a second thread takes no lock: library_lock is one test.
 *
 * Who sleeps holds a reference of what it will use afterwards, and looks again at everything else.
 */
#ifndef POSIX_THREADS_H
#define POSIX_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/cap.h>

/* What a thread has of its own.  The thread itself uses it, others only under the lock. */
struct posix_thread {
	struct posix_thread *next, *previous; /* a ring of all */
	uint64_t number;                      /* as gettid() says; 0: the process's */
	uint64_t kernel_id;                   /* its number for the kernel; 0: the first's */
	const struct capos_ring *ring;        /* of others read for its times alone */
	bool locks;                           /* it holds the library's lock */
	bool ended;                           /* the first thread, which outlives its own end */
	/* wait.c: the process's event, watched */
	struct cap_op watch;
	bool watching;
	uint64_t signals_seen;
	uint64_t late;      /* a deadline that had passed when the event was found signalled */
	bool came;          /* something came to its ring that its call may not have looked at */
	void *signals;      /* of the signal room; NULL: of the first thread */
	uint64_t exit_word; /* for its ring, before it runs; see capos_thread_end */
	int *tid_at[2];     /* where its number is to be stored before it runs; NULL: nowhere */
	uint64_t timer_slack_ns, timer_slack_usual_ns; /* prctl.c */
};

/* The calling thread.  The ring's first word is the library's for this. */
struct posix_thread *thread_first(void);
static inline struct posix_thread *thread_self(void)
{
	struct posix_thread *t = (struct posix_thread *)cap_ring()->user_word[0];

	return t ? t : thread_first();
}

/* Whether the calling thread goes before the usual ones, and so yields to none of them. */
static inline bool thread_is_realtime(void)
{
	return cap_ring()->scheduling.priority > 0;
}

uint64_t thread_number(const struct posix_thread *t);
uint64_t thread_cpu_ns(const struct posix_thread *t); /* its processor time */

/* ---- The lock ---- */

extern bool threads_many; /* there was more than one */
void library_lock_slowly(void);
void library_unlock_slowly(void);

static inline void library_lock(void)
{
	if (__builtin_expect(threads_many, 0))
		library_lock_slowly();
}

/* By a thread whose struct is gone. */
void library_unlock_last(void);

static inline void library_unlock(void)
{
	if (__builtin_expect(threads_many, 0))
		library_unlock_slowly();
}

/* Around what may take long.  Nothing of the library but the caller's own may be used in between.
 * Either does nothing for a thread that does not hold the lock, and leave says whether it did. */
bool library_leave(void);
void library_return(bool left);

/* ---- The list ---- */

/* Under the lock, which the caller holds from here on if it is the first time. */
void threads_begin(void);
/* Before it runs, or after it will run no more. */
void threads_add(struct posix_thread *t);
void threads_remove(struct posix_thread *t);
bool threads_alone(void); /* no other one runs the program */
struct posix_thread *threads_find(uint64_t number);
/* Ends all others, for exec. */
void threads_end_others(void);
void threads_forked(struct posix_thread *self); /* in the child, whose one thread it is */

#endif
