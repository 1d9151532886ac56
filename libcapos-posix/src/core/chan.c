/* SPDX-License-Identifier: MIT */
/*
 * Channels as their client uses them.  What was taken out is published to the server when a quarter
 * of the queue is free, when nothing is left or before sleeping, so that reading in small pieces
 * does not wake it for each.
 */
#include <errno.h>

#include "core/chan.h"
#include "core/family.h"
#include "core/lock.h"
#include "core/user.h"
#include "core/vector.h"

#include <capos/schema/kernel_client.h>

static cap_t take_cap(struct capos_call *reply, uint16_t index)
{
	cap_t cap = index < reply->ncaps ? reply->caps[index] : CAP_NULL;

	if (cap)
		reply->caps[index] = CAP_NULL;
	return cap;
}

static int map_memory(struct chan *c, uint64_t size)
{
	int result =
	        cap_memory_map(c->object, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &c->memory);

	if (result) {
		c->memory = NULL;
		return result;
	}
	c->mapped = size;
	return channel_open(&c->channel, c->memory, size);
}

static int map_whole(struct chan *c)
{
	struct memory_object_size_results size;
	int result = memory_object_size(c->object, &size, NULL);

	return result ? result : map_memory(c, size.size);
}

int chan_open(struct chan *c, const struct channel_ref *ref, struct capos_call *reply)
{
	int result;

	*c = (struct chan){.object = take_cap(reply, ref->memory_index),
	                   .event = take_cap(reply, ref->event_index),
	                   .event_bits = ref->event_bits};
	result = c->object && c->event ? map_whole(c) : CAP_EMESSAGE;
	if (result)
		chan_close(c);
	return result;
}

void chan_close(struct chan *c)
{
	if (c->memory)
		cap_memory_unmap(c->memory, c->mapped);
	cap_release(c->object);
	cap_release(c->event);
	*c = (struct chan){0};
}

bool chan_has_error(struct chan *c)
{
	return atomic_load_explicit(&c->channel.shared->error_count, memory_order_acquire) !=
	       c->errors_taken;
}

uint32_t chan_take_error(struct chan *c)
{
	uint32_t count =
	        atomic_load_explicit(&c->channel.shared->error_count, memory_order_acquire);

	if (count == c->errors_taken)
		return 0;
	c->errors_taken = count;
	return atomic_load_explicit(&c->channel.shared->error, memory_order_relaxed);
}

static void publish_taken(struct chan *c)
{
	if (!c->taken)
		return;
	c->taken = 0;
	if (queue_publish_take(&c->channel.receive))
		cap_signal(c->event, c->event_bits);
}

/* Own indices are never read back but here, where another process of ours may have moved them; what
 * the server could do with that harms this channel alone. */
void chan_look(struct chan *c)
{
	struct channel *channel = &c->channel;

	if (!c->common)
		return;
	channel->receive.local = atomic_load(&channel->shared->receive.head);
	channel->send.local = atomic_load(&channel->shared->send.tail);
}

int chan_begin(struct chan *c)
{
	if (!c->common)
		return 0;
	if (shared_lock(&c->channel.shared->client_lock) < 0)
		return -EINTR;
	chan_look(c);
	return 0;
}

void chan_end(struct chan *c)
{
	if (!c->common)
		return;
	publish_taken(c);
	shared_unlock(&c->channel.shared->client_lock);
}

void chan_make_common(struct chan *c)
{
	publish_taken(c);
	c->common = true;
}

struct chan_state chan_save(struct chan *c)
{
	publish_taken(c);
	return (struct chan_state){.object = c->object,
	                           .event = c->event,
	                           .event_bits = c->event_bits,
	                           .errors_taken = c->errors_taken,
	                           .common = c->common,
	                           .era = c->era,
	                           .size = c->mapped};
}

int chan_restore(struct chan *c, const struct chan_state *state)
{
	int result;

	*c = (struct chan){.object = state->object,
	                   .event = state->event,
	                   .event_bits = state->event_bits,
	                   .errors_taken = (uint32_t)state->errors_taken,
	                   .common = true,
	                   .era = state->era};
	result = map_memory(c, state->size);
	if (result)
		return result;
	chan_look(c); /* where the last image stopped */
	c->common = state->common;
	return CAP_OK;
}

void chan_taken(struct chan *c, uint32_t bytes)
{
	c->taken += bytes;
	if (c->taken >= c->channel.receive.capacity / 4 || !queue_readable(&c->channel.receive))
		publish_taken(c);
}

/* Tests, when the kernel is entered next, whether the server has ended.  Its end signals our event,
 * so a sleep that began before the end is over then; one that begins later ends at once. */
static void test_server(struct chan *c)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_NOP, .flags = CAPOS_SQE_QUIET, .cap = c->served, .arg = c->era};

	if (c->served && !c->test.done)
		cap_submit(&sqe, &c->test);
}

bool chan_gone_now(struct chan *c)
{
	uint64_t era;

	if (c->served && !c->test.done && (cap_test(c->served, &era) || era != c->era))
		c->test.done = true;
	return chan_gone(c);
}

void chan_put(struct chan *c)
{
	if (!queue_publish_put(&c->channel.send))
		return;
	test_server(c);
	cap_signal(c->event, c->event_bits);
}

void chan_resend(struct chan *to, struct chan *from)
{
	if (atomic_exchange(&from->channel.shared->client_moved, 1))
		return; /* another process of the family did it */
	chan_look(from);
	if (chan_begin(to))
		return;
	queue_resend(&to->channel.send, &from->channel.send);
	chan_put(to);
	chan_end(to);
}

struct chan_move {
	struct queue *queue;
	uint32_t offset;
};

static ssize_t move_out(void *context, void *piece, size_t length, size_t done)
{
	const struct chan_move *m = context;
	size_t moved = 0;

	while (moved < length) {
		uint32_t offset = m->offset + (uint32_t)(done + moved), run;
		const void *from = queue_read_run(m->queue, offset, &run);
		size_t n = run < length - moved ? run : length - moved;
		size_t left = n ? posix_user_copy((char *)piece + moved, from, n) : 0;

		moved += n - left;
		if (left)
			return moved ? (ssize_t)moved : -EFAULT;
		if (!n)
			break;
	}
	return (ssize_t)moved;
}

static ssize_t move_in(void *context, void *piece, size_t length, size_t done)
{
	const struct chan_move *m = context;
	size_t moved = 0;

	while (moved < length) {
		uint32_t offset = m->offset + (uint32_t)(done + moved), run;
		void *to = queue_write_run(m->queue, offset, &run);
		size_t n = run < length - moved ? run : length - moved;
		size_t left = n ? posix_user_copy(to, (char *)piece + moved, n) : 0;

		moved += n - left;
		if (left)
			return moved ? (ssize_t)moved : -EFAULT;
		if (!n)
			break;
	}
	return (ssize_t)moved;
}

ssize_t chan_copy_out(struct queue *q, uint32_t offset, const struct iovec *iov, int n, size_t skip)
{
	struct chan_move m = {.queue = q, .offset = offset};

	return vector_move(iov, n, skip, move_out, &m);
}

ssize_t chan_copy_in(struct queue *q, uint32_t offset, const struct iovec *iov, int n, size_t skip)
{
	struct chan_move m = {.queue = q, .offset = offset};

	return vector_move(iov, n, skip, move_in, &m);
}

ssize_t chan_read(struct chan *c, const struct iovec *iov, int n, size_t skip, bool peek)
{
	ssize_t done = chan_begin(c);

	if (done)
		return done;
	done = chan_copy_out(&c->channel.receive, 0, iov, n, skip);
	if (done > 0 && !peek) {
		queue_advance(&c->channel.receive, (uint32_t)done);
		chan_taken(c, (uint32_t)done);
	}
	chan_end(c);
	return done;
}

ssize_t chan_write(struct chan *c, const struct iovec *iov, int n, size_t skip)
{
	ssize_t done = chan_begin(c);

	if (done)
		return done;
	done = chan_copy_in(&c->channel.send, 0, iov, n, skip);
	if (done > 0) {
		queue_advance(&c->channel.send, (uint32_t)done);
		chan_put(c);
	}
	chan_end(c);
	return done;
}

void chan_arm_status(struct chan *c)
{
	test_server(c);
	atomic_store(&c->channel.shared->client_wants_status, 1);
	atomic_thread_fence(memory_order_seq_cst);
}

void chan_arm_read(struct chan *c)
{
	publish_taken(c);
	queue_want_data(&c->channel.receive);
	chan_arm_status(c);
}

void chan_arm_write(struct chan *c)
{
	queue_want_space(&c->channel.send);
	chan_arm_status(c);
}
