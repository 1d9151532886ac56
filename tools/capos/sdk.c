/* SPDX-License-Identifier: MIT */
/*
 * `capos sdk`: where the files are with which programs are built for capOS. They are found from
 * where this executable is, so that an installed tree can be moved.
 */
#include "tools/capos/sdk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/capos.h"

#define TRIPLE "x86_64-capos-linux-musl"

/* The sysroot: beside the executable in a build directory, else where it is installed. */
static char *find_sysroot(const char *directory)
{
	static const char *const places[] = {"sysroot", "../lib/capos/sysroot",
	                                     "../lib64/capos/sysroot",
	                                     "../lib/x86_64-linux-gnu/capos/sysroot"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = must_format("%s/%s", directory, places[i]);
		char *found = realpath(path, NULL);

		free(path);
		if (found)
			return found;
	}
	die("there is no toolchain beside %s: build or install it again", directory);
}

static char *own_directory(void)
{
	char *self = realpath("/proc/self/exe", NULL);

	if (!self)
		die("cannot find out where this program is: %s", strerror(errno));
	*strrchr(self, '/') = '\0';
	return self;
}

/* In quotes, for a shell. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", stdout);
		putchar(*text);
	}
	putchar('\'');
}

static void print_environment(const char *sysroot, const char *directory)
{
	static const char *const tools[][2] = {
	        {"CC", "gcc"}, {"CXX", "g++"},         {"AR", "ar"},
	        {"NM", "nm"},  {"RANLIB", "ranlib"},   {"STRIP", "strip"},
	        {"LD", "ld"},  {"OBJCOPY", "objcopy"}, {"PKG_CONFIG", "pkg-config"}};

	fputs("export PATH=", stdout);
	print_quoted(sysroot);
	fputs("/bin:", stdout);
	print_quoted(directory);
	fputs(":\"$PATH\"\n", stdout);
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		printf("export %s=" TRIPLE "-%s\n", tools[i][0], tools[i][1]);
}

int sdk_command(char **arguments)
{
	const char *what = arguments[0];

	if (!what || arguments[1])
		die("sdk takes one argument: cmake, meson or env");

	char *directory = own_directory();
	char *sysroot = find_sysroot(directory);

	if (strcmp(what, "cmake") == 0)
		printf("%s/share/capos/toolchain.cmake\n", sysroot);
	else if (strcmp(what, "meson") == 0)
		printf("%s/share/capos/cross.meson\n", sysroot);
	else if (strcmp(what, "env") == 0)
		print_environment(sysroot, directory);
	else
		die("sdk %s: there are cmake, meson and env", what);
	free(sysroot);
	free(directory);
	return finish_stdout(0);
}
