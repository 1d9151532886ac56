/* SPDX-License-Identifier: MIT */
/*
 * libcapos on the real kernel: the ring client in one thread, the server loop in another.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/status.h>
#include <capos/server.h>
#include <capos/start.h>
#include "tap.h"

#define INTERFACE   0x7465737400000001ull
#define STACK_SIZE  65536u
#define MILLISECOND 1000000ull
#define BIG         60000u
#define HELD_MAX    8
#define LONG_FLIGHT 96 /* as many operations as may be in flight for long */

enum {
	ECHO,   /* answers with the message */
	ANSWER, /* answers with the int in the message as the handler's result */
	HOLD,   /* is answered by RESUME */
	RESUME, /* answers the calls held with "late" */
	GIVE,   /* gives a new object with the word in the message */
	SIGNAL, /* takes capability 0, signals its bit 1 and drops it */
	LIE,    /* claims a reply that is longer than the caller's buffer */
	COUNTS, /* how often things happened: struct counts */
	BREAK,  /* makes what it was received into read-only: the next RECV there fails */
};

struct counts {
	uint64_t released, last_released, cancelled, events;
};

static struct server server;
static struct server_pending held[HELD_MAX];
static unsigned nheld;
static struct counts counts;
static cap_t object;

/* ---- The server's thread ---- */

static void answer_held(void)
{
	uint64_t late = 0x6574616c;

	while (nheld)
		server_answer(&server, held[--nheld], 0, &late, sizeof(late), NULL, 0);
}

static uint64_t broken[SERVER_RECEIVE_BUFFERS];
static unsigned nbroken;

static int protect(uint64_t page, uint32_t access)
{
	struct process_protect_params params = {
	        .address = page, .size = CAPOS_PAGE_SIZE, .access = access};

	return process_protect(CAP_SELF, &params, NULL);
}

static int break_buffer(const struct server_call *call)
{
	uint64_t page = (uintptr_t)call->msg.in & ~(uint64_t)(CAPOS_PAGE_SIZE - 1);

	broken[nbroken++] = page;
	return protect(page, CAP_RIGHT_READ) ? CAP_EINVAL : CAP_OK;
}

static int handle(struct server *s, struct server_call *call)
{
	int32_t wanted = 0;
	uint64_t word = 0;
	cap_t event;

	(void)s;
	switch (call->msg.method) {
	case ECHO:
		if (call->msg.in_len > call->msg.out_size)
			return CAP_ETOOBIG;
		memcpy(call->msg.out, call->msg.in, call->msg.in_len);
		call->msg.out_len = call->msg.in_len;
		return CAP_OK;
	case ANSWER:
		memcpy(&wanted, call->msg.in, sizeof(wanted));
		return wanted;
	case HOLD:
		if (nheld == HELD_MAX)
			return STATUS_BUSY;
		held[nheld++] = server_defer(call);
		return MSG_DEFERRED;
	case RESUME:
		answer_held();
		return CAP_OK;
	case GIVE:
		memcpy(&word, call->msg.in, sizeof(word));
		return server_give_object(call, INTERFACE, word) == 0 ? CAP_OK : STATUS_NO_MEMORY;
	case SIGNAL:
		event = server_take(call, 0);
		cap_signal(event, 1);
		cap_release(event);
		return CAP_OK;
	case LIE:
		call->msg.out_len = BIG;
		return server_give_object(call, INTERFACE, 99) == 0 ? CAP_OK : STATUS_NO_MEMORY;
	case COUNTS:
		memcpy(call->msg.out, &counts, sizeof(counts));
		call->msg.out_len = sizeof(counts);
		return CAP_OK;
	case BREAK:
		return break_buffer(call);
	default:
		return CAP_EMETHOD;
	}
}

static void released(struct server *s, uint64_t word)
{
	(void)s;
	counts.released++;
	counts.last_released = word;
}

static void cancelled(struct server *s, uint64_t call_id)
{
	(void)s;
	counts.cancelled++;
	for (unsigned i = 0; i < nheld; i++)
		if (held[i].call_id == call_id)
			held[i] = held[--nheld];
}

static void event(struct server *s, uint64_t bits)
{
	(void)s;
	counts.events |= bits;
}

static void serve(uint64_t argument)
{
	(void)argument;
	tap_note("the server ended: %s", cap_error_text(server_run(&server)));
	__builtin_trap();
}

static void start_server(void)
{
	static const struct server_ops ops = {
	        .call = handle, .release = released, .cancel = cancelled, .event = event};
	static _Alignas(16) uint8_t stack[STACK_SIZE];
	struct process_create_thread_params params = {
	        .entry = (uint64_t)serve, .stack_pointer = (uint64_t)stack + STACK_SIZE - 8};
	cap_t endpoint;

	tap_equal(cap_endpoint_create(&endpoint), CAP_OK, "an endpoint");
	tap_equal(server_init(&server, &ops, endpoint, NULL), CAP_OK, "a server");
	tap_equal(cap_mint(endpoint, INTERFACE, 1, &object), CAP_OK, "an object");
	tap_equal(process_create_thread(CAP_SELF, &params, NULL, NULL), CAP_OK, "a thread");
}

/* ---- The client's thread ---- */

static _Alignas(8) uint8_t buffer[65536];

static int call(uint16_t method, uint32_t in_len, uint32_t size, struct capos_call *c,
                uint32_t *length)
{
	struct capos_call own = {0};
	uint32_t ignored;

	c = c ? c : &own;
	c->buffer = buffer;
	c->size = size;
	return cap_call(object, INTERFACE, method, in_len, c, length ? length : &ignored);
}

static struct counts read_counts(void)
{
	struct counts c = {0};
	uint32_t length;

	if (call(COUNTS, 0, sizeof(buffer), NULL, &length) == CAP_OK && length == sizeof(c))
		memcpy(&c, buffer, sizeof(c));
	return c;
}

static int answer_of(int32_t wanted)
{
	memset(buffer, 0, 8);
	memcpy(buffer, &wanted, sizeof(wanted));
	return call(ANSWER, 8, sizeof(buffer), NULL, NULL);
}

static void test_calls(void)
{
	bool same = true;
	uint32_t length;

	for (uint32_t size = 0; size <= BIG; size += 8 + size / 4 * 8) {
		for (uint32_t i = 0; i < size; i++)
			buffer[i] = (uint8_t)(i * 31 + size);
		same &= call(ECHO, size, sizeof(buffer), NULL, &length) == CAP_OK && length == size;
		for (uint32_t i = 0; i < size; i++)
			same &= buffer[i] == (uint8_t)(i * 31 + size);
	}
	tap_ok(same, "messages of many sizes come back unchanged");
	tap_equal(answer_of(STATUS_BUSY), STATUS_BUSY, "a status reaches the caller");
	tap_equal(answer_of(CAP_EBADCAP), STATUS_INVALID_ARGUMENT, "an error becomes a status");
	tap_equal(answer_of(CAP_ENOMEM), STATUS_NO_MEMORY, "no memory says so");
	tap_equal(call(77, 0, sizeof(buffer), NULL, NULL), STATUS_NOT_SUPPORTED, "no such method");
	tap_equal(cap_call(object, INTERFACE + 1, ECHO, 0, &(struct capos_call){.buffer = buffer},
	                   &length),
	          CAP_ETYPE, "another interface is refused");
}

static void submit_call(struct cap_op *op, uint16_t method, void *reply, uint32_t size)
{
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .cap = object,
	                        .interface = INTERFACE,
	                        .method = method,
	                        .recv_addr = (uintptr_t)reply,
	                        .recv_len = size};

	if (cap_submit(&sqe, op) != CAP_OK)
		tap_ok(false, "a submission is taken");
}

static void test_late_answers(void)
{
	struct cap_op ops[3] = {0};
	uint64_t replies[3] = {0};
	struct capos_call c = {.timeout_ns = 30 * MILLISECOND};
	uint64_t before;
	bool good = true;

	for (int i = 0; i < 3; i++)
		submit_call(&ops[i], HOLD, &replies[i], 8);
	tap_equal(cap_await(&ops[0], 10 * MILLISECOND), CAP_ETIMEDOUT, "a call that is held waits");
	tap_equal(call(RESUME, 0, sizeof(buffer), NULL, NULL), CAP_OK,
	          "others are served meanwhile");
	for (int i = 0; i < 3; i++)
		good &= cap_await(&ops[i], CAPOS_FOREVER) == CAP_OK && replies[i] == 0x6574616c;
	tap_ok(good, "all are answered");
	before = cap_now();
	tap_equal(call(HOLD, 0, sizeof(buffer), &c, NULL), CAP_ETIMEDOUT,
	          "a call with a bound ends");
	tap_ok(cap_now() - before >= 30 * MILLISECOND, "not too soon");
	tap_equal(read_counts().cancelled, 1, "and its server learns of it");
	tap_equal(call(RESUME, 0, sizeof(buffer), NULL, NULL), CAP_OK, "which goes on");
}

static void test_capabilities(void)
{
	struct capos_call c = {0};
	struct capos_send_cap send = {.rights = CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY};
	struct cap_op op = {0};
	uint64_t word = 42, bits, small;
	struct counts before = read_counts(), after;

	memcpy(buffer, &word, 8);
	tap_equal(call(GIVE, 8, sizeof(buffer), &c, NULL), CAP_OK, "an object is given");
	tap_equal(c.ncaps, 1, "with the reply");
	tap_equal(cap_release(c.caps[0]), CAP_OK, "and given up");
	after = read_counts();
	tap_equal(after.released, before.released + 1, "its server is told");
	tap_equal(after.last_released, 42, "which one it was");

	tap_equal(cap_event_create(&send.cap), CAP_OK, "an event");
	c = (struct capos_call){.send_caps = &send, .send_ncaps = 1};
	tap_equal(call(SIGNAL, 0, sizeof(buffer), &c, NULL), CAP_OK, "goes with a call");
	tap_equal(cap_wait(send.cap, 1, CAPOS_FOREVER, &bits), CAP_OK, "and is signalled");
	cap_release(send.cap);

	submit_call(&op, LIE, &small, sizeof(small));
	tap_ok(cap_await(&op, CAPOS_FOREVER) != CAP_OK, "a reply that does not fit is an error");
	tap_equal(read_counts().last_released, 99, "and its capability does not leak");
	tap_equal(cap_signal(server.event, 4), CAP_OK, "the server's event");
	call(ECHO, 0, sizeof(buffer), NULL, NULL); /* calls are handled before events */
	tap_equal(read_counts().events, 4, "reaches it");
}

/* The RECV of each of a server's buffers fails: it receives nothing then.  What made them fail
 * passes, and it receives again, with all of them. */
static void test_failed_receives(void)
{
	struct cap_op op = {0};

	for (unsigned i = 0; i < SERVER_RECEIVE_BUFFERS; i++)
		tap_equal(call(BREAK, 0, sizeof(buffer), NULL, NULL), CAP_OK,
		          "a receive buffer fails");
	submit_call(&op, ECHO, NULL, 0);
	tap_equal(cap_await(&op, 200 * MILLISECOND), CAP_ETIMEDOUT, "the server is deaf");
	for (unsigned i = 0; i < nbroken; i++)
		tap_equal(protect(broken[i], CAP_RIGHT_READ | CAP_RIGHT_WRITE), CAP_OK,
		          "a buffer is good again");
	tap_equal(cap_await(&op, CAPOS_FOREVER), CAP_OK, "a server receives after failed RECVs");
	nbroken = 0;
	for (unsigned i = 0; i < SERVER_RECEIVE_BUFFERS; i++)
		call(BREAK, 0, sizeof(buffer), NULL, NULL);
	tap_equal(nbroken, SERVER_RECEIVE_BUFFERS, "with each of its buffers");
	for (unsigned i = 0; i < nbroken; i++)
		protect(broken[i], CAP_RIGHT_READ | CAP_RIGHT_WRITE);
	tap_equal(call(ECHO, 0, sizeof(buffer), NULL, NULL), CAP_OK, "and goes on");
}

static unsigned completed;

static void count_completion(struct cap_op *op)
{
	completed++;
	if (op->context)
		*(unsigned *)op->context = completed;
}

static void test_many_in_flight(void)
{
	static struct cap_op ops[LONG_FLIGHT + 1];
	static unsigned order[LONG_FLIGHT];
	bool good = true;
	cap_t quiet;
	int taken = 0;

	for (int i = 0; i < 80; i++) {
		ops[i] = (struct cap_op){.complete = count_completion, .context = &order[i]};
		submit_call(&ops[i], ECHO, NULL, 0);
	}
	while (completed < 80 && cap_poll(true, CAPOS_FOREVER) == CAP_OK)
		;
	for (int i = 0; i < 80; i++)
		good &= ops[i].cqe.result == CAP_OK && order[i] == (unsigned)i + 1;
	tap_ok(good, "more calls than the queue has places, answered in order");

	cap_event_create(&quiet);
	for (;; taken++) {
		struct capos_sqe sqe = {.op = CAP_OP_WAIT, .cap = quiet, .arg = 1};

		ops[taken] = (struct cap_op){0};
		if (taken > LONG_FLIGHT || cap_submit(&sqe, &ops[taken]) != CAP_OK)
			break;
	}
	tap_equal(taken, LONG_FLIGHT, "too much in flight is refused");
	tap_equal(call(ECHO, 0, sizeof(buffer), NULL, NULL), CAP_OK, "but a call still goes");
	for (int i = 0; i < taken; i++) {
		cap_cancel(&ops[i]);
		good &= ops[i].done && ops[i].cqe.result == CAP_ECANCELED;
	}
	tap_ok(good, "and all can be cancelled");
	cap_release(quiet);
}

static void test_quiet_operations(void)
{
	struct capos_sqe bad = {.op = CAP_OP_RELEASE, .cap = CAP_ID(4000, 1)};
	struct capos_sqe good = {.op = CAP_OP_NOP, .flags = CAPOS_SQE_QUIET};
	struct cap_op op = {0};

	tap_equal(cap_submit(&good, &op), CAP_OK, "a quiet operation");
	cap_poll(false, 0);
	tap_ok(!op.done, "does not complete");
	bad.flags = CAPOS_SQE_QUIET;
	cap_submit(&bad, &op);
	cap_poll(false, 0);
	tap_ok(op.done && op.cqe.result == CAP_EBADCAP, "unless it fails");
}

static void test_time(void)
{
	uint64_t before = cap_now(), last = before, now, bits;
	bool forward = true;
	cap_t quiet;

	for (int i = 0; i < 10000; i++, last = now)
		forward &= (now = cap_now()) >= last;
	tap_ok(forward, "the clock never goes back");
	before = cap_now();
	tap_equal(cap_sleep(20 * MILLISECOND), CAP_OK, "a sleep");
	now = cap_now() - before;
	tap_ok(now >= 20 * MILLISECOND && now < 2000 * MILLISECOND, "of the length asked for");
	tap_ok(cap_realtime() / 1000000000 > 1700000000, "the wall clock is of this age");
	cap_event_create(&quiet);
	tap_equal(cap_wait(quiet, 1, 10 * MILLISECOND, &bits), CAP_ETIMEDOUT,
	          "a wait with a bound");
	cap_signal(quiet, 6);
	tap_equal(cap_wait(quiet, 2, CAPOS_FOREVER, &bits), CAP_OK, "bits that are there");
	tap_equal(bits, 2, "as far as they were asked for");
	cap_release(quiet);
}

static void test_pending_signals(void)
{
	struct event_bind_upcall_params params = {.entry = 0};
	struct capos_call c = {.timeout_ns = 30 * MILLISECOND};
	struct process_status_results usage;
	struct capos_call own = {.buffer = buffer, .size = sizeof(buffer)};
	uint64_t bits, before, used;
	cap_t signals, quiet;

	cap_event_create(&signals);
	cap_event_create(&quiet);
	tap_equal(event_bind_upcall(signals, &params, NULL), CAP_OK, "signals are bound");
	cap_signal(signals, 1ull << 13);
	tap_equal(cap_wait(quiet, 1, CAPOS_FOREVER, &bits), CAP_EINTR, "a wait is interrupted");
	tap_equal(cap_sleep(CAPOS_FOREVER), CAP_EINTR, "a sleep too");
	process_status(CAP_SELF, &usage, &own);
	used = usage.cpu_ns;
	before = cap_now();
	tap_equal(call(HOLD, 0, sizeof(buffer), &c, NULL), CAP_ETIMEDOUT, "a call is not");
	tap_ok(cap_now() - before >= 30 * MILLISECOND, "it waits its time");
	process_status(CAP_SELF, &usage, &own);
	tap_ok(usage.cpu_ns - used < 20 * MILLISECOND, "without using the processor");
	tap_equal(__atomic_exchange_n(&cap_ring()->upcall_bits, 0, __ATOMIC_ACQ_REL), 1ull << 13,
	          "and the signal is still pending");
	c.timeout_ns = 0;
	c.interruptible = true;
	cap_signal(signals, 2);
	tap_equal(call(HOLD, 0, sizeof(buffer), &c, NULL), CAP_EINTR, "unless it may be");
	__atomic_exchange_n(&cap_ring()->upcall_bits, 0, __ATOMIC_ACQ_REL);
	cap_release(quiet);
	cap_release(signals);
}

int main(void)
{
	tap_start(start_cap("log"));
	start_server();
	test_calls();
	test_late_answers();
	test_capabilities();
	test_failed_receives();
	test_many_in_flight();
	test_quiet_operations();
	test_time();
	test_pending_signals();
	tap_equal(cap_ring()->user_word[7], 0, "nothing is left in flight");
	return tap_finish() ? 1 : 0;
}
