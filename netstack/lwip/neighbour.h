/* SPDX-License-Identifier: MIT */
/*
 * Packets that wait for a neighbour's link address (ARP, RFC 826), in place of lwIP's queue, which
 * any one program or peer can fill.  Each packet and each neighbour that is asked for is charged to
 * the account that sends; when no room is left, the account that has the most gives way.
 *
 * What this cannot do: protect from a host on the same link that answers for others.
 */
#ifndef NETSTACK_NEIGHBOUR_H
#define NETSTACK_NEIGHBOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/netif.h"

/* At most half of the heap's blocks for frames to send (heap.c): fewer on a small machine;
 * the largest datagram takes 45 packets. */
#define NEIGHBOUR_PACKETS 128u
/* Neighbours that are asked for at once: half of lwIP's table, so that those who have answered stay
 * in it; and of one account. */
#define NEIGHBOUR_ASKED     64u
#define NEIGHBOUR_ASKED_ONE 16u

/* Who sends from now on; NULL: netstack itself, as in answers to peers. */
void neighbour_set_sender(const void *account);

/* lwIP's output function of an Ethernet interface. */
err_t neighbour_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *destination);
/* After an ARP packet has arrived: sends what waited for it. */
void neighbour_flush(struct netif *netif);
/* Once a second while neighbours are asked for: gives up those that do not answer. */
void neighbour_expire(void);

/* The neighbour that packets to it go through is known, or not needed. */
bool neighbour_known(ip4_addr_t destination);

#endif
