/* SPDX-License-Identifier: MIT */
/*
 * Threads and processes on everything that they share, killed at random moments while they hold
 * every kind of lock: those that go on neither wait nor notice.  The first argument is the number
 * of processes to kill.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "posix_tap.h"
#include "posix_thread.h"

#define KILLS   20
#define WORKERS 6u
#define ENOUGH  200 /* rounds of the process that is not killed */

struct common {
	pthread_mutex_t mutex; /* robust, shared */
	long half[2];          /* under the mutex: equal, unless its holder ended */
	atomic_long rounds, repaired, connections;
	atomic_int wrong;
};

static struct common *common;
static int stream[2]; /* bytes go round in it: one process writes, all read */
static int offsets;   /* a file whose offset all share */

static unsigned draw(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16 & 0x7fff;
}

static void use_mutex(void)
{
	int result = pthread_mutex_lock(&common->mutex);

	if (result == EOWNERDEAD) {
		common->half[1] = common->half[0];
		common->repaired++;
		result = pthread_mutex_consistent(&common->mutex);
	}
	if (result || common->half[0] != common->half[1])
		common->wrong |= 1;
	common->half[0]++;
	sched_yield();
	common->half[1]++;
	pthread_mutex_unlock(&common->mutex);
}

static void use_pipe(void)
{
	char bytes[64];

	memset(bytes, 'x', sizeof(bytes));
	if (write(stream[1], bytes, sizeof(bytes)) < 0 && errno != EAGAIN)
		common->wrong |= 2;
	if (read(stream[0], bytes, sizeof(bytes)) < 0 && errno != EAGAIN)
		common->wrong |= 4;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		common->wrong |= bytes[i] == 'x' ? 0 : 8;
}

static void use_own_pipe(void)
{
	struct pollfd p = {.events = POLLIN};
	int own[2];
	char byte = 0;

	if (pipe(own))
		return;
	p.fd = own[0];
	if (write(own[1], "y", 1) != 1 || poll(&p, 1, -1) != 1 || read(own[0], &byte, 1) != 1 ||
	    byte != 'y')
		common->wrong |= 16;
	close(own[0]);
	close(own[1]);
}

static void use_files(unsigned number)
{
	char name[64], text[64];
	int fd;

	snprintf(name, sizeof(name), "/tmp/stress.%d.%u", getpid(), number);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return;
	if (write(fd, name, sizeof(name)) != sizeof(name) ||
	    pread(fd, text, sizeof(text), 0) != sizeof(text) || memcmp(name, text, sizeof(text)))
		common->wrong |= 32;
	close(dup(fd));
	close(fd);
	unlink(name);
	if (write(offsets, "0123456789abcdef", 16) != 16)
		common->wrong |= 64;
}

/* A connection to oneself. */
static void use_socket(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0), ends[2] = {-1, -1};
	char text[8] = "";

	if (listener < 0)
		return;
	if (!bind(listener, (struct sockaddr *)&name, sizeof(name)) && !listen(listener, 4) &&
	    !getsockname(listener, (struct sockaddr *)&name, &length)) {
		ends[0] = socket(AF_INET, SOCK_STREAM, 0);
		if (ends[0] >= 0 && !connect(ends[0], (struct sockaddr *)&name, sizeof(name)))
			ends[1] = accept(listener, NULL, NULL);
	}
	if (ends[1] >= 0 && (write(ends[0], "socket", 6) != 6 || read(ends[1], text, 6) != 6 ||
	                     strcmp(text, "socket")))
		common->wrong |= 256;
	common->connections += ends[1] >= 0;
	for (int i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
	}
	close(listener);
}

static void use_fork(void)
{
	pid_t child = fork();

	if (!child)
		_exit(5);
	if (child > 0 && code_of(child) != 5)
		common->wrong |= 128;
}

static void *work(void *number)
{
	unsigned seed = (unsigned)(uintptr_t)number + (unsigned)getpid() * 7u;

	for (;;) {
		switch (draw(&seed) % 9) {
		case 0:
		case 1:
			use_mutex();
			break;
		case 2:
		case 3:
			use_pipe();
			break;
		case 4:
			use_own_pipe();
			break;
		case 5:
			free(malloc(draw(&seed)));
			break;
		case 6:
			use_files((unsigned)(uintptr_t)number);
			break;
		case 7:
			use_socket();
			break;
		case 8:
			if (draw(&seed) % 8 == 0)
				use_fork();
			break;
		}
		common->rounds++;
	}
	return NULL;
}

static pid_t start_workers(void)
{
	pid_t child = fork();

	if (child)
		return child;
	for (uintptr_t i = 1; i < WORKERS; i++)
		start(work, (void *)i);
	work(NULL);
	_exit(0);
}

static void prepare(void)
{
	pthread_mutexattr_t attr;

	common = shared(sizeof(*common));
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&common->mutex, &attr);
	if (pipe2(stream, O_NONBLOCK))
		exit(1);
	offsets = open("/tmp/stress", O_RDWR | O_CREAT | O_TRUNC, 0600);
}

int main(int argc, char **argv)
{
	int kills = argc > 1 ? atoi(argv[1]) : KILLS, killed = 0;
	unsigned seed = (unsigned)getpid();
	long before, size;
	pid_t lasting;

	prepare();
	lasting = start_workers();
	for (; killed < kills; killed++) {
		pid_t child = start_workers();

		sleep_ms(1 + draw(&seed) % 60);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		use_mutex();
		use_pipe();
	}
	ok(killed == kills, "processes with threads are killed at random moments");
	before = common->rounds;
	for (int i = 0; i < 3000 && common->rounds < before + ENOUGH; i++)
		sleep_ms(10);
	ok(common->rounds >= before + ENOUGH, "another process goes on");
	kill(lasting, SIGKILL);
	waitpid(lasting, NULL, 0);
	use_mutex();
	ok(!common->wrong, "and nobody sees anything wrong");
	size = lseek(offsets, 0, SEEK_END);
	ok(size % 16 == 0, "what was written at a common offset is whole");
	ok(common->connections > 0, "connections to oneself were among it");
	printf("# %ld rounds, %ld locks repaired, %ld connections, wrong %x\n",
	       (long)common->rounds, (long)common->repaired, (long)common->connections,
	       (unsigned)common->wrong);
	return tap_finish();
}
