/* SPDX-License-Identifier: MIT */
/*
 * capos: the host command.  Dispatches the commands, and holds how failures are told.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/capos.h"
#include "tools/capos/image.h"
#include "tools/capos/options.h"
#include "tools/capos/sdk.h"
#include "tools/capos/session.h"

static void complain_v(const char *format, va_list args)
{
	fputs("capos: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_v(format, args);
	va_end(args);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_v(format, args);
	va_end(args);
	exit(EXIT_MACHINE);
}

void *must(void *allocated)
{
	if (!allocated)
		die("no memory");
	return allocated;
}

char *must_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		die("no memory");
	return text;
}

static void copy_file(const char *from, const char *to)
{
	char bytes[65536];
	ssize_t n;
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (in < 0 || out < 0)
		die("cannot copy %s to %s: %s", from, to, strerror(errno));
	while ((n = read(in, bytes, sizeof(bytes))) > 0) {
		for (ssize_t done = 0; done < n;) {
			ssize_t written = write(out, bytes + done, (size_t)(n - done));
			if (written < 0)
				die("%s: %s", to, strerror(errno));
			done += written;
		}
	}
	if (n < 0 || close(out) != 0)
		die("cannot copy %s to %s: %s", from, to, strerror(errno));
	close(in);
}

/* `capos image FILE`: FILE and FILE.kernel. */
static int write_image(const struct settings *settings)
{
	int fd = open(settings->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0)
		die("%s: %s", settings->output, strerror(errno));
	image_write(settings, fd);
	if (close(fd) != 0)
		die("%s: %s", settings->output, strerror(errno));
	char *kernel = image_kernel_path(settings);
	char *kernel_copy = must_format("%s.kernel", settings->output);
	copy_file(kernel, kernel_copy);
	free(kernel_copy);
	free(kernel);
	return 0;
}

int main(int argc, char **argv)
{
	static struct settings settings;

	if (argc > 1 && strcmp(argv[1], "sdk") == 0)
		return sdk_command(argv + 2);
	switch (options_parse(argc, argv, &settings)) {
	case COMMAND_IMAGE:
		return write_image(&settings);
	case COMMAND_RUN:
	case COMMAND_CAPS:
		break;
	}
	return session_run(&settings);
}
