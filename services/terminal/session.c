/* SPDX-License-Identifier: MIT */
/*
 * The session that a terminal controls.  Its ProcessSession came from a program, which may serve it
 * itself and never answer: so the service never waits for one.  One call of it is under way for a
 * terminal; signals that come meanwhile are kept, once each.
 */
#include "terminal.h"

#include <capos/schema/process_client.h>
#include <capos/schema/status.h>

/* How long a session may leave unanswered whether it exists, while another asks for its terminal,
 * and signals, once the terminal has ended.  The process service answers at once. */
#define ANSWER_NS 1000000000ull
#define RETRY_NS  10000000ull /* after a submission for which the ring had no room */

static bool is_asking(const struct link *l)
{
	return l->asked && !l->op.done;
}

/* Signal 0: whether it exists. */
static void ask(struct link *l, uint32_t signal)
{
	const struct process_session_signal_params params = {.signal = signal};
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .method = PROCESS_SESSION_SIGNAL,
	                        .cap = l->session,
	                        .interface = PROCESS_SESSION_INTERFACE,
	                        .send_addr = (uintptr_t)l->message,
	                        .recv_addr = (uintptr_t)l->reply,
	                        .recv_len = sizeof(l->reply)};
	struct msg_builder builder;

	msg_builder_init(&builder, l->message, sizeof(l->message));
	if (process_session_signal_params_write(&builder, &params))
		return;
	sqe.send_len = msg_builder_length(&builder);
	l->op = (struct cap_op){.done = false};
	l->asked = !cap_submit(&sqe, &l->op);
	if (!l->asked)
		return;
	l->signals &= signal ? ~(1ull << (signal - 1)) : UINT64_MAX;
	l->asks_existence = signal == 0;
}

static void take(struct link *l, cap_t session)
{
	l->session = session;
	l->signals = 0;
}

static void give_up(struct link *l)
{
	if (is_asking(l))
		cap_cancel(&l->op);
	l->asked = false;
	if (l->session != CAP_NULL)
		(void)cap_release(l->session);
	take(l, CAP_NULL);
}

/* Answers who asked for the terminal. */
static void decide(struct link *l, int status)
{
	if (l->challenger == CAP_NULL)
		return;
	if (status)
		(void)cap_release(l->challenger);
	else
		take(l, l->challenger);
	l->challenger = CAP_NULL;
	server_answer(&server, l->challenge, status, NULL, 0, NULL, 0);
}

static void answered(struct link *l)
{
	bool over = l->op.cqe.result;
	bool decides = over || l->asks_existence;

	l->asked = false;
	if (over)
		give_up(l);
	if (decides)
		decide(l, over ? STATUS_OK : STATUS_BUSY);
}

/* How long until it is to be looked at again. */
static uint64_t step(struct link *l, uint64_t now)
{
	bool waits = l->challenger != CAP_NULL || l->closing;

	if (l->asked && l->op.done)
		answered(l);
	if (waits && now >= l->deadline) {
		decide(l, STATUS_BUSY);
		if (l->closing)
			give_up(l);
	}
	if (l->session != CAP_NULL && !l->asked) {
		if (l->signals)
			ask(l, (uint32_t)__builtin_ctzll(l->signals) + 1);
		else if (l->challenger != CAP_NULL)
			ask(l, 0);
		else if (l->closing)
			give_up(l);
		if (l->session != CAP_NULL && !l->asked &&
		    (l->signals || l->challenger != CAP_NULL))
			return RETRY_NS;
	}
	if (l->session == CAP_NULL)
		l->closing = false;
	waits = l->challenger != CAP_NULL || l->closing;
	return waits ? l->deadline - now : CAPOS_FOREVER;
}

uint64_t session_step(void)
{
	uint64_t least = CAPOS_FOREVER, now = cap_now();

	for (struct terminal *t = terminals; t < terminals + terminals_most; t++) {
		uint64_t wait = t->link.session != CAP_NULL ? step(&t->link, now) : CAPOS_FOREVER;

		least = wait < least ? wait : least;
	}
	return least;
}

int session_signal(struct terminal *t, uint32_t signal)
{
	if (signal < 1 || signal > 64)
		return STATUS_INVALID_ARGUMENT;
	if (t->link.session != CAP_NULL)
		t->link.signals |= 1ull << (signal - 1);
	return STATUS_OK;
}

int session_control(struct terminal *t, struct server_call *call, cap_t session)
{
	struct link *l = &t->link;

	if (l->session == CAP_NULL) {
		take(l, session);
		return STATUS_OK;
	}
	if (l->challenger != CAP_NULL) {
		(void)cap_release(session);
		return STATUS_BUSY;
	}
	l->challenger = session;
	l->challenge = server_defer(call);
	l->deadline = cap_now() + ANSWER_NS;
	return MSG_DEFERRED;
}

bool session_cancelled(uint64_t call_id)
{
	for (struct terminal *t = terminals; t < terminals + terminals_most; t++) {
		struct link *l = &t->link;

		if (l->challenger == CAP_NULL || l->challenge.call_id != call_id)
			continue;
		(void)cap_release(l->challenger);
		l->challenger = CAP_NULL;
		return true;
	}
	return false;
}

void session_close(struct terminal *t)
{
	decide(&t->link, STATUS_IO_ERROR);
	t->link.closing = true;
	t->link.deadline = cap_now() + ANSWER_NS;
}

bool session_is_over(const struct terminal *t)
{
	return t->link.session == CAP_NULL;
}
