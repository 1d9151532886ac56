/* SPDX-License-Identifier: MIT */
/*
 * Sockets as objects: making them, with a channel or used by message, ending them, and what all
 * kinds have.  A socket that is used by message is one whose channel has both ends here.
 */
#include "netstack/service/service_call.h"
#include "netstack/service/service_socket.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/tcp.h"
#include "netstack/socket/tcp_listen.h"
#include "netstack/socket/tcp_open.h"
#include "netstack/socket/tcp_options.h"

#define LISTENER_BACKLOG 128u

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

void service_close(struct socket *s)
{
	socket_sends(s);
	for (int i = 0; i < WAIT_COUNT; i++)
		if (s->calls[i].waiting)
			service_answer(s, (enum socket_wait)i, STATUS_CLOSED, NULL, NULL, 0);
	if (s->kind == SOCKET_TCP)
		tcp_socket_close(s);
	else
		datagram_close(s);
}

/* ---- Making ---- */

int service_create(enum socket_kind kind, struct policy *policy, struct socket **out)
{
	struct socket *s;
	int status = socket_create(kind, policy, &s);

	if (status)
		return status;
	if (channel_open(&s->client, s->channel.shared, s->channel.memory_size) != CAP_OK)
		status = STATUS_NO_MEMORY;
	if (!status && kind != SOCKET_TCP)
		status = datagram_open(s);
	if (status) {
		socket_destroy(s);
		return status;
	}
	s->by_message = true;
	*out = s;
	return STATUS_OK;
}

int service_give_channel(struct server_call *call, struct socket *s, uint16_t wake_index,
                         uint64_t wake_bits, uint16_t *socket_index, struct channel_ref *channel)
{
	cap_t wake = server_take(call, wake_index);
	int memory, event, object;

	if (wake == CAP_NULL || !wake_bits) {
		if (wake != CAP_NULL)
			(void)cap_release(wake);
		return STATUS_INVALID_ARGUMENT;
	}
	socket_set_wake(s, wake, wake_bits);
	/* COPY: to map it, the client sends it with a call. */
	memory = server_give(call, s->memory_handle,
	                     CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_CALL | CAP_RIGHT_COPY,
	                     false);
	event = server_give(call, service.event, CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY, false);
	object = server_give_object(call, service_interface(s), socket_word(s));
	if (memory < 0 || event < 0 || object < 0)
		return STATUS_NO_MEMORY;
	*channel = (struct channel_ref){.memory_index = (uint16_t)memory,
	                                .event_index = (uint16_t)event,
	                                .event_bits = socket_bits(s)};
	*socket_index = (uint16_t)object;
	socket_mark(s); /* asks to be woken for what is sent */
	return STATUS_OK;
}

int service_open(struct msg_call *call, enum socket_kind kind, struct policy *policy,
                 uint16_t wake_index, uint64_t wake_bits, uint16_t *socket_index,
                 struct channel_ref *channel)
{
	struct socket *s;
	int status = socket_create(kind, policy, &s);

	if (status)
		return status;
	if (kind != SOCKET_TCP)
		status = datagram_open(s);
	if (!status)
		status = service_give_channel(server_call_of(call), s, wake_index, wake_bits,
		                              socket_index, channel);
	if (!status)
		return STATUS_OK;
	if (kind != SOCKET_TCP && (s->datagram.udp || s->datagram.raw))
		datagram_close(s);
	else
		socket_destroy(s);
	return status;
}

int service_listen(struct msg_call *call, struct policy *policy, uint16_t port, uint16_t *index)
{
	struct socket *s;
	int position, status = policy_listen(policy, port) ? STATUS_OK : STATUS_ACCESS_DENIED;

	if (!status)
		status = service_create(SOCKET_TCP, policy, &s);
	if (status)
		return status;
	s->listener_object = true;
	/* Connections of a former listener that are ending do not hold the port; another listener
	 * does. */
	s->options.reuse_address = 1;
	if (port)
		status = tcp_socket_bind(s, (struct endpoint){.port = port});
	if (!status)
		status = tcp_socket_listen(s, LISTENER_BACKLOG);
	position = status ? -1
	                  : server_give_object(server_call_of(call), TCP_LISTENER_INTERFACE,
	                                       socket_word(s));
	if (position < 0) {
		service_close(s);
		return status ? status : STATUS_NO_MEMORY;
	}
	*index = (uint16_t)position;
	return STATUS_OK;
}

int service_connect(struct msg_call *call, struct policy *policy, const uint32_t *address,
                    const char *host, uint16_t port)
{
	struct socket *s;
	int status = service_create(SOCKET_TCP, policy, &s);

	if (status)
		return status;
	s->makes_object = true;
	socket_sends(s);
	status = address ? tcp_socket_connect(s, address, 1, port)
	                 : tcp_socket_connect_name(s, host, port);
	if (!status && s->tcp.connect_status > 0)
		status = s->tcp.connect_status;
	if (!status)
		status = service_wait(call, s, WAIT_CONNECT, 0, 0);
	if (status != MSG_DEFERRED)
		service_close(s);
	else
		socket_mark(s);
	return status;
}

/* The accepted connection as an object used by message. */
int service_export(struct socket *taken, cap_t *cap)
{
	if (channel_open(&taken->client, taken->channel.shared, taken->channel.memory_size) !=
	    CAP_OK)
		return STATUS_NO_MEMORY;
	taken->by_message = true;
	socket_mark(taken);
	return cap_mint(service.endpoint, TCP_SOCKET_INTERFACE, socket_word(taken), cap)
	               ? STATUS_NO_MEMORY
	               : STATUS_OK;
}

/* ---- What all kinds have ---- */

int service_local_address(struct socket *s, struct socket_address *out)
{
	service_endpoint(s->kind == SOCKET_TCP ? s->local : datagram_local(s), out);
	return STATUS_OK;
}

int service_peer_address(struct socket *s, struct socket_address *out)
{
	if (s->kind == SOCKET_TCP ? s->tcp.phase != TCP_OPEN : !s->datagram.connected)
		return STATUS_NOT_CONNECTED;
	service_endpoint(s->peer, out);
	return STATUS_OK;
}

int service_bind(struct socket *s, const struct msg_data *addr, uint16_t port)
{
	struct endpoint to = {.port = port};
	bool unspecified;
	int status = service_address(addr, &to.address, &unspecified);

	if (status)
		return status;
	return s->kind == SOCKET_TCP ? tcp_socket_bind(s, to) : datagram_bind(s, to);
}

int service_set_option(struct socket *s, uint16_t option, int32_t value)
{
	return s->kind == SOCKET_TCP ? tcp_socket_set_option(s, option, value)
	                             : datagram_set_option(s, option, value);
}

uint32_t service_room(uint32_t most, uint32_t reply_size, uint32_t overhead)
{
	uint32_t room = reply_size > overhead ? reply_size - overhead : 0;

	return most < room ? most : room;
}

int service_may_receive(const struct socket *s)
{
	if (!s->by_message)
		return STATUS_NOT_SUPPORTED;
	return s->calls[WAIT_RECEIVE].waiting ? STATUS_BUSY : STATUS_OK;
}
