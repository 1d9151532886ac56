/* SPDX-License-Identifier: MIT */
/*
 * The terminal that the user sits at: its far end are the console driver's stdin and stdout.  A
 * driver that ended is followed to the next one, with what it had not sent.
 */
#include "terminal.h"

#include <capos/log.h>
#include <capos/object.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>
#include <capos/start.h>

struct stream {
	cap_t object; /* CAP_NULL: this system has none */
	uint64_t era; /* of the driver that the channel is of */
	cap_t memory, event;
	uint64_t bits;
	struct channel channel;
};

static struct stream input, output;
static bool attached;

static int attach(struct stream *s, const char *name)
{
	_Alignas(8) uint8_t buffer[CAP_STUB_BUFFER];
	const struct capos_send_cap send = {
	        .cap = server.event, .rights = CAP_RIGHT_SIGNAL, .flags = CAPOS_SEND_HANGUP};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct byte_stream_attach_params params = {.wake_bits = BIT_CONSOLE};
	struct byte_stream_attach_results results;
	void *base;
	uint64_t size;
	int result;

	s->object = start_cap(name);
	if (s->object == CAP_NULL)
		return STATUS_NO_ENTRY;
	result = cap_test(s->object, &s->era);
	if (!result)
		result = byte_stream_attach(s->object, &params, &results, &call);
	if (result)
		return result;
	if (results.channel.memory_index >= call.ncaps || results.channel.event_index >= call.ncaps)
		return CAP_EMESSAGE;
	s->memory = call.caps[results.channel.memory_index];
	s->event = call.caps[results.channel.event_index];
	s->bits = results.channel.event_bits;
	result = cap_memory_size(s->memory, &size);
	if (!result)
		result =
		        cap_memory_map(s->memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &base);
	if (!result)
		result = channel_open(&s->channel, base, size);
	return result;
}

static void detach(struct stream *s)
{
	if (s->channel.shared)
		(void)cap_memory_unmap(s->channel.shared, s->channel.memory_size);
	(void)cap_release(s->memory);
	(void)cap_release(s->event);
}

static int attach_both(struct terminal *t)
{
	int result = attach(&input, "stdin");

	if (!result)
		result = attach(&output, "stdout");
	if (result)
		return result;
	attached = true;
	t->far = (struct far_end){.in = &input.channel.receive,
	                          .out = &output.channel.send,
	                          .event = output.event,
	                          .bits = output.bits};
	return STATUS_OK;
}

int console_open(struct terminal *t)
{
	int status;

	if (attached)
		return t->hung ? STATUS_IO_ERROR : STATUS_OK;
	status = t->used ? STATUS_OK : terminal_begin(t, CAP_NULL);
	if (!status)
		status = attach_both(t);
	if (status < 0)
		log_line("the console: %s", cap_error_text(status));
	return status < 0 ? STATUS_IO_ERROR : status;
}

void console_follow(struct terminal *t)
{
	struct stream old_input = input, old_output = output;
	uint64_t era;

	if (!attached || t->hung)
		return;
	if (!cap_test(output.object, &era) && era == output.era) {
		if (atomic_load(&input.channel.shared->status) & CHANNEL_EOF &&
		    !queue_readable(&input.channel.receive))
			terminal_hang_up(t);
		return;
	}
	if (attach_both(t)) {
		input = old_input;
		output = old_output;
		terminal_hang_up(t);
		return;
	}
	(void)queue_resend(&output.channel.send, &old_output.channel.send);
	t->wake_far = true;
	detach(&old_input);
	detach(&old_output);
}
