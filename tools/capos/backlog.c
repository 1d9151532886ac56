/* SPDX-License-Identifier: MIT */
/*
 * More connections to a published port at a time.  A backlog belongs to the socket, not to the
 * process: with a duplicate of the emulator's descriptor (pidfd_getfd, Linux 5.6; a parent may), we
 * call listen() on it again.
 */
#include "tools/capos/backlog.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define BACKLOG 1024 /* the host cuts it to net.core.somaxconn */

/* Older headers lack it; the number is the same on all architectures. */
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static bool is_published(const struct settings *settings, uint16_t port)
{
	for (size_t i = 0; i < settings->nforwards; i++) {
		if (!settings->forwards[i].udp && settings->forwards[i].host_port == port)
			return true;
	}
	return false;
}

static bool raise_one(int fd, const struct settings *settings)
{
	struct sockaddr_in address = {.sin_family = AF_UNSPEC};
	socklen_t length = sizeof(address);
	int listening = 0;
	socklen_t size = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
	       getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
	       address.sin_family == AF_INET && is_published(settings, ntohs(address.sin_port)) &&
	       listen(fd, BACKLOG) == 0;
}

size_t backlog_raise(pid_t pid, const struct settings *settings)
{
	char *path = must_format("/proc/%d/fd", (int)pid);
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	DIR *directory = opendir(path);
	struct dirent *entry;
	size_t raised = 0;

	while (process >= 0 && directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		int fd = (int)syscall(SYS_pidfd_getfd, process, atoi(entry->d_name), 0);
		if (fd < 0)
			continue;
		raised += raise_one(fd, settings);
		close(fd);
	}
	if (directory)
		closedir(directory);
	if (process >= 0)
		close(process);
	free(path);
	return raised;
}
