/* SPDX-License-Identifier: MIT */
/*
 * The queue of deadlines: a tree through the waiting objects themselves, so that setting, taking
 * out and finding the next cost a logarithm of how many there are, whatever deadlines programs
 * choose.
 */
#include "process/timeout.h"
#include "cpu.h"
#include "kernel.h"
#include "work.h"

#define STEPS_FIRE 8u /* to take one out of the queue and signal its event */

static struct tree queue;
static struct timeout *first; /* of the queue; NULL: it is empty */

static struct timeout *timeout_of(struct tree_node *node)
{
	return node ? container_of(node, struct timeout, node) : NULL;
}

void timeout_cancel(struct timeout *t)
{
	assert(kernel_locked());
	if (!t->queued)
		return;
	if (first == t)
		first = timeout_of(tree_next(&t->node));
	tree_remove(&queue, &t->node);
	t->queued = false;
}

void timeout_set(struct timeout *t, uint64_t deadline)
{
	timeout_cancel(t);
	t->deadline = deadline;
	t->node.key = (struct tree_key){.high = deadline};
	t->queued = true;
	tree_insert(&queue, &t->node);
	if (!first || deadline < first->deadline)
		first = t;
}

uint64_t timeout_first(void)
{
	return !first ? UINT64_MAX : first->deadline;
}

void timeout_run(uint64_t now)
{
	while (first && first->deadline <= now && !steps_over()) {
		struct timeout *t = first;
		timeout_cancel(t);
		steps_spend(STEPS_FIRE);
		t->fire(t);
	}
}
