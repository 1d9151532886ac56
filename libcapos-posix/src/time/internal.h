/* SPDX-License-Identifier: MIT */
/*
 * Timers of this process that post signals, and the clocks that they run by.
 */
#ifndef POSIX_TIME_INTERNAL_H
#define POSIX_TIME_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "signal/signal.h"

#define NS_PER_SECOND 1000000000ll

/* ---- Clocks ---- */

enum clock_kind {
	CLOCK_KIND_MONOTONIC,
	CLOCK_KIND_REALTIME,
	CLOCK_KIND_CPU, /* of this process */
};

/* 0, or why there is no such clock. */
int clock_kind_of(long clock, enum clock_kind *kind);
/* A clock's time in nanoseconds.  -EINVAL: it cannot be told. */
int clock_read(enum clock_kind kind, int64_t *ns);

/* ---- Timers ---- */

struct timer {
	/* Where it runs to: monotonic, or processor time; 0: it does not run. */
	uint64_t deadline;
	uint64_t interval; /* 0: once */
	bool cpu;          /* by the processor time of this process */
	bool realtime;     /* its absolute times are the time of day */
	/* Its signal has been posted and not been delivered: it goes on, by as many intervals as
	 * have passed, when that is. */
	bool waiting;
	bool silent; /* nothing is posted: the program looks at it */
	int signal;
	struct signal_origin origin;
	struct signal_thread *to; /* NULL: the process */
	uint32_t overrun;         /* intervals that passed before the last delivery */
	struct timer *next;       /* among all that run or wait */
};

extern cap_t timers_kernel; /* by which all run; CAP_NULL: none was needed */

/* Sets it to run for so long, 0: to stop.  0 or -errno: there is no Timer to run it by. */
int timer_set(struct timer *t, uint64_t ns, uint64_t interval);
/* To a deadline by its own clock. */
int timer_set_until(struct timer *t, uint64_t deadline, uint64_t interval);
/* What is left and what comes then; 0: it does not run. */
void timer_left(struct timer *t, uint64_t *ns, uint64_t *interval);

/* posix_timer.c: of the timer that a program made under that number; NULL: none such. */
struct timer *posix_timer_of(int number);
void posix_timers_forget(void);

#endif
