/* SPDX-License-Identifier: MIT */
/*
 * What the files of terminals share: an open terminal, or the master of a pseudo-terminal.
 */
#ifndef POSIX_TTY_H
#define POSIX_TTY_H

#include <capos/schema/terminal_client.h>
#include <capos/terminal.h>

#include "core/core.h"
#include "terminal/terminal.h"

struct tty {
	struct chan chan; /* always common: others have the terminal open, too */
	cap_t object;     /* TerminalSession, or TerminalMaster */
	uint32_t number;
	bool is_master;
};

extern struct terminal_world terminal_world; /* of terminal_set_world */

/* Its far end is gone for good: reads find nothing, all else fails. */
bool tty_is_hung_up(struct tty *t);
/* Whether the process may go on: 0; -EINTR after its group was sent the signal, because it is in
 * the background; -EIO: it would stop for good. */
int tty_may_use(const struct tty *t, int signal);
/* ---- tty_ioctl.c ---- */
int tty_ioctl(struct file *f, unsigned long request, void *argument);
/* Makes it the controlling terminal of the caller's session; 0 or -errno. */
int tty_take_control(struct tty *t);

/* ---- tty_open.c ---- */
/* The description, with one of these as its operations. */
int tty_create(const struct tty *from, int flags, struct file **out);
/* Opens the terminal behind the capability, which stays the caller's. */
int tty_open_session(cap_t session, int flags, struct file **out);

/* Characters that a read would find. */
uint32_t tty_readable(struct tty *t);
extern const struct file_ops tty_ops, tty_master_ops;

/* st_rdev of Linux, and so the name. */
#define TTY_MAJOR     136u /* of pseudo-terminals; the console: 5, 1 */
#define TTY_NAME_SIZE 24u
void tty_name(const struct tty *t, char out[TTY_NAME_SIZE]);

/* ---- tty_file.c ---- */
enum tty_named { NAMED_NONE, NAMED_TTY, NAMED_CONSOLE, NAMED_PTMX, NAMED_NUMBER };
/* What a name behind "/dev/" means. */
enum tty_named tty_parse(const char *name, uint32_t *number);
int tty_stat(struct file *f, struct stat *st);
/* Of a pseudo-terminal's slave. */
int tty_chmod(struct file *f, unsigned mode);
int tty_chown(struct file *f, unsigned user, unsigned group);

#endif
