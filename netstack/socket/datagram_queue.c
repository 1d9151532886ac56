/* SPDX-License-Identifier: MIT */
/*
 * Records of a datagram socket's channel.  A datagram that finds no room in the receive queue is
 * dropped, as the network would.
 */
#include <string.h>

#include <capos/abi.h>
#include <capos/schema/status.h>

#include "netstack/socket/datagram_queue.h"

#include "lwip/err.h"
#include "lwip/pbuf.h"

int datagram_status(int error)
{
	switch (error) {
	case ERR_OK:
		return STATUS_OK;
	case ERR_RTE:
		return STATUS_NETWORK_UNREACHABLE;
	case ERR_VAL: /* a broadcast without the option */
		return STATUS_ACCESS_DENIED;
	case ERR_IF:
		return STATUS_MESSAGE_TOO_LONG;
	default:
		return STATUS_NO_BUFFERS;
	}
}

int datagram_destination(const struct socket *s, const struct channel_datagram *header,
                         struct endpoint *to)
{
	if (header->address_length == 16)
		return STATUS_ADDRESS_FAMILY;
	if (header->address_length == 0) {
		*to = s->peer;
		return s->datagram.connected ? STATUS_OK : STATUS_DESTINATION_REQUIRED;
	}
	memcpy(&to->address, header->address, 4);
	if (ip4_addr_isany_val(to->address)) /* this host */
		to->address.addr = PP_HTONL(IPADDR_LOOPBACK);
	to->port = header->port;
	return STATUS_OK;
}

void datagram_deliver(struct socket *s, struct channel_datagram *header, const struct pbuf *p)
{
	static uint8_t whole[UDP_PAYLOAD_MAX];
	const void *bytes = p->payload;

	if (p->len != p->tot_len) { /* put together from fragments */
		pbuf_copy_partial(p, whole, sizeof(whole), 0);
		bytes = whole;
	}
	if (p->tot_len > UDP_PAYLOAD_MAX)
		return;
	header->length = p->tot_len;
	if (channel_put_datagram(&s->channel.receive, header, bytes) != CAP_OK)
		s->datagram.dropped++;
	s->publish_receive = true;
	socket_mark(s);
}
