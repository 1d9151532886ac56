/* SPDX-License-Identifier: MIT */
/*
 * Starting another program.  A failure of the child before exec comes back as an errno value
 * through a pipe that exec closes.
 */
#include "tools/capos/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tools/capos/capos.h"

static bool limit_files(uint64_t bytes)
{
	struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};

	signal(SIGXFSZ, SIG_IGN); /* stays so over exec */
	return bytes == 0 || setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

static bool place_descriptors(const struct spawn *s)
{
	int null = open("/dev/null", O_RDWR);
	bool placed = null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	              dup2(null, STDOUT_FILENO) >= 0 && dup2(s->error_fd, STDERR_FILENO) >= 0;

	for (int i = 0; placed && i < s->nfds; i++)
		placed = s->fds[i] < 0 || dup2(s->fds[i], s->first_fd + i) >= 0;
	return placed;
}

/* In the child.  report_fd is closed by exec. */
_Noreturn static void become(const struct spawn *s, int report_fd, pid_t parent)
{
	sigset_t none;

	/* Its own group: the terminal's Ctrl-C is for us, who pass it on to the guest. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_MACHINE); /* the parent died before PDEATHSIG was set */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (limit_files(s->file_limit) && place_descriptors(s))
		execvp(s->arguments[0], s->arguments);
	int error = errno;
	(void)!write(report_fd, &error, sizeof(error));
	_exit(EXIT_MACHINE);
}

int spawn_move_up(int fd, int above)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, above + 1);
	int error = errno;

	close(fd);
	errno = error;
	return moved;
}

int spawn(const struct spawn *s, pid_t *pid)
{
	int report[2];
	int error = 0;
	pid_t self = getpid();

	if (pipe2(report, O_CLOEXEC) != 0)
		return errno;
	int report_fd = spawn_move_up(report[1], s->first_fd + s->nfds);
	if (report_fd < 0) {
		error = errno;
		close(report[0]);
		return error;
	}
	*pid = fork();
	if (*pid == 0)
		become(s, report_fd, self);
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
	if (error != 0)
		*pid = 0;
	return error;
}
