/* SPDX-License-Identifier: MIT */
/*
 * Message queues between users: what their permissions allow, that they are no files to be cut or
 * moved, whose signals a notice sends; and one of the users is hostile, who keeps the lock and
 * writes any number to any word of the queue's pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <capos/cap.h>
/* A method of the kernel has the name of a function of time.h. */
#define timer_create kernel_timer_create
#include <capos/schema/kernel_client.h>
#undef timer_create

#include "posix_tap.h"

#define NAME    "/queue_fuzz"
#define PATH    "/dev/mqueue" NAME
#define OTHER   "/dev/mqueue/no_queue"
#define USER    1000
#define SECONDS 4
#define PLACES  4
#define BYTES   64

static volatile sig_atomic_t noticed, notice_code, notice_user, notice_value, alarms;
static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static mqd_t make(unsigned mode)
{
	struct mq_attr a = {.mq_maxmsg = PLACES, .mq_msgsize = BYTES};
	mqd_t q;

	mq_unlink(NAME);
	umask(0);
	q = mq_open(NAME, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, mode, &a);
	umask(022);
	return q;
}

static bool ends_by(pid_t child, int signal)
{
	int status;

	while (waitpid(child, &status, 0) != child)
		;
	return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static bool ends_well(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) != child)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static pid_t fork_user(uid_t user)
{
	pid_t child = fork();

	if (!child && (setgid(user) || setuid(user)))
		_exit(99);
	return child;
}

/* ---- As files ---- */

static void a_queue_is_no_file(void)
{
	mqd_t q = make(0600);
	struct stat st;
	char text[100] = "";
	int fd = open(PATH, O_RDWR);

	mq_send(q, "four", 4, 0);
	ok(q >= 0 && fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == 80,
	   "a queue has a name");
	ok(read(fd, text, sizeof(text)) == 60 &&
	           !strcmp(text, "QSIZE:4          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n"),
	   "and says what is in it");
	ok(mq_send(fd, "x", 1, 0) == 0, "a descriptor of its file is one of the queue");
	fails(write(fd, "x", 1), EINVAL, "nothing is written to it");
	fails(ftruncate(fd, 0), EINVAL, "it is not cut");
	fails(ftruncate(q, 0), EINVAL, "by no descriptor");
	fails(truncate(PATH, 0), EINVAL, "nor by its name");
	ok(open(PATH, O_RDWR | O_TRUNC) >= 0 && mq_send(q, "x", 1, 0) == 0, "O_TRUNC keeps it");
	ok(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV,
	   "it is not mapped");
	fails(rename(PATH, OTHER), EPERM, "nor moved");
	fails(rename(PATH, "/tmp/queue"), EPERM, "anywhere");
	fails(link(PATH, OTHER), EPERM, "it has one name");
	close(open(OTHER, O_CREAT | O_RDWR, 0600));
	fails(mq_open("/no_queue", O_RDWR), EACCES, "what may be cut is no queue");
	unlink(OTHER);
	close(fd);
	mq_close(q);
}

static void permissions_count(void)
{
	mqd_t q = make(0600);
	pid_t child = fork_user(USER);

	if (!child)
		_exit(mq_open(NAME, O_RDONLY) >= 0 || errno != EACCES);
	ok(ends_well(child), "another user's queue");
	chmod(PATH, 0604);
	child = fork_user(USER);
	if (!child)
		_exit(mq_open(NAME, O_RDONLY) < 0 || mq_open(NAME, O_WRONLY) >= 0 ||
		      errno != EACCES || chmod(PATH, 0666) == 0 || mq_unlink(NAME) == 0);
	ok(ends_well(child), "its mode says who receives and who sends");
	mq_close(q);
}

/* ---- Notices ---- */

static void note(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	noticed++;
	notice_code = info->si_code;
	notice_user = (int)info->si_uid;
	notice_value = info->si_value.sival_int;
}

static void notices_come_from_any_user(void)
{
	const struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	mqd_t q = make(0666);
	char text[100] = "";
	pid_t child;

	sigaction(SIGUSR1, &action, NULL);
	e.sigev_value.sival_int = 42;
	ok(!mq_notify(q, &e), "a notice is asked for");
	ok(pread(q, text, sizeof(text), 0) == 60 &&
	           strstr(text, "NOTIFY:0     SIGNO:10    NOTIFY_PID:"),
	   "its file says so");
	child = fork_user(USER);
	if (!child)
		_exit(mq_send(mq_open(NAME, O_WRONLY), "x", 1, 0) != 0);
	ok(ends_well(child), "another user sends");
	for (int i = 0; !noticed && i < 2000; i++)
		usleep(1000);
	ok(noticed == 1 && notice_code == SI_MESGQ && notice_user == USER && notice_value == 42,
	   "the notice comes");
	mq_close(q);
}

/* ---- The pages ---- */

/* Where this process shows the queue's pages; NULL: nowhere. */
static volatile uint32_t *pages_of(size_t *size)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to, found = 0;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps)) {
		const volatile uint32_t *words;

		if (sscanf(line, "%lx-%lx rw-s", &from, &to) != 2 || !strstr(line, " rw-s ") ||
		    strchr(line, '['))
			continue;
		words = (const volatile uint32_t *)from;
		if (words[2] != PLACES || words[3] != BYTES)
			continue;
		found = from;
		*size = to - from;
	}
	fclose(maps);
	return (volatile uint32_t *)found;
}

/* A hostile user's process: it has the queue open and nothing else. */
static pid_t fork_hostile(volatile uint32_t **pages, size_t *size)
{
	pid_t child = fork_user(USER);

	if (child)
		return child;
	for (int fd = 3; fd < 100; fd++)
		close(fd);
	if (mq_open(NAME, O_RDWR) < 0)
		_exit(98);
	*pages = pages_of(size);
	if (!*pages)
		_exit(97);
	return 0;
}

/* Every word that could be a number of a process is the victim's, every other signal SIGKILL. */
static void forge(volatile uint32_t *words, uint32_t victim)
{
	words[1] = 1;                 /* it wants to be woken */
	words[4] = 0;                 /* no message waits */
	for (int i = 10; i < 22; i++) /* what a notice is made of, and a bit more */
		words[i] = SIGKILL;
	words[10] = victim;
	words[11] = SIGEV_SIGNAL;
}

static void a_forged_notice_sends_nothing(void)
{
	mqd_t q = make(0666);
	volatile uint32_t *words;
	size_t size;
	pid_t victim = fork(), hostile;

	if (!victim) {
		for (;;)
			pause();
	}
	hostile = fork_hostile(&words, &size);
	if (!hostile) {
		forge(words, (uint32_t)victim);
		_exit(0);
	}
	ok(ends_well(hostile), "a hostile user forges a notice");
	(void)mq_send(q, "x", 1, 0);
	usleep(100000);
	ok(waitpid(victim, NULL, WNOHANG) == 0, "who sends then signals nobody");
	kill(victim, SIGTERM);
	ok(ends_by(victim, SIGTERM), "until somebody does");
	mq_close(q);
}

static void take_pages(void)
{
	for (uint32_t index = 2; index < 128; index++) {
		for (uint64_t generation = 1; generation < 64; generation++) {
			const struct memory_object_resize_params params = {.size = 0};

			(void)memory_object_resize(CAP_ID(index, generation), &params, NULL);
		}
	}
}

static void pages_stay(void)
{
	mqd_t q = make(0666);
	volatile uint32_t *words;
	char text[BYTES];
	size_t size;
	pid_t hostile = fork_hostile(&words, &size);

	if (!hostile) {
		take_pages();
		kill(getpid(), SIGKILL);
	}
	(void)ends_by(hostile, SIGKILL);
	ok(mq_send(q, "x", 1, 0) == 0 && mq_receive(q, text, BYTES, NULL) == 1,
	   "no user takes the pages away");
	mq_close(q);
}

/* FIFOs and sockets with names are shared between users in the same way. */
static void pages_of_fifos_stay(void)
{
	static const char fifo[] = "/tmp/queue_fuzz.fifo";
	char byte = 0;
	int fd, status;
	pid_t hostile;

	unlink(fifo);
	ok(!mkfifo(fifo, 0666) && !chmod(fifo, 0666), "a FIFO for all users");
	fd = open(fifo, O_RDWR | O_NONBLOCK);
	hostile = fork_user(USER);
	if (!hostile) {
		for (int other = 3; other < 100; other++)
			close(other);
		if (open(fifo, O_RDWR) < 0)
			_exit(98);
		if (!truncate(fifo, 0) || !fallocate(3, 0, 0, 1))
			_exit(97);
		take_pages();
		kill(getpid(), SIGKILL);
	}
	waitpid(hostile, &status, 0);
	ok(!WIFEXITED(status) && write(fd, "a", 1) == 1 && read(fd, &byte, 1) == 1 && byte == 'a',
	   "has its pages whatever one of them does");
	close(fd);
	unlink(fifo);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

static void a_kept_lock_is_an_error(void)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	mqd_t q = make(0666);
	volatile uint32_t *words;
	double start;
	size_t size;
	pid_t hostile = fork_hostile(&words, &size);

	if (!hostile) {
		words[0] = 0x3ffffff0;
		_exit(0);
	}
	ok(ends_well(hostile), "a hostile user keeps the lock");
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	fails(mq_send(q, "x", 1, 0), EINTR, "a signal ends the wait for it");
	start = now();
	fails(mq_send(q, "x", 1, 0), EIO, "and time does");
	ok(now() - start < 30, "not very much");
	words = pages_of(&size);
	words[0] = 0;
	ok(mq_send(q, "x", 1, 0) == 0, "when it is given up all is well");
	mq_close(q);
}

static void scribble(volatile uint32_t *words, size_t size)
{
	static const uint32_t known[] = {0,  1,  2,   PLACES,    BYTES,     BYTES + 1,
	                                 10, 64, 255, INT32_MAX, INT32_MIN, UINT32_MAX};

	for (;;) {
		uint32_t n = (uint32_t)(size / 4), word = draw(draw(4) ? 400 : n);
		uint32_t value = draw(2) ? known[draw(12)] : seed;

		/* A lock that is kept most of the time would keep out all that is behind it. */
		words[word] = word || !draw(1000) ? value : 0;
	}
}

static volatile int called;

static void call(union sigval value)
{
	(void)value;
	called++;
}

/* Calls on it, whatever they answer; what it gives fits where it is wanted. */
static bool use(mqd_t q)
{
	const struct sigevent by_signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	const struct sigevent by_thread = {.sigev_notify = SIGEV_THREAD,
	                                   .sigev_notify_function = call};
	struct timespec soon;
	struct pollfd p = {.fd = q, .events = POLLIN | POLLOUT};
	struct mq_attr a = {.mq_flags = O_NONBLOCK};
	char buffer[BYTES + 8];
	unsigned priority;
	ssize_t n;

	memset(buffer, 'a', sizeof(buffer));
	clock_gettime(CLOCK_REALTIME, &soon);
	mq_send(q, buffer, draw(BYTES + 1), draw(MQ_PRIO_MAX));
	n = mq_receive(q, buffer, BYTES, &priority);
	if (n > BYTES || buffer[BYTES] != 'a')
		return false;
	mq_timedreceive(q, buffer, BYTES, NULL, &soon);
	mq_setattr(q, &a, NULL);
	poll(&p, 1, 0);
	pread(q, buffer, BYTES, 0);
	if (!draw(4))
		mq_notify(q, draw(2) ? NULL : draw(2) ? &by_signal : &by_thread);
	if (!draw(16))
		mq_close(mq_open(NAME, O_RDWR));
	return !mq_getattr(q, &a) && a.mq_maxmsg == PLACES && a.mq_msgsize == BYTES &&
	       a.mq_curmsgs >= 0 && a.mq_curmsgs <= PLACES;
}

static void scribbled_words_harm_nobody(void)
{
	const struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
	mqd_t q = make(0666);
	volatile uint32_t *words;
	bool sound = true;
	int rounds = 0;
	double end;
	size_t size;
	pid_t hostile = fork_hostile(&words, &size);

	if (!hostile)
		scribble(words, size);
	setitimer(ITIMER_REAL, &often, NULL);
	for (end = now() + SECONDS; now() < end; rounds++)
		sound &= use(q);
	setitimer(ITIMER_REAL, &never, NULL);
	kill(hostile, SIGKILL);
	ok(ends_by(hostile, SIGKILL), "a hostile user writes to it until it is killed");
	printf("# %d rounds, %d notices, %d calls\n", rounds, (int)noticed, called);
	ok(rounds > 10 && sound, "what is used of it does no harm");
	mq_close(q);
	q = make(0600);
	ok(mq_send(q, "x", 1, 0) == 0, "another queue is as any");
	mq_close(q);
	mq_unlink(NAME);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	a_queue_is_no_file();
	permissions_count();
	notices_come_from_any_user();
	a_forged_notice_sends_nothing();
	pages_stay();
	pages_of_fifos_stay();
	a_kept_lock_is_an_error();
	scribbled_words_harm_nobody();
	return tap_finish();
}
