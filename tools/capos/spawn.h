/* SPDX-License-Identifier: MIT */
/*
 * Starting another program with descriptors at places of our choice.
 */
#ifndef CAPOS_TOOLS_SPAWN_H
#define CAPOS_TOOLS_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

struct spawn {
	char *const *arguments; /* the first is looked up in PATH */
	const int *fds;         /* nfds descriptors, each above first_fd + nfds, or -1 */
	int nfds;
	int first_fd; /* where the child has them */
	int error_fd; /* its stderr; stdin and stdout are /dev/null */
	/* Bytes that no file it writes grows beyond (it gets EFBIG, no signal); 0: no limit. */
	uint64_t file_limit;
};

/*
 * Forks, and waits until the child has executed the program or could not.  The child is in a
 * process group of its own, and is killed when this process dies.  0 or an errno value.
 */
int spawn(const struct spawn *spawn, pid_t *pid);

/* Moves a descriptor out of the range first..last, close-on-exec; the old one is closed.  -1 with
 * errno. */
int spawn_move_up(int fd, int above);

#endif
