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

static int find_word(struct thread *t, uint64_t address, struct memobj **object, uint64_t *offset,
                     uint32_t *value)
{
	return space_futex_key(&t->process->space, address, object, offset, value);
}

/* An operation gives up: takes it out, with its count of the object. */
static void withdraw(struct op *op)
{
	tree_remove(&waiters, &op->word);
	memobj_put(op->target);
}

static void wait_for_word(struct op *op, struct memobj *object, uint64_t offset)
{
	memobj_get(object);
	op->target = object;
	op->word.key = (struct tree_key){(uintptr_t)object, offset};
	tree_insert(&waiters, &op->word);
}

int futex_wait(struct thread *t, const struct capos_sqe *sqe)
{
	struct memobj *object;
	uint64_t offset;
	uint32_t value;
	if (sqe->arg > UINT32_MAX)
		return CAP_EINVAL;
	int error = find_word(t, sqe->send_addr, &object, &offset, &value);
	if (error)
		return error;
	if (value != (uint32_t)sqe->arg)
		return CAP_EAGAIN;
	struct op *op = op_create(t, sqe, withdraw);
	if (!op)
		return CAP_ENOMEM;
	wait_for_word(op, object, offset);
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

/* The word's waiters, from the oldest on, as far as the budget goes and up to most: wakes the first
 * `wake` of them and lets the others wait for `to`.  *count goes on where it stood; those that came
 * since *newest are left alone.  True: there may be more. */
static bool move_waiters(const struct memobj *object, uint64_t offset, uint64_t wake, uint64_t most,
                         struct memobj *to, uint64_t to_offset, uint64_t progress[2])
{
	uint64_t *count = &progress[0], *newest = &progress[1];
	struct op *op;
	if (*newest == 0)
		*newest = op_newest();
	while (*count < most && (op = first_waiter(object, offset)) && op->id <= *newest) {
		if (steps_over())
			return true;
		steps_spend(STEPS_WAKE);
		withdraw(op);
		if (*count < wake)
			op_complete(op, CAP_OK, 0, 0, 0);
		else
			wait_for_word(op, to, to_offset);
		++*count;
	}
	return false;
}

int futex_wake(struct thread *t, const struct capos_sqe *sqe, uint64_t *woken)
{
	struct memobj *object;
	uint64_t offset;
	uint32_t value;
	int error = find_word(t, sqe->send_addr, &object, &offset, &value);
	if (error)
		return error;
	memobj_get(object); /* the waiters' counts may be the last */
	bool more = move_waiters(object, offset, sqe->arg, sqe->arg, NULL, 0, t->progress);
	memobj_put(object);
	*woken = t->progress[0];
	return more ? OP_AGAIN : CAP_OK;
}

int futex_requeue(struct thread *t, const struct capos_sqe *sqe, uint64_t *moved)
{
	struct memobj *object, *to;
	uint64_t offset, to_offset;
	uint32_t value;
	if (sqe->arg > UINT32_MAX)
		return CAP_EINVAL;
	int error = find_word(t, sqe->recv_addr, &to, &to_offset, &value);
	if (error)
		return error;
	memobj_get(to);
	error = find_word(t, sqe->send_addr, &object, &offset, &value);
	if (!error && object == to && offset == to_offset)
		error = CAP_EINVAL;
	/* A call that goes on has compared, and moved some. */
	if (!error && sqe->flags & CAPOS_SQE_COMPARE && !t->progress[1] && value != sqe->send_len)
		error = CAP_EAGAIN;
	if (!error) {
		memobj_get(object);
		if (move_waiters(object, offset, sqe->arg, sqe->arg + sqe->recv_len, to, to_offset,
		                 t->progress))
			error = OP_AGAIN;
		*moved = t->progress[0];
		memobj_put(object);
	}
	memobj_put(to);
	return error;
}

void futex_wake_one(struct memobj *object, uint64_t offset)
{
	struct op *op = first_waiter(object, offset);
	if (!op)
		return;
	withdraw(op);
	op_complete(op, CAP_OK, 0, 0, 0);
	steps_spend(STEPS_WAKE);
}
