/* SPDX-License-Identifier: MIT */
/*
 * Queues of messages: a message is in its queue until its receiver has it.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "sysv.h"
#include "world.h"

/* ---- Messages ---- */

static uint32_t part_size(uint32_t size, uint32_t part)
{
	uint32_t left = size - part * (uint32_t)PAGE_SIZE;

	return left < PAGE_SIZE ? left : (uint32_t)PAGE_SIZE;
}

void sysv_drop_message(struct slab *slab, struct sysv_message *message)
{
	if (!message)
		return;
	for (uint32_t i = 0; i * PAGE_SIZE < message->size; i++)
		slab_put(slab, message->parts[i], part_size(message->size, i));
	slab_put(slab, message, sizeof(*message));
}

void sysv_drop_messages(struct slab *slab, struct sysv_object *queue)
{
	while (queue->first) {
		struct sysv_message *message = queue->first;

		queue->first = message->next;
		sysv_drop_message(slab, message);
	}
}

/* NULL: no memory. */
static struct sysv_message *make_message(struct slab *slab, int64_t type, const uint8_t *bytes,
                                         uint32_t size)
{
	struct sysv_message *message = slab_get(slab, sizeof(*message));

	if (!message)
		return NULL;
	message->type = type;
	message->size = size;
	for (uint32_t i = 0; i * PAGE_SIZE < size; i++) {
		message->parts[i] = slab_get(slab, part_size(size, i));
		if (!message->parts[i]) {
			sysv_drop_message(slab, message);
			return NULL;
		}
		memcpy(message->parts[i], bytes + i * PAGE_SIZE, part_size(size, i));
	}
	return message;
}

static void append(struct sysv_object *queue, struct sysv_message *message)
{
	message->serial = ++queue->serial;
	message->before = queue->last_message;
	message->next = NULL;
	*(queue->last_message ? &queue->last_message->next : &queue->first) = message;
	queue->last_message = message;
	queue->messages++;
	queue->bytes += message->size;
}

/* Takes it out, and frees it. */
static void take(struct slab *slab, struct sysv_object *queue, struct sysv_message *message)
{
	*(message->before ? &message->before->next : &queue->first) = message->next;
	*(message->next ? &message->next->before : &queue->last_message) = message->before;
	queue->messages--;
	queue->bytes -= message->size;
	sysv_drop_message(slab, message);
}

/* ---- Sending ---- */

enum sysv_outcome sysv_try_send(struct sysv_waiter *w)
{
	struct sysv_object *queue = w->object;
	const struct world_ops *ops = w->member->world->ops;

	if (queue->bytes + w->message->size > queue->size || queue->messages + 1 > queue->size ||
	    queue->messages == SYSV_MESSAGES_MAX) {
		if (!(w->flags & SYSV_NOWAIT))
			return SYSV_WAITS;
		(void)ops->reply(w, STATUS_WOULD_BLOCK, NULL);
		return SYSV_DONE;
	}
	if (!ops->reply(w, STATUS_OK, NULL))
		return SYSV_DONE;
	append(queue, w->message);
	w->message = NULL;
	queue->last = w->member->number;
	queue->first_s = ops->seconds();
	return SYSV_CHANGED;
}

int sysv_send(struct member *m, int32_t id, int64_t type, const void *bytes, uint32_t size,
              bool wait, uint64_t token)
{
	struct sysv_waiter w = {.member = m,
	                        .object = sysv_find(m->world, SYSV_QUEUE, id),
	                        .token = token,
	                        .call = SYSV_SEND,
	                        .flags = wait ? 0 : SYSV_NOWAIT};

	if (!w.object || type < 1 || size > SYSV_MESSAGE_MAX)
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_allows(m, w.object, SYSV_MAY_WRITE))
		return STATUS_ACCESS_DENIED;
	w.message = make_message(m->world->slab, type, bytes, size);
	return w.message ? sysv_begin(&w) : STATUS_NO_MEMORY;
}

/* ---- Receiving ---- */

static bool matches(const struct sysv_waiter *w, const struct sysv_message *message)
{
	if (w->type == 0)
		return true;
	if (w->type < 0)
		return message->type <= -w->type;
	return (message->type == w->type) != !!(w->flags & SYSV_EXCEPT);
}

/* The message of that place; NULL: there are not so many. */
static struct sysv_message *nth(const struct sysv_object *queue, int64_t place)
{
	struct sysv_message *message = queue->first;

	while (message && place-- > 0)
		message = message->next;
	return message;
}

/* The one that is to be received; NULL: it is none.  A call that waits looks at each message once,
 * so the newest come first here. */
static struct sysv_message *choose(struct sysv_waiter *w)
{
	struct sysv_message *chosen = NULL, *message = w->object->last_message;

	for (; message && message->serial > w->seen; message = message->before) {
		if (matches(w, message) &&
		    (!chosen || w->type >= 0 || message->type <= chosen->type))
			chosen = message;
	}
	if (!chosen)
		w->seen = w->object->serial;
	return chosen;
}

enum sysv_outcome sysv_try_receive(struct sysv_waiter *w)
{
	struct sysv_object *queue = w->object;
	const struct world_ops *ops = w->member->world->ops;
	struct sysv_message *m = w->flags & SYSV_COPY ? nth(queue, w->type) : choose(w);

	if (!m && !(w->flags & SYSV_NOWAIT))
		return SYSV_WAITS;
	if (!m || (m->size > w->size && !(w->flags & SYSV_NOERROR))) {
		(void)ops->reply(w, m ? STATUS_TOO_BIG : STATUS_NO_MESSAGE, NULL);
		return SYSV_DONE;
	}
	if (!ops->reply(w, STATUS_OK, m) || w->flags & SYSV_COPY)
		return SYSV_DONE;
	take(w->member->world->slab, queue, m);
	queue->last_receiver = w->member->number;
	queue->second_s = ops->seconds();
	return SYSV_CHANGED;
}

int sysv_receive(struct member *m, int32_t id, int64_t type, uint64_t size, uint32_t flags,
                 uint64_t token)
{
	const struct sysv_waiter w = {.member = m,
	                              .object = sysv_find(m->world, SYSV_QUEUE, id),
	                              .token = token,
	                              .call = SYSV_RECEIVE,
	                              .flags = flags,
	                              .type = type == INT64_MIN ? -INT64_MAX : type,
	                              .size = size};

	if (!w.object || size > INT64_MAX)
		return STATUS_INVALID_ARGUMENT;
	if (flags & SYSV_COPY && (flags & SYSV_EXCEPT || !(flags & SYSV_NOWAIT)))
		return STATUS_INVALID_ARGUMENT;
	if (!sysv_allows(m, w.object, SYSV_MAY_READ))
		return STATUS_ACCESS_DENIED;
	return sysv_begin(&w);
}
