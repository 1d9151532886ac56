/* SPDX-License-Identifier: MIT */
/*
 * What a service was given, held against what it was written for, at its start.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/start.h>

static const struct start_expected *find(const struct start_expected *list, const char *name)
{
	for (; list->name; list++)
		if (strcmp(list->name, name) == 0)
			return list;
	return NULL;
}

void start_check(const struct start_expected *expected)
{
	struct start_cap cap;

	for (const struct start_expected *e = expected; e->name; e++)
		if (!e->optional && start_cap(e->name) == CAP_NULL)
			log_fatal("it was not given the capability \"%s\", which it needs",
			          e->name);
	for (uint32_t i = 0; start_cap_at(i, &cap); i++) {
		const struct start_expected *e = find(expected, cap.name);

		if (!e)
			log_fatal("it was given a capability \"%s\", which it has no use for",
			          cap.name);
		if (e->interface && cap.interface != e->interface)
			log_fatal("the capability \"%s\" is of another interface", cap.name);
	}
}
