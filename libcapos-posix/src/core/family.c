/* SPDX-License-Identifier: MIT */
/*
 * What processes that come from each other by fork have in common: the event that wakes them.
 */
#include <capos/cap.h>

#include "core/family.h"
#include "core/wait.h"

void family_wake(void)
{
	if (process_event())
		cap_signal(process_event(), PROCESS_WAKE_BITS);
}
