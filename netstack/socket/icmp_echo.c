/* SPDX-License-Identifier: MIT */
/*
 * ICMP sockets: echo requests of programs.  A socket receives a reply only when it carries the
 * identifier of a request that this socket sent.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "netstack/socket/datagram_queue.h"
#include "netstack/socket/icmp_echo.h"

#include "lwip/ip4.h"
#include "lwip/pbuf.h"
#include "lwip/raw.h"

#define IDENTIFIERS (sizeof(((struct datagram_socket *)0)->identifiers) / sizeof(uint16_t))

static bool sent_identifier(const struct socket *s, uint16_t identifier)
{
	unsigned n =
	        s->datagram.nidentifiers < IDENTIFIERS ? s->datagram.nidentifiers : IDENTIFIERS;

	for (unsigned i = 0; i < n; i++)
		if (s->datagram.identifiers[i] == identifier)
			return true;
	return false;
}

int icmp_send_one(struct socket *s, const struct channel_datagram *header, const void *bytes)
{
	struct datagram_socket *d = &s->datagram;
	const uint8_t *message = bytes;
	struct endpoint to;
	ip_addr_t address;
	struct pbuf *p;
	int status = datagram_destination(s, header, &to);

	if (!status &&
	    (header->length < ICMP_HEADER || message[0] != ICMP_REQUEST || message[1] != 0))
		status = STATUS_ACCESS_DENIED;
	if (status)
		return status;
	address = to.address;
	p = pbuf_alloc_reference((void *)(uintptr_t)bytes, header->length, PBUF_REF);
	if (!p)
		return STATUS_NO_BUFFERS;
	if (!sent_identifier(s, icmp_read16(message + 4)))
		d->identifiers[d->nidentifiers++ % IDENTIFIERS] = icmp_read16(message + 4);
	status = datagram_status(raw_sendto(d->raw, p, &address));
	pbuf_free(p);
	return status;
}

void icmp_echo_deliver(const struct pbuf *p, uint16_t identifier, bool from_peer)
{
	struct channel_datagram header = {.address_length = 4};
	struct socket *s;

	header.time_to_live = IPH_TTL(ip4_current_header());
	memcpy(header.address, &ip_current_src_addr()->addr, 4);
	for (unsigned i = 0; (s = socket_next(&i));) {
		if (s->kind != SOCKET_ICMP || !sent_identifier(s, identifier))
			continue;
		if (from_peer && s->datagram.connected &&
		    memcmp(&s->peer.address, header.address, 4) != 0)
			continue;
		datagram_deliver(s, &header, p);
	}
}
