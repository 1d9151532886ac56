/* SPDX-License-Identifier: MIT */
/*
 * lwIP's timers, run only while they have something to do, so that an idle machine sleeps: what
 * would merely age a table is caught up with when netstack is awake anyway.
 */
#ifndef NETSTACK_TIMERS_H
#define NETSTACK_TIMERS_H

#include <stdint.h>

void timers_init(void);
/* Runs what is due. */
void timers_run(void);
/* When to wake for the next one, monotonic ns; UINT64_MAX: nothing is due ever. */
uint64_t timers_deadline(void);

/* From nic.c: a neighbour is asked for, a datagram waits for its other fragments. */
void timers_arp_sent(void);
void timers_fragment_received(void);

#endif
