/* SPDX-License-Identifier: MIT */
/*
 * QEMU: its birth and its end.  Every line is one end of a socket pair made before the fork, so
 * that there are no names in the file system to collide or to be left behind.
 */
#include "tools/capos/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <capos/panic.h>

#include "tools/capos/passt.h"
#include "tools/capos/spawn.h"

/* In flight between QEMU and us.  A larger buffer means fewer changes between the two processes. */
#define LINE_BUFFER (1 << 20)

static bool cpu_has_virtualization(void)
{
	char line[4096];
	bool found = false;
	FILE *cpuinfo = fopen("/proc/cpuinfo", "re");

	if (!cpuinfo)
		return false;
	while (!found && fgets(line, sizeof(line), cpuinfo)) {
		if (strncmp(line, "flags", 5) == 0)
			found = strstr(line, " vmx") || strstr(line, " svm");
	}
	fclose(cpuinfo);
	return found;
}

bool machine_can_use_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return cpu_has_virtualization();
}

static void close_line(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_all(int *fds, int count)
{
	for (int i = 0; i < count; i++)
		close_line(&fds[i]);
}

/* ours: our ends; theirs: QEMU's.  0 or an errno value; the caller closes them then, too. */
static int make_lines(int ours[LINE_COUNT], int theirs[CHILD_COUNT])
{
	int size = LINE_BUFFER;

	for (int i = 0; i < LINE_COUNT; i++) {
		int pair[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
			return errno;
		ours[i] = pair[0];
		theirs[i] = spawn_move_up(pair[1], CHILD_FD + CHILD_COUNT);
		if (theirs[i] < 0 || fcntl(ours[i], F_SETFL, O_NONBLOCK) != 0)
			return errno;
		/* As much as the host allows; less only costs speed. */
		setsockopt(ours[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(theirs[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return 0;
}

static int start_emulator(struct machine *machine, const struct settings *settings,
                          const char *kernel, const int theirs[CHILD_COUNT])
{
	struct arguments args = {.count = 0};

	arguments_build(&args, settings, machine->kvm, kernel);
	if (settings->verbose)
		arguments_show(&args);
	struct spawn process = {.arguments = args.items,
	                        .fds = theirs,
	                        .nfds = CHILD_COUNT,
	                        .first_fd = CHILD_FD,
	                        .error_fd = theirs[LINE_EMULATOR],
	                        .file_limit = settings->pcap ? settings->file_limit : 0};
	int error = spawn(&process, &machine->pid);
	arguments_free(&args);
	return error;
}

int machine_start(struct machine *machine, const struct settings *settings, bool kvm,
                  const char *kernel, int archive_fd)
{
	int theirs[CHILD_COUNT];

	*machine = (struct machine){.kvm = kvm};
	for (int i = 0; i < LINE_COUNT; i++)
		machine->lines[i] = -1;
	for (int i = 0; i < CHILD_COUNT; i++)
		theirs[i] = -1;
	int error = make_lines(machine->lines, theirs);
	if (error == 0) {
		theirs[CHILD_ARCHIVE] =
		        fcntl(archive_fd, F_DUPFD_CLOEXEC, CHILD_FD + CHILD_COUNT + 1);
		error = theirs[CHILD_ARCHIVE] < 0 ? errno : 0;
	}
	if (error == 0 && settings->net == NET_PASST) {
		error = passt_start(settings, theirs[LINE_EMULATOR], CHILD_FD + CHILD_COUNT,
		                    &theirs[CHILD_NETWORK], &machine->passt);
		if (error != 0)
			die("cannot start passt: %s%s", strerror(error),
			    error == ENOENT ? " (Debian: apt-get install passt)" : "");
	}
	if (error == 0)
		error = start_emulator(machine, settings, kernel, theirs);
	close_all(theirs, CHILD_COUNT);
	if (error != 0)
		machine_stop(machine);
	return error;
}

bool machine_has_ended(struct machine *machine)
{
	if (machine->pid != 0 && waitpid(machine->pid, &machine->status, WNOHANG) == machine->pid)
		machine->pid = 0;
	return machine->pid == 0;
}

bool machine_has_panicked(const struct machine *machine)
{
	return machine->pid == 0 && WIFEXITED(machine->status) &&
	       WEXITSTATUS(machine->status) == CAPOS_PANIC_STATUS;
}

bool machine_network_failed(struct machine *machine)
{
	if (machine->passt == 0 || waitpid(machine->passt, NULL, WNOHANG) != machine->passt)
		return false;
	machine->passt = 0;
	return machine->pid != 0;
}

static void kill_child(pid_t *pid)
{
	if (*pid == 0)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
}

void machine_kill(struct machine *machine)
{
	kill_child(&machine->pid);
	kill_child(&machine->passt);
}

void machine_stop(struct machine *machine)
{
	machine_kill(machine);
	close_all(machine->lines, LINE_COUNT);
}
