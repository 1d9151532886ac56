/* SPDX-License-Identifier: MIT */
/*
 * lwIP's hooks: the places where it asks us.
 */
#ifndef NETSTACK_PORT_HOOKS_H
#define NETSTACK_PORT_HOOKS_H

#include "lwip/ip_addr.h"

/* RFC 6528: initial sequence numbers that only the peer can tell. */
uint32_t port_initial_sequence(uint32_t local_address, uint16_t local_port, uint32_t remote_address,
                               uint16_t remote_port);
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port)         \
	port_initial_sequence(ip4_addr_get_u32(ip_2_ip4(local_ip)), local_port, \
	                      ip4_addr_get_u32(ip_2_ip4(remote_ip)), remote_port)

#endif
