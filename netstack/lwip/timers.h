/* SPDX-License-Identifier: MIT */
/*
 * lwIP's timers, run only while they have something to do, so that an idle machine sleeps.  Ticks
 * that only age a table are run later, when netstack is awake for another reason.
 */
#ifndef NETSTACK_TIMERS_H
#define NETSTACK_TIMERS_H

#include <stdint.h>

void timers_init(void);
/* Runs what is due. */
void timers_run(void);
/* When to wake for the next one, monotonic ns; UINT64_MAX: none will be due. */
uint64_t timers_deadline(void);

/* From nic.c: an ARP packet was sent; a fragment was received. */
void timers_arp_sent(void);
void timers_fragment_received(void);

#endif
