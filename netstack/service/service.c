/* SPDX-License-Identifier: MIT */
/*
 * The server: dispatch by interface and word, releases and cancels, and the loop's turns between
 * calls.
 */
#include "netstack/lwip/handshake.h"
#include "netstack/lwip/platform.h"
#include "netstack/service/service.h"
#include "netstack/service/service_call.h"
#include "netstack/service/service_datagram.h"
#include "netstack/service/service_driver.h"
#include "netstack/service/service_holder.h"
#include "netstack/service/service_manager.h"
#include "netstack/service/service_resolver.h"
#include "netstack/service/service_session.h"
#include "netstack/service/service_socket.h"
#include "netstack/service/service_tcp.h"
#include "netstack/socket/loop.h"
#include "netstack/socket/tcp_listen.h"

/* Words of the manifest's exports. */
#define WORD_NETWORK  1u
#define WORD_RESOLVER 2u
/* Turns of the loop between two looks at calls. */
#define TURNS_MAX 8u

/* ---- Calls ---- */

static int call_socket(struct server_call *call)
{
	struct socket *s = socket_of_word(call->object);

	if (!s || service_interface(s) != call->interface)
		return STATUS_CLOSED;
	socket_sends(s);
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

static void on_release(struct server *server, uint64_t object)
{
	struct holder *h = holder_of_word(object);
	struct socket *s = h || (object & 0xff) ? NULL : socket_of_word(object);

	(void)server;
	if (object & WORD_SESSION_BIT) {
		session_close(object);
	} else if (h) {
		holder_release(h);
	} else if (s) {
		service_close(s);
	}
}

static void on_cancel(struct server *server, uint64_t call_id)
{
	struct socket *s;

	(void)server;
	if (service_network_cancel(call_id) || service_resolver_cancel(call_id))
		return;
	for (unsigned n = 0; (s = socket_next(&n));) {
		for (int i = 0; i < WAIT_COUNT; i++) {
			if (!s->calls[i].waiting || s->calls[i].call_id != call_id)
				continue;
			s->calls[i].waiting = false;
			if (i == WAIT_CONNECT && s->makes_object)
				service_close(s); /* no capability to it was made */
			return;
		}
	}
}

static void on_progress(struct socket *s)
{
	if (s->kind == SOCKET_TCP)
		service_tcp_progress(s);
	else
		service_datagram_progress(s);
}

/* ---- Loop ---- */

static void on_event(struct server *server, uint64_t bits)
{
	(void)server; /* frames are looked for in every turn */
	driver_check(bits);
	socket_woken(bits);
}

static void earlier(uint64_t *deadline, uint64_t other)
{
	if (other < *deadline)
		*deadline = other;
}

static uint64_t on_idle(struct server *server)
{
	uint64_t deadline, now;
	unsigned turns = 0;

	(void)server;
	while (loop_turn() && ++turns < TURNS_MAX)
		;
	loop_flush();
	service_network_progress();
	if (turns == TURNS_MAX || loop_arm())
		return 0;
	deadline = loop_deadline();
	earlier(&deadline, service_network_deadline());
	earlier(&deadline, service_linger_deadline());
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
