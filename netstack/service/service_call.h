/* SPDX-License-Identifier: MIT */
/*
 * The IPC side of netstack: its endpoint, calls that wait for a socket, and their answers.  Only
 * this room and main.c know of calls and capabilities; what a call means is in socket/.
 */
#ifndef NETSTACK_SERVICE_CALL_H
#define NETSTACK_SERVICE_CALL_H

#include <capos/schema/network.h>
#include <capos/schema/network_server.h>
#include <capos/schema/status.h>
#include <capos/server.h>

#include "netstack/socket/socket.h"

extern struct server service;

/* Lets the call wait: MSG_DEFERRED, or STATUS_BUSY when another one of that kind waits. */
int service_wait(struct msg_call *call, struct socket *s, enum socket_wait kind, uint32_t argument,
                 uint64_t deadline);
void service_answer(struct socket *s, enum socket_wait kind, int status,
                    const struct msg_builder *message, const struct capos_send_cap *caps,
                    uint32_t ncaps);
/* A builder for an answer that is sent before the next one is built. */
void service_message(struct msg_builder *builder, uint32_t size);

/* Reads an address parameter. STATUS_OK with *unspecified set for one of no bytes, or a Status. */
int service_address(const struct msg_data *data, ip4_addr_t *out, bool *unspecified);
struct msg_data service_address_data(const ip4_addr_t *address);
/* *out for a message that is built before the next call of this function. */
void service_endpoint(struct endpoint e, struct socket_address *out);

#endif
