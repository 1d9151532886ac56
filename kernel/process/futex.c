/* SPDX-License-Identifier: MIT */
/*
 * Futexes: the operations that wait are in a tree by word.  Each holds a count of the word's memory
 * object, so that no other object can come to have its identity meanwhile.
 */
#include "process/futex.h"
#include "kernel.h"
#include "memory/memobj.h"
#include "process/process.h"
#include "memory/space.h"
#include "process/thread.h"
#include "work.h"

#define STEPS_WAKE 6u /* to take a waiter out of the tree and complete it */

/* Every operation that waits, by object and offset; those of one word in order of arrival. */
static struct tree waiters;

static int find_word(struct thread *t, const struct capos_sqe *sqe, struct memobj **object,
                     uint64_t *offset, uint32_t *value)
{
	if (sqe->send_addr % 4 != 0)
		return CAP_EINVAL;
	return space_futex_key(&t->process->space, sqe->send_addr, object, offset, value);
}

/* An operation gives up: takes it out, with its count of the object. */
static void withdraw(struct op *op)
{
	tree_remove(&waiters, &op->word);
	memobj_put(op->target);
}

int futex_wait(struct thread *t, const struct capos_sqe *sqe)
{
	struct memobj *object;
	uint64_t offset;
	uint32_t value;
	if (sqe->arg > UINT32_MAX)
		return CAP_EINVAL;
	int error = find_word(t, sqe, &object, &offset, &value);
	if (error)
		return error;
	if (value != (uint32_t)sqe->arg)
		return CAP_EAGAIN;
	struct op *op = op_create(t, sqe, withdraw);
	if (!op)
		return CAP_ENOMEM;
	memobj_get(object);
	op->target = object;
	op->word.key = (struct tree_key){(uintptr_t)object, offset};
	tree_insert(&waiters, &op->word);
	return OP_PENDING;
}

/* The operation that has waited longest for the word; NULL: none. */
static struct op *first_waiter(const struct memobj *object, uint64_t offset)
{
	struct tree_node *node = tree_at_least(&waiters, (uintptr_t)object, offset);
	if (!node || node->key.high != (uintptr_t)object || node->key.low != offset)
		return NULL;
	return container_of(node, struct op, word);
}

int futex_wake(struct thread *t, const struct capos_sqe *sqe, uint64_t *woken)
{
	struct memobj *object;
	uint64_t offset;
	uint32_t value;
	int error = find_word(t, sqe, &object, &offset, &value);
	if (error)
		return error;
	/* Goes on where it stood when the budget was spent; those that came since are not woken. */
	uint64_t *count = &t->progress[0], *newest = &t->progress[1];
	if (*newest == 0)
		*newest = op_newest();
	struct op *op;
	memobj_get(object); /* the waiters' counts may be the last */
	while (*count < sqe->arg && !steps_over() && (op = first_waiter(object, offset)) &&
	       op->id <= *newest) {
		withdraw(op);
		op_complete(op, CAP_OK, 0, 0, 0);
		steps_spend(STEPS_WAKE);
		++*count;
	}
	memobj_put(object);
	op = *count < sqe->arg && steps_over() ? first_waiter(object, offset) : NULL;
	if (op && op->id <= *newest)
		return OP_AGAIN;
	*woken = *count;
	return CAP_OK;
}
