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

/* Every operation that waits, by object and offset; those of one word by their threads' priorities,
 * and those of one priority in order of arrival. */
static struct tree waiters;
static uint64_t newest_place; /* of all that were given */

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

/* Offsets are multiples of 4: there is room for a thread's place below. */
#define KEY_OF(offset) ((offset) << 5)
#define PLACES         128u
_Static_assert(LEVEL_COUNT < PLACES, "places fit below an offset");

static void wait_for_word(struct op *op, struct memobj *object, uint64_t offset)
{
	memobj_get(object);
	op->target = object;
	op->place = ++newest_place;
	op->word.key =
	        (struct tree_key){(uintptr_t)object, KEY_OF(offset) + thread_place(op->thread)};
	tree_insert(&waiters, &op->word);
}

/* The bits that a submission names; none are all. */
static uint32_t bits_of(const struct capos_sqe *sqe)
{
	return sqe->send_ncaps ? sqe->send_ncaps : UINT32_MAX;
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
	op->arg = bits_of(sqe);
	wait_for_word(op, object, offset);
	return OP_PENDING;
}

/* The operation that waits for the word, from that place on, and is woken first; NULL: none. */
static struct op *first_waiter(const struct memobj *object, uint64_t offset, uint64_t place)
{
	struct tree_node *node = tree_at_least(&waiters, (uintptr_t)object, KEY_OF(offset) + place);
	if (!node || node->key.high != (uintptr_t)object ||
	    node->key.low >= KEY_OF(offset) + PLACES)
		return NULL;
	return container_of(node, struct op, word);
}

/* What is done with a word's waiters. */
struct moving {
	uint32_t bits;       /* those that wait for none of them stay */
	uint64_t wake, most; /* so many are woken, and with those so many moved on */
	struct memobj *to;   /* to this word */
	uint64_t to_offset;
};

/* One waiter's turn.  Who stays goes to the end of its priority's line; so do all others then, and
 * the order is the same when the last has been there. */
static void move_waiter(const struct moving *m, struct op *op, struct memobj *object,
                        uint64_t offset, uint64_t *count)
{
	bool takes_part = *count < m->most && (op->arg & m->bits) != 0;
	withdraw(op);
	if (!takes_part)
		wait_for_word(op, object, offset);
	else if (*count < m->wake)
		op_complete(op, CAP_OK, 0, 0, 0);
	else
		wait_for_word(op, m->to, m->to_offset);
	*count += takes_part;
}

/* The word's waiters, by priority and from the oldest on, as far as the budget goes and up to most.
 * progress: how many were woken and moved; the arrival behind which those that came since are left
 * alone; the thread_place that it has come to.  True: there may be more.  The caller holds a count
 * of the object. */
static bool move_waiters(const struct moving *m, struct memobj *object, uint64_t offset,
                         uint64_t progress[3])
{
	uint64_t *count = &progress[0], *last = &progress[1], *place = &progress[2];
	struct op *op;
	if (*last == 0)
		*last = newest_place;
	while ((*count < m->most || m->bits != UINT32_MAX) &&
	       (op = first_waiter(object, offset, *place))) {
		if (steps_over())
			return true;
		*place = op->word.key.low - KEY_OF(offset);
		steps_spend(STEPS_WAKE);
		if (op->place <= *last)
			move_waiter(m, op, object, offset, count);
		else
			++*place; /* those that stayed, and came since */
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
	const struct moving m = {.bits = bits_of(sqe), .wake = sqe->arg, .most = sqe->arg};
	bool more = move_waiters(&m, object, offset, t->progress);
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
		const struct moving m = {.bits = UINT32_MAX,
		                         .wake = sqe->arg,
		                         .most = sqe->arg + sqe->recv_len,
		                         .to = to,
		                         .to_offset = to_offset};
		memobj_get(object);
		if (move_waiters(&m, object, offset, t->progress))
			error = OP_AGAIN;
		*moved = t->progress[0];
		memobj_put(object);
	}
	memobj_put(to);
	return error;
}

void futex_wake_one(struct memobj *object, uint64_t offset)
{
	struct op *op = first_waiter(object, offset, 0);
	if (!op)
		return;
	withdraw(op);
	op_complete(op, CAP_OK, 0, 0, 0);
	steps_spend(STEPS_WAKE);
}
