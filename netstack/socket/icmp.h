/* SPDX-License-Identifier: MIT */
/*
 * ICMP messages that arrive, for the sockets that they are about.
 */
#ifndef NETSTACK_ICMP_H
#define NETSTACK_ICMP_H

/* Starts listening to ICMP for all sockets. */
int icmp_init(void);

#endif
