/* SPDX-License-Identifier: MIT */
/*
 * Held calls, in the order in which they arrived.  Their messages stand one behind the other in an
 * area of fixed size; it is free again when the last of them was handled.
 */
#include <string.h>

#include <capos/schema/status.h>
#include <capos/start.h>

#include "libcapos/server_held.h"

/* As many as processes of one program wait in as a rule; the others get Status.tryAgain. */
#define HELD_MAX 64u
/* The endpoint's owner opens the object with its first call.  A call whose object is not opened
 * within this time is answered, so that no caller waits for ever. */
#define HELD_NS 10000000000ull

struct held_call {
	struct server_call call;
	uint64_t until; /* monotonic ns */
	bool waiting, due;
};

struct server_held {
	uint32_t n;     /* places used, those already handled included */
	uint32_t bytes; /* of messages */
	struct held_call calls[HELD_MAX];
	/* Behind it: messages, in which the server's largest fits (most need some hundred bytes);
	 * then as many bytes for the reply that is being built. */
	uint32_t area_size; /* bytes of each; a multiple of 8 */
	_Alignas(8) uint8_t messages[];
};

int server_hold_start(struct server *server)
{
	uint32_t most = server->ops->message_max ? server->ops->message_max : SERVER_MESSAGE_MAX;
	uint32_t area = (most + 7u) & ~7u;
	uint64_t size = (sizeof(struct server_held) + 2ull * area + CAPOS_PAGE_SIZE - 1) /
	                CAPOS_PAGE_SIZE * CAPOS_PAGE_SIZE;
	struct server_held *held;
	void *base;
	int result = memory_make(size, &base);

	if (result)
		return result;
	server->held = held = base;
	held->area_size = area;
	return CAP_OK;
}

int server_hold(struct server_call *call)
{
	struct server_held *held = call->server->held;
	uint32_t length = (call->msg.in_len + 7u) & ~7u;
	struct held_call *h;

	if (!held || call->held || held->n == HELD_MAX || length > held->area_size - held->bytes)
		return STATUS_TRY_AGAIN;
	h = &held->calls[held->n++];
	*h = (struct held_call){
	        .call = *call, .until = cap_now() + HELD_NS, .waiting = true, .due = false};
	h->call.held = true;
	h->call.msg.in = memcpy(held->messages + held->bytes, call->msg.in, call->msg.in_len);
	h->call.msg.out = held->messages + held->area_size;
	held->bytes += length;
	call->ncaps = 0; /* they are the held call's now */
	return MSG_DEFERRED;
}

void server_resume(struct server *server, uint64_t object)
{
	struct server_held *held = server->held;

	for (uint32_t i = 0; held && i < held->n; i++)
		if (held->calls[i].call.object == object)
			held->calls[i].due = true;
}

void server_resume_call(struct server *server, uint64_t call_id)
{
	struct server_held *held = server->held;

	for (uint32_t i = 0; held && i < held->n; i++)
		if (held->calls[i].waiting && held->calls[i].call.call_id == call_id)
			held->calls[i].due = true;
}

static void release_received(struct server_call *call)
{
	for (uint32_t i = 0; i < call->ncaps; i++)
		if (call->caps[i] != CAP_NULL)
			(void)cap_release(call->caps[i]);
}

static void handle_held(struct server *server, struct server_call *call)
{
	struct server_pending pending = server_defer(call);
	int result = server->ops->call(server, call);

	if (result != MSG_DEFERRED)
		server_answer(server, pending, result, call->msg.out, call->msg.out_len,
		              call->reply_caps, call->reply_ncaps);
	else
		for (uint32_t i = 0; i < call->reply_ncaps; i++)
			if (call->reply_caps[i].flags & CAPOS_SEND_MOVE)
				(void)cap_release(call->reply_caps[i].cap);
	release_received(call);
}

/* Places are used again when none of them waits. */
static void reuse(struct server_held *held)
{
	for (uint32_t i = 0; i < held->n; i++)
		if (held->calls[i].waiting)
			return;
	held->n = 0;
	held->bytes = 0;
}

void server_held_run(struct server *server)
{
	struct server_held *held = server->held;
	uint64_t now;

	if (!held || !held->n)
		return;
	now = cap_now();
	for (uint32_t i = 0; i < held->n; i++) {
		struct held_call *h = &held->calls[i];

		if (!h->waiting || (!h->due && h->until > now))
			continue;
		h->waiting = false;
		handle_held(server, &h->call);
	}
	reuse(held);
}

bool server_held_cancel(struct server *server, uint64_t call_id)
{
	struct server_held *held = server->held;

	for (uint32_t i = 0; held && i < held->n; i++) {
		struct held_call *h = &held->calls[i];

		if (!h->waiting || h->call.call_id != call_id)
			continue;
		h->waiting = false;
		release_received(&h->call);
		reuse(held);
		return true;
	}
	return false;
}

uint64_t server_held_timeout(const struct server *server)
{
	const struct server_held *held = server->held;
	uint64_t now, least = CAPOS_FOREVER;

	if (!held || !held->n)
		return CAPOS_FOREVER;
	now = cap_now();
	for (uint32_t i = 0; i < held->n; i++) {
		const struct held_call *h = &held->calls[i];
		uint64_t left = h->until > now && !h->due ? h->until - now : 0;

		if (h->waiting && left < least)
			least = left;
	}
	return least;
}
