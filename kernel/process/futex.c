/* SPDX-License-Identifier: MIT */
/*
 * Futexes: those who wait are in a hash table by word.  A waiter holds a count of the word's memory
 * object, so that no other object can come to have its identity meanwhile.
 */
#include "process/futex.h"
#include "kernel.h"
#include "memory/memobj.h"
#include "process/process.h"
#include "memory/space.h"
#include "process/thread.h"

#define BUCKETS 64u

static struct list buckets[BUCKETS];

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&buckets[i]);
}

static struct list *bucket_of(const struct memobj *object, uint64_t offset)
{
	uint64_t key = ((uint64_t)object ^ offset) * 0x9e3779b97f4a7c15ull;
	return &buckets[key >> 58];
}

static int find_word(struct thread *t, const struct capos_sqe *sqe, struct memobj **object,
                     uint64_t *offset, uint32_t *value)
{
	if (sqe->send_addr % 4 != 0)
		return CAP_EINVAL;
	return space_futex_key(&t->process->space, sqe->send_addr, object, offset, value);
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
	struct op *op = op_create(t, sqe, OP_FUTEX);
	if (!op)
		return CAP_ENOMEM;
	memobj_get(object);
	op->target = object;
	op->arg = offset;
	list_append(bucket_of(object, offset), &op->queue);
	return OP_PENDING;
}

int futex_wake(struct thread *t, const struct capos_sqe *sqe, uint64_t *woken)
{
	struct memobj *object;
	uint64_t offset;
	uint32_t value;
	int error = find_word(t, sqe, &object, &offset, &value);
	if (error)
		return error;
	struct list *bucket = bucket_of(object, offset);
	uint64_t count = 0;
	memobj_get(object); /* the waiters' counts may be the last */
	for (struct list *node = bucket->next; node != bucket && count < sqe->arg;) {
		struct op *op = list_entry(node, struct op, queue);
		node = node->next;
		if (op->target != object || op->arg != offset)
			continue;
		op_complete(op, CAP_OK, 0, 0, 0);
		memobj_put(object);
		count++;
	}
	memobj_put(object);
	*woken = count;
	return CAP_OK;
}
