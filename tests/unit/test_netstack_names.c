/* SPDX-License-Identifier: MIT */
/*
 * Names over a fake NIC: a server of names by hand, answers that lie, grants by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <capos/schema/status.h>

#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/resolver.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_open.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

static int found_status;
static struct dns_answer found;

static void note(void *context, int status, const struct dns_answer *answer)
{
	(void)context;
	found_status = status;
	if (answer)
		found = *answer;
}

/* Answers a question with an address, or (address 0) a result code. */
static void dns_reply(const struct segment *question, uint32_t address, uint8_t code)
{
	uint8_t m[400];
	size_t n = question->length;
	struct segment s = {.source = question->destination,
	                    .source_port = 53,
	                    .destination_port = question->source_port,
	                    .payload = m};
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
	struct frame f;

	memcpy(m, question->payload, n);
	m[2] = 0x81;
	m[3] = 0x80 | code;
	if (address) {
		m[7] = 1;
		memcpy(m + n, record, sizeof(record));
		memcpy(m + n + sizeof(record), &address, 4);
		n += sizeof(record) + 4;
	}
	s.length = n;
	build_udp(&f, &s);
	host_receive(&f);
	host_run();
}

static void looking_names_up(void **state)
{
	struct segment q, again;

	(void)state;
	found_status = -1;
	assert_int_equal(resolver_lookup("www.example.", 12, note, NULL), STATUS_OK);
	host_run();
	assert_true(next_udp(&q, 53));
	assert_true(q.source_port >= 0x8000);
	/* From another server, another port, with another id, to another question: not it. */
	again = q;
	again.destination = HOST_GATEWAY;
	dns_reply(&again, HOST_GATEWAY, 0);
	assert_int_equal(found_status, -1);
	host_advance(1500 * MS_NS);
	assert_true(next_udp(&again, 53)); /* asked again, anew */
	assert_int_not_equal(again.source_port, q.source_port);
	dns_reply(&q, HOST_GATEWAY, 0);
	assert_int_equal(found_status, -1);
	dns_reply(&again, host_address("1.2.3.4"), 0);
	assert_int_equal(found_status, STATUS_OK);
	assert_int_equal(found.addresses[0], host_address("1.2.3.4"));
	host_drop_sent();
	/* Remembered. */
	found_status = -1;
	assert_int_equal(resolver_lookup("WWW.example", 11, note, NULL), STATUS_OK);
	assert_int_equal(found_status, STATUS_OK);
	assert_int_equal(host_sent_count(), 0);
	assert_int_equal(resolver_lookup("localhost", 9, note, NULL), STATUS_OK);
	assert_int_equal(found.addresses[0], host_address("127.0.0.1"));
	assert_int_equal(resolver_lookup("1.2.3.4", 7, note, NULL), STATUS_OK);
	assert_int_equal(found.addresses[0], host_address("1.2.3.4"));
	assert_int_equal(resolver_lookup("no such", 7, note, NULL), STATUS_INVALID_ARGUMENT);
}

static void names_that_are_not(void **state)
{
	struct segment q;

	(void)state;
	resolver_lookup("nx.example", 10, note, NULL);
	host_run();
	assert_true(next_udp(&q, 53));
	dns_reply(&q, 0, 3);
	assert_int_equal(found_status, STATUS_NAME_NOT_FOUND);
	resolver_lookup("empty.example", 13, note, NULL);
	host_run();
	assert_true(next_udp(&q, 53));
	dns_reply(&q, 0, 0);
	assert_int_equal(found_status, STATUS_NO_DATA);
	found_status = -1;
	resolver_lookup("silent.example", 14, note, NULL);
	host_advance(9 * SECOND_NS);
	assert_int_equal(found_status, -1);
	host_advance(2 * SECOND_NS);
	assert_int_equal(found_status, STATUS_TRY_AGAIN);
	found_status = -1;
	resolver_lookup("gone.example", 12, note, &found);
	resolver_cancel(&found);
	host_advance(20 * SECOND_NS);
	assert_int_equal(found_status, -1);
	host_drop_sent();
}

/* Who asks and cancels over and over takes no place from others. */
static void questions_given_up(void **state)
{
	struct segment q;
	char name[32];

	(void)state;
	for (int i = 0; i < 200; i++) {
		int n = snprintf(name, sizeof(name), "n%d.example", i);

		assert_int_equal(resolver_lookup(name, (size_t)n, note, &found), STATUS_OK);
		resolver_cancel(&found);
	}
	host_run();
	host_drop_sent();
	found_status = -1;
	assert_int_equal(resolver_lookup("other.example", 13, note, NULL), STATUS_OK);
	host_run();
	assert_true(next_udp(&q, 53));
	dns_reply(&q, HOST_GATEWAY, 0);
	assert_int_equal(found_status, STATUS_OK);
	host_drop_sent();
}

/* One program's restrictions of what it was given leave others theirs. */
static void restrictions_without_end(void **state)
{
	struct policy *first = policy_create(policy_root()), *made[1000], *other;
	unsigned count = 0, grants = 0;

	(void)state;
	while (count < 1000 && (made[count] = policy_create(first)))
		count++;
	assert_in_range(count, 16, 999);
	while (grants < 1000 &&
	       policy_grant(made[grants % count], GRANT_UDP, NULL, 0, 0) == STATUS_OK)
		grants++;
	assert_in_range(grants, 16, 999);
	other = policy_create(policy_root());
	assert_non_null(other);
	assert_int_equal(policy_grant(other, GRANT_ALL, NULL, 0, 0), STATUS_OK);
	policy_put(other);
	for (unsigned i = 0; i < count; i++)
		policy_put(made[i]);
	/* All of it came back. */
	for (unsigned i = 0; i < count; i++)
		assert_non_null(made[i] = policy_create(first));
	assert_null(policy_create(first));
	for (unsigned i = 0; i < count; i++)
		policy_put(made[i]);
	policy_put(first);
}

static void grants_by_name(void **state)
{
	struct policy *policy = policy_create(policy_root());
	struct program p;
	struct segment q;

	(void)state;
	policy_grant(policy, GRANT_CONNECT, "web.example", 11, 80);
	assert_int_equal(program_open(&p, SOCKET_TCP, policy), STATUS_OK);
	connect_to(&p, "10.0.2.2", 80);
	assert_true(next_udp(&q, 53));
	dns_reply(&q, HOST_GATEWAY, 0);
	assert_true(next_tcp(&q, 80));
	assert_int_equal(q.flags, SYN);
	program_close(&p);
	assert_int_equal(program_open(&p, SOCKET_TCP, policy), STATUS_OK);
	connect_to(&p, "10.0.2.4", 80);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_ACCESS_DENIED);
	assert_false(next_tcp(&q, 80));
	/* A TcpConnectAuthority's way: any address that the host has. */
	assert_int_equal(tcp_socket_connect_name(p.socket, "web.example", 80), STATUS_OK);
	host_run();
	assert_true(next_tcp(&q, 80));
	assert_int_equal(q.destination, HOST_GATEWAY);
	program_close(&p);
	policy_put(policy);
	host_drop_sent();
}

/* A program that may connect to one address has no question sent, for any name it chooses. */
static void no_question_without_the_right(void **state)
{
	struct policy *parent = policy_create(policy_root()), *child = policy_create(parent);
	struct program p;

	(void)state;
	policy_grant(parent, GRANT_CONNECT, "10.0.2.2", 8, 8000);
	policy_grant(child, GRANT_CONNECT, "secret.example", 14, 8000);
	assert_int_equal(program_open(&p, SOCKET_TCP, child), STATUS_OK);
	assert_int_equal(tcp_socket_connect_name(p.socket, "secret.example", 8000),
	                 STATUS_ACCESS_DENIED);
	connect_to(&p, "10.0.2.2", 8000);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_ACCESS_DENIED);
	connect_to(&p, "10.0.2.3", 8000);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_ACCESS_DENIED);
	assert_int_equal(host_sent_count(), 0);
	program_close(&p);
	policy_put(child);
	/* The name is granted, for another port. */
	child = policy_create(policy_root());
	policy_grant(child, GRANT_CONNECT, "port.example", 12, 80);
	assert_int_equal(program_open(&p, SOCKET_TCP, child), STATUS_OK);
	assert_int_equal(tcp_socket_connect_name(p.socket, "port.example", 81),
	                 STATUS_ACCESS_DENIED);
	assert_int_equal(host_sent_count(), 0);
	program_close(&p);
	policy_put(child);
	policy_put(parent);
}

/* DNS rebinding: a server that answers for a granted name cannot point it at this machine, nor at
 * many. */
static void names_never_mean_this_machine(void **state)
{
	static const char *const refused[] = {
	        "127.0.0.1",  "127.9.9.9", "0.0.0.0",         "0.1.2.3",   "10.0.2.15",
	        "10.0.2.255", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"};
	struct policy *policy = policy_create(policy_root());
	struct program p;
	struct segment q;
	char name[32];

	(void)state;
	policy_grant(policy, GRANT_CONNECT, "evil.example", 12, 80);
	assert_int_equal(program_open(&p, SOCKET_TCP, policy), STATUS_OK);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		int n = snprintf(name, sizeof(name), "r%zu.example", i);

		found_status = -1;
		resolver_lookup(name, (size_t)n, note, NULL);
		host_run();
		assert_true(next_udp(&q, 53));
		dns_reply(&q, host_address(refused[i]), 0);
		assert_int_equal(found_status, STATUS_NO_DATA);
		/* And nothing is granted by it. */
		connect_to(&p, refused[i], 80);
		if (p.socket->tcp.connect_status == TCP_PENDING) {
			assert_true(next_udp(&q, 53));
			dns_reply(&q, host_address(refused[i]), 0);
		}
		assert_int_equal(p.socket->tcp.connect_status, STATUS_ACCESS_DENIED);
	}
	assert_int_equal(host_sent_count(), 0);
	program_close(&p);
	policy_put(policy);
}

/* ICMP port unreachable ends the try: it took ten seconds. */
static void server_that_refuses(void **state)
{
	struct segment q;
	struct frame sent, error;
	uint64_t begin = host_now;
	unsigned tries = 0;

	(void)state;
	found_status = -1;
	resolver_lookup("refused.example", 15, note, NULL);
	host_run();
	while (host_sent(&sent)) {
		if (!read_udp(&sent, &q))
			continue;
		tries++;
		build_icmp(&error, q.destination, 3, 3, 0, sent.bytes + 14, 28);
		host_receive(&error);
		host_run();
	}
	assert_int_equal(found_status, STATUS_TRY_AGAIN);
	assert_int_equal(tries, 1); /* there is no other server */
	assert_int_equal(host_now, begin);
}

int names_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(looking_names_up),
	        cmocka_unit_test(names_that_are_not),
	        cmocka_unit_test(questions_given_up),
	        cmocka_unit_test(restrictions_without_end),
	        cmocka_unit_test(grants_by_name),
	        cmocka_unit_test(no_question_without_the_right),
	        cmocka_unit_test(names_never_mean_this_machine),
	        cmocka_unit_test(server_that_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
