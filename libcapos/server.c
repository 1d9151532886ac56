/* SPDX-License-Identifier: MIT */
/*
 * The server loop.  Each slot owns one receive buffer and one reply buffer; a slot is either
 * waiting in the kernel (its RECV is in flight) or stands in the ready list, in order of arrival,
 * until it is handled.  Its RETURN and its next RECV are queued together, and one kernel entry
 * carries those of all slots: the RETURN is consumed before the RECV can fill the slot again.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/status.h>
#include <capos/server.h>
#include <capos/start.h>

#include "libcapos/server_held.h"

struct server_slot {
	struct cap_op receive_op; /* context: the slot */
	struct cap_op return_op;  /* completes only when the RETURN failed; context: the slot */
	struct server_buffer *owner;
	struct server_call call;
	bool failed; /* its RECV: to be made again */
	cap_t received_caps[CAPOS_MESSAGE_CAPS_MAX];
	struct capos_send_cap sent_caps[CAPOS_MESSAGE_CAPS_MAX]; /* of the RETURN */
	uint32_t sent_ncaps;
	uint8_t *in;  /* struct capos_received and message */
	uint8_t *out; /* the reply's message */
};

struct server_buffer {
	struct server_slot slots[SERVER_RECEIVE_BUFFERS];
	struct server_slot *ready[SERVER_RECEIVE_BUFFERS];
	uint32_t nslots;      /* in use */
	uint32_t message_max; /* bytes of each slot's in (behind its header) and out */
	uint32_t nready;
	uint32_t nfailed; /* slots that are failed */
	uint64_t failures;
	int error; /* why receiving ended, or CAP_OK */
};

/* How long after a RECV that failed the next is made, in nanoseconds. */
#define RETRY_NS 50000000ull

#define PAGES(bytes) (((bytes) + CAPOS_PAGE_SIZE - 1) / CAPOS_PAGE_SIZE * CAPOS_PAGE_SIZE)
#define BUFFERS_SIZE PAGES(sizeof(struct server_buffer))

static uint32_t slot_in_size(const struct server_buffer *b)
{
	return (uint32_t)sizeof(struct capos_received) + b->message_max;
}

static void release_quietly(cap_t cap)
{
	struct capos_sqe sqe = {.op = CAP_OP_RELEASE, .cap = cap};

	if (cap != CAP_NULL)
		(void)cap_submit_quiet(&sqe);
}

static void release_moved(const struct capos_send_cap *caps, uint32_t ncaps)
{
	for (uint32_t i = 0; i < ncaps; i++)
		if (caps[i].flags & CAPOS_SEND_MOVE)
			release_quietly(caps[i].cap);
}

/* A RETURN without message or capabilities, whose failure changes nothing. */
static void return_status(uint64_t call_id, int status)
{
	struct capos_sqe sqe = {.op = CAP_OP_RETURN, .arg = call_id, .status = status};

	(void)cap_submit_quiet(&sqe);
}

/* The Status that a caller receives for a result of a handler; 0 stays 0. */
static int status_of(int result)
{
	if (result >= 0)
		return result;
	switch (result) {
	case CAP_EMETHOD:
		return STATUS_NOT_SUPPORTED;
	case CAP_ENOMEM:
	case CAP_ENOSLOT:
		return STATUS_NO_MEMORY;
	default:
		return STATUS_INVALID_ARGUMENT;
	}
}

/* The reply did not reach the caller: what it was to move is still here, and a caller that did not
 * cancel still waits for an answer. */
static void reply_failed(int result, uint64_t call_id, const struct capos_send_cap *caps,
                         uint32_t ncaps)
{
	release_moved(caps, ncaps);
	if (result != CAP_ECANCELED && result != CAP_ENOENT)
		return_status(call_id, status_of(result));
}

static void received(struct cap_op *op)
{
	struct server_slot *slot = op->context;
	struct server_buffer *b = slot->owner;

	b->ready[b->nready++] = slot;
}

static void return_failed(struct cap_op *op)
{
	struct server_slot *slot = op->context;

	reply_failed(op->cqe.result, slot->call.call_id, slot->sent_caps, slot->sent_ncaps);
}

static int submit_receive(struct server *server, struct server_slot *slot)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_RECV,
	        .cap = server->endpoint,
	        .recv_addr = (uintptr_t)slot->in,
	        .recv_len = slot_in_size(slot->owner),
	        .recv_caps = (uintptr_t)slot->received_caps,
	        .recv_ncaps = CAPOS_MESSAGE_CAPS_MAX,
	};

	return cap_submit(&sqe, &slot->receive_op);
}

static int submit_event_wait(struct server *server)
{
	struct capos_sqe sqe = {.op = CAP_OP_WAIT, .cap = server->event, .arg = UINT64_MAX};
	int result = cap_submit(&sqe, &server->event_op);

	server->event_waiting = !result;
	return result;
}

static void submit_return(struct server_slot *slot, int status)
{
	struct server_call *call = &slot->call;
	struct capos_sqe sqe = {.op = CAP_OP_RETURN,
	                        .flags = CAPOS_SQE_QUIET,
	                        .arg = call->call_id,
	                        .status = status};

	slot->sent_ncaps = 0;
	if (status) {
		release_moved(call->reply_caps, call->reply_ncaps);
	} else {
		memcpy(slot->sent_caps, call->reply_caps, sizeof(slot->sent_caps));
		slot->sent_ncaps = call->reply_ncaps;
		sqe.send_addr = (uintptr_t)slot->out;
		sqe.send_len = call->msg.out_len;
		sqe.send_caps = (uintptr_t)slot->sent_caps;
		sqe.send_ncaps = slot->sent_ncaps;
	}
	if (cap_submit(&sqe, &slot->return_op))
		release_moved(slot->sent_caps, slot->sent_ncaps);
}

static void handle_call(struct server *server, struct server_slot *slot,
                        const struct capos_received *header)
{
	struct server_call *call = &slot->call;
	uint32_t out_size = header->recv_len;
	int result;

	*call = (struct server_call){
	        .server = server,
	        .object = header->object,
	        .interface = header->interface,
	        .call_id = header->call_id,
	        .caller = header->caller,
	        .caller_label = header->caller_label,
	        .ncaps = header->ncaps,
	};
	memcpy(call->caps, slot->received_caps, header->ncaps * sizeof(call->caps[0]));
	call->msg = (struct msg_call){
	        .method = header->method,
	        .in = slot->in + sizeof(*header),
	        .in_len = header->length,
	        .out = slot->out,
	        .out_size =
	                out_size < slot->owner->message_max ? out_size : slot->owner->message_max,
	        .context = server->context,
	};
	result = server->ops->call(server, call);
	if (result == MSG_DEFERRED)
		release_moved(call->reply_caps, call->reply_ncaps);
	else
		submit_return(slot, status_of(result));
	for (uint32_t i = 0; i < call->ncaps; i++)
		release_quietly(call->caps[i]);
}

static void handle(struct server *server, struct server_slot *slot)
{
	const struct capos_received *header = (const struct capos_received *)slot->in;

	switch (header->kind) {
	case CAPOS_RECEIVED_CALL:
		handle_call(server, slot, header);
		break;
	case CAPOS_RECEIVED_RELEASE:
		if (server->ops->release)
			server->ops->release(server, header->object);
		break;
	case CAPOS_RECEIVED_CANCEL:
		if (server_held_cancel(server, header->call_id)) {
			return_status(header->call_id, STATUS_TRY_AGAIN);
			break;
		}
		/* Without the callback the server knows nothing of it and will answer some day,
		 * which frees it. */
		if (server->ops->cancel) {
			server->ops->cancel(server, header->call_id);
			return_status(header->call_id, STATUS_TRY_AGAIN);
		}
		break;
	}
}

/* Whether receiving is over for good: the endpoint is not there or not ours. */
static bool receiving_over(int result)
{
	return result == CAP_EGONE || result == CAP_EBADCAP || result == CAP_ERIGHTS ||
	       result == CAP_ETYPE;
}

/* A RECV that failed for lack of memory, say, is made again after a while: a server does not end of
 * it, and does not spend its time on trying. */
static void receive_later(struct server *server, struct server_slot *slot, int result)
{
	struct server_buffer *b = server->buffers;

	if (!b->failures++)
		log_line("a RECV failed: %s; trying again", cap_error_text(result));
	slot->failed = true;
	b->nfailed++;
}

static int receive_again(struct server *server)
{
	struct server_buffer *b = server->buffers;

	for (uint32_t i = 0; i < b->nslots && b->nfailed; i++) {
		struct server_slot *slot = &b->slots[i];

		if (!slot->failed)
			continue;
		slot->failed = false;
		b->nfailed--;
		int result = submit_receive(server, slot);
		if (result)
			return result;
	}
	return CAP_OK;
}

/* Handles what has arrived, in that order, and receives again with each slot. */
static int handle_ready(struct server *server)
{
	struct server_buffer *b = server->buffers;

	while (b->nready) {
		struct server_slot *slot = b->ready[0];
		int result = slot->receive_op.cqe.result;

		b->nready--;
		memmove(&b->ready[0], &b->ready[1], b->nready * sizeof(b->ready[0]));
		if (receiving_over(result))
			return result;
		if (result) {
			receive_later(server, slot, result);
			continue;
		}
		handle(server, slot);
		server_held_run(server);
		result = submit_receive(server, slot);
		if (result)
			return result;
	}
	return CAP_OK;
}

static int handle_event(struct server *server)
{
	uint64_t bits = server->event_bits;
	int result;

	if (!server->event_waiting) {
		if (server->event_op.cqe.result)
			return server->event_op.cqe.result;
		bits |= server->event_op.cqe.value;
		result = submit_event_wait(server);
		if (result)
			return result;
	}
	server->event_bits = 0;
	if (bits && server->ops->event)
		server->ops->event(server, bits);
	return CAP_OK;
}

static void event_signalled(struct cap_op *op)
{
	struct server *server = op->context;

	server->event_waiting = false;
}

static int start(struct server *server)
{
	struct server_buffer *b = server->buffers;

	for (uint32_t i = 0; i < b->nslots && server->endpoint != CAP_NULL; i++) {
		int result = submit_receive(server, &b->slots[i]);
		if (result)
			return result;
	}
	return server->event_waiting ? CAP_OK : submit_event_wait(server);
}

/* Makes the buffers: the slots, then what each receives into and answers from. */
static int make_buffers(struct server *server)
{
	uint32_t most = server->ops->message_max ? server->ops->message_max : SERVER_MESSAGE_MAX;
	uint64_t in = PAGES(sizeof(struct capos_received) + most), out = PAGES(most);
	uint32_t nslots = memory_portion(SERVER_RECEIVE_BUFFERS, 1);
	struct server_buffer *b;
	void *base;
	int result = memory_make(BUFFERS_SIZE + nslots * (in + out), &base);

	if (result)
		return result;
	server->buffers = b = base;
	b->nslots = nslots;
	b->message_max = most;
	for (uint32_t i = 0; i < nslots; i++) {
		struct server_slot *slot = &b->slots[i];

		slot->owner = b;
		slot->in = (uint8_t *)base + BUFFERS_SIZE + i * (in + out);
		slot->out = slot->in + in;
		slot->receive_op = (struct cap_op){.complete = received, .context = slot};
		slot->return_op = (struct cap_op){.complete = return_failed, .context = slot};
	}
	return CAP_OK;
}

int server_init(struct server *server, const struct server_ops *ops, cap_t endpoint, void *context)
{
	int result;

	*server = (struct server){.ops = ops, .endpoint = endpoint, .context = context};
	result = cap_event_create(&server->event);
	if (result)
		return result;
	memory_commit();
	server->event_op = (struct cap_op){.complete = event_signalled, .context = server};
	return make_buffers(server);
}

int server_run(struct server *server)
{
	int result = start(server);

	while (!result) {
		uint64_t timeout = CAPOS_FOREVER;

		result = handle_ready(server);
		server_held_run(server);
		if (!result)
			result = handle_event(server);
		if (result)
			break;
		if (server->ops->idle)
			timeout = server->ops->idle(server);
		uint64_t held = server_held_timeout(server);
		if (held < timeout)
			timeout = held;
		/* A callback's own calls may have reaped more meanwhile. */
		if (server->buffers->nready || !server->event_waiting)
			timeout = 0;
		bool failed = server->buffers->nfailed > 0;
		if (failed && timeout > RETRY_NS)
			timeout = RETRY_NS;
		result = cap_poll(timeout != 0, timeout);
		if (failed && (!result || result == CAP_ETIMEDOUT || result == CAP_EINTR))
			result = receive_again(server);
		if (result == CAP_ETIMEDOUT || result == CAP_EINTR)
			result = CAP_OK;
	}
	return result;
}

cap_t server_take(struct server_call *call, uint16_t index)
{
	cap_t cap;

	if (index >= call->ncaps)
		return CAP_NULL;
	cap = call->caps[index];
	call->caps[index] = CAP_NULL;
	return cap;
}

int server_give(struct server_call *call, cap_t cap, uint32_t rights, bool move)
{
	if (call->reply_ncaps == CAPOS_MESSAGE_CAPS_MAX) {
		if (move)
			release_quietly(cap);
		return -1;
	}
	call->reply_caps[call->reply_ncaps] = (struct capos_send_cap){
	        .cap = cap, .rights = rights, .flags = move ? CAPOS_SEND_MOVE : 0};
	return (int)call->reply_ncaps++;
}

int server_give_object(struct server_call *call, uint64_t interface, uint64_t object)
{
	cap_t cap;

	if (cap_mint(call->server->endpoint, interface, object, &cap))
		return -1;
	return server_give(call, cap, CAP_RIGHTS_ALL, true);
}

struct server_pending server_defer(const struct server_call *call)
{
	return (struct server_pending){.call_id = call->call_id, .recv_len = call->msg.out_size};
}

void server_answer(struct server *server, struct server_pending pending, int status,
                   const void *message, uint32_t length, const struct capos_send_cap *caps,
                   uint32_t ncaps)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_RETURN, .arg = pending.call_id, .status = status_of(status)};
	struct cap_op op = {0};
	int result;

	(void)server;
	if (status) {
		release_moved(caps, ncaps);
		ncaps = 0;
	} else {
		sqe.send_addr = (uintptr_t)message;
		sqe.send_len = length;
		sqe.send_caps = (uintptr_t)caps;
		sqe.send_ncaps = ncaps;
	}
	/* Waited for (it completes at once), because message and caps are only lent to us. */
	result = cap_submit(&sqe, &op);
	if (!result)
		result = cap_await_uninterruptible(&op);
	if (result)
		reply_failed(result, pending.call_id, caps, ncaps);
}
