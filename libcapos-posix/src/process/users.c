/* SPDX-License-Identifier: MIT */
/*
 * Users and groups of this process, by Linux's rules (credentials(7)).  The process service checks
 * each change and labels the process, which is what servers go by; what is kept here only answers
 * questions.
 *
 * No program gains a user by execve: set-id bits are names, as on a file system mounted nosuid.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include <capos/identity.h>
#include <capos/schema/process_client.h>

#include "core/core.h"
#include "process/process.h"
#include "process/world.h"

#define IDENTITY_MESSAGE (sizeof(struct cap_identity) + 128u)
#define KEEP             ((uint32_t)-1)

long sys_getuid(void)
{
	return process_identity()->user.real;
}

long sys_geteuid(void)
{
	return process_identity()->user.effective;
}

long sys_getgid(void)
{
	return process_identity()->group.real;
}

long sys_getegid(void)
{
	return process_identity()->group.effective;
}

static long give_ids(const struct cap_ids *ids, long real, long effective, long saved)
{
	return user_put(real, &ids->real) || user_put(effective, &ids->effective) ||
	                       user_put(saved, &ids->saved)
	               ? -EFAULT
	               : 0;
}

long sys_getresuid(long real, long effective, long saved)
{
	return give_ids(&process_identity()->user, real, effective, saved);
}

long sys_getresgid(long real, long effective, long saved)
{
	return give_ids(&process_identity()->group, real, effective, saved);
}

/* ---- Changes ---- */

static int ask(const struct cap_identity *wanted)
{
	_Alignas(8) uint8_t buffer[IDENTITY_MESSAGE];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	const struct process_member_set_users_params params = {
	        .identity = {(const void *)wanted, (uint32_t)cap_identity_size(wanted)}};

	return process_member_set_users(world_member(), &params, &call);
}

static long become(const struct cap_identity *wanted)
{
	int result;

	if (!memcmp(wanted, process_identity(), sizeof(*wanted)))
		return 0;
	if (!world_exists())
		return -EPERM;
	do {
		result = ask(wanted);
	} while (world_again(result));
	if (result)
		return world_errno(result, -EPERM);
	process_set_identity(wanted);
	return 0;
}

/* As become; what the process has in memory may be another user's then. */
static long change_to(const struct cap_identity *wanted)
{
	const struct cap_identity before = *process_identity();
	const bool for_files =
	        wanted->file_user != before.file_user || wanted->file_group != before.file_group;
	long result = become(wanted);

	if (result)
		return result;
	if (for_files || wanted->user.effective != before.user.effective ||
	    wanted->group.effective != before.group.effective)
		process_set_dumpable(false);
	/* The service does so where the effective ids change, and not for files alone, since
	 * access() changes those as well. */
	if (for_files)
		(void)world_set_death_signal(0);
	return 0;
}

static bool holds(const struct cap_ids *ids, uint32_t id)
{
	return id == ids->real || id == ids->effective || id == ids->saved;
}

/* Of one of the two kinds; the service looks again, but not at each call's own rules. */
struct change {
	struct cap_identity wanted;
	struct cap_ids *ids; /* in wanted */
	uint32_t *for_files; /* in wanted */
	bool any;            /* user 0 in effect */
};

static void begin(struct change *c, bool groups)
{
	c->wanted = *process_identity();
	c->ids = groups ? &c->wanted.group : &c->wanted.user;
	c->for_files = groups ? &c->wanted.file_group : &c->wanted.file_user;
	c->any = !process_identity()->user.effective;
}

static long finish(struct change *c)
{
	*c->for_files = c->ids->effective;
	return change_to(&c->wanted);
}

static long set_one(long number, bool groups)
{
	const uint32_t id = (uint32_t)number;
	struct change c;

	begin(&c, groups);
	if (id == KEEP)
		return -EINVAL;
	if (c.any)
		*c.ids = (struct cap_ids){id, id, id};
	else if (id == c.ids->real || id == c.ids->saved)
		c.ids->effective = id;
	else
		return -EPERM;
	return finish(&c);
}

static long set_two(long real_number, long effective_number, bool groups)
{
	const uint32_t real = (uint32_t)real_number, effective = (uint32_t)effective_number;
	struct cap_ids before;
	struct change c;

	begin(&c, groups);
	before = *c.ids;
	if (!c.any && ((real != KEEP && real != before.real && real != before.effective) ||
	               (effective != KEEP && !holds(&before, effective))))
		return -EPERM;
	if (real != KEEP)
		c.ids->real = real;
	if (effective != KEEP)
		c.ids->effective = effective;
	if (real != KEEP || (effective != KEEP && effective != before.real))
		c.ids->saved = c.ids->effective;
	return finish(&c);
}

static long set_three(long real_number, long effective_number, long saved_number, bool groups)
{
	const uint32_t real = (uint32_t)real_number, effective = (uint32_t)effective_number;
	const uint32_t saved = (uint32_t)saved_number;
	struct change c;

	begin(&c, groups);
	if (!c.any && ((real != KEEP && !holds(c.ids, real)) ||
	               (effective != KEEP && !holds(c.ids, effective)) ||
	               (saved != KEEP && !holds(c.ids, saved))))
		return -EPERM;
	if (real != KEEP)
		c.ids->real = real;
	if (effective != KEEP)
		c.ids->effective = effective;
	if (saved != KEEP)
		c.ids->saved = saved;
	return finish(&c);
}

/* Answers the id that was in force, whether it could be set or not. */
static long set_for_files(long number, bool groups)
{
	const uint32_t id = (uint32_t)number;
	struct change c;
	uint32_t before;

	begin(&c, groups);
	before = *c.for_files;
	if (id != KEEP && (c.any || holds(c.ids, id))) {
		*c.for_files = id;
		(void)change_to(&c.wanted);
	}
	return before;
}

void users_for_files(uint32_t user, uint32_t group)
{
	struct cap_identity wanted = *process_identity();

	wanted.file_user = user;
	wanted.file_group = group;
	(void)become(&wanted);
}

long sys_setuid(long id)
{
	return set_one(id, false);
}

long sys_setgid(long id)
{
	return set_one(id, true);
}

long sys_setreuid(long real, long effective)
{
	return set_two(real, effective, false);
}

long sys_setregid(long real, long effective)
{
	return set_two(real, effective, true);
}

long sys_setresuid(long real, long effective, long saved)
{
	return set_three(real, effective, saved, false);
}

long sys_setresgid(long real, long effective, long saved)
{
	return set_three(real, effective, saved, true);
}

long sys_setfsuid(long id)
{
	return set_for_files(id, false);
}

long sys_setfsgid(long id)
{
	return set_for_files(id, true);
}

/* ---- Supplementary groups ---- */

long sys_getgroups(long size, long list)
{
	const struct cap_identity *own = process_identity();

	if ((int)size < 0)
		return -EINVAL;
	if (!(int)size)
		return own->ngroups;
	if ((uint32_t)size < own->ngroups)
		return -EINVAL;
	return user_write(list, own->groups, own->ngroups * sizeof(own->groups[0]))
	               ? -EFAULT
	               : (long)own->ngroups;
}

/* As Linux keeps them: in order. */
static void sort(uint32_t *list, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		const uint32_t id = list[i];
		uint32_t at = i;

		for (; at && list[at - 1] > id; at--)
			list[at] = list[at - 1];
		list[at] = id;
	}
}

long sys_setgroups(long size, long list)
{
	struct cap_identity wanted = *process_identity();

	if (wanted.user.effective)
		return -EPERM;
	if (size < 0 || size > CAP_GROUPS_MAX)
		return -EINVAL;
	memset(wanted.groups, 0, sizeof(wanted.groups));
	if (user_read(wanted.groups, list, (size_t)size * sizeof(wanted.groups[0])))
		return -EFAULT;
	for (long i = 0; i < size; i++)
		if (wanted.groups[i] == KEEP)
			return -EINVAL;
	wanted.ngroups = (uint32_t)size;
	sort(wanted.groups, wanted.ngroups);
	return become(&wanted);
}

/* ---- Others ---- */

long world_users(uint32_t number, struct cap_identity *out)
{
	_Alignas(8) uint8_t buffer[IDENTITY_MESSAGE];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	const struct process_member_users_params params = {.number = number};
	struct process_member_users_results results;
	int result;

	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_users(world_member(), &params, &results, &call);
	} while (world_again(result));
	if (result)
		return world_errno(result, -ESRCH);
	return cap_identity_read(out, results.identity.ptr, results.identity.len) ? 0 : -EIO;
}

/* ---- exec ---- */

void users_executed(void)
{
	struct cap_identity own = *process_identity();

	own.user.saved = own.file_user = own.user.effective;
	own.group.saved = own.file_group = own.group.effective;
	(void)become(&own); /* within what it has: refused by no service that is there */
}
