/* SPDX-License-Identifier: MIT */
/*
 * The table of owners: a process stands in the bucket of its number exactly while it is one.
 */
#include "owners.h"

#include <capos/schema/status.h>

/* Where the index of the process stands, or would. */
static uint32_t *link_of(struct owners *o, uint64_t process)
{
	uint32_t *at = &o->buckets[process % OWNERS_BUCKETS];

	while (*at && o->of[*at - 1].process != process)
		at = &o->of[*at - 1].next;
	return at;
}

bool owner_exists(const struct owners *owners, uint64_t process)
{
	return *link_of((struct owners *)owners, process) != 0;
}

int owner_add(struct owners *o, uint64_t process, uint32_t session)
{
	uint32_t *at = link_of(o, process), index;

	if (*at)
		return STATUS_EXISTS;
	if (o->of_session[session] == OWNERS_PER_SESSION || (!o->free && o->used == OWNERS_MAX))
		return STATUS_NO_BUFFERS;
	index = o->free ? o->free - 1 : o->used++;
	if (o->free)
		o->free = o->of[index].next;
	o->of[index] = (struct owner){.process = process, .session = session};
	o->of_session[session]++;
	*at = index + 1;
	return STATUS_OK;
}

void owner_remove(struct owners *o, uint64_t process)
{
	uint32_t *at = link_of(o, process), index = *at;

	if (!index)
		return;
	*at = o->of[index - 1].next;
	o->of_session[o->of[index - 1].session]--;
	o->of[index - 1] = (struct owner){.next = o->free};
	o->free = index;
}
