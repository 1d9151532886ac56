/* SPDX-License-Identifier: MIT */
/*
 * Calls that are under way while init does other things.  The message is in the call itself, so
 * there may be any number.
 */
#include <string.h>

#include "init.h"

_Alignas(8) uint8_t init_buffer[CAPOS_KERNEL_MESSAGE_MAX];

int init_call_submit(struct init_call *call, cap_t cap, uint64_t interface, uint16_t method,
                     uint32_t length)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_CALL,
	        .method = method,
	        .cap = cap,
	        .interface = interface,
	        .send_addr = (uintptr_t)call->buffer,
	        .send_len = length,
	        .send_caps = (uintptr_t)&call->send,
	        .send_ncaps = call->sends ? 1 : 0,
	        .recv_addr = (uintptr_t)call->buffer,
	        .recv_len = sizeof(call->buffer),
	        .recv_caps = (uintptr_t)call->caps,
	        .recv_ncaps = CAPOS_MESSAGE_CAPS_MAX,
	};

	memset(&call->op, 0, sizeof(call->op));
	return cap_submit(&sqe, &call->op);
}

int init_call_submit_empty(struct init_call *call, cap_t cap, uint64_t interface, uint16_t method)
{
	struct msg_builder builder;
	struct msg_slot root;
	int result;

	msg_builder_init(&builder, call->buffer, sizeof(call->buffer));
	result = msg_write_root(&builder, 0, 0, &root);
	if (result)
		return result;
	return init_call_submit(call, cap, interface, method, msg_builder_length(&builder));
}

void init_call_release(struct init_call *call)
{
	for (uint32_t i = 0; i < call->op.cqe.ncaps; i++)
		cap_release(call->caps[i]);
}
