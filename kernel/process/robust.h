/* SPDX-License-Identifier: MIT */
/*
 * What a thread has registered in its ring (struct capos_thread_end) and the kernel gives up for it
 * when it runs no more: locks in user memory, and the word that others wait on for its end.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_ROBUST_H
#define KERNEL_ROBUST_H

#include <stdbool.h>
#include <stdint.h>
#include <capos/abi.h>

struct space;
struct thread;

enum robust_stage { ROBUST_NOT_BEGUN, ROBUST_HELD, ROBUST_LIST, ROBUST_LAST, ROBUST_DONE };

/* How far it has come; zeroed at first. */
struct robust {
	enum robust_stage stage;
	uint32_t left; /* entries that may still be looked at */
	uint32_t number;
	struct capos_thread_end end; /* read once */
	struct capos_robust_list list;
	uint64_t entry;
};

/* Takes over what the thread has registered, if that is not done yet. */
void robust_begin(struct robust *r, const struct thread *t);
/* Goes on as far as the budget goes; true: it is done, or was not begun.  The space is the one that
 * the thread ran in, which it does no more. */
bool robust_go_on(struct robust *r, struct space *space);

#endif
