/* SPDX-License-Identifier: MIT */
/*
 * An established connection: data between the channel's queues and lwIP.  Two rules hold here:
 *  - s->tcp.pcb is lwIP's control block as long as lwIP may make callbacks for it, and NULL from
 *    the moment it may be freed;
 *  - the channel's memory stays mapped while lwIP refers to it (send_taken > 0 and pcb set).
 */
#include <capos/schema/status.h>

#include "netstack/lwip/handshake.h"
#include "netstack/lwip/platform.h"
#include "netstack/socket/tcp_options.h"
#include "netstack/socket/tcp_stream.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define POLL_INTERVAL 2 /* lwIP's half seconds */
#define RTO_AFTER_SYN 6 /* half seconds, RFC 6298, 5.7 */

/* ---- Ends ---- */

void tcp_stream_disown(struct tcp_pcb *pcb)
{
	tcp_arg(pcb, NULL);
	if (pcb->state == LISTEN) {
		tcp_accept(pcb, NULL);
		return;
	}
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
}

/* Counts what lwIP holds of the connection's data now. */
static void count_buffers(struct socket *s)
{
	uint32_t now = s->tcp.pcb ? s->tcp.pcb->snd_queuelen : 0;

	policy_count_buffers(s->policy, (int32_t)(now - s->tcp.buffers));
	s->tcp.buffers = now;
}

/* Nothing moves on the connection any more. */
static void connection_closed(struct socket *s, int status)
{
	struct tcp_socket *t = &s->tcp;

	t->pcb = NULL;
	t->send_taken = 0;
	count_buffers(s);
	t->phase = TCP_CLOSED;
	if (status)
		socket_set_error(s, status);
	socket_set_status(s, CHANNEL_EOF | CHANNEL_CLOSED, CHANNEL_CONNECTING);
	socket_mark(s);
}

/* Both directions have ended and all was acknowledged: lwIP finishes the rest by itself. */
static void leave_if_finished(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;

	if (!t->pcb || !t->fin_sent || !t->fin_received || t->send_taken)
		return;
	tcp_stream_disown(t->pcb);
	connection_closed(s, STATUS_OK);
}

/* A RST, now.  Only outside of lwIP's callbacks for this connection; in them answer ERR_ABRT after
 * it. */
static void abort_connection(struct socket *s, int status)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	if (pcb) {
		tcp_stream_disown(pcb);
		connection_closed(s, status);
		tcp_abort(pcb);
	}
}

void tcp_stream_abort(struct socket *s)
{
	abort_connection(s, STATUS_OK);
}

void tcp_stream_break(struct socket *s)
{
	abort_connection(s, STATUS_CONNECTION_ABORTED);
}

/* ---- Receiving ---- */

static void open_window(struct tcp_pcb *pcb, uint32_t bytes)
{
	for (; bytes > UINT16_MAX; bytes -= UINT16_MAX)
		tcp_recved(pcb, UINT16_MAX);
	if (bytes)
		tcp_recved(pcb, (u16_t)bytes);
}

/*
 * Opens the window by what the queue has room for: what it can hold beyond the largest window (a
 * peer without window scaling uses 64 KiB of it) need not have been taken by the program, which
 * then is not waited for.
 */
static void update_window(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;
	struct queue *q = &s->channel.receive;
	uint32_t used = q->capacity - queue_writable(q), taken;
	uint32_t most = t->pcb ? TCP_WND_MAX(t->pcb) : TCP_WND;
	uint32_t beyond = q->capacity > most ? q->capacity - most : 0;
	uint32_t held = used > beyond ? used - beyond : 0;

	if (q->broken || held >= t->receive_held)
		return;
	taken = t->receive_held - held;
	t->receive_held = held;
	if (t->window_withheld > 0) {
		uint32_t kept =
		        taken < (uint32_t)t->window_withheld ? taken : (uint32_t)t->window_withheld;

		t->window_withheld -= (int32_t)kept;
		taken -= kept;
	}
	if (t->pcb)
		open_window(t->pcb, taken);
}

/* Asks to be woken when the program takes data, if the peer may soon have to wait for that. */
static void want_window(struct socket *s)
{
	struct queue *q = &s->channel.receive;
	tcpwnd_size_t most = TCP_WND_MAX(s->tcp.pcb);

	if (most > q->capacity)
		most = q->capacity;
	if (s->tcp.fin_received || s->tcp.receive_held < most / 2)
		return;
	queue_want_space(q);
	update_window(s); /* the second look */
}

static err_t received_fin(struct socket *s)
{
	s->tcp.fin_received = true;
	socket_set_status(s, CHANNEL_EOF, 0);
	leave_if_finished(s);
	return ERR_OK;
}

/*
 * Nagle's algorithm (RFC 9293, 3.7.4) holds a peer's next small write back until this one is
 * acknowledged.  With a program that answers, the acknowledgement goes with the answer; with one
 * that only receives, each such write would wait for lwIP's timer, a quarter of a second.
 */
static bool peer_may_wait(const struct socket *s, u16_t length)
{
	return length < tcp_mss(s->tcp.pcb) && !s->tcp.answers;
}

/* lwIP: data in order, or (p NULL) the peer's FIN. */
static err_t on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct socket *s = arg;
	u16_t length = p ? p->tot_len : 0;
	bool fits = true;

	(void)error;
	if (!p)
		return received_fin(s);
	if (s->closed) { /* data that no program will read: a RST, as after the program's end */
		pbuf_free(p);
		abort_connection(s, STATUS_OK);
		return ERR_ABRT;
	}
	if (s->tcp.receive_shut) {
		pbuf_free(p);
		tcp_recved(pcb, length);
		return ERR_OK;
	}
	for (struct pbuf *q = p; q && fits; q = q->next)
		fits = queue_put(&s->channel.receive, q->payload, q->len) == q->len;
	pbuf_free(p);
	if (!fits) { /* the window fits the queue: the program has moved an index back */
		abort_connection(s, STATUS_CONNECTION_ABORTED);
		return ERR_ABRT;
	}
	s->tcp.receive_held += length;
	s->publish_receive = true;
	/* One acknowledgement for all the frames that came together (acknowledge), as if they had
	 * been one: each more would cost both ends as much as a frame of data. */
	if (pcb->flags & TF_ACK_NOW || peer_may_wait(s, length)) {
		tcp_clear_flags(pcb, TF_ACK_NOW);
		tcp_set_flags(pcb, TF_ACK_DELAY);
		s->tcp.acknowledge = true;
	}
	s->tcp.answers = false;
	socket_mark(s);
	return ERR_OK;
}

static void acknowledge(struct socket *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	/* TF_ACK_DELAY gone: an acknowledgement went out meanwhile. */
	if (s->tcp.acknowledge && pcb && (pcb->flags & TF_ACK_DELAY)) {
		tcp_ack_now(pcb);
		tcp_output(pcb);
	}
	s->tcp.acknowledge = false;
}

/* ---- Sending ---- */

/* lwIP: the peer has acknowledged bytes. */
static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
	struct socket *s = arg;

	(void)pcb;
	queue_advance(&s->channel.send, length);
	s->tcp.send_taken -= length;
	count_buffers(s);
	s->publish_send = true;
	if (s->closed)
		s->tcp.deadline = platform_now() + TCP_ORPHAN_NS;
	leave_if_finished(s);
	socket_mark(s);
	return ERR_OK;
}

/* A reference to *count bytes for lwIP, or to one segment of them when memory is short for
 * all. */
static bool write_some(struct tcp_pcb *pcb, const void *data, uint32_t *count, bool more)
{
	u8_t flags = more ? TCP_WRITE_FLAG_MORE : 0;

	if (tcp_write(pcb, data, (u16_t)*count, flags) == ERR_OK)
		return true;
	if (*count <= tcp_mss(pcb))
		return false;
	*count = tcp_mss(pcb);
	return tcp_write(pcb, data, (u16_t)*count, flags) == ERR_OK;
}

/* Hands the queue's data to lwIP as far as that takes it.  True: all of it. */
static bool take_data(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;
	struct queue *q = &s->channel.send;
	uint32_t limit = (uint32_t)s->options.send_buffer;
	bool wrote = false, all = false;

	for (;;) {
		uint32_t count, most = tcp_sndbuf(t->pcb);
		const void *run = queue_read_run(q, t->send_taken, &count);
		bool more;

		if (!run) {
			all = !q->broken;
			break;
		}
		if (limit && limit - t->send_taken < most)
			most = t->send_taken < limit ? limit - t->send_taken : 0;
		if (most > 0xffff)
			most = 0xffff;
		/* With the account's buffers used up, one segment at a time. */
		if (!policy_has_buffers(s->policy) && most > tcp_mss(t->pcb))
			most = t->send_taken ? 0 : tcp_mss(t->pcb);
		if (!most)
			break;
		more = count > most;
		if (more)
			count = most;
		if (!write_some(t->pcb, run, &count, more))
			/* out of memory: again when something is acknowledged, or at the next
			 * poll */
			break;
		t->send_taken += count;
		count_buffers(s);
		wrote = true;
	}
	if (wrote) {
		t->answers = true;
		tcp_output(t->pcb);
	}
	return all;
}

static void send_fin(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;

	if (tcp_shutdown(t->pcb, 0, 1) != ERR_OK)
		return;
	t->fin_sent = true;
	leave_if_finished(s);
}

void tcp_stream_send(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;
	struct queue *q = &s->channel.send;

	if (!t->pcb || t->fin_sent || (t->pcb->state != ESTABLISHED && t->pcb->state != CLOSE_WAIT))
		return;
	while (take_data(s)) {
		if (t->send_shut) {
			send_fin(s);
			return;
		}
		queue_want_data(q);
		if (queue_readable(q) <= t->send_taken)
			break; /* the second look found nothing new */
	}
	if (q->broken)
		tcp_stream_break(s);
}

/* ---- lwIP's other calls ---- */

static int status_of_error(err_t error)
{
	switch (error) {
	case ERR_RST:
		return STATUS_CONNECTION_RESET;
	case ERR_ABRT: /* no acknowledgement, no answer to keep-alive probes */
		return STATUS_TIMED_OUT;
	case ERR_CLSD: /* ended in order */
		return STATUS_OK;
	default:
		return STATUS_CONNECTION_ABORTED;
	}
}

/* lwIP: the connection has ended and its control block is gone. */
static void on_error(void *arg, err_t error)
{
	struct socket *s = arg;

	/* A RST in answer to what was sent after the peer's FIN: the program wrote to a peer that
	 * has closed, which is EPIPE, not a reset connection (RFC 9293, 3.10.7.4, CLOSE-WAIT). */
	if (error == ERR_RST && s->tcp.fin_received)
		connection_closed(s, STATUS_CLOSED);
	else
		connection_closed(s, status_of_error(error));
}

/* lwIP, each second while the connection exists. */
static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
	struct socket *s = arg;

	(void)pcb;
	if (s->closed && s->tcp.deadline <= platform_now()) {
		abort_connection(s, STATUS_TIMED_OUT);
		return ERR_ABRT;
	}
	socket_mark(s);
	return ERR_OK;
}

/* Bytes that the receive queue may hold: what the window may grow to. */
static tcpwnd_size_t window_limit(const struct socket *s)
{
	tcpwnd_size_t limit = s->channel.receive.capacity, most = TCP_WND_MAX(s->tcp.pcb);

	if (s->options.receive_buffer && (uint32_t)s->options.receive_buffer < limit)
		limit = (tcpwnd_size_t)s->options.receive_buffer;
	return limit < most ? limit : most;
}

/* Makes the window, of which the SYN has announced so much, what the queue has room for.  What was
 * announced cannot be taken back. */
static void set_window(struct socket *s, tcpwnd_size_t announced)
{
	struct tcp_pcb *pcb = s->tcp.pcb;
	tcpwnd_size_t limit = window_limit(s);

	if (limit < announced) {
		s->tcp.window_withheld = (int32_t)(announced - limit);
		limit = announced;
	}
	if (pcb->rcv_wnd > limit)
		pcb->rcv_wnd = pcb->rcv_ann_wnd = limit;
}

void tcp_stream_established(struct socket *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	if (socket_has_channel(s))
		set_window(s, TCPWND_MIN16(TCP_WND));
	s->tcp.phase = TCP_OPEN;
	tcp_err(pcb, on_error);
	tcp_poll(pcb, on_poll, POLL_INTERVAL);
	if (pcb->rto > RTO_AFTER_SYN) /* after lost SYNs, until the first measurement */
		pcb->rto = RTO_AFTER_SYN;
	s->local = (struct endpoint){*ip_2_ip4(&pcb->local_ip), pcb->local_port};
	s->peer = (struct endpoint){*ip_2_ip4(&pcb->remote_ip), pcb->remote_port};
	socket_set_status(s, CHANNEL_CONNECTED, CHANNEL_CONNECTING | CHANNEL_EOF | CHANNEL_CLOSED);
}

void tcp_stream_accepted(struct socket *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	socket_mark(s);
	if (!pcb)
		return; /* it has ended meanwhile */
	tcp_recv(pcb, on_receive);
	set_window(s, EARLY_WINDOW);
	if (window_limit(s) > EARLY_WINDOW)
		open_window(pcb, window_limit(s) - EARLY_WINDOW);
	if (pcb->refused_data)
		(void)tcp_process_refused_data(pcb);
}

void tcp_stream_adopt(struct socket *s, struct tcp_pcb *pcb)
{
	s->tcp.pcb = pcb;
	tcp_arg(pcb, s);
	tcp_recv(pcb, on_receive);
	tcp_sent(pcb, on_sent);
	tcp_err(pcb, on_error);
	tcp_setprio(pcb, TCP_PRIO_NORMAL);
	tcp_options_apply(s);
}

void tcp_stream_work(struct socket *s)
{
	if (s->tcp.phase != TCP_OPEN || !s->tcp.pcb)
		return;
	update_window(s);
	tcp_stream_send(s);
	acknowledge(s);
	if (s->tcp.phase == TCP_OPEN && s->tcp.pcb && !s->closed)
		want_window(s);
}

bool tcp_stream_flushed(const struct socket *s)
{
	const struct tcp_socket *t = &s->tcp;

	return !t->pcb || t->phase != TCP_OPEN || (t->fin_sent && !t->send_taken);
}

void tcp_stream_release(struct socket *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	if (!pcb)
		return;
	tcp_stream_disown(pcb);
	s->tcp.pcb = NULL;
	count_buffers(s);
	tcp_close(pcb);
}

bool tcp_stream_unread(struct socket *s)
{
	struct queue *q = &s->channel.receive;

	return queue_writable(q) != q->capacity;
}
