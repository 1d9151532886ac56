/* SPDX-License-Identifier: MIT */
/*
 * A run.  One poll loop moves bytes between our descriptors and the machine's lines (lines.c).
 * Whatever the guest does, the loop ends: by its report of the program's end, by the machine's end,
 * by a time limit or by a signal.
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

#include "tools/capos/clean.h"
#include "tools/capos/image.h"
#include "tools/capos/passt.h"
#include "tools/capos/pcap.h"
#include "tools/capos/session_state.h"
#include "tools/capos/terminal.h"
#include "tools/capos/usernet.h"

/* A guest needs well under a second; a loaded host with software emulation may need many. */
#define BOOT_SECONDS INT64_C(30)
/* A machine under KVM that has not said a word by then hangs: TCG is tried. */
#define KVM_SILENCE_SECONDS INT64_C(5)
/* A second Ctrl-C this soon after the first ends the machine. */
#define INSIST_SECONDS INT64_C(2)
/* After SIGTERM or SIGHUP the program has this long to end. */
#define TERMINATE_SECONDS INT64_C(5)
/* The guest may be silent for so long while it sends what --output asked for. */
#define OUTPUT_SECONDS INT64_C(10)
/* What a run that failed has printed may take so long to be read. */
#define DRAIN_FAILED_SECONDS INT64_C(1)
/* After the program's end the log is read until it was silent so long, but no longer than that. */
#define LOG_SILENCE_MS 200
#define LOG_DRAIN_MS   2000
/* How often a job in the background looks whether it has the terminal now. */
#define TERMINAL_ASK_MS 200
/* How often QEMU is asked whether its user network still holds something. */
#define NETWORK_ASK_MS 20
#define TIMED_OUT      "timed out after %u second%s"

/* What the poll set holds. */
enum {
	SLOT_SIGNALS,
	SLOT_CONTROL,
	SLOT_SERIAL,
	SLOT_EMULATOR,
	SLOT_OUTPUT,
	SLOT_PUMPS, /* two for each: from, to */
	SLOT_COUNT = SLOT_PUMPS + 2 * PUMP_COUNT,
};

int64_t session_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void session_finish(struct session *s, int status)
{
	if (!s->over)
		s->status = s->expired ? s->kill_status : status;
	s->over = true;
}

static void show_emulator(struct session *s)
{
	char text[CLEAN_SPACE(EMULATOR_TEXT)];
	struct clean clean = {.have = 0};
	size_t length = clean_add(&clean, s->emulator, s->emulator_length, text);

	fwrite(text, 1, length, stderr);
	if (length > 0 && text[length - 1] != '\n')
		fputc('\n', stderr);
}

void session_fail(struct session *s, const char *what)
{
	if (s->over)
		return;
	terminal_end();    /* what is printed here is for the terminal as it was */
	if (!s->expired) { /* else it was reported why */
		if (!machine_has_panicked(&s->machine))
			complain("%s", what);
		else if (s->log.panic[0] != '\0')
			complain("the machine panicked: %s", s->log.panic + strlen("PANIC: "));
		else
			complain("the machine panicked");
		show_emulator(s);
		log_show_tail(&s->log);
	}
	session_finish(s, EXIT_MACHINE);
}

/* ---- Signals and time ---- */

static void end_by(struct session *s, int64_t at_ms, int status)
{
	if (s->kill_ms == 0 || at_ms < s->kill_ms) {
		s->kill_ms = at_ms;
		s->kill_status = status;
	}
}

/*
 * The program's time is up.  If it is to leave files, it alone is killed, and the guest has time to
 * send them; else the machine ends with it.
 */
static void expire(struct session *s, int status)
{
	if (!s->started || s->settings->noutputs == 0 || s->expired) {
		session_finish(s, status);
		return;
	}
	s->expired = true;
	lines_signal(s, SIGKILL);
	s->kill_status = status;
	s->kill_ms = session_now_ms() + OUTPUT_SECONDS * 1000;
}

void session_output_came(struct session *s)
{
	if (s->expired)
		s->kill_ms = session_now_ms() + OUTPUT_SECONDS * 1000;
}

static void send_window(struct session *s)
{
	uint16_t columns, rows;

	terminal_size(&columns, &rows);
	if (columns != 0 && rows != 0)
		lines_window(s, columns, rows);
}

/* Signals that a terminal of ours brings: true. */
static bool on_terminal_signal(struct session *s, int number)
{
	if (!s->settings->terminal || (number != SIGWINCH && number != SIGTSTP))
		return false;
	if (number == SIGTSTP) {
		terminal_end();
		raise(SIGSTOP);
	}
	if (s->started) {
		terminal_begin();
		send_window(s);
	}
	return true;
}

static void on_signal(struct session *s, int number)
{
	int64_t now = session_now_ms();
	bool insists = number == SIGINT && s->interrupted_ms != 0 &&
	               now - s->interrupted_ms <= INSIST_SECONDS * 1000;

	if (number == SIGCHLD)
		return; /* the loop looks at the machine anyway */
	if (on_terminal_signal(s, number))
		return;
	if (!s->started || insists) {
		session_finish(s, EXIT_SIGNAL + number);
		return;
	}
	lines_signal(s, number);
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
	int64_t wait = due_ms - session_now_ms();

	if (due_ms == INT64_MAX)
		return -1;
	return wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

/* The next moment at which something is due, and what is done when it has come. */
static int64_t next_deadline(const struct session *s)
{
	int64_t next = s->expired ? INT64_MAX : time_limit(s);

	if (!s->started && s->machine_begin_ms + BOOT_SECONDS * 1000 < next)
		next = s->machine_begin_ms + BOOT_SECONDS * 1000;
	if (s->kill_ms != 0 && s->kill_ms < next)
		next = s->kill_ms;
	return next;
}

static void check_deadlines(struct session *s)
{
	int64_t now = session_now_ms();
	char text[80];

	if (s->over || now < next_deadline(s))
		return;
	if (s->kill_ms != 0 && now >= s->kill_ms) {
		expire(s, s->kill_status);
	} else if (now >= time_limit(s)) {
		snprintf(text, sizeof(text), TIMED_OUT, s->settings->timeout_seconds,
		         s->settings->timeout_seconds == 1 ? "" : "s");
		if (!s->started || s->settings->noutputs == 0) {
			session_fail(s, text);
			return;
		}
		complain("%s", text);
		expire(s, EXIT_MACHINE);
	} else if (!s->started) {
		session_fail(s, "the machine did not boot within 30 seconds");
	}
}
_Static_assert(BOOT_SECONDS == 30, "as the message says");

#define KVM_STOPPED "KVM internal error"

/* QEMU has met an instruction that KVM does not run, and has stopped the machine for good. */
static bool kvm_stopped(const struct session *s)
{
	return memmem(s->emulator, s->emulator_length, KVM_STOPPED, strlen(KVM_STOPPED));
}

static bool kvm_silent(const struct session *s)
{
	return session_now_ms() - s->machine_begin_ms > KVM_SILENCE_SECONDS * 1000;
}

/* KVM was only tried, and nothing came of it: the caller starts again without. */
static bool kvm_failed(const struct session *s)
{
	if (!s->machine.kvm || s->settings->accel != ACCEL_AUTO || s->started || s->over)
		return false;
	return kvm_stopped(s) || (!s->log.any && (s->machine.pid == 0 || kvm_silent(s)));
}

/* What was asked for is not replaced by something else, but is not waited for without a word. */
static void check_kvm(struct session *s)
{
	if (s->over || s->settings->accel != ACCEL_KVM)
		return;
	if (kvm_stopped(s)) {
		session_fail(s, "KVM cannot run the guest here; --accel tcg does without it");
	} else if (!s->started && !s->log.any && !s->kvm_reported && kvm_silent(s)) {
		complain("nothing from the machine under KVM yet; --accel tcg does without it");
		s->kvm_reported = true;
	}
}

/* ---- The loop ---- */

/*
 * The shell that has the terminal reads what is typed.  A server in the background wants none of
 * it, and is not to be stopped because poll says that there is some.
 */
static bool must_not_read(const struct session *s)
{
	return s->pumps[PUMP_STDIN].from >= 0 && terminal_is_taken();
}

static void prepare(struct session *s, struct pollfd set[SLOT_COUNT])
{
	set[SLOT_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	set[SLOT_CONTROL] = (struct pollfd){.fd = s->machine.lines[LINE_CONTROL], .events = POLLIN};
	set[SLOT_SERIAL] = (struct pollfd){.fd = s->machine.lines[LINE_SERIAL], .events = POLLIN};
	set[SLOT_EMULATOR] =
	        (struct pollfd){.fd = s->machine.lines[LINE_EMULATOR], .events = POLLIN};
	set[SLOT_OUTPUT] = (struct pollfd){.fd = s->machine.lines[LINE_OUTPUT], .events = POLLIN};
	for (int i = 0; i < PUMP_COUNT; i++)
		pump_prepare(&s->pumps[i], &set[SLOT_PUMPS + 2 * i], &set[SLOT_PUMPS + 2 * i + 1]);
	/* Nothing is taken from our stdin before there is a program for it. */
	if (!s->started || must_not_read(s))
		set[SLOT_PUMPS + 2 * PUMP_STDIN].fd = -1;
}

static int poll_timeout(const struct session *s)
{
	int wait = wait_until(next_deadline(s));
	int at_most = -1;

	if (s->machine.kvm && !s->started)
		at_most = 100; /* kvm_failed and check_kvm look at the clock, too */
	else if (must_not_read(s))
		at_most = TERMINAL_ASK_MS;
	return at_most >= 0 && (wait < 0 || wait > at_most) ? at_most : wait;
}

/* Moves what there is, once. */
static void loop_once(struct session *s)
{
	struct pollfd set[SLOT_COUNT];

	prepare(s, set);
	if (poll(set, SLOT_COUNT, poll_timeout(s)) < 0 && errno != EINTR)
		die("poll: %s", strerror(errno));
	if (must_not_read(s)) /* since then */
		set[SLOT_PUMPS + 2 * PUMP_STDIN].fd = -1;
	if (set[SLOT_SERIAL].revents != 0)
		lines_serial_read(s);
	if (set[SLOT_EMULATOR].revents != 0)
		lines_emulator_read(s);
	/* Before the control line, whose report of the end comes behind all that was sent here. */
	if (set[SLOT_OUTPUT].revents != 0)
		lines_output_read(s);
	if (set[SLOT_CONTROL].revents != 0)
		lines_control_read(s);
	lines_move(s, set + SLOT_PUMPS);
	if (set[SLOT_SIGNALS].revents != 0)
		signals_read(s);
	check_deadlines(s);
	check_kvm(s);
}

/* Waits until our slow reader takes more.  False: a signal or a time limit ends that. */
static bool wait_for_reader(struct session *s, const struct pump *pump, int64_t until_ms)
{
	struct pollfd set[2] = {{.fd = pump->to, .events = POLLOUT},
	                        {.fd = s->signals, .events = POLLIN}};
	struct signalfd_siginfo info;

	if (poll(set, 2, wait_until(until_ms)) < 0 && errno != EINTR)
		return false;
	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGCHLD) {
			s->status = EXIT_SIGNAL + (int)info.ssi_signo;
			return false;
		}
	}
	return true;
}

/* Moves what is left of an output to its reader.  Nothing more comes: the machine has ended. */
static void drain_output(struct session *s, enum pump_index index, int64_t until_ms)
{
	struct pump *pump = &s->pumps[index];

	while (pump->to >= 0 && (pump->from >= 0 || !pump_is_empty(pump))) {
		pump_read(pump);
		pump_write(pump);
		if (pump_is_empty(pump))
			continue;
		if (!wait_for_reader(s, pump, until_ms))
			return;
		if (session_now_ms() < until_ms)
			continue;
		if (s->status == EXIT_MACHINE)
			return; /* it was reported why */
		if (until_ms == time_limit(s))
			complain(TIMED_OUT, s->settings->timeout_seconds,
			         s->settings->timeout_seconds == 1 ? "" : "s");
		else
			complain(
			        "nothing has read all of the program's output for %u seconds after "
			        "its end: the rest is dropped (see --drain)",
			        s->settings->drain_seconds);
		s->status = EXIT_MACHINE;
		return;
	}
}

static void drain(struct session *s)
{
	int64_t until_ms = session_now_ms() + (int64_t)s->settings->drain_seconds * 1000;

	if (s->status == EXIT_MACHINE)
		until_ms = session_now_ms() + DRAIN_FAILED_SECONDS * 1000;
	else if (time_limit(s) < until_ms)
		until_ms = time_limit(s);
	drain_output(s, PUMP_STDOUT, until_ms);
	drain_output(s, PUMP_STDERR, until_ms);
}

/* The machine has ended by itself: its last words are still in the sockets. */
static void take_end(struct session *s)
{
	machine_kill(&s->machine); /* passt, too */
	lines_read_rest(s);
	if (!kvm_failed(s))
		session_fail(s, s->started ? "the machine stopped before the program ended"
		                           : "the machine did not start");
}

/* Waits until the host's kernel has what the program sent last, as it would if the program ran on
 * the host.  A program that was ended from here is not waited for. */
static void drain_network(struct session *s)
{
	int64_t until_ms = session_now_ms() + (int64_t)s->settings->drain_seconds * 1000;
	uint64_t held;

	if (s->expired || s->kill_ms != 0 || s->interrupted_ms != 0)
		return;
	if (time_limit(s) < until_ms)
		until_ms = time_limit(s);
	while ((held = usernet_held(s->machine.lines[LINE_MONITOR])) > 0) {
		struct pollfd set = {.fd = s->signals, .events = POLLIN};

		if (session_now_ms() >= until_ms) {
			complain("%llu bytes that the program sent were not taken by their "
			         "receivers: they are dropped (see --drain)",
			         (unsigned long long)held);
			return;
		}
		if (poll(&set, 1, NETWORK_ASK_MS) > 0) {
			signals_read(s);
			if (s->interrupted_ms != 0 || s->kill_ms != 0)
				return;
		}
	}
}

/* The guest writes its log when it has nothing better to do, so the last lines come after the word
 * that the program has ended: reads them until the line has been silent for a while. */
static void drain_log(struct session *s)
{
	int64_t end_ms = session_now_ms() + LOG_DRAIN_MS;
	int line;

	while ((line = s->machine.lines[LINE_SERIAL]) >= 0 && session_now_ms() < end_ms) {
		struct pollfd set = {.fd = line, .events = POLLIN};
		if (poll(&set, 1, LOG_SILENCE_MS) <= 0)
			return;
		lines_serial_read(s);
	}
}

static void loop(struct session *s)
{
	bool ended = false;

	while (!s->over && !ended && !kvm_failed(s)) {
		bool had_started = s->started;

		loop_once(s);
		if (s->started && !had_started && s->settings->terminal && !s->over) {
			terminal_begin();
			send_window(s); /* it may have changed since it was asked */
		}
		ended = !s->over && machine_has_ended(&s->machine);
		if (ended)
			take_end(s);
		else if (!s->over && machine_network_failed(&s->machine))
			session_fail(s, "passt, which connects the machine's network, has ended");
	}
	if (!s->over)
		return;
	if (s->reported) {
		drain_network(s);
		lines_end(s);
	}
	if (s->started && (s->settings->log || s->settings->verbose))
		drain_log(s);
	/* Nothing of it is needed any more, however slow the reader of its output is. */
	machine_kill(&s->machine);
	lines_read_rest(s);
	if (s->started)
		drain(s);
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
	s->machine_begin_ms = session_now_ms();
	s->emulator_length = 0;
	pump_init(&s->pumps[PUMP_STDIN], STDIN_FILENO, s->machine.lines[LINE_STDIN], PUMP_BUFFER);
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
	static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGWINCH, SIGTSTP};
	/* The last two matter when the terminal is the program's. */
	const size_t ncaught = sizeof(caught) / sizeof(caught[0]) - (s->settings->terminal ? 0 : 2);
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ncaught; i++) {
		struct sigaction action;
		/* One that our parent wants ignored (nohup) stays so. */
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

/* A program whose output could not be written ends as after a closed pipe, or does not notice: the
 * host's file system is not its own. */
static int check_written(const struct session *s, int status)
{
	static const char *const names[] = {"stdout", "stderr"};

	for (int i = 0; i < 2; i++) {
		int error = s->pumps[PUMP_STDOUT + i].error;
		if (error == 0 || error == EPIPE)
			continue;
		complain("%s: %s", names[i], strerror(error));
		if (status == 0 || status == EXIT_SIGNAL + SIGPIPE)
			status = EXIT_MACHINE;
	}
	return status;
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
	s->begin_ms = session_now_ms();
	int archive_fd = make_archive(settings);
	log_init(&s->log, open_log(settings), settings->file_limit, settings->verbose);
	receive_init(&s->receive, settings->outputs, settings->noutputs, settings->file_limit);
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
	terminal_end();

	int status = s->status;
	if (settings->noutputs > 0 && !receive_finish(&s->receive) && status == 0)
		status = EXIT_MACHINE;
	status = check_written(s, status);
	if (settings->pcap)
		pcap_end(settings->pcap, settings->file_limit);
	if (s->log.cut)
		complain("--log %s was cut at %llu bytes (see --file-limit)", settings->log,
		         (unsigned long long)settings->file_limit);
	close(archive_fd);
	close(s->signals);
	for (int i = 0; i < 2; i++) {
		if (s->outputs[i] >= 0)
			close(s->outputs[i]);
	}
	log_finish(&s->log);
	free(kernel);
	free(s);
	return finish_stdout(status);
}
