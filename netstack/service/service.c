/* SPDX-License-Identifier: MIT */
/*
 * The server: dispatch by interface and word, releases and cancels, and the loop's turns between
 * calls.
 */
#include <string.h>

#include <capos/log.h>

#include "netstack/socket/datagram.h"
#include "netstack/lwip/handshake.h"
#include "netstack/lwip/loop.h"
#include "netstack/lwip/platform.h"
#include "netstack/service/service.h"
#include "netstack/socket/tcp.h"

#define HOLDERS_MAX 192u
/* Low byte of an object's word: sockets have 0. */
#define WORD_HOLDER 0x80u
/* Turns of the loop before calls get a look in. */
#define TURNS_MAX 8u

struct server service;
static struct holder holders[HOLDERS_MAX];
static _Alignas(8) uint8_t message_buffer[CAPOS_MESSAGE_MAX];

/* ---- Objects ---- */

static uint64_t holder_word(const struct holder *h)
{
	return (uint64_t)h->generation << 32 | (uint64_t)(h - holders) << SOCKET_WORD_SHIFT |
	       WORD_HOLDER;
}

static struct holder *holder_of_word(uint64_t word)
{
	uint64_t slot = (word & UINT32_MAX) >> SOCKET_WORD_SHIFT;

	if ((word & 0xff) != WORD_HOLDER || slot >= HOLDERS_MAX || !holders[slot].used ||
	    holders[slot].generation != word >> 32)
		return NULL;
	return &holders[slot];
}

int holder_give(struct server_call *call, uint64_t interface, struct policy *policy, uint16_t port,
                uint16_t *index)
{
	struct holder *h = holders;
	int position;

	while (h < holders + HOLDERS_MAX && h->used)
		h++;
	if (h == holders + HOLDERS_MAX) {
		policy_put(policy);
		return STATUS_NO_BUFFERS;
	}
	*h = (struct holder){.used = true,
	                     .generation = (h->generation + 1) & SOCKET_GENERATION_MAX,
	                     .interface = interface,
	                     .policy = policy,
	                     .port = port};
	position = server_give_object(call, interface, holder_word(h));
	if (position < 0) {
		h->used = false;
		policy_put(policy);
		return STATUS_NO_MEMORY;
	}
	*index = (uint16_t)position;
	return STATUS_OK;
}

uint64_t service_interface(const struct socket *s)
{
	switch (s->kind) {
	case SOCKET_TCP:
		return s->listener_object ? TCP_LISTENER_INTERFACE : TCP_SOCKET_INTERFACE;
	case SOCKET_UDP:
		return UDP_SOCKET_INTERFACE;
	default:
		return RAW_SOCKET_INTERFACE;
	}
}

static int call_socket(struct server_call *call)
{
	struct socket *s = socket_of_word(call->object);

	if (!s || service_interface(s) != call->interface)
		return STATUS_CLOSED;
	switch (call->interface) {
	case TCP_SOCKET_INTERFACE:
		return tcp_socket_dispatch(&tcp_ops, s, &call->msg);
	case TCP_LISTENER_INTERFACE:
		return tcp_listener_dispatch(&listener_ops, s, &call->msg);
	case UDP_SOCKET_INTERFACE:
		return udp_socket_dispatch(&udp_ops, s, &call->msg);
	default:
		return raw_socket_dispatch(&raw_ops, s, &call->msg);
	}
}

static int call_holder(struct server_call *call)
{
	struct holder *h = holder_of_word(call->object);

	if (!h || h->interface != call->interface)
		return STATUS_INVALID_ARGUMENT;
	switch (call->interface) {
	case NETWORK_MANAGER_INTERFACE:
		return network_manager_dispatch(&manager_ops, h->policy, &call->msg);
	case TCP_CONNECT_AUTHORITY_INTERFACE:
		return tcp_connect_authority_dispatch(&connect_authority_ops, h, &call->msg);
	default:
		return tcp_listen_authority_dispatch(&listen_authority_ops, h, &call->msg);
	}
}

/* A session that is not open yet: init opens it as soon as it can. */
static int call_session(struct server_call *call)
{
	struct policy *policy = session_policy(call->object);

	if (!policy)
		return server_hold(call);
	if (call->interface != NETWORK_MANAGER_INTERFACE)
		return STATUS_INVALID_ARGUMENT;
	return network_manager_dispatch(&manager_ops, policy, &call->msg);
}

static int on_call(struct server *server, struct server_call *call)
{
	(void)server;
	if (call->object & WORD_SESSION_BIT)
		return call_session(call);
	if (call->object == WORD_NETWORK && call->interface == NETWORK_MANAGER_INTERFACE)
		return network_manager_dispatch(&manager_ops, policy_root(), &call->msg);
	if (call->object == WORD_RESOLVER && call->interface == DNS_RESOLVER_INTERFACE)
		return dns_resolver_dispatch(&resolver_ops, NULL, &call->msg);
	if ((call->object & 0xff) == WORD_HOLDER)
		return call_holder(call);
	return call_socket(call);
}

void service_close(struct socket *s)
{
	for (int i = 0; i < WAIT_COUNT; i++)
		if (s->calls[i].waiting)
			service_answer(s, (enum socket_wait)i, STATUS_CLOSED, NULL, NULL, 0);
	if (s->kind == SOCKET_TCP)
		tcp_socket_close(s);
	else
		datagram_close(s);
}

static void on_release(struct server *server, uint64_t object)
{
	struct holder *h = holder_of_word(object);
	struct socket *s = h || (object & 0xff) ? NULL : socket_of_word(object);

	(void)server;
	if (object & WORD_SESSION_BIT) {
		session_close(object);
	} else if (h) {
		h->used = false;
		policy_put(h->policy);
	} else if (s) {
		service_close(s);
	}
}

static void on_cancel(struct server *server, uint64_t call_id)
{
	struct socket *s;

	(void)server;
	if (service_network_cancel(call_id))
		return;
	for (unsigned n = 0; (s = socket_next(&n));) {
		for (int i = 0; i < WAIT_COUNT; i++) {
			if (!s->calls[i].waiting || s->calls[i].call_id != call_id)
				continue;
			s->calls[i].waiting = false;
			if (i == WAIT_CONNECT && s->makes_object)
				service_close(s); /* nobody will ever have it */
			return;
		}
	}
}

/* ---- Calls that wait ---- */

int service_wait(struct msg_call *call, struct socket *s, enum socket_wait kind, uint32_t argument,
                 uint64_t deadline)
{
	struct server_pending pending;

	if (s->calls[kind].waiting)
		return STATUS_BUSY; /* one at a time */
	pending = server_defer(server_call_of(call));
	s->calls[kind] = (struct socket_call){.waiting = true,
	                                      .call_id = pending.call_id,
	                                      .reply_size = pending.recv_len,
	                                      .argument = argument,
	                                      .deadline = deadline};
	return MSG_DEFERRED;
}

void service_message(struct msg_builder *builder, uint32_t size)
{
	msg_builder_init(builder, message_buffer,
	                 size < sizeof(message_buffer) ? size : sizeof(message_buffer));
}

void service_answer(struct socket *s, enum socket_wait kind, int status,
                    const struct msg_builder *message, const struct capos_send_cap *caps,
                    uint32_t ncaps)
{
	struct socket_call *c = &s->calls[kind];
	struct server_pending pending = {.call_id = c->call_id, .recv_len = c->reply_size};

	c->waiting = false;
	if (!status && message && message->error)
		status = STATUS_MESSAGE_TOO_LONG;
	server_answer(&service, pending, status, message ? message->base : NULL,
	              message ? msg_builder_length(message) : 0, caps, ncaps);
}

static void on_progress(struct socket *s)
{
	if (s->kind == SOCKET_TCP)
		service_tcp_progress(s);
	else
		service_datagram_progress(s);
}

/* ---- Parameters ---- */

int service_address(const struct msg_data *data, ip4_addr_t *out, bool *unspecified)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	*unspecified = data->len == 0;
	out->addr = 0;
	switch (data->len) {
	case 0:
		return STATUS_OK;
	case 4:
		memcpy(&out->addr, data->ptr, 4);
		return STATUS_OK;
	case 16: /* an IPv4 address in IPv6's clothes (RFC 4291, 2.5.5.2) is one */
		if (memcmp(data->ptr, mapped, sizeof(mapped)) != 0)
			return STATUS_ADDRESS_FAMILY;
		memcpy(&out->addr, data->ptr + sizeof(mapped), 4);
		return STATUS_OK;
	default:
		return STATUS_MALFORMED_ADDRESS;
	}
}

struct msg_data service_address_data(const ip4_addr_t *address)
{
	return MSG_DATA(&address->addr, 4);
}

/* ---- Loop ---- */

static void on_event(struct server *server, uint64_t bits)
{
	(void)server; /* frames are looked for in every turn */
	platform_check_driver(bits);
	socket_woken(bits);
}

static uint64_t on_idle(struct server *server)
{
	uint64_t deadline, other, now;
	unsigned turns = 0;

	(void)server;
	while (loop_turn() && ++turns < TURNS_MAX)
		;
	loop_flush();
	service_network_progress();
	if (turns == TURNS_MAX || loop_arm())
		return 0;
	deadline = loop_deadline();
	other = service_network_deadline();
	if (other < deadline)
		deadline = other;
	if (deadline == UINT64_MAX)
		return CAPOS_FOREVER;
	now = platform_now();
	return deadline > now ? deadline - now : 0;
}

const struct server_ops service_ops = {
        .call = on_call,
        .release = on_release,
        .cancel = on_cancel,
        .event = on_event,
        .idle = on_idle,
};

void service_start(void)
{
	socket_on_progress(on_progress);
	handshake_on_full(tcp_listener_full);
	loop_on_network(service_network_progress);
}
