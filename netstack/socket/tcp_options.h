/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets: their options.
 */
#ifndef NETSTACK_TCP_OPTIONS_H
#define NETSTACK_TCP_OPTIONS_H

#include "netstack/socket/socket.h"

int tcp_socket_set_option(struct socket *s, uint16_t option, int32_t value);
/* Brings lwIP's control block in line with s->options. */
void tcp_options_apply(struct socket *s);

#endif
