/* SPDX-License-Identifier: MIT */
/*
 * lwIP's hooks: the places where it calls netstack.
 */
#ifndef NETSTACK_PORT_HOOKS_H
#define NETSTACK_PORT_HOOKS_H

#include "lwip/err.h"
#include "lwip/ip_addr.h"

struct netif;
struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

/* Initial sequence numbers that only the peer can know (RFC 6528): handshake.h. */
uint32_t handshake_sequence(uint32_t local_address, uint16_t local_port, uint32_t remote_address,
                            uint16_t remote_port);
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port)      \
	handshake_sequence(ip4_addr_get_u32(ip_2_ip4(local_ip)), local_port, \
	                   ip4_addr_get_u32(ip_2_ip4(remote_ip)), remote_port)

/* A segment with correct checksums, for pcb; its header is in host order.  Anything but ERR_OK:
 * it is dropped.  Of `options` bytes of options the first `options_here` follow the header. */
err_t handshake_input(struct tcp_pcb *pcb, const struct tcp_hdr *tcp, uint32_t options,
                      uint32_t options_here, const struct pbuf *p);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, tcp, options, options_here, options_there, p) \
	((pcb)->state >= ESTABLISHED ? ERR_OK : handshake_input(pcb, tcp, options, options_here, p))

/* A packet of IPv4, its header unchecked; not 0: it was a fragment, and is taken. */
int reassembly_input(struct pbuf *p, struct netif *netif);
#define LWIP_HOOK_IP4_INPUT reassembly_input

#endif
