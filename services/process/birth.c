/* SPDX-License-Identifier: MIT */
/*
 * How a process becomes a member: what it hands over is checked to be the kernel's, so that asking
 * it never waits for another program.
 */
#include <capos/object.h>
#include <capos/schema/kernel.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "process.h"

static bool is_living_process(cap_t cap)
{
	struct cap_process status;

	return cap_is_kernels(cap) && !cap_process_status_of(cap, &status) && status.alive;
}

/* A member that has it can give it up, and no child inherits it. */
static int give_member(struct member *m, struct server_call *call, uint16_t *member)
{
	cap_t object;
	int position;

	if (cap_mint(server.endpoint, PROCESS_MEMBER_INTERFACE, word_of(m, WORD_MEMBER), &object))
		return STATUS_NO_MEMORY;
	position = server_give(call, object, CAP_RIGHT_CALL, true);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	*member = (uint16_t)position;
	return STATUS_OK;
}

int member_begin(struct member *m, struct server_call *call, uint16_t process, uint16_t signals,
                 uint16_t *member)
{
	cap_t of_process = server_take(call, process), event = server_take(call, signals);
	struct cap_identity identity;
	int status = is_living_process(of_process) && cap_is_kernels(event)
	                     ? STATUS_OK
	                     : STATUS_INVALID_ARGUMENT;

	/* Without a label that is known nobody knows what it may do. */
	if (!status && cap_identity_get(start_cap("labels"), of_process, &identity))
		status = STATUS_INVALID_ARGUMENT;
	if (!status)
		status = give_member(m, call, member);
	if (status) {
		cap_release(of_process);
		cap_release(event);
		return status;
	}
	m->process = of_process;
	m->signals = event;
	m->identity = identity;
	m->start_ns = cap_now();
	return STATUS_OK;
}

static int join(void *object, struct msg_call *msg, const struct process_birth_join_params *in,
                struct process_birth_join_results *out)
{
	struct member *m = object;
	int status;

	if (m->state != MEMBER_PREPARED)
		return STATUS_NO_ENTRY;
	status = member_begin(m, server_call_of(msg), in->process_index, in->signals_index,
	                      &out->member_index);
	if (!status)
		world_joined(m);
	return status;
}

const struct process_birth_ops birth_ops = {.join = join};
