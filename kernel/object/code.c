/* SPDX-License-Identifier: MIT */
/*
 * CodeMaker: the authority to turn data into code.  What it makes, or what is made by a capability
 * that it grants, is a copy whose bytes never change again; the data stays data, so no holder of
 * either can write what runs.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "process/process.h"

static int make(void *object, struct msg_call *msg, const struct code_maker_make_params *params,
                struct code_maker_make_results *results)
{
	struct kcall *call = kcall_of(msg);
	struct cap memory;
	(void)object;
	int error = kcall_arg(call, params->memory_index, KIND_MEMORY, CAP_RIGHT_READ, &memory);
	if (error)
		return error;
	struct memobj *data = memobj_of(memory.object);
	if (data->kind != MEMOBJ_ANON)
		return CAP_ETYPE;
	struct slice_request what = {
	        .from = data, .size = data->size, .account = call->caller->process->account};
	error = kcall_slice(call, &what);
	if (error)
		return error;
	memobj_make_code(what.copy);
	results->memory_index =
	        kcall_give(call, KIND_MEMORY, &what.copy->header, MEMORY_CODE_RIGHTS);
	return CAP_OK;
}

static int grant(void *object, struct msg_call *msg, const struct code_maker_grant_params *params,
                 struct code_maker_grant_results *results)
{
	struct kcall *call = kcall_of(msg);
	struct cap memory;
	(void)object;
	int error = kcall_arg(call, params->memory_index, KIND_MEMORY, CAP_RIGHT_READ, &memory);
	if (error)
		return error;
	if (memobj_of(memory.object)->kind != MEMOBJ_ANON)
		return CAP_ETYPE;
	memobj_get(memobj_of(memory.object));
	results->memory_index = kcall_give(call, KIND_MEMORY, memory.object, MEMORY_CODE_RIGHTS);
	return CAP_OK;
}

int code_maker_call(struct object_header *object, struct msg_call *msg)
{
	static const struct code_maker_ops ops = {.make = make, .grant = grant};
	return code_maker_dispatch(&ops, object, msg);
}
