/* SPDX-License-Identifier: MIT */
/*
 * ICMP messages that arrive: echo replies, and errors about echo requests, TCP and UDP.  Nothing in
 * a message is used before its length and checksum were checked.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "netstack/lwip/checksum.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/icmp.h"
#include "netstack/socket/icmp_echo.h"
#include "netstack/socket/resolver.h"
#include "netstack/socket/tcp_open.h"

#include "lwip/ip4.h"
#include "lwip/pbuf.h"
#include "lwip/raw.h"

/* Of an error: outer header with options, ICMP header, quoted header with options, 8 bytes of what
 * it carried. */
#define LOOK_MOST 160u

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
	case 4: /* fragmentation needed: no failure */
		return STATUS_OK;
	default: /* host, or an administrator */
		return STATUS_HOST_UNREACHABLE;
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
	peer.port = icmp_read16(carried + 2);
	switch (quoted[9]) {
	case IP_PROTO_ICMP:
		if (carried[0] == ICMP_REQUEST)
			icmp_echo_deliver(p, icmp_read16(carried + 4), false);
		break;
	case IP_PROTO_TCP:
		icmp_error_deliver(p, SOCKET_TCP, icmp_read16(carried));
		sequence = (uint32_t)icmp_read16(carried + 4) << 16 | icmp_read16(carried + 6);
		if (status)
			tcp_socket_icmp_error(icmp_read16(carried), peer, sequence, status);
		break;
	case IP_PROTO_UDP:
		icmp_error_deliver(p, SOCKET_UDP, icmp_read16(carried));
		if (status) {
			datagram_icmp_error(icmp_read16(carried), peer, status);
			resolver_icmp_error(icmp_read16(carried), peer);
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
		icmp_echo_deliver(p, icmp_read16(message + 4), true);
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
