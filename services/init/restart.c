/* SPDX-License-Identifier: MIT */
/*
 * The decision, and the delay: each is twice the one before.
 */
#include "restart.h"

static uint64_t delay_after(uint32_t count)
{
	uint64_t delay = RESTART_DELAY_FIRST;

	while (count-- && delay < RESTART_DELAY_MAX)
		delay *= 2;
	return delay < RESTART_DELAY_MAX ? delay : RESTART_DELAY_MAX;
}

bool restart_decide(struct restart *r, const struct plan_service *service, uint64_t now,
                    uint64_t *due)
{
	if (now - r->started_ns >= RESTART_MENDED)
		r->count = 0;
	if (service->restart == SERVICE_RESTART_NEVER ||
	    (service->restart == SERVICE_RESTART_LIMITED && r->count >= service->restart_limit))
		return false;
	*due = now + delay_after(r->count++);
	return true;
}
