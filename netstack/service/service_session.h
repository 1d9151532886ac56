/* SPDX-License-Identifier: MIT */
/*
 * Sessions: NetworkManagers whose objects init mints.
 */
#ifndef NETSTACK_SERVICE_SESSION_H
#define NETSTACK_SERVICE_SESSION_H

#include "netstack/socket/policy.h"

/* Words with this bit are of sessions; those that netstack makes do not have it. */
#define WORD_SESSION_BIT (1ull << 63)

/* What the session's manager extends to; NULL: it is not open. */
struct policy *session_policy(uint64_t word);
/* Opens it, with a reference of its own to the policy.  Status: exists, noBuffers. */
int session_open(uint64_t word, struct policy *policy);
/* Its last capability is gone.  What was made in it remains. */
void session_close(uint64_t word);

#endif
