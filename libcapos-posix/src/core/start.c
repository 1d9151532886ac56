/* SPDX-License-Identifier: MIT */
/*
 * The first system call: from here on the process knows its capabilities, has its signals bound and
 * descriptors 0 to 2. A stream that it was not given is a descriptor all the same, which refuses
 * everything: else the next file opened would become the program's standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <capos/cap.h>
#include <capos/log.h>
#include <capos/start.h>

#include "core/carried.h"
#include "core/internal.h"

static ssize_t denied_transfer(struct file *f, const struct iovec *iov, int n)
{
	(void)f, (void)iov, (void)n;
	return -EACCES;
}

static unsigned denied_poll(struct file *f, unsigned wanted, bool arm)
{
	(void)f, (void)wanted, (void)arm;
	return POLLERR;
}

static int denied_stat(struct file *f, struct stat *st)
{
	(void)f;
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFCHR;
	return 0;
}

static int denied_carry(struct file *f, struct carried *out)
{
	(void)f;
	out->kind = CARRY_DENIED;
	return 0;
}

static const struct file_ops denied_ops = {.read = denied_transfer,
                                           .write = denied_transfer,
                                           .poll = denied_poll,
                                           .stat = denied_stat,
                                           .carry = denied_carry};

int denied_restore(const struct carried *in, struct file **out)
{
	*out = file_create(&denied_ops, in->flags, NULL);
	return *out ? 0 : -ENOMEM;
}

static void open_standard(int fd, const char *name, int flags)
{
	cap_t stream = start_cap(name);
	struct file *f = NULL;
	int result = stream ? stream_create(stream, flags, &f) : -EACCES;

	if (result && stream)
		log_line("posix: %s: error %d", name, -result);
	if (result)
		f = file_create(&denied_ops, flags, NULL);
	if (!f || fd_install(f, fd, false) != fd)
		log_fatal("posix: no memory for descriptor %d", fd);
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
	signal_start();
	carried = start_cap("posix.state");
	if (carried) {
		exec_restore(carried);
		return;
	}
	open_standard(0, "stdin", O_RDONLY);
	open_standard(1, "stdout", O_WRONLY);
	open_standard(2, "stderr", O_WRONLY);
}
