/* SPDX-License-Identifier: MIT */
/*
 * Sockets of all kinds as objects.  Results are Status values.
 */
#ifndef NETSTACK_SERVICE_SOCKET_H
#define NETSTACK_SERVICE_SOCKET_H

#include <capos/schema/network.h>
#include <capos/server.h>

#include "netstack/socket/socket.h"

uint64_t service_interface(const struct socket *s);
/* Ends the socket: its object is gone or closed. */
void service_close(struct socket *s);

/* ---- Making ---- */

/* A socket with a channel, in the reply. */
int service_open(struct msg_call *call, enum socket_kind kind, struct policy *policy,
                 uint16_t wake_index, uint64_t wake_bits, uint16_t *socket_index,
                 struct channel_ref *channel);
/* The channel and object of a socket that exists, with a new wake event, in the reply. */
int service_give_channel(struct server_call *call, struct socket *s, uint16_t wake_index,
                         uint64_t wake_bits, uint16_t *socket_index, struct channel_ref *channel);
/* A socket that is used by message. */
int service_create(enum socket_kind kind, struct policy *policy, struct socket **out);
/* An accepted connection that is used by message, and a capability to it. */
int service_export(struct socket *taken, cap_t *cap);
/* Begins a connect whose answer is a new TcpSocket; address NULL: to the host. */
int service_connect(struct msg_call *call, struct policy *policy, const uint32_t *address,
                    const char *host, uint16_t port);
/* A TcpListener in the reply. */
int service_listen(struct msg_call *call, struct policy *policy, uint16_t port, uint16_t *index);

/* ---- What all kinds have ---- */

int service_bind(struct socket *s, const struct msg_data *addr, uint16_t port);
int service_local_address(struct socket *s, struct socket_address *out);
int service_peer_address(struct socket *s, struct socket_address *out);
int service_set_option(struct socket *s, uint16_t option, int32_t value);
/* Bytes of data for a reply of that size that has `overhead` bytes around them; at most `most`. */
uint32_t service_room(uint32_t most, uint32_t reply_size, uint32_t overhead);
/* May a call receive by message now?  notSupported: the socket has a channel.  busy: another call
 * waits. */
int service_may_receive(const struct socket *s);

#endif
