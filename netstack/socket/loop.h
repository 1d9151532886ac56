/* SPDX-License-Identifier: MIT */
/*
 * One turn of netstack's loop, without the sleeping: frames, loopback, timers, sockets.  service.c
 * runs it between calls, the unit tests run it against frames of their own.
 */
#ifndef NETSTACK_LOOP_H
#define NETSTACK_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Does a bounded part of the work.  True: more may be left. */
bool loop_turn(void);
/* After the last turn before sleeping: indices become visible, and programs that asked for it are
 * woken, each once. */
void loop_flush(void);
/* Asks the driver to wake netstack.  True: do not sleep, work has arrived meanwhile. */
bool loop_arm(void);
/* When to wake without being woken, monotonic ns; UINT64_MAX: never. */
uint64_t loop_deadline(void);

/* Called when the address has changed, and each turn while it is awaited. */
void loop_on_network(void (*changed)(void));

#endif
