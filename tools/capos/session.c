/* SPDX-License-Identifier: MIT */
/*
 * A run.  One poll loop moves bytes between our descriptors and the machine's lines, and follows
 * the control line's protocol: the guest says "started", "caps TEXT", "exit CODE SIGNAL" or "fail
 * STATUS TEXT"; we say "signal N".  Whatever the guest does or does not say, the loop ends: by its
 * word, by the machine's end, by a time limit or by a signal.
 */
#include "tools/capos/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "tools/capos/grant.h"
#include "tools/capos/image.h"
#include "tools/capos/log.h"
#include "tools/capos/machine.h"
#include "tools/capos/pump.h"

/* A guest needs well under a second; a loaded host with software emulation may need many. */
#define BOOT_SECONDS INT64_C(30)
/* A machine under KVM that has not said a word by then hangs: TCG is tried. */
#define KVM_SILENCE_SECONDS INT64_C(5)
/* A second Ctrl-C this soon after the first ends the machine. */
#define INSIST_SECONDS INT64_C(2)
/* After SIGTERM or SIGHUP the program has this long to end. */
#define TERMINATE_SECONDS INT64_C(5)
#define CONTROL_LINE      8192
#define EMULATOR_TEXT     4096
#define TIMED_OUT         "timed out after %u seconds"

enum pump_index { PUMP_STDIN, PUMP_STDOUT, PUMP_STDERR, PUMP_COUNT };

/* What the poll set holds. */
enum {
	SLOT_SIGNALS,
	SLOT_CONTROL,
	SLOT_SERIAL,
	SLOT_EMULATOR,
	SLOT_PUMPS, /* two for each: from, to */
	SLOT_COUNT = SLOT_PUMPS + 2 * PUMP_COUNT,
};

struct session {
	const struct settings *settings;
	struct machine machine;
	struct log log;
	struct pump pumps[PUMP_COUNT];
	int outputs[2]; /* for our stdout and stderr; own */
	size_t chunks[2];
	int signals;
	int64_t begin_ms, machine_begin_ms;
	bool started;
	bool over; /* status is set */
	int status;
	int64_t interrupted_ms; /* last SIGINT; 0: none */
	int64_t kill_ms;        /* ends the machine then, with kill_status; 0: not */
	int kill_status;
	char control[CONTROL_LINE];
	size_t control_length;
	char emulator[EMULATOR_TEXT]; /* what QEMU said on its stderr */
	size_t emulator_length;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void finish(struct session *s, int status)
{
	if (!s->over)
		s->status = status;
	s->over = true;
}

/* Ends the run with EXIT_MACHINE, telling all that is known. */
static void fail_machine(struct session *s, const char *what)
{
	if (s->over)
		return;
	if (s->log.panic[0] != '\0')
		complain("the machine panicked: %s", s->log.panic + strlen("PANIC: "));
	else
		complain("%s", what);
	if (s->emulator_length > 0)
		fprintf(stderr, "%.*s", (int)s->emulator_length, s->emulator);
	log_show_tail(&s->log);
	finish(s, EXIT_MACHINE);
}

/* ---- Control line ---- */

static void tell_signal(struct session *s, int number)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "signal %d\n", number);

	/* A guest that takes nothing any more is ended by kill_ms or a second Ctrl-C. */
	if (s->machine.lines[LINE_CONTROL] >= 0)
		(void)!send(s->machine.lines[LINE_CONTROL], line, (size_t)length,
		            MSG_DONTWAIT | MSG_NOSIGNAL);
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

static void control_line(struct session *s, char *line)
{
	long code, signal_number;

	if (strcmp(line, "started") == 0) {
		s->started = true;
	} else if (strncmp(line, "caps ", 5) == 0 && s->settings->list_capabilities) {
		printf("%s\n", line + 5);
	} else if (strncmp(line, "exit ", 5) == 0) {
		line += 5;
		if (!take_number(&line, 255, &code) || !take_number(&line, 127, &signal_number)) {
			fail_machine(s, "the guest's report of the program's end makes no sense");
			return;
		}
		finish(s, signal_number != 0 ? EXIT_SIGNAL + (int)signal_number : (int)code);
	} else if (strncmp(line, "fail ", 5) == 0) {
		line += 5;
		if (!take_number(&line, 255, &code))
			code = EXIT_MACHINE;
		complain("%s", line);
		if (code == EXIT_MACHINE)
			log_show_tail(&s->log);
		finish(s, (int)code);
	}
	/* Else: a later guest's word that this capos does not know, and does not need. */
}

static void control_read(struct session *s)
{
	int fd = s->machine.lines[LINE_CONTROL];
	ssize_t n = read(fd, s->control + s->control_length, CONTROL_LINE - s->control_length);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(fd);
		s->machine.lines[LINE_CONTROL] = -1;
		return;
	}
	s->control_length += (size_t)n;
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

/* ---- The other lines ---- */

/* Reads what there is; the line is closed at its end. */
static void serial_read(struct session *s)
{
	char bytes[16384];
	ssize_t n = read(s->machine.lines[LINE_SERIAL], bytes, sizeof(bytes));

	if (n > 0) {
		log_add(&s->log, bytes, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(s->machine.lines[LINE_SERIAL]);
		s->machine.lines[LINE_SERIAL] = -1;
	}
}

static void emulator_read(struct session *s)
{
	char bytes[1024];
	ssize_t n = read(s->machine.lines[LINE_EMULATOR], bytes, sizeof(bytes));

	if (n > 0) {
		size_t room = EMULATOR_TEXT - s->emulator_length;
		size_t kept = (size_t)n < room ? (size_t)n : room;
		memcpy(s->emulator + s->emulator_length, bytes, kept);
		s->emulator_length += kept;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(s->machine.lines[LINE_EMULATOR]);
		s->machine.lines[LINE_EMULATOR] = -1;
	}
}

static void close_line(struct session *s, enum machine_line line)
{
	if (s->machine.lines[line] >= 0)
		close(s->machine.lines[line]);
	s->machine.lines[line] = -1;
}

/* Our stdin's end, once all before it has gone: the port's other end reads it, then sees the
 * end. */
static void stdin_end(struct session *s)
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
static void output_refused(struct session *s, enum pump_index index)
{
	struct pump *pump = &s->pumps[index];

	pump->refused = false;
	pump->from = -1;
	close_line(s, (enum machine_line)index);
	tell_signal(s, SIGPIPE);
}

static void pumps_move(struct session *s, const struct pollfd *set)
{
	for (size_t i = 0; i < PUMP_COUNT; i++) {
		struct pump *pump = &s->pumps[i];
		if (set[2 * i].fd >= 0 && set[2 * i].revents != 0)
			pump_read(pump);
		if (!pump_is_empty(pump))
			pump_write(pump);
		if (pump->refused && i != PUMP_STDIN)
			output_refused(s, (enum pump_index)i);
		/* The far end of an output that hung up while its buffer was empty. */
		if (set[2 * i + 1].fd >= 0 && (set[2 * i + 1].revents & POLLNVAL))
			pump->to = -1;
	}
	stdin_end(s);
}

/* ---- Signals and time ---- */

static void end_by(struct session *s, int64_t at_ms, int status)
{
	if (s->kill_ms == 0 || at_ms < s->kill_ms) {
		s->kill_ms = at_ms;
		s->kill_status = status;
	}
}

static void on_signal(struct session *s, int number)
{
	int64_t now = now_ms();
	bool insists = number == SIGINT && s->interrupted_ms != 0 &&
	               now - s->interrupted_ms <= INSIST_SECONDS * 1000;

	if (number == SIGCHLD)
		return; /* the loop looks at the machine anyway */
	if (!s->started || insists) {
		finish(s, EXIT_SIGNAL + number);
		return;
	}
	tell_signal(s, number);
	if (number == SIGINT || number == SIGQUIT)
		s->interrupted_ms = now;
	else
		end_by(s, now + TERMINATE_SECONDS * 1000, EXIT_SIGNAL + number);
}

static void signals_read(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(s, (int)info.ssi_signo);
}

static int64_t time_limit(const struct session *s)
{
	unsigned seconds = s->settings->timeout_seconds;

	return seconds != 0 ? s->begin_ms + (int64_t)seconds * 1000 : INT64_MAX;
}

/* How long poll may wait for what is due then, in milliseconds; looks at the clock once a
 * minute. */
static int wait_until(int64_t due_ms)
{
	int64_t wait = due_ms - now_ms();

	if (due_ms == INT64_MAX)
		return -1;
	return wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

/* The next moment at which something is due, and what is done when it has come. */
static int64_t next_deadline(const struct session *s)
{
	int64_t next = time_limit(s);

	if (!s->started && s->machine_begin_ms + BOOT_SECONDS * 1000 < next)
		next = s->machine_begin_ms + BOOT_SECONDS * 1000;
	if (s->kill_ms != 0 && s->kill_ms < next)
		next = s->kill_ms;
	return next;
}

static void check_deadlines(struct session *s)
{
	int64_t now = now_ms();

	if (s->over || now < next_deadline(s))
		return;
	if (s->kill_ms != 0 && now >= s->kill_ms) {
		finish(s, s->kill_status);
	} else if (now >= time_limit(s)) {
		char text[80];
		snprintf(text, sizeof(text), TIMED_OUT, s->settings->timeout_seconds);
		fail_machine(s, text);
	} else if (!s->started) {
		fail_machine(s, "the machine did not boot within 30 seconds");
	}
}
_Static_assert(BOOT_SECONDS == 30, "as the message says");

/* KVM was only tried, and nothing came of it: the caller starts again without. */
static bool kvm_failed(const struct session *s)
{
	if (!s->machine.kvm || s->settings->accel != ACCEL_AUTO || s->started || s->over)
		return false;
	bool silent = now_ms() - s->machine_begin_ms > KVM_SILENCE_SECONDS * 1000;
	return !s->log.any && (s->machine.pid == 0 || silent);
}

/* ---- The loop ---- */

static void prepare(struct session *s, struct pollfd set[SLOT_COUNT])
{
	set[SLOT_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	set[SLOT_CONTROL] = (struct pollfd){.fd = s->machine.lines[LINE_CONTROL], .events = POLLIN};
	set[SLOT_SERIAL] = (struct pollfd){.fd = s->machine.lines[LINE_SERIAL], .events = POLLIN};
	set[SLOT_EMULATOR] =
	        (struct pollfd){.fd = s->machine.lines[LINE_EMULATOR], .events = POLLIN};
	for (int i = 0; i < PUMP_COUNT; i++)
		pump_prepare(&s->pumps[i], &set[SLOT_PUMPS + 2 * i], &set[SLOT_PUMPS + 2 * i + 1]);
	/* Nothing is taken from our stdin before there is a program for it. */
	if (!s->started)
		set[SLOT_PUMPS + 2 * PUMP_STDIN].fd = -1;
}

static int poll_timeout(const struct session *s)
{
	if (s->machine.kvm && !s->started)
		return 100; /* kvm_failed looks at the clock, too */
	return wait_until(next_deadline(s));
}

/* Moves what there is, once. */
static void loop_once(struct session *s)
{
	struct pollfd set[SLOT_COUNT];

	prepare(s, set);
	if (poll(set, SLOT_COUNT, poll_timeout(s)) < 0 && errno != EINTR)
		die("poll: %s", strerror(errno));
	if (set[SLOT_SERIAL].revents != 0)
		serial_read(s);
	if (set[SLOT_EMULATOR].revents != 0)
		emulator_read(s);
	if (set[SLOT_CONTROL].revents != 0)
		control_read(s);
	pumps_move(s, set + SLOT_PUMPS);
	if (set[SLOT_SIGNALS].revents != 0)
		signals_read(s);
	check_deadlines(s);
}

/* Waits until our slow reader takes more.  False: a signal or the time limit ends that. */
static bool wait_for_reader(struct session *s, const struct pump *pump)
{
	struct pollfd set[2] = {{.fd = pump->to, .events = POLLOUT},
	                        {.fd = s->signals, .events = POLLIN}};
	struct signalfd_siginfo info;

	if (poll(set, 2, wait_until(time_limit(s))) < 0 && errno != EINTR)
		return false;
	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGCHLD) {
			s->status = EXIT_SIGNAL + (int)info.ssi_signo;
			return false;
		}
	}
	if (set[0].revents == 0 && now_ms() >= time_limit(s)) {
		if (s->status != EXIT_MACHINE) /* else it was told why already */
			complain(TIMED_OUT, s->settings->timeout_seconds);
		s->status = EXIT_MACHINE;
		return false;
	}
	return true;
}

/* Reads a line to what there is now; the guest said that there will be no more. */
static void drain_output(struct session *s, enum pump_index index)
{
	struct pump *pump = &s->pumps[index];

	while (pump->to >= 0) {
		size_t before = pump->end - pump->start;
		pump_read(pump);
		bool more = pump->end - pump->start != before;
		pump_write(pump);
		if (!more && pump_is_empty(pump))
			return;
		if (!pump_is_empty(pump) && !wait_for_reader(s, pump))
			return;
	}
}

static void loop(struct session *s)
{
	while (!s->over && !kvm_failed(s)) {
		loop_once(s);
		if (s->over || !machine_has_ended(&s->machine))
			continue;
		/* Its last words are still in the sockets. */
		while (s->machine.lines[LINE_SERIAL] >= 0)
			serial_read(s);
		while (s->machine.lines[LINE_EMULATOR] >= 0)
			emulator_read(s);
		while (!s->over && s->machine.lines[LINE_CONTROL] >= 0)
			control_read(s);
		if (!kvm_failed(s))
			fail_machine(s, s->started ? "the machine stopped before the program ended"
			                           : "the machine did not start");
		break;
	}
	if (s->over && s->started) {
		drain_output(s, PUMP_STDOUT);
		drain_output(s, PUMP_STDERR);
	}
}

/* Starts the machine and connects everything to it. */
static void start(struct session *s, bool kvm, const char *kernel, int archive_fd)
{
	int error = machine_start(&s->machine, s->settings, kvm, kernel, archive_fd);

	if (error == ENOENT)
		die("%s was not found: install it (Debian: apt-get install qemu-system-x86)",
		    machine_emulator());
	if (error != 0)
		die("cannot start %s: %s", machine_emulator(), strerror(error));
	s->machine_begin_ms = now_ms();
	s->emulator_length = 0;
	/* stdin: one that is closed is at its end. */
	pump_init(&s->pumps[PUMP_STDIN], fcntl(STDIN_FILENO, F_GETFD) < 0 ? -1 : STDIN_FILENO,
	          s->machine.lines[LINE_STDIN], PUMP_BUFFER);
	pump_init(&s->pumps[PUMP_STDOUT], s->machine.lines[LINE_STDOUT], s->outputs[0],
	          s->chunks[0]);
	pump_init(&s->pumps[PUMP_STDERR], s->machine.lines[LINE_STDERR], s->outputs[1],
	          s->chunks[1]);
}

static void stop(struct session *s)
{
	machine_stop(&s->machine);
	for (int i = 0; i < PUMP_COUNT; i++)
		pump_free(&s->pumps[i]);
}

static void catch_signals(struct session *s)
{
	static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		struct sigaction action;
		/* One that whoever started us wants ignored (nohup) stays so. */
		if (sigaction(caught[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN &&
		    caught[i] != SIGCHLD)
			continue;
		signal(caught[i], SIG_DFL);
		sigaddset(&set, caught[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		die("sigprocmask: %s", strerror(errno));
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		die("signalfd: %s", strerror(errno));
}

static int make_archive(const struct settings *settings)
{
	int fd = memfd_create("capos-archive", MFD_CLOEXEC);

	if (fd < 0)
		die("cannot make a file in memory: %s", strerror(errno));
	image_write(settings, fd);
	return fd;
}

static int open_log(const struct settings *settings)
{
	if (!settings->log)
		return -1;
	int fd = open(settings->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		die("--log %s: %s", settings->log, strerror(errno));
	return fd;
}

int session_run(const struct settings *settings)
{
	struct session *s = must(calloc(1, sizeof(*s)));
	char *kernel = image_kernel_path(settings);

	s->settings = settings;
	s->begin_ms = now_ms();
	int archive_fd = make_archive(settings);
	log_init(&s->log, open_log(settings), settings->verbose);
	s->outputs[0] = pump_output(STDOUT_FILENO, &s->chunks[0]);
	s->outputs[1] = pump_output(STDERR_FILENO, &s->chunks[1]);
	catch_signals(s);

	bool kvm = settings->accel == ACCEL_KVM ||
	           (settings->accel == ACCEL_AUTO && machine_can_use_kvm());
	start(s, kvm, kernel, archive_fd);
	loop(s);
	if (kvm_failed(s)) {
		stop(s);
		if (settings->verbose)
			complain("KVM does not run the guest here: software emulation instead");
		start(s, false, kernel, archive_fd);
		loop(s);
	}
	stop(s);

	int status = s->status;
	close(archive_fd);
	close(s->signals);
	for (int i = 0; i < 2; i++) {
		if (s->outputs[i] >= 0)
			close(s->outputs[i]);
	}
	log_finish(&s->log);
	free(kernel);
	free(s);
	return fflush(stdout) == 0 ? status : EXIT_MACHINE;
}
