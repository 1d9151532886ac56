/* SPDX-License-Identifier: MIT */
/*
 * The methods of Account: memory that is made in the account's name, by any process that holds a
 * capability to draw on it, and the counts.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "memory/memobj.h"
#include "work.h"

/* Rights of the memory: without MANAGE, since what is committed keeps its size. */
#define MEMORY_RIGHTS (MEMORY_DATA_RIGHTS & ~CAP_RIGHT_MANAGE)

static int create_memory(void *account, struct msg_call *msg,
                         const struct account_create_memory_params *params,
                         struct account_create_memory_results *results)
{
	if (params->size == 0 || params->size > CAPOS_USER_MAX)
		return CAP_EINVAL;
	struct slice_request what = {.size = params->size, .account = account, .committed = true};
	int error = kcall_slice(kcall_of(msg), &what);
	if (!error)
		results->memory_index =
		        kcall_give(kcall_of(msg), KIND_MEMORY, &what.copy->header, MEMORY_RIGHTS);
	return error;
}

static int slice(void *account, struct msg_call *msg, const struct account_slice_params *params,
                 struct account_slice_results *results)
{
	struct cap memory;
	int error = kcall_arg(kcall_of(msg), params->memory_index, KIND_MEMORY, CAP_RIGHT_READ,
	                      &memory);
	if (error)
		return error;
	if (memobj_of(memory.object)->kind != MEMOBJ_ANON)
		return CAP_ETYPE;
	if (!memobj_range_valid(params->offset, params->size))
		return CAP_EINVAL;
	struct slice_request what = {.from = memobj_of(memory.object),
	                             .offset = params->offset,
	                             .size = params->size,
	                             .account = account,
	                             .committed = true};
	error = kcall_slice(kcall_of(msg), &what);
	if (!error)
		results->memory_index =
		        kcall_give(kcall_of(msg), KIND_MEMORY, &what.copy->header, MEMORY_RIGHTS);
	return error;
}

static int create_sparse(void *account, struct msg_call *msg,
                         const struct account_create_sparse_params *params,
                         struct account_create_sparse_results *results)
{
	struct kcall *call = kcall_of(msg);
	struct cap code = {.object = NULL};
	if (params->size > CAPOS_USER_MAX || params->offset > CAPOS_USER_MAX ||
	    params->offset % PAGE_SIZE != 0)
		return CAP_EINVAL;
	if (params->backed) {
		int error =
		        kcall_arg(call, params->memory_index, KIND_MEMORY, CAP_RIGHT_READ, &code);
		if (error)
			return error;
		if (!memobj_of(code.object)->code)
			return CAP_ETYPE;
	}
	struct memobj *m = memobj_create_sparse(
	        params->size, code.object ? memobj_of(code.object) : NULL, params->offset, account);
	if (!m)
		return CAP_ENOMEM;
	results->memory_index = kcall_give(call, KIND_MEMORY, &m->header, MEMORY_DATA_RIGHTS);
	return CAP_OK;
}

static int status(void *account, struct msg_call *msg, struct account_status_results *results)
{
	const struct account *a = account;
	(void)msg;
	/* What is to be freed still counts, and is not to be seen. */
	work_run();
	if (work_pending())
		return OP_AGAIN;
	*results = (struct account_status_results){
	        .memory_pages = account_used(a),
	        .memory_limit_pages = a->limits.pages,
	        .object_bytes = a->bytes,
	        .processes = a->items[ACCOUNT_PROCESSES],
	        .process_limit = a->limits.items[ACCOUNT_PROCESSES],
	        .threads = a->items[ACCOUNT_THREADS],
	        .thread_limit = a->limits.items[ACCOUNT_THREADS],
	        .timers = a->items[ACCOUNT_TIMERS],
	        .timer_limit = a->limits.items[ACCOUNT_TIMERS],
	        .operations = a->items[ACCOUNT_OPERATIONS],
	        .operation_limit = a->limits.items[ACCOUNT_OPERATIONS],
	        .calls = a->items[ACCOUNT_CALLS],
	        .call_limit = a->limits.items[ACCOUNT_CALLS]};
	return CAP_OK;
}

int account_call(struct object_header *header, struct msg_call *msg)
{
	static const struct account_ops ops = {
	        .create_memory = create_memory,
	        .slice = slice,
	        .create_sparse = create_sparse,
	        .status = status,
	};
	return account_dispatch(&ops, account_of(header), msg);
}
