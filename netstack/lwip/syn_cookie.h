/* SPDX-License-Identifier: MIT */
/*
 * SYN cookies (RFC 4987, 3.6): an initial sequence number that proves, when a peer
 * acknowledges it, that this host chose it for that peer's SYN within the last two minutes, and
 * which options the SYN carried.  No state is kept for a connection until then.
 */
#ifndef NETSTACK_SYN_COOKIE_H
#define NETSTACK_SYN_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

/* A peer's SYN. Addresses in network order, ports and numbers in host order. */
struct syn {
	uint32_t local_address, remote_address;
	uint16_t local_port, remote_port;
	uint32_t sequence;
	uint16_t mss;        /* 0: no option */
	int8_t window_scale; /* -1: no option */
	bool sack;           /* selective acknowledgements permitted */
};

/* Reads a SYN's options (RFC 9293, 3.2): `length` bytes after its header. */
void syn_read_options(struct syn *syn, const uint8_t *options, uint32_t length);
/* Writes those of a SYN with these values, padded to whole words; at most SYN_OPTIONS_MAX bytes.
 * The length. */
#define SYN_OPTIONS_MAX 12u
uint32_t syn_write_options(const struct syn *syn, uint8_t *options);

/* How long a cookie is valid at least and at most. */
#define SYN_COOKIE_PERIOD_NS (64 * 1000000000ull)
#define SYN_COOKIE_LIFE_NS   (2 * SYN_COOKIE_PERIOD_NS)

uint32_t syn_cookie_make(const struct syn *syn, uint64_t now);
/* Fills in the options of the SYN whose addresses, ports and sequence are given; false: the number
 * is not a cookie of this host, or too old. */
bool syn_cookie_check(struct syn *syn, uint32_t cookie, uint64_t now);

#endif
