/* SPDX-License-Identifier: MIT */
/*
 * QEMU: its command line, its birth and its end.  Every line is one end of a socket pair made
 * before the fork, so that there are no names in the file system to collide or to be left behind.
 */
#include "tools/capos/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "config.h"

#define ARGS_MAX 1024 /* all options at most LIST_MAX times */
/* Where the child's ends are, from this descriptor on, in the order of enum machine_line, then the
 * archive. */
#define CHILD_FD 10
/* In flight between QEMU and us.  A larger buffer means fewer changes between the two processes. */
#define LINE_BUFFER (1 << 20)

struct args {
	char *items[ARGS_MAX];
	size_t count;
};

static void add(struct args *args, char *item)
{
	if (args->count == ARGS_MAX - 1)
		die("too many options for the emulator");
	args->items[args->count++] = item;
}

static void add_option(struct args *args, const char *name, char *value)
{
	add(args, must(strdup(name)));
	add(args, value);
}

static void args_free(struct args *args)
{
	for (size_t i = 0; i < args->count; i++)
		free(args->items[i]);
}

const char *machine_emulator(void)
{
	const char *emulator = getenv("CAPOS_QEMU");

	return emulator && *emulator != '\0' ? emulator : CAPOS_QEMU;
}

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

/* A file name as a value in QEMU's option syntax, where a comma is doubled. */
static char *quote(const char *text)
{
	char *quoted = must(malloc(2 * strlen(text) + 1));
	char *end = quoted;

	for (; *text != '\0'; text++) {
		*end++ = *text;
		if (*text == ',')
			*end++ = ',';
	}
	*end = '\0';
	return quoted;
}

static void add_network(struct args *args, const struct settings *settings)
{
	uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

	if (settings->net == NET_NONE)
		return;
	if (settings->net == NET_TAP) {
		/* Others may be on that network: the last bytes must differ. */
		if (getrandom(mac + 3, 3, 0) != 3)
			die("the host gives no random bytes: %s", strerror(errno));
		add_option(args, "-netdev",
		           must_format("tap,id=net,ifname=%s,script=no,downscript=no%s",
		                       settings->tap, settings->pcap ? ",vnet_hdr=off" : ""));
	} else {
		char *value = must_format("user,id=net");
		for (size_t i = 0; i < settings->nforwards; i++) {
			const struct forward *f = &settings->forwards[i];
			char *longer =
			        must_format("%s,hostfwd=%s:127.0.0.1:%u-:%u", value,
			                    f->udp ? "udp" : "tcp", f->host_port, f->guest_port);
			free(value);
			value = longer;
		}
		add_option(args, "-netdev", value);
	}
	add_option(args, "-device",
	           must_format("virtio-net-pci,netdev=net,disable-legacy=on,romfile=,mac="
	                       "%02x:%02x:%02x:%02x:%02x:%02x",
	                       mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]));
	if (settings->pcap) {
		char *file = quote(settings->pcap);
		add_option(args, "-object",
		           must_format("filter-dump,id=pcap,netdev=net,file=%s", file));
		free(file);
	}
}

static void add_lines(struct args *args)
{
	static const char *const names[LINE_PORT_COUNT] = {"stdin", "stdout", "stderr", "control"};

	add_option(args, "-device", must_format("virtio-serial-pci,disable-legacy=on,max_ports=8"));
	for (int i = 0; i < LINE_PORT_COUNT; i++) {
		add_option(args, "-chardev",
		           must_format("socket,id=%s,fd=%d", names[i], CHILD_FD + i));
		add_option(
		        args, "-device",
		        must_format("virtserialport,chardev=%s,name=capos.%s", names[i], names[i]));
	}
	add_option(args, "-chardev", must_format("socket,id=log,fd=%d", CHILD_FD + LINE_SERIAL));
	add_option(args, "-serial", must_format("chardev:log"));
}

static void build_args(struct args *args, const struct settings *settings, bool kvm,
                       const char *kernel)
{
	add(args, must(strdup(machine_emulator())));
	add_option(args, "-machine", must_format("q35,usb=off,sata=off,smbus=off,vmport=off"));
	add_option(args, "-accel", must_format("%s", kvm ? "kvm" : "tcg"));
	add_option(args, "-cpu", must_format("%s", kvm ? "host" : "max"));
	add_option(args, "-m", must_format("%uM", settings->memory_mib));
	add_option(args, "-display", must_format("none"));
	add(args, must_format("-nodefaults"));
	add(args, must_format("-no-user-config"));
	add(args, must_format("-no-reboot"));
	add_option(args, "-kernel", must_format("%s", kernel));
	add_option(args, "-initrd", must_format("/proc/self/fd/%d", CHILD_FD + LINE_COUNT));
	add_network(args, settings);
	add_lines(args);
	args->items[args->count] = NULL;
}

static void show_args(const struct args *args)
{
	fputs("capos: starting", stderr);
	for (size_t i = 0; i < args->count; i++)
		fprintf(stderr, " %s", args->items[i]);
	fputc('\n', stderr);
}

/*
 * In the child.  fds: its ends of the lines, then the archive; all above the numbers they are moved
 * to.  Tells why it could not start by an errno value on report_fd, which exec closes.
 */
_Noreturn static void become_emulator(struct args *args, const int fds[LINE_COUNT + 1],
                                      int report_fd, pid_t parent)
{
	sigset_t none;

	/* Its own group: the terminal's Ctrl-C is for us, who tell the guest. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_MACHINE); /* the parent died before PDEATHSIG was set */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);

	int null = open("/dev/null", O_RDWR);
	bool moved = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
	             dup2(fds[LINE_EMULATOR], STDERR_FILENO) >= 0;
	for (int i = 0; moved && i <= LINE_COUNT; i++)
		moved = dup2(fds[i], CHILD_FD + i) >= 0;
	if (moved)
		execvp(args->items[0], args->items);
	int error = errno;
	ssize_t told = write(report_fd, &error, sizeof(error));
	_exit(told == (ssize_t)sizeof(error) ? EXIT_MACHINE : EXIT_MISSING);
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

/* Moves a descriptor out of the range that the child fills; close-on-exec. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD + LINE_COUNT + 1);
	int error = errno;

	close(fd);
	errno = error;
	return moved;
}

/* ours: our ends; theirs: QEMU's.  0 or an errno value, with all closed. */
static int make_lines(int ours[LINE_COUNT], int theirs[LINE_COUNT + 1])
{
	int size = LINE_BUFFER;

	for (int i = 0; i < LINE_COUNT; i++)
		ours[i] = theirs[i] = -1;
	for (int i = 0; i < LINE_COUNT; i++) {
		int pair[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
			goto failed;
		ours[i] = pair[0];
		theirs[i] = move_up(pair[1]);
		if (theirs[i] < 0 || fcntl(ours[i], F_SETFL, O_NONBLOCK) != 0)
			goto failed;
		/* As much as the host allows; less only costs speed. */
		setsockopt(ours[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(theirs[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return 0;
failed:;
	int error = errno;
	close_all(ours, LINE_COUNT);
	close_all(theirs, LINE_COUNT);
	return error;
}

/* Forks and waits until the child is QEMU or says why not.  0 or an errno value. */
static int spawn(struct args *args, const int theirs[LINE_COUNT + 1], pid_t *pid)
{
	int report[2];
	int error = 0;
	pid_t self = getpid();

	if (pipe2(report, O_CLOEXEC) != 0)
		return errno;
	int report_fd = move_up(report[1]);
	if (report_fd < 0) {
		error = errno;
		close(report[0]);
		return error;
	}
	*pid = fork();
	if (*pid == 0)
		become_emulator(args, theirs, report_fd, self);
	if (*pid < 0)
		error = errno;
	close(report_fd);
	if (error == 0) {
		ssize_t n;
		do {
			n = read(report[0], &error, sizeof(error));
		} while (n < 0 && errno == EINTR);
		if (n == (ssize_t)sizeof(error))
			waitpid(*pid, NULL, 0);
		else
			error = 0; /* closed by exec */
	}
	close(report[0]);
	return error;
}

int machine_start(struct machine *machine, const struct settings *settings, bool kvm,
                  const char *kernel, int archive_fd)
{
	int theirs[LINE_COUNT + 1];
	struct args args = {.count = 0};

	*machine = (struct machine){.kvm = kvm};
	int error = make_lines(machine->lines, theirs);
	if (error != 0)
		return error;
	theirs[LINE_COUNT] = fcntl(archive_fd, F_DUPFD_CLOEXEC, CHILD_FD + LINE_COUNT + 1);
	if (theirs[LINE_COUNT] < 0)
		error = errno;
	if (error == 0) {
		build_args(&args, settings, kvm, kernel);
		if (settings->verbose)
			show_args(&args);
		error = spawn(&args, theirs, &machine->pid);
		args_free(&args);
	}
	close_all(theirs, LINE_COUNT + 1);
	if (error != 0) {
		machine->pid = 0;
		close_all(machine->lines, LINE_COUNT);
	}
	return error;
}

bool machine_has_ended(struct machine *machine)
{
	if (machine->pid != 0 && waitpid(machine->pid, NULL, WNOHANG) == machine->pid)
		machine->pid = 0;
	return machine->pid == 0;
}

void machine_stop(struct machine *machine)
{
	if (machine->pid != 0) {
		kill(machine->pid, SIGKILL);
		while (waitpid(machine->pid, NULL, 0) < 0 && errno == EINTR)
			;
		machine->pid = 0;
	}
	close_all(machine->lines, LINE_COUNT);
}
