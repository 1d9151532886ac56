/* SPDX-License-Identifier: MIT */
/*
 * Time from the clock page.
 */
#include <capos/cap.h>

#include "clock_read.h"

uint64_t cap_now(void)
{
	int64_t offset;

	return clock_read(&offset);
}

int64_t cap_realtime(void)
{
	int64_t offset;
	uint64_t now = clock_read(&offset);

	return (int64_t)now + offset;
}
