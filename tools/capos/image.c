/* SPDX-License-Identifier: MIT */
/*
 * The archive of one run: the base system, the host's files, the program and its request.  What the
 * machine cannot start from is refused before a byte is written.
 */
#include "tools/capos/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "tools/capos/archive_writer.h"
#include "tools/capos/linker.h"
#include "tools/capos/put.h"
#include "tools/capos/request.h"

/* The emulator loads the archive below 2 GiB, where the kernel and a machine's tables are too. */
#define ARCHIVE_MAX_MIB 2040u

#define PROGRESS_AFTER_MS 1000

struct mapped {
	const void *data;
	uint64_t size;
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
		out->size = (uint64_t)st.st_size;
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

/* The emulator takes other kernels too, and stops at an archive of ours in words of its own. */
static void check_kernel(const char *path)
{
	struct mapped kernel;
	int error = map_file(path, &kernel);

	if (error != 0)
		die("--kernel %s: %s", path, strerror(error));
	const Elf64_Ehdr *header = kernel.data;
	if (kernel.size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_machine != EM_X86_64)
		die("--kernel %s: it is no kernel (an ELF file for x86-64)", path);
	munmap((void *)(uintptr_t)kernel.data, kernel.size);
}

char *image_kernel_path(const struct settings *settings)
{
	if (!settings->kernel)
		return installed_file("kernel");
	check_kernel(settings->kernel);
	return must(strdup(settings->kernel));
}

static void add_base(struct archive_writer *writer, const struct settings *settings)
{
	const char *path = settings->image ? settings->image : installed_file("base");
	struct mapped base;
	const char *problem;

	int error = map_file(path, &base);
	if (error != 0)
		die("%s%s: %s", settings->image ? "--image " : "", path, strerror(error));
	error = archive_writer_add_archive(writer, base.data, base.size, &problem);
	if (error != 0)
		die("%s is no good boot archive: %s", path, problem);
}

#define IS_DIRECTORY "it is no program but a directory"

static void check_program(const char *program, const char *host_path)
{
	struct stat st;

	if (stat(host_path, &st) != 0) {
		complain("%s: %s, neither in the image nor on the host", program, strerror(errno));
		exit(EXIT_MISSING);
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0) {
		complain("%s: %s", program,
		         S_ISDIR(st.st_mode)    ? IS_DIRECTORY
		         : !S_ISREG(st.st_mode) ? "it is no program but a special file"
		                                : "it is not executable (chmod +x makes it so)");
		exit(EXIT_NO_PROGRAM);
	}
}

/* The host's path of what is below a volume in the guest; NULL: it is below none, or not there. */
static char *path_in_volume(const struct settings *settings, const char *program)
{
	for (size_t i = 0; i < settings->nvolumes; i++) {
		const struct volume *v = &settings->volumes[i];
		size_t length = strlen(v->guest_path);
		char *path;

		if (strncmp(program, v->guest_path, length) != 0 || program[length] != '/')
			continue;
		path = must_format("%s%s", v->host_path, program + length);
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/*
 * What the guest is to run: the program's name if the image has it or may find it on its PATH, else
 * the path under which the host's file of that name was put in.  init starts what the archive has,
 * so a program of a volume is put in, too, under the path that it has there.
 */
static const char *place_program(struct archive_writer *writer, const struct settings *settings,
                                 const char *program)
{
	const struct archive_writer_item *item;
	char *host_path;

	if (program[0] == '\0')
		die("the program's name is empty");
	if (!strchr(program, '/') && strcmp(program, ".") != 0 && strcmp(program, "..") != 0)
		return program;
	item = program[0] == '/' ? archive_writer_find(writer, program + 1) : NULL;
	if (item && item->entry.type == CAPOS_ARCHIVE_DIRECTORY) {
		complain("%s: " IS_DIRECTORY, program);
		exit(EXIT_NO_PROGRAM);
	}
	if (item)
		return program;
	host_path = path_in_volume(settings, program);
	if (host_path) {
		check_program(program, host_path);
		put_into_guest(writer, host_path, program);
		free(host_path);
		return program;
	}
	check_program(program, program);
	char *guest_path = must_format(GUEST_PROGRAMS "/%s", strrchr(program, '/') + 1);
	put_into_guest(writer, program, guest_path);
	return guest_path;
}

/* What the programs among the host's files are linked with when they are started, and perhaps those
 * of a volume. */
static void add_linker(struct archive_writer *writer, const struct settings *settings)
{
	const char *library = installed_file("libc.so");
	int error = linker_add(writer, library, settings->nvolumes);

	if (error != 0)
		die("cannot put %s into the guest: %s", library, strerror(error));
}

/* The manifest names it for each volume. */
#define VOLUME_DRIVER "/sbin/virtio-9p"

static void add_volume_driver(struct archive_writer *writer, const struct settings *settings)
{
	struct stat st;

	if (!settings->nvolumes || archive_writer_find(writer, VOLUME_DRIVER + 1))
		return;
	const char *driver = installed_file("virtio-9p");
	int error = stat(driver, &st) != 0
	                    ? errno
	                    : archive_writer_add_path(writer, VOLUME_DRIVER, 0755, st.st_mtime,
	                                              driver, (uint64_t)st.st_size);
	if (error != 0)
		die("cannot put %s into the guest: %s", driver, strerror(error));
}

/* As init checks it (plan.c), before a machine is started. */
static void check_mounts(const struct archive_writer *writer, const struct settings *settings)
{
	for (size_t i = 0; i < settings->nvolumes; i++) {
		const struct volume *v = &settings->volumes[i];
		size_t length = strlen(v->guest_path);

		for (size_t at = 1; at <= length; at++) {
			if (v->guest_path[at] != '/' && v->guest_path[at] != '\0')
				continue;
			char *prefix = must_format("%.*s", (int)(at - 1), v->guest_path + 1);
			const struct archive_writer_item *item =
			        archive_writer_find(writer, prefix);
			if (item && item->entry.type != CAPOS_ARCHIVE_DIRECTORY)
				die("--volume %s:%s: /%s of the guest is no directory",
				    v->host_path, v->guest_path, prefix);
			free(prefix);
		}
	}
}

static void fill_seed(struct archive_writer *writer)
{
	if (getrandom(writer->seed, sizeof(writer->seed), 0) != (ssize_t)sizeof(writer->seed))
		die("the host gives no random bytes: %s", strerror(errno));
}

/* The program's request; the caller frees it.  NULL: the image's own, if it has one, stays. */
static void *add_request(struct archive_writer *writer, const struct settings *settings)
{
	const char *program = NULL;
	uint32_t length;

	if (settings->program)
		program = place_program(writer, settings, settings->program[0]);
	if (!program && !settings->list_capabilities)
		return NULL;
	void *request = request_build(settings, program, &length);
	if (archive_writer_add(writer, "etc/program", CAPOS_ARCHIVE_FILE, 0444, 0, request,
	                       length) != 0)
		die("no memory");
	return request;
}

/* ---- Progress ---- */

struct progress {
	struct timespec begin;
	int shown; /* per cent, -1: nothing */
};

/* A line on the terminal, once the work has taken a second. */
static void show_progress(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	struct timespec now;
	int percent = (int)(done * 100 / total);

	if (percent == progress->shown)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (progress->shown < 0 &&
	    (now.tv_sec - progress->begin.tv_sec) * 1000 +
	                    (now.tv_nsec - progress->begin.tv_nsec) / 1000000 <
	            PROGRESS_AFTER_MS)
		return;
	/* A terminal's line is rewritten; elsewhere one line says enough. */
	if (isatty(STDERR_FILENO) == 1)
		fprintf(stderr, "\rcapos: writing the boot archive: %3d %% of %" PRIu64 " MiB",
		        percent, total >> 20);
	else if (progress->shown < 0)
		fprintf(stderr, "capos: writing the boot archive, %" PRIu64 " MiB\n", total >> 20);
	progress->shown = percent;
}

static void end_progress(const struct progress *progress)
{
	if (progress->shown >= 0 && isatty(STDERR_FILENO) == 1)
		fprintf(stderr, "\r\033[K");
}

/* ---- The whole ---- */

/* Whether the machine can start from an archive of that size, before anything is written. */
static void check_memory(const struct settings *settings, uint64_t size)
{
	uint32_t needed = capos_memory_needed(size);

	if (size >> 20 >= ARCHIVE_MAX_MIB)
		die("the files are %" PRIu64 " MiB together; a machine starts from at most %u MiB",
		    size >> 20, ARCHIVE_MAX_MIB);
	/* `capos image` starts no machine. */
	if (!settings->written_image && settings->memory_mib < needed)
		die("the files need a machine of at least %u MiB: --memory %u", needed, needed);
}

void image_write(const struct settings *settings, int fd)
{
	struct progress progress = {.shown = -1};
	struct archive_writer writer = {.progress = show_progress, .context = &progress};

	add_base(&writer, settings);
	fill_seed(&writer);
	for (size_t i = 0; i < settings->nfiles; i++)
		put_into_guest(&writer, settings->files[i].host_path,
		               settings->files[i].guest_path);
	void *request = add_request(&writer, settings);
	if (!request && !settings->written_image && !archive_writer_find(&writer, "etc/program"))
		die("no program is given, and the image names none");
	add_linker(&writer, settings);
	add_volume_driver(&writer, settings);
	const char *obstacle = archive_writer_obstacle(&writer);
	if (obstacle)
		die("/%s of the guest would be a file or a link, and there are files below it too",
		    obstacle);
	check_mounts(&writer, settings);
	check_memory(settings, archive_writer_size(&writer));

	clock_gettime(CLOCK_MONOTONIC, &progress.begin);
	int error = archive_writer_finish(&writer, fd);
	end_progress(&progress);
	if (error == ESTALE)
		die("%s changed while it was read", writer.culprit);
	if (error != 0 && writer.culprit)
		die("cannot put %s into the guest: %s", writer.culprit, strerror(error));
	if (error != 0)
		die("cannot write the boot archive: %s", strerror(error));
	free(request);
	archive_writer_free(&writer);
}
