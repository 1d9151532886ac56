/* SPDX-License-Identifier: MIT */
/*
 * Two processes of one program: one takes all memory and keeps it, the other sleeps and touches a
 * fresh page each 100 ms.  The argument names what the first process is, "hog" or "small"; the
 * child is the other.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/start.h>

#define PAGE  4096
#define PAGES 30

/* Takes pieces of a size until there are no more, each mapped. */
static void take(cap_t account, uint64_t size)
{
	cap_t memory;
	void *at;

	while (!cap_account_create_memory(account, size, &memory) &&
	       !cap_memory_map(memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &at))
		cap_release(memory);
}

static void hog(void)
{
	cap_t account;

	if (cap_account(&account))
		_exit(2);
	take(account, 1 << 20);
	take(account, 1 << 16);
	take(account, PAGE);
	for (;;)
		pause();
}

static void small(void)
{
	char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                   -1, 0);

	for (int i = 0; i < PAGES; i++) {
		usleep(100000);
		pages[i * PAGE] = 1;
	}
}

int main(int argc, char **argv)
{
	int status = 0;
	int hog_first = argc == 2 && strcmp(argv[1], "hog") == 0;

	start_init((const uint64_t *)argv - 1);
	pid_t child = fork();
	if (child < 0)
		return 3;
	if ((child == 0) != hog_first)
		hog();
	small();
	if (child == 0) /* keeps the output open until its parent has ended */
		for (;;)
			pause();
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
		return 4;
	printf("lived; the other was ended by signal %d\n", WTERMSIG(status));
	return 0;
}
