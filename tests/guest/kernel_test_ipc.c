/* SPDX-License-Identifier: MIT */
/*
 * Endpoints, objects and calls: a second thread serves, the first calls.
 */
#include <string.h>

#include "kernel_test.h"

enum {
	ECHO,   /* answers with the message */
	REFUSE, /* answers with a Status */
	HOLD,   /* does not answer */
	RESUME, /* answers the call held, then this one */
	MIRROR, /* sends the capabilities back, moved */
	WEAK,   /* answers with the rights of the capability received seen by trying SIGNAL */
	STOP,
};

static cap_t endpoint, learnt;
static volatile uint64_t released, cancelled, held, last_object, released_count;
static volatile int resume_result;

static int answer(uint64_t call, int status, const void *message, uint32_t length,
                  const struct capos_send_cap *caps, uint32_t ncaps)
{
	struct capos_sqe sqe = {.op = CAP_OP_RETURN,
	                        .arg = call,
	                        .status = status,
	                        .send_addr = (uint64_t)message,
	                        .send_len = length,
	                        .send_caps = (uint64_t)caps,
	                        .send_ncaps = ncaps};
	return run(&sqe, NULL);
}

static void serve_call(const struct capos_received *r, const cap_t *caps)
{
	struct capos_send_cap send[CAPOS_MESSAGE_CAPS_MAX];
	last_object = r->object;
	for (unsigned i = 0; i < r->ncaps; i++)
		send[i] = (struct capos_send_cap){caps[i], CAP_RIGHTS_ALL, CAPOS_SEND_MOVE};
	switch (r->method) {
	case ECHO:
		answer(r->call_id, 0, r + 1, r->length, NULL, 0);
		break;
	case REFUSE:
		answer(r->call_id, 7, NULL, 0, NULL, 0);
		break;
	case HOLD:
		held = r->call_id;
		cap_signal(learnt, 1);
		break;
	case RESUME:
		resume_result = answer(held, 0, NULL, 0, NULL, 0);
		answer(r->call_id, 0, NULL, 0, NULL, 0);
		break;
	case MIRROR:
		if (answer(r->call_id, 0, NULL, 0, send, r->ncaps) != CAP_OK) {
			for (unsigned i = 0; i < r->ncaps; i++)
				cap_release(caps[i]); /* they stayed here */
		}
		break;
	case WEAK:
		answer(r->call_id, cap_signal(caps[0], 1) == CAP_ERIGHTS ? 1 : 2, NULL, 0, NULL, 0);
		cap_release(caps[0]);
		break;
	case STOP:
		answer(r->call_id, 0, NULL, 0, NULL, 0);
		end_thread();
	}
}

static void server(uint64_t argument)
{
	static _Alignas(8) uint8_t buffer[4096 + sizeof(struct capos_received)];
	struct capos_received *r = (struct capos_received *)buffer;
	cap_t caps[4];
	(void)argument;
	for (;;) {
		struct capos_sqe sqe = {.op = CAP_OP_RECV,
		                        .cap = endpoint,
		                        .recv_addr = (uint64_t)buffer,
		                        .recv_len = sizeof(buffer),
		                        .recv_caps = (uint64_t)caps,
		                        .recv_ncaps = 4};
		if (run(&sqe, NULL) != CAP_OK)
			end_thread();
		if (r->kind == CAPOS_RECEIVED_RELEASE) {
			released = r->object;
			released_count++;
			cap_signal(learnt, 2);
		} else if (r->kind == CAPOS_RECEIVED_CANCEL) {
			cancelled = r->call_id;
			answer(r->call_id, 0, NULL, 0, NULL, 0);
			cap_signal(learnt, 4);
		} else {
			serve_call(r, caps);
		}
	}
}

/* A call of object; message in and out in buffer. */
static struct capos_sqe call_of(cap_t object, uint16_t method, void *buffer, uint32_t length)
{
	return (struct capos_sqe){.op = CAP_OP_CALL,
	                          .cap = object,
	                          .interface = TEST_INTERFACE,
	                          .method = method,
	                          .send_addr = (uint64_t)buffer,
	                          .send_len = length,
	                          .recv_addr = (uint64_t)buffer,
	                          .recv_len = length};
}

static int simple(cap_t object, uint16_t method)
{
	struct capos_sqe sqe = call_of(object, method, NULL, 0);
	return run(&sqe, NULL);
}

static void test_calls(cap_t object)
{
	static uint8_t message[8192];
	struct capos_cqe cqe;
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 7);
	struct capos_sqe sqe = call_of(object, ECHO, message, 1000);
	static uint8_t reply[2048];
	sqe.recv_addr = (uint64_t)reply;
	sqe.recv_len = sizeof(reply);
	tap_equal(run(&sqe, &cqe), CAP_OK, "a call is answered");
	tap_ok(cqe.length == 1000 && memcmp(reply, message, 1000) == 0,
	       "with the message that was sent");
	tap_equal((int64_t)last_object, 0x1111, "the server sees the word it chose");
	tap_equal(simple(object, REFUSE), 7, "a Status reaches the caller");
	sqe = call_of(object, ECHO, message, 1000);
	sqe.interface++;
	tap_equal(run(&sqe, NULL), CAP_ETYPE, "another interface is refused");
	sqe = call_of(object, ECHO, message, sizeof(message));
	tap_equal(run(&sqe, NULL), CAP_ETOOBIG, "a message too long for the server fails the call");
	sqe = call_of(object, ECHO, message, 1000);
	sqe.recv_len = 999;
	tap_equal(run(&sqe, NULL), CAP_ETOOBIG, "a reply too long for the caller too");
	sqe = call_of(object, ECHO, (void *)0x20000, 100);
	tap_equal(run(&sqe, NULL), CAP_EFAULT, "a message that is not there fails the call");
	sqe = call_of(object, ECHO, message, 100);
	sqe.recv_addr = 0x20000;
	tap_equal(run(&sqe, NULL), CAP_EFAULT, "a reply buffer that is not there too");
	sqe = call_of(object, ECHO, message, CAPOS_MESSAGE_MAX + 1);
	tap_equal(run(&sqe, NULL), CAP_ETOOBIG, "a message above the limit is refused");
	tap_equal(simple(object, REFUSE), 7, "and the server still serves");
}

static void test_transfer(cap_t object)
{
	cap_t event, back[4] = {0};
	struct capos_cqe cqe;
	cap_event_create(&event);
	struct capos_send_cap send[2] = {{event, CAP_RIGHTS_ALL, 0},
	                                 {event, CAP_RIGHTS_ALL, CAPOS_SEND_MOVE}};
	struct capos_sqe sqe = call_of(object, MIRROR, NULL, 0);
	sqe.send_caps = (uint64_t)send;
	sqe.send_ncaps = 2;
	sqe.recv_caps = (uint64_t)back;
	sqe.recv_ncaps = 1;
	tap_equal(run(&sqe, &cqe), CAP_ETOOBIG, "capabilities that do not fit do not travel");
	tap_equal(cap_signal(event, 1), CAP_EBADCAP,
	          "what was moved and delivered is the receiver's");
	cap_event_create(&event);
	send[0].cap = send[1].cap = event;
	sqe.recv_ncaps = 4;
	tap_equal(run(&sqe, &cqe), CAP_OK, "capabilities travel with call and answer");
	tap_equal(cqe.ncaps, 2, "as many as were sent");
	tap_equal(cap_signal(event, 1), CAP_EBADCAP, "the moved one is gone here");
	tap_ok(cap_signal(back[0], 1) == CAP_OK && cap_signal(back[1], 1) == CAP_OK,
	       "and what came back works");
	send[0] = (struct capos_send_cap){back[0], CAP_RIGHTS_ALL & ~CAP_RIGHT_SIGNAL, 0};
	sqe = call_of(object, WEAK, NULL, 0);
	sqe.send_caps = (uint64_t)send;
	sqe.send_ncaps = 1;
	tap_equal(run(&sqe, NULL), 1, "a copy has the rights that were sent with it");
	send[1] = send[0];
	send[0].flags = send[1].flags = CAPOS_SEND_MOVE;
	sqe.send_ncaps = 2;
	tap_equal(run(&sqe, NULL), CAP_EINVAL, "one capability is not moved twice");
	sqe.send_ncaps = CAPOS_MESSAGE_CAPS_MAX + 1;
	tap_equal(run(&sqe, NULL), CAP_ETOOBIG, "more than the most are refused");
	cap_release(back[0]);
	cap_release(back[1]);
}

static void test_cancel(cap_t object)
{
	uint64_t bits;
	struct cap_op op = {0};
	struct capos_sqe sqe = call_of(object, HOLD, NULL, 0);
	cap_submit(&sqe, &op);
	cap_wait(learnt, 1, CAPOS_FOREVER, &bits);
	tap_equal(simple(object, RESUME), CAP_OK, "a server answers in any order");
	tap_equal(cap_await(&op, CAPOS_FOREVER), CAP_OK, "the call that was held is answered");
	tap_equal(resume_result, CAP_OK, "and its answer succeeds");
	sqe = call_of(object, HOLD, NULL, 0);
	cap_submit(&sqe, &op);
	cap_wait(learnt, 1, CAPOS_FOREVER, &bits);
	uint64_t call = held;
	cap_cancel(&op);
	tap_equal(op.cqe.result, CAP_ECANCELED, "a call that was delivered is cancelled");
	tap_equal(cap_wait(learnt, 4, 1000000000, &bits), CAP_OK, "the server learns of it");
	tap_equal((int64_t)cancelled, (int64_t)call, "which call it was");
}

static void test_release(void)
{
	cap_t object, copy;
	uint64_t bits, before = released_count;
	tap_equal(cap_mint(endpoint, TEST_INTERFACE, 0x2222, &object), CAP_OK,
	          "an object is minted");
	cap_copy(object, CAP_RIGHTS_ALL, &copy);
	cap_release(object);
	tap_equal(cap_wait(learnt, 2, 1000000, &bits), CAP_ETIMEDOUT,
	          "while a capability is left nothing is reported");
	cap_release(copy);
	tap_equal(cap_wait(learnt, 2, 1000000000, &bits), CAP_OK,
	          "the server learns of the last release");
	tap_ok(released == 0x2222 && released_count == before + 1, "of that object, once");
}

static void test_gone(cap_t object)
{
	struct cap_op op = {0};
	cap_t lonely, orphan;
	simple(object, STOP);
	struct capos_sqe sqe = call_of(object, ECHO, NULL, 0);
	cap_submit(&sqe, &op);
	tap_equal(cap_await(&op, 1000000), CAP_ETIMEDOUT, "a call waits for a server");
	cap_release(endpoint);
	tap_equal(cap_await(&op, CAPOS_FOREVER), CAP_EGONE,
	          "when no process can receive any more it fails");
	tap_equal(simple(object, ECHO), CAP_EGONE, "as do later calls");
	cap_endpoint_create(&lonely);
	cap_mint(lonely, TEST_INTERFACE, 1, &orphan);
	struct capos_send_cap send = {lonely, CAP_RIGHTS_ALL, CAPOS_SEND_MOVE};
	sqe = call_of(orphan, ECHO, NULL, 0);
	sqe.send_caps = (uint64_t)&send;
	sqe.send_ncaps = 1;
	cap_submit(&sqe, &op);
	cap_poll(false, 0);
	tap_ok(!op.done, "an endpoint may wait in its own queue");
	cap_release(lonely);
	cap_cancel(&op);
	tap_equal(op.cqe.result, CAP_ECANCELED, "and be got out of it");
	cap_release(orphan);
}

void test_ipc(void)
{
	cap_t object;
	cap_endpoint_create(&endpoint);
	cap_event_create(&learnt);
	start_thread(server, 0);
	tap_equal(cap_mint(endpoint, TEST_INTERFACE, 0x1111, &object), CAP_OK,
	          "an object is minted");
	test_calls(object);
	test_transfer(object);
	test_cancel(object);
	test_release();
	test_gone(object);
	cap_release(object);
	cap_release(learnt);
}
