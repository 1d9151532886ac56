/* SPDX-License-Identifier: MIT */
/*
 * Paths in the boot archive.  A path is walked one component at a time; what a link puts in is
 * walked in the same way, and the number of links and the length of every path are bounded.
 */
#include <string.h>

#include <capos/elf.h>

#include "lookup.h"

#define LINKS_MAX 40 /* as Linux has it */

/* A path still to be walked, and what of it is walked already ("" is the root). */
struct walk {
	const struct archive *archive;
	char done[LOOKUP_PATH_MAX];
	char rest[LOOKUP_PATH_MAX];
	int links;
};

/* The entry of this name.  A directory need not have one: then other names begin with it. */
static int find_entry(const struct archive *archive, const char *name, struct archive_file *out)
{
	size_t length = strlen(name);

	if (archive_find(archive, name, out) == CAP_OK)
		return CAP_OK;
	for (uint32_t i = 0; i < archive->count; i++) {
		struct archive_file file = archive_entry(archive, i);

		if (!length ||
		    (strncmp(file.name, name, length) == 0 && file.name[length] == '/')) {
			*out = (struct archive_file){
			        .name = name, .type = CAPOS_ARCHIVE_DIRECTORY, .mode = 0755};
			return CAP_OK;
		}
	}
	return CAP_ENOENT;
}

static void drop_last(char *path)
{
	char *slash = strrchr(path, '/');

	*(slash ? slash : path) = 0;
}

/* Appends a component; CAP_ETOOBIG. */
static int append(char *path, const char *component, size_t length)
{
	size_t used = strlen(path);

	if (used + 1 + length >= LOOKUP_PATH_MAX)
		return CAP_ETOOBIG;
	if (used)
		path[used++] = '/';
	memcpy(path + used, component, length);
	path[used + length] = 0;
	return CAP_OK;
}

/* Puts the link's target before what is still to be walked: "", or a slash and more. */
static int follow(struct walk *w, const struct archive_file *link, const char *rest)
{
	char joined[LOOKUP_PATH_MAX];
	size_t tail = strlen(rest);

	if (++w->links > LINKS_MAX || link->size >= sizeof(joined) - tail)
		return CAP_ETOOBIG;
	memcpy(joined, link->data, link->size);
	memcpy(joined + link->size, rest, tail + 1);
	strcpy(w->rest, joined);
	drop_last(w->done);
	if (w->rest[0] == '/')
		w->done[0] = 0;
	return CAP_OK;
}

/* Takes the next component.  CAP_OK; *file is what done names now. */
static int step(struct walk *w, struct archive_file *file)
{
	char *component = w->rest + strspn(w->rest, "/");
	size_t length = strcspn(component, "/");
	char *rest = component + length;
	int result;

	if (file->type != CAPOS_ARCHIVE_DIRECTORY)
		return CAP_ENOENT;
	if (length == 1 && component[0] == '.') {
		memmove(w->rest, rest, strlen(rest) + 1);
		return find_entry(w->archive, w->done, file);
	}
	if (length == 2 && memcmp(component, "..", 2) == 0) {
		drop_last(w->done);
		memmove(w->rest, rest, strlen(rest) + 1);
		return find_entry(w->archive, w->done, file);
	}
	result = append(w->done, component, length);
	if (!result)
		result = find_entry(w->archive, w->done, file);
	if (result)
		return result;
	if (file->type != CAPOS_ARCHIVE_SYMLINK) {
		memmove(w->rest, rest, strlen(rest) + 1);
		return CAP_OK;
	}
	result = follow(w, file, rest);
	return result ? result : find_entry(w->archive, w->done, file);
}

int lookup_path(const struct archive *archive, const char *path, struct archive_file *file,
                char *resolved)
{
	struct walk w = {.archive = archive};
	int result;

	if (strlen(path) >= sizeof(w.rest))
		return CAP_ETOOBIG;
	strcpy(w.rest, path);
	result = find_entry(archive, "", file);
	while (!result && w.rest[strspn(w.rest, "/")])
		result = step(&w, file);
	/* A slash at the end asks for a directory. */
	if (!result && w.rest[0] && file->type != CAPOS_ARCHIVE_DIRECTORY)
		result = CAP_ENOENT;
	strcpy(resolved, w.done);
	return result;
}

/* ---- Programs ---- */

static int find_executable(const struct archive *archive, const char *path,
                           struct archive_file *file, char *resolved)
{
	int result = lookup_path(archive, path, file, resolved);

	if (result)
		return result;
	if (file->type != CAPOS_ARCHIVE_FILE || !(file->mode & 0111))
		return CAP_ERIGHTS;
	return CAP_OK;
}

/* An executable found in a directory of search_path, its path in path; one that may not be
 * executed is remembered only. */
static int search(const struct archive *archive, const char *name, const char *search_path,
                  struct archive_file *file, char *path, char *resolved)
{
	int answer = CAP_ENOENT;

	for (const char *p = search_path;; p++) {
		size_t length = strcspn(p, ":");
		int result = CAP_ETOOBIG;

		if (length + 1 + strlen(name) < LOOKUP_PATH_MAX) {
			memcpy(path, p, length);
			path[length] = '/';
			strcpy(path + length + 1, name);
			result = find_executable(archive, path, file, resolved);
		}
		if (!result)
			return CAP_OK;
		if (result != CAP_ENOENT)
			answer = result;
		p += length;
		if (!*p)
			return answer;
	}
}

/* The dynamic linker's path, in out (LOOKUP_PATH_MAX bytes); false when the file names none. */
static bool elf_interpreter(const struct archive_file *file, char *out)
{
	struct elf_header h;

	if (file->size < sizeof(h))
		return false;
	memcpy(&h, file->data, sizeof(h));
	if (!elf_header_ok(&h, file->size, UINT16_MAX))
		return false;
	for (uint32_t i = 0; i < h.phnum; i++) {
		struct elf_segment s;

		memcpy(&s, file->data + h.phoff + i * sizeof(s), sizeof(s));
		if (s.type != ELF_SEGMENT_INTERP)
			continue;
		if (s.filesz < 2 || s.filesz > LOOKUP_PATH_MAX || s.offset > file->size ||
		    s.filesz > file->size - s.offset)
			return false;
		memcpy(out, file->data + s.offset, s.filesz);
		return out[s.filesz - 1] == 0;
	}
	return false;
}

/* "#!interpreter [option]" at the file's start.  CAP_OK, CAP_ENOENT: no script, CAP_ENOEXEC. */
static int script_interpreter(const struct archive_file *file, char *interpreter, char *option)
{
	const char *text = (const char *)file->data;
	size_t length = file->size < LOOKUP_PATH_MAX ? file->size : LOOKUP_PATH_MAX - 1;
	char line[LOOKUP_PATH_MAX];
	char *p, *end;

	if (length < 2 || memcmp(text, "#!", 2) != 0)
		return CAP_ENOENT;
	memcpy(line, text + 2, length - 2);
	line[length - 2] = 0;
	line[strcspn(line, "\n")] = 0;
	for (end = line + strlen(line); end > line && (end[-1] == ' ' || end[-1] == '\t');)
		*--end = 0;
	p = line + strspn(line, " \t");
	end = p + strcspn(p, " \t");
	if (end == p)
		return CAP_ENOEXEC;
	memcpy(interpreter, p, (size_t)(end - p));
	interpreter[end - p] = 0;
	strcpy(option, end + strspn(end, " \t"));
	return CAP_OK;
}

/* A script: argv becomes INTERPRETER [OPTION] PATH and the caller's arguments after the first. */
static int through_script(const struct archive *archive, struct program *p, uint32_t *n)
{
	char resolved[LOOKUP_PATH_MAX];
	int result = script_interpreter(&p->image, p->interpreter, p->option);

	if (result == CAP_ENOENT)
		return CAP_OK;
	if (result || find_executable(archive, p->interpreter, &p->image, resolved))
		return CAP_ENOEXEC;
	if (!archive_intact(&p->image))
		return CAP_EMESSAGE;
	strcpy(p->name, p->path);
	strcpy(p->executed, p->interpreter);
	p->prefix[(*n)++] = p->interpreter;
	if (p->option[0])
		p->prefix[(*n)++] = p->option;
	p->prefix[(*n)++] = p->name;
	p->skip = 1;
	/* path is now the interpreter's: what a dynamic linker is to load. */
	p->path[0] = '/';
	strcpy(p->path + 1, resolved);
	return CAP_OK;
}

/* A dynamic executable: the dynamic linker is started, with options of its own for what to load
 * and which argv[0] that is to see. */
static int through_linker(const struct archive *archive, const char *argv0, struct program *p,
                          uint32_t n)
{
	char resolved[LOOKUP_PATH_MAX];
	const char *first = n ? p->prefix[0] : argv0;
	uint32_t rest = n ? n - 1 : 0;

	if (!elf_interpreter(&p->image, p->linker))
		return CAP_OK;
	if (find_executable(archive, p->linker, &p->image, resolved))
		return CAP_ENOEXEC;
	if (!archive_intact(&p->image))
		return CAP_EMESSAGE;
	memmove(&p->prefix[5], &p->prefix[1], rest * sizeof(p->prefix[0]));
	p->prefix[0] = p->linker;
	p->prefix[1] = "--argv0";
	p->prefix[2] = first;
	p->prefix[3] = "--";
	p->prefix[4] = p->path;
	p->prefix[5 + rest] = NULL;
	p->skip = 1;
	return CAP_OK;
}

int lookup_program(const struct archive *archive, const char *name, const char *search_path,
                   struct program *out)
{
	char found[LOOKUP_PATH_MAX];
	uint32_t n = 0;
	int result;

	memset(out, 0, sizeof(*out));
	result = strchr(name, '/')
	                 ? find_executable(archive, name, &out->image, found)
	                 : search(archive, name, search_path, &out->image, out->executed, found);
	if (result)
		return result;
	if (strlen(found) + 2 > sizeof(out->path))
		return CAP_ETOOBIG;
	if (!archive_intact(&out->image))
		return CAP_EMESSAGE;
	out->path[0] = '/';
	strcpy(out->path + 1, found);
	if (strchr(name, '/')) /* a relative one was found from the root */
		strcpy(out->executed, name[0] == '/' ? name : out->path);
	result = through_script(archive, out, &n);
	return result ? result : through_linker(archive, name, out, n);
}
