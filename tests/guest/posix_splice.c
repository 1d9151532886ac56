/* SPDX-License-Identifier: MIT */
/*
 * splice, tee and vmsplice, and the newer forms of older calls: preadv2, close_range, syncfs and
 * their like.  Linux says the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

#define NOW SPLICE_F_NONBLOCK

static int has(int fd, const char *text)
{
	char bytes[200];
	size_t length = strlen(text);

	return read(fd, bytes, sizeof(bytes)) == (ssize_t)length && !memcmp(bytes, text, length);
}

static int new_file(const char *text)
{
	char name[] = "/tmp/splice.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void files(void)
{
	int ends[2], file = new_file("0123456789");
	off_t at = 4;

	pipe(ends);
	ok(splice(file, NULL, ends[1], NULL, 3, 0) == 3 && has(ends[0], "012"), "file to pipe");
	ok(lseek(file, 0, SEEK_CUR) == 3, "the file's position moves");
	ok(splice(file, &at, ends[1], NULL, 100, 0) == 6 && at == 10 && has(ends[0], "456789"),
	   "from an offset, up to the end");
	ok(lseek(file, 0, SEEK_CUR) == 3, "the position stays");
	ok(splice(file, &at, ends[1], NULL, 100, 0) == 0, "at the end there is nothing");
	write(ends[1], "abcdef", 6);
	at = 1;
	ok(splice(ends[0], NULL, file, &at, 4, 0) == 4 && at == 5, "pipe to file");
	ok(splice(ends[0], NULL, file, NULL, 100, 0) == 2, "takes what is there");
	lseek(file, 0, SEEK_SET);
	ok(has(file, "0abef56789"), "each byte has its place");
	close(file);
	close(ends[0]);
	close(ends[1]);
}

static void pipes(void)
{
	int in[2], out[2];
	char bytes[70000] = {0};

	pipe(in);
	pipe(out);
	write(in[1], "hello", 5);
	ok(tee(in[0], out[1], 100, 0) == 5 && has(out[0], "hello"), "tee");
	ok(splice(in[0], NULL, out[1], NULL, 3, 0) == 3 && has(out[0], "hel"),
	   "what was copied can still be moved");
	ok(has(in[0], "lo"), "and read");
	fails(splice(in[0], NULL, out[1], NULL, 3, NOW), EAGAIN, "an empty pipe, without waiting");
	fails(tee(in[0], out[1], 3, NOW), EAGAIN, "tee of it");
	fcntl(out[1], F_SETFL, O_NONBLOCK);
	while (write(out[1], bytes, sizeof(bytes)) > 0)
		;
	write(in[1], "x", 1);
	fails(splice(in[0], NULL, out[1], NULL, 1, NOW), EAGAIN, "a full pipe, without waiting");
	ok(has(in[0], "x"), "nothing is lost");
	fails(splice(in[0], NULL, in[1], NULL, 1, 0), EINVAL, "a pipe to itself");
	close(in[1]);
	fails(splice(in[0], NULL, out[1], NULL, 1, 0), EAGAIN, "nor one whose writers are gone");
	while (read(out[0], bytes, sizeof(bytes)) == sizeof(bytes))
		;
	ok(splice(in[0], NULL, out[1], NULL, 1, 0) == 0, "a pipe without writers is at its end");
	close(in[0]);
	close(out[0]);
	close(out[1]);
}

/* A socket that takes less than there is: the rest stays in the pipe, in its order. */
static void sockets(void)
{
	static char bytes[50000], received[50000];
	const size_t size = sizeof(bytes);
	int ends[2], pair[2], right = 1;
	size_t sent = 0, got = 0;
	ssize_t n = 0;

	pipe(ends);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	while (got < 20 * size && n >= 0) {
		for (int i = 0; i < 8 && sent < 20 * size; i++) {
			n = write(ends[1], bytes + sent % size, size - sent % size);
			sent += n > 0 ? (size_t)n : 0;
			(void)splice(ends[0], NULL, pair[0], NULL, size, NOW);
		}
		(void)splice(ends[0], NULL, pair[0], NULL, size, NOW);
		n = read(pair[1], received, sizeof(received));
		for (ssize_t i = 0; i < n; i++)
			right = right && received[i] == bytes[(got + (size_t)i) % size];
		got += n > 0 ? (size_t)n : 0;
	}
	ok(got == 20 * size && right, "a socket that is full at times gets all, in order");
	close(ends[0]);
	close(pair[1]);
	signal(SIGPIPE, SIG_IGN);
	fails(splice(open("/dev/zero", O_RDONLY), NULL, ends[1], NULL, 10, 0), EPIPE,
	      "a pipe without readers");
	close(ends[1]);
	close(pair[0]);
}

static void refused(void)
{
	int ends[2], file = new_file("x"), other = new_file("y");
	int appends = open("/dev/null", O_WRONLY | O_APPEND);
	off_t at = 0;

	pipe(ends);
	fails(splice(file, NULL, other, NULL, 1, 0), EINVAL, "neither is a pipe");
	fails(splice(ends[0], &at, file, NULL, 1, 0), ESPIPE, "a pipe has no offset");
	fails(splice(file, NULL, ends[1], &at, 1, 0), ESPIPE, "neither end");
	fails(splice(ends[1], NULL, file, NULL, 1, 0), EBADF, "the wrong end");
	fails(splice(99, NULL, file, NULL, 1, 0), EBADF, "no descriptor");
	fails(splice(ends[0], NULL, appends, NULL, 1, 0), EINVAL, "O_APPEND");
	fails(splice(ends[0], NULL, file, NULL, 1, 64), EINVAL, "an unknown flag");
	ok(splice(ends[0], NULL, file, NULL, 0, 0) == 0, "nothing at all");
	fails(tee(file, ends[1], 1, 0), EINVAL, "tee of a file");
	fails(vmsplice(file, &(struct iovec){&at, 1}, 1, 0), EBADF, "vmsplice to a file");
	ok(vmsplice(ends[1], &(struct iovec){"abc", 3}, 1, 0) == 3 && has(ends[0], "abc"),
	   "vmsplice to a pipe");
	close(appends);
	close(file);
	close(other);
	close(ends[0]);
	close(ends[1]);
}

/* What grep does with what it reads when its output is /dev/null. */
static void drained(void)
{
	int ends[2], null = open("/dev/null", O_WRONLY), status = -1;
	pid_t child;

	pipe(ends);
	child = fork();
	if (!child) {
		static char bytes[100000];

		close(ends[0]);
		_exit(write(ends[1], bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : 1);
	}
	close(ends[1]);
	while (splice(ends[0], NULL, null, NULL, 98304, SPLICE_F_MOVE) > 0)
		;
	waitpid(child, &status, 0);
	ok(status == 0, "a pipe is emptied into /dev/null");
	close(ends[0]);
	close(null);
}

/* musl has them since 1.2.5. */
static long second(long call, int fd, const struct iovec *iov, off_t offset, int flags)
{
	return syscall(call, fd, iov, 1, offset, 0, flags);
}

static void vectors(void)
{
	int file = new_file("0123456789");
	char bytes[10];
	struct iovec iov = {bytes, 4};

	ok(second(SYS_preadv2, file, &iov, 2, 0) == 4 && !memcmp(bytes, "2345", 4), "preadv2");
	ok(second(SYS_preadv2, file, &iov, -1, 0) == 4 && !memcmp(bytes, "0123", 4) &&
	           lseek(file, 0, SEEK_CUR) == 4,
	   "an offset of -1 is the description's");
	ok(second(SYS_pwritev2, file, &iov, -1, 2) == 4 && lseek(file, 0, SEEK_CUR) == 8,
	   "also of pwritev2");
	fails(second(SYS_preadv2, file, &iov, 0, 0x4000), EOPNOTSUPP, "an unknown flag");
	ok(syncfs(file) == 0 && sync_file_range(file, 0, 4, SYNC_FILE_RANGE_WRITE) == 0 &&
	           readahead(file, 0, 4) == 0,
	   "syncfs, sync_file_range, readahead");
	fails(syncfs(99), EBADF, "syncfs of nothing");
	fails(sync_file_range(file, 0, 4, 64), EINVAL, "an unknown flag of sync_file_range");
	fails(sync_file_range(file, -1, 4, 0), EINVAL, "a negative offset");
	close(file);
}

static void ranges(void)
{
	int fds[5];

	for (int i = 0; i < 5; i++)
		fds[i] = dup2(1, 100 + i);
	ok(syscall(SYS_close_range, 101, 102, 0) == 0 && fcntl(fds[0], F_GETFD) == 0 &&
	           fcntl(fds[1], F_GETFD) == -1 && fcntl(fds[2], F_GETFD) == -1 &&
	           fcntl(fds[3], F_GETFD) == 0,
	   "close_range closes what is in the range");
	ok(syscall(SYS_close_range, 103, ~0u, 4) == 0 && fcntl(fds[4], F_GETFD) == FD_CLOEXEC &&
	           fcntl(fds[0], F_GETFD) == 0,
	   "or marks it");
	fails(syscall(SYS_close_range, 5, 4, 0), EINVAL, "not backwards");
	fails(syscall(SYS_close_range, 100, ~0u, 32), EINVAL, "not with unknown flags");
	ok(syscall(SYS_close_range, 100, ~0u, 0) == 0 && fcntl(fds[4], F_GETFD) == -1,
	   "up to the last");
}

static void memory(void)
{
	int zero = open("/dev/zero", O_RDWR);
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	char *q = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
	int status;
	pid_t child;

	close(zero);
	ok(p != MAP_FAILED && p[5000] == 0 && (p[5000] = 'p'), "a private mapping of /dev/zero");
	ok(q != MAP_FAILED && q[5000] == 0, "and a shared one");
	child = fork();
	if (!child) {
		q[5000] = 'q';
		_exit(p[5000] = 0);
	}
	waitpid(child, &status, 0);
	ok(p[5000] == 'p' && q[5000] == 'q', "the latter is a child's, too");
	munmap(p, 8192);
	fails(madvise(p, 8192, MADV_WILLNEED), ENOMEM, "advice about what is not mapped");
	munmap(q, 8192);
}

static long copy(int in, off_t from, int out, off_t to, size_t length)
{
	return syscall(SYS_copy_file_range, in, &from, out, &to, length, 0);
}

/* What is refused, and with which error, where more than one would do. */
static void copies_refused(void)
{
	int a = new_file("0123456789"), b = new_file(""), directory = open("/tmp", O_RDONLY);
	int path = open("/tmp", O_PATH), null = open("/dev/null", O_RDWR), pipes[2];
	char back[6] = "";
	off_t at = 0;

	if (pipe(pipes))
		return;
	fails(syscall(SYS_copy_file_range, a, NULL, directory, NULL, 5, 0), EISDIR,
	      "a copy onto a directory");
	fails(syscall(SYS_copy_file_range, directory, NULL, a, NULL, 5, 0), EISDIR, "and of one");
	fails(copy(a, -1, b, 0, 5), EOVERFLOW, "a copy from before the beginning");
	fails(syscall(SYS_copy_file_range, a, &at, b, &(off_t){1}, (size_t)-1, 0), EOVERFLOW,
	      "of more than there can be");
	fails(copy(a, 0, b, INT64_MAX - 2, 5), EFBIG, "to behind the last byte");
	fails(copy(a, 0, a, 4, 5), EINVAL, "onto itself");
	ok(copy(a, 5, a, 0, 100) == 5 && pread(a, back, 5, 0) == 5 && !strcmp(back, "56789"),
	   "where it ends before, it may be the same file");
	at = 0;
	fails(sendfile(b, pipes[0], &at, 3), ESPIPE, "sendfile from a place in a pipe");
	fails(sendfile(b, path, NULL, 3), EBADF, "and of what is not open");
	fails(splice(directory, NULL, pipes[1], NULL, 3, 0), EINVAL, "a splice of a directory");
	fails(fsync(null), EINVAL, "fsync of a device");
	fails(syscall(SYS_sync_file_range, null, 0l, 0l, 2), ESPIPE, "sync_file_range of one");
	ok(!fsync(directory) && !syscall(SYS_sync_file_range, directory, 0l, 0l, 2),
	   "both of a directory");
	ok(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, path, 0) == MAP_FAILED && errno == EBADF,
	   "nor is it mapped");
	struct pollfd p = {.fd = path, .events = POLLIN};
	ok(poll(&p, 1, 0) == 1 && p.revents == POLLNVAL, "and poll says that it is not open");
	close(pipes[0]);
	close(pipes[1]);
	close(a);
	close(b);
	close(directory);
	close(path);
	close(null);
}

int main(void)
{
	files();
	pipes();
	sockets();
	refused();
	drained();
	vectors();
	ranges();
	memory();
	copies_refused();
	return tap_finish();
}
