/* SPDX-License-Identifier: MIT */
/*
 * What comes from the machine.  The control line's protocol: the guest sends "started", "caps
 * TEXT", "exit CODE SIGNAL [REASON]", "fail STATUS TEXT" or, when the text explains all, "refuse
 * STATUS TEXT"; we send "signal N", and after "exit" when the machine may end, "end".  All text of
 * the guest is cleaned before it is printed (complain does it, and clean.h).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include "tools/capos/backlog.h"
#include "tools/capos/clean.h"
#include "tools/capos/session_state.h"
#include "tools/capos/terminal.h"

void lines_close(struct session *s, enum machine_line line)
{
	if (s->machine.lines[line] >= 0)
		close(s->machine.lines[line]);
	s->machine.lines[line] = -1;
}

/* Bytes read; 0: none now.  The line is closed at its end. */
static size_t read_line(struct session *s, enum machine_line line, char *bytes, size_t size)
{
	ssize_t n = read(s->machine.lines[line], bytes, size);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		lines_close(s, line);
	return n > 0 ? (size_t)n : 0;
}

/* ---- Control line ---- */

static void control_send(struct session *s, const char *line)
{
	if (s->machine.lines[LINE_CONTROL] >= 0)
		(void)!send(s->machine.lines[LINE_CONTROL], line, strlen(line),
		            MSG_DONTWAIT | MSG_NOSIGNAL);
}

void lines_signal(struct session *s, int number)
{
	char line[32];

	snprintf(line, sizeof(line), "signal %d\n", number);
	control_send(s, line); /* one that takes nothing is ended by kill_ms or a second Ctrl-C */
}

void lines_window(struct session *s, unsigned columns, unsigned rows)
{
	char line[40];

	snprintf(line, sizeof(line), "winsize %u %u\n", columns, rows);
	control_send(s, line);
}

void lines_end(struct session *s)
{
	control_send(s, "end\n");
}

/* Takes a decimal number of 0..maximum off the text. */
static bool take_number(char **text, long maximum, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(*text, &end, 10);
	if (end == *text || errno != 0 || *out < 0 || *out > maximum)
		return false;
	*text = end + (*end == ' ');
	return true;
}

/* Signals that a program gets for its own fault: a shell names them. */
static bool is_fault(long number)
{
	return number == SIGSEGV || number == SIGABRT || number == SIGBUS || number == SIGFPE ||
	       number == SIGILL || number == SIGSYS || number == SIGKILL || number == SIGTRAP;
}

/* One line on what ended the program, as a shell prints it. */
static void explain_end(const struct session *s, long signal_number, const char *reason)
{
	const char *name = s->settings->program ? s->settings->program[0] : "the program";

	if (s->expired)
		return;
	terminal_end();
	if (signal_number == SIGSYS)
		complain("%s was ended by the system: it makes system calls of Linux itself; a "
		         "program "
		         "must be built for capOS (x86_64-capos-linux-musl-gcc)",
		         name);
	else if (*reason != '\0')
		complain("%s was ended by the system: %s%s", name, reason,
		         s->settings->log || s->settings->verbose
		                 ? ""
		                 : " (--log FILE or --verbose shows more)");
	else if (is_fault(signal_number))
		complain("%s: %s", name, strsignal((int)signal_number));
}

static void program_ended(struct session *s, char *line)
{
	long code, signal_number;

	if (!take_number(&line, 255, &code) || !take_number(&line, 127, &signal_number)) {
		session_fail(s, "the guest's report of the program's end makes no sense");
		return;
	}
	explain_end(s, signal_number, line);
	s->reported = true;
	session_finish(s, signal_number != 0 ? EXIT_SIGNAL + (int)signal_number : (int)code);
}

/* A name is not looked up in the host's directory, and people expect it. */
static bool is_host_file(const struct session *s)
{
	const char *program = s->settings->program ? s->settings->program[0] : "/";

	return !strchr(program, '/') && access(program, X_OK) == 0;
}

/* What the line says of the program, by the name that was asked for: a file of the host has another
 * in the guest (place_program).  Else NULL. */
static const char *said_of_host_file(const struct session *s, const char *line)
{
	const char *program = s->settings->program ? s->settings->program[0] : "";
	const char *slash = strrchr(program, '/');
	size_t directory = strlen(GUEST_PROGRAMS), length = slash ? strlen(slash) : 0;

	if (!slash || strncmp(line, GUEST_PROGRAMS, directory) != 0 ||
	    strncmp(line + directory, slash, length) != 0)
		return NULL;
	line += directory + length;
	return *line == ' ' || *line == ':' ? line : NULL;
}

/* explained: the line says all, and the log no more. */
static void program_failed(struct session *s, char *line, bool explained)
{
	const char *said;
	long code;

	if (!take_number(&line, 255, &code))
		code = EXIT_MACHINE;
	said = said_of_host_file(s, line);
	if (code == EXIT_MISSING && is_host_file(s))
		complain("%s; the host's file of that name is run by ./%s", line,
		         s->settings->program[0]);
	else if (said)
		complain("%s%s", s->settings->program[0], said);
	else
		complain("%s", line);
	if (code == EXIT_MACHINE && !explained)
		log_show_tail(&s->log);
	session_finish(s, (int)code);
}

static void control_line(struct session *s, char *line)
{
	if (strcmp(line, "started") == 0) {
		s->started = true;
	} else if (strncmp(line, "caps ", 5) == 0 && s->settings->list_capabilities) {
		clean_line(line);
		line += 5;
		size_t length = strlen(line);
		/* The last column is empty in many lines of the table. */
		while (length > 0 && line[length - 1] == ' ')
			length--;
		printf("%.*s\n", (int)length, line);
	} else if (strncmp(line, "exit ", 5) == 0) {
		program_ended(s, line + 5);
	} else if (strncmp(line, "fail ", 5) == 0) {
		program_failed(s, line + 5, false);
	} else if (strncmp(line, "refuse ", 7) == 0) {
		program_failed(s, line + 7, true);
	}
	/* Else: a later guest's word that this capos does not know, and does not need. */
}

void lines_control_read(struct session *s)
{
	s->control_length += read_line(s, LINE_CONTROL, s->control + s->control_length,
	                               CONTROL_LINE - s->control_length);
	char *line = s->control, *newline;
	size_t left = s->control_length;
	while ((newline = memchr(line, '\n', left))) {
		*newline = '\0';
		control_line(s, line);
		left -= (size_t)(newline + 1 - line);
		line = newline + 1;
	}
	if (left == CONTROL_LINE)
		left = 0; /* no line of the protocol is that long */
	memmove(s->control, line, left);
	s->control_length = left;
}

/* ---- Log, emulator, --output ---- */

/* The guest runs, so the emulator listens to the published ports; no program does yet. */
static void guest_runs(const struct session *s)
{
	size_t tcp = 0;

	for (size_t i = 0; i < s->settings->nforwards; i++)
		tcp += !s->settings->forwards[i].udp;
	if (tcp > 0 && s->machine.pid != 0 && s->settings->net != NET_PASST &&
	    backlog_raise(s->machine.pid, s->settings) < tcp && s->settings->verbose)
		complain("the published ports take only two connections at a time: this host does "
		         "not let their backlog be raised");
}

void lines_serial_read(struct session *s)
{
	char bytes[16384];
	size_t n = read_line(s, LINE_SERIAL, bytes, sizeof(bytes));

	if (n > 0 && !s->log.any)
		guest_runs(s);
	if (n > 0)
		log_add(&s->log, bytes, n);
}

void lines_emulator_read(struct session *s)
{
	char bytes[1024];
	size_t n = read_line(s, LINE_EMULATOR, bytes, sizeof(bytes));
	size_t room = EMULATOR_TEXT - s->emulator_length;
	size_t kept = n < room ? n : room;

	memcpy(s->emulator + s->emulator_length, bytes, kept);
	s->emulator_length += kept;
}

void lines_output_read(struct session *s)
{
	static char bytes[256 << 10];
	size_t n = read_line(s, LINE_OUTPUT, bytes, sizeof(bytes));

	if (n == 0)
		return;
	session_output_came(s);
	/* A guest whose stream is refused learns it by the closed port, and goes on to its end. */
	if (!receive_add(&s->receive, bytes, n))
		lines_close(s, LINE_OUTPUT);
}

void lines_read_rest(struct session *s)
{
	while (s->machine.lines[LINE_SERIAL] >= 0)
		lines_serial_read(s);
	while (s->machine.lines[LINE_EMULATOR] >= 0)
		lines_emulator_read(s);
	while (s->machine.lines[LINE_OUTPUT] >= 0)
		lines_output_read(s);
	while (!s->over && s->machine.lines[LINE_CONTROL] >= 0)
		lines_control_read(s);
}

/* ---- The program's input and output ---- */

/* Our stdin's end, once all before it has gone: the port's other end reads it, then sees the
 * end. */
static void end_stdin(struct session *s)
{
	struct pump *pump = &s->pumps[PUMP_STDIN];

	if (pump->from < 0 && pump_is_empty(pump) && pump->to >= 0) {
		/* Not closed: a socket that hangs up loses what QEMU has not read yet. */
		shutdown(pump->to, SHUT_WR);
		pump->to = -1;
	}
}

/* The reader of our stdout or stderr has gone: the guest's writer learns it as a Unix program
 * does. */
static void refuse_output(struct session *s, enum pump_index index)
{
	struct pump *pump = &s->pumps[index];

	pump->refused = false;
	pump->from = -1;
	lines_close(s, (enum machine_line)index);
	lines_signal(s, SIGPIPE);
}

void lines_move(struct session *s, const struct pollfd *set)
{
	for (size_t i = 0; i < PUMP_COUNT; i++) {
		struct pump *pump = &s->pumps[i];
		if (set[2 * i].fd >= 0 && set[2 * i].revents != 0)
			pump_read(pump);
		if (!pump_is_empty(pump))
			pump_write(pump);
		if (pump->refused && i != PUMP_STDIN)
			refuse_output(s, (enum pump_index)i);
		/* The far end of an output that hung up while its buffer was empty. */
		if (set[2 * i + 1].fd >= 0 && (set[2 * i + 1].revents & POLLNVAL))
			pump->to = -1;
	}
	end_stdin(s);
}
