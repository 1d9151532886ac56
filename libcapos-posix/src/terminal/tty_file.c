/* SPDX-License-Identifier: MIT */
/*
 * The files of terminals: their names behind "/dev/", and what stat says of them.  Whose a
 * pseudo-terminal is the terminal service keeps, and goes by it when one is opened by its name.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <capos/schema/status.h>
#include <capos/start.h>

#include "terminal/tty.h"

#define LIST_MESSAGE 4096u

enum tty_named tty_parse(const char *name, uint32_t *number)
{
	*number = 0;
	if (!strcmp(name, "tty"))
		return NAMED_TTY;
	if (!strcmp(name, "console"))
		return NAMED_CONSOLE;
	if (!strcmp(name, "ptmx") || !strcmp(name, "pts/ptmx"))
		return NAMED_PTMX;
	if (strncmp(name, "pts/", 4) || name[4] < '1' || name[4] > '9')
		return NAMED_NONE;
	for (name += 4; *name >= '0' && *name <= '9' && *number < 100000; name++)
		*number = *number * 10 + (uint32_t)(*name - '0');
	return *name ? NAMED_NONE : NAMED_NUMBER;
}

/* ---- What the service says ---- */

/* Visits each until visit is false. */
static void each_file(bool (*visit)(const struct terminal_file *file, void *context), void *context)
{
	uint8_t *buffer = posix_alloc(LIST_MESSAGE);
	struct capos_call call = {.buffer = buffer, .size = LIST_MESSAGE};
	struct terminal_maker_list_results results;
	struct terminal_file file;
	cap_t maker = start_cap("terminals");

	if (buffer && maker && !terminal_maker_list(maker, &results, &call)) {
		for (uint32_t i = 0; i < results.files.count; i++)
			if (terminal_file_get(&results.files, i, &file) || !visit(&file, context))
				break;
	}
	posix_free(buffer);
}

struct each {
	void (*visit)(uint32_t number, void *context);
	void *context;
};

static bool visit_number(const struct terminal_file *file, void *context)
{
	const struct each *each = context;

	each->visit(file->number, each->context);
	return true;
}

void terminal_each(void (*visit)(uint32_t number, void *context), void *context)
{
	struct each each = {visit, context};

	each_file(visit_number, &each);
}

struct finding {
	struct terminal_file file;
	bool found;
};

static bool is_not(const struct terminal_file *file, void *context)
{
	struct finding *f = context;

	f->found = file->number == f->file.number;
	if (f->found)
		f->file = *file;
	return !f->found;
}

/* ---- stat ---- */

static void make_stat(enum tty_named named, const struct terminal_file *file, struct stat *st)
{
	*st = (struct stat){
	        .st_dev = 3, /* unlike that of files and of other devices */
	        .st_ino = named == NAMED_NUMBER ? 16 + file->number : (ino_t)named,
	        .st_mode = S_IFCHR | file->mode,
	        .st_nlink = 1,
	        .st_uid = file->user,
	        .st_gid = file->group,
	        .st_rdev = named == NAMED_NUMBER ? makedev(TTY_MAJOR, file->number)
	                                         : makedev(5, named - NAMED_TTY),
	        .st_blksize = 1024,
	        .st_atim = boot_time(),
	        .st_mtim = boot_time(),
	        .st_ctim = boot_time(),
	};
}

int terminal_stat(const char *name, struct stat *st)
{
	struct finding f = {.found = false};
	enum tty_named named = tty_parse(name, &f.file.number);

	if (named == NAMED_NONE)
		return 1;
	f.file.mode = named == NAMED_CONSOLE ? 0620 : 0666;
	if (named == NAMED_NUMBER) {
		each_file(is_not, &f);
		if (!f.found)
			return -ENOENT;
	}
	make_stat(named, &f.file, st);
	return 0;
}

int tty_stat(struct file *file, struct stat *st)
{
	const struct tty *t = file->data;
	struct finding f = {.file = {.number = t->number, .mode = 0620}};

	if (t->is_master)
		return terminal_stat("ptmx", st);
	if (!t->number)
		return terminal_stat("console", st);
	each_file(is_not, &f); /* one that was hung up is nobody's */
	make_stat(NAMED_NUMBER, &f.file, st);
	return 0;
}

/* ---- Changes ---- */

static int change(const struct terminal_file *file)
{
	const struct terminal_maker_change_params params = {.file = *file};
	cap_t maker = start_cap("terminals");

	return maker ? (int)errno_of(terminal_maker_change(maker, &params, NULL)) : -EPERM;
}

int terminal_change(const char *name, uint32_t user, uint32_t group, uint32_t mode)
{
	struct terminal_file file = {.user = user, .group = group, .mode = mode};

	return tty_parse(name, &file.number) == NAMED_NUMBER ? change(&file) : 1;
}

int tty_chmod(struct file *f, unsigned mode)
{
	const struct tty *t = f->data;
	const struct terminal_file file = {
	        .number = t->number, .user = TERMINAL_KEEP, .group = TERMINAL_KEEP, .mode = mode};

	return t->number ? change(&file) : -EPERM;
}

int tty_chown(struct file *f, unsigned user, unsigned group)
{
	const struct tty *t = f->data;
	const struct terminal_file file = {
	        .number = t->number, .user = user, .group = group, .mode = TERMINAL_KEEP};

	return t->number ? change(&file) : -EPERM;
}
