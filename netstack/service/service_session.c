/* SPDX-License-Identifier: MIT */
/*
 * Sessions: NetworkManagers whose objects init minted, each with a word of its own.  They outlive
 * netstack's process, so init opens each of them again with the next one.
 */
#include <capos/schema/status.h>

#include "netstack/service/service_session.h"

/* Programs that run at the same time. */
#define SESSIONS_MAX 32u

static struct {
	uint64_t word;         /* 0: free */
	struct policy *policy; /* a reference */
} sessions[SESSIONS_MAX];

struct policy *session_policy(uint64_t word)
{
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (word && sessions[i].word == word)
			return sessions[i].policy;
	return NULL;
}

int session_open(uint64_t word, struct policy *policy)
{
	if (session_policy(word))
		return STATUS_EXISTS;
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		if (sessions[i].word)
			continue;
		sessions[i].word = word;
		sessions[i].policy = policy_get(policy);
		return STATUS_OK;
	}
	return STATUS_NO_BUFFERS;
}

void session_close(uint64_t word)
{
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		if (!word || sessions[i].word != word)
			continue;
		sessions[i].word = 0;
		policy_put(sessions[i].policy);
	}
}
