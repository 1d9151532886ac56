/* SPDX-License-Identifier: MIT */
/*
 * This process: its number, its end, and what core asks of the rooms above it.
 */
#ifndef POSIX_SELF_H
#define POSIX_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/identity.h>

struct file;
struct posix_thread;
struct stat;

/* From musl (overlay/src/env/capos_auxv.c): NULL until it is known. */
const size_t *__capos_auxv(void);

/* Its number in its world; the kernel's number of a process that is in none. */
uint64_t process_id(void);
void process_set_id(uint64_t number);
/* Whose it is, as this process knows it. */
const struct cap_identity *process_identity(void);
void process_set_identity(const struct cap_identity *identity);
/* Ends the process after handing over what the ring still holds. */
_Noreturn void posix_exit(int code, int signal);

struct shared_ends;
/* Set once, on the first system call; before it nothing waits and nothing is written. */
struct core_hooks {
	/* signal: whether one is to be delivered; raise one; EINTR is final for this call */
	bool (*signal_waiting)(void);
	void (*signal_raise)(int signal);
	void (*signal_no_restart)(void);
	/* signal: gives back what a thread had that runs no more */
	void (*thread_release)(struct posix_thread *t);
	/* process: see ends.h */
	int (*ends_open)(struct shared_ends *out);
	bool (*ends_held)(uint64_t word);
	/* process: this process wants that signal, once, from who gives it the notice of that key
	 * (signal 0: no more); gives one: 0 or -errno */
	int (*notice_ask)(uint64_t key, int signal, uint64_t value);
	int (*notice_give)(int pid, uint64_t key);
	/* process: whom its calls on files are for from now on, if it may be they */
	void (*users_for_files)(uint32_t user, uint32_t group);
	/* terminal: what was written must arrive, also when the console has ended meanwhile and the
	 * program does nothing more with its streams.  Called when a sleep was ended and when the
	 * process ends. */
	void (*streams_settle)(void);
	void (*resting)(void);                /* file: the thread is about to sleep */
	void (*leaving)(void);                /* the process is about to end */
	void (*closed)(const struct file *f); /* poll: the description goes */
	/* terminal: by a name behind "/dev/": 0, -errno, or 1: no terminal is called so */
	int (*terminal_open)(const char *name, int flags, struct file **out);
	int (*terminal_stat)(const char *name, struct stat *st);
	/* the same; what is UINT32_MAX stays */
	int (*terminal_change)(const char *name, uint32_t user, uint32_t group, uint32_t mode);
	/* file: makes a name for a socket: 0 or -errno; opens one: what it keeps and what all that
	 * have it open share, or -ECONNREFUSED: it is no socket */
	int (*socket_make)(const char *path);
	int (*socket_open)(const char *path, uint64_t *file, uint64_t *memory);
	/* terminal: the path of one that is open; 0: it is none */
	size_t (*terminal_path)(const struct file *f, char *out, size_t size);
};
void core_set_hooks(const struct core_hooks *hooks);
/* For core, for file those of process and terminal, and for socket those of file. */
extern struct core_hooks core_hooks;

#endif
