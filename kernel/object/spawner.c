/* SPDX-License-Identifier: MIT */
/*
 * ProcessSpawner: starts processes for its holders, with the capabilities sent and no others.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "process/process.h"

/* The account that the process is to draw on, one reference, unless it has one already; *ncaps:
 * capabilities before the image, of which the account is taken off. */
static int find_account(struct kcall *call, const struct process_spawner_spawn_params *params,
                        uint32_t *ncaps, struct account **out)
{
	struct cap account;
	if (!params->in_account) {
		if (call->caller->job)
			return CAP_OK;
		*out = account_create(&(struct account_limits){.pages = params->memory_limit_pages},
		                      !params->service);
		return *out ? CAP_OK : CAP_ENOMEM;
	}
	if (*ncaps == 0 || params->memory_limit_pages != 0)
		return CAP_EINVAL;
	int error = kcall_arg(call, (uint16_t)-- * ncaps, KIND_ACCOUNT, CAP_RIGHT_MANAGE, &account);
	if (error)
		return error;
	*out = account_of(account.object);
	account_get(*out);
	return CAP_OK;
}

static int spawn(void *object, struct msg_call *msg,
                 const struct process_spawner_spawn_params *params,
                 struct process_spawner_spawn_results *results)
{
	struct kcall *call = kcall_of(msg);
	struct cap image;
	struct process *p;
	(void)object;
	if (call->in.count == 0 || params->image_index != call->in.count - 1 ||
	    params->start_block.len % 16 != 0)
		return CAP_EINVAL;
	int error = kcall_arg(call, params->image_index, KIND_MEMORY,
	                      CAP_RIGHT_READ | CAP_RIGHT_EXEC, &image);
	if (error)
		return error;
	if (memobj_of(image.object)->kind != MEMOBJ_ANON)
		return CAP_ETYPE;
	uint32_t ncaps = call->in.count - 1;
	struct job **job = &call->caller->job;
	struct account *account = NULL;
	error = find_account(call, params, &ncaps, &account);
	if (error)
		return error;
	struct spawn what = {.name = params->name.ptr,
	                     .name_length = params->name.len,
	                     .image = memobj_of(image.object),
	                     .load_bias = params->load_bias,
	                     .stack_top = params->stack_top,
	                     .start_block = params->start_block.ptr,
	                     .start_length = params->start_block.len,
	                     .account = account,
	                     .service = params->service,
	                     .caps = call->in.caps,
	                     .ncaps = ncaps};
	error = process_spawn(job, &what, &p);
	account_put(account);
	if (error)
		return error;
	for (uint32_t i = 0; i < what.ncaps; i++)
		call->in.caps[i].kind = KIND_NONE;
	results->process_index = kcall_give(call, KIND_PROCESS, &p->header, CAP_RIGHTS_ALL);
	return CAP_OK;
}

static int create_account(void *object, struct msg_call *msg,
                          const struct process_spawner_create_account_params *params,
                          struct process_spawner_create_account_results *results)
{
	const struct account_limits limits = {
	        .pages = params->memory_limit_pages,
	        .items = {[ACCOUNT_PROCESSES] = params->process_limit,
	                  [ACCOUNT_THREADS] = params->thread_limit,
	                  [ACCOUNT_TIMERS] = params->timer_limit,
	                  [ACCOUNT_OPERATIONS] = params->operation_limit,
	                  [ACCOUNT_CALLS] = params->call_limit}};
	(void)object;
	struct account *account = account_create(&limits, !params->service);
	if (!account)
		return CAP_ENOMEM;
	results->account_index =
	        kcall_give(kcall_of(msg), KIND_ACCOUNT, &account->header, ACCOUNT_RIGHTS);
	return CAP_OK;
}

int spawner_call(struct object_header *object, struct msg_call *msg)
{
	static const struct process_spawner_ops ops = {
	        .spawn = spawn,
	        .create_account = create_account,
	};
	return process_spawner_dispatch(&ops, object, msg);
}
