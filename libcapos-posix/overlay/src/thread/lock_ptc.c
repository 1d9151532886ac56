/* SPDX-License-Identifier: MIT */
/*
 * What keeps threads from being made: fork and dlopen inhibit, those that make threads acquire.
 * Who inhibits holds the gate from before it waits for those that are at it, so that others who
 * come cannot keep it waiting.
 */
/* Before lock.h, which needs it. */
#include "pthread_impl.h"

#include "lock.h"

static volatile int gate[1];
static volatile int makers;   /* goes up under the gate only */
static volatile int inhibits; /* a thread waits until there are none */

void __acquire_ptc(void)
{
	LOCK(gate);
	a_inc(&makers);
	UNLOCK(gate);
}

void __inhibit_ptc(void)
{
	int now;

	LOCK(gate);
	a_store(&inhibits, 1);
	while ((now = makers))
		__futexwait(&makers, now, 1);
	a_store(&inhibits, 0);
}

/* By either; no one makes threads while another inhibits. */
void __release_ptc(void)
{
	if (!makers)
		UNLOCK(gate);
	else if (a_fetch_add(&makers, -1) == 1 && inhibits)
		__wake(&makers, 1, 1);
}
