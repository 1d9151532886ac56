/* SPDX-License-Identifier: MIT */
/*
 * The kernel core as its users see it: calls, answers, transfers, cancelling and death, in every
 * order that a random number generator finds; afterwards nothing may be left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/object/event.h"
#include "kernel/kernel.h"
#include "kernel/memory/slab.h"
#include "kernel/work.h"
#include "tests/unit/core_fake.h"
#include <capos/schema/kernel.h>

#define INTERFACE 0xabcull

/* A server with an endpoint and a client that was given an object. */
struct pair {
	struct process *server, *client;
	struct thread *s, *c;
	cap_t endpoint, object; /* object: the client's */
};

/* Moves a capability between tables as init would by spawning. */
static cap_t give(struct process *from, cap_t id, struct process *to)
{
	struct cap cap;
	cap_t given;
	the_cpu.locked = true;
	assert_int_equal(cap_remove(&from->caps, id, &cap), CAP_OK);
	assert_int_equal(cap_insert(&to->caps, cap, &given), CAP_OK);
	the_cpu.locked = false;
	return given;
}

static struct pair pair_with(struct process *server)
{
	struct pair p = {.server = server, .client = user_create("client")};
	p.s = thread_of(p.server);
	p.c = thread_of(p.client);
	p.endpoint = user_endpoint(p.s);
	struct capos_sqe mint = {
	        .op = CAP_OP_MINT, .cap = p.endpoint, .arg = 77, .interface = INTERFACE};
	struct capos_cqe cqe = user_run(p.s, &mint);
	assert_int_equal(cqe.result, CAP_OK);
	p.object = give(p.server, cqe.value, p.client);
	return p;
}

static struct pair pair_create(void)
{
	return pair_with(user_create("server"));
}

static void pair_end(struct pair *p)
{
	user_end(p->client);
	user_end(p->server);
}

static struct capos_sqe recv_of(cap_t endpoint)
{
	return (struct capos_sqe){.op = CAP_OP_RECV,
	                          .user_data = 1,
	                          .cap = endpoint,
	                          .recv_addr = USER_MEMORY,
	                          .recv_len = 4096,
	                          .recv_caps = USER_MEMORY + 8192,
	                          .recv_ncaps = CAPOS_MESSAGE_CAPS_MAX};
}

static struct capos_sqe call_of(cap_t object)
{
	return (struct capos_sqe){.op = CAP_OP_CALL,
	                          .user_data = 2,
	                          .cap = object,
	                          .interface = INTERFACE,
	                          .method = 3,
	                          .send_addr = USER_MEMORY,
	                          .send_len = 64,
	                          .recv_addr = USER_MEMORY + 4096,
	                          .recv_len = 128,
	                          .recv_caps = USER_MEMORY + 8192,
	                          .recv_ncaps = 2};
}

static struct capos_received received(const struct pair *p)
{
	struct capos_received r;
	user_read(p->server, USER_MEMORY, &r, sizeof(r));
	return r;
}

static void call_and_return(void **state)
{
	(void)state;
	struct pair p = pair_create();
	const char message[64] = "question", answer[16] = "answer";
	char back[16];
	struct capos_cqe cqe;
	user_write(p.client, USER_MEMORY, message, sizeof(message));
	struct capos_sqe sqe = recv_of(p.endpoint);
	user_submit(p.s, &sqe);
	assert_int_equal(user_enter(p.s, 1, CAPOS_FOREVER), USER_SLEEPS);
	sqe = call_of(p.object);
	user_submit(p.c, &sqe);
	assert_int_equal(user_enter(p.c, 1, CAPOS_FOREVER), USER_SLEEPS);
	assert_ptr_equal(the_cpu.current, p.s); /* the call was handed over */
	assert_true(user_take(p.s, &cqe));
	assert_int_equal(cqe.length, 64);
	struct capos_received r = received(&p);
	assert_int_equal(r.kind, CAPOS_RECEIVED_CALL);
	assert_int_equal(r.method, 3);
	assert_int_equal(r.object, 77);
	assert_int_equal(r.interface, INTERFACE);
	assert_int_equal(r.caller, p.client->id);
	assert_int_equal(r.recv_len, 128);
	user_write(p.server, USER_MEMORY + 4096, answer, sizeof(answer));
	sqe = (struct capos_sqe){.op = CAP_OP_RETURN,
	                         .arg = r.call_id,
	                         .send_addr = USER_MEMORY + 4096,
	                         .send_len = sizeof(answer)};
	assert_int_equal(user_run(p.s, &sqe).result, CAP_OK);
	assert_int_equal(user_run(p.s, &sqe).result, CAP_ENOENT); /* once only */
	assert_true(user_take(p.c, &cqe));
	assert_int_equal(cqe.user_data, 2);
	assert_int_equal(cqe.result, CAP_OK);
	assert_int_equal(cqe.length, sizeof(answer));
	user_read(p.client, USER_MEMORY + 4096, back, sizeof(back));
	assert_memory_equal(back, answer, sizeof(answer));
	pair_end(&p);
}

/* A service hears of it when the program stops, and at once when it is called meanwhile. */
static void a_release_interrupts_no_program(void **state)
{
	(void)state;
	struct pair p = pair_with(service_create("service"));
	struct capos_sqe recv = recv_of(p.endpoint), call = call_of(p.object);
	struct capos_sqe mint = {.op = CAP_OP_MINT, .cap = p.endpoint, .interface = INTERFACE};
	struct capos_cqe cqe;
	cap_t second = give(p.server, user_run(p.s, &mint).value, p.client);
	struct capos_sqe release = {.op = CAP_OP_RELEASE, .cap = second};
	user_submit(p.s, &recv);
	assert_int_equal(user_enter(p.s, 1, CAPOS_FOREVER), USER_SLEEPS);
	fake_now += 1000000; /* as one that is not busy */
	assert_int_equal(user_run(p.c, &release).result, CAP_OK);
	assert_int_equal(p.s->state, THREAD_RUNNABLE);
	core_timer();
	assert_ptr_equal(the_cpu.current, p.c);
	user_submit(p.c, &call);
	assert_int_equal(user_enter(p.c, 0, 0), 0);
	core_timer();
	assert_ptr_equal(the_cpu.current, p.s);
	assert_true(user_take(p.s, &cqe));
	assert_int_equal(received(&p).kind, CAPOS_RECEIVED_RELEASE);
	pair_end(&p);
}

/* It is called before what its end leaves to be done is done. */
static void a_service_ends_before_its_turn(void **state)
{
	(void)state;
	struct pair p = pair_with(service_create("service"));
	struct capos_sqe recv = recv_of(p.endpoint), call = call_of(p.object);
	struct capos_sqe mint = {.op = CAP_OP_MINT, .cap = p.endpoint, .interface = INTERFACE};
	cap_t second = give(p.server, user_run(p.s, &mint).value, p.client);
	struct capos_sqe release = {.op = CAP_OP_RELEASE, .cap = second};
	user_submit(p.s, &recv);
	assert_int_equal(user_enter(p.s, 1, CAPOS_FOREVER), USER_SLEEPS);
	assert_int_equal(user_run(p.c, &release).result, CAP_OK);
	assert_int_equal(p.s->state, THREAD_RUNNABLE);
	the_cpu.locked = true;
	process_end(p.server, 0, NULL);
	the_cpu.locked = false;
	/* What it served is given up later. */
	assert_int_equal(user_run(p.c, &call).result, CAP_EGONE);
	user_end(p.client);
}

/* Nobody waits for the answer: the service gets to it when the program stops. */
static void an_unhurried_call_interrupts_no_program(void **state)
{
	(void)state;
	struct pair p = pair_with(service_create("service"));
	struct capos_sqe recv = recv_of(p.endpoint), call = call_of(p.object);
	struct capos_cqe cqe;
	user_submit(p.s, &recv);
	assert_int_equal(user_enter(p.s, 1, CAPOS_FOREVER), USER_SLEEPS);
	fake_now += 1000000;
	call.flags = CAPOS_SQE_UNHURRIED;
	user_submit(p.c, &call);
	assert_int_equal(user_enter(p.c, 0, 0), 0);
	core_timer();
	assert_ptr_equal(the_cpu.current, p.c);
	assert_int_equal(user_enter(p.c, 1, CAPOS_FOREVER), USER_SLEEPS);
	assert_ptr_equal(the_cpu.current, p.s);
	assert_true(user_take(p.s, &cqe));
	assert_int_equal(received(&p).kind, CAPOS_RECEIVED_CALL);
	struct capos_sqe other = {.op = CAP_OP_NOP, .flags = CAPOS_SQE_UNHURRIED, .user_data = 3};
	assert_int_equal(user_run(p.s, &other).result, CAP_EINVAL);
	pair_end(&p);
}

static void faults_of_either_side(void **state)
{
	(void)state;
	struct pair p = pair_create();
	struct capos_cqe cqe;
	struct capos_sqe recv = recv_of(p.endpoint), call = call_of(p.object);
	recv.recv_addr = 0x20000; /* the server's fault: its RECV fails at once */
	assert_int_equal(user_run(p.s, &recv).result, CAP_EFAULT);
	/* Only the header is there: the RECV fails when a message comes, and the call waits. */
	recv.recv_addr = USER_MEMORY + USER_SIZE - sizeof(struct capos_received);
	recv.recv_len = sizeof(struct capos_received) + 64;
	user_submit(p.s, &recv);
	user_enter(p.s, 0, 0);
	user_submit(p.c, &call);
	assert_int_equal(user_enter(p.c, 0, 0), 0);
	assert_true(user_take(p.s, &cqe));
	assert_int_equal(cqe.result, CAP_EFAULT);
	recv = recv_of(p.endpoint);
	assert_int_equal(user_run(p.s, &recv).result, CAP_OK);
	assert_int_equal(received(&p).kind, CAPOS_RECEIVED_CALL);
	struct capos_sqe answer = {.op = CAP_OP_RETURN,
	                           .arg = received(&p).call_id,
	                           .send_addr = 0x30000,
	                           .send_len = 8};
	assert_int_equal(user_run(p.s, &answer).result, CAP_EFAULT); /* the server may try again */
	answer.send_addr = USER_MEMORY;
	assert_int_equal(user_run(p.s, &answer).result, CAP_OK);
	assert_true(user_take(p.c, &cqe));
	assert_int_equal(cqe.result, CAP_OK);
	recv = recv_of(p.endpoint);
	user_submit(p.s, &recv);
	user_enter(p.s, 0, 0);
	call = call_of(p.object);
	call.send_addr = UINT64_MAX - 16; /* the client's fault: the RECV stays */
	assert_int_equal(user_run(p.c, &call).result, CAP_EFAULT);
	assert_false(user_take(p.s, &cqe));
	pair_end(&p);
}

/* Without memory for page tables, a message that is not mapped looked as if the server's buffer had
 * failed; the server's RECV ended with an error that a client had made. */
static void client_without_memory_fails_no_receive(void **state)
{
	(void)state;
	struct pair p = pair_create();
	struct account *account = p.client->account;
	struct capos_cqe cqe;
	struct capos_sqe recv = recv_of(p.endpoint), call = call_of(p.object);
	user_submit(p.s, &recv);
	user_enter(p.s, 0, 0);
	call.send_addr = USER_MEMORY + USER_SIZE - 64;
	call.send_len = 128;
	user_write(p.client, call.send_addr, &call, 64);
	user_run(p.c, &call); /* so that the account has the kernel objects of a call */
	account->limits.pages = account_used(account);
	assert_int_equal(user_run(p.c, &call).result, CAP_EFAULT);
	assert_false(user_take(p.s, &cqe));
	call.send_len = 64;
	user_submit(p.c, &call);
	user_enter(p.c, 0, 0);
	assert_true(user_take(p.s, &cqe));
	assert_int_equal(cqe.result, CAP_OK);
	/* What the server cannot read keeps the call, though the server has no memory. */
	account->limits.pages = 0;
	account = p.server->account;
	account->limits.pages = account_used(account);
	struct capos_sqe answer = {.op = CAP_OP_RETURN,
	                           .arg = received(&p).call_id,
	                           .send_addr = USER_MEMORY + USER_SIZE - 8,
	                           .send_len = 16};
	assert_int_equal(user_run(p.s, &answer).result, CAP_EFAULT);
	assert_false(user_take(p.c, &cqe));
	answer.send_len = 0;
	assert_int_equal(user_run(p.s, &answer).result, CAP_OK);
	pair_end(&p);
}

/* Calls of an endpoint that each carry the last reference to another object of the same endpoint,
 * and a RECV that is too small for any of them: freeing one call freed the next inside it. */
static void objects_in_calls_of_their_endpoint(void **state)
{
	(void)state;
	struct process *p = user_create("chain");
	struct thread *t = thread_of(p);
	cap_t endpoint = user_endpoint(t);
	struct capos_sqe mint = {.op = CAP_OP_MINT, .cap = endpoint, .interface = INTERFACE};
	cap_t object = user_run(t, &mint).value;
	const unsigned count = 120;
	struct capos_sqe call = call_of(object);
	call.send_len = 64;
	call.send_caps = USER_MEMORY + 9000;
	call.send_ncaps = 1;
	for (unsigned i = 0; i < count; i++) {
		const struct capos_send_cap send = {user_run(t, &mint).value, CAP_RIGHTS_ALL, 0};
		user_write(p, USER_MEMORY + 9000, &send, sizeof(send));
		user_submit(t, &call);
		user_enter(t, 0, 0);
		struct capos_sqe release = {.op = CAP_OP_RELEASE, .cap = send.cap};
		assert_int_equal(user_run(t, &release).result, CAP_OK);
	}
	struct capos_sqe recv = recv_of(endpoint);
	recv.recv_len = sizeof(struct capos_received);
	user_submit(t, &recv);
	user_enter(t, 0, 0);
	fake_drain();
	struct capos_cqe cqe;
	for (unsigned i = 0; i < count; i++) {
		assert_true(user_take(t, &cqe));
		if (cqe.result == CAP_OK) /* the RECV has received a release */
			i--;
		else
			assert_int_equal(cqe.result, CAP_ETOOBIG);
	}
	user_end(p);
}

static void moved_while_queued(void **state)
{
	(void)state;
	struct pair p = pair_create();
	struct capos_cqe cqe;
	cap_t event = user_event(p.c);
	const struct capos_send_cap send = {event, CAP_RIGHTS_ALL, CAPOS_SEND_MOVE};
	user_write(p.client, USER_MEMORY + 9000, &send, sizeof(send));
	struct capos_sqe call = call_of(p.object);
	call.send_caps = USER_MEMORY + 9000;
	call.send_ncaps = 1;
	user_submit(p.c, &call);
	call.user_data = 3; /* moves the same one: only one of the two can have it */
	user_submit(p.c, &call);
	user_enter(p.c, 0, 0);
	struct capos_sqe recv = recv_of(p.endpoint);
	assert_int_equal(user_run(p.s, &recv).result, CAP_OK);
	user_submit(p.s, &recv);
	user_enter(p.s, 0, 0);
	assert_true(user_take(p.c, &cqe));
	assert_int_equal(cqe.user_data, 3);
	assert_int_equal(cqe.result, CAP_EBADCAP);
	struct capos_sqe signal = {.op = CAP_OP_SIGNAL, .cap = event, .arg = 1};
	assert_int_equal(user_run(p.c, &signal).result, CAP_EBADCAP);
	pair_end(&p);
}

static void death_of_either_side(void **state)
{
	(void)state;
	struct pair p = pair_create();
	struct capos_cqe cqe;
	struct capos_sqe recv = recv_of(p.endpoint), call = call_of(p.object);
	user_submit(p.c, &call);
	user_submit(p.c, &call);
	assert_int_equal(user_enter(p.c, 1, CAPOS_FOREVER), USER_SLEEPS);
	assert_int_equal(user_run(p.s, &recv).result, CAP_OK);
	user_end(p.server); /* one call delivered, one queued */
	assert_true(user_take(p.c, &cqe));
	assert_int_equal(cqe.result, CAP_EGONE);
	assert_true(user_take(p.c, &cqe));
	assert_int_equal(cqe.result, CAP_EGONE);
	assert_int_equal(user_run(p.c, &call).result, CAP_EGONE);
	user_end(p.client);

	p = pair_create();
	call = call_of(p.object);
	recv = recv_of(p.endpoint);
	user_submit(p.c, &call);
	user_submit(p.c, &call);
	user_enter(p.c, 1, CAPOS_FOREVER);
	assert_int_equal(user_run(p.s, &recv).result, CAP_OK);
	uint64_t id = received(&p).call_id;
	user_end(p.client);
	assert_int_equal(user_run(p.s, &recv).result, CAP_OK);
	assert_int_equal(received(&p).kind, CAPOS_RECEIVED_CANCEL);
	assert_int_equal(received(&p).call_id, id);
	assert_int_equal(user_run(p.s, &recv).result, CAP_OK);
	assert_int_equal(received(&p).kind,
	                 CAPOS_RECEIVED_RELEASE); /* the call that was queued is never heard of */
	assert_int_equal(received(&p).object, 77);
	struct capos_sqe answer = {.op = CAP_OP_RETURN, .arg = id};
	assert_int_equal(user_run(p.s, &answer).result, CAP_ECANCELED);
	assert_int_equal(user_run(p.s, &answer).result, CAP_ENOENT);
	user_end(p.server);
}

/* The owner of an endpoint (init) holds it too: its objects go on with the next server, those of
 * the server that died do not, even if the next one mints the same word. */
static void endpoint_outlives_its_server(void **state)
{
	(void)state;
	struct process *owner = user_create("owner"), *client = user_create("client");
	struct thread *o = thread_of(owner), *c = thread_of(client);
	cap_t endpoint = user_endpoint(o);
	struct capos_sqe mint = {
	        .op = CAP_OP_MINT, .cap = endpoint, .arg = 1, .interface = INTERFACE};
	cap_t durable = give(owner, user_run(o, &mint).value, client), of_server[2];
	struct capos_sqe test = {.op = CAP_OP_NOP, .cap = durable};
	struct capos_sqe call = call_of(durable),
	                 copy = {.op = CAP_OP_COPY, .cap = endpoint, .arg = CAP_RIGHTS_ALL};
	for (unsigned i = 0; i < 2; i++) {
		struct process *server = user_create("server");
		struct thread *s = thread_of(server);
		cap_t served = give(owner, user_run(o, &copy).value, server);
		struct capos_sqe recv = recv_of(served);
		struct capos_cqe cqe;
		user_submit(c, &call); /* waits for the server to come */
		user_submit(c, &call);
		user_enter(c, 0, 0);
		assert_false(user_take(c, &cqe));
		assert_int_equal(user_run(s, &recv).result, CAP_OK);
		mint.cap = served;
		mint.arg = 2;
		of_server[i] = give(server, user_run(s, &mint).value, client);
		if (i == 1) {
			struct capos_sqe stale = call_of(of_server[0]);
			assert_int_equal(user_run(c, &stale).result, CAP_EGONE);
			stale.op = CAP_OP_RELEASE; /* of which the new server hears nothing */
			assert_int_equal(user_run(c, &stale).result, CAP_OK);
			assert_int_equal(user_run(s, &recv).result, CAP_OK); /* the second call */
			user_submit(s, &recv);
			user_enter(s, 0, 0);
			assert_false(user_take(s, &cqe));
		}
		test.arg = 0;
		test.arg = user_run(c, &test).value;
		assert_int_not_equal(test.arg, 0);
		assert_int_equal(user_run(c, &test).result, CAP_OK);
		user_end(server);
		for (unsigned j = 0; j < 2; j++) {
			assert_true(user_take(c, &cqe));
			assert_int_equal(cqe.result, CAP_EGONE);
		}
		assert_int_equal(user_run(c, &test).result, CAP_EGONE); /* another serves it */
		call.cap = of_server[i];
		assert_int_equal(user_run(c, &call).result, CAP_EGONE);
		call.cap = durable;
	}
	struct capos_cqe cqe;
	user_submit(c, &call);
	user_enter(c, 0, 0);
	user_end(owner);
	assert_true(user_take(c, &cqe));
	assert_int_equal(cqe.result, CAP_EGONE);
	user_end(client);
}

/* A client gives its server an event with the flag HANGUP: the server's end signals all of its
 * bits, giving the event back or a copy's end signals none. */
static void hangup_is_signalled(void **state)
{
	(void)state;
	struct pair p = pair_create();
	cap_t event = user_event(p.c);
	struct capos_send_cap send[] = {
	        {event, CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY, CAPOS_SEND_HANGUP},
	        {event, CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY, CAPOS_SEND_HANGUP}};
	struct capos_sqe call = call_of(p.object), recv = recv_of(p.endpoint);
	struct capos_sqe wait = {.op = CAP_OP_WAIT, .cap = event, .arg = UINT64_MAX};
	struct capos_sqe test = {.op = CAP_OP_NOP, .cap = p.object};
	struct capos_cqe cqe;
	cap_t received_caps[2];
	user_write(p.client, USER_MEMORY + 9000, send, sizeof(send));
	call.send_caps = USER_MEMORY + 9000;
	call.send_ncaps = 2;
	user_submit(p.c, &call);
	user_enter(p.c, 0, 0);
	recv.recv_caps = USER_MEMORY + 9000;
	recv.recv_ncaps = 2;
	assert_int_equal(user_run(p.s, &recv).result, CAP_OK);
	user_read(p.server, USER_MEMORY + 9000, received_caps, sizeof(received_caps));
	user_submit(p.c, &wait);
	user_enter(p.c, 0, 0);
	struct capos_sqe copy = {.op = CAP_OP_COPY, .cap = received_caps[0], .arg = UINT64_MAX};
	struct process *other = user_create("other");
	give(p.server, user_run(p.s, &copy).value, other);
	user_end(other);
	struct capos_sqe release = {.op = CAP_OP_RELEASE, .cap = received_caps[0]};
	assert_int_equal(user_run(p.s, &release).result, CAP_OK);
	assert_false(user_take(p.c, &cqe));
	user_end(p.server);
	assert_true(user_take(p.c, &cqe)); /* the call that was not answered */
	assert_int_equal(cqe.result, CAP_EGONE);
	assert_true(user_take(p.c, &cqe));
	assert_int_equal(cqe.result, CAP_OK);
	assert_true(cqe.value == UINT64_MAX);
	assert_int_equal(user_run(p.c, &test).result, CAP_EGONE);
	test.cap = p.object;
	test.arg = 1;
	assert_int_equal(user_run(p.c, &test).result, CAP_EGONE);
	test.cap = CAP_SELF;
	assert_int_equal(user_run(p.c, &test).result, CAP_OK);
	test.cap = event + 1;
	assert_int_equal(user_run(p.c, &test).result, CAP_EBADCAP);
	user_end(p.client);
}

/* Endpoints whose last capability waits in another's queue, a thousand deep: all end, and the stack
 * does not. */
static void chain_of_endpoints(void **state)
{
	(void)state;
	struct process *p = user_create("chain");
	struct thread *t = thread_of(p);
	cap_t endpoint = user_endpoint(t);
	unsigned depth = 0;
	for (; depth < 100; depth++) {
		struct capos_sqe mint = {
		        .op = CAP_OP_MINT, .cap = endpoint, .interface = INTERFACE};
		cap_t object = user_run(t, &mint).value, next = user_endpoint(t);
		/* The older endpoint goes into the queue of the newer. */
		mint.cap = next;
		cap_t carrier = user_run(t, &mint).value;
		const struct capos_send_cap send = {endpoint, CAP_RIGHTS_ALL, 0};
		user_write(p, USER_MEMORY + 9000, &send, sizeof(send));
		struct capos_sqe call = call_of(carrier);
		call.send_caps = USER_MEMORY + 9000;
		call.send_ncaps = 1;
		user_submit(t, &call);
		assert_int_equal(user_enter(t, 0, 0), 0);
		const cap_t given_up[] = {object, carrier, endpoint};
		for (unsigned i = 0; i < 3; i++) {
			struct capos_sqe release = {.op = CAP_OP_RELEASE, .cap = given_up[i]};
			assert_int_equal(user_run(t, &release).result, CAP_OK);
		}
		endpoint = next;
	}
	struct capos_sqe release = {
	        .op = CAP_OP_RELEASE, .flags = CAPOS_SQE_QUIET, .cap = endpoint};
	user_submit(t, &release);
	/* One ends the next, in pieces: as far as the budget goes, the rest as work. */
	assert_in_range(user_enter(t, 0, 0), 1, depth - 1);
	assert_true(work_pending());
	fake_drain();
	struct capos_cqe cqe;
	unsigned failed = 0;
	for (; user_take(t, &cqe); failed++)
		assert_int_equal(cqe.result, CAP_EGONE);
	assert_int_equal(failed, depth);
	user_end(p);
}

static void timeouts(void **state)
{
	(void)state;
	struct process *p = user_create("sleeper");
	struct thread *t[8] = {thread_of(p)};
	for (unsigned i = 1; i < 8; i++)
		t[i] = user_thread(p);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(user_enter(t[i], 1, 1000 * ((i * 5) % 8 + 1)), USER_SLEEPS);
	for (unsigned step = 1; step <= 8; step++) {
		fake_now += 1000;
		core_timer();
		unsigned awake = 0;
		for (unsigned i = 0; i < 8; i++)
			awake += t[i]->state != THREAD_WAITING;
		assert_int_equal(awake, step);
	}
	user_end(p);
}

/* ---- Random use ---- */

#define USERS 4

static uint64_t any_address(void)
{
	switch (rand() % 8) {
	case 0:
		return (uint64_t)rand() << 20;
	case 1:
		return UINT64_MAX - (uint64_t)(rand() % 4096);
	default:
		return USER_MEMORY + (uint64_t)(rand() % 60000);
	}
}

static cap_t any_cap(void)
{
	return CAP_ID(1 + rand() % 24, 1 + (rand() % 8 == 0 ? rand() % 30 : rand() % 3));
}

static void fill(struct capos_sqe *s, const struct process *p)
{
	static const uint64_t interfaces[] = {INTERFACE,
	                                      INTERFACE,
	                                      INTERFACE,
	                                      PROCESS_INTERFACE,
	                                      EVENT_INTERFACE,
	                                      TIMER_INTERFACE,
	                                      MEMORY_OBJECT_INTERFACE};
	*s = (struct capos_sqe){.op = (uint8_t)(rand() % (CAP_OP_COUNT + 1)),
	                        .flags = rand() % 8 == 0,
	                        .method = (uint16_t)(rand() % 14),
	                        .status = rand() % 3 - 1,
	                        .user_data = (uint64_t)(rand() % 32),
	                        .cap = any_cap(),
	                        .arg = (uint64_t)(rand() % 64),
	                        .interface = interfaces[rand() % 7],
	                        .send_addr = any_address(),
	                        .send_caps = USER_MEMORY + 61440 + (uint64_t)(rand() % 8) * 16,
	                        .send_len = (uint32_t)(rand() % 200),
	                        .send_ncaps = (uint32_t)(rand() % 4),
	                        .recv_addr = USER_MEMORY + (uint64_t)(rand() % 50000),
	                        .recv_caps = any_address(),
	                        .recv_len = (uint32_t)(rand() % 600),
	                        .recv_ncaps = (uint32_t)(rand() % 5)};
	if (s->op == CAP_OP_RETURN) { /* mostly one of the calls that it has */
		for (unsigned i = 0; i < PROCESS_CALL_BUCKETS; i++) {
			const uint64_t base = s->arg;
			if (!list_empty(&p->calls[(base + i) % PROCESS_CALL_BUCKETS])) {
				s->arg = base + i + (uint64_t)(rand() % 4) * PROCESS_CALL_BUCKETS;
				break;
			}
		}
	}
	if (s->op == CAP_OP_CALL && rand() % 4 == 0)
		s->flags |= CAPOS_SQE_UNHURRIED;
	if (s->op == CAP_OP_COPY)
		s->arg = CAP_RIGHTS_ALL;
	if (s->op == CAP_OP_RELEASE && rand() % 2)
		s->op = CAP_OP_RECV;
}

static struct process *user_random(struct process *parent)
{
	struct process *p = rand() % 2 ? user_create("random") : service_create("random");
	struct thread *t = thread_of(p);
	cap_t endpoint = user_endpoint(t);
	user_event(t);
	for (unsigned i = 0; i < 3; i++) {
		struct capos_sqe mint = {
		        .op = CAP_OP_MINT, .cap = endpoint, .arg = i, .interface = INTERFACE};
		cap_t made = user_run(t, &mint).value;
		if (parent && i > 0)
			give(p, made, parent);
	}
	return p;
}

static void step(struct process *p)
{
	struct thread *t = thread_of(p);
	uint64_t words[16];
	for (unsigned i = 0; i < 8; i++) {
		words[2 * i] = any_cap();
		words[2 * i + 1] = CAP_RIGHTS_ALL | (uint64_t)(rand() % 3 == 0) << 32;
	}
	user_write(p, USER_MEMORY + 61440, words, sizeof(words));
	for (unsigned i = 0; i < 8; i++)
		if (t->ring.header->sq_tail - t->ring.header->sq_head < CAPOS_SQ_ENTRIES)
			fill(&t->ring.sq[t->ring.header->sq_tail++ % CAPOS_SQ_ENTRIES], p);
	uint64_t id = p->id;
	user_enter(t, (uint64_t)(rand() % 2), rand() % 2 ? 0 : 5000);
	struct capos_cqe cqe;
	for (struct list *node = all_processes.next; node != &all_processes; node = node->next) {
		struct process *left = list_entry(node, struct process, of_all);
		if (left->id == id && left->nthreads > 0)
			while (user_take(thread_of(left), &cqe))
				;
	}
}

static struct process *find(uint64_t id)
{
	for (struct list *node = all_processes.next; node != &all_processes; node = node->next) {
		struct process *p = list_entry(node, struct process, of_all);
		if (p->id == id)
			return p;
	}
	return NULL;
}

static void random_use(void **state)
{
	(void)state;
	uint64_t ids[USERS] = {0};
	srand(3);
	for (unsigned round = 0; round < 40000; round++) {
		unsigned i = (unsigned)rand() % USERS;
		struct process *p = find(ids[i]);
		if (!p) {
			ids[i] = user_random(find(ids[(i + 1) % USERS]))->id;
			continue;
		}
		if (rand() % 400 == 0) {
			user_end(p);
			continue;
		}
		if (thread_of(p)->state == THREAD_WAITING) {
			fake_now += 1000;
			core_timer();
			continue;
		}
		step(p);
	}
	for (unsigned i = 0; i < USERS; i++) {
		struct process *p = find(ids[i]);
		if (p)
			user_end(p);
	}
}

int main(void)
{
	fake_start(FAKE_ARENA_PAGES);
	core_start();
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(call_and_return, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(a_release_interrupts_no_program, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(a_service_ends_before_its_turn, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(an_unhurried_call_interrupts_no_program, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(faults_of_either_side, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(client_without_memory_fails_no_receive, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(objects_in_calls_of_their_endpoint, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(moved_while_queued, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(endpoint_outlives_its_server, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(hangup_is_signalled, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(death_of_either_side, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(chain_of_endpoints, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(timeouts, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(random_use, core_setup, core_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
