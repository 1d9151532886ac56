/* SPDX-License-Identifier: MIT */
/*
 * Runs the test programs that are named on its standard input, several at a time, each in a session
 * and a directory of its own with a limit in time, and prints one line for each: its name and what
 * its exit status means.  The same file runs on Linux and in capOS.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME_MAX_BYTES 256
#define AT_A_TIME_MAX  64

static struct running {
	pid_t pid; /* 0: free */
	time_t ends;
	bool late;
	char name[NAME_MAX_BYTES];
} running[AT_A_TIME_MAX];

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* The child: becomes the test. */
static void become(const char *name, int number)
{
	char directory[64], path[NAME_MAX_BYTES + 2];
	char *args[] = {path, NULL};
	int null = open("/dev/null", O_RDWR);

	setsid();
	snprintf(directory, sizeof(directory), "/tmp/pts%d", number);
	mkdir(directory, 0777);
	realpath(name, path);
	if (chdir(directory))
		_exit(99);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close(null);
	/* Others may use all memory for a while. */
	for (;;) {
		execv(path, args);
		nanosleep(&(struct timespec){0, 100000000}, NULL);
	}
}

static const char *meaning(const struct running *r, int status)
{
	static const char *const results[] = {"PASS", "FAIL",        "UNRESOLVED",
	                                      NULL,   "UNSUPPORTED", "UNTESTED"};
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (r->late)
		return "LATE";
	if (code < 0)
		return "KILLED";
	return code < 6 && results[code] ? results[code] : "OTHER";
}

static void end(struct running *r, int status)
{
	kill(-r->pid, SIGKILL); /* what it left behind */
	printf("%s %s\n", meaning(r, status), r->name);
	fflush(stdout);
	r->pid = 0;
}

static void wait_for_one(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	for (int i = 0; i < AT_A_TIME_MAX; i++) {
		struct running *r = &running[i];

		if (!r->pid)
			continue;
		if (pid == r->pid) {
			end(r, status);
		} else if (now() > r->ends) {
			r->late = true;
			kill(-r->pid, SIGKILL);
			kill(r->pid, SIGKILL);
		}
	}
	if (pid <= 0)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
}

static struct running *free_place(int at_a_time)
{
	for (;;) {
		for (int i = 0; i < at_a_time; i++) {
			if (!running[i].pid)
				return &running[i];
		}
		wait_for_one();
	}
}

static bool any_runs(void)
{
	for (int i = 0; i < AT_A_TIME_MAX; i++) {
		if (running[i].pid)
			return true;
	}
	return false;
}

/* Others may use all processes for a while, though no longer than their time. */
static pid_t start(const char *name, int number)
{
	pid_t pid;

	while ((pid = fork()) < 0)
		wait_for_one();
	if (!pid)
		become(name, number);
	return pid;
}

/* runner AT-A-TIME SECONDS */
int main(int argc, char **argv)
{
	int at_a_time = argc == 3 ? atoi(argv[1]) : 0, seconds = argc == 3 ? atoi(argv[2]) : 0;
	char name[NAME_MAX_BYTES];

	if (at_a_time < 1 || at_a_time > AT_A_TIME_MAX || seconds < 1) {
		fprintf(stderr, "runner AT-A-TIME SECONDS <LIST\n");
		return 2;
	}
	for (int number = 0; fgets(name, sizeof(name), stdin); number++) {
		struct running *r = free_place(at_a_time);

		name[strcspn(name, "\n")] = 0;
		*r = (struct running){.ends = now() + seconds};
		strcpy(r->name, name);
		r->pid = start(name, number);
	}
	while (any_runs())
		wait_for_one();
	puts("END");
	return 0;
}
