/* SPDX-License-Identifier: MIT */
/*
 * Descriptors, vectors, pipes; what the process says of itself; what is absent and says so.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix_tap.h"

static void descriptors(void)
{
	int fd = dup(1);

	ok(fd > 2, "dup takes a free number");
	ok(dup2(1, 50) == 50 && fcntl(50, F_GETFD) == 0, "dup2");
	ok(fcntl(50, F_SETFD, FD_CLOEXEC) == 0 && fcntl(50, F_GETFD) == FD_CLOEXEC,
	   "close-on-exec");
	ok(fcntl(1, F_DUPFD_CLOEXEC, 60) == 60, "F_DUPFD_CLOEXEC");
	ok(close(50) == 0 && close(60) == 0 && close(fd) == 0, "close");
	fails(close(50), EBADF, "close again is EBADF");
	fails(read(50, &fd, 1), EBADF, "read of nothing is EBADF");
	fails(read(1, &fd, 1), EBADF, "read of what was opened for writing is EBADF");
	fails(dup2(50, 51), EBADF, "dup2 of nothing is EBADF");
	fails(fcntl(1, 12345), EINVAL, "an unknown fcntl is EINVAL");
	ok(syscall(SYS_fcntl, 0x500000001, F_GETFD) == 0, "a descriptor is 32 bits");
	fails(syscall(SYS_close, 0x500000033), EBADF, "of any number");
	fails(lseek(0, 0, SEEK_CUR), ESPIPE, "lseek of a stream is ESPIPE");
	fails(ioctl(1, 0x12345678), ENOTTY, "an unknown ioctl is ENOTTY");
}

static void pipes(void)
{
	int fds[2], available;
	char buffer[8192], second[3] = "";
	struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cde", 3}}, in[2] = {{buffer, 2}, {second, 3}};
	struct pollfd p;
	struct stat st;
	ssize_t total = 0, n;
	volatile int minus_one = -1, too_many = 100000; /* hidden from the compiler */

	ok(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0, "pipe2");
	ok(fstat(fds[0], &st) == 0 && S_ISFIFO(st.st_mode), "a pipe is a FIFO");
	fails(read(fds[0], buffer, 1), EAGAIN, "an empty pipe is EAGAIN");
	ok(writev(fds[1], out, 3) == 5, "writev");
	ok(ioctl(fds[0], FIONREAD, &available) == 0 && available == 5, "FIONREAD");
	ok(readv(fds[0], in, 2) == 5 && !memcmp(buffer, "ab", 2) && !memcmp(second, "cde", 3),
	   "readv");
	fails(writev(fds[1], out, minus_one), EINVAL, "a negative count is EINVAL");
	fails(writev(fds[1], out, too_many), EINVAL, "a count too large is EINVAL");
	while ((n = write(fds[1], buffer, sizeof(buffer))) > 0)
		total += n;
	ok(total == 65536 && errno == EAGAIN, "a pipe holds 64 KiB");
	p = (struct pollfd){.fd = fds[1], .events = POLLOUT};
	ok(poll(&p, 1, 0) == 0, "a full pipe is not writable");
	ok(read(fds[0], buffer, 4096) == 4096 && poll(&p, 1, 0) == 1 && p.revents == POLLOUT,
	   "with PIPE_BUF free it is");
	close(fds[1]);
	p = (struct pollfd){.fd = fds[0], .events = POLLIN};
	ok(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLHUP), "data, and no writer");
	while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
		total -= n;
	ok(n == 0 && total == 4096, "then the end");
	fails(pread(fds[0], buffer, 1, 0), ESPIPE, "pread of a pipe is ESPIPE");
	close(fds[0]);
}

static void *write_page(void *end)
{
	static char page[4096];

	return (void *)write(*(int *)end, page, sizeof(page));
}

static void sizes(void)
{
	struct pollfd p;
	char buffer[8192];
	int fds[2], file = open("/dev/null", O_RDWR);
	pthread_t writer;
	void *written = NULL;

	if (pipe2(fds, O_NONBLOCK))
		return;
	ok(fcntl(fds[0], F_GETPIPE_SZ) == 65536, "a new pipe has 64 KiB");
	ok(fcntl(fds[1], F_SETPIPE_SZ, 0) == 4096 && fcntl(fds[0], F_GETPIPE_SZ) == 4096,
	   "F_SETPIPE_SZ of 0 leaves a page, seen at the other end");
	ok(write(fds[1], buffer, sizeof(buffer)) == 4096, "no more is written than it has");
	fails(write(fds[1], buffer, 1), EAGAIN, "then it is full");
	p = (struct pollfd){.fd = fds[1], .events = POLLOUT};
	ok(poll(&p, 1, 0) == 0, "and poll says so");
	ok(fcntl(fds[1], F_SETPIPE_SZ, 4097) == 8192, "sizes are rounded up to a power of two");
	ok(poll(&p, 1, 0) == 1 && write(fds[1], buffer, sizeof(buffer)) == 4096,
	   "a pipe that grows has room");
	fails(fcntl(fds[0], F_SETPIPE_SZ, 4096), EBUSY, "it does not become less than it holds");
	ok(fcntl(fds[1], F_SETFL, 0) == 0 && !pthread_create(&writer, NULL, write_page, &fds[1]),
	   "one waits for room");
	usleep(50000);
	ok(fcntl(fds[0], F_SETPIPE_SZ, 65536) == 65536 && !pthread_join(writer, &written) &&
	           written == (void *)4096,
	   "and goes on when the pipe grows");
	ok(read(fds[0], buffer, sizeof(buffer)) == 8192 && read(fds[0], buffer, 8192) == 4096,
	   "what was in it has stayed");
	fails(fcntl(fds[0], F_SETPIPE_SZ, 0x80000001), EINVAL, "more than 2 GiB is no size");
	fails(fcntl(file, F_SETPIPE_SZ, 4096), EBADF, "F_SETPIPE_SZ of no pipe");
	fails(fcntl(file, F_GETPIPE_SZ), EBADF, "F_GETPIPE_SZ of no pipe");
	close(file), close(fds[0]), close(fds[1]);
}

static void about_itself(void)
{
	struct utsname name;
	struct rlimit limit;
	struct rusage usage;
	unsigned char random[2][300];

	ok(getpid() > 0 && getpid() == (int)syscall(SYS_gettid), "getpid");
	ok(getuid() == geteuid() && getgid() == getegid(), "ids");
	ok(uname(&name) == 0 && !strcmp(name.machine, "x86_64"), "uname");
	ok(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 64, "RLIMIT_NOFILE");
	ok(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0, "getrusage");
	ok(getrandom(random[0], 300, 0) == 300 && getrandom(random[1], 300, 0) == 300 &&
	           memcmp(random[0], random[1], 300),
	   "getrandom");
	ok(sysconf(_SC_PAGESIZE) == 4096 && sysconf(_SC_CLK_TCK) == 100, "sysconf");
	fails(wait(NULL), ECHILD, "wait without children is ECHILD");
}

static void limits(void)
{
	int last = -1, fd, opened = 0;
	struct pollfd list[21];
	struct rlimit all, few;

	while ((fd = dup(0)) >= 0) {
		last = fd;
		opened++;
	}
	ok(errno == EMFILE && opened > 32, "the table fills: EMFILE");
	while (last > 2)
		close(last--);
	fd = dup(0);
	ok(fd == 3, "and empties");
	close(fd);
	for (int i = 0; i < 21; i++)
		list[i].fd = -1;
	getrlimit(RLIMIT_NOFILE, &all);
	few = (struct rlimit){20, all.rlim_max};
	ok(setrlimit(RLIMIT_NOFILE, &few) == 0 && poll(list, 20, 0) == 0,
	   "poll of as many as there may be descriptors");
	fails(poll(list, 21, 0), EINVAL, "of more: EINVAL");
	while ((fd = dup(0)) >= 0)
		last = fd;
	fails(open("/tmp/posix_fds.none", O_CREAT | O_RDWR, 0600), EMFILE,
	      "no descriptor for a new file");
	fails(access("/tmp/posix_fds.none", F_OK), ENOENT, "and no file");
	fails(open("", O_RDONLY), ENOENT, "a bad path is told first");
	while (last > 2)
		close(last--);
	setrlimit(RLIMIT_NOFILE, &all);
}

/* Opened with 3: for what is neither reading nor writing, with the permission for both. */
static void neither(void)
{
	int fd = open("/tmp/neither", O_CREAT | O_RDWR, 0600), other, status;
	struct flock lock = {.l_type = F_RDLCK};
	struct stat st;
	char byte = 0;
	pid_t child;

	ok(write(fd, "hello", 5) == 5, "a file");
	other = open("/tmp/neither", 3);
	ok(other >= 0 && (fcntl(other, F_GETFL) & 3) == 3, "is opened with 3");
	fails(read(other, &byte, 1), EBADF, "it is not read");
	fails(write(other, &byte, 1), EBADF, "nor written");
	fails(ftruncate(other, 0), EINVAL, "nor cut");
	fails(fallocate(other, 0, 0, 1), EBADF, "nor made longer");
	fails((long)mmap(NULL, 1, PROT_READ, MAP_PRIVATE, other, 0), EACCES, "nor mapped");
	fails(fcntl(other, F_SETLK, &lock), EBADF, "nor locked to be read");
	ok(!fstat(other, &st) && st.st_size == 5, "it is looked at");
	close(other);
	fails(open("/tmp", 3), EISDIR, "a directory is not opened so");
	child = fork();
	if (!child) {
		fchmod(fd, 0644);
		if (setuid(4242))
			_exit(1);
		_exit(open("/tmp/neither", 3) != -1 || errno != EACCES);
	}
	waitpid(child, &status, 0);
	ok(status == 0, "nor is what may only be read");
	other = open("/tmp/neither", 3 | O_TRUNC);
	ok(!fstat(fd, &st) && st.st_size == 0, "O_TRUNC cuts");
	close(other);
	close(fd);
	unlink("/tmp/neither");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	descriptors();
	pipes();
	sizes();
	about_itself();
	limits();
	neither();
	return tap_finish();
}
