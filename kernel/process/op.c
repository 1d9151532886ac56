/* SPDX-License-Identifier: MIT */
/*
 * Operations in flight: each is in its thread's list from creation until it completes exactly once,
 * or its thread ends.
 */
#include "kernel.h"
#include "process/process.h"
#include "memory/slab.h"
#include "process/thread.h"

static struct slab ops = SLAB_INIT(struct op);

static uint64_t newest;

struct op *op_create(struct thread *t, const struct capos_sqe *sqe, void (*withdraw)(struct op *op))
{
	assert(kernel_locked());
	struct account *account = t->process->account;
	if (!account_count(account, ACCOUNT_OPERATIONS))
		return NULL;
	struct op *op = account_alloc(account, &ops);
	if (!op) {
		account_uncount(account, ACCOUNT_OPERATIONS);
		return NULL;
	}
	op->thread = t;
	op->id = ++newest;
	op->user_data = sqe->user_data;
	op->withdraw = withdraw;
	op->quiet = (sqe->flags & CAPOS_SQE_QUIET) != 0;
	op->arg = sqe->arg;
	op->buffer = (struct receive_buffer){.address = sqe->recv_addr,
	                                     .caps = sqe->recv_caps,
	                                     .length = sqe->recv_len,
	                                     .ncaps = sqe->recv_ncaps};
	list_init(&op->queue);
	list_append(&t->ops, &op->of_thread);
	return op;
}

void op_free(struct op *op)
{
	list_remove(&op->queue);
	list_remove(&op->of_thread);
	struct account *account = op->thread->process->account;
	account_uncount(account, ACCOUNT_OPERATIONS);
	account_free(account, &ops, op);
}

void op_complete(struct op *op, int32_t result, uint32_t length, uint64_t value, uint32_t ncaps)
{
	struct thread *t = op->thread;
	assert(kernel_locked());
	if (op->quiet && !result) {
		ring_drop(&t->ring);
	} else {
		struct capos_cqe cqe = {.user_data = op->user_data,
		                        .result = result,
		                        .length = length,
		                        .value = value,
		                        .ncaps = ncaps};
		ring_complete(&t->ring, &cqe);
	}
	op_free(op);
	thread_check_wake(t);
}

void op_withdraw(struct op *op)
{
	list_remove(&op->queue);
	op->withdraw(op);
	op->target = NULL;
}

int op_cancel(struct thread *t, uint64_t user_data)
{
	for (struct list *node = t->ops.next; node != &t->ops; node = node->next) {
		struct op *op = list_entry(node, struct op, of_thread);
		if (op->user_data != user_data)
			continue;
		op_withdraw(op);
		op_complete(op, CAP_ECANCELED, 0, 0, 0);
		return CAP_OK;
	}
	return CAP_ENOENT;
}
