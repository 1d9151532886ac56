/* SPDX-License-Identifier: MIT */
/*
 * mkarchive OUTPUT ENTRY...: writes a boot archive at build time.  The same entries give the same
 * bytes: times are $SOURCE_DATE_EPOCH (or 0), the seed is zero and filled in by `capos run` at each
 * start.
 *
 *     dir:PATH:MODE   link:PATH:TARGET   file:PATH:MODE:SOURCE
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tools/capos/archive_writer.h"

static void fail(const char *what, const char *problem)
{
	fprintf(stderr, "mkarchive: %s: %s\n", what, problem);
	exit(1);
}

/* The file's bytes, which live until the process ends. */
static const void *map_file(const char *path, uint64_t *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		fail(path, strerror(errno));
	*size = (uint64_t)st.st_size;
	if (*size == 0) {
		close(fd);
		return "";
	}
	const void *data = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		fail(path, strerror(errno));
	close(fd);
	return data;
}

/* Cuts the text at the next colon; the part before it. */
static const char *next_field(const char *whole, char **rest)
{
	char *field = strsep(rest, ":");

	if (!field || *field == '\0')
		fail(whole, "a part of the entry is missing");
	return field;
}

static uint32_t parse_mode(const char *whole, const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (*end != '\0' || mode > 07777)
		fail(whole, "the mode must be octal, at most 7777");
	return (uint32_t)mode;
}

static void add_entry(struct archive_writer *writer, const char *argument, int64_t mtime)
{
	char *copy = strdup(argument), *rest = copy;
	if (!copy)
		fail(argument, "no memory");
	const char *kind = next_field(argument, &rest);
	const char *path = next_field(argument, &rest);
	int error;

	if (strcmp(kind, "dir") == 0) {
		uint32_t mode = parse_mode(argument, next_field(argument, &rest));
		error = archive_writer_add(writer, path, CAPOS_ARCHIVE_DIRECTORY, mode, mtime, "",
		                           0);
	} else if (strcmp(kind, "link") == 0) {
		/* argument lives as long as the process, the copy does not */
		const char *target = argument + (next_field(argument, &rest) - copy);
		error = archive_writer_add(writer, path, CAPOS_ARCHIVE_SYMLINK, 0777, mtime, target,
		                           strlen(target));
	} else if (strcmp(kind, "file") == 0) {
		uint32_t mode = parse_mode(argument, next_field(argument, &rest));
		uint64_t size;
		const void *data = map_file(next_field(argument, &rest), &size);
		error = archive_writer_add(writer, path, CAPOS_ARCHIVE_FILE, mode, mtime, data,
		                           size);
	} else {
		fail(argument, "an entry starts with dir:, link: or file:");
		return;
	}
	if (error != 0)
		fail(argument, strerror(error));
	free(copy);
}

int main(int argc, char **argv)
{
	struct archive_writer writer = {0};
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int64_t mtime = epoch ? strtoll(epoch, NULL, 10) : 0;

	if (argc < 3)
		fail("usage", "mkarchive OUTPUT ENTRY...");
	for (int i = 2; i < argc; i++)
		add_entry(&writer, argv[i], mtime);

	int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		fail(argv[1], strerror(errno));
	int error = archive_writer_finish(&writer, fd);
	if (error != 0 || close(fd) != 0)
		fail(argv[1], strerror(error != 0 ? error : errno));
	archive_writer_free(&writer);
	return 0;
}
