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
/* What this image is called; args as it has them. */
void world_describe(const char *name, char *const *args);
/* What the process service keeps of signals that came by these bits: arrived is called for each. */
void world_take_signals(uint64_t bits, signal_arrived *arrived);
/* Stopped by that signal; comes back when it is continued. */
void world_stop(int signal, bool own);
/* SIGCHLD's action has changed. */
void world_child_action(void);

/* Of ends.h. */
int world_ends_open(struct shared_ends *out);
bool world_ends_held(uint64_t word);

#endif
