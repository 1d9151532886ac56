/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of time: ITIMER_REAL across fork and exec.
 */
#ifndef POSIX_TIME_H
#define POSIX_TIME_H

#include <capos/abi.h>

void itimer_forked(void); /* in the child: it has no timer */
cap_t itimer_timer(void);
void itimer_restore(cap_t carried);

#endif
