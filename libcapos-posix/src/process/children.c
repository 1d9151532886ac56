/* SPDX-License-Identifier: MIT */
/*
 * The places that children have in what relatives share: given up when a child has ended, however
 * it did.
 */
#include <string.h>

#include <capos/cap.h>

#include "core/core.h"
#include "process/children.h"
#include "process/process.h"

static struct child children[FAMILY_MEMBERS];
static bool changed;

struct child *children_new(void)
{
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		if (!c->process)
			return c;
	}
	return NULL;
}

void children_changed(void)
{
	changed = true;
}

bool children_look(void)
{
	struct cap_process status;

	if (!changed)
		return false;
	changed = false;
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		if (!c->process || cap_process_status_of(c->process, &status) || status.alive)
			continue;
		family_leave(c->membership);
		cap_release(c->process);
		*c = (struct child){.process = CAP_NULL};
	}
	family_wake(); /* for those who wait for what an ended one held */
	return true;
}

void children_forked(void)
{
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		cap_release(c->process);
		*c = (struct child){.process = CAP_NULL};
	}
	changed = false;
}

void children_save(struct children_state *state)
{
	memcpy(state->children, children, sizeof(children));
}

void children_restore(const struct children_state *state)
{
	memcpy(children, state->children, sizeof(children));
	changed = true;
}
