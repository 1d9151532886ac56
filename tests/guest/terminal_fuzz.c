/* SPDX-License-Identifier: MIT */
/*
 * A program that calls the terminal service with anything at all: capabilities that lead to itself,
 * which it never answers, random parameters, messages that are none, shared memory full of numbers.
 * Afterwards the service is the same process as before, and what is honest works.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <capos/channel.h>
#include <capos/object.h>
#include <capos/schema/kernel.h>
#include <capos/schema/process_client.h>
#include <capos/schema/status.h>
#include <capos/schema/terminal_client.h>
#include <capos/start.h>

#include "posix_tap.h"

#define ROUNDS      20000
#define HELD        24
#define GENERATIONS 65536
#define LONG_NS     2000000000ull /* what no answer of a service takes */

static uint32_t seed = 1;
static uint64_t buffer[1024];
static cap_t maker, event, account, endpoint;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* An object of this program, which answers no call. */
static cap_t own_object(uint64_t interface)
{
	cap_t object = CAP_NULL;

	cap_mint(endpoint, interface, 1, &object);
	return object;
}

static struct capos_call call_with(struct capos_send_cap *send, cap_t first, cap_t second)
{
	send[0] = (struct capos_send_cap){.cap = first, .rights = CAP_RIGHTS_ALL};
	send[1] = (struct capos_send_cap){.cap = second, .rights = CAP_RIGHTS_ALL};
	return (struct capos_call){.send_caps = send,
	                           .send_ncaps = second  ? 2
	                                         : first ? 1
	                                                 : 0,
	                           .buffer = buffer,
	                           .size = sizeof(buffer),
	                           .timeout_ns = LONG_NS};
}

/* ---- A pseudo-terminal by its capabilities ---- */

struct pair {
	uint32_t number;
	cap_t master, terminal, open;
	struct channel channel; /* of the open one */
};

static int open_master(struct pair *p, cap_t from_account)
{
	struct terminal_maker_open_master_results made;
	struct capos_send_cap send[2];
	struct capos_call call = call_with(send, event, from_account);
	int result = terminal_maker_open_master(
	        maker,
	        &(struct terminal_maker_open_master_params){.wake_bits = 1, .account_index = 1},
	        &made, &call);

	*p = (struct pair){.master = CAP_NULL};
	if (result)
		return result;
	p->master = call.caps[made.master_index];
	p->number = made.number;
	for (uint32_t i = 0; i < call.ncaps; i++)
		if (i != made.master_index)
			cap_release(call.caps[i]);
	return CAP_OK;
}

static int open_terminal(struct pair *p)
{
	struct terminal_master_session_results session;
	struct terminal_session_open_results opened;
	struct capos_send_cap send[2];
	struct capos_call call = call_with(send, CAP_NULL, CAP_NULL);
	uint64_t size;
	void *base;
	int result = terminal_master_unlock(
	        p->master, &(struct terminal_master_unlock_params){.locked = false}, NULL);

	if (!result)
		result = terminal_master_session(p->master, &session, &call);
	if (result)
		return result;
	p->terminal = call.caps[session.terminal_index];
	call = call_with(send, event, CAP_NULL);
	result = terminal_session_open(p->terminal,
	                               &(struct terminal_session_open_params){.wake_bits = 1},
	                               &opened, &call);
	if (result)
		return result;
	p->open = call.caps[opened.terminal_index];
	result = cap_memory_size(call.caps[opened.channel.memory_index], &size);
	if (!result)
		result = cap_memory_map(call.caps[opened.channel.memory_index], 0, size,
		                        CAP_RIGHT_READ | CAP_RIGHT_WRITE, &base);
	return result ? result : channel_open(&p->channel, base, size);
}

static int open_pair(struct pair *p)
{
	int result = open_master(p, account);

	return result ? result : open_terminal(p);
}

static void close_pair(struct pair *p)
{
	if (p->channel.shared)
		cap_memory_unmap(p->channel.shared, p->channel.memory_size);
	cap_release(p->open);
	cap_release(p->terminal);
	cap_release(p->master);
}

/* Whether the service answers at all, and soon. */
static bool answers(void)
{
	struct terminal_maker_list_results results;
	struct capos_send_cap send[2];
	struct capos_call call = call_with(send, CAP_NULL, CAP_NULL);

	return !terminal_maker_list(maker, &results, &call);
}

static int control(const struct pair *p, cap_t session)
{
	struct capos_send_cap send[2];
	struct capos_call call = call_with(send, session, CAP_NULL);

	return terminal_session_control(
	        p->open, &(struct terminal_session_control_params){.session_index = 0}, &call);
}

static int push(const struct pair *p, uint8_t byte)
{
	struct capos_send_cap send[2];
	struct capos_call call = call_with(send, CAP_NULL, CAP_NULL);

	return terminal_session_push(p->open, &(struct terminal_session_push_params){.byte = byte},
	                             &call);
}

/* ---- What leads to this program ---- */

static void an_account_that_never_answers_holds_nobody_up(void)
{
	struct pair p;
	cap_t mine = own_object(ACCOUNT_INTERFACE);

	ok(open_master(&p, mine) == STATUS_INVALID_ARGUMENT,
	   "an account that this program serves is refused");
	ok(answers(), "and the service did not wait for it");
	cap_release(mine);
}

static void a_session_that_never_answers_holds_nobody_up(void)
{
	struct pair p;
	cap_t mine = own_object(PROCESS_SESSION_INTERFACE);
	struct capos_send_cap send[2];
	struct capos_call call;
	int taken;

	ok(!open_pair(&p), "a pseudo-terminal is open");
	ok(!control(&p, mine), "its session is served by this program");
	ok(!push(&p, 3) && answers(), "a typed Ctrl-C does not wait for its answer");
	ok(!push(&p, 26) && !push(&p, 3) && answers(), "nor do more");
	call = call_with(send, CAP_NULL, CAP_NULL);
	ok(!terminal_session_set_window(p.open,
	                                &(struct terminal_session_set_window_params){
	                                        .window = {.rows = 65535, .columns = 65535}},
	                                &call) &&
	           answers(),
	   "nor does a window's new size");
	taken = control(&p, mine);
	ok(taken == STATUS_BUSY, "another session is refused while the first one says nothing");
	ok(answers(), "and the service goes on");
	close_pair(&p);
	ok(answers(), "so it does after the terminal's end");
	cap_release(mine);
}

/* ---- Generations ---- */

static void an_old_terminal_never_names_a_newer_one(void)
{
	struct terminal_session_open_results opened;
	struct capos_send_cap send[2];
	struct capos_call call;
	struct pair old, p;
	int result = CAP_OK, others = 0;

	ok(!open_pair(&old), "a pseudo-terminal is open");
	cap_release(old.open);
	cap_release(old.master);
	cap_memory_unmap(old.channel.shared, old.channel.memory_size);
	while (!result && others < GENERATIONS) {
		result = open_master(&p, account);
		others += p.number == old.number;
		if (others < GENERATIONS)
			cap_release(p.master);
	}
	ok(!result, "as many others come and go in its place as its number had generations once");
	terminal_master_unlock(p.master, &(struct terminal_master_unlock_params){.locked = false},
	                       NULL);
	call = call_with(send, event, CAP_NULL);
	ok(terminal_session_open(old.terminal,
	                         &(struct terminal_session_open_params){.wake_bits = 1}, &opened,
	                         &call) == STATUS_NO_ENTRY,
	   "the old capability leads to none of them");
	cap_release(p.master);
	cap_release(old.terminal);
}

/* ---- Anything at all ---- */

static cap_t held[HELD];
static uint64_t interfaces[HELD];
static int answered;

static void keep(cap_t cap, uint64_t interface)
{
	uint32_t place = 4 + draw(HELD - 4);

	cap_release(held[place]);
	held[place] = cap;
	interfaces[place] = interface;
}

/* Which of what comes back is an object is not looked at: each is tried as each. */
static void call_something(void)
{
	static const struct {
		uint64_t interface;
		uint16_t methods;
	} kinds[] = {{TERMINAL_MAKER_INTERFACE, TERMINAL_MAKER_METHOD_COUNT + 1},
	             {TERMINAL_MASTER_INTERFACE, TERMINAL_MASTER_METHOD_COUNT + 1},
	             {TERMINAL_SESSION_INTERFACE, TERMINAL_SESSION_METHOD_COUNT + 1}};
	static const uint64_t known[] = {0, 1, 2, 3, 63, 64, 0xffff, UINT32_MAX, UINT64_MAX};
	struct capos_send_cap send[2];
	struct capos_call call;
	uint32_t place = draw(HELD), words = 2 + draw(6), length;
	unsigned kind = draw(3);
	struct msg_builder builder;
	struct msg_slot root;
	uint16_t method;

	for (unsigned i = 0; i < 3 && draw(10); i++)
		kind = kinds[i].interface == interfaces[place] ? i : kind;
	method = (uint16_t)draw(kinds[kind].methods);
	call = call_with(send, held[draw(4) ? 1 : draw(HELD)], held[draw(4) ? 2 : draw(HELD)]);
	call.timeout_ns = 2000000;
	msg_builder_init(&builder, buffer, sizeof(buffer));
	msg_write_root(&builder, (uint16_t)words, (uint16_t)draw(3), &root);
	for (uint32_t i = 0; i < words; i++)
		msg_set_bits(&root, i * 64, 64,
		             draw(2) ? known[draw(9)] : (uint64_t)draw(1u << 24) << draw(40));
	if (kind == 0 && draw(2)) /* as openMaster wants it */
		msg_set_bits(&root, 16, 16, 1);
	if (!draw(10))
		buffer[draw(2)] = known[draw(9)] + draw(100);
	if (cap_call(held[place], kinds[kind].interface, method, msg_builder_length(&builder),
	             &call, &length))
		return;
	answered++;
	for (uint32_t i = 0; i < call.ncaps; i++)
		keep(call.caps[i], kinds[draw(3)].interface);
}

/* The queues' indices, and all else that is shared. */
static void scribble(struct pair *p)
{
	uint32_t *words = (uint32_t *)p->channel.shared;
	struct capos_send_cap send[2];

	for (int i = 0; i < 2000; i++) {
		words[draw(p->channel.memory_size / 4)] = draw(2) ? draw(9000) : seed;
		words[draw(256)] = draw(2) ? draw(20000) : seed;
		cap_signal(event, 1);
		push(p, (uint8_t)draw(256));
		if (!draw(20)) {
			struct capos_call call = call_with(send, CAP_NULL, CAP_NULL);

			terminal_session_drain(p->open, &call);
		}
	}
}

static void is_honest(void)
{
	char got[8] = "";
	int slave, master = posix_openpt(O_RDWR | O_NOCTTY);
	struct pollfd p = {.fd = master, .events = POLLIN};

	ok(master >= 0 && !grantpt(master) && !unlockpt(master), "a pseudo-terminal is made");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ok(slave >= 0 && write(slave, "hi\n", 3) == 3, "and written to");
	ok(poll(&p, 1, 5000) == 1 && read(master, got, sizeof(got)) == 4 &&
	           !memcmp(got, "hi\r\n", 4),
	   "and what was written is read");
	close(slave);
	close(master);
}

int main(int argc, char **argv)
{
	uint64_t before = 0, after = 1;
	struct pair p;

	(void)argc;
	start_init((const uint64_t *)argv - 1);
	for (int i = 1; i <= 64; i++)
		signal(i, SIG_IGN);
	maker = start_cap("terminals");
	cap_event_create(&event);
	cap_endpoint_create(&endpoint);
	cap_account(&account);
	ok(cap_test(maker, &before) == CAP_OK, "the service is there");
	an_old_terminal_never_names_a_newer_one();
	an_account_that_never_answers_holds_nobody_up();
	a_session_that_never_answers_holds_nobody_up();
	ok(!open_pair(&p), "a terminal whose memory is to be scribbled on");
	scribble(&p);
	close_pair(&p);
	cap_copy(maker, CAP_RIGHTS_ALL, &held[0]);
	cap_copy(event, CAP_RIGHTS_ALL, &held[1]);
	cap_copy(account, CAP_RIGHTS_ALL, &held[2]);
	held[3] = own_object(PROCESS_SESSION_INTERFACE);
	interfaces[0] = TERMINAL_MAKER_INTERFACE;
	for (int i = 0; i < ROUNDS; i++)
		call_something();
	printf("# %d of %d calls did something\n", answered, ROUNDS);
	ok(answered > ROUNDS / 50, "the service does what it can");
	for (int i = 0; i < HELD; i++)
		cap_release(held[i]);
	is_honest();
	cap_test(maker, &after);
	ok(before == after, "all by the same process of the service");
	return tap_finish();
}
