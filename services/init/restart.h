/* SPDX-License-Identifier: MIT */
/*
 * When a service that ended is started again: the manifest's word for it, with a delay that grows
 * while the service keeps ending, so that a service that cannot run takes no time from others.
 * Pure.
 */
#ifndef INIT_RESTART_H
#define INIT_RESTART_H

#include "plan.h"

/* Nanoseconds.  The values that schema/manifest.capnp promises. */
#define RESTART_DELAY_FIRST 10000000ull
#define RESTART_DELAY_MAX   5000000000ull
#define RESTART_MENDED      60000000000ull

struct restart {
	uint32_t count;      /* starts after an end, since it last ran for RESTART_MENDED */
	uint64_t started_ns; /* monotonic; set when it is started */
};

/* The service has ended, at now.  True: it is to be started at *due.  False: its end is final. */
bool restart_decide(struct restart *r, const struct plan_service *service, uint64_t now,
                    uint64_t *due);

#endif
