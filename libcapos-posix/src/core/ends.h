/* SPDX-License-Identifier: MIT */
/*
 * Ends of what several processes share: the process service knows which are still held, also when
 * holders were killed (schema/process.capnp, ProcessEnd).
 */
#ifndef POSIX_ENDS_H
#define POSIX_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>

struct shared_ends {
	cap_t ends[2]; /* CAP_NULL: there is no service, and no other process either */
	uint64_t word; /* of the first; the second's is the next; 0: none */
};

/* 0 or -errno. */
int ends_open(struct shared_ends *out);
/* Whether that end is held by a process, as far as the service knows. */
bool ends_held(uint64_t word);

#endif
