/* SPDX-License-Identifier: MIT */
/*
 * The control port: lines between init and `capos run` on the host.  What the host sends is checked
 * like anything from outside; a line that makes no sense is logged and dropped.
 */
#include <stdarg.h>
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/process.h>
#include <capos/text.h>

#include "stream.h"

#define LINE_MAX   512
#define SIGNAL_MAX 64
#define SIGHUP     1
#define SIGINT     2
#define SIGQUIT    3
#define SIGKILL    9
#define SIGTSTP    20
#define SIGWINCH   28

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

/* What the user's keyboard sends goes to the foreground group. */
static const uint64_t of_the_keyboard = 1ull << (SIGHUP - 1) | 1ull << (SIGINT - 1) |
                                        1ull << (SIGQUIT - 1) | 1ull << (SIGTSTP - 1) |
                                        1ull << (SIGWINCH - 1);

static struct {
	struct init_call call;
	unsigned number;  /* of the signal that is under way; 0: none */
	uint64_t waiting; /* to be sent after it */
} to_world;

/* A program that is no member of a world (it has not begun, or knows nothing of signals by number)
 * has its event. */
static void world_answered(void)
{
	if (to_world.call.op.cqe.result)
		cap_signal(init.signals, 1ull << (to_world.number - 1));
	else
		init_call_release(&to_world.call);
	to_world.number = 0;
}

static void send_to_world(void)
{
	struct process_world_signal_params params;
	struct msg_builder builder;
	int result;

	if (to_world.number && to_world.call.op.done)
		world_answered();
	while (!to_world.number && to_world.waiting) {
		to_world.number = (unsigned)__builtin_ctzll(to_world.waiting) + 1;
		to_world.waiting &= to_world.waiting - 1;
		params = (struct process_world_signal_params){
		        .signal = to_world.number,
		        .foreground = of_the_keyboard >> (to_world.number - 1) & 1};
		msg_builder_init(&builder, to_world.call.buffer, sizeof(to_world.call.buffer));
		result = process_world_signal_params_write(&builder, &params);
		if (!result)
			result = init_call_submit(&to_world.call,
			                          init.sessions[SESSION_PROCESSES].object,
			                          PROCESS_WORLD_INTERFACE, PROCESS_WORLD_SIGNAL,
			                          msg_builder_length(&builder));
		if (!result)
			return;
		to_world.call.op.cqe.result = result;
		world_answered();
	}
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
		to_world.waiting |= 1ull << (number - 1);
		send_to_world();
	}
}

/* At most what a window's side may be; a larger one makes the line nonsense. */
static unsigned take_number(const char **p)
{
	unsigned number = 0;

	while (**p >= '0' && **p <= '9' && number <= UINT16_MAX)
		number = number * 10 + (unsigned)(*(*p)++ - '0');
	return number <= UINT16_MAX ? number : 0;
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
		const char *p = line + 8;
		unsigned columns = take_number(&p), rows = *p == ' ' ? (p++, take_number(&p)) : 0;

		if (!*p && columns && rows) {
			terminal_resize(columns, rows);
			return;
		}
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
	terminal_step();
	send_to_world();
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
