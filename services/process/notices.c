/* SPDX-License-Identifier: MIT */
/*
 * Notices: signals that a member wants to be sent by others, of whatever users they are, who prove
 * by a key that it asked for it.  So nothing but a key has to be where others can write.
 */
#include "world.h"

#include <capos/schema/status.h>

#define SI_MESGQ (-3)

static struct notice **find(struct member *m, uint64_t key)
{
	struct notice **at = &m->notices;

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

static void drop(struct member *m, struct notice **at)
{
	struct notice *n = *at;

	*at = n->next;
	slab_put(m->world->slab, n, sizeof(*n));
}

int world_ask_notice(struct member *m, uint64_t key, uint32_t signal, uint64_t value)
{
	struct notice *n, **at = find(m, key);
	uint32_t count = 0;

	if (!signal) {
		if (!*at)
			return STATUS_NO_ENTRY;
		drop(m, at);
		return STATUS_OK;
	}
	if (*at)
		return STATUS_EXISTS;
	for (n = m->notices; n; n = n->next)
		count++;
	if (count >= WORLD_NOTICES_MAX)
		return STATUS_NO_BUFFERS;
	n = slab_get(m->world->slab, sizeof(*n));
	if (!n)
		return STATUS_NO_MEMORY;
	*n = (struct notice){.next = m->notices, .key = key, .value = value, .signal = signal};
	m->notices = n;
	return STATUS_OK;
}

int world_give_notice(const struct member *sender, struct member *m, uint64_t key)
{
	struct notice **at = find(m, key);
	struct signal_note note;

	if (!*at)
		return STATUS_NO_ENTRY;
	note = (struct signal_note){.signal = (*at)->signal,
	                            .code = SI_MESGQ,
	                            .number = sender->number,
	                            .user = sender->identity.user.real,
	                            .value = (*at)->value};
	drop(m, at);
	/* A queue that is full loses it, as Linux's does. */
	(void)world_send(m, &note);
	return STATUS_OK;
}

void world_drop_notices(struct member *m)
{
	while (m->notices)
		drop(m, &m->notices);
}
