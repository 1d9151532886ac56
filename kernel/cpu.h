/* SPDX-License-Identifier: MIT */
/*
 * What belongs to one processor, and which thread it runs.
 *
 * Locking.  There is one processor and one lock, the kernel itself: it is taken by entering the
 * kernel with interrupts off and given up by resuming a thread or going idle, and no thread sleeps
 * while holding it. kernel_locked() says so in assertions.  With more processors this becomes a
 * lock taken at entry, first; the order below it, for the day when it is split: scheduler, process,
 * capability table, endpoint, event, timeouts, memory object, page allocator.
 */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include "kernel.h"
#include "list.h"
#include "share.h"
#include <capos/abi.h>

struct thread;

/* How long a thread may go on after a thread of a better class became runnable: time to hand it a
 * whole batch of work, since a switch of address spaces costs as much as copying 30 KB. */
#define BATCH_NS 500000ull
/* A thread that slept this long is in the middle of no batch: it takes over at once when it wakes,
 * so that a lone request goes out while its sender gets ready to wait. */
#define QUIET_NS 300000ull

/* What the kernel was last asked for, to name the longest time with interrupts off. */
enum entry_kind { ENTRY_SUBMIT, ENTRY_FAULT, ENTRY_TIMER, ENTRY_INTERRUPT, ENTRY_WORK };
struct entry {
	uint8_t kind;    /* enum entry_kind */
	uint8_t op;      /* enum capos_op of the last submission */
	uint16_t method; /* of a CALL */
	uint64_t interface;
};

struct cpu {
	struct thread *current; /* runs, or ran last; NULL: none */
	struct thread *loaded;  /* whose FPU registers and segment bases are in the processor */
	uint32_t runnable;      /* threads, without current */
	struct share services;
	/* Threads of services that no process waits for: see sched_put_off. */
	struct share unhurried;
	uint64_t hurry_at;  /* when they have waited long enough */
	struct share *turn; /* one of the others: whose turn it is, or was last; NULL: it is gone */
	/* Other shares that wait for their turn: first those that woke with time left in their
	 * slice, then those that used it up. */
	struct list woken, expired;
	uint64_t switched_at; /* when current was switched to */
	uint64_t stopped_at;  /* when a thread stopped in this entry into the kernel; 0: none did */
	uint64_t slice_end;   /* of current */
	uint64_t turn_end;    /* of its share */
	uint64_t preempt_at;  /* when a better class takes over; UINT64_MAX: none waits */
	uint64_t timer_at;    /* what the hardware timer is set to */
	bool locked;
	uint64_t context_switches, interrupts;
	/* Time with interrupts off, as long as it is measured. */
	bool measures;
	uint64_t entered_at;
	struct entry entry;
	uint64_t longest_ns; /* since it was last asked for */
	struct entry longest;
	/* Buffers of the operation under way: message in, message out, and data that a reply points
	 * to. */
	uint8_t message_in[CAPOS_KERNEL_MESSAGE_MAX] __attribute__((aligned(8)));
	uint8_t message_out[CAPOS_KERNEL_MESSAGE_MAX] __attribute__((aligned(8)));
	uint8_t data[PAGE_SIZE] __attribute__((aligned(8)));
};

extern struct cpu the_cpu;
static inline struct cpu *this_cpu(void)
{
	return &the_cpu;
}
static inline bool kernel_locked(void)
{
	return this_cpu()->locked;
}

void sched_init(void);
/* Charges what the current thread has used so far. */
void sched_account(void);
void kernel_enter(enum entry_kind kind); /* first thing in every entry from the architecture */
/* Makes a waiting or new thread runnable. */
void sched_wake(struct thread *t);
/* Whether it is awake, and goes before programs if it is a service's. */
bool sched_hurries(const struct thread *t);
/* Lets a runnable thread of a service wait until no program runs, for a slice at most, or until
 * sched_hurry. */
void sched_put_off(struct thread *t);
void sched_hurry(struct thread *t);
/* Makes a runnable thread the next of its share: a call was handed to it. */
void sched_hand_over(struct thread *t);
/* Lets the others of its share that are ready run before the current thread; when there are none,
 * its share's turn is over. */
void sched_pass(struct thread *t);
/* A level at which it waits at best, and a slice.  To a higher level it comes as the last, to a
 * lower one as the first. */
void sched_change(struct thread *t, uint8_t base, uint64_t slice);
/* Takes a thread out of scheduling: it waits, or it ended. */
void sched_block(struct thread *t);
void sched_end(struct thread *t);
/* Ends every entry: resumes the current thread or another, or goes idle. */
_Noreturn void sched_leave(void);

#endif
