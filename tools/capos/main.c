/* SPDX-License-Identifier: MIT */
/*
 * capos: the host command.  Dispatches the commands.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/arguments.h"
#include "tools/capos/capos.h"
#include "tools/capos/image.h"
#include "tools/capos/options.h"
#include "tools/capos/preflight.h"
#include "tools/capos/replace.h"
#include "tools/capos/sdk.h"
#include "tools/capos/session.h"
#include "tools/capos/terminal.h"

static void copy_file(const char *from, const struct replacement *to)
{
	char bytes[65536];
	ssize_t n;
	int in = open(from, O_RDONLY | O_CLOEXEC);

	if (in < 0)
		die("cannot read %s: %s", from, strerror(errno));
	while ((n = read(in, bytes, sizeof(bytes))) > 0) {
		for (ssize_t done = 0; done < n;) {
			ssize_t written = write(to->fd, bytes + done, (size_t)(n - done));
			if (written < 0)
				die("%s: %s", to->name, strerror(errno));
			done += written;
		}
	}
	if (n < 0)
		die("cannot read %s: %s", from, strerror(errno));
	close(in);
}

/* `capos image FILE`: FILE and FILE.kernel, both or neither. */
static int write_image(const struct settings *settings)
{
	struct replacement archive, kernel;
	char *kernel_path = image_kernel_path(settings);
	char *kernel_copy = must_format("%s.kernel", settings->written_image);

	replace_begin(&archive, settings->written_image);
	replace_begin(&kernel, kernel_copy);
	image_write(settings, archive.fd);
	copy_file(kernel_path, &kernel);
	replace_commit(&kernel);
	replace_commit(&archive);
	arguments_print_example(kernel_copy, settings->written_image);
	free(kernel_copy);
	free(kernel_path);
	return finish_stdout(0);
}

/* A standard descriptor that is closed would be given to the next file that is opened. */
static void fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
			exit(EXIT_MACHINE);
	}
}

int main(int argc, char **argv)
{
	static struct settings settings;

	fill_standard_descriptors();
	enum command command = options_parse(argc, argv, &settings);
	switch (command) {
	case COMMAND_IMAGE:
		return write_image(&settings);
	case COMMAND_SDK:
		return sdk_command(settings.program);
	case COMMAND_RUN:
	case COMMAND_SHELL:
	case COMMAND_CAPS:
		break;
	case COMMAND_HELP:
	case COMMAND_VERSION:
	case COMMAND_COUNT:
		return 0; /* options_parse has ended the process */
	}
	if (settings.terminal)
		terminal_check(
		        command == COMMAND_SHELL
		                ? "capos shell needs a terminal on stdin (capos run -- sh takes "
		                  "pipes and files)"
		                : "-t needs a terminal on stdin (leave it out for pipes and "
		                  "files)");
	preflight(&settings);
	return session_run(&settings);
}
