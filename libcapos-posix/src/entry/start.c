/* SPDX-License-Identifier: MIT */
/*
 * The first system call: from here on the process knows its capabilities, has its signals bound and
 * descriptors 0 to 2.
 */
#include <errno.h>
#include <fcntl.h>

#include <capos/log.h>
#include <capos/start.h>

#include "core/core.h"
#include "entry/entry.h"
#include "file/file.h"
#include "memory/memory.h"
#include "poll/poll.h"
#include "process/process.h"
#include "signal/signal.h"
#include "terminal/terminal.h"
#include "time/time.h"

static void open_standard(int fd, const char *name, int flags)
{
	cap_t stream = start_cap(name);
	struct file *f = NULL;
	int result = stream ? stream_create(stream, flags, &f) : -EACCES;

	if (result && stream)
		log_line("posix: %s: error %d", name, -result);
	/* A machine without a console still has its log. */
	if (!stream && flags == O_WRONLY && start_cap("log"))
		result = device_open_log(flags, &f);
	if (result)
		result = denied_create(flags, &f);
	if (result || fd_install(f, fd, false) != fd)
		log_fatal("posix: no memory for descriptor %d", fd);
}

/* A terminal is descriptors 0 to 2, one description.  False: the program was given none. */
static bool open_terminal(void)
{
	cap_t terminal = start_cap("terminal");
	struct file *f = NULL;
	int result = terminal ? terminal_create(terminal, &f) : -EACCES;

	if (result) {
		if (terminal)
			log_line("posix: terminal: error %d", -result);
		return false;
	}
	for (int fd = 0; fd <= 2; fd++) {
		if (fd)
			file_get(f);
		if (fd_install(f, fd, false) != fd)
			log_fatal("posix: no memory for descriptor %d", fd);
	}
	return true;
}

/* start_init() wants the block as it stands on the stack; musl has kept the auxiliary vector of it
 * alone. */
static void read_start_block(const size_t *auxv)
{
	static uint64_t block[8] = {0 /* argc */, 0 /* argv */, 0 /* envp */};
	int at = 3;

	for (; auxv[0]; auxv += 2) {
		if (auxv[0] != AT_CAPOS_START && auxv[0] != AT_CAPOS_START_LENGTH)
			continue;
		if (at + 2 >= 8)
			break;
		block[at++] = auxv[0];
		block[at++] = auxv[1];
	}
	start_init(block);
}

static void leave(void)
{
	memory_leave();
	vfork_leave();
}

/* What the lower rooms ask of the higher ones. */
static void connect_rooms(void)
{
	static const struct core_hooks hooks = {.signal_waiting = signal_waiting,
	                                        .signal_raise = signal_raise,
	                                        .signal_no_restart = signal_no_restart,
	                                        .thread_release = signal_thread_release,
	                                        .ends_open = world_ends_open,
	                                        .ends_held = world_ends_held,
	                                        .notice_ask = world_notice_ask,
	                                        .notice_give = world_notice_give,
	                                        .users_for_files = users_for_files,
	                                        .streams_settle = streams_settle,
	                                        .resting = files_settle,
	                                        .leaving = leave,
	                                        .closed = epoll_forget,
	                                        .socket_make = file_make_socket,
	                                        .socket_open = file_open_socket,
	                                        .terminal_open = terminal_open,
	                                        .terminal_stat = terminal_stat,
	                                        .terminal_change = terminal_change,
	                                        .terminal_path = terminal_path};

	static const struct signal_world world = {.take = world_take_signals,
	                                          .stop = world_stop,
	                                          .child_action = world_child_action,
	                                          .report = report_give,
	                                          .send = world_signal};

	core_set_hooks(&hooks);
	signal_set_timers(timers_look, timers_taken);
	signal_set_world(&world);
	world_start_terminals();
}

void posix_start(void)
{
	static bool started;
	const size_t *auxv;
	cap_t carried;

	if (__builtin_expect(started, 1))
		return;
	auxv = __capos_auxv();
	if (!auxv)
		return;
	started = true;
	read_start_block(auxv);
	relro_protect();
	connect_rooms();
	signal_start();
	proc_start();
	carried = start_cap("posix.state");
	if (carried) {
		exec_restore(carried);
		world_describe_image();
		return;
	}
	world_start();
	world_describe_image();
	if (open_terminal())
		return;
	open_standard(0, "stdin", O_RDONLY);
	open_standard(1, "stdout", O_WRONLY);
	open_standard(2, "stderr", O_WRONLY);
}
