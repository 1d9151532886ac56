/* SPDX-License-Identifier: MIT */
/*
 * What a process says of itself to those who ask: the service passes it on, once to each, and keeps
 * nothing.  Who asks of one that ends is answered then.
 */
#include <capos/schema/status.h>

#include "process.h"

#define ASKERS_MAX 16u /* of one process at a time */
#define REPORT_BIT (1ull << 33)

struct asker {
	struct asker *next;
	uint64_t call_id;
};

int report_ask(void *object, struct msg_call *msg, const struct process_member_ask_params *in,
               struct process_member_ask_results *out)
{
	const struct member *caller = object;
	struct member *m = world_find(caller->world, in->number);
	struct asker *a, **at;
	uint32_t n = 0;

	(void)out;
	if (!m || m->state == MEMBER_PREPARED || m->state == MEMBER_ENDED)
		return STATUS_NO_ENTRY;
	if (!world_may_look(caller, m))
		return STATUS_ACCESS_DENIED;
	if (m->state == MEMBER_STOPPED)
		return STATUS_WOULD_BLOCK;
	for (at = &m->askers; *at; at = &(*at)->next)
		n++;
	if (n == ASKERS_MAX)
		return STATUS_NO_BUFFERS;
	a = slab_get(m->world->slab, sizeof(*a));
	if (!a)
		return STATUS_NO_MEMORY;
	a->call_id = server_defer(server_call_of(msg)).call_id;
	*at = a;
	m->world->ops->notify(m, REPORT_BIT);
	return MSG_DEFERRED;
}

static void answer_all(struct member *m, int status, const void *message, uint32_t length)
{
	while (m->askers) {
		struct asker *a = m->askers;

		m->askers = a->next;
		(void)answer_call(a->call_id, status, message, length);
		slab_put(m->world->slab, a, sizeof(*a));
	}
}

int report_take(void *object, struct msg_call *msg, const struct process_member_report_params *in)
{
	static _Alignas(8) uint8_t message[REPORT_MAX + 128];
	const struct process_member_ask_results results = {.report = in->report};
	struct msg_builder builder;

	(void)msg;
	if (in->report.len > REPORT_MAX)
		return STATUS_TOO_BIG;
	msg_builder_init(&builder, message, sizeof(message));
	if (process_member_ask_results_write(&builder, &results))
		return STATUS_NO_MEMORY;
	answer_all(object, STATUS_OK, message, msg_builder_length(&builder));
	return STATUS_OK;
}

void report_refuse(struct member *m)
{
	answer_all(m, STATUS_NO_ENTRY, NULL, 0);
}

bool report_cancel(struct world *world, uint64_t call_id)
{
	for (struct member *m = world->first; m; m = m->after) {
		for (struct asker **at = &m->askers, *a; (a = *at); at = &a->next) {
			if (a->call_id != call_id)
				continue;
			*at = a->next;
			slab_put(world->slab, a, sizeof(*a));
			return true;
		}
	}
	return false;
}
