/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets that listen, and the connections that wait to be accepted.  Until it is accepted, a
 * connection has no channel and costs its listener's program no memory: what its peer sends stays
 * in a few pbufs of lwIP's heap, behind a window of EARLY_WINDOW bytes.  So a program that never
 * accepts, and peers that send to it, use up a bounded part of memory that netstack has had since
 * its start.
 */
#include <capos/schema/status.h>

#include "netstack/lwip/handshake.h"
#include "netstack/lwip/heap.h"
#include "netstack/lwip/random.h"
#include "netstack/socket/tcp_listen.h"
#include "netstack/socket/tcp_open.h"
#include "netstack/socket/tcp_stream.h"

#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

/* Connections that wait to be accepted, of one listener.  Programs ask for as few as 5, written
 * when memory was dear; a burst of that size makes peers wait a second for their next SYN. */
#define BACKLOG_LEAST 32u
#define BACKLOG_MOST  256u
/* Received buffers of one connection that waits; all together hold at most a third of the heap's
 * received frames (heap.c). */
#define EARLY_BUFFERS 8u

static uint32_t early_buffers; /* of all connections */

/* lwIP's extra argument of control blocks, of which lwIP has one: for on_passive_open alone. */
#define PASSIVE_OPEN 0

/* ---- What arrives before accept ---- */

/* lwIP: data for a connection that waits, or (p NULL) its FIN.  Data that is refused stays with
 * lwIP, which offers it again and drops what follows it. */
static err_t on_early(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct socket *s = arg;
	uint32_t count;

	(void)pcb, (void)error;
	if (!p) {
		s->tcp.fin_received = true;
		socket_set_status(s, CHANNEL_EOF, 0);
		return ERR_OK;
	}
	count = pbuf_clen(p);
	if (s->tcp.early_buffers + count > EARLY_BUFFERS ||
	    early_buffers + count > heap_quota(HEAP_FRAME) / 3)
		return ERR_MEM;
	s->tcp.early_buffers += count;
	early_buffers += count;
	if (s->tcp.early)
		pbuf_cat(s->tcp.early, p);
	else
		s->tcp.early = p;
	return ERR_OK;
}

static void drop_early(struct socket *s)
{
	if (s->tcp.early)
		pbuf_free(s->tcp.early);
	early_buffers -= s->tcp.early_buffers;
	s->tcp.early = NULL;
	s->tcp.early_buffers = 0;
}

/* The accepted connection's channel is new and holds it all. */
static void deliver_early(struct socket *s)
{
	for (struct pbuf *p = s->tcp.early; p; p = p->next)
		s->tcp.receive_held += queue_put(&s->channel.receive, p->payload, p->len);
	s->publish_receive = true;
	drop_early(s);
}

/* lwIP: a SYN has come, and is about to be answered with this window. */
static err_t on_passive_open(u8_t id, struct tcp_pcb_listen *listener, struct tcp_pcb *pcb)
{
	(void)id, (void)listener;
	pcb->rcv_wnd = pcb->rcv_ann_wnd = EARLY_WINDOW;
	return ERR_OK;
}

/* ---- The queue of connections ---- */

static void append_pending(struct socket *listener, struct socket *s)
{
	struct tcp_socket *t = &listener->tcp;

	s->tcp.listener = listener;
	if (t->pending_last)
		t->pending_last->tcp.pending_next = s;
	else
		t->pending = s;
	t->pending_last = s;
	t->npending++;
}

static struct socket *take_pending(struct socket *listener)
{
	struct tcp_socket *t = &listener->tcp;
	struct socket *taken = t->pending;

	t->pending = taken->tcp.pending_next;
	if (!t->pending)
		t->pending_last = NULL;
	t->npending--;
	taken->tcp.pending_next = taken->tcp.listener = NULL;
	return taken;
}

static void publish_pending(struct socket *listener)
{
	struct channel_shared *shared = listener->channel.shared;

	atomic_store(&shared->pending, listener->tcp.npending);
	/* Before the look at what the program asked for. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&shared->client_wants_status) &&
	    atomic_exchange(&shared->client_wants_status, 0))
		listener->wake = true;
	socket_mark(listener);
}

/* lwIP: a peer has connected. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct socket *listener = arg, *s;

	if (error != ERR_OK || !pcb || !listener)
		return ERR_VAL;
	if (socket_create_waiting(listener->policy, &s) != STATUS_OK)
		return ERR_MEM; /* lwIP resets the connection */
	s->options = listener->options;
	tcp_stream_adopt(s, pcb);
	tcp_recv(pcb, on_early);
	tcp_stream_established(s);
	append_pending(listener, s);
	publish_pending(listener);
	return ERR_OK;
}

/* ---- Listening ---- */

bool tcp_listener_full(const void *listener)
{
	const struct socket *s = listener;

	return s->tcp.npending >= s->tcp.backlog;
}

static bool may_listen(const struct socket *s)
{
	uint16_t port = s->local.port;

	return policy_listen(s->policy, port) ||
	       (port >= EPHEMERAL_FIRST && policy_listen(s->policy, 0));
}

/* lwIP's control block becomes a smaller one. */
static int make_listener(struct socket *s)
{
	static const struct tcp_ext_arg_callbacks callbacks = {.passive_open = on_passive_open};
	struct tcp_socket *t = &s->tcp;
	struct tcp_pcb *listening;
	err_t error;

	/* Connections that are only being made give way to established ones. */
	tcp_setprio(t->pcb, TCP_PRIO_MIN);
	tcp_err(t->pcb, NULL);
	/* lwIP counts half-open connections alone, which handshake.c bounds. */
	listening = tcp_listen_with_backlog_and_err(t->pcb, UINT8_MAX, &error);
	if (!listening) {
		tcp_stream_adopt(s, t->pcb);
		return error == ERR_USE ? STATUS_ADDRESS_IN_USE : STATUS_NO_BUFFERS;
	}
	t->pcb = listening;
	tcp_arg(listening, s);
	tcp_accept(listening, on_accept);
	tcp_ext_arg_set_callbacks(listening, PASSIVE_OPEN, &callbacks);
	return STATUS_OK;
}

int tcp_socket_listen(struct socket *s, uint32_t backlog)
{
	struct tcp_socket *t = &s->tcp;
	int status;

	backlog = backlog < BACKLOG_LEAST ? BACKLOG_LEAST : backlog;
	backlog = backlog > BACKLOG_MOST ? BACKLOG_MOST : backlog;
	if (t->phase != TCP_LISTENING) {
		if (t->phase != TCP_IDLE)
			return STATUS_INVALID_ARGUMENT;
		if (!may_listen(s))
			return STATUS_ACCESS_DENIED;
		status = tcp_socket_bind_any(s);
		if (!status)
			status = make_listener(s);
		if (status)
			return status;
	}
	t->phase = TCP_LISTENING;
	t->backlog = backlog;
	socket_set_status(s, CHANNEL_LISTENING, 0);
	return STATUS_OK;
}

int tcp_socket_accept(struct socket *s, struct socket **out)
{
	struct socket *taken = s->tcp.pending;
	int status;

	if (s->tcp.phase != TCP_LISTENING)
		return STATUS_INVALID_ARGUMENT;
	if (!taken)
		return STATUS_WOULD_BLOCK;
	status = socket_make_channel(taken);
	if (status)
		return status; /* it goes on waiting */
	(void)take_pending(s);
	deliver_early(taken);
	tcp_stream_accepted(taken);
	publish_pending(s);
	*out = taken;
	return STATUS_OK;
}

void tcp_socket_close_listener(struct socket *s)
{
	while (s->tcp.pending) {
		struct socket *pending = take_pending(s);

		tcp_stream_abort(pending);
		drop_early(pending);
		socket_destroy(pending);
	}
	tcp_stream_disown(s->tcp.pcb);
	tcp_close(s->tcp.pcb);
	s->tcp.pcb = NULL;
}

void tcp_socket_stop_listening(struct socket *s)
{
	tcp_socket_close_listener(s);
	s->tcp.phase = TCP_IDLE;
	s->local = (struct endpoint){0};
	publish_pending(s);
	socket_set_status(s, 0, CHANNEL_LISTENING);
}
