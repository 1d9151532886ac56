/* SPDX-License-Identifier: MIT */
/*
 * Options of sockets of all kinds: which exist for which kind, and their ranges.
 */
#ifndef NETSTACK_SOCKET_OPTION_H
#define NETSTACK_SOCKET_OPTION_H

#include "netstack/socket/socket.h"

/* Stores the value in s->options; the kind's own file applies it.  Status: notSupported (not an
 * option of that kind), invalidArgument. */
int socket_set_option(struct socket *s, uint16_t option, int32_t value);
int socket_get_option(const struct socket *s, uint16_t option, int32_t *value);

#endif
