/* SPDX-License-Identifier: MIT */
/*
 * Which process ends when no memory is left for a page: the one that took the most, not the one
 * that happens to touch a page next.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_SHORTAGE_H
#define KERNEL_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

struct account;
struct thread;

/* The search of a thread that found no memory, as far as it has come. */
struct shortage {
	const struct account *account; /* among whose processes; compared only; NULL: not begun */
	uint32_t pieces;               /* that it took so far */
	uint64_t process, at, pages;   /* under way: its id, where in its space, pages so far */
	uint64_t largest, largest_pages;
};

/* For a thread that found no memory when it touched the page at address, while no work is pending
 * that would free some.  True: another process has ended for it, or the search is not finished; the
 * thread touches the page again.  False: its own process is to end. */
bool shortage_relieved(struct thread *t, uint64_t address);

#endif
