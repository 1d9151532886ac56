/* SPDX-License-Identifier: MIT */
/*
 * Resource limits.  The process service keeps the limits of all members and watches
 * over processes and processor time; the others the library of the process itself keeps, which
 * learns of a change that another process makes when it asks or executes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include <capos/cap.h>

#include "core/core.h"
#include "file/file.h"
#include "memory/memory.h"
#include "process/process.h"
#include "process/world.h"
#include "signal/signal.h"

/* What a process has that is in no world. */
static const struct rlimit alone[RLIM_NLIMITS] = {
        [RLIMIT_CPU] = {RLIM_INFINITY, RLIM_INFINITY},
        [RLIMIT_FSIZE] = {RLIM_INFINITY, RLIM_INFINITY},
        [RLIMIT_DATA] = {RLIM_INFINITY, RLIM_INFINITY},
        [RLIMIT_STACK] = {CAPOS_STACK_SIZE, RLIM_INFINITY},
        [RLIMIT_RSS] = {RLIM_INFINITY, RLIM_INFINITY},
        [RLIMIT_NPROC] = {1, 1},
        [RLIMIT_NOFILE] = {FD_MAX, FD_MAX},
        [RLIMIT_MEMLOCK] = {RLIM_INFINITY, RLIM_INFINITY},
        [RLIMIT_AS] = {RLIM_INFINITY, RLIM_INFINITY},
        [RLIMIT_LOCKS] = {RLIM_INFINITY, RLIM_INFINITY},
        [RLIMIT_SIGPENDING] = {SIGNAL_QUEUE_DEFAULT, SIGNAL_QUEUE_DEFAULT},
        [RLIMIT_MSGQUEUE] = {RLIM_INFINITY, RLIM_INFINITY},
        [RLIMIT_RTTIME] = {RLIM_INFINITY, RLIM_INFINITY},
};

/* ---- Keeping ---- */

/* Tells the rooms that count. */
static void keep(long resource, const struct rlimit *limit)
{
	switch (resource) {
	case RLIMIT_NOFILE:
		fd_set_limit(limit->rlim_cur);
		break;
	case RLIMIT_AS:
		memory_set_limit(limit->rlim_cur);
		break;
	case RLIMIT_DATA:
		memory_set_data_limit(limit->rlim_cur);
		break;
	case RLIMIT_STACK:
		memory_set_stack_limit(limit->rlim_cur);
		break;
	case RLIMIT_FSIZE:
		file_set_size_limit(limit->rlim_cur);
		break;
	case RLIMIT_SIGPENDING:
		signal_set_queue_limit(limit->rlim_cur);
		break;
	}
}

/* Of those that this process keeps itself, as it knows them. */
static struct rlimit known[RLIM_NLIMITS];
static bool is_known;

void limits_restore(const struct rlimit *kept)
{
	memcpy(known, kept, sizeof(known));
	is_known = true;
	for (long i = 0; i < RLIM_NLIMITS; i++) {
		if (known[i].rlim_cur != alone[i].rlim_cur)
			keep(i, &known[i]);
	}
}

void limits_save(struct rlimit *out)
{
	if (!is_known)
		memcpy(known, alone, sizeof(known));
	memcpy(out, known, sizeof(known));
}

static void learn(long resource, const struct rlimit *limit)
{
	if (!is_known)
		memcpy(known, alone, sizeof(known));
	is_known = true;
	if (known[resource].rlim_cur == limit->rlim_cur)
		return;
	known[resource] = *limit;
	keep(resource, limit);
}

/* ---- Asking and changing ---- */

static bool is_own(long pid)
{
	return !pid || pid == (long)process_id();
}

static long get(long pid, long resource, struct rlimit *limit)
{
	long result;

	if (resource < 0 || resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (!world_exists()) {
		*limit = alone[resource];
		return is_own(pid) ? 0 : -ESRCH;
	}
	result = world_get_limit((uint32_t)pid, (uint32_t)resource, limit);
	if (!result && is_own(pid))
		learn(resource, limit);
	return result;
}

uint64_t limits_soft(long resource)
{
	struct rlimit limit;

	return get(0, resource, &limit) ? 0 : limit.rlim_cur;
}

static long set(long pid, long resource, const struct rlimit *limit)
{
	long result;

	if (limit->rlim_cur > limit->rlim_max)
		return -EINVAL;
	/* More descriptors than the table has places there cannot be. */
	if (resource == RLIMIT_NOFILE && limit->rlim_max > FD_MAX)
		return -EPERM;
	result = world_set_limit((uint32_t)pid, (uint32_t)resource, limit);
	if (!result && is_own(pid))
		learn(resource, limit);
	return result;
}

long sys_prlimit64(long pid, long resource, long new, long old)
{
	struct rlimit limit, wanted;
	long result;

	pid = (int)pid;
	if (pid < 0)
		return -ESRCH;
	if (new &&user_get(&wanted, new))
		return -EFAULT;
	result = get(pid, resource, &limit);
	if (!result && new)
		result = set(pid, resource, &wanted);
	if (!result && old && user_put(old, &limit))
		return -EFAULT;
	return result;
}

long sys_getrlimit(long resource, long out)
{
	struct rlimit limit;
	long result = get(0, resource, &limit);

	return result ? result : user_put(out, &limit);
}

long sys_setrlimit(long resource, long in)
{
	struct rlimit wanted;

	if (resource < 0 || resource >= RLIM_NLIMITS)
		return -EINVAL;
	return user_get(&wanted, in) ? -EFAULT : set(0, resource, &wanted);
}
