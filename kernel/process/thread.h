/* SPDX-License-Identifier: MIT */
/*
 * Threads and the operations they have in flight.  A thread in the kernel never sleeps there:
 * waiting is a state, and what it continues with is always the end of its cap_enter.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "arch.h"
#include "arch/x86_64/registers.h"
#include "cpu.h"
#include "kernel.h"
#include "list.h"
#include "memory/memobj.h"
#include "ring.h"
#include "process/robust.h"
#include "process/shortage.h"
#include "process/timeout.h"
#include "work.h"

struct process;
struct event;

/* What each means, and what leads from one to the next: doc/kernel.md. */
enum thread_state { THREAD_WAITING, THREAD_RUNNABLE, THREAD_RUNNING, THREAD_DEAD };

/* How far a thread's cap_enter has come. */
enum enter_state {
	ENTER_NONE,       /* the thread is not in one */
	ENTER_SUBMITTING, /* submissions are left: it sees user mode only after they are taken */
	ENTER_WAITING,    /* for completions, or has enough: its result is still to be set */
	ENTER_TIMED_OUT,  /* the same, and no signal interrupts it any more */
};

struct thread {
	struct arch_thread arch;
	struct process *process; /* outlives it */
	struct list of_process;  /* process->threads */
	struct list run;         /* a level of its share */
	struct list ops;         /* operations in flight, struct op.of_thread */
	uint64_t id;
	enum thread_state state;
	struct tree_node by_id; /* process->by_id */
	struct share *share;
	struct capos_scheduling scheduling; /* what was set; slice and base follow from it */
	uint64_t slice;                     /* nanoseconds */
	uint8_t base;                       /* enum sched_level: where it waits at best */
	uint8_t level;                      /* enum sched_level: while it waits in its share */
	uint64_t slice_left;                /* nanoseconds */
	uint64_t overdue_ns; /* since when others wait for it, which is urgent; or 0 */
	uint64_t slept_at;   /* when it last began to wait */
	uint64_t cpu_ns;     /* without its present run */
	struct ring ring;
	struct memobj *ring_object; /* one count: its frames stay where the ring's pointers say */
	uint64_t ring_address;
	enum enter_state enter;
	bool holds;           /* sqe is a submission taken and not done */
	struct capos_sqe sqe; /* the program cannot change it any more */
	uint64_t progress[3]; /* of it: 0 when it is begun; what else is its operation's affair */
	struct job *job;      /* of it, too; NULL: none; owned */
	uint64_t tries;       /* of it that found no memory while work was pending */
	struct robust robust; /* at its end */
	struct shortage shortage; /* of memory, for a page that it touches */
	uint64_t timeout_ns;
	uint32_t wanted; /* completions it waits for */
	struct timeout timeout;
	/* upcalls */
	struct event *upcall_event;          /* one count; NULL: none bound */
	void (*unbind)(struct event *event); /* gives it back */
	uint64_t upcall_entry;
};

static inline bool thread_may_become(enum thread_state from, enum thread_state to)
{
	switch (from) {
	case THREAD_WAITING:
		return to == THREAD_RUNNABLE || to == THREAD_DEAD;
	case THREAD_RUNNABLE:
		return to == THREAD_RUNNING || to == THREAD_DEAD;
	case THREAD_RUNNING:
		return to != THREAD_RUNNING;
	case THREAD_DEAD:
		break;
	}
	return false;
}

/* Shows the thread its processor time. */
static inline void thread_runs_since(struct thread *t, uint64_t now)
{
	t->ring.header->cpu_ns = t->cpu_ns;
	t->ring.header->runs_since_ns = now;
}

static inline void thread_become(struct thread *t, enum thread_state state)
{
	assert(thread_may_become(t->state, state));
	t->state = state;
}

/* A thread of process, waiting: sched_wake starts it.  CAP_OK, CAP_ENOMEM, CAP_EAGAIN: its
 * account has too many. */
int thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
                  uint64_t fs_base, struct thread **out);
/* It runs no more; what is in flight stays so. */
void thread_stop(struct thread *t);
/* Withdraws what a stopped thread had in flight, as far as the budget goes, and frees it; true: it
 * is gone. */
bool thread_free(struct thread *t);
/* Ends the thread: what it had in flight is withdrawn, the thread is freed.  When it is the current
 * one, no thread is current afterwards. */
void thread_end(struct thread *t);
/* Whether cap_enter need not sleep: enough has completed, or a signal is pending. */
bool thread_may_go_on(const struct thread *t);
/* Goes on with cap_enter when enough has completed or a signal is pending. */
void thread_check_wake(struct thread *t);
/* The process's thread of that number, or (0) its first; NULL: none. */
struct thread *thread_find(const struct process *process, uint64_t id);
/* What is scheduled by policy and nice values from now on; all of it is valid. */
void thread_schedule(struct thread *t, struct capos_scheduling scheduling);
/* Of a new thread: as its maker is, or as that one's children are to be. */
void thread_inherit(struct thread *t, const struct thread *maker);
/* Where it stands among those that wait for the same word; lower is earlier. */
static inline uint64_t thread_place(const struct thread *t)
{
	return LEVEL_COUNT - t->base;
}
/* Last thing before user mode: the result of cap_enter, and upcalls. */
void thread_before_user(struct thread *t);
/* Continues the current thread where it handles its faults, with this one (frame, entry and
 * upcall_mask are filled in here).  False: it asked for none. */
bool thread_fault(struct thread *t, const struct capos_fault *what);
void thread_signal(struct thread *t, uint64_t bits); /* or-s bits into upcall_bits */
static inline struct thread *current_thread(void)
{
	return this_cpu()->current;
}

/* Provided by submit.c, above: goes on with the submissions of the current thread, which is in
 * cap_enter, as far as the budget goes; after the last one it waits as it was asked to.  It may
 * end. */
void submit_go_on(struct thread *t);

/* ---- Operations in flight ---- */

/* Where what is received goes, in the space of the thread's process. */
struct receive_buffer {
	uint64_t address;
	uint64_t caps;
	uint32_t length; /* bytes */
	uint32_t ncaps;
};

/* A submission that has not completed.  It holds a completion's place of its thread's ring. */
struct op {
	struct list of_thread;
	struct list queue;     /* of what it waits for */
	struct tree_node word; /* FUTEX: among all that wait for words */
	struct thread *thread;
	uint64_t id; /* in the order in which they were made */
	uint64_t user_data;
	/* Gives target back when the operation is given up: it is in no queue any more. */
	void (*withdraw)(struct op *op);
	bool quiet;
	struct receive_buffer buffer;
	uint64_t arg;   /* WAIT: mask; FUTEX: bits */
	uint64_t place; /* FUTEX: in the order in which they began to wait for their words */
	/* CALL: struct call; RECV: struct endpoint, one reference; WAIT: struct event; FUTEX:
	 * struct memobj; PROCESS_WAIT: struct process; one count each. */
	void *target;
};

/* What a handler of an operation answers when it completes later. */
#define OP_PENDING INT32_MIN
/* And when it has done a piece and is to be called again for the same submission: thread.progress
 * and thread.job keep how far it has come.  It checks everything again. */
#define OP_AGAIN WORK_AGAIN

/* What an operation has made so far that its submission does not own yet.  Its first member is
 * this. */
struct job {
	void (*abandon)(struct job *job); /* gives everything back, itself too */
};

/* NULL: no memory, or too many of the account. */
struct op *op_create(struct thread *t, const struct capos_sqe *sqe,
                     void (*withdraw)(struct op *op));
/* Completes and frees it.  The caller has given back target already, or does so. */
void op_complete(struct op *op, int32_t result, uint32_t length, uint64_t value, uint32_t ncaps);
/* Withdraws it from what it waits for, giving target back. */
void op_withdraw(struct op *op);
/* CANCEL: CAP_OK or CAP_ENOENT. */
int op_cancel(struct thread *t, uint64_t user_data);
/* Frees an operation that is not to complete: it never began (its submission completes with the
 * handler's answer), or its thread ends. */
void op_free(struct op *op);

#endif
