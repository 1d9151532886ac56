/* SPDX-License-Identifier: MIT */
/*
 * The table of managers and authorities.  A slot's generation makes an old word name nothing.
 */
#include <capos/schema/status.h>

#include "netstack/service/service_holder.h"
#include "netstack/socket/socket.h"

#define HOLDERS_MAX 192u

static struct holder holders[HOLDERS_MAX];

static uint64_t holder_word(const struct holder *h)
{
	return (uint64_t)h->generation << 32 | (uint64_t)(h - holders) << SOCKET_WORD_SHIFT |
	       WORD_HOLDER;
}

struct holder *holder_of_word(uint64_t word)
{
	uint64_t slot = (word & UINT32_MAX) >> SOCKET_WORD_SHIFT;

	if ((word & 0xff) != WORD_HOLDER || slot >= HOLDERS_MAX || !holders[slot].used ||
	    holders[slot].generation != word >> 32)
		return NULL;
	return &holders[slot];
}

int holder_give(struct server_call *call, uint64_t interface, struct policy *policy, uint16_t port,
                uint16_t *index)
{
	struct holder *h = holders;
	int position;

	while (h < holders + HOLDERS_MAX && h->used)
		h++;
	if (h == holders + HOLDERS_MAX) {
		policy_put(policy);
		return STATUS_NO_BUFFERS;
	}
	*h = (struct holder){.used = true,
	                     .generation = (h->generation + 1) & SOCKET_GENERATION_MAX,
	                     .interface = interface,
	                     .policy = policy,
	                     .port = port};
	position = server_give_object(call, interface, holder_word(h));
	if (position < 0) {
		h->used = false;
		policy_put(policy);
		return STATUS_NO_MEMORY;
	}
	*index = (uint16_t)position;
	return STATUS_OK;
}

void holder_release(struct holder *h)
{
	h->used = false;
	policy_put(h->policy);
}
