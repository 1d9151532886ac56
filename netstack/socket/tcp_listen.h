/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets: listen and accept.  Results are Status values.
 */
#ifndef NETSTACK_TCP_LISTEN_H
#define NETSTACK_TCP_LISTEN_H

#include "netstack/socket/socket.h"

int tcp_socket_listen(struct socket *s, uint32_t backlog);
/* Has this listener (a struct socket) as many connections as may wait?  For handshake_on_full(). */
bool tcp_listener_full(const void *listener);
/* The next connection that waits, which then belongs to the caller, or STATUS_WOULD_BLOCK. */
int tcp_socket_accept(struct socket *s, struct socket **out);
/* Ends the listener and all connections that wait. */
void tcp_socket_close_listener(struct socket *s);
/* As Linux does for shutdown: the socket may listen or connect again; processes that wait to accept
 * are woken. */
void tcp_socket_stop_listening(struct socket *s);

#endif
