/* SPDX-License-Identifier: MIT */
/*
 * The endpoint, calls that wait, and parameters that several interfaces have.
 */
#include <string.h>

#include "netstack/service/service_call.h"

struct server service;
static _Alignas(8) uint8_t message_buffer[CAPOS_MESSAGE_MAX];

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
	case 16: /* only IPv4-mapped addresses (RFC 4291, 2.5.5.2) */
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

void service_endpoint(struct endpoint e, struct socket_address *out)
{
	static ip4_addr_t address;

	address = e.address;
	out->addr = service_address_data(&address);
	out->port = e.port;
}
