/* SPDX-License-Identifier: MIT */
/*
 * The archive of one run.  The base archive and the host's files are mapped, not read: their bytes
 * go from the page cache straight into the archive.
 */
#include "tools/capos/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "tools/capos/archive_writer.h"
#include "tools/capos/request.h"

struct mapped {
	const void *data;
	uint64_t size;
	uint32_t mode;
	int64_t mtime;
};

/* Maps a regular file for the life of the process.  0 or an errno value. */
static int map_file(const char *path, struct mapped *out)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*out = (struct mapped){.data = ""};
	if (fd < 0)
		return errno;
	int error = fstat(fd, &st) == 0 ? 0 : errno;
	if (error == 0 && !S_ISREG(st.st_mode))
		error = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	if (error == 0) {
		*out = (struct mapped){.data = "",
		                       .size = (uint64_t)st.st_size,
		                       .mode = st.st_mode & 07777,
		                       .mtime = st.st_mtime};
		if (out->size > 0)
			out->data = mmap(NULL, out->size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (out->data == MAP_FAILED)
			error = errno;
	}
	close(fd);
	return error;
}

/*
 * A file that came with capos: in image/ beside the executable in a build directory, else in
 * ../share/capos of where it is installed.
 */
static char *installed_file(const char *name)
{
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		die("cannot find out where this program is: %s", strerror(errno));
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	char *path = must_format("%s/image/%s", self, name);
	if (access(path, R_OK) == 0)
		return path;
	free(path);
	path = must_format("%s/../share/capos/%s", self, name);
	if (access(path, R_OK) != 0)
		die("%s: %s (it belongs to capos: build or install it again)", path,
		    strerror(errno));
	return path;
}

char *image_kernel_path(const struct settings *settings)
{
	if (!settings->kernel)
		return installed_file("kernel");
	if (access(settings->kernel, R_OK) != 0)
		die("--kernel %s: %s", settings->kernel, strerror(errno));
	return must(strdup(settings->kernel));
}

static void add_base(struct archive_writer *writer, const struct settings *settings)
{
	const char *path = settings->image ? settings->image : installed_file("base");
	struct mapped base;
	const char *problem;

	int error = map_file(path, &base);
	if (error != 0)
		die("%s: %s", path, strerror(error));
	error = archive_writer_add_archive(writer, base.data, base.size, &problem);
	if (error != 0)
		die("%s is no good boot archive: %s", path, problem);
}

static void add_host_file(struct archive_writer *writer, const char *host_path,
                          const char *guest_path)
{
	struct mapped file;
	int error = map_file(host_path, &file);

	if (error != 0)
		die("cannot put %s into the guest: %s", host_path, strerror(error));
	error = archive_writer_add(writer, guest_path, CAPOS_ARCHIVE_FILE, file.mode, file.mtime,
	                           file.data, file.size);
	if (error == EINVAL)
		die("%s is no path for a file of the guest (absolute, without . and .., at most "
		    "%u bytes)",
		    guest_path, CAPOS_ARCHIVE_NAME - 1);
	if (error != 0)
		die("cannot put %s into the guest: %s", host_path, strerror(error));
}

/*
 * What the guest is to run: the program's name if the image has it or may find it on its PATH, else
 * the path under which the host's file of that name was put in.
 */
static const char *place_program(struct archive_writer *writer, const char *program)
{
	struct stat st;

	if (!strchr(program, '/'))
		return program;
	if (program[0] == '/' && archive_writer_find(writer, program + 1))
		return program;
	if (stat(program, &st) != 0) {
		complain("%s: %s, neither in the image nor on the host", program, strerror(errno));
		exit(EXIT_MISSING);
	}
	char *guest_path = must_format("/run/%s", strrchr(program, '/') + 1);
	add_host_file(writer, program, guest_path);
	return guest_path;
}

static void fill_seed(struct archive_writer *writer)
{
	if (getrandom(writer->seed, sizeof(writer->seed), 0) != (ssize_t)sizeof(writer->seed))
		die("the host gives no random bytes: %s", strerror(errno));
}

void image_write(const struct settings *settings, int fd)
{
	struct archive_writer writer = {0};
	const char *program = NULL;
	void *request = NULL;
	int error = 0;

	add_base(&writer, settings);
	fill_seed(&writer);
	for (size_t i = 0; i < settings->nfiles; i++)
		add_host_file(&writer, settings->files[i].host_path, settings->files[i].guest_path);
	if (settings->program)
		program = place_program(&writer, settings->program[0]);
	if (program || settings->list_capabilities) {
		uint32_t length;
		request = request_build(settings, program, &length);
		error = archive_writer_add(&writer, "etc/program", CAPOS_ARCHIVE_FILE, 0444, 0,
		                           request, length);
	}
	if (error == 0)
		error = archive_writer_finish(&writer, fd);
	if (error != 0)
		die("cannot write the boot archive: %s", strerror(error));
	free(request);
	archive_writer_free(&writer);
}
