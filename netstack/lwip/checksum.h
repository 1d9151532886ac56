/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum (RFC 1071) over bytes in memory order, and the copy of bulk data; lwIP
 * uses both through port/arch/cc.h.
 */
#ifndef NETSTACK_CHECKSUM_H
#define NETSTACK_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* One's complement sum of the 16-bit words in memory order, not inverted; an odd last byte is
 * followed by a zero. Any alignment, length >= 0. */
uint16_t port_checksum(const void *data, int length);

/* memcpy with unrolled 8-byte moves: string instructions cost two to twenty times as much under
 * emulation. */
void port_copy(void *to, const void *from, size_t length);

#endif
