/* SPDX-License-Identifier: MIT */
/*
 * Slices that methods of the kernel's objects make: what a submission has of one while it is not
 * whole belongs to its thread.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "memory/account.h"
#include "memory/slab.h"
#include "process/process.h"
#include "work.h"

struct slice_job {
	struct job job; /* first */
	struct account *account;
	struct slice slice;
	bool code;
};

static struct slab jobs = SLAB_INIT(struct slice_job);

static void abandon(struct job *job)
{
	struct slice_job *j = (struct slice_job *)job;
	slice_abandon(&j->slice);
	account_free(j->account, &jobs, j);
}

static int begin(struct thread *t, const struct slice_request *what, struct slice_job **out)
{
	struct account *account = t->process->account;
	struct slice_job *j = account_alloc(account, &jobs);
	if (!j)
		return CAP_ENOMEM;
	if (!slice_begin(&j->slice, what->from, what->offset, what->size, what->account,
	                 what->committed)) {
		account_free(account, &jobs, j);
		return CAP_ENOMEM;
	}
	j->job.abandon = abandon;
	j->account = account;
	j->code = what->makes_code;
	t->job = &j->job;
	*out = j;
	return CAP_OK;
}

int kcall_slice(struct kcall *call, struct slice_request *what)
{
	struct thread *t = call->caller;
	struct slice_job *j = (struct slice_job *)t->job;
	int error = j ? CAP_OK : begin(t, what, &j);
	if (!error)
		error = slice_go_on(&j->slice);
	if (!error)
		error = kcall_reply_room(call);
	if (error)
		return error;
	what->copy = j->slice.copy;
	what->code = j->code;
	t->job = NULL;
	account_free(j->account, &jobs, j);
	return CAP_OK;
}
