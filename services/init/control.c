/* SPDX-License-Identifier: MIT */
/*
 * The control port: lines between init and `capos run` on the host.  What the host sends is checked
 * like anything from outside; a line that makes no sense is logged and dropped.
 */
#include <stdarg.h>
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/service_client.h>
#include <capos/text.h>

#include "init.h"

#define LINE_MAX   512
#define SIGNAL_MAX 64
#define SIGKILL    9

static struct {
	bool attached;
	cap_t stream;
	cap_t event; /* the console's; which bits to signal */
	uint64_t bits;
	struct channel channel;
	char line[64]; /* received so far */
	uint32_t length;
	bool overlong;
} control;

bool control_attached(void)
{
	return control.attached;
}

static int map_channel(cap_t memory)
{
	struct capos_call call = INIT_CALL();
	struct memory_object_size_results results;
	void *address;
	int result = memory_object_size(memory, &results, &call);

	if (!result)
		result = cap_memory_map(memory, 0, results.size, CAP_RIGHT_READ | CAP_RIGHT_WRITE,
		                        &address);
	if (!result)
		result = channel_open(&control.channel, address, results.size);
	return result;
}

int control_attach(cap_t stream)
{
	struct capos_send_cap wake = {.cap = init.event,
	                              .rights = CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY};
	struct capos_call call = INIT_CALL();
	struct byte_stream_attach_params params = {.wake_index = 0, .wake_bits = WAKE_CONTROL};
	struct byte_stream_attach_results results;
	int result;

	call.send_caps = &wake;
	call.send_ncaps = 1;
	result = byte_stream_attach(stream, &params, &results, &call);
	if (result)
		return result;
	if (call.ncaps != 2 || results.channel.memory_index > 1 ||
	    results.channel.event_index > 1 ||
	    results.channel.memory_index == results.channel.event_index)
		return CAP_EMESSAGE;
	control.stream = stream;
	control.event = call.caps[results.channel.event_index];
	control.bits = results.channel.event_bits;
	result = map_channel(call.caps[results.channel.memory_index]);
	cap_release(call.caps[results.channel.memory_index]);
	if (result)
		return result;
	control.attached = true;
	queue_want_data(&control.channel.receive);
	return CAP_OK;
}

static bool console_gone(void)
{
	return init.console < 0 || !init.services[init.console].name;
}

/* Puts all of it into the channel, waiting for space as often as needed. */
static void send_bytes(const char *bytes, uint32_t length)
{
	struct queue *q = &control.channel.send;

	while (length && !console_gone()) {
		uint32_t n = queue_put(q, bytes, length);

		bytes += n;
		length -= n;
		if (n && queue_publish_put(q))
			cap_signal(control.event, control.bits);
		if (!length || n)
			continue;
		queue_want_space(q);
		if (!queue_writable(q) && !q->broken)
			init_wait(CAPOS_FOREVER);
		queue_dont_want_space(q);
		if (q->broken)
			return;
	}
}

void control_send(const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;
	int length;

	va_start(args, format);
	length = fmt_vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (length > (int)sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	length = (int)text_clean(line, sizeof(line), line, (uint32_t)length);
	if (!control.attached) {
		log_line("%s", line);
		return;
	}
	line[length] = '\n';
	send_bytes(line, (uint32_t)length + 1);
}

static void send_signal(unsigned number)
{
	if (!init.program.name)
		return;
	if (number == SIGKILL) {
		struct process_kill_params params = {.status = CAPOS_EXIT_STATUS(0, SIGKILL)};
		struct capos_call call = INIT_CALL();

		process_kill(init.program.process, &params, &call);
	} else {
		cap_signal(init.signals, 1ull << (number - 1));
	}
}

static void handle_line(const char *line)
{
	unsigned number = 0;

	if (strncmp(line, "signal ", 7) == 0) {
		const char *p = line + 7;

		while (*p >= '0' && *p <= '9' && number <= SIGNAL_MAX)
			number = number * 10 + (unsigned)(*p++ - '0');
		if (!*p && number >= 1 && number <= SIGNAL_MAX) {
			send_signal(number);
			return;
		}
	} else if (strncmp(line, "winsize ", 8) == 0) {
		return; /* the console driver's business; no program of this system asks for it */
	}
	log_line("control: \"%s\" is nothing that is known", line);
}

void control_receive(void)
{
	struct queue *q = &control.channel.receive;
	bool again = control.attached;
	char c;

	while (again) {
		while (queue_take(q, &c, 1) == 1) {
			if (c != '\n') {
				if (control.length < sizeof(control.line) - 1)
					control.line[control.length++] = c;
				else
					control.overlong = true;
				continue;
			}
			control.line[control.length] = 0;
			if (control.overlong)
				log_line("control: a line that is too long was dropped");
			else
				handle_line(control.line);
			control.length = 0;
			control.overlong = false;
		}
		if (queue_publish_take(q))
			cap_signal(control.event, control.bits);
		queue_want_data(q);
		again = queue_readable(q) > 0;
	}
}

void control_drain(void)
{
	struct capos_call call = INIT_CALL();

	if (control.attached && !console_gone())
		byte_stream_drain(control.stream, &call);
}
