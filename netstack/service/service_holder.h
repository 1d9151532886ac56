/* SPDX-License-Identifier: MIT */
/*
 * Managers and authorities: objects that are a policy.
 */
#ifndef NETSTACK_SERVICE_HOLDER_H
#define NETSTACK_SERVICE_HOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/server.h>

#include "netstack/socket/policy.h"

/* Low byte of their words: sockets have 0. */
#define WORD_HOLDER 0x80u

struct holder {
	bool used;
	uint32_t generation;
	uint64_t interface;
	struct policy *policy; /* a reference */
	uint16_t port;         /* of a TcpListenAuthority */
};

/* A new object of that interface over a policy, whose reference it takes over in any case.  Its
 * position among the reply's capabilities is written to *index. */
int holder_give(struct server_call *call, uint64_t interface, struct policy *policy, uint16_t port,
                uint16_t *index);
/* NULL: the word names none. */
struct holder *holder_of_word(uint64_t word);
/* Its last capability is gone. */
void holder_release(struct holder *h);

#endif
