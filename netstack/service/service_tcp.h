/* SPDX-License-Identifier: MIT */
/*
 * TcpSocket and TcpListener.
 */
#ifndef NETSTACK_SERVICE_TCP_H
#define NETSTACK_SERVICE_TCP_H

#include <capos/schema/network_server.h>

#include "netstack/socket/socket.h"

extern const struct tcp_socket_ops tcp_ops;
extern const struct tcp_listener_ops listener_ops;

/* Answers calls that wait for the socket: called for marked ones. */
void service_tcp_progress(struct socket *s);
/* When the first close that lingers is to be answered; sockets whose time is over are marked. */
uint64_t service_linger_deadline(void);

#endif
