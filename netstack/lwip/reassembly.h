/* SPDX-License-Identifier: MIT */
/*
 * Reassembly of IPv4 datagrams (RFC 791, 3.2), in place of lwIP's, which any one source can fill.
 * All fragments together hold at most REASSEMBLY_FRAGMENTS received frames; when those, or the
 * places for datagrams, are used up, the source that holds the most loses what made no progress
 * for the longest time.
 *
 * What this cannot do: distinguish forged source addresses from true ones.  A flood from many of
 * them, a few fragments each, can still push out a large datagram.
 */
#ifndef NETSTACK_REASSEMBLY_H
#define NETSTACK_REASSEMBLY_H

#include <stdint.h>

/* At most a third of the heap's received frames (heap.c), which a small machine has fewer of; the
 * largest datagram takes 45 fragments. */
#define REASSEMBLY_FRAGMENTS 128u
#define REASSEMBLY_DATAGRAMS 64u
/* How long a datagram waits for its other fragments, in seconds.  They are sent together, so one
 * that is missing for so long is lost; Linux waits 30 s. */
#define REASSEMBLY_SECONDS 15u

/* Drops datagrams that are too old. */
void reassembly_expire(void);

struct reassembly_counters {
	uint64_t completed;
	uint64_t evicted;   /* datagrams, for others */
	uint64_t timed_out; /* datagrams */
	uint64_t refused;   /* fragments: malformed, twice, or overlapping */
};
const struct reassembly_counters *reassembly_counters(void);

#endif
