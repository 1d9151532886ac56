/* SPDX-License-Identifier: MIT */
/*
 * TCP over a fake NIC against a peer by hand, segment by segment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_open.h"
#include "netstack/socket/tcp_options.h"
#include "tests/unit/netstack_host.h"
#include "tests/unit/netstack_peer.h"

static void handshake_and_data(void **state)
{
	struct program p;
	struct peer peer;
	char text[16];

	(void)state;
	connected(&p, &peer, 80);
	assert_int_equal(program_send(&p, "hello", 5), 5);
	assert_true(next_tcp(&peer.last, 80));
	assert_int_equal(peer.last.length, 5);
	assert_memory_equal(peer.last.payload, "hello", 5);
	peer.acknowledgement += 5;
	peer_send(&peer, ACK | PSH, "world!", 6);
	assert_int_equal(program_receive(&p, text, sizeof(text)), 6);
	assert_memory_equal(text, "world!", 6);
	assert_int_equal(queue_writable(&p.channel.send), p.channel.send.capacity);
	program_close(&p);
	assert_true(next_tcp(&peer.last, 80));
	while (next_tcp(&peer.last, 80))
		;
	assert_true(peer.last.flags & FIN); /* all was read */
	peer.acknowledgement++;
	peer_send(&peer, FIN | ACK, NULL, 0);
	assert_true(next_tcp(&peer.last, 80));
	assert_int_equal(peer.last.flags, ACK);
	host_advance(30 * SECOND_NS); /* TIME_WAIT is over */
	assert_int_equal(host_sent_count(), 0);
}

static void sequence_numbers_and_ports_differ(void **state)
{
	struct program p[20];
	struct peer peer[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		connected(&p[i], &peer[i], 81);
		for (int j = 0; j < i; j++) {
			assert_int_not_equal(peer[i].netstack_port, peer[j].netstack_port);
			assert_int_not_equal(peer[i].acknowledgement, peer[j].acknowledgement);
		}
		assert_true(peer[i].netstack_port >= 0x8000);
	}
	for (int i = 0; i < 20; i++) {
		program_close(&p[i]);
		peer_send(&peer[i], RST, NULL, 0);
	}
	host_advance(200 * SECOND_NS);
	host_drop_sent();
}

static void refused_and_reset(void **state)
{
	struct program p;
	struct peer peer = {.sequence = 1, .port = 82};
	char text[8];

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
	assert_int_equal(connect_to(&p, "10.0.2.2", 82), STATUS_OK);
	assert_true(next_tcp(&peer.last, 82));
	peer.netstack_port = peer.last.source_port;
	peer.acknowledgement = peer.last.sequence + 1;
	peer_send(&peer, RST | ACK, NULL, 0);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_CONNECTION_REFUSED);
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_CONNECTION_REFUSED);
	program_close(&p);
	/* Data before a RST stays readable. */
	connected(&p, &peer, 82);
	peer_send(&peer, ACK, "data", 4);
	peer_send(&peer, RST | ACK, NULL, 0);
	assert_int_equal(program_status(&p) & (CHANNEL_EOF | CHANNEL_CLOSED | CHANNEL_ERROR),
	                 CHANNEL_EOF | CHANNEL_CLOSED | CHANNEL_ERROR);
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_CONNECTION_RESET);
	assert_int_equal(program_receive(&p, text, sizeof(text)), 4);
	program_close(&p);
	host_drop_sent();
}

static void unread_data_means_reset(void **state)
{
	struct program p;
	struct peer peer;

	(void)state;
	connected(&p, &peer, 83);
	peer_send(&peer, ACK, "data", 4);
	program_close(&p);
	while (next_tcp(&peer.last, 83))
		;
	assert_true(peer.last.flags & RST);
	/* And data that comes after the program's end. */
	connected(&p, &peer, 83);
	program_close(&p);
	host_drop_sent();
	peer.acknowledgement++;
	peer_send(&peer, ACK, "data", 4);
	assert_true(next_tcp(&peer.last, 83));
	assert_true(peer.last.flags & RST);
	host_drop_sent();
}

static void half_close_both_ways(void **state)
{
	struct program p;
	struct peer peer;
	char text[8];

	(void)state;
	connected(&p, &peer, 84);
	peer_send(&peer, FIN | ACK, NULL, 0);
	assert_true(program_status(&p) & CHANNEL_EOF);
	assert_false(program_status(&p) & CHANNEL_CLOSED);
	host_drop_sent();
	program_send(&p, "late", 4);
	assert_true(next_tcp(&peer.last, 84));
	assert_int_equal(peer.last.length, 4);
	peer.acknowledgement += 4;
	assert_int_equal(tcp_socket_shutdown(p.socket, false, true), STATUS_OK);
	host_run();
	assert_true(next_tcp(&peer.last, 84));
	assert_true(peer.last.flags & FIN);
	peer.acknowledgement++;
	peer_send(&peer, ACK, NULL, 0);
	assert_null(p.socket->tcp.pcb);
	program_close(&p);

	connected(&p, &peer, 84);
	program_send(&p, "req", 3);
	assert_int_equal(tcp_socket_shutdown(p.socket, false, true), STATUS_OK);
	host_run();
	while (next_tcp(&peer.last, 84))
		;
	assert_true(peer.last.flags & FIN);
	peer.acknowledgement += 4;
	peer_send(&peer, ACK, "reply", 5);
	peer_send(&peer, FIN | ACK, "", 0);
	assert_int_equal(program_receive(&p, text, sizeof(text)), 5);
	assert_true(program_status(&p) & CHANNEL_EOF);
	program_close(&p);
	host_advance(20 * SECOND_NS);
	host_drop_sent();
}

static void what_was_written_before_the_end_goes_out(void **state)
{
	struct program p;
	struct peer peer;
	size_t got = 0;

	(void)state;
	connected(&p, &peer, 85);
	assert_int_equal(program_send(&p, pattern, 100000), 100000);
	program_close(&p); /* the program is dead, its queue is not */
	while (next_tcp(&peer.last, 85)) {
		if (peer.last.length) {
			assert_int_equal(peer.last.sequence, peer.acknowledgement);
			assert_memory_equal(peer.last.payload, pattern + got, peer.last.length);
			got += peer.last.length;
			peer.acknowledgement += (uint32_t)peer.last.length;
		}
		if (peer.last.flags & FIN)
			peer.acknowledgement++;
		peer_send(&peer, ACK, NULL, 0);
	}
	assert_int_equal(got, 100000);
	assert_true(peer.last.flags & FIN);
	peer_send(&peer, FIN | ACK, NULL, 0);
	host_advance(20 * SECOND_NS);
	host_drop_sent();
}

static void an_orphan_without_a_peer_is_given_up(void **state)
{
	struct program p;
	struct peer peer;
	unsigned i = 0;

	(void)state;
	connected(&p, &peer, 86);
	program_send(&p, pattern, 5000);
	program_close(&p);
	host_advance(120 * SECOND_NS);
	assert_null(socket_next(&i));
	host_drop_sent();
}

static void windows_close_and_open(void **state)
{
	struct program p;
	struct peer peer;
	size_t sent = 0;

	(void)state;
	connected(&p, &peer, 87);
	for (;;) { /* the program does not read */
		while (next_tcp(&peer.last, 87))
			;
		if (peer.last.window < 2 * 1460) /* one segment may not be acknowledged yet */
			break;
		peer_send(&peer, ACK, pattern + sent, 1460);
		sent += 1460;
		if (sent % 2920 == 0)
			assert_true(host_sent_count() > 0);
		assert_true(sent < LARGE);
	}
	/* The queue is full, though without scaling the window was never above 64 KiB. */
	assert_in_range(sent, p.channel.receive.capacity - 4 * 1460, p.channel.receive.capacity);
	assert_int_equal(host_driver_buffers(), HOST_RECEIVE_BUFFERS); /* and pins no buffer */
	host_drop_sent();
	/* It is signalled, without being asked, when there is room again. */
	assert_int_equal(program_receive(&p, received, sizeof(received)), sent);
	assert_memory_equal(received, pattern, sent);
	assert_true(next_tcp(&peer.last, 87));
	assert_true(peer.last.window > 60000);
	peer_send(&peer, ACK, "more", 4);
	assert_int_equal(program_receive(&p, received, sizeof(received)), 4);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void window_scaling(void **state)
{
	static const uint8_t options[] = {2, 4, 5, 180, 1, 3, 3, 7};
	struct program p;
	struct peer peer = {.sequence = 1, .port = 88};
	struct segment s = {.source_port = 88,
	                    .flags = SYN | ACK,
	                    .sequence = 1,
	                    .options = options,
	                    .noptions = sizeof(options)};
	struct frame f;
	size_t sent = 0;

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
	connect_to(&p, "10.0.2.2", 88);
	assert_true(next_tcp(&peer.last, 88));
	peer.netstack_port = s.destination_port = peer.last.source_port;
	peer.acknowledgement = s.acknowledgement = peer.last.sequence + 1;
	build_tcp(&f, &s);
	host_receive(&f);
	host_run();
	peer.sequence = 2;
	assert_true(next_tcp(&peer.last, 88));
	assert_in_range(peer.last.window << 3, 250000, 262144);
	while (sent + 1460 <= p.channel.receive.capacity) {
		peer_send(&peer, ACK, pattern + sent, 1460);
		sent += 1460;
	}
	assert_true(sent > 250000);
	assert_int_equal(program_receive(&p, received, sizeof(received)), sent);
	assert_memory_equal(received, pattern, sent);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void out_of_order_segments(void **state)
{
	struct program p;
	struct peer peer;
	uint32_t first;

	(void)state;
	connected(&p, &peer, 89);
	first = peer.sequence;
	/* All but the first, backwards: more than may stay in DMA buffers. */
	for (unsigned i = 44; i > 0; i--) {
		peer.sequence = first + i * 1400;
		peer_send(&peer, ACK, pattern + i * 1400, 1400);
		assert_true(host_driver_buffers() >= HOST_RECEIVE_BUFFERS / 2);
	}
	assert_int_equal(program_receive(&p, received, sizeof(received)), 0);
	peer.sequence = first;
	peer_send(&peer, ACK, pattern, 1400);
	assert_int_equal(program_receive(&p, received, sizeof(received)), 45 * 1400);
	assert_memory_equal(received, pattern, 45 * 1400);
	assert_int_equal(host_driver_buffers(), HOST_RECEIVE_BUFFERS);
	peer.sequence = first + 45 * 1400;
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void lost_segments_are_sent_again(void **state)
{
	struct program p;
	struct peer peer;
	size_t got = 0;
	unsigned count = 0;

	(void)state;
	connected(&p, &peer, 90);
	program_send(&p, pattern, 50000);
	for (int round = 0; got < 50000 && round < 1000; round++) {
		while (next_tcp(&peer.last, 90)) {
			if (peer.last.sequence != peer.acknowledgement || ++count % 7 == 0)
				continue; /* lost */
			assert_memory_equal(peer.last.payload, pattern + got, peer.last.length);
			got += peer.last.length;
			peer.acknowledgement += (uint32_t)peer.last.length;
			peer_send(&peer, ACK, NULL, 0);
		}
		host_advance(SECOND_NS);
	}
	assert_int_equal(got, 50000);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

static void small_writes_become_full_segments(void **state)
{
	struct program p;
	struct peer peer;
	unsigned segments = 0;
	size_t got = 0;

	(void)state;
	connected(&p, &peer, 91);
	for (int i = 0; i < 2000; i++)
		program_send(&p, pattern + i, 1);
	while (next_tcp(&peer.last, 91)) {
		segments++;
		assert_memory_equal(peer.last.payload, pattern + got, peer.last.length);
		got += peer.last.length;
		peer.acknowledgement += (uint32_t)peer.last.length;
		peer_send(&peer, ACK, NULL, 0);
	}
	assert_int_equal(got, 2000);
	assert_true(segments <= 5);
	program_close(&p);
	peer_send(&peer, RST, NULL, 0);
	host_drop_sent();
}

/* A peer that sends small writes without an answer waits for each acknowledgement (Nagle). */
static void a_peer_that_only_talks_is_acknowledged_at_once(void **state)
{
	struct program p;
	struct peer peer;
	char text[16];

	(void)state;
	connected(&p, &peer, 113);
	host_drop_sent();
	for (int i = 0; i < 3; i++) {
		peer_send(&peer, ACK | PSH, "ab", 2);
		assert_true(next_tcp(&peer.last, 113));
		assert_int_equal(peer.last.acknowledgement, peer.sequence);
		assert_int_equal(program_receive(&p, text, sizeof(text)), 2);
	}
	host_drop_sent();
	assert_int_equal(program_send(&p, "answer", 6), 6);
	assert_true(next_tcp(&peer.last, 113));
	peer.acknowledgement += 6;
	peer_send(&peer, ACK | PSH, "ab", 2);
	assert_int_equal(host_sent_count(), 0); /* the next answer may take it along */
	peer_send(&peer, RST, NULL, 0);
	program_close(&p);
	host_drop_sent();
}

static void icmp_errors_end_a_connect(void **state)
{
	static const struct {
		uint8_t code;
		int status;
	} cases[] = {{0, STATUS_NETWORK_UNREACHABLE},
	             {1, STATUS_HOST_UNREACHABLE},
	             {3, STATUS_CONNECTION_REFUSED}};
	struct program p;
	struct frame f, syn;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
		connect_to(&p, "8.8.8.8", 92);
		do
			assert_true(host_sent(&syn));
		while (syn.bytes[23] != 6);
		/* About another segment: no. */
		syn.bytes[41] ^= 1;
		build_icmp(&f, 0, 3, cases[i].code, 0, syn.bytes + 14, 28);
		host_receive(&f);
		host_run();
		assert_int_equal(p.socket->tcp.connect_status, TCP_PENDING);
		syn.bytes[41] ^= 1;
		build_icmp(&f, 0, 3, cases[i].code, 0, syn.bytes + 14, 28);
		host_receive(&f);
		host_run();
		assert_int_equal(p.socket->tcp.connect_status, cases[i].status);
		program_close(&p);
	}
	host_drop_sent();
}

static void nobody_answers(void **state)
{
	struct program p;

	(void)state;
	assert_int_equal(program_open(&p, SOCKET_TCP, NULL), STATUS_OK);
	connect_to(&p, "10.0.2.99", 93); /* ARP is not answered either */
	host_advance(5 * SECOND_NS);
	assert_int_equal(p.socket->tcp.connect_status, STATUS_HOST_UNREACHABLE);
	connect_to(&p, "10.0.2.2", 93);
	host_advance(20 * SECOND_NS);
	assert_int_equal(p.socket->tcp.connect_status, TCP_PENDING);
	for (int i = 0; i < 200; i++) {
		host_advance(SECOND_NS);
		host_drop_sent();
	}
	assert_int_equal(p.socket->tcp.connect_status, STATUS_TIMED_OUT);
	program_close(&p);
	host_drop_sent();
}

static void dead_peers_are_noticed(void **state)
{
	struct program p;
	struct peer peer;

	(void)state;
	connected(&p, &peer, 111);
	tcp_socket_set_option(p.socket, SOCKET_OPTION_KEEP_ALIVE, 1);
	tcp_socket_set_option(p.socket, SOCKET_OPTION_KEEP_IDLE, 10);
	tcp_socket_set_option(p.socket, SOCKET_OPTION_KEEP_INTERVAL, 5);
	tcp_socket_set_option(p.socket, SOCKET_OPTION_KEEP_COUNT, 3);
	host_advance(9 * SECOND_NS);
	assert_int_equal(host_sent_count(), 0);
	host_advance(3 * SECOND_NS);
	assert_true(next_tcp(&peer.last, 111));
	host_advance(30 * SECOND_NS);
	assert_true(program_status(&p) & CHANNEL_ERROR);
	assert_int_equal(atomic_load(&p.channel.shared->error), STATUS_TIMED_OUT);
	program_close(&p);
	host_drop_sent();
}

/* A segment that waits for the neighbour's address outlives the socket whose memory it refers
 * to. */
static void a_waiting_segment_outlives_its_socket(void **state)
{
	struct program p;
	struct peer peer;
	struct frame f, request = {.length = 0};
	unsigned sent_data = 0;

	(void)state;
	connected(&p, &peer, 112);
	host_advance(400 * SECOND_NS); /* the neighbour is forgotten */
	host_drop_sent();
	program_send(&p, pattern, 500);
	while (host_sent(&f)) {
		if (f.bytes[12] == 8 && f.bytes[13] == 6)
			request = f;
		assert_false(read_tcp(&f, &peer.last));
	}
	assert_int_equal(request.length, 42);
	peer_send(&peer, ACK, "unread", 6);
	host_drop_sent();
	program_close(&p); /* unread data: the memory is gone at once */
	host_drop_sent();
	memcpy(request.bytes, host_mac, 6);
	memcpy(request.bytes + 6, peer_mac, 6);
	request.bytes[21] = 2;
	memcpy(request.bytes + 32, host_mac, 6);
	memcpy(request.bytes + 22, peer_mac, 6);
	memcpy(request.bytes + 28, &(uint32_t){HOST_GATEWAY}, 4);
	memcpy(request.bytes + 38, &(uint32_t){HOST_OWN}, 4);
	host_receive(&request);
	host_run();
	while (next_tcp(&peer.last, 112))
		sent_data +=
		        peer.last.length == 500 && memcmp(peer.last.payload, pattern, 500) == 0;
	assert_int_equal(sent_data, 1);
	host_advance(100 * SECOND_NS);
	host_drop_sent();
}

int tcp_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(handshake_and_data),
	        cmocka_unit_test(sequence_numbers_and_ports_differ),
	        cmocka_unit_test(refused_and_reset),
	        cmocka_unit_test(unread_data_means_reset),
	        cmocka_unit_test(half_close_both_ways),
	        cmocka_unit_test(what_was_written_before_the_end_goes_out),
	        cmocka_unit_test(an_orphan_without_a_peer_is_given_up),
	        cmocka_unit_test(windows_close_and_open),
	        cmocka_unit_test(window_scaling),
	        cmocka_unit_test(out_of_order_segments),
	        cmocka_unit_test(lost_segments_are_sent_again),
	        cmocka_unit_test(small_writes_become_full_segments),
	        cmocka_unit_test(a_peer_that_only_talks_is_acknowledged_at_once),
	        cmocka_unit_test(icmp_errors_end_a_connect),
	        cmocka_unit_test(nobody_answers),
	        cmocka_unit_test(dead_peers_are_noticed),
	        cmocka_unit_test(a_waiting_segment_outlives_its_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
