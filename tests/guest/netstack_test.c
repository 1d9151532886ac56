/* SPDX-License-Identifier: MIT */
/*
 * netstack from a native client's side: the methods that need no channel, attenuation, and what a
 * client that writes nonsense gets.  Two ends of one connection are both held here, over 127.0.0.1.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/channel.h>
#include <capos/schema/network_client.h>
#include <capos/schema/status.h>
#include <capos/start.h>
#include "tap.h"

#define MILLISECOND 1000000ull
#define PORT        7000
#define LARGE       60000u
#define FLOODS      64

static _Alignas(8) uint8_t buffer[CAPOS_MESSAGE_MAX];
static uint8_t pattern[LARGE];
static const uint8_t loopback[4] = {127, 0, 0, 1};
static cap_t network, event;

static struct capos_call plain(void)
{
	return (struct capos_call){.buffer = buffer, .size = sizeof(buffer)};
}

/* The capability at that position of the reply; the others are given up. */
static cap_t received(struct capos_call *call, uint32_t index)
{
	cap_t cap = CAP_NULL;

	for (uint32_t i = 0; i < call->ncaps; i++) {
		if (i == index)
			cap = call->caps[i];
		else
			cap_release(call->caps[i]);
	}
	return cap;
}

/* ---- Short forms of calls ---- */

static int listen_on(cap_t manager, uint16_t port, cap_t *listener)
{
	struct capos_call call = plain();
	struct network_manager_create_tcp_listener_params in = {.port = port};
	struct network_manager_create_tcp_listener_results out;
	int result = network_manager_create_tcp_listener(manager, &in, &out, &call);

	*listener = result ? CAP_NULL : received(&call, out.listener_index);
	return result;
}

static int connect_to(cap_t manager, const void *address, uint32_t length, uint16_t port,
                      cap_t *socket)
{
	struct capos_call call = plain();
	struct network_manager_connect_tcp_params in = {.addr = MSG_DATA(address, length),
	                                                .port = port};
	struct network_manager_connect_tcp_results out;
	int result = network_manager_connect_tcp(manager, &in, &out, &call);

	*socket = result ? CAP_NULL : received(&call, out.socket_index);
	return result;
}

static int accept_from(cap_t listener, uint64_t timeout, cap_t *socket)
{
	struct capos_call call = plain();
	struct tcp_listener_accept_results out;
	int result;

	call.timeout_ns = timeout;
	result = tcp_listener_accept(listener, &out, &call);
	*socket = result ? CAP_NULL : received(&call, out.socket_index);
	return result;
}

/* Bytes sent, or the error. */
static int64_t send_bytes(cap_t socket, const void *bytes, uint32_t length)
{
	struct capos_call call = plain();
	struct tcp_socket_send_params in = {.data = MSG_DATA(bytes, length)};
	struct tcp_socket_send_results out;
	int result;

	call.timeout_ns = 5000 * MILLISECOND;
	result = tcp_socket_send(socket, &in, &out, &call);
	return result ? -1000 - result : (int64_t)out.bytes_sent;
}

/* Bytes received, which stay in `buffer` at *data, or the error. */
static int64_t receive_bytes(cap_t socket, uint32_t most, uint64_t timeout, const uint8_t **data)
{
	struct capos_call call = plain();
	struct tcp_socket_recv_params in = {.max_len = most};
	struct tcp_socket_recv_results out;
	int result;

	call.timeout_ns = timeout;
	result = tcp_socket_recv(socket, &in, &out, &call);
	*data = out.data.ptr;
	return result ? -1000 - result : (int64_t)out.data.len;
}

static void close_socket(cap_t socket)
{
	tcp_socket_close(socket, NULL);
	cap_release(socket);
}

/* ---- TCP ---- */

static void pair(cap_t listener, cap_t *client, cap_t *server)
{
	tap_equal(connect_to(network, loopback, 4, PORT, client), CAP_OK, "connectTcp");
	tap_equal(accept_from(listener, 0, server), CAP_OK, "accept");
}

static void test_tcp(void)
{
	const uint8_t *data;
	cap_t listener, client, server, none;
	uint32_t got = 0;

	tap_equal(connect_to(network, loopback, 4, PORT, &none), STATUS_CONNECTION_REFUSED,
	          "nothing listens");
	tap_equal(listen_on(network, PORT, &listener), CAP_OK, "createTcpListener");
	tap_equal(listen_on(network, PORT, &none), STATUS_ADDRESS_IN_USE, "not twice");
	tap_equal(accept_from(listener, 20 * MILLISECOND, &none), CAP_ETIMEDOUT,
	          "accept waits, and can be given up");
	pair(listener, &client, &server);
	tap_equal(send_bytes(client, "hello", 5), 5, "send");
	tap_equal(receive_bytes(server, 100, 0, &data), 5, "recv");
	tap_ok(memcmp(data, "hello", 5) == 0, "what was sent");
	tap_equal(receive_bytes(server, 100, 20 * MILLISECOND, &data), -1000 - CAP_ETIMEDOUT,
	          "recv waits, and can be given up");
	tap_equal(send_bytes(server, pattern, LARGE), LARGE, "much at once");
	while (got < LARGE) {
		int64_t n = receive_bytes(client, 7000, 5000 * MILLISECOND, &data);

		if (n <= 0 || memcmp(data, pattern + got, (size_t)n) != 0)
			break;
		got += (uint32_t)n;
	}
	tap_equal(got, LARGE, "arrives whole");
	tap_equal(receive_bytes(client, 0, 0, &data), -1000 - STATUS_MESSAGE_TOO_LONG,
	          "a recv of nothing is an error");
	send_bytes(client, "last words", 10);
	close_socket(client);
	tap_equal(receive_bytes(server, 100, 5000 * MILLISECOND, &data), 10,
	          "what came before the end");
	tap_equal(receive_bytes(server, 100, 5000 * MILLISECOND, &data), 0, "then the end");
	close_socket(server);
	tap_equal(receive_bytes(server, 1, 0, &data), -1000 - CAP_EBADCAP, "a released capability");
	/* The client's end: with data unread, a reset. */
	pair(listener, &client, &server);
	send_bytes(server, "unread", 6);
	cap_sleep(20 * MILLISECOND);
	cap_release(client);
	tap_equal(receive_bytes(server, 100, 5000 * MILLISECOND, &data),
	          -1000 - STATUS_CONNECTION_RESET, "a reset is reported");
	tap_equal(receive_bytes(server, 100, 0, &data), 0, "once");
	close_socket(server);
	cap_release(listener);
}

/* A sender that is not read is held back, and goes on when it is. */
static void test_backpressure(void)
{
	const uint8_t *data;
	cap_t listener, client, server;
	uint64_t sent = 0, got = 0;

	tap_equal(listen_on(network, PORT, &listener), CAP_OK, "listens again at once");
	pair(listener, &client, &server);
	for (;;) {
		struct capos_call call = plain();
		struct tcp_socket_send_params in = {.data = MSG_DATA(pattern, LARGE)};
		struct tcp_socket_send_results out;

		call.timeout_ns = 100 * MILLISECOND;
		if (sent > (4u << 20) || tcp_socket_send(client, &in, &out, &call))
			break;
		sent += out.bytes_sent;
	}
	tap_ok(sent > 200000 && sent < (1u << 20), "send waits when the peer does not read");
	close_socket(client);
	for (;;) {
		int64_t n = receive_bytes(server, LARGE, 5000 * MILLISECOND, &data);

		if (n <= 0)
			break;
		got += (uint64_t)n;
	}
	/* The send that was given up had put its bytes in the queue, all or some. */
	tap_ok(got >= sent && got <= sent + LARGE, "all of it arrives, after the sender's end");
	close_socket(server);
	cap_release(listener);
}

static void test_addresses(void)
{
	struct network_manager_get_config_results config;
	struct capos_call call = plain();
	uint8_t v6[16] = {0x20, 1}, mapped[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1};
	cap_t none;

	tap_equal(network_manager_get_config(network, &config, &call), CAP_OK, "getConfig");
	tap_ok(config.addr.len == 4 && config.addr.ptr[0] == 10, "an address of 10.0.2/24");
	tap_equal(config.mtu, 1500, "the MTU of Ethernet");
	tap_equal(config.mac_address.len, 6, "a MAC address");
	tap_ok(config.netmask.len == 4 && config.netmask.ptr[3] == 0, "its mask");
	for (uint32_t length = 0; length < 20; length++)
		if (length != 4 && length != 16 &&
		    connect_to(network, v6, length, 1, &none) != STATUS_MALFORMED_ADDRESS)
			tap_equal(length, -1, "an address of another length is malformed");
	tap_equal(connect_to(network, v6, 16, 1, &none), STATUS_ADDRESS_FAMILY, "IPv6 is not had");
	tap_equal(connect_to(network, mapped, 16, 1, &none), STATUS_CONNECTION_REFUSED,
	          "an IPv4 address in IPv6's clothes");
}

/* ---- UDP ---- */

static int udp_on(cap_t manager, uint16_t port, cap_t *socket)
{
	struct capos_call call = plain();
	struct network_manager_create_udp_socket_params in = {.local_addr = MSG_DATA(loopback, 4),
	                                                      .local_port = port};
	struct network_manager_create_udp_socket_results out;
	int result = network_manager_create_udp_socket(manager, &in, &out, &call);

	*socket = result ? CAP_NULL : received(&call, out.socket_index);
	return result;
}

static void test_udp(void)
{
	struct udp_socket_send_to_params send = {
	        .addr = MSG_DATA(loopback, 4), .port = 7002, .data = MSG_DATA("datagram", 8)};
	struct udp_socket_send_to_results sent;
	struct udp_socket_recv_from_params receive = {.max_len = 5};
	struct udp_socket_recv_from_results got;
	struct capos_call call = plain();
	cap_t a, b, none;

	tap_equal(udp_on(network, 7001, &a), CAP_OK, "createUdpSocket");
	tap_equal(udp_on(network, 7001, &none), STATUS_ADDRESS_IN_USE, "not twice");
	tap_equal(udp_on(network, 7002, &b), CAP_OK, "another");
	tap_equal(udp_socket_send_to(a, &send, &sent, &call), CAP_OK, "sendTo");
	call = plain();
	call.timeout_ns = 5000 * MILLISECOND;
	tap_equal(udp_socket_recv_from(b, &receive, &got, &call), CAP_OK, "recvFrom");
	tap_ok(got.data.len == 5 && memcmp(got.data.ptr, "datag", 5) == 0,
	       "cut to what was asked for");
	tap_ok(got.port == 7001 && got.addr.len == 4 && memcmp(got.addr.ptr, loopback, 4) == 0,
	       "from whom");
	call = plain();
	call.timeout_ns = 20 * MILLISECOND;
	tap_equal(udp_socket_recv_from(b, &receive, &got, &call), CAP_ETIMEDOUT,
	          "the rest is gone");
	cap_release(a);
	cap_release(b);
	tap_equal(udp_on(network, 7001, &a), CAP_OK, "the port is free again");
	cap_release(a);
}

/* ---- Attenuation ---- */

static int restricted(cap_t manager, const struct network_grant *grants, uint32_t count,
                      cap_t *out_cap)
{
	struct capos_call call = plain();
	struct network_manager_restrict_params in = {.grants = {.count = count, .items = grants}};
	struct network_manager_restrict_results out;
	int result = network_manager_restrict(manager, &in, &out, &call);

	*out_cap = result ? CAP_NULL : received(&call, out.manager_index);
	return result;
}

static void test_restrict(void)
{
	struct network_grant some[] = {
	        {.which = NETWORK_GRANT_CONNECT, .connect = {MSG_TEXT("127.0.0.1"), PORT}},
	        {.which = NETWORK_GRANT_LISTEN, .listen = PORT},
	};
	struct network_grant all = {.which = NETWORK_GRANT_ALL};
	struct network_grant wrong = {.which = NETWORK_GRANT_CONNECT,
	                              .connect = {MSG_TEXT("no host!"), 1}};
	struct network_grant unknown = {.which = 99};
	cap_t less, more, none, listener;

	tap_equal(restricted(network, some, 2, &less), CAP_OK, "restrict");
	tap_equal(restricted(less, &all, 1, &more), CAP_OK, "restrict what is restricted");
	tap_equal(restricted(network, &wrong, 1, &none), STATUS_INVALID_ARGUMENT,
	          "a host that is none");
	tap_equal(restricted(network, &unknown, 1, &none), STATUS_INVALID_ARGUMENT,
	          "a grant that is not known");
	tap_equal(udp_on(more, 7003, &none), STATUS_ACCESS_DENIED, "never widens");
	tap_equal(listen_on(more, PORT + 1, &none), STATUS_ACCESS_DENIED, "another port");
	tap_equal(listen_on(more, PORT, &listener), CAP_OK, "the port that was granted");
	tap_equal(connect_to(more, loopback, 4, PORT, &none), CAP_OK, "the peer that was granted");
	cap_release(none);
	tap_equal(connect_to(less, loopback, 4, PORT + 1, &none), STATUS_ACCESS_DENIED,
	          "its other ports are not");
	tap_equal(connect_to(less, (uint8_t[]){10, 0, 2, 2}, 4, PORT, &none), STATUS_ACCESS_DENIED,
	          "nor are other hosts");
	cap_release(less); /* the other one holds on to what it came from */
	tap_equal(connect_to(more, (uint8_t[]){10, 0, 2, 2}, 4, PORT, &none), STATUS_ACCESS_DENIED,
	          "when the first is gone, too");
	cap_release(more);
	cap_release(listener);
	tap_equal(restricted(network, NULL, 0, &less), CAP_OK, "without any grant");
	tap_equal(connect_to(less, loopback, 4, PORT, &none), STATUS_ACCESS_DENIED,
	          "nothing is allowed");
	cap_release(less);
}

static void test_authorities(void)
{
	struct network_manager_connect_authority_params host = {.host = MSG_TEXT("localhost"),
	                                                        .port = PORT};
	struct network_manager_connect_authority_results host_out;
	struct network_manager_listen_authority_params port = {.port = PORT};
	struct network_manager_listen_authority_results port_out;
	struct tcp_listen_authority_listen_results listen_out;
	struct tcp_connect_authority_connect_params connect_in = {};
	struct tcp_connect_authority_connect_results connect_out;
	struct capos_call call = plain();
	cap_t may_connect, may_listen, listener, client = CAP_NULL, server;

	tap_equal(network_manager_connect_authority(network, &host, &host_out, &call), CAP_OK,
	          "connectAuthority");
	may_connect = received(&call, host_out.authority_index);
	call = plain();
	tap_equal(network_manager_listen_authority(network, &port, &port_out, &call), CAP_OK,
	          "listenAuthority");
	may_listen = received(&call, port_out.authority_index);
	call = plain();
	tap_equal(tcp_listen_authority_listen(may_listen, &listen_out, &call), CAP_OK,
	          "listens on its port");
	listener = received(&call, listen_out.listener_index);
	call = plain();
	tap_equal(tcp_connect_authority_connect(may_connect, &connect_in, &connect_out, &call),
	          CAP_OK, "connects to any address of its host");
	client = received(&call, connect_out.socket_index);
	tap_equal(accept_from(listener, 5000 * MILLISECOND, &server), CAP_OK, "and is accepted");
	connect_in.addr = MSG_DATA(((uint8_t[]){127, 0, 0, 2}), 4);
	call = plain();
	tap_equal(tcp_connect_authority_connect(may_connect, &connect_in, &connect_out, &call),
	          STATUS_ACCESS_DENIED, "but not to another one");
	cap_release(client);
	cap_release(server);
	cap_release(listener);
	cap_release(may_connect);
	cap_release(may_listen);
}

/* ---- Channels ---- */

static int open_channel(cap_t *socket, cap_t *server, struct channel *channel,
                        struct capos_call *call)
{
	struct capos_send_cap wake = {.cap = event, .rights = CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY};
	struct network_manager_open_tcp_params in = {.wake_index = 0, .wake_bits = 1};
	struct network_manager_open_tcp_results out;
	const uint64_t size = CHANNEL_MEMORY_SIZE(256u << 10, 128u << 10);
	void *memory;
	int result;

	*call = plain();
	call->send_caps = &wake;
	call->send_ncaps = 1;
	result = network_manager_open_tcp(network, &in, &out, call);
	if (result)
		return result;
	*socket = call->caps[out.socket_index];
	result = cap_memory_map(call->caps[out.channel.memory_index], 0, size,
	                        CAP_RIGHT_READ | CAP_RIGHT_WRITE, &memory);
	if (!result)
		result = channel_open(channel, memory, size);
	cap_release(call->caps[out.channel.memory_index]);
	*server = call->caps[out.channel.event_index];
	return result;
}

/* Sockets whose channels are full of garbage, many at a time. */
static void test_garbage(void)
{
	struct tcp_socket_connect_params to = {.addr = MSG_DATA(loopback, 4), .port = PORT};
	struct channel channels[FLOODS];
	struct capos_call call;
	cap_t sockets[FLOODS], events[FLOODS], listener, client, server;
	unsigned opened = 0;
	uint32_t noise = 1;
	const uint8_t *data;

	tap_equal(listen_on(network, PORT, &listener), CAP_OK, "listen");
	pair(listener, &client, &server);
	while (opened < FLOODS &&
	       open_channel(&sockets[opened], &events[opened], &channels[opened], &call) == CAP_OK)
		opened++;
	tap_equal(opened, FLOODS, "many channels");
	for (unsigned i = 0; i < opened; i++) {
		uint32_t *words = (uint32_t *)channels[i].shared;

		if (i % 2)
			tcp_socket_connect(sockets[i], &to, NULL);
		for (unsigned n = 0; n < 128; n++)
			words[n] = (noise = noise * 1664525 + 1013904223);
		tcp_socket_connect(sockets[i], &to, NULL);
		cap_signal(events[i], UINT64_MAX); /* all of netstack's bits */
	}
	tap_equal(send_bytes(client, "still fine", 10), 10, "others do not notice");
	tap_equal(receive_bytes(server, 100, 5000 * MILLISECOND, &data), 10, "at all");
	for (unsigned i = 0; i < opened; i++) {
		cap_release(sockets[i]);
		cap_release(events[i]);
		cap_memory_unmap(channels[i].shared, channels[i].memory_size);
	}
	close_socket(client);
	close_socket(server);
	cap_release(listener);
}

/* Messages that are none, to every method of every object: an error each, and nothing else. */
static void test_wild_messages(void)
{
	static const uint64_t interfaces[] = {NETWORK_MANAGER_INTERFACE, TCP_SOCKET_INTERFACE,
	                                      UDP_SOCKET_INTERFACE, DNS_RESOLVER_INTERFACE};
	cap_t objects[4] = {network, CAP_NULL, CAP_NULL, start_cap("resolver")}, listener, none;
	uint32_t noise = 7, wrong = 0;

	listen_on(network, PORT, &listener);
	connect_to(network, loopback, 4, PORT, &objects[1]);
	udp_on(network, 7004, &objects[2]);
	for (unsigned round = 0; round < 2000; round++) {
		unsigned which = round % 4;
		struct capos_call call = plain();
		uint32_t length = (noise >> 8) % 96 / 8 * 8, reply;
		int result;

		for (uint32_t i = 0; i < length; i++)
			buffer[i] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24 &
			                      (i % 3 ? 0xff : 7));
		call.timeout_ns = 10 * MILLISECOND;
		result = cap_call(objects[which], interfaces[which], (uint16_t)(noise >> 16) % 16,
		                  length, &call, &reply);
		wrong += result == CAP_EGONE;
		for (uint32_t i = 0; i < call.ncaps; i++)
			cap_release(call.caps[i]);
	}
	tap_equal(wrong, 0, "wild messages do not end netstack");
	for (unsigned i = 1; i < 3; i++)
		cap_release(objects[i]);
	cap_release(listener);
	tap_equal(connect_to(network, loopback, 4, PORT + 9, &none), STATUS_CONNECTION_REFUSED,
	          "it still answers");
}

/* ---- Names ---- */

static int resolve(const char *name, uint16_t family, struct dns_resolver_resolve_results *out)
{
	static struct capos_call call;
	struct dns_resolver_resolve_params in = {
	        .name = {.ptr = name, .len = (uint32_t)strlen(name)}, .family = family};

	call = plain();
	return dns_resolver_resolve(start_cap("resolver"), &in, out, &call);
}

static void test_names(void)
{
	struct dns_resolver_resolve_results out;
	struct msg_data address = {0};

	tap_equal(resolve("localhost", IP_ADDRESS_FAMILY_IPV4, &out), CAP_OK, "resolve");
	tap_ok(out.addresses.count == 1 && msg_list_data(&out.addresses, 0, &address) == CAP_OK &&
	               address.len == 4 && memcmp(address.ptr, loopback, 4) == 0,
	       "this host");
	tap_equal(resolve("10.1.2.3", IP_ADDRESS_FAMILY_UNSPECIFIED, &out), CAP_OK,
	          "an address in text");
	tap_equal(resolve("localhost", IP_ADDRESS_FAMILY_IPV6, &out), STATUS_NO_DATA, "no IPv6");
	tap_equal(resolve("no host", IP_ADDRESS_FAMILY_IPV4, &out), STATUS_INVALID_ARGUMENT,
	          "not a name");
	tap_equal(resolve("", IP_ADDRESS_FAMILY_IPV4, &out), STATUS_INVALID_ARGUMENT,
	          "nor is nothing");
	tap_equal(resolve("localhost", 7, &out), STATUS_INVALID_ARGUMENT, "nor a family");
}

int main(void)
{
	tap_start(start_cap("log"));
	network = start_cap("network");
	cap_event_create(&event);
	for (uint32_t i = 0; i < LARGE; i++)
		pattern[i] = (uint8_t)(i * 31 + i / 256);
	test_addresses();
	test_tcp();
	test_backpressure();
	test_udp();
	test_restrict();
	test_authorities();
	test_garbage();
	test_wild_messages();
	test_names();
	return tap_finish() ? 1 : 0;
}
