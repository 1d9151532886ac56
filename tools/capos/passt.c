/* SPDX-License-Identifier: MIT */
/*
 * passt: its command line.  Addresses are those of QEMU's user network, so that a program finds the
 * host, the name server and itself at the same places behind both.
 */
#include "tools/capos/passt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include "tools/capos/arguments.h"
#include "tools/capos/spawn.h"

#define PASST       "passt"
#define SOCKET_FD   3
#define GUEST       "10.0.2.15"
#define NETMASK     "255.255.255.0"
#define HOST        "10.0.2.2"
#define NAME_SERVER "10.0.2.3"
/* A larger buffer means fewer changes between the two processes; as much as the host allows. */
#define SOCKET_BUFFER (1 << 20)

bool passt_exists(void)
{
	const char *path = getenv("PATH");
	char *copy = must(strdup(path ? path : "/usr/bin:/bin"));
	bool found = false;

	for (char *rest = copy, *directory; !found && (directory = strsep(&rest, ":"));) {
		char *file = must_format("%s/%s", *directory != '\0' ? directory : ".", PASST);
		found = access(file, X_OK) == 0;
		free(file);
	}
	free(copy);
	return found;
}

static void build(struct arguments *args, const struct settings *settings)
{
	arguments_add(args, PASST);
	arguments_add(args, "--foreground");
	arguments_add(args, "--quiet");
	arguments_add(args, "--one-off");
	arguments_add_option(args, "--fd", "%d", SOCKET_FD);
	arguments_add_option(args, "--address", GUEST);
	arguments_add_option(args, "--netmask", NETMASK);
	arguments_add_option(args, "--gateway", HOST);
	arguments_add_option(args, "--dns", NAME_SERVER);
	arguments_add_option(args, "--dns-forward", NAME_SERVER);
	for (size_t i = 0; i < settings->nforwards; i++) {
		const struct forward *f = &settings->forwards[i];
		arguments_add_option(args, f->udp ? "--udp-ports" : "--tcp-ports",
		                     "127.0.0.1/%u:%u", f->host_port, f->guest_port);
	}
}

int passt_start(const struct settings *settings, int error_fd, int above, int *socket, pid_t *pid)
{
	struct arguments args = {.count = 0};
	int size = SOCKET_BUFFER;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return errno;
	int theirs = spawn_move_up(pair[0], above);
	*socket = spawn_move_up(pair[1], above);
	if (theirs < 0 || *socket < 0)
		return errno;
	setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(*socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	build(&args, settings);
	struct spawn process = {.arguments = args.items,
	                        .fds = &theirs,
	                        .nfds = 1,
	                        .first_fd = SOCKET_FD,
	                        .error_fd = error_fd};
	if (settings->verbose)
		arguments_show(&args);
	int error = spawn(&process, pid);
	close(theirs);
	if (error != 0) {
		close(*socket);
		*socket = -1;
	}
	arguments_free(&args);
	return error;
}
