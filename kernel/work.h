/* SPDX-License-Identifier: MIT */
/*
 * Work in bounded pieces.  The kernel runs with interrupts off, so what it does between two points
 * where interrupts may come in is counted, in steps, against a budget; what is left when the budget
 * is spent waits: a submission in its thread, everything else as a struct work in a queue.
 *
 * A piece of work follows from something that has happened already (an object lost its last
 * reference, a process ended), so it cannot fail and needs no memory.  Dropping a reference only
 * ever adds work: nothing is delivered, and nothing recurses over what a program can build.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_WORK_H
#define KERNEL_WORK_H

#include <stdbool.h>
#include <stdint.h>
#include "list.h"

/* ---- The budget ---- */

/* One step takes about 100 ns under emulation: a few dozen instructions, a page-table entry looked
 * up, a node of a list visited. */
#define STEPS_PAGE_COPY 12u /* a page copied or zeroed, with its allocation */
#define STEPS_OPERATION 3u  /* the least that one submission takes */
/* Steps after which the kernel lets interrupts in.  What is begun before may take as much again
 * until it looks, so this is a third of the 200 us that no operation exceeds. */
#define STEPS_BUDGET 600u

extern uint32_t steps_spent; /* since interrupts were last let in */
static inline void steps_spend(uint32_t steps)
{
	steps_spent += steps;
}
static inline bool steps_over(void)
{
	return steps_spent >= STEPS_BUDGET;
}

/* What takes the budget by itself, a large message, is not begun after something else. */
#define MESSAGE_LARGE 16384u /* bytes */
static inline bool steps_begun(void)
{
	return steps_spent >= STEPS_BUDGET / 4;
}

/* What a function answers that has done a piece and is to be called again (OP_AGAIN of thread.h:
 * the same for the handler of a submission). */
#define WORK_AGAIN (INT32_MIN + 1)

/* For what only a trusted process may ask for, and the kernel's own start: goes on past the budget.
 * Interrupts come in right after it. */
static inline void steps_renew(void)
{
	steps_spent = 0;
}

/* ---- The queue ---- */

struct work {
	struct list queue; /* private */
	/* A piece of at most some hundred steps, counted by steps_spend.  It adds the work again if
	 * something is left, and may free what the work is part of otherwise. */
	void (*step)(struct work *work);
};

/* Queues it, unless it is queued.  It is begun before the kernel is left, as far as the budget
 * goes. */
void work_add(struct work *work, void (*step)(struct work *work));
/* The same for what a step leaves over: it goes behind everything that was added. */
void work_add_rest(struct work *work, void (*step)(struct work *work));
void work_remove(struct work *work); /* harmless when it is not queued */
static inline bool work_queued(const struct work *work)
{
	return !!work->step;
}
extern struct list work_fresh, work_rest;   /* of work.c alone */
static inline bool work_pending_fresh(void) /* something that was added and not begun */
{
	return !list_empty(&work_fresh);
}
static inline bool work_pending(void) /* anything at all */
{
	return work_pending_fresh() || !list_empty(&work_rest);
}
/* Does what is queued, fresh work first, until the budget is spent or nothing is left. */
void work_run(void);
void work_run_fresh(void); /* fresh work only */

#endif
