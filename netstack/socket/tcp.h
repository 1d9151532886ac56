/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets as a whole: the work of marked ones, shutdown and close.  Results are Status values;
 * what takes longer is reported by the channel's status and error, and by socket_progress().
 */
#ifndef NETSTACK_TCP_H
#define NETSTACK_TCP_H

#include "netstack/socket/socket.h"

int tcp_socket_shutdown(struct socket *s, bool receive, bool send);
/* The object is gone: ends the connection as close() does, sending what is queued in the
 * background; s may be freed. */
void tcp_socket_close(struct socket *s);
/* True when every connection that its program has closed has delivered its data. */
bool tcp_all_settled(void);

/* Moves what can be moved: called for marked sockets.  s may be freed. */
void tcp_socket_work(struct socket *s);

#endif
