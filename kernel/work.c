/* SPDX-License-Identifier: MIT */
/*
 * The two queues of work: what was added by the present entry into the kernel, and what earlier
 * ones left over.
 */
#include "work.h"
#include "kernel.h"

uint32_t steps_spent;

struct list work_fresh = {&work_fresh, &work_fresh};
struct list work_rest = {&work_rest, &work_rest};

static void add(struct list *queue, struct work *work, void (*step)(struct work *work))
{
	if (work_queued(work))
		return;
	work->step = step;
	list_append(queue, &work->queue);
}

void work_add(struct work *work, void (*step)(struct work *work))
{
	add(&work_fresh, work, step);
}

void work_add_rest(struct work *work, void (*step)(struct work *work))
{
	add(&work_rest, work, step);
}

void work_remove(struct work *work)
{
	if (!work_queued(work))
		return;
	list_remove(&work->queue);
	work->step = NULL;
}

static void run_first(struct list *queue)
{
	struct work *work = list_entry(list_first(queue), struct work, queue);
	void (*step)(struct work * work) = work->step;
	work_remove(work);
	steps_spend(1);
	step(work);
}

void work_run_fresh(void)
{
	while (work_pending_fresh() && !steps_over())
		run_first(&work_fresh);
}

void work_run(void)
{
	work_run_fresh();
	while (!list_empty(&work_rest) && !steps_over())
		run_first(list_empty(&work_fresh) ? &work_rest : &work_fresh);
}
