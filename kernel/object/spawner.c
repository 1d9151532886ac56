/* SPDX-License-Identifier: MIT */
/*
 * ProcessSpawner: starts processes for whoever holds it, with the capabilities sent and no others.
 */
#include "kcall.h"
#include "kernel.h"
#include "process/process.h"

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
	if (((struct memobj *)image.object)->kind != MEMOBJ_ANON)
		return CAP_ETYPE;
	struct spawn what = {.name = params->name.ptr,
	                     .name_length = params->name.len,
	                     .image = image.object,
	                     .load_bias = params->load_bias,
	                     .stack_top = params->stack_top,
	                     .start_block = params->start_block.ptr,
	                     .start_length = params->start_block.len,
	                     .limit_pages = params->memory_limit_pages,
	                     .service = params->service,
	                     .caps = call->in.caps,
	                     .ncaps = call->in.count - 1};
	error = process_spawn(&what, &p);
	if (error)
		return error;
	for (uint32_t i = 0; i < what.ncaps; i++)
		call->in.caps[i].kind = KIND_NONE;
	results->process_index = kcall_give(call, KIND_PROCESS, p, CAP_RIGHTS_ALL);
	return CAP_OK;
}

int spawner_call(void *object, struct msg_call *msg)
{
	static const struct process_spawner_ops ops = {.spawn = spawn};
	return process_spawner_dispatch(&ops, object, msg);
}
