/* SPDX-License-Identifier: MIT */
/*
 * What the other rooms may use of time: timers that post signals, across fork and exec.
 */
#ifndef POSIX_TIME_H
#define POSIX_TIME_H

#include <stdint.h>

#include <capos/abi.h>

#include "signal/signal.h"

/* What the signal room asks (signal_set_timers). */
void timers_look(void);
void timers_taken(int signal, struct signal_origin *origin);

void timers_forked(void); /* in the child: it has no timers */

/* After exec: 0 or -errno. */
struct carried;
struct file;
int timerfd_restore(const struct carried *in, struct file **out);

/* The interval timers go on across exec. */
struct timers_state {
	cap_t timer;
	struct {
		uint64_t deadline, interval, waiting;
	} interval[3];
};
void timers_save(struct timers_state *state);
void timers_restore(const struct timers_state *state);

#endif
