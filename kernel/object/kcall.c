/* SPDX-License-Identifier: MIT */
/*
 * Calls of the kernel's own objects: the message is copied in before it is looked at, the reply out
 * when it is whole.  Rights and the room for the reply are checked before a handler acts, and again
 * by one that shares its caller's pages, so that what has been done does not look as if it had
 * failed.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "process/process.h"
#include "work.h"

int kcall_arg(struct kcall *call, uint16_t index, enum cap_kind kind, uint32_t rights,
              struct cap *out)
{
	if (index >= call->in.count)
		return CAP_EBADCAP;
	*out = call->in.caps[index];
	if (out->kind != kind)
		return CAP_ETYPE;
	return (out->rights & rights) == rights ? CAP_OK : CAP_ERIGHTS;
}

uint16_t kcall_give(struct kcall *call, enum cap_kind kind, struct object_header *object,
                    uint32_t rights)
{
	assert(call->nout < CAPOS_MESSAGE_CAPS_MAX);
	call->out[call->nout] =
	        (struct cap){.object = object, .kind = kind, .rights = (uint16_t)rights};
	return (uint16_t)call->nout++;
}

int kcall_reply_room(struct kcall *call)
{
	const struct capos_sqe *sqe = call->sqe;
	const struct method *m = call->method;
	struct process *p = call->caller->process;
	uint32_t length = MESSAGE_ROOT + m->words * 8u;
	if (m->no_reply)
		return CAP_OK;
	if (sqe->recv_ncaps < m->caps || sqe->recv_len < length)
		return CAP_ETOOBIG;
	if (m->more)
		length = call->msg.out_size;
	int error = space_prepare(&p->space, sqe->recv_addr, length);
	if (error || m->caps == 0)
		return error;
	if (steps_over())
		return WORK_AGAIN;
	error = space_prepare(&p->space, sqe->recv_caps, m->caps * sizeof(cap_t));
	return error ? error : cap_room(&p->caps, m->caps);
}

/* The method called, with the rights that it takes; NULL with *error. */
static const struct method *find_method(const struct capos_sqe *sqe, struct cap target, int *error)
{
	const struct kind *kind = &kinds[target.kind];
	*error = CAP_ETYPE;
	if (kind->interface == 0 || sqe->interface != kind->interface)
		return NULL;
	*error = CAP_EMETHOD;
	if (sqe->method >= kind->nmethods)
		return NULL;
	const struct method *method = &kind->methods[sqe->method];
	*error = CAP_ERIGHTS;
	return (target.rights & method->rights) == method->rights ? method : NULL;
}

/* The reply's message and capabilities, all or nothing. */
static int answer(struct kcall *call, struct process *p, struct capos_cqe *cqe)
{
	const struct capos_sqe *sqe = call->sqe;
	struct transfer x = {.count = call->nout};
	memcpy(x.caps, call->out, call->nout * sizeof(x.caps[0]));
	call->nout = 0;
	int error = x.count > sqe->recv_ncaps ? CAP_ETOOBIG : transfer_check(&x, p, p);
	uint32_t count = x.count;
	if (!error)
		error = space_copy_out(&p->space, sqe->recv_addr, call->msg.out, call->msg.out_len);
	if (!error)
		error = transfer_arrive(&x, p, p, sqe->recv_caps);
	transfer_drop(&x);
	if (!error) {
		cqe->length = call->msg.out_len;
		cqe->ncaps = count;
	}
	return error;
}

static int perform(struct kcall *call, struct cap target, struct capos_cqe *cqe)
{
	struct thread *t = call->caller;
	struct process *p = t->process;
	int result = kinds[target.kind].call(target.object, &call->msg);
	if (current_thread() != t)
		return OP_PENDING; /* the caller ended itself */
	if (!result) {
		transfer_unmove(&call->in, p);
		return answer(call, p, cqe);
	}
	for (uint32_t i = 0; i < call->nout; i++)
		cap_put(call->out[i]);
	return result;
}

int kcall_submit(struct thread *t, const struct capos_sqe *sqe, struct cap target,
                 struct capos_cqe *cqe)
{
	struct cpu *cpu = this_cpu();
	struct process *p = t->process;
	int error;
	const struct method *method = find_method(sqe, target, &error);
	if (!method)
		return error;
	if (sqe->send_len > CAPOS_KERNEL_MESSAGE_MAX || sqe->send_ncaps > CAPOS_MESSAGE_CAPS_MAX)
		return CAP_ETOOBIG;
	uint32_t out_size =
	        sqe->recv_len < sizeof(cpu->message_out) ? sqe->recv_len : sizeof(cpu->message_out);
	struct kcall call = {.caller = t, .sqe = sqe, .method = method, .rights = target.rights};
	call.msg = (struct msg_call){.method = sqe->method,
	                             .in = cpu->message_in,
	                             .in_len = sqe->send_len,
	                             .out = cpu->message_out,
	                             .out_size = out_size};
	error = space_copy_in(&p->space, cpu->message_in, sqe->send_addr, sqe->send_len);
	if (!error)
		error = transfer_begin(&call.in, p, sqe->send_caps, sqe->send_ncaps);
	if (error)
		return error;
	error = transfer_check(&call.in, p, p);
	if (!error)
		error = kcall_reply_room(&call);
	if (!error) {
		cap_get(target); /* the call may end the process that holds it */
		error = perform(&call, target, cqe);
		cap_put(target);
	}
	transfer_drop(&call.in);
	return error;
}
