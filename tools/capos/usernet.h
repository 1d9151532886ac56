/* SPDX-License-Identifier: MIT */
/*
 * What QEMU's user network holds of the guest's data.  It acknowledges to the guest what the host's
 * kernel has not taken yet, and loses that when QEMU ends.
 */
#ifndef CAPOS_TOOLS_USERNET_H
#define CAPOS_TOOLS_USERNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All connections that one machine is likely to have, at some 90 bytes each. */
#define USERNET_REPLY (256u << 10)

/* The bytes that a reply of "info usernet", as QMP quotes it, says are still held. */
uint64_t usernet_parse(const char *reply);

/* Asks at the monitor's line: 0 when nothing is held or QEMU does not say. */
uint64_t usernet_held(int monitor);

#endif
