/* SPDX-License-Identifier: MIT */
/*
 * What UDP and ICMP sockets share: records of the channel's queues, and statuses.
 */
#ifndef NETSTACK_DATAGRAM_QUEUE_H
#define NETSTACK_DATAGRAM_QUEUE_H

#include "netstack/socket/socket.h"

struct pbuf;

#define UDP_PAYLOAD_MAX 65507u /* 65535 - 20 - 8 */

/* Where a record goes: to its address, or to the connected peer. */
int datagram_destination(const struct socket *s, const struct channel_datagram *header,
                         struct endpoint *to);
/* Puts one into the receive queue, or drops it when that is full. */
void datagram_deliver(struct socket *s, struct channel_datagram *header, const struct pbuf *p);
/* lwIP's result of sending as a Status. */
int datagram_status(int error);

#endif
