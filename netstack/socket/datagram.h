/* SPDX-License-Identifier: MIT */
/*
 * UDP and ICMP echo sockets between a channel's records and lwIP.  Results are Status values;
 * errors about datagrams that were sent are reported by the channel's error.
 */
#ifndef NETSTACK_DATAGRAM_H
#define NETSTACK_DATAGRAM_H

#include "netstack/socket/socket.h"

/* For a socket that was just created: lwIP's control block. */
int datagram_open(struct socket *s);
void datagram_close(struct socket *s); /* s is freed */

int datagram_bind(struct socket *s, struct endpoint to);
/* to all zero: no fixed peer again. */
int datagram_connect(struct socket *s, struct endpoint to);
struct endpoint datagram_local(const struct socket *s);

int datagram_set_option(struct socket *s, uint16_t option, int32_t value);

/* Sends one datagram, by message. */
int udp_send_one(struct socket *s, const struct channel_datagram *header, const void *bytes);

/* Sends what is in the queue: called for marked sockets. */
void datagram_work(struct socket *s);
uint64_t datagram_deadline(const struct socket *s);

/* An ICMP error quoted a datagram of ours. */
void datagram_icmp_error(uint16_t local_port, struct endpoint peer, int status);

#endif
