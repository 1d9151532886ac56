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

/* Of what is taken back of an append: that there was no memory for its first byte. */
#define NO_MEMORY (1ull << 63)

/* Takes back what an append made longer and did not fill, unless the end is another's by now: in
 * pieces, with the size that the last piece left in progress[2]. */
static int take_back(struct memobj *m, struct thread *t, const struct memobj_copy *copy, int error)
{
	uint64_t *left = &t->progress[2];
	uint64_t size = *left ? *left & ~NO_MEMORY : copy->offset + copy->length;

	if (copy->done == copy->length || m->size != size)
		return error;
	if (memobj_resize_some(m, copy->offset + copy->done) != WORK_AGAIN)
		return error;
	*left = m->size | (error == CAP_ENOMEM ? NO_MEMORY : 0);
	return OP_AGAIN;
}

/* An append, which copies nothing any more once it takes something back. */
static int append(struct memobj *m, struct thread *t, struct memobj_copy *copy)
{
	int error;

	if (t->progress[2] != 0) {
		copy->done = t->progress[0];
		error = copy->done > 0               ? CAP_OK
		        : t->progress[2] & NO_MEMORY ? CAP_ENOMEM
		                                     : CAP_EFAULT;
	} else {
		if (!memobj_append_begin(m, copy->offset, copy->length))
			return CAP_OK;
		error = copy_some(m, t, copy, memobj_store);
	}
	if (error != OP_AGAIN)
		error = take_back(m, t, copy, error);
	/* It may be tried again, when the end may be elsewhere. */
	if (error == CAP_ENOMEM)
		t->progress[1] = t->progress[2] = 0;
	return error;
}

int bytes_store(struct memobj *m, struct thread *t, const struct capos_sqe *sqe,
                struct capos_cqe *cqe)
{
	bool appends = sqe->flags & CAPOS_SQE_APPEND;
	uint64_t *start = &t->progress[1];
	if (m->code || m->committed)
		return CAP_ETYPE;
	/* Where it begins is found out once.  Zero stands for not yet. */
	if (*start == 0)
		*start = 1 + (appends ? m->size : sqe->arg);
	struct memobj_copy copy = {
	        .address = sqe->send_addr, .offset = *start - 1, .length = sqe->send_len};
	cqe->ncaps = m->marked;
	int error = appends ? append(m, t, &copy) : copy_some(m, t, &copy, memobj_store);
	cqe->length = (uint32_t)copy.done;
	cqe->value = copy.offset + copy.done;
	return error;
}
