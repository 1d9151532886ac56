/* SPDX-License-Identifier: MIT */
/*
 * ICMP sockets (RFC 792): echo requests of programs, and what is delivered to their sockets.
 */
#ifndef NETSTACK_ICMP_ECHO_H
#define NETSTACK_ICMP_ECHO_H

#include "netstack/socket/socket.h"

#define ICMP_HEADER    8u /* bytes */
#define ICMP_REPLY     0u
#define ICMP_UNREACH   3u
#define ICMP_REQUEST   8u
#define ICMP_EXCEEDED  11u
#define ICMP_PARAMETER 12u

struct pbuf;

static inline uint16_t icmp_read16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Sends one echo request, by message. */
int icmp_send_one(struct socket *s, const struct channel_datagram *header, const void *bytes);
/* Delivers an error about a UDP datagram or a TCP segment from that port to the ICMP sockets of the
 * account whose socket has the port: a program sees the errors about what it sent itself. */
void icmp_error_deliver(const struct pbuf *p, enum socket_kind kind, uint16_t local_port);
/* Delivers the whole packet to the ICMP sockets of the accounts that sent a request with this
 * identifier; from_peer: to connected ones only if it comes from their peer (an error comes from
 * any router on the way). */
void icmp_echo_deliver(const struct pbuf *p, uint16_t identifier, bool from_peer);

#endif
