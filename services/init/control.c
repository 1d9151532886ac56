/* SPDX-License-Identifier: MIT */
/*
 * The control port: lines between init and `capos run` on the host.  What the host sends is checked
 * like anything from outside; a line that makes no sense is logged and dropped.
 */
#include <stdarg.h>
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/text.h>

#include "stream.h"

#define LINE_MAX   512
#define SIGNAL_MAX 64
#define SIGKILL    9

static struct {
	struct stream stream;
	char line[64]; /* received so far */
	uint32_t length;
	bool overlong;
	bool may_end; /* the host has everything: "end" */
} control = {.stream = {.name = "control", .wake_bits = WAKE_CONTROL}};

bool control_ready(void)
{
	return stream_ready(&control.stream);
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
	if (!control_ready()) {
		log_line("%s", line);
		return;
	}
	line[length] = '\n';
	stream_send(&control.stream, line, (uint32_t)length + 1);
}

/* ---- Receiving ---- */

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
	} else if (strcmp(line, "end") == 0) {
		control.may_end = true;
		return;
	} else if (strncmp(line, "winsize ", 8) == 0) {
		return; /* the console driver's business; no program of this system asks for it */
	}
	log_line("control: \"%s\" is nothing that is known", line);
}

static void receive(void)
{
	struct queue *q = &control.stream.channel.receive;
	bool again = control.stream.attached;
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
			cap_signal(control.stream.event, control.stream.bits);
		queue_want_data(q);
		again = queue_readable(q) > 0;
	}
}

void control_step(void)
{
	stream_follow(&control.stream);
	receive();
}

bool control_drain(void)
{
	return !stream_drain(&control.stream);
}

void control_await_end(void)
{
	if (!control_drain())
		return; /* no host is at the port */
	while (!control.may_end && control_ready() && !stream_takes_nothing(&control.stream)) {
		control_step();
		if (!control.may_end)
			init_wait(CAPOS_FOREVER);
	}
}
