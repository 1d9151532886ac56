/* SPDX-License-Identifier: MIT */
/*
 * CAP_OP_LOAD and CAP_OP_STORE.  What they have copied so far is the submission's progress, so that
 * a long copy is done in pieces.
 */
#include "object/bytes.h"
#include "kernel.h"
#include "memory/memobj.h"
#include "process/process.h"
#include "process/thread.h"

static int copy_some(struct memobj *m, struct thread *t, struct memobj_copy *copy,
                     int (*copier)(struct memobj *, struct memobj_copy *))
{
	if (m->kind != MEMOBJ_ANON)
		return CAP_ETYPE;
	if (copy->offset > CAPOS_USER_MAX)
		return CAP_EINVAL;
	copy->space = &t->process->space;
	copy->done = t->progress[0];
	int error = copier(m, copy);
	t->progress[0] = copy->done;
	return error;
}

int bytes_load(struct memobj *m, struct thread *t, const struct capos_sqe *sqe,
               struct capos_cqe *cqe)
{
	struct memobj_copy copy = {
	        .address = sqe->recv_addr, .offset = sqe->arg, .length = sqe->recv_len};
	int error = copy_some(m, t, &copy, memobj_load);
	cqe->length = (uint32_t)copy.done;
	cqe->value = m->size;
	cqe->ncaps = m->marked;
	return error;
}

int bytes_store(struct memobj *m, struct thread *t, const struct capos_sqe *sqe,
                struct capos_cqe *cqe)
{
	bool append = sqe->flags & CAPOS_SQE_APPEND;
	uint64_t *start = &t->progress[1];
	if (m->code || m->committed)
		return CAP_ETYPE;
	/* Where it begins is found out once.  Zero stands for not yet. */
	if (*start == 0)
		*start = 1 + (append ? m->size : sqe->arg);
	struct memobj_copy copy = {
	        .address = sqe->send_addr, .offset = *start - 1, .length = sqe->send_len};
	cqe->value = append ? m->size : copy.offset;
	cqe->ncaps = m->marked;
	if (append && !memobj_append_begin(m, copy.offset, copy.length))
		return CAP_OK;
	int error = copy_some(m, t, &copy, memobj_store);
	if (append && error != OP_AGAIN)
		error = memobj_append_end(m, copy.offset, copy.length, copy.done, error);
	cqe->length = (uint32_t)copy.done;
	cqe->value = copy.offset + copy.done;
	return error;
}
