/* SPDX-License-Identifier: MIT */
/*
 * Who may use a System V object, as svipc(7) has it: by the caller's effective user and groups.
 */
#include "world.h"

static bool has_group(const struct cap_identity *who, uint32_t group)
{
	if (who->group.effective == group)
		return true;
	for (uint32_t i = 0; i < who->ngroups; i++)
		if (who->groups[i] == group)
			return true;
	return false;
}

bool sysv_owns(const struct member *m, const struct sysv_object *o)
{
	const uint32_t user = m->identity.user.effective;

	return !user || user == o->user || user == o->creator_user;
}

bool sysv_allows(const struct member *m, const struct sysv_object *o, uint32_t access)
{
	const struct cap_identity *who = &m->identity;
	uint32_t granted = o->mode;

	if (!who->user.effective)
		return true;
	if (who->user.effective == o->user || who->user.effective == o->creator_user)
		granted >>= 6;
	else if (has_group(who, o->group) || has_group(who, o->creator_group))
		granted >>= 3;
	return !(access & ~granted & 7);
}
