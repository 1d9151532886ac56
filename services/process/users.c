/* SPDX-License-Identifier: MIT */
/*
 * What the users of members allow: Linux's rules, of credentials(7), kill(2), prlimit(2) and
 * ptrace(2).  Who a member is changes by world_set_users alone.
 */
#include "world.h"

#include <string.h>

#include <capos/schema/status.h>

static bool holds(const struct cap_ids *held, uint32_t id)
{
	return id == held->real || id == held->effective || id == held->saved;
}

/* Whether each that is wanted is one of those held; for files also the present one. */
static bool keeps_within(const struct cap_ids *wanted, const struct cap_ids *held,
                         uint32_t for_files, uint32_t files_now)
{
	return holds(held, wanted->real) && holds(held, wanted->effective) &&
	       holds(held, wanted->saved) && (for_files == files_now || holds(held, for_files));
}

int world_set_users(struct member *m, const struct cap_identity *wanted)
{
	const struct cap_identity *now = &m->identity;

	if (now->user.effective &&
	    (!keeps_within(&wanted->user, &now->user, wanted->file_user, now->file_user) ||
	     !keeps_within(&wanted->group, &now->group, wanted->file_group, now->file_group) ||
	     wanted->ngroups != now->ngroups ||
	     memcmp(wanted->groups, now->groups, now->ngroups * sizeof(*now->groups)) != 0))
		return STATUS_NOT_PERMITTED;
	if (wanted->user.effective != now->user.effective ||
	    wanted->group.effective != now->group.effective)
		m->death_signal = 0; /* it may not be this user's to ask for */
	m->identity = *wanted;
	return STATUS_OK;
}

bool world_may_signal(const struct member *sender, const struct member *m, uint32_t signal)
{
	const struct cap_identity *by = &sender->identity, *to = &m->identity;

	return !by->user.effective || sender == m || by->user.effective == to->user.real ||
	       by->user.effective == to->user.saved || by->user.real == to->user.real ||
	       by->user.real == to->user.saved ||
	       (signal == WORLD_SIGCONT && sender->session == m->session);
}

/* Whether all three users and groups are these. */
static bool is_wholly(const struct cap_identity *id, uint32_t user, uint32_t group)
{
	return id->user.real == user && id->user.effective == user && id->user.saved == user &&
	       id->group.real == group && id->group.effective == group && id->group.saved == group;
}

bool world_may_change(const struct member *caller, const struct member *m)
{
	const struct cap_identity *by = &caller->identity;

	return caller == m || !by->user.effective ||
	       is_wholly(&m->identity, by->user.real, by->group.real);
}

bool world_may_prefer(const struct member *caller, const struct member *m)
{
	const uint32_t by = caller->identity.user.effective;

	return !by || by == m->identity.user.real || by == m->identity.user.effective;
}

bool world_may_look(const struct member *caller, const struct member *m)
{
	const struct cap_identity *by = &caller->identity;

	return caller == m || !by->user.effective ||
	       is_wholly(&m->identity, by->file_user, by->file_group);
}
