/* SPDX-License-Identifier: MIT */
/*
 * ICMP echo as ping sockets need it: the identifier put into requests, replies found in IP packets.
 * Pure.
 */
#ifndef POSIX_ICMP_H
#define POSIX_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets identifier (network order) and checksum of an echo request (RFC 792).  False: it is none. */
bool icmp_make_request(uint8_t *message, size_t length, uint16_t identifier);
/* Whether an IPv4 packet holds an echo reply with that identifier; the ICMP message is [*start,
 * *end) then. */
bool icmp_find_reply(const uint8_t *packet, size_t length, uint16_t identifier, size_t *start,
                     size_t *end);

#endif
