/* SPDX-License-Identifier: MIT */
/*
 * The network driver's process, whose end is netstack's end.
 */
#ifndef NETSTACK_SERVICE_DRIVER_H
#define NETSTACK_SERVICE_DRIVER_H

#include <capos/cap.h>

/* The bit of netstack's event that the driver signals; sockets have those from SOCKET_BITS_FIRST
 * on. */
#define DRIVER_BIT 0x1u

/* Attaches to the driver and adds its interface to lwIP, or logs why it cannot. */
void driver_attach(cap_t nic, cap_t event);
/* bits: what netstack's event was signalled.  Ends netstack when the driver has ended. */
void driver_check(uint64_t bits);

#endif
