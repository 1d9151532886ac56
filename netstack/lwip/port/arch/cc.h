/* SPDX-License-Identifier: MIT */
/*
 * What lwIP requires of the compiler and the system.  lwIP finds this file by its
 * name, arch/cc.h; nothing in it knows the processor.
 */
#ifndef NETSTACK_PORT_CC_H
#define NETSTACK_PORT_CC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h> /* ssize_t */

/* No stdio and no ctype in a native process. */
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_CTYPE_H    1
#define LWIP_NO_UNISTD_H   1

#define X8_F  "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define PACK_STRUCT_STRUCT __attribute__((packed))

/* A failed assertion of lwIP: to continue could corrupt memory. */
_Noreturn void port_assert_failed(const char *message, int line, const char *file);
#define LWIP_PLATFORM_ASSERT(message) port_assert_failed(message, __LINE__, __FILE__)
#define LWIP_PLATFORM_DIAG(x)         ((void)0)

/* Unpredictable (RFC 6056, RFC 5452): ports, DHCP transaction ids. */
uint32_t port_random(void);
#define LWIP_RAND() port_random()

/* See checksum.h: both are among the most expensive steps of a packet. */
uint16_t port_checksum(const void *data, int length);
#define LWIP_CHKSUM port_checksum
void port_copy(void *to, const void *from, size_t length);
#define MEMCPY(to, from, length) port_copy(to, from, length)

/* lwIP's memory is one bounded heap, see heap.h. */
void *heap_allocate(size_t size);
void *heap_allocate_zeroed(size_t count, size_t size);
void heap_free(void *block);
#define MEM_CUSTOM_MALLOC heap_allocate
#define MEM_CUSTOM_CALLOC heap_allocate_zeroed
#define MEM_CUSTOM_FREE   heap_free

#endif
