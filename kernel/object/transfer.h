/* SPDX-License-Identifier: MIT */
/*
 * Capabilities on their way with a message: all of them arrive, or none.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_TRANSFER_H
#define KERNEL_TRANSFER_H

#include "process/cap.h"

struct process;

struct transfer {
	uint32_t count;
	/* one count each, with the rights to arrive; KIND_NONE: taken */
	struct cap caps[CAPOS_MESSAGE_CAPS_MAX];
	/* the sender's id of one that is moved, CAP_NULL of a copy */
	cap_t moved[CAPOS_MESSAGE_CAPS_MAX];
};

/* Reads count struct capos_send_cap at address in the sender's space and takes counts.  CAP_OK or
 * an error, and then nothing is taken. */
int transfer_begin(struct transfer *x, struct process *from, uint64_t address, uint32_t count);
/* Can it arrive?  CAP_OK; CAP_EBADCAP when the sender gave up meanwhile what it moves; CAP_ENOSLOT,
 * CAP_ENOMEM. */
int transfer_check(const struct transfer *x, const struct process *from, struct process *to);
/* Arrives, after transfer_check said so: ids written to the array at address in to's space, moved
 * ones taken from the sender.  CAP_OK, or CAP_EFAULT or CAP_ENOMEM and nothing changed. */
int transfer_arrive(struct transfer *x, struct process *from, struct process *to, uint64_t address);
/* Takes what is moved from the sender (part of transfer_arrive; alone when the kernel itself
 * received). */
void transfer_unmove(const struct transfer *x, struct process *from);
void transfer_drop(struct transfer *x); /* gives up the counts of those not taken */

#endif
