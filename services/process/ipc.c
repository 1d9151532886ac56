/* SPDX-License-Identifier: MIT */
/*
 * The methods of a member that are about System V objects: each finds its object in the caller's
 * own world.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "process.h"

_Static_assert((int)IPC_KIND_SEGMENT == (int)SYSV_SEGMENT && (int)IPC_KIND_SET == (int)SYSV_SET &&
                       (int)IPC_KIND_QUEUE == (int)SYSV_QUEUE,
               "kinds are called the same in messages");

/* ---- What a world asks for ---- */

bool ipc_reply(const struct sysv_waiter *w, int status, const struct sysv_message *message)
{
	static uint8_t data[SYSV_MESSAGE_MAX];
	static _Alignas(8) uint8_t answer[SYSV_MESSAGE_MAX + 256];
	struct process_member_receive_message_results results = {.type = 0};
	struct msg_builder builder;
	struct msg_slot root;
	int result = 0;

	msg_builder_init(&builder, answer, sizeof(answer));
	if (message) {
		uint32_t size = message->size < w->size ? message->size : (uint32_t)w->size;

		for (uint32_t at = 0; at < size; at += PAGE_SIZE)
			memcpy(data + at, message->parts[at / PAGE_SIZE],
			       size - at < PAGE_SIZE ? size - at : PAGE_SIZE);
		results.type = message->type;
		results.data = MSG_DATA(data, size);
		result = process_member_receive_message_results_write(&builder, &results);
	} else {
		(void)msg_write_root(&builder, 0, 0, &root);
	}
	return answer_call(w->token, result ? STATUS_NO_MEMORY : status, answer,
	                   msg_builder_length(&builder)) &&
	       !result;
}

int ipc_make_memory(struct world *world, uint64_t size, uint64_t *memory)
{
	const struct session *s =
	        (const struct session *)((char *)world - offsetof(struct session, world));
	const uint64_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
	cap_t made;

	if (cap_account_create_memory(s->store.account, pages * PAGE_SIZE, &made))
		return STATUS_NO_MEMORY;
	*memory = made;
	return STATUS_OK;
}

void ipc_drop_memory(uint64_t memory)
{
	cap_release(memory);
}

int64_t ipc_seconds(void)
{
	return cap_realtime() / 1000000000;
}

/* ---- Objects ---- */

static struct sysv_object *find(void *member, uint32_t kind, int32_t id)
{
	const struct member *m = member;

	return kind < SYSV_KINDS ? sysv_find(m->world, (enum sysv_kind)kind, id) : NULL;
}

int ipc_get(void *object, struct msg_call *msg, const struct process_member_ipc_get_params *in,
            struct process_member_ipc_get_results *out)
{
	struct sysv_object *found = NULL;
	int status;

	(void)msg;
	if (in->kind >= SYSV_KINDS)
		return STATUS_INVALID_ARGUMENT;
	status = sysv_get(object, (enum sysv_kind)in->kind, in->key, in->size, in->flags, &found);
	if (!status)
		out->id = found->id;
	return status;
}

int ipc_stat(void *object, struct msg_call *msg, const struct process_member_ipc_stat_params *in,
             struct process_member_ipc_stat_results *out)
{
	const struct member *m = object;
	const struct sysv_object *o;

	(void)msg;
	if (in->kind >= SYSV_KINDS || in->id < 0)
		return STATUS_INVALID_ARGUMENT;
	o = in->by_place ? sysv_at(m->world, (enum sysv_kind)in->kind, (uint32_t)in->id)
	                 : find(object, in->kind, in->id);
	if (!o)
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_allows(m, o, SYSV_MAY_READ))
		return STATUS_ACCESS_DENIED;
	out->stat = (struct ipc_stat){.id = o->id,
	                              .key = o->key,
	                              .user = o->user,
	                              .group = o->group,
	                              .creator_user = o->creator_user,
	                              .creator_group = o->creator_group,
	                              .mode = o->mode | (o->removed ? SYSV_DEST : 0),
	                              .creator = o->creator,
	                              .last = o->last,
	                              .last_receiver = o->last_receiver,
	                              .first_seconds = o->first_s,
	                              .second_seconds = o->second_s,
	                              .change_seconds = o->change_s,
	                              .size = o->size,
	                              .count = o->attached + o->messages,
	                              .bytes = o->bytes};
	return STATUS_OK;
}

int ipc_set(void *object, struct msg_call *msg, const struct process_member_ipc_set_params *in)
{
	struct member *m = object;
	struct sysv_object *o = find(object, in->kind, in->id);

	(void)msg;
	if (!o)
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_owns(m, o))
		return STATUS_NOT_PERMITTED;
	/* As on Linux: only user 0 gives a queue more than the usual room. */
	if (o->kind == SYSV_QUEUE && in->size > SYSV_QUEUE_BYTES && m->identity.user.effective)
		return STATUS_NOT_PERMITTED;
	o->user = in->user;
	o->group = in->group;
	o->mode = (o->mode & ~0777u) | (in->mode & 0777);
	sysv_changed(m->world, o);
	if (o->kind == SYSV_QUEUE) {
		o->size = in->size;
		sysv_settle(m->world, o);
	}
	return STATUS_OK;
}

int ipc_remove(void *object, struct msg_call *msg,
               const struct process_member_ipc_remove_params *in)
{
	struct member *m = object;
	struct sysv_object *o = find(object, in->kind, in->id);

	(void)msg;
	if (!o)
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_owns(m, o))
		return STATUS_NOT_PERMITTED;
	sysv_remove(m->world, o);
	return STATUS_OK;
}

int ipc_use(void *object, struct msg_call *msg, const struct process_member_ipc_use_params *in,
            struct process_member_ipc_use_results *out)
{
	const struct member *m = object;

	(void)msg;
	if (in->kind >= SYSV_KINDS)
		return STATUS_INVALID_ARGUMENT;
	*out = (struct process_member_ipc_use_results){.objects = m->world->sysv.used[in->kind]};
	for (uint32_t place = 0; place < SYSV_IDS; place++) {
		const struct sysv_object *o = sysv_at(m->world, (enum sysv_kind)in->kind, place);

		if (!o)
			continue;
		out->places = place + 1;
		out->items += o->kind == SYSV_SEGMENT ? (o->size + PAGE_SIZE - 1) / PAGE_SIZE
		              : o->kind == SYSV_SET   ? o->size
		                                      : o->messages;
		out->bytes += o->bytes;
	}
	return STATUS_OK;
}

/* ---- Segments ---- */

int ipc_attach(void *object, struct msg_call *msg,
               const struct process_member_attach_segment_params *in,
               struct process_member_attach_segment_results *out)
{
	struct sysv_object *o = find(object, SYSV_SEGMENT, in->id);
	int position, status;

	if (!o)
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_allows(object, o, SYSV_MAY_READ | (in->write ? SYSV_MAY_WRITE : 0)))
		return STATUS_ACCESS_DENIED;
	position = server_give(server_call_of(msg), o->memory,
	                       CAP_RIGHT_READ | CAP_RIGHT_COPY | (in->write ? CAP_RIGHT_WRITE : 0),
	                       false);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	status = sysv_attach(object, o);
	out->memory_index = (uint16_t)position;
	out->size = o->size;
	return status;
}

int ipc_detach(void *object, struct msg_call *msg,
               const struct process_member_detach_segment_params *in)
{
	(void)msg;
	return sysv_detach(object, in->id) ? STATUS_INVALID_ARGUMENT : STATUS_OK;
}

int ipc_lock(void *object, struct msg_call *msg,
             const struct process_member_lock_segment_params *in)
{
	struct sysv_object *o = find(object, SYSV_SEGMENT, in->id);

	(void)msg;
	if (!o)
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_owns(object, o))
		return STATUS_NOT_PERMITTED;
	o->mode = (o->mode & ~SYSV_LOCKED) | (in->lock ? SYSV_LOCKED : 0);
	return STATUS_OK;
}

/* ---- Semaphores ---- */

int ipc_operate(void *object, struct msg_call *msg,
                const struct process_member_operate_semaphores_params *in)
{
	int status = sysv_operate(object, in->id, in->operations.ptr, in->operations.len,
	                          server_call_of(msg)->call_id);

	return status ? status : MSG_DEFERRED;
}

int ipc_read(void *object, struct msg_call *msg,
             const struct process_member_read_semaphores_params *in,
             struct process_member_read_semaphores_results *out)
{
	static uint16_t values[SYSV_SET_MAX];
	const struct member *m = object;
	const struct sysv_object *o = find(object, SYSV_SET, in->id);

	(void)msg;
	if (!o || (in->what != PROCESS_MEMBER_WHAT_ALL && in->number >= o->size))
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_allows(m, o, SYSV_MAY_READ))
		return STATUS_ACCESS_DENIED;
	switch (in->what) {
	case PROCESS_MEMBER_WHAT_VALUE:
		out->value = o->semaphores[in->number].value;
		return STATUS_OK;
	case PROCESS_MEMBER_WHAT_PROCESS:
		out->value = o->semaphores[in->number].last;
		return STATUS_OK;
	case PROCESS_MEMBER_WHAT_WAITING_TO_GROW:
	case PROCESS_MEMBER_WHAT_WAITING_FOR_ZERO:
		out->value = sysv_waiting(m->world, o, in->number,
		                          in->what == PROCESS_MEMBER_WHAT_WAITING_FOR_ZERO);
		return STATUS_OK;
	case PROCESS_MEMBER_WHAT_ALL:
		for (uint32_t i = 0; i < o->size; i++)
			values[i] = (uint16_t)o->semaphores[i].value;
		out->values = MSG_DATA(values, (uint32_t)(o->size * sizeof(values[0])));
		return STATUS_OK;
	default:
		return STATUS_INVALID_ARGUMENT;
	}
}

int ipc_assign(void *object, struct msg_call *msg,
               const struct process_member_assign_semaphores_params *in)
{
	static uint16_t values[SYSV_SET_MAX];
	struct sysv_object *o = find(object, SYSV_SET, in->id);

	(void)msg;
	if (!o || in->values.len > sizeof(values) || in->number < -1)
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_allows(object, o, SYSV_MAY_WRITE))
		return STATUS_ACCESS_DENIED;
	memcpy(values, in->values.ptr, in->values.len);
	return sysv_assign(object, o, in->number, values,
	                   in->values.len / (uint32_t)sizeof(values[0]));
}

/* ---- Messages ---- */

int ipc_send(void *object, struct msg_call *msg,
             const struct process_member_send_message_params *in)
{
	int status = sysv_send(object, in->id, in->type, in->data.ptr, in->data.len, in->wait,
	                       server_call_of(msg)->call_id);

	return status ? status : MSG_DEFERRED;
}

int ipc_receive(void *object, struct msg_call *msg,
                const struct process_member_receive_message_params *in,
                struct process_member_receive_message_results *out)
{
	int status = sysv_receive(object, in->id, in->type, in->size, in->flags,
	                          server_call_of(msg)->call_id);

	(void)out; /* answered by ipc_reply */
	return status ? status : MSG_DEFERRED;
}
