/* SPDX-License-Identifier: MIT */
/*
 * The library's own state in a ring: the last words of user_word, so that it is per thread and
 * needs no thread-local storage.  Words below RING_WORD_FIRST belong to the
 * program that links the library.
 */
#ifndef LIBCAPOS_RING_H
#define LIBCAPOS_RING_H

#include <capos/abi.h>

enum ring_word {
	RING_WORD_FIRST = 7,
	RING_WORD_IN_FLIGHT = 7,      /* submissions that will complete and were not reaped yet */
	RING_WORD_QUIET_FAILURES = 8, /* quiet submissions that failed, for debugging */
	RING_WORD_REAPING = 9,        /* not 0: a complete callback is running */
};

/*
 * Most operations in flight.  What is above, up to CAPOS_CQ_ENTRIES, is kept for operations that
 * complete at once: synchronous ones and CANCEL, so that a thread with too much in flight can still
 * cancel it.
 */
#define RING_IN_FLIGHT_MAX 96u
_Static_assert(RING_IN_FLIGHT_MAX + CAPOS_SQ_ENTRIES <= CAPOS_CQ_ENTRIES,
               "a full submission queue always finds places for its completions");

#endif
