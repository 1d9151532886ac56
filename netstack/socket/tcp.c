/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets: what they do when marked, and how they end.  A socket whose object is gone (closed)
 * is freed here, by tcp_socket_work(), and nowhere else.
 */
#include <capos/schema/status.h>

#include "netstack/lwip/platform.h"
#include "netstack/socket/resolver.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_listen.h"
#include "netstack/socket/tcp_open.h"
#include "netstack/socket/tcp_stream.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

bool tcp_all_settled(void)
{
	unsigned i = 0;

	for (struct socket *s; (s = socket_next(&i));)
		if (s->closed && s->kind == SOCKET_TCP && !tcp_stream_flushed(s))
			return false;
	/* After tcp_close() the socket is freed; lwIP waits for the FIN's
	 * acknowledgement. */
	for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		if (pcb->state == FIN_WAIT_1 || pcb->state == CLOSING || pcb->state == LAST_ACK)
			return false;
	return true;
}

/* Frees a closed socket that has nothing left to send. */
static bool free_if_finished(struct socket *s)
{
	if (!s->closed || !tcp_stream_flushed(s))
		return false;
	tcp_stream_release(s); /* the FIN is out: only TIME_WAIT and the like are left */
	socket_destroy(s);
	return true;
}

void tcp_socket_work(struct socket *s)
{
	if (!socket_has_channel(s))
		return; /* waits to be accepted */
	tcp_stream_work(s);
	if (s->channel.receive.broken || s->channel.send.broken)
		tcp_stream_break(s);
	if (free_if_finished(s))
		return;
	if (s->by_message)
		socket_publish(s);
	socket_progress(s);
}

int tcp_socket_shutdown(struct socket *s, bool receive, bool send)
{
	if (s->tcp.phase == TCP_LISTENING && receive) {
		tcp_socket_stop_listening(s);
		return STATUS_OK;
	}
	if (s->tcp.phase == TCP_RESOLVING || s->tcp.phase == TCP_CONNECTING) {
		tcp_socket_end_connect(s, STATUS_CONNECTION_RESET);
		return STATUS_OK;
	}
	if (s->tcp.phase != TCP_OPEN)
		return STATUS_NOT_CONNECTED;
	if (receive) {
		s->tcp.receive_shut = true;
		socket_set_status(s, CHANNEL_EOF, 0);
	}
	if (send) {
		s->tcp.send_shut = true;
		socket_set_status(s, CHANNEL_CLOSED, 0);
	}
	socket_mark(s);
	return STATUS_OK;
}

void tcp_socket_close(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;

	s->closed = true;
	resolver_cancel(s);
	if (t->phase == TCP_LISTENING) {
		tcp_socket_close_listener(s);
	} else if (t->phase == TCP_OPEN && t->pcb) {
		if (tcp_stream_unread(s) || s->options.linger == 0) {
			tcp_stream_abort(s);
		} else {
			t->send_shut = true;
			t->deadline = platform_now() + TCP_ORPHAN_NS;
			tcp_stream_send(s);
		}
	} else if (t->pcb) { /* SYN sent, or only bound: no peer to inform */
		tcp_stream_disown(t->pcb);
		tcp_close(t->pcb);
		t->pcb = NULL;
	}
	socket_mark(s); /* and be freed when nothing is left to do */
}
