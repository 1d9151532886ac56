/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets: bind and connect.  Results are Status values.
 */
#ifndef NETSTACK_TCP_OPEN_H
#define NETSTACK_TCP_OPEN_H

#include "netstack/socket/socket.h"

/* tcp.connect_status while a connect is under way. */
#define TCP_PENDING (-1)

int tcp_socket_bind(struct socket *s, struct endpoint to);
/* A control block with a port, netstack's choice if the program has made none. */
int tcp_socket_bind_any(struct socket *s);
/*
 * Begins to connect to the first of these addresses that answers: STATUS_OK, then
 * tcp.connect_status is TCP_PENDING until the connection is established or the attempt has failed;
 * another status: why no attempt was begun.
 */
int tcp_socket_connect(struct socket *s, const uint32_t *addresses, unsigned count, uint16_t port);
/* The same to all addresses of a host's name. */
int tcp_socket_connect_name(struct socket *s, const char *host, uint16_t port);
/* Ends a connect that is under way, with no further address tried. */
void tcp_socket_end_connect(struct socket *s, int status);

/* The network came up or went down. */
void tcp_socket_network_changed(struct socket *s);
/* Connects that wait for the network end then; UINT64_MAX: none. */
uint64_t tcp_socket_deadline(const struct socket *s);
void tcp_socket_timeout(struct socket *s);

/* An ICMP error quoted a segment of ours.  Only a connection in SYN-SENT is ended by it (RFC
 * 5927). */
void tcp_socket_icmp_error(uint16_t local_port, struct endpoint peer, uint32_t sequence,
                           int status);

#endif
