/* SPDX-License-Identifier: MIT */
/*
 * NetworkManager, TcpConnectAuthority and TcpListenAuthority.
 */
#ifndef NETSTACK_SERVICE_MANAGER_H
#define NETSTACK_SERVICE_MANAGER_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/schema/network_server.h>

extern const struct network_manager_ops manager_ops;
extern const struct tcp_connect_authority_ops connect_authority_ops;
extern const struct tcp_listen_authority_ops listen_authority_ops;

/* Answers calls that wait for the network's configuration or the end of connections. */
void service_network_progress(void);
/* Withdraws such a call; false: the call is another one. */
bool service_network_cancel(uint64_t call_id);
uint64_t service_network_deadline(void);

#endif
