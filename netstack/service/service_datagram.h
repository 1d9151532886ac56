/* SPDX-License-Identifier: MIT */
/*
 * UdpSocket and RawSocket.
 */
#ifndef NETSTACK_SERVICE_DATAGRAM_H
#define NETSTACK_SERVICE_DATAGRAM_H

#include <capos/schema/network_server.h>

#include "netstack/socket/socket.h"

extern const struct udp_socket_ops udp_ops;
extern const struct raw_socket_ops raw_ops;

/* Answers calls that wait for the socket: called for marked ones. */
void service_datagram_progress(struct socket *s);

#endif
