/* SPDX-License-Identifier: MIT */
/*
 * What entry needs of processes.
 */
#ifndef POSIX_PROCESS_H
#define POSIX_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>

#include "core/core.h"
#include "signal/signal.h"

/* execve's other half: takes up what the image before this one left in that memory. */
void exec_restore(cap_t memory);

/* The first image of a program: becomes a member of its world. */
void world_start(void);
/* Lets others read what this image is called and its arguments. */
void world_describe_image(void);
/* Its new name alone. */
void world_describe_name(const char *name);
/* What the process service keeps of signals that came by these bits: arrived is called for each. */
void report_give(void);
void world_take_signals(uint64_t bits, signal_arrived *arrived);
/* Stopped by that signal; comes back when it is continued. */
void world_stop(int signal, bool own);
/* See core_hooks, and signal_world.send. */
void users_for_files(uint32_t user, uint32_t group);
long world_signal(long target, int signal, int code, uint64_t value);
void process_set_dumpable(bool on);
/* The signal that it gets when its parent ends; 0: none.  0 or -errno. */
long world_set_death_signal(uint32_t signal);
long world_death_signal(uint32_t *signal);
/* Whether orphans below this process become its children.  0 or -errno. */
long world_set_reaper(bool on);
long world_reaper(bool *on);
/* SIGCHLD's action has changed. */
void world_child_action(void);

/* Makes /proc known to the file room. */
void proc_start(void);
/* Whether the path names this process's own image, as /proc/self/exe does. */
bool proc_is_own_image(const char *path);

/* A program was executed: what it was to have of saved users and groups. */
void users_executed(void);

/* Limits as this process keeps them, across exec. */
struct rlimit;
void limits_save(struct rlimit *out);
void limits_restore(const struct rlimit *kept);
uint64_t limits_soft(long resource); /* of this process */

/* What terminals ask of the process service goes there from now on. */
void world_start_terminals(void);

/* Of ends.h. */
int world_ends_open(struct shared_ends *out);
bool world_ends_held(uint64_t word);

/* Of the hooks in core/self.h; without a world there is none to give a notice. */
int world_notice_ask(uint64_t key, int signal, uint64_t value);
int world_notice_give(int pid, uint64_t key);

/* By every process that executes a program or ends: if it is a child of vfork, its parent goes
 * on. */
void vfork_leave(void);

#endif
