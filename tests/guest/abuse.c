/* SPDX-License-Identifier: MIT */
/*
 * Processes are killed at any moment, holding anything that can be held, and so is the process
 * service under a fork bomb.  Those that are left neither wait nor notice, and in the end the
 * kernel holds as much as at the beginning.  abuse KILLS SEED.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "abuse.h"
#include "posix_tap.h"

#define PATIENCE 5.0  /* seconds that one piece of work may take while nine processes compete */
#define ROUND    100  /* kills between two looks */
#define SWEEP    1000 /* kills between two sweeps: what is left grows the files service's tables */
#define BOMBS    64   /* processes of the bomb at once */
#define SERVICES 8    /* ends of the process service */

enum kind { MUTEX, FILE_LOCK, PIPE, TERMINAL, NAMES, FORK, MEMORY, THREADS, KINDS };

static struct shared {
	pthread_mutex_t mutex; /* robust */
	volatile unsigned long pieces[KINDS], died;
	volatile bool over;
} * shared;
static int ends[2], common, master, slave, counter;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- Work ---- */

static void lock_mutex(void)
{
	int result = pthread_mutex_lock(&shared->mutex);

	if (result == EOWNERDEAD) {
		shared->died++;
		pthread_mutex_consistent(&shared->mutex);
	} else if (result) {
		_exit(3);
	}
	if (rand() % 64 == 0)
		sched_yield(); /* others wait for it, and it may be killed here */
	pthread_mutex_unlock(&shared->mutex);
}

static void lock_file(void)
{
	static const char bytes[5000];
	struct flock lock = {.l_type = F_WRLCK, .l_len = 100};
	int fd = open("/tmp/locked", O_RDWR | O_CREAT, 0666);

	fcntl(fd, F_SETLKW, &lock);
	(void)!pwrite(fd, bytes, sizeof(bytes), 0);
	lock.l_type = F_UNLCK;
	fcntl(fd, F_SETLK, &lock);
	flock(fd, LOCK_EX);
	flock(fd, LOCK_UN);
	close(fd);
}

static void use_pipe(void)
{
	static char bytes[4096];

	(void)!write(ends[1], bytes, 1 + (unsigned)rand() % sizeof(bytes));
	(void)!read(ends[0], bytes, sizeof(bytes));
}

static void use_terminal(void)
{
	char bytes[50] = {0};
	struct termios t;

	(void)!write(slave, bytes, sizeof(bytes));
	(void)!read(master, bytes, sizeof(bytes));
	tcgetattr(slave, &t);
	tcsetattr(slave, TCSANOW, &t);
	close(open("/dev/ptmx", O_RDWR | O_NOCTTY));
}

static void use_names(void)
{
	int own[2], fd;
	char from[32], to[32];

	snprintf(from, sizeof(from), "/tmp/a%d", getpid());
	snprintf(to, sizeof(to), "/tmp/b%d", rand() % 8);
	fd = open(from, O_RDWR | O_CREAT | O_TRUNC, 0666);
	(void)!write(fd, from, sizeof(from));
	rename(from, to);
	unlink(to);
	close(fd);
	if (pipe(own))
		return;
	(void)!write(own[1], from, sizeof(from));
	close(own[0]);
	close(own[1]);
}

static void use_memory(void)
{
	char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	if (p != MAP_FAILED)
		memset(p, 1, 65536);
	lseek(common, 0, SEEK_SET); /* the description is all children's */
	(void)!write(common, "common", 6);
	munmap(p, 65536);
	eventfd_write(counter, 1);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd >= 0)
		close(fd);
}

static void *allocate(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++)
		free(malloc(100));
	lock_mutex();
	return NULL;
}

static void work(enum kind kind)
{
	pthread_t thread;
	pid_t child;

	switch (kind) {
	case MUTEX:
		lock_mutex();
		break;
	case FILE_LOCK:
		lock_file();
		break;
	case PIPE:
		use_pipe();
		break;
	case TERMINAL:
		use_terminal();
		break;
	case NAMES:
		use_names();
		break;
	case FORK:
		child = fork();
		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
		break;
	case MEMORY:
		use_memory();
		break;
	case THREADS:
		if (pthread_create(&thread, NULL, allocate, NULL))
			break;
		allocate(NULL);
		pthread_join(thread, NULL);
		break;
	case KINDS:
		break;
	}
	shared->pieces[kind]++;
}

static pid_t start(enum kind kind, unsigned seed)
{
	pid_t child = fork();

	if (child)
		return child;
	srand(seed);
	for (;;)
		work(kind);
}

/* ---- Kills ---- */

/* Longest piece of work of this process, which is never killed. */
static double look(void)
{
	double longest = 0, begun;

	for (enum kind k = 0; k < KINDS; k++) {
		begun = now();
		work(k);
		if (now() - begun > longest)
			longest = now() - begun;
	}
	return longest;
}

static double longer(double a, double b)
{
	return a > b ? a : b;
}

static double kill_one(pid_t child, bool *as_killed)
{
	double begun = now();
	int status = 0;

	*as_killed = !kill(child, SIGKILL) && waitpid(child, &status, 0) == child &&
	             WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	return now() - begun;
}

static void nothing(int number)
{
	(void)number;
}

/* What others do signals the event that it sleeps by, more often than it runs: it was never seen
 * that its time had passed. */
static double sleep_briefly(void)
{
	const struct sigaction action = {.sa_handler = nothing};
	double begun = now();

	sigaction(SIGALRM, &action, NULL);
	alarm(2 * (unsigned)PATIENCE);
	usleep((unsigned)rand() % 3000);
	alarm(0);
	return now() - begun;
}

/* What a killed worker had not taken away. */
static void clear(void)
{
	(void)!system("rm -f /tmp/a* /tmp/b*");
}

static void storm(unsigned kills, unsigned seed)
{
	pid_t children[KINDS];
	double longest = 0, longest_work = 0, longest_sleep = 0;
	bool all = true, one;

	srand(seed);
	for (enum kind k = 0; k < KINDS; k++)
		children[k] = start(k, k);
	for (unsigned i = 0; i < kills; i++) {
		enum kind k = (enum kind)((unsigned)rand() % KINDS);

		if (rand() % 2)
			longest_sleep = longer(longest_sleep, sleep_briefly());
		else
			sched_yield();
		longest = longer(longest, kill_one(children[k], &one));
		all &= one;
		children[k] = start(k, i);
		all &= children[k] > 0;
		if (i % ROUND == ROUND / 2)
			longest_work = longer(longest_work, look());
		if (i % SWEEP == SWEEP - 1)
			clear();
	}
	for (enum kind k = 0; k < KINDS; k++) {
		kill_one(children[k], &one);
		all &= one;
	}
	printf("# %u kills: longest until waited for %.3f s, longest work %.3f s, "
	       "longest sleep %.3f s, %lu owners "
	       "died; pieces",
	       kills, longest, longest_work, longest_sleep, shared->died);
	for (enum kind k = 0; k < KINDS; k++)
		printf(" %lu", shared->pieces[k]);
	printf("\n");
	ok(all, "all that were killed are waited for, and others take their places");
	ok(longest < PATIENCE && longest_work < PATIENCE, "nobody waits for what they held");
	ok(longest_sleep < PATIENCE, "a sleep ends while relatives are busy");
}

/* ---- The process service under a fork bomb ---- */

static void bomb(void)
{
	while (!shared->over) {
		pid_t child = fork();

		if (child > 0) {
			kill(child, rand() % 2 ? SIGKILL : SIGTERM);
			waitpid(child, NULL, rand() % 2 ? 0 : WNOHANG);
		} else if (child < 0) {
			usleep(1000);
		} else if (rand() % 3 == 0) {
			_exit(0);
		}
	}
	_exit(0);
}

static void services_end(void)
{
	pid_t child = -1;
	int status = 0, ended = 0, failed = 0;

	shared->over = false;
	limit_processes(BOMBS);
	if (!fork())
		bomb();
	for (int i = 0; i < SERVICES; i++) {
		usleep(200000);
		ended += end_process_service();
	}
	shared->over = true;
	ok(ended == SERVICES, "the process service is killed under a fork bomb, again and again");
	for (int i = 0; i < 100; i++) {
		child = fork();
		if (!child)
			_exit(7);
		if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 7)
			break;
		failed++;
		usleep(100000);
	}
	printf("# fork and wait failed %d times before they worked\n", failed);
	ok(child > 0 && failed < 100, "fork and wait work afterwards");
}

/* ---- All ---- */

static bool begin(void)
{
	pthread_mutexattr_t attributes;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (shared == MAP_FAILED)
		return false;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&shared->mutex, &attributes);
	common = open("/tmp/common", O_RDWR | O_CREAT, 0666);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (common < 0 || master < 0 || unlockpt(master))
		return false;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK);
	counter = eventfd(0, EFD_NONBLOCK);
	return slave >= 0 && counter >= 0 && !pipe2(ends, O_NONBLOCK);
}

int main(int argc, char **argv)
{
	unsigned kills = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
	unsigned seed = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	unsigned long objects, pages, after, pages_after;

	setvbuf(stdout, NULL, _IOLBF, 0);
	abuse_begin(argv);
	ok(begin(), "all that can be held is there");
	storm(kills < 300 ? kills : 300, seed + 1); /* so that what appears on first use is there */
	clear();
	objects = kernel_objects(&pages);
	storm(kills, seed);
	clear();
	after = kernel_objects(&pages_after);
	printf("# %lu objects then %lu, %lu pages free then %lu\n", objects, after, pages,
	       pages_after);
	ok(after <= objects, "the kernel has no more objects than before");
	services_end();
	return tap_finish();
}
