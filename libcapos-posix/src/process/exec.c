/* SPDX-License-Identifier: MIT */
/*
 * execve: the file's bytes as the files service has them become the image; of a script, those of
 * its interpreter; of a dynamic program, those of its dynamic linker, which loads the program.  All
 * that can fail is done before the kernel replaces the old image.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/elf.h>
#include <capos/format.h>
#include <capos/identity.h>
#include <capos/log.h>
#include <capos/schema/service_client.h>
#include <capos/start.h>

#include "core/core.h"
#include "file/file.h"
#include "memory/memory.h"
#include "process/exec_state.h"
#include "process/process.h"
#include "process/script.h"
#include "process/vfork.h"
#include "signal/signal.h"

/* Arguments and environment with the pointers to them, 2 MiB as on Linux with a stack of 8 MiB, and
 * what goes with them.  The kernel reads no more (PROCESS_START_BLOCK_MAX). */
#define BLOCK_SIZE   ((2u << 20) + (128u << 10))
#define STRING_MAX   (128 << 10) /* bytes of one of them, as on Linux */
#define CAPS_MAX     64u
#define ANY_EXECUTE  0111u
#define AT_RANDOM    25u
#define SEGMENTS_MAX 64u  /* program headers that are looked at */
#define LINKER_MAX   256u /* bytes of its path, the 0 included */

struct image {
	cap_t memory;
	uint64_t size;
	struct start_place place;
	struct start_image facts;
	uint64_t random[3]; /* two for the start block, one that was used for the place */
};

/* The program behind a descriptor, which the process may close before the new image starts. */
static int take_program(int fd, cap_t *file)
{
	struct file *f = fd_file(fd);
	struct stat st;
	long result = stat_at(fd, "", AT_EMPTY_PATH, &st);

	if (!result && (!S_ISREG(st.st_mode) || !f || !file_object(f)))
		result = -EACCES;
	if (!result)
		result = sys_faccessat2(fd, (long)"", X_OK, AT_EACCESS | AT_EMPTY_PATH);
	if (!result && !st.st_size)
		result = -ENOEXEC;
	return result ? (int)result : errno_of(cap_copy(file_object(f), CAP_RIGHTS_ALL, file));
}

/* *memory: CAP_NULL when the file is to be asked for its bytes. */
static int open_program(const char *path, cap_t *file, cap_t *memory, uint64_t *size)
{
	struct directory_open_params params = {.flags = OPEN_READ | OPEN_EXECUTE | OPEN_CONTENTS};
	struct directory_open_results results;
	struct capos_call call;
	struct path_walk w;
	int result = path_start(&w, AT_FDCWD, path);

	if (result)
		return result;
	do {
		call = FILES_CALL();
		params.path = w.path;
		result = directory_open(w.base, &params, &results, &call);
	} while (path_goes_on(&w, true, &result));
	if (result)
		return result;
	if (!call.ncaps)
		return -EIO;
	*file = call.caps[0];
	*memory = results.has_contents && call.ncaps == 2 ? call.caps[1] : CAP_NULL;
	*size = results.stat.size;
	if (results.stat.type != FILE_TYPE_REGULAR || !(results.stat.mode & ANY_EXECUTE))
		result = -EACCES;
	else if (!results.stat.size) /* it has no memory that could be asked for */
		result = -ENOEXEC;
	if (result)
		cap_release_both(*memory, *file);
	return result;
}

static const uint64_t *start_secret(void)
{
	for (const size_t *aux = __capos_auxv(); aux && aux[0]; aux += 2) {
		if (aux[0] == AT_RANDOM)
			return (const uint64_t *)aux[1];
	}
	return NULL;
}

/* What decides where images begin: the same for all programs that descend from one, so that an
 * image is at one place for as long as the machine runs.  Under emulation the translation of its
 * code is found again there: fork and execve of BusyBox took 2.6 times as long with a place for
 * each start.  The first program's parent draws its bytes anew.  The word is not the one that
 * the stack protector's guard is made from. */
static uint64_t image_secret;

uint64_t exec_image_secret(void)
{
	const uint64_t *secret = start_secret();

	if (!image_secret && secret)
		image_secret = secret[1];
	return image_secret;
}

void exec_set_image_secret(uint64_t secret)
{
	image_secret = secret;
}

/* Spreads the secret and what tells one image from others over all bits (the finalizer of
 * SplitMix64). */
static uint64_t image_random(const void *bytes, uint64_t size)
{
	struct elf_header h = {0};
	uint64_t x = exec_image_secret() ^ size << 32;

	if (size >= sizeof(h))
		memcpy(&h, bytes, sizeof(h));
	x ^= h.entry + h.shoff;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Random bytes.  Without entropy the time has to do, and the secret of this image's own start. */
static void random_bytes(uint64_t *out, size_t words)
{
	const uint64_t *secret = start_secret();

	if (sys_getrandom((long)out, (long)(words * sizeof(*out)), 0) >= 0)
		return;
	for (size_t i = 0; i < words; i++) {
		uint64_t mixed = (cap_now() + i) * 0x9e3779b97f4a7c15ull;

		out[i] = mixed ^ mixed >> 29 ^ (secret ? secret[i % 2] : 0);
	}
}

/* ---- Dynamic programs ---- */

/* The dynamic linker that an ELF image names; false: none, or its name is malformed. */
static bool find_linker(const uint8_t *bytes, uint64_t size, char name[LINKER_MAX])
{
	struct elf_segment s = {.type = 0};
	struct elf_header h;

	if (size < sizeof(h))
		return false;
	memcpy(&h, bytes, sizeof(h));
	if (!elf_header_ok(&h, size, SEGMENTS_MAX))
		return false;
	for (uint32_t i = 0; i < h.phnum && s.type != ELF_SEGMENT_INTERP; i++)
		memcpy(&s, bytes + h.phoff + i * sizeof(s), sizeof(s));
	if (s.type != ELF_SEGMENT_INTERP || s.filesz < 2 || s.filesz > LINKER_MAX ||
	    s.offset > size || s.filesz > size - s.offset || bytes[s.offset + s.filesz - 1])
		return false;
	memcpy(name, bytes + s.offset, s.filesz);
	return true;
}

/* As Linux: a program whose dynamic linker does not exist is ENOENT, which says little, so the log
 * has its name. */
static int linker_missing(const char *path, const char *linker)
{
	static bool named;

	if (!named)
		log_line("posix: execve of %s: its interpreter %s does not exist: ENOENT", path,
		         linker);
	named = true;
	return -ENOENT;
}

/* ---- The image ---- */

/* What else than an image a file was. */
enum { SCRIPT = 1, DYNAMIC };

static int read_facts(struct image *image, struct script_line *line, char linker[LINKER_MAX])
{
	void *bytes;
	uint64_t random[2];
	int result = cap_memory_map(image->memory, 0, image->size, CAP_RIGHT_READ, &bytes);

	if (result)
		return errno_of(result);
	result = script_read(bytes, image->size, line);
	if (!result && find_linker(bytes, image->size, linker))
		result = DYNAMIC;
	random_bytes(image->random, 3);
	random[0] = image->random[2];
	random[1] = image_random(bytes, image->size);
	start_choose_place(bytes, image->size, random, &image->place);
	if (!result && start_image_facts(bytes, image->size, image->place.load_bias, &image->facts))
		result = -ENOEXEC;
	cap_memory_unmap(bytes, image->size);
	return result;
}

/* fd: of the program, or -1: the path names it.  SCRIPT and DYNAMIC: line and linker say what is to
 * be started in its place. */
static int load_image(int fd, const char *path, struct image *image, struct script_line *line,
                      char linker[LINKER_MAX])
{
	cap_t file = CAP_NULL;
	int result = fd < 0 ? open_program(path, &file, &image->memory, &image->size)
	                    : take_program(fd, &file);

	if (result)
		return result;
	if (fd >= 0 || !image->memory)
		result = volume_memory(file, &image->memory, &image->size);
	cap_release_later(file); /* the kernel is entered soon */
	if (result)
		return result;
	result = image->size ? read_facts(image, line, linker) : -ENOEXEC;
	if (result)
		cap_release(image->memory);
	return result;
}

/* The capabilities of the start block: those this image was started with, by the same names. */
static uint32_t collect_caps(struct start_cap caps[CAPS_MAX], cap_t state)
{
	uint32_t n = 0;
	struct start_cap cap;

	for (uint32_t i = 0; n < CAPS_MAX - 2 && start_cap_at(i, &cap); i++) {
		if (strcmp(cap.name, EXEC_STATE_NAME) && strcmp(cap.name, "signals"))
			caps[n++] = cap;
	}
	caps[n++] = (struct start_cap){.name = "signals", .id = signal_event()};
	caps[n++] = (struct start_cap){.name = EXEC_STATE_NAME, .id = state};
	return n;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What is to be started. */
struct start {
	const char *called;    /* as execve had it: the script's path, if it is one */
	int fd;                /* of the file that is called; -1: the path names it */
	bool closes;           /* so that nobody finds the file by the descriptor */
	char path[PATH_BYTES]; /* the file that becomes the image, itself or through its linker */
	struct image image;
	const char **args; /* with those that scripts put in front */
	char *const *env;
	const char **vector;  /* where args is */
	uint32_t vector_size; /* bytes */
	struct script_line lines[SCRIPTS_MAX];
	char linker[LINKER_MAX];
};

static struct start_ids own_ids(void)
{
	const struct cap_identity *own = process_identity();

	return (struct start_ids){own->user.real, own->user.effective, own->group.real,
	                          own->group.effective};
}

static int build_block(const struct start *s, cap_t state, void *block, uint32_t *length)
{
	struct start_cap caps[CAPS_MAX];
	struct start_params params = {.process_name = name_of(s->called),
	                              .executed = s->called,
	                              .args = s->args,
	                              .env = (const char *const *)s->env,
	                              .caps = caps,
	                              .ncaps = collect_caps(caps, state),
	                              .image = s->image.facts,
	                              .ids = own_ids(),
	                              .stack_top = s->image.place.stack_top};

	_Static_assert(sizeof(params.random) == 2 * sizeof(s->image.random[0]), "two words");
	memcpy(params.random, s->image.random, sizeof(params.random));
	return start_block_build(&params, block, BLOCK_SIZE, length) ? -E2BIG : 0;
}

static int error_of_exec(int result)
{
	switch (result) {
	case CAP_ENOEXEC:
		return -ENOEXEC;
	case CAP_ETOOBIG:
		return -E2BIG;
	case CAP_EBUSY: /* other threads run */
		return -EBUSY;
	default:
		return errno_of(result);
	}
}

/* Comes back only with why not. */
static int become(const struct start *s, void *block)
{
	uint32_t length;
	cap_t state;
	int result = exec_state_write(s->path, &state);

	if (result)
		return result;
	result = build_block(s, state, block, &length);
	if (!result) {
		threads_end_others();
		memory_leave();
		vfork_leave();
	}
	if (!result)
		result = error_of_exec(cap_process_exec(s->image.memory, &s->image.place, block,
		                                        length, name_of(s->called)));
	cap_release(state);
	return result;
}

/* ---- Arguments ---- */

/* How many strings a list of the program's has that can be read; -errno. */
static long count_strings(long list)
{
	long at = list;
	const char *string;

	for (long n = 0; list && n < (long)(BLOCK_SIZE / sizeof(string));
	     n++, at += (long)sizeof(string)) {
		long length;

		if (user_get(&string, at))
			return -EFAULT;
		if (!string)
			return n;
		length = posix_user_length(string, STRING_MAX);
		if (length < 0)
			return -EFAULT;
		if (length == STRING_MAX)
			return -E2BIG;
	}
	return list ? -E2BIG : 0;
}

/* What is put in front of the arguments at most.  Each script: its interpreter and an argument, and
 * its path in place of the name; a dynamic linker: its path, three options and the program's path
 * in place of the name. */
#define EXTRA_ARGS_MAX (2 * SCRIPTS_MAX + 1 + 5)

static int copy_args(struct start *s, long list)
{
	long n = count_strings(list);

	if (n < 0)
		return (int)n;
	s->vector_size = (uint32_t)PAGES_SIZE((EXTRA_ARGS_MAX + (uint64_t)n + 1) * sizeof(char *));
	s->vector = pages_map(s->vector_size);
	if (!s->vector)
		return -ENOMEM;
	s->args = s->vector + EXTRA_ARGS_MAX;
	return user_read(s->args, list, (size_t)n * sizeof(char *));
}

/* The script's interpreter is started in its place. */
static int interpret(struct start *s, const struct script_line *line, char *script)
{
	if (!*s->args)
		s->args--;
	memcpy(script, s->path, sizeof(s->path));
	*s->args = script;
	if (line->argument)
		*--s->args = line->argument;
	*--s->args = line->interpreter;
	strcpy(s->path, line->interpreter);
	return 0;
}

/* The dynamic linker is started in place of the program, with the options by which it is given what
 * to load and the name that the program is called by. */
static int link_program(struct start *s)
{
	const char *name = *s->args ? *s->args++ : "";
	struct script_line line;
	char other[LINKER_MAX];
	int result = load_image(-1, s->linker, &s->image, &line, other);

	if (result == -ENOENT)
		return linker_missing(s->path, s->linker);
	if (result == -ENOEXEC || result > 0)
		return -ELIBBAD;
	if (result)
		return result;
	*--s->args = s->path;
	*--s->args = "--";
	*--s->args = name;
	*--s->args = "--argv0";
	*--s->args = s->linker;
	return 0;
}

/* ---- execve ---- */

/* Whether the file has a path. */
static bool find_path(struct file *f, char path[PATH_BYTES])
{
	struct file_path_results results;
	struct capos_call call = FILES_CALL();

	if (!file_object(f) || file_path(file_object(f), &results, &call) || results.gone ||
	    results.path.len >= PATH_BYTES)
		return false;
	memcpy(path, results.path.ptr, results.path.len);
	path[results.path.len] = 0;
	return true;
}

/* The file behind a descriptor.  Its path, if it has one, stands in for the name by which it was
 * called: the linker opens it, and /proc/self/exe says it; else both find the descriptor, if that
 * stays open.  One that is a path only has no bytes to give. */
static int load_called(struct start *s, struct script_line *line)
{
	struct file *f = fd_file(s->fd);
	char path[PATH_BYTES];
	bool named;
	int result;

	if (!f)
		return -EBADF;
	named = find_path(f, path);
	result = load_image(named && f->flags & O_PATH ? -1 : s->fd, path, &s->image, line,
	                    s->linker);
	if (named && (!result || result == DYNAMIC))
		strcpy(s->path, path);
	else if (result > 0 && s->closes)
		result = -ENOENT;
	return result;
}

/* The file of the path, through the interpreters of scripts. */
static int load(struct start *s, char (*scripts)[PATH_BYTES])
{
	int result;

	for (int depth = 0; depth < SCRIPTS_MAX; depth++) {
		if (!depth && s->fd >= 0)
			result = load_called(s, &s->lines[depth]);
		else
			result = load_image(-1, s->path, &s->image, &s->lines[depth], s->linker);
		if (result == DYNAMIC)
			return link_program(s);
		if (result <= 0)
			return result;
		result = interpret(s, &s->lines[depth], scripts[depth]);
		if (result)
			return result;
	}
	return -ELOOP;
}

static int execute(struct start *s, char (*scripts)[PATH_BYTES])
{
	void *block;
	int result = load(s, scripts);

	if (result)
		return result;
	block = pages_map(BLOCK_SIZE);
	result = block ? become(s, block) : -ENOMEM;
	if (block)
		pages_unmap(block, BLOCK_SIZE);
	cap_release(s->image.memory);
	return result;
}

struct work {
	struct start start;
	char called[PATH_BYTES];
	char scripts[SCRIPTS_MAX][PATH_BYTES];
};

static long start_program(struct work *work, long args, long env)
{
	long result = count_strings(env);

	work->start.called = work->called;
	work->start.env = (char *const *)env;
	if (result >= 0)
		result = copy_args(&work->start, args);
	if (!result)
		result = execute(&work->start, work->scripts);
	if (work->start.vector)
		pages_unmap(work->start.vector, work->start.vector_size);
	return result;
}

/* What the path names that execve was called with: 0 or -errno. */
static int find_named(struct work *work)
{
	struct start *s = &work->start;

	strcpy(s->path, work->called);
	s->fd = device_descriptor(work->called);
	if (s->fd >= 0 && !fd_file(s->fd))
		return -ENOENT;
	if (proc_is_own_image(work->called))
		exec_own_path(s->path);
	return 0;
}

long sys_execve(long path, long args, long env)
{
	struct work *work = pages_map(PAGES_SIZE(sizeof(*work)));
	long result;

	if (!work)
		return -ENOMEM;
	files_settle();
	result = user_string(work->called, sizeof(work->called), path);
	if (result >= 0)
		result = find_named(work);
	if (!result)
		result = start_program(work, args, env);
	pages_unmap(work, PAGES_SIZE(sizeof(*work)));
	return result;
}

/* ---- execveat ---- */

/* The program that the descriptor is, or that the path names from there: 0 or -errno. */
static int find_at(struct work *work, int directory_fd, int flags)
{
	struct start *s = &work->start;
	struct stat st;
	char *resolved;
	int result = stat_at(directory_fd, work->called, flags, &st);

	s->fd = -1;
	if (result)
		return result;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!*work->called && directory_fd != AT_FDCWD) {
		s->fd = directory_fd;
		s->closes = sys_fcntl(s->fd, F_GETFD, 0) & FD_CLOEXEC;
		fmt_snprintf(work->called, sizeof(work->called), "/dev/fd/%d", directory_fd);
		strcpy(s->path, work->called);
		return 0;
	}
	if (directory_fd == AT_FDCWD || *work->called == '/')
		return find_named(work);
	resolved = path_resolve(directory_fd, work->called);
	if (!resolved)
		return -ENOMEM;
	strcpy(s->path, resolved);
	strcpy(work->called, resolved);
	posix_free(resolved);
	return 0;
}

long sys_execveat(long directory_fd, long path, long args, long env, long flags)
{
	struct work *work;
	long result;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	work = pages_map(PAGES_SIZE(sizeof(*work)));
	if (!work)
		return -ENOMEM;
	files_settle();
	result = user_string(work->called, sizeof(work->called), path);
	if (result >= 0)
		result = find_at(work, (int)directory_fd, (int)flags);
	if (!result)
		result = start_program(work, args, env);
	pages_unmap(work, PAGES_SIZE(sizeof(*work)));
	return result;
}
