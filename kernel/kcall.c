/* SPDX-License-Identifier: MIT */
/*
 * Calls of the kernel's own objects: the message is copied in before it is looked at, the reply out
 * when it is whole.
 */
#include "kcall.h"
#include "device/device.h"
#include "object/endpoint.h"
#include "object/event.h"
#include "kernel.h"
#include "process/process.h"
#include "object/timer.h"

static void memory_get(void *object)
{
	memobj_get(object);
}

static void memory_put(void *object)
{
	memobj_put(object);
}

static void account_get_held(void *account)
{
	account_get(account);
}

static void account_put_held(void *account)
{
	account_put(account);
}

const struct kind kinds[KIND_COUNT] = {
        [KIND_PROCESS] = {PROCESS_INTERFACE, process_get, process_put, process_call},
        [KIND_SPAWNER] = {PROCESS_SPAWNER_INTERFACE, NULL, NULL, spawner_call},
        [KIND_MEMORY] = {MEMORY_OBJECT_INTERFACE, memory_get, memory_put, memory_call},
        [KIND_EVENT] = {EVENT_INTERFACE, event_get, event_put, event_call},
        [KIND_ENDPOINT] = {0, endpoint_get, endpoint_put, NULL},
        [KIND_OBJECT] = {0, object_get, object_put, NULL},
        [KIND_TIMER] = {TIMER_INTERFACE, timer_get, timer_put, timer_call},
        [KIND_ENTROPY] = {ENTROPY_SOURCE_INTERFACE, NULL, NULL, entropy_call},
        [KIND_LOG] = {LOG_INTERFACE, NULL, NULL, log_call},
        [KIND_POWER] = {POWER_CONTROL_INTERFACE, NULL, NULL, power_call},
        [KIND_SYSTEM_STATUS] = {SYSTEM_STATUS_INTERFACE, NULL, NULL, status_call},
        [KIND_DEVICE_MANAGER] = {DEVICE_MANAGER_INTERFACE, NULL, NULL, device_manager_call},
        [KIND_DEVICE_MMIO] = {DEVICE_MMIO_INTERFACE, device_get, device_put, device_mmio_call},
        [KIND_INTERRUPT] = {INTERRUPT_INTERFACE, device_get, device_put, interrupt_call},
        [KIND_DMA_POOL] = {DMA_POOL_INTERFACE, device_get, device_put, dma_pool_call},
        [KIND_CODE_MAKER] = {CODE_MAKER_INTERFACE, NULL, NULL, code_maker_call},
        [KIND_ACCOUNT] = {ACCOUNT_INTERFACE, account_get_held, account_put_held, account_call},
};

void cap_get(struct cap cap)
{
	if (kinds[cap.kind].get)
		kinds[cap.kind].get(cap.object);
}

void cap_put(struct cap cap)
{
	if (kinds[cap.kind].put)
		kinds[cap.kind].put(cap.object);
}

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

uint16_t kcall_give(struct kcall *call, enum cap_kind kind, void *object, uint32_t rights)
{
	assert(call->nout < CAPOS_MESSAGE_CAPS_MAX);
	call->out[call->nout] =
	        (struct cap){.object = object, .kind = kind, .rights = (uint16_t)rights};
	return (uint16_t)call->nout++;
}

static int check(const struct capos_sqe *sqe, struct cap target)
{
	if (kinds[target.kind].interface == 0 || sqe->interface != kinds[target.kind].interface)
		return CAP_ETYPE;
	if (sqe->send_len > CAPOS_KERNEL_MESSAGE_MAX || sqe->send_ncaps > CAPOS_MESSAGE_CAPS_MAX)
		return CAP_ETOOBIG;
	return CAP_OK;
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
	int error = check(sqe, target);
	if (error)
		return error;
	uint32_t out_size =
	        sqe->recv_len < sizeof(cpu->message_out) ? sqe->recv_len : sizeof(cpu->message_out);
	struct kcall call = {.caller = t, .sqe = sqe, .rights = target.rights};
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
	if (!error) {
		cap_get(target); /* the call may end the process that holds it */
		error = perform(&call, target, cqe);
		cap_put(target);
	}
	transfer_drop(&call.in);
	return error;
}
