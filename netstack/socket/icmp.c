/* SPDX-License-Identifier: MIT */
/*
 * ICMP: echo requests of programs out; in, what answers them, and errors about TCP and UDP.  A
 * socket sees an answer only when it carries the identifier of a request that this socket sent.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "netstack/lwip/checksum.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/resolver.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/tcp.h"

#include "lwip/icmp.h"
#include "lwip/ip4.h"
#include "lwip/pbuf.h"
#include "lwip/raw.h"

#define ICMP_HEADER    8u
#define ICMP_REPLY     0u
#define ICMP_UNREACH   3u
#define ICMP_REQUEST   8u
#define ICMP_EXCEEDED  11u
#define ICMP_PARAMETER 12u
#define IDENTIFIERS    (sizeof(((struct datagram_socket *)0)->identifiers) / sizeof(uint16_t))
/* Of an error: outer header with options, ICMP header, quoted header with options, 8 bytes of what
 * it carried. */
#define LOOK_MOST 160u

static uint16_t read16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* ---- Out ---- */

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
	ip_addr_t address = s->peer.address;
	struct pbuf *p;
	int status;

	if (header->address_length == 16)
		return STATUS_ADDRESS_FAMILY;
	if (header->address_length == 0 && !d->connected)
		return STATUS_DESTINATION_REQUIRED;
	if (header->length < ICMP_HEADER || message[0] != ICMP_REQUEST || message[1] != 0)
		return STATUS_ACCESS_DENIED;
	if (header->address_length == 4)
		memcpy(&address.addr, header->address, 4);
	if (ip_addr_isany_val(address))
		address.addr = PP_HTONL(IPADDR_LOOPBACK);
	p = pbuf_alloc_reference((void *)(uintptr_t)bytes, header->length, PBUF_REF);
	if (!p)
		return STATUS_NO_BUFFERS;
	if (!sent_identifier(s, read16(message + 4)))
		d->identifiers[d->nidentifiers++ % IDENTIFIERS] = read16(message + 4);
	status = datagram_status(raw_sendto(d->raw, p, &address));
	pbuf_free(p);
	return status;
}

/* ---- In ---- */

static int status_of_unreachable(uint8_t type, uint8_t code)
{
	if (type == ICMP_EXCEEDED)
		return STATUS_HOST_UNREACHABLE;
	if (type == ICMP_PARAMETER)
		return STATUS_HOST_UNREACHABLE;
	switch (code) {
	case 0: /* network */
	case 6:
	case 11:
		return STATUS_NETWORK_UNREACHABLE;
	case 2: /* protocol */
	case 3: /* port */
		return STATUS_CONNECTION_REFUSED;
	case 4: /* fragmentation needed: not the end of anything */
		return STATUS_OK;
	default: /* host, or an administrator */
		return STATUS_HOST_UNREACHABLE;
	}
}

/* Hands the whole packet to the sockets that asked with this identifier; from_peer: of connected
 * ones only if it comes from their peer (an error comes from anywhere on the way). */
static void deliver(const struct pbuf *p, uint16_t identifier, bool from_peer)
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

/* An error: quoted is the packet it is about, of `length` bytes. */
static void handle_error(const struct pbuf *p, uint8_t type, uint8_t code, const uint8_t *quoted,
                         size_t length)
{
	size_t header = (quoted[0] & 0x0f) * 4u;
	const uint8_t *carried = quoted + header;
	int status = status_of_unreachable(type, code);
	struct endpoint peer;
	uint32_t sequence;

	if (header < 20 || length < header + 8 || quoted[0] >> 4 != 4)
		return;
	memcpy(&peer.address, quoted + 16, 4);
	peer.port = read16(carried + 2);
	switch (quoted[9]) {
	case IP_PROTO_ICMP:
		if (carried[0] == ICMP_REQUEST)
			deliver(p, read16(carried + 4), false);
		break;
	case IP_PROTO_TCP:
		sequence = (uint32_t)read16(carried + 4) << 16 | read16(carried + 6);
		if (status)
			tcp_socket_icmp_error(read16(carried), peer, sequence, status);
		break;
	case IP_PROTO_UDP:
		if (status) {
			datagram_icmp_error(read16(carried), peer, status);
			resolver_icmp_error(read16(carried), peer);
		}
		break;
	}
}

static bool checksum_right(const struct pbuf *p, size_t header)
{
	uint32_t sum = 0;
	size_t skip = header;
	bool odd = false;

	for (; p; p = p->next) {
		uint16_t part;

		if (skip >= p->len) {
			skip -= p->len;
			continue;
		}
		part = port_checksum((const uint8_t *)p->payload + skip, (int)(p->len - skip));
		sum += odd ? (uint16_t)(part << 8 | part >> 8) : part;
		odd ^= (p->len - skip) & 1;
		skip = 0;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* lwIP: an ICMP packet, from its IP header on.  Not taken: lwIP answers echo requests itself. */
static u8_t on_icmp(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *address)
{
	uint8_t look[LOOK_MOST];
	size_t length = pbuf_copy_partial(p, look, sizeof(look), 0);
	size_t header = (look[0] & 0x0f) * 4u;
	const uint8_t *message = look + header;

	(void)arg, (void)pcb, (void)address;
	if (length < header + ICMP_HEADER || !checksum_right(p, header))
		return 0;
	switch (message[0]) {
	case ICMP_REPLY:
		deliver(p, read16(message + 4), true);
		break;
	case ICMP_UNREACH:
	case ICMP_EXCEEDED:
	case ICMP_PARAMETER:
		if (length >= header + ICMP_HEADER + 28)
			handle_error(p, message[0], message[1], message + ICMP_HEADER,
			             length - header - ICMP_HEADER);
		break;
	}
	return 0;
}

int icmp_init(void)
{
	struct raw_pcb *pcb = raw_new(IP_PROTO_ICMP);

	if (!pcb)
		return STATUS_NO_BUFFERS;
	raw_recv(pcb, on_icmp, NULL);
	return STATUS_OK;
}
