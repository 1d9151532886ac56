/* SPDX-License-Identifier: MIT */
/*
 * The queue of deadlines: a pairing heap through the waiting objects themselves, earliest at the
 * root.  Setting is constant time, taking one out logarithmic on average; nothing recurses, so a
 * queue of any size is safe on the kernel's one stack.
 */
#include "object/timer.h"
#include "cpu.h"
#include "kernel.h"

static struct timeout *root;

/* Joins two heaps; either may be NULL. */
static struct timeout *join(struct timeout *a, struct timeout *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (b->deadline < a->deadline) {
		struct timeout *t = a;
		a = b;
		b = t;
	}
	b->next = a->child;
	if (a->child)
		a->child->previous = b;
	b->previous = a;
	a->child = b;
	a->next = a->previous = NULL;
	return a;
}

/* Joins a list of siblings: in pairs from the left, then the pairs from the right. */
static struct timeout *join_siblings(struct timeout *first)
{
	struct timeout *pairs = NULL;
	while (first) {
		struct timeout *a = first, *b = first->next;
		first = b ? b->next : NULL;
		a->next = a->previous = NULL;
		if (b)
			b->next = b->previous = NULL;
		a = join(a, b);
		a->next = pairs;
		pairs = a;
	}
	struct timeout *heap = NULL;
	while (pairs) {
		struct timeout *rest = pairs->next;
		pairs->next = NULL;
		heap = join(heap, pairs);
		pairs = rest;
	}
	return heap;
}

void timeout_cancel(struct timeout *t)
{
	assert(kernel_locked());
	if (!t->queued)
		return;
	struct timeout *children = join_siblings(t->child);
	t->child = NULL;
	if (t == root) {
		root = children;
	} else {
		if (t->previous->child == t)
			t->previous->child = t->next;
		else
			t->previous->next = t->next;
		if (t->next)
			t->next->previous = t->previous;
		root = join(root, children);
	}
	t->next = t->previous = NULL;
	t->queued = false;
}

void timeout_set(struct timeout *t, uint64_t deadline)
{
	timeout_cancel(t);
	t->deadline = deadline;
	t->child = t->next = t->previous = NULL;
	t->queued = true;
	root = join(root, t);
}

uint64_t timeout_first(void)
{
	return !root ? UINT64_MAX : root->deadline;
}

void timeout_run(uint64_t now)
{
	while (root && root->deadline <= now) {
		struct timeout *t = root;
		timeout_cancel(t);
		t->fire(t);
	}
}
