/* SPDX-License-Identifier: MIT */
/*
 * What happens to a connection from outside until it is established: netstack looks at each segment
 * for a listener before lwIP does (LWIP_HOOK_TCP_INPACKET_PCB).
 *
 *  - With few connections half open, lwIP keeps them (SYN_RCVD) and repeats lost SYN-ACKs.
 *  - With HALF_OPEN_MAX of them, further SYNs are answered with a SYN cookie and nothing is kept,
 *    so SYNs from forged addresses keep no other peer out.  When a cookie is acknowledged, lwIP
 *    receives a SYN with the options that the cookie holds, its SYN-ACK is not sent a second time,
 *    and then it receives the acknowledgement.
 *  - While a listener's queue of established connections is full, SYNs and acknowledgements are
 *    dropped, and the peer repeats them.
 */
#ifndef NETSTACK_HANDSHAKE_H
#define NETSTACK_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "netstack/lwip/port/hooks.h"

struct netif;

/* Half-open connections of all listeners together: enough for a burst of peers on lossy links,
 * few in comparison with the heap's quota for connections. */
#define HALF_OPEN_MAX 64u

/* full: has this listener (its tcp_arg) as many established connections as may wait? */
void handshake_on_full(bool (*full)(const void *listener));
/* The window that SYN-ACKs announce: what a peer may send before the program accepts. */
#define EARLY_WINDOW 8192u
/* After each frame was passed to lwIP: completes the connection whose cookie it acknowledged. */
void handshake_resume(struct netif *netif);
/* True while lwIP sends a SYN-ACK that the peer has already. */
bool handshake_is_silent(void);

struct handshake_counters {
	uint64_t cookies_sent, cookies_accepted;
	uint64_t dropped; /* for full queues */
};
const struct handshake_counters *handshake_counters(void);

#endif
