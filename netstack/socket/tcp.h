/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets between a channel and lwIP.  Results are Status values; what takes longer is told by
 * the channel's status and error, and by socket_progress().
 *
 * Data to send stays in the channel's queue, where lwIP refers to it until it is acknowledged;
 * received data is copied into the other queue at once, which always has room for the window that
 * was announced.
 */
#ifndef NETSTACK_TCP_H
#define NETSTACK_TCP_H

#include "netstack/socket/socket.h"

/* connect's answer while it is under way. */
#define TCP_PENDING (-1)

int tcp_socket_bind(struct socket *s, struct endpoint to);
/*
 * Begins to connect to the first of these addresses that answers: STATUS_OK, then
 * tcp.connect_status is TCP_PENDING until it stands or has failed; or why not.
 */
int tcp_socket_connect(struct socket *s, const uint32_t *addresses, unsigned count, uint16_t port);
/* The same to all addresses of a host's name. */
int tcp_socket_connect_name(struct socket *s, const char *host, uint16_t port);
int tcp_socket_listen(struct socket *s, uint32_t backlog);
/* Has this listener (a struct socket) as many connections as may wait?  For handshake_on_full(). */
bool tcp_listener_full(const void *listener);
/* The next connection that waits, now its taker's, or STATUS_WOULD_BLOCK. */
int tcp_socket_accept(struct socket *s, struct socket **out);
int tcp_socket_shutdown(struct socket *s, bool receive, bool send);
/* The object is gone: ends the connection as close() does, sending what is queued in the
 * background; s may be freed. */
void tcp_socket_close(struct socket *s);
/* True when nothing is left to send or be acknowledged. */
bool tcp_socket_flushed(const struct socket *s);
/* Whether no connection that its program has left still has something to deliver. */
bool tcp_all_settled(void);

int tcp_socket_set_option(struct socket *s, uint16_t option, int32_t value);
int tcp_socket_get_option(const struct socket *s, uint16_t option, int32_t *value);

/* Moves what can be moved: called for marked sockets.  s may be freed. */
void tcp_socket_work(struct socket *s);
/* The network came up or went down. */
void tcp_socket_network_changed(struct socket *s);
/* Connects that wait for the network end then; UINT64_MAX: none. */
uint64_t tcp_socket_deadline(const struct socket *s);
void tcp_socket_timeout(struct socket *s);

/* An ICMP error quoted a segment of ours (RFC 5927: only what cannot stand yet is ended by it). */
void tcp_socket_icmp_error(uint16_t local_port, struct endpoint peer, uint32_t sequence,
                           int status);

#endif
