/* SPDX-License-Identifier: MIT */
/*
 * The order of work: time, frames, then the sockets that either of them (or a program) marked. Each
 * step is bounded, so that calls are answered under any load.
 */
#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "netstack/lwip/timers.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/loop.h"
#include "netstack/socket/resolver.h"
#include "netstack/socket/socket.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_open.h"

#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"

#define FRAMES_PER_TURN 64u

static void (*on_network)(void);

void loop_on_network(void (*changed)(void))
{
	on_network = changed;
}

static void mark_datagram_sockets(void)
{
	struct socket *s;

	for (unsigned i = 0; (s = socket_next(&i));)
		if (s->kind != SOCKET_TCP)
			socket_mark(s);
}

/* All that waits for an address is tried again. */
static void network_changed(void)
{
	struct socket *s;

	resolver_forget();
	policy_forget_addresses();
	for (unsigned i = 0; (s = socket_next(&i));)
		tcp_socket_network_changed(s);
	mark_datagram_sockets();
	if (on_network)
		on_network();
}

/* Ends waits for an address that have lasted too long. */
static void end_waits(void)
{
	uint64_t now = platform_now();
	struct socket *s;

	for (unsigned i = 0; (s = socket_next(&i));) {
		if (s->kind == SOCKET_TCP && tcp_socket_deadline(s) <= now)
			tcp_socket_timeout(s);
		else if (s->kind != SOCKET_TCP && datagram_deadline(s) <= now)
			socket_mark(s);
	}
	if (on_network)
		on_network();
}

static void work(struct socket *s)
{
	socket_sends(s);
	if (s->kind == SOCKET_TCP)
		tcp_socket_work(s);
	else
		datagram_work(s);
}

bool loop_turn(void)
{
	unsigned frames, worked = 0;
	struct socket *s;

	socket_sends(NULL);
	timers_run();
	frames = nic_take_frames(FRAMES_PER_TURN);
	netif_poll_all();
	if (stack_changed())
		network_changed();
	else if (stack_state() == STACK_WAITING)
		end_waits();
	resolver_run();
	if (nic_was_starved()) {
		tcp_txnow();
		mark_datagram_sockets();
	}
	for (; worked < SOCKETS_MAX && (s = socket_take_marked()); worked++)
		work(s);
	socket_sends(NULL);
	netif_poll_all();
	return frames == FRAMES_PER_TURN || worked;
}

void loop_flush(void)
{
	socket_flush();
	nic_flush();
}

bool loop_arm(void)
{
	return nic_arm() || socket_any_marked();
}

uint64_t loop_deadline(void)
{
	uint64_t deadline = timers_deadline(), other = resolver_deadline();
	struct socket *s;

	if (other < deadline)
		deadline = other;
	if (stack_state() != STACK_WAITING)
		return deadline;
	for (unsigned i = 0; (s = socket_next(&i));) {
		other = s->kind == SOCKET_TCP ? tcp_socket_deadline(s) : datagram_deadline(s);
		if (other < deadline)
			deadline = other;
	}
	return deadline;
}
