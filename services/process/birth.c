/* SPDX-License-Identifier: MIT */
/*
 * How a process becomes a member: what it hands over is checked to be the kernel's, so that asking
 * it never waits for another program, and to be its own, so that nobody is a member as another
 * user's process.
 */
#include <capos/object.h>
#include <capos/schema/kernel.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "process.h"

struct candidate {
	cap_t process, signals;
	cap_t member; /* its capability on itself */
	struct cap_identity identity;
	uint64_t id; /* of the process */
};

/* In one entry of the kernel; the label is given of a process of the kernel's that lives, and of
 * nothing else.  Without one that is known nobody knows what it may do. */
static int examine(struct candidate *c, struct member *m)
{
	struct capos_sqe event = {.op = CAP_OP_NOP, .cap = c->signals};
	struct capos_sqe mint = {.op = CAP_OP_MINT,
	                         .cap = server.endpoint,
	                         .interface = PROCESS_MEMBER_INTERFACE,
	                         .arg = word_of(m, WORD_MEMBER)};
	struct cap_op tested = {.done = false}, minted = {.done = false};
	int label, kernels, member;

	if (cap_submit(&event, &tested))
		return STATUS_NO_MEMORY;
	if (cap_submit(&mint, &minted)) {
		(void)cap_await_uninterruptible(&tested);
		return STATUS_NO_MEMORY;
	}
	label = cap_identity_get(start_cap("labels"), c->process, &c->identity, &c->id);
	kernels = cap_await_uninterruptible(&tested);
	member = cap_await_uninterruptible(&minted);
	c->member = member ? CAP_NULL : minted.cqe.value;
	if (label || kernels || tested.cqe.value)
		return STATUS_INVALID_ARGUMENT;
	return member ? STATUS_NO_MEMORY : STATUS_OK;
}

/* A member that has it can give it up, and no child inherits it. */
static int give_member(const struct candidate *c, struct server_call *call, uint16_t *member)
{
	int position = server_give(call, c->member, CAP_RIGHT_CALL, true);

	if (position < 0)
		return STATUS_NO_BUFFERS;
	*member = (uint16_t)position;
	return STATUS_OK;
}

int member_begin(struct member *m, struct server_call *call, uint16_t process, uint16_t signals,
                 uint16_t *member)
{
	struct candidate c = {.process = server_take(call, process),
	                      .signals = server_take(call, signals)};
	int status = c.process && c.signals ? examine(&c, m) : STATUS_INVALID_ARGUMENT;

	if (!status && c.id != call->caller)
		status = STATUS_INVALID_ARGUMENT;
	if (status)
		cap_release(c.member);
	else
		status = give_member(&c, call, member);
	if (status) {
		cap_release(c.process);
		cap_release(c.signals);
		return status;
	}
	m->process = c.process;
	world_apply_scheduling(m);
	m->signals = c.signals;
	m->identity = c.identity;
	m->process_id = c.id;
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
