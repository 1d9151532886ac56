/* SPDX-License-Identifier: MIT */
/*
 * A Unix program whose services end while it uses them.  It kills them itself, by the process
 * capabilities that the test's manifest gives it.
 *
 *	restart console      writes lines, before and behind the console's end, without a pause
 *	restart asleep       fills its stdout, and sleeps while the console ends
 *	restart socket PORT  reads from a connection that netstack's end breaks: prints the errno
 *	restart names PROCESS NAME  looks a name up before and behind the process's end
 *	restart volume FILE  reads a file before and behind the end of its volume's driver
 *	restart fetch PROCESS PORT  sends a line to a peer and reads its answer, likewise
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/start.h>
#define timer_create cap_timer_create /* POSIX has one too */
#include <capos/schema/kernel_client.h>
#undef timer_create

static void end_service(const char *name)
{
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, SIGKILL)};

	if (process_kill(start_cap(name), &kill, NULL)) {
		fprintf(stderr, "cannot kill %s\n", name);
		exit(2);
	}
}

static void console(void)
{
	for (int i = 0; i < 2000; i++) {
		if (i == 1000)
			end_service("console-process");
		printf("line %d\n", i);
		fflush(stdout);
	}
}

/* The host reads nothing meanwhile, so some of it is still in the channel when the console ends. */
static void asleep(void)
{
	char line[64];
	int length, n = 0;

	fcntl(1, F_SETFL, O_NONBLOCK);
	do
		length = snprintf(line, sizeof(line), "line %06d ...............................\n",
		                  n++);
	while (write(1, line, length) == length);
	fprintf(stderr, "%d\n", n - 2); /* the last whole line */
	if (!fork()) {
		close(1); /* it is no business of this process */
		close(2);
		sleep(1);
		end_service("console-process");
		_exit(0);
	}
	sleep(60);
}

static void on_socket(const char *port)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t child;
	char byte;

	inet_pton(AF_INET, "10.0.2.2", &peer.sin_addr);
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer))) {
		printf("connect: %s\n", strerror(errno));
		return;
	}
	child = fork();
	if (!child) {
		sleep(1);
		end_service("netstack-process");
		_exit(0);
	}
	printf("read: %zd\n", read(fd, &byte, 1));
	printf("errno: %s\n", strerror(errno));
}

static void look_up(const char *name)
{
	const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int result = getaddrinfo(name, NULL, &hints, &list);
	char text[INET_ADDRSTRLEN];

	if (result) {
		printf("%s\n", gai_strerror(result));
		return;
	}
	inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr, text, sizeof(text));
	printf("%s\n", text);
	freeaddrinfo(list);
}

static void fetch(const char *port)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char answer[64] = "";

	inet_pton(AF_INET, "10.0.2.2", &peer.sin_addr);
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) || write(fd, "hello\n", 6) != 6 ||
	    read(fd, answer, sizeof(answer) - 1) < 0)
		printf("%s\n", strerror(errno));
	else
		printf("%s", answer);
	close(fd);
}

static void twice(void (*work)(const char *), const char *process, const char *argument)
{
	work(argument);
	end_service(process);
	work(argument);
}

static void volume(const char *path)
{
	char text[16] = "", again[16] = "";
	int fd = open(path, O_RDONLY), other;

	read(fd, text, sizeof(text) - 1);
	printf("before: %s\n", text);
	end_service("volume-process");
	printf("open: %s\n", pread(fd, again, 1, 0) < 0 ? strerror(errno) : "read");
	other = open(path, O_RDWR);
	read(other, again, sizeof(again) - 1);
	printf("again: %s\n", again);
	printf("written: %d\n", (int)pwrite(other, "new", 3, 0));
}

int main(int argc, char **argv)
{
	start_init((const uint64_t *)argv - 1);
	if (argc > 3) {
		twice(strcmp(argv[1], "names") == 0 ? look_up : fetch, argv[2], argv[3]);
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "socket") == 0)
		on_socket(argv[2]);
	else if (argc > 2 && strcmp(argv[1], "volume") == 0)
		volume(argv[2]);
	else if (argc > 1 && strcmp(argv[1], "asleep") == 0)
		asleep();
	else
		console();
	return 0;
}
