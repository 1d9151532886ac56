/* SPDX-License-Identifier: MIT */
/*
 * Text of command line values into numbers and grants.  Pure, and strict: what is not wholly
 * understood is refused, never guessed at.
 */
#ifndef CAPOS_TOOLS_GRANT_H
#define CAPOS_TOOLS_GRANT_H

#include "tools/capos/capos.h"

/* A decimal number of minimum..maximum and nothing else. */
bool parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *out);

/* connect=HOST:PORT, listen=PORT, udp, icmp, resolve or none.  NULL, or what is wrong with it. */
const char *parse_grant(const char *text, struct grant *out);

/* tcp:HOSTPORT:GUESTPORT or udp:... */
const char *parse_forward(const char *text, struct forward *out);
/* The same as HOSTPORT:GUESTPORT[/tcp|/udp]. */
const char *parse_publish(const char *text, struct forward *out);

/* A number of bytes: digits, and K, M or G (powers of 1024) for more. */
bool parse_size(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *out);

/* A time in whole seconds: digits, and s, m or h for seconds, minutes, hours. */
bool parse_duration(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *out);

/* Of the names, the one that text most likely meant, or NULL when none is near. */
const char *nearest_name(const char *text, const char *const *names, size_t count);

#endif
