/* SPDX-License-Identifier: MIT */
/*
 * Relatives as a list: process numbers are never used twice, so an entry names the same process for
 * as long as it stands.  Those that have ended are dropped when they are met or room is needed.
 */
#include <errno.h>
#include <stddef.h>

#include <capos/cap.h>

#include "process/relatives.h"
#include "signal/signal.h"

static struct relatives_state relatives;

static bool is_alive(const struct relative *r)
{
	struct cap_process status;

	return !cap_process_status_of(r->process, &status) && status.alive;
}

static void drop(struct relative *r)
{
	cap_release(r->process);
	cap_release(r->signals);
	*r = (struct relative){0};
}

static struct relative *free_place(void)
{
	struct relative *end = relatives.list + FAMILY_MEMBERS;

	for (struct relative *r = relatives.list; r < end; r++) {
		if (!r->pid)
			return r;
	}
	for (struct relative *r = relatives.list; r < end; r++) {
		if (is_alive(r))
			continue;
		drop(r);
		return r;
	}
	return NULL;
}

void relatives_add(uint64_t pid, cap_t process, cap_t signals)
{
	struct relative added = {.pid = pid, .process = process, .signals = signals};
	struct relative *place = free_place();

	if (place)
		*place = added;
	else
		drop(&added);
}

long relatives_signal(uint64_t pid, int signal)
{
	for (struct relative *r = relatives.list; r < relatives.list + FAMILY_MEMBERS; r++) {
		if (!r->pid || r->pid != pid)
			continue;
		if (is_alive(r))
			return signal ? errno_of(cap_signal(r->signals, SIGNAL_BIT(signal))) : 0;
		drop(r);
		break;
	}
	return -ESRCH;
}

void relatives_save(struct relatives_state *state)
{
	*state = relatives;
}

void relatives_restore(const struct relatives_state *state)
{
	relatives = *state;
}
