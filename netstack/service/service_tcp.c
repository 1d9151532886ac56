/* SPDX-License-Identifier: MIT */
/*
 * TcpSocket and TcpListener: calls into socket/tcp*.h, and those that wait for their answer.
 */
#include "netstack/lwip/platform.h"
#include "netstack/service/service_call.h"
#include "netstack/service/service_socket.h"
#include "netstack/service/service_tcp.h"
#include "netstack/socket/socket_option.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_listen.h"
#include "netstack/socket/tcp_open.h"
#include "netstack/socket/tcp_stream.h"

/* Bytes around the data in a message of received data. */
#define MESSAGE_OVERHEAD 64u
/* A call to send is answered when no more than this is left in the queue, so that the next one
 * finds room. */
#define SEND_LEFT (SERVER_MESSAGE_MAX / 2)

static unsigned nlingering; /* closes that wait */

/* ---- Answers ---- */

/* The connection that connectTcp (or an authority) asked for is established: its capability. */
static void answer_with_object(struct socket *s)
{
	struct network_manager_connect_tcp_results results = {.socket_index = 0};
	struct capos_send_cap give = {.rights = CAP_RIGHTS_ALL, .flags = CAPOS_SEND_MOVE};
	struct msg_builder builder;
	int status = cap_mint(service.endpoint, TCP_SOCKET_INTERFACE, socket_word(s), &give.cap);

	/* TcpConnectAuthority.connect's results have the same layout. */
	service_message(&builder, s->calls[WAIT_CONNECT].reply_size);
	if (status)
		status = STATUS_NO_MEMORY;
	else
		status = network_manager_connect_tcp_results_write(&builder, &results);
	s->makes_object = false;
	service_answer(s, WAIT_CONNECT, status, &builder, &give, give.cap != CAP_NULL);
	if (status)
		service_close(s);
}

/* False: the socket is gone. */
static bool progress_connect(struct socket *s)
{
	int status = s->tcp.connect_status;

	if (status == TCP_PENDING)
		return true;
	if (!s->makes_object) {
		struct tcp_socket_connect_results results = {};
		struct msg_builder builder;

		service_message(&builder, s->calls[WAIT_CONNECT].reply_size);
		if (!status)
			status = tcp_socket_connect_results_write(&builder, &results);
		service_answer(s, WAIT_CONNECT, status, &builder, NULL, 0);
		return true;
	}
	if (!status) {
		answer_with_object(s);
		return !s->closed;
	}
	s->makes_object = false;
	service_answer(s, WAIT_CONNECT, status, NULL, NULL, 0);
	service_close(s);
	return false;
}

/* The error that no call has returned yet, or STATUS_OK. */
static int take_error(struct socket *s)
{
	struct channel_shared *shared = s->channel.shared;

	if (!(atomic_load(&shared->status) & CHANNEL_ERROR))
		return STATUS_OK;
	atomic_fetch_and(&shared->status, ~(uint32_t)CHANNEL_ERROR);
	return (int)atomic_load(&shared->error);
}

/* Data for a receive: STATUS_OK with *length 0 at the end, STATUS_WOULD_BLOCK, or an error. */
static int take_data(struct socket *s, uint32_t most, uint32_t reply_size, struct msg_data *out)
{
	static uint8_t data[SERVER_MESSAGE_MAX];
	uint32_t status = atomic_load(&s->channel.shared->status);
	int error;

	most = service_room(most, reply_size, MESSAGE_OVERHEAD);
	if (most > sizeof(data))
		most = sizeof(data);
	*out = MSG_DATA(data, queue_take(&s->client.receive, data, most));
	if (out->len) {
		queue_publish_take(&s->client.receive);
		socket_mark(s); /* opens the window */
		return STATUS_OK;
	}
	if (!most)
		return STATUS_MESSAGE_TOO_LONG;
	error = take_error(s);
	if (error)
		return error;
	if (status & CHANNEL_EOF)
		return STATUS_OK;
	return status & CHANNEL_CONNECTED ? STATUS_WOULD_BLOCK : STATUS_NOT_CONNECTED;
}

static void progress_receive(struct socket *s)
{
	struct socket_call *c = &s->calls[WAIT_RECEIVE];
	struct tcp_socket_recv_results results = {0};
	struct msg_builder builder;
	int status = take_data(s, c->argument, c->reply_size, &results.data);

	if (status == STATUS_WOULD_BLOCK)
		return;
	service_message(&builder, c->reply_size);
	if (!status)
		status = tcp_socket_recv_results_write(&builder, &results);
	service_answer(s, WAIT_RECEIVE, status, &builder, NULL, 0);
}

/* How much of what was sent is still in the queue. */
static uint32_t unsent(struct socket *s)
{
	return s->client.send.capacity - queue_writable(&s->client.send);
}

static void progress_send(struct socket *s)
{
	struct socket_call *c = &s->calls[WAIT_SEND];
	struct tcp_socket_send_results results = {.bytes_sent = c->argument};
	bool ended = atomic_load(&s->channel.shared->status) & CHANNEL_CLOSED;
	struct msg_builder builder;
	int status = STATUS_OK;

	if (!ended && unsent(s) > SEND_LEFT)
		return;
	if (ended) {
		status = take_error(s);
		status = status ? status : STATUS_CLOSED;
	}
	service_message(&builder, c->reply_size);
	if (!status)
		status = tcp_socket_send_results_write(&builder, &results);
	service_answer(s, WAIT_SEND, status, &builder, NULL, 0);
}

static void progress_accept(struct socket *s)
{
	struct tcp_listener_accept_results results = {0};
	struct capos_send_cap give = {.rights = CAP_RIGHTS_ALL, .flags = CAPOS_SEND_MOVE};
	struct msg_builder builder;
	struct socket *taken;
	int status = tcp_socket_accept(s, &taken);

	if (status)
		return;
	status = service_export(taken, &give.cap);
	service_message(&builder, s->calls[WAIT_ACCEPT].reply_size);
	results.peer_addr = service_address_data(&taken->peer.address);
	results.peer_port = taken->peer.port;
	if (!status)
		status = tcp_listener_accept_results_write(&builder, &results);
	service_answer(s, WAIT_ACCEPT, status, &builder, &give, give.cap != CAP_NULL);
	if (status)
		service_close(taken);
}

/* False: the socket is gone. */
static bool progress_close(struct socket *s)
{
	struct tcp_socket_close_results results = {};
	struct msg_builder builder;
	int status;

	if (!tcp_stream_flushed(s) && s->calls[WAIT_CLOSE].deadline > platform_now())
		return true;
	service_message(&builder, s->calls[WAIT_CLOSE].reply_size);
	status = tcp_socket_close_results_write(&builder, &results);
	nlingering--;
	service_answer(s, WAIT_CLOSE, status, &builder, NULL, 0);
	service_close(s);
	return false;
}

void service_tcp_progress(struct socket *s)
{
	if (s->calls[WAIT_CONNECT].waiting && !progress_connect(s))
		return;
	if (s->calls[WAIT_RECEIVE].waiting)
		progress_receive(s);
	if (s->calls[WAIT_SEND].waiting)
		progress_send(s);
	if (s->calls[WAIT_ACCEPT].waiting)
		progress_accept(s);
	if (s->calls[WAIT_CLOSE].waiting)
		progress_close(s);
}

uint64_t service_linger_deadline(void)
{
	uint64_t deadline = UINT64_MAX, now = platform_now();
	unsigned waiting = 0;
	struct socket *s;

	for (unsigned i = 0; nlingering && (s = socket_next(&i));) {
		if (!s->calls[WAIT_CLOSE].waiting)
			continue;
		waiting++;
		if (s->calls[WAIT_CLOSE].deadline <= now)
			socket_mark(s);
		if (s->calls[WAIT_CLOSE].deadline < deadline)
			deadline = s->calls[WAIT_CLOSE].deadline;
	}
	nlingering = waiting; /* some are cancelled, or end with their socket */
	return deadline;
}

/* ---- TcpSocket ---- */

static int tcp_send(void *object, struct msg_call *call, const struct tcp_socket_send_params *in,
                    struct tcp_socket_send_results *out)
{
	struct socket *s = object;
	uint32_t status = atomic_load(&s->channel.shared->status);
	int error = s->by_message ? take_error(s) : STATUS_NOT_SUPPORTED;

	if (error)
		return error;
	if (!(status & CHANNEL_CONNECTED))
		return STATUS_NOT_CONNECTED;
	if (status & CHANNEL_CLOSED)
		return STATUS_CLOSED;
	if (s->calls[WAIT_SEND].waiting)
		return STATUS_BUSY;
	out->bytes_sent = queue_put(&s->client.send, in->data.ptr, in->data.len);
	queue_publish_put(&s->client.send);
	socket_mark(s);
	if (unsent(s) <= SEND_LEFT)
		return STATUS_OK;
	return service_wait(call, s, WAIT_SEND, out->bytes_sent, 0);
}

static int tcp_recv(void *object, struct msg_call *call, const struct tcp_socket_recv_params *in,
                    struct tcp_socket_recv_results *out)
{
	struct socket *s = object;
	int status = service_may_receive(s);

	if (status)
		return status;
	status = take_data(s, in->max_len, call->out_size, &out->data);
	return status == STATUS_WOULD_BLOCK ? service_wait(call, s, WAIT_RECEIVE, in->max_len, 0)
	                                    : status;
}

static int tcp_close(void *object, struct msg_call *call)
{
	struct socket *s = object;
	int status;

	if (s->options.linger > 0 && !tcp_stream_flushed(s)) {
		status = service_wait(call, s, WAIT_CLOSE, 0,
		                      platform_now() + (uint64_t)s->options.linger * SECOND_NS);
		if (status != MSG_DEFERRED)
			return status;
		nlingering++;
		(void)tcp_socket_shutdown(s, false, true);
		return status;
	}
	service_close(s);
	return STATUS_OK;
}

/* Begins to connect; how it goes is in the socket and its channel from then on. */
static int begin_connect(struct socket *s, const struct msg_data *addr, uint16_t to_port)
{
	ip4_addr_t address;
	bool unspecified;
	uint16_t port;
	const char *host = policy_host(s->policy, &port);
	int status = service_address(addr, &address, &unspecified);

	if (status)
		return status;
	if (unspecified && host)
		return tcp_socket_connect_name(s, host, to_port ? to_port : port);
	if (ip4_addr_isany_val(address)) /* this host */
		address.addr = PP_HTONL(IPADDR_LOOPBACK);
	return tcp_socket_connect(s, &address.addr, 1, to_port);
}

static int tcp_start_connect(void *object, struct msg_call *call,
                             const struct tcp_socket_start_connect_params *in)
{
	(void)call;
	return begin_connect(object, &in->addr, in->port);
}

static int tcp_connect(void *object, struct msg_call *call,
                       const struct tcp_socket_connect_params *in)
{
	struct socket *s = object;
	int status = begin_connect(s, &in->addr, in->port);

	if (status)
		return status;
	if (s->tcp.connect_status != TCP_PENDING)
		return s->tcp.connect_status;
	return service_wait(call, s, WAIT_CONNECT, 0, 0);
}

static int tcp_bind(void *object, struct msg_call *call, const struct tcp_socket_bind_params *in)
{
	(void)call;
	return service_bind(object, &in->addr, in->port);
}

static int tcp_listen(void *object, struct msg_call *call,
                      const struct tcp_socket_listen_params *in)
{
	(void)call;
	return tcp_socket_listen(object, in->backlog);
}

static int tcp_accept(void *object, struct msg_call *call,
                      const struct tcp_socket_accept_params *in,
                      struct tcp_socket_accept_results *out)
{
	struct socket *taken;
	int status = tcp_socket_accept(object, &taken);

	if (status)
		return status;
	service_endpoint(taken->peer, &out->peer);
	status = service_give_channel(server_call_of(call), taken, in->wake_index, in->wake_bits,
	                              &out->socket_index, &out->channel);
	if (status)
		service_close(taken);
	return status;
}

static int tcp_shutdown(void *object, struct msg_call *call,
                        const struct tcp_socket_shutdown_params *in)
{
	(void)call;
	return tcp_socket_shutdown(object, in->receive, in->send);
}

static int tcp_local_address(void *object, struct msg_call *call,
                             struct tcp_socket_local_address_results *out)
{
	(void)call;
	return service_local_address(object, &out->address);
}

static int tcp_peer_address(void *object, struct msg_call *call,
                            struct tcp_socket_peer_address_results *out)
{
	(void)call;
	return service_peer_address(object, &out->address);
}

static int tcp_set_option(void *object, struct msg_call *call,
                          const struct tcp_socket_set_option_params *in)
{
	(void)call;
	return service_set_option(object, in->option, in->value);
}

static int tcp_get_option(void *object, struct msg_call *call,
                          const struct tcp_socket_get_option_params *in,
                          struct tcp_socket_get_option_results *out)
{
	(void)call;
	return socket_get_option(object, in->option, &out->value);
}

const struct tcp_socket_ops tcp_ops = {
        .send = tcp_send,
        .recv = tcp_recv,
        .close = tcp_close,
        .connect = tcp_connect,
        .start_connect = tcp_start_connect,
        .bind = tcp_bind,
        .listen = tcp_listen,
        .accept = tcp_accept,
        .shutdown = tcp_shutdown,
        .local_address = tcp_local_address,
        .peer_address = tcp_peer_address,
        .set_option = tcp_set_option,
        .get_option = tcp_get_option,
};

/* ---- TcpListener ---- */

static int listener_accept(void *object, struct msg_call *call,
                           struct tcp_listener_accept_results *out)
{
	struct socket *taken;
	cap_t cap;
	int status = tcp_socket_accept(object, &taken);

	if (status == STATUS_WOULD_BLOCK)
		return service_wait(call, object, WAIT_ACCEPT, 0, 0);
	if (status)
		return status;
	status = service_export(taken, &cap);
	if (status) {
		service_close(taken);
		return status;
	}
	out->socket_index = (uint16_t)server_give(server_call_of(call), cap, CAP_RIGHTS_ALL, true);
	out->peer_addr = service_address_data(&taken->peer.address);
	out->peer_port = taken->peer.port;
	return STATUS_OK;
}

static int listener_close(void *object, struct msg_call *call)
{
	(void)call;
	service_close(object);
	return STATUS_OK;
}

const struct tcp_listener_ops listener_ops = {
        .accept = listener_accept,
        .close = listener_close,
};
