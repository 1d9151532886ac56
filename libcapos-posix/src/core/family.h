/* SPDX-License-Identifier: MIT */
/*
 * What processes that come from each other by fork have in common: one event that wakes them all.
 *
 * They trust each other: they are one program's, with the same capabilities at first.
 */
#ifndef POSIX_FAMILY_H
#define POSIX_FAMILY_H

void family_wake(void); /* all others: they look again at what they wait for */

#endif
