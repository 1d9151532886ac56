/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of terminals and of streams: standard input, output and error.
 */
#ifndef POSIX_TERMINAL_H
#define POSIX_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/abi.h>

struct carried;
struct file;
struct stat;

/* A description over a ByteStream; flags: O_RDONLY or O_WRONLY.  Attaches the channel at once.  0
 * or -errno; takes the capability over when it succeeds. */
int stream_create(cap_t object, int flags, struct file **out);
/* Of all streams: what a console that has ended had not taken goes to the next one. */
void streams_settle(void);
/* A description that refuses everything.  0 or -ENOMEM. */
int denied_create(int flags, struct file **out);

/* The TerminalSession that the program was started with, open; it becomes the controlling one.  0
 * or -errno. */
int terminal_create(cap_t session, struct file **out);
/* name: behind "/dev/".  0, -errno, or 1: no terminal is called so. */
int terminal_open(const char *name, int flags, struct file **out);
int terminal_stat(const char *name, struct stat *st);
int terminal_change(const char *name, uint32_t user, uint32_t group, uint32_t mode);
/* Each pseudo-terminal that there is. */
void terminal_each(void (*visit)(uint32_t number, void *context), void *context);
/* The path of a terminal that is open; its length, 0: it is none. */
size_t terminal_path(const struct file *f, char *out, size_t size);

/* What the process room does for terminals: each 0 or -errno. */
struct terminal_job {
	bool controlled; /* the session has a controlling terminal: this one */
	uint32_t terminal;
	bool foreground; /* the process is of the group in front */
	bool orphaned;   /* of that of the process */
};
struct terminal_world {
	int (*job)(struct terminal_job *out);
	/* The terminal becomes the session's; *session: a ProcessSession for it. */
	int (*take)(cap_t terminal, uint32_t number, cap_t *session);
	int (*find)(cap_t *terminal);
	int (*leave)(void);
	int (*foreground)(uint32_t *group);
	int (*set_foreground)(uint32_t group);
	int (*session)(uint32_t *session);
	int (*signal_group)(int signal); /* the caller's own */
};
void terminal_set_world(const struct terminal_world *world);

/* After exec: 0 or -errno. */
int stream_restore(const struct carried *in, struct file **out);
int denied_restore(const struct carried *in, struct file **out);
int terminal_restore(const struct carried *in, struct file **out);

#endif
