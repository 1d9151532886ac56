/* SPDX-License-Identifier: MIT */
/*
 * Forks as many children as its argument says, which all live at a time, and prints how many.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int wanted = argc > 1 ? atoi(argv[1]) : 0, made = 0;
	pid_t *children = calloc((size_t)wanted + 1, sizeof(*children));

	while (children && made < wanted) {
		children[made] = fork();
		if (!children[made])
			for (;;)
				pause();
		if (children[made] < 0)
			break;
		made++;
	}
	printf("%d\n", made);
	for (int i = 0; i < made; i++)
		kill(children[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
