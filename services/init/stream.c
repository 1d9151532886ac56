/* SPDX-License-Identifier: MIT */
/*
 * A stream's states: not attached; asking (a call of attach is under way); attached.  A new
 * instance of the console leads from any of them to asking.  The old channel stays mapped until the
 * new one is there, since what was not sent is in it.
 */
#include "stream.h"

#include <stdatomic.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/service.h>

static int ask(struct stream *s, cap_t stream)
{
	struct byte_stream_attach_params params = {.wake_index = 0, .wake_bits = s->wake_bits};
	struct msg_builder builder;
	int result;

	s->attach.send = (struct capos_send_cap){.cap = init.event,
	                                         .rights = CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY};
	s->attach.sends = true;
	msg_builder_init(&builder, s->attach.buffer, sizeof(s->attach.buffer));
	result = byte_stream_attach_params_write(&builder, &params);
	if (result)
		return result;
	return init_call_submit(&s->attach, stream, BYTE_STREAM_INTERFACE, BYTE_STREAM_ATTACH,
	                        msg_builder_length(&builder));
}

/* Goes over to the channel in this memory, with what the host has not been sent yet. */
static int change_channel(struct stream *s, cap_t memory)
{
	struct capos_call call = INIT_CALL();
	struct memory_object_size_results results;
	struct channel channel;
	void *address;
	int result = memory_object_size(memory, &results, &call);

	if (!result)
		result = cap_memory_map(memory, 0, results.size, CAP_RIGHT_READ | CAP_RIGHT_WRITE,
		                        &address);
	if (result)
		return result;
	result = channel_open(&channel, address, results.size);
	if (result) {
		cap_memory_unmap(address, results.size);
		return result;
	}
	if (s->memory) {
		queue_resend(&channel.send, &s->channel.send);
		cap_memory_unmap(s->memory, s->size);
	}
	s->channel = channel;
	s->memory = address;
	s->size = results.size;
	return CAP_OK;
}

/* Reads the reply to the call of attach. */
static int read_reply(struct stream *s)
{
	struct init_call *call = &s->attach;
	struct byte_stream_attach_results results;
	struct msg_reader reader;
	uint16_t memory, event;
	int result = call->op.cqe.result;

	if (result)
		return result;
	msg_reader_init(&reader, call->buffer, call->op.cqe.length);
	result = byte_stream_attach_results_read(&reader, &results);
	memory = results.channel.memory_index;
	event = results.channel.event_index;
	if (!result && (call->op.cqe.ncaps != 2 || memory > 1 || event > 1 || memory == event))
		result = CAP_EMESSAGE;
	if (!result)
		result = change_channel(s, call->caps[memory]);
	if (result) {
		init_call_release(call);
		return result;
	}
	cap_release(call->caps[memory]);
	cap_release(s->event);
	s->event = call->caps[event];
	s->bits = results.channel.event_bits;
	if (s->channel.receive.capacity)
		queue_want_data(&s->channel.receive);
	if (queue_publish_put(&s->channel.send))
		cap_signal(s->event, s->bits);
	return CAP_OK;
}

void stream_follow(struct stream *s)
{
	int result;

	if (init.console < 0)
		return;
	if (s->asking && s->attach.op.done) {
		s->asking = false;
		result = read_reply(s);
		s->attached = !result;
		if (result && result != CAP_EGONE)
			log_line("the console's %s: %s", s->name, cap_error_text(result));
	}
	if (s->asking || s->instance == init.services[init.console].instance)
		return;
	s->attached = false;
	s->instance = init.services[init.console].instance;
	result = ask(s, service_export(BYTE_STREAM_INTERFACE, s->name));
	s->asking = !result;
	if (result)
		log_line("the console's %s: %s", s->name, cap_error_text(result));
}

bool stream_ready(struct stream *s)
{
	while (init.console >= 0 && !service_is_over((uint32_t)init.console)) {
		stream_follow(s);
		if (s->attached)
			return true;
		init_wait(CAPOS_FOREVER);
	}
	return false;
}

bool stream_takes_nothing(const struct stream *s)
{
	return s->channel.send.broken || (atomic_load(&s->channel.shared->status) & CHANNEL_CLOSED);
}

bool stream_send(struct stream *s, const void *bytes, uint32_t length)
{
	const uint8_t *at = bytes;

	/* The console may have ended after any wait. */
	while (length && stream_ready(s) && !stream_takes_nothing(s)) {
		struct queue *q = &s->channel.send;
		uint32_t n = queue_put(q, at, length);

		at += n;
		length -= n;
		if (n && queue_publish_put(q))
			cap_signal(s->event, s->bits);
		if (!length || n)
			continue;
		queue_want_space(q);
		if (!queue_writable(q) && !stream_takes_nothing(s))
			init_wait(CAPOS_FOREVER);
		queue_dont_want_space(q);
	}
	return !length;
}

int stream_drain(struct stream *s)
{
	static struct init_call call;
	int result = CAP_EGONE;

	/* A console that ends meanwhile comes back with what was not sent. */
	while (result == CAP_EGONE && stream_ready(s))
		result = init_call_empty(&call, service_export(BYTE_STREAM_INTERFACE, s->name),
		                         BYTE_STREAM_INTERFACE, BYTE_STREAM_DRAIN);
	return result;
}
