/* SPDX-License-Identifier: MIT */
/*
 * What entry needs of processes.
 */
#ifndef POSIX_PROCESS_H
#define POSIX_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>

#include "signal/signal.h"

/* execve's other half: takes up what the image before this one left in that memory. */
void exec_restore(cap_t memory);

/* SIGCHLD came: a child may have ended. */
void children_changed(void);
/* Fills in the child that a SIGCHLD came for, once for each; changes nothing when there is none. */
void children_origin(struct signal_origin *origin);
/* Takes note of ends since the last look; true: SIGCHLD came since then. */
bool children_look(void);
/* Passes on to the children what the user's keyboard means for the whole group: of the bits that
 * came by the signals event those that are for this process. */
uint64_t children_relay(uint64_t bits);

#endif
