/* SPDX-License-Identifier: MIT */
/*
 * UdpSocket and RawSocket: calls into datagram.h, and receives by message that wait.
 */
#include <string.h>

#include "netstack/lwip/stack.h"
#include "netstack/service/service_call.h"
#include "netstack/service/service_datagram.h"
#include "netstack/service/service_socket.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/datagram_queue.h"
#include "netstack/socket/socket_option.h"

#define MESSAGE_OVERHEAD 96u

/* ---- By message ---- */

static int take_datagram(struct socket *s, uint32_t most, uint32_t reply_size,
                         struct udp_socket_recv_from_results *out)
{
	static uint8_t data[UDP_PAYLOAD_MAX];
	static struct channel_datagram header;
	int taken;

	most = service_room(most, reply_size, MESSAGE_OVERHEAD);
	if (most > sizeof(data))
		most = sizeof(data);
	taken = channel_take_datagram(&s->client.receive, &header, data, most, false);
	if (taken < 0)
		return STATUS_WOULD_BLOCK;
	queue_publish_take(&s->client.receive);
	out->addr = MSG_DATA(header.address, header.address_length);
	out->port = header.port;
	out->data = MSG_DATA(data, taken);
	return STATUS_OK;
}

void service_datagram_progress(struct socket *s)
{
	struct socket_call *c = &s->calls[WAIT_RECEIVE];
	struct udp_socket_recv_from_results results = {0};
	struct msg_builder builder;
	int status;

	if (!c->waiting)
		return;
	status = take_datagram(s, c->argument, c->reply_size, &results);
	if (status == STATUS_WOULD_BLOCK)
		return;
	service_message(&builder, c->reply_size);
	status = udp_socket_recv_from_results_write(&builder, &results);
	service_answer(s, WAIT_RECEIVE, status, &builder, NULL, 0);
}

static int udp_send_to(void *object, struct msg_call *call,
                       const struct udp_socket_send_to_params *in,
                       struct udp_socket_send_to_results *out)
{
	struct socket *s = object;
	struct channel_datagram header = {.port = in->port, .length = (uint16_t)in->data.len};
	ip4_addr_t address;
	bool unspecified;
	int status = service_address(&in->addr, &address, &unspecified);

	(void)call;
	if (!s->by_message)
		return STATUS_NOT_SUPPORTED;
	if (!status && in->data.len > UDP_PAYLOAD_MAX)
		status = STATUS_MESSAGE_TOO_LONG;
	if (status)
		return status;
	if (!unspecified) {
		header.address_length = 4;
		memcpy(header.address, &address.addr, 4);
	}
	out->bytes_sent = in->data.len;
	if (stack_state() != STACK_WAITING || address_is_loopback(address))
		return udp_send_one(s, &header, in->data.ptr);
	/* It waits for an address in the queue, as those of programs do. */
	if (channel_put_datagram(&s->client.send, &header, in->data.ptr) != CAP_OK)
		return STATUS_NO_BUFFERS;
	queue_publish_put(&s->client.send);
	socket_mark(s);
	return STATUS_OK;
}

static int udp_recv_from(void *object, struct msg_call *call,
                         const struct udp_socket_recv_from_params *in,
                         struct udp_socket_recv_from_results *out)
{
	struct socket *s = object;
	int status = service_may_receive(s);

	if (status)
		return status;
	status = take_datagram(s, in->max_len, call->out_size, out);
	return status == STATUS_WOULD_BLOCK ? service_wait(call, s, WAIT_RECEIVE, in->max_len, 0)
	                                    : status;
}

/* ---- UdpSocket ---- */

static int udp_close(void *object, struct msg_call *call)
{
	(void)call;
	service_close(object);
	return STATUS_OK;
}

static int connect_to(struct socket *s, const struct msg_data *addr, uint16_t port)
{
	struct endpoint to = {.port = port};
	bool unspecified;
	int status = service_address(addr, &to.address, &unspecified);

	return status ? status : datagram_connect(s, to);
}

static int udp_bind(void *object, struct msg_call *call, const struct udp_socket_bind_params *in)
{
	(void)call;
	return service_bind(object, &in->addr, in->port);
}

static int udp_connect(void *object, struct msg_call *call,
                       const struct udp_socket_connect_params *in)
{
	(void)call;
	return connect_to(object, &in->addr, in->port);
}

static int udp_local_address(void *object, struct msg_call *call,
                             struct udp_socket_local_address_results *out)
{
	(void)call;
	return service_local_address(object, &out->address);
}

static int udp_peer_address(void *object, struct msg_call *call,
                            struct udp_socket_peer_address_results *out)
{
	(void)call;
	return service_peer_address(object, &out->address);
}

static int udp_set_option(void *object, struct msg_call *call,
                          const struct udp_socket_set_option_params *in)
{
	(void)call;
	return service_set_option(object, in->option, in->value);
}

static int udp_get_option(void *object, struct msg_call *call,
                          const struct udp_socket_get_option_params *in,
                          struct udp_socket_get_option_results *out)
{
	(void)call;
	return socket_get_option(object, in->option, &out->value);
}

const struct udp_socket_ops udp_ops = {
        .send_to = udp_send_to,
        .recv_from = udp_recv_from,
        .close = udp_close,
        .bind = udp_bind,
        .connect = udp_connect,
        .local_address = udp_local_address,
        .peer_address = udp_peer_address,
        .set_option = udp_set_option,
        .get_option = udp_get_option,
};

/* ---- RawSocket ---- */

static int raw_bind(void *object, struct msg_call *call, const struct raw_socket_bind_params *in)
{
	(void)call;
	return service_bind(object, &in->addr, 0);
}

static int raw_connect(void *object, struct msg_call *call,
                       const struct raw_socket_connect_params *in)
{
	(void)call;
	return connect_to(object, &in->addr, 0);
}

static int raw_local_address(void *object, struct msg_call *call,
                             struct raw_socket_local_address_results *out)
{
	(void)call;
	return service_local_address(object, &out->address);
}

static int raw_set_option(void *object, struct msg_call *call,
                          const struct raw_socket_set_option_params *in)
{
	(void)call;
	return service_set_option(object, in->option, in->value);
}

static int raw_get_option(void *object, struct msg_call *call,
                          const struct raw_socket_get_option_params *in,
                          struct raw_socket_get_option_results *out)
{
	(void)call;
	return socket_get_option(object, in->option, &out->value);
}

const struct raw_socket_ops raw_ops = {
        .bind = raw_bind,
        .connect = raw_connect,
        .local_address = raw_local_address,
        .set_option = raw_set_option,
        .get_option = raw_get_option,
};
