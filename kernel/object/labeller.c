/* SPDX-License-Identifier: MIT */
/*
 * Labeller: the authority to say of a process what its servers are told.  A label means nothing to
 * the kernel, which carries it.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "process/process.h"

static int argument(struct msg_call *msg, uint16_t index, struct process **out)
{
	struct cap process;
	int error = kcall_arg(kcall_of(msg), index, KIND_PROCESS, CAP_RIGHT_WATCH, &process);
	if (error)
		return error;
	*out = process_of(process.object);
	return (*out)->state == PROCESS_ALIVE ? CAP_OK : CAP_EGONE;
}

static int set(void *object, struct msg_call *msg, const struct labeller_set_params *params)
{
	struct process *p;
	(void)object;
	int error = argument(msg, params->process_index, &p);
	if (error)
		return error;
	if (params->label.len > CAPOS_LABEL_MAX)
		return CAP_ETOOBIG;
	memset(p->label, 0, sizeof(p->label));
	memcpy(p->label, params->label.ptr, params->label.len);
	p->label_length = (uint8_t)params->label.len;
	return CAP_OK;
}

static int get(void *object, struct msg_call *msg, const struct labeller_get_params *params,
               struct labeller_get_results *results)
{
	struct process *p;
	(void)object;
	int error = argument(msg, params->process_index, &p);
	if (error)
		return error;
	results->label = MSG_DATA(p->label, p->label_length);
	results->id = p->id;
	return CAP_OK;
}

static int bound(void *object, struct msg_call *msg, const struct labeller_bound_params *params)
{
	struct process *p;
	(void)object;
	int error = argument(msg, params->process_index, &p);
	if (error)
		return error;
	if (params->priority > CAPOS_REALTIME_MAX || params->nice < CAPOS_NICE_MIN ||
	    params->nice > CAPOS_NICE_MAX + 1)
		return CAP_EINVAL;
	p->priority_most = (uint8_t)params->priority;
	p->nice_least = (int8_t)params->nice;
	return CAP_OK;
}

int labeller_call(struct object_header *object, struct msg_call *msg)
{
	static const struct labeller_ops ops = {.set = set, .get = get, .bound = bound};
	return labeller_dispatch(&ops, object, msg);
}
