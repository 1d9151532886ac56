/* SPDX-License-Identifier: MIT */
/*
 * Priorities, scheduling policies and the one processor.  All programs are of one priority: what
 * is set is kept by the process service, for others to read, and has no effect.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <capos/schema/process_client.h>

#include "core/core.h"
#include "process/process.h"
#include "process/world.h"
#include "signal/signal.h"

/* Of a process without a world. */
static struct {
	int nice;
	uint32_t policy;
	bool forgets;
} alone;

/* Whether it names this process, or a thread of it. */
static bool is_own_number(long pid)
{
	return !(int)pid || (uint32_t)pid == process_id() || threads_find((uint32_t)pid);
}

/* ---- Nice values ---- */

#define NICE_MAX 19
#define NICE_MIN (-20)

/* Whom a call means.  There is one user, 0.  0, -EINVAL or -ESRCH. */
static int whom(long which, long who, uint16_t *kind, uint32_t *id)
{
	*id = (uint32_t)who;
	switch (which) {
	case PRIO_PROCESS:
		*kind = PROCESS_MEMBER_WHICH_PROCESS;
		if (is_own_number(who))
			*id = 0;
		break;
	case PRIO_PGRP:
		*kind = PROCESS_MEMBER_WHICH_GROUP;
		break;
	case PRIO_USER:
		*kind = PROCESS_MEMBER_WHICH_ANY;
		return (int)who ? -ESRCH : 0;
	default:
		return -EINVAL;
	}
	return (int)who < 0 || (!world_exists() && *id) ? -ESRCH : 0;
}

long sys_getpriority(long which, long who)
{
	struct process_member_nice_params params;
	struct process_member_nice_results results = {.nice = alone.nice};
	int result = whom(which, who, &params.which_, &params.id);

	if (result)
		return result;
	if (!world_exists())
		return 20 - alone.nice;
	do {
		result = process_member_nice(world_member(), &params, &results, NULL);
	} while (world_again(result));
	return result ? world_errno(result, -ESRCH) : 20 - results.nice;
}

long sys_setpriority(long which, long who, long value)
{
	struct process_member_set_nice_params params = {.nice = (int)value};
	int result = whom(which, who, &params.which_, &params.id);

	if (result)
		return result;
	if ((int)value)
		(void)absent(ABSENT_NICE);
	if (!world_exists()) {
		alone.nice = (int)value < NICE_MIN   ? NICE_MIN
		             : (int)value > NICE_MAX ? NICE_MAX
		                                     : (int)value;
		return 0;
	}
	do {
		result = process_member_set_nice(world_member(), &params, NULL);
	} while (world_again(result));
	return world_errno(result, -ESRCH);
}

/* ---- Processors: there is one ---- */

/* The process or thread that a scheduler's call names; 0 is the caller.  0 or -errno. */
static int check_scheduled(long pid)
{
	if ((int)pid < 0)
		return -EINVAL;
	if (!(int)pid || (int)pid == sys_gettid() || threads_find((uint64_t)pid))
		return 0;
	return sys_kill(pid, 0) == -ESRCH ? -ESRCH : 0;
}

long sys_sched_getaffinity(long pid, long size, long mask)
{
	const uint64_t one = 1;

	if ((int)pid < 0)
		return -EINVAL;
	if (size < (long)sizeof(one) || size % (long)sizeof(one))
		return -EINVAL;
	if (check_scheduled(pid))
		return -ESRCH;
	return user_put(mask, &one) ? -EFAULT : (long)sizeof(one);
}

long sys_sched_setaffinity(long pid, long size, long mask)
{
	uint8_t first;

	if ((int)pid < 0 || size < 1)
		return -EINVAL;
	if (user_get(&first, mask))
		return -EFAULT;
	if (check_scheduled(pid))
		return -ESRCH;
	return first & 1 ? 0 : -EINVAL;
}

long sys_getcpu(long cpu, long node)
{
	const unsigned zero = 0;

	if ((cpu && user_put(cpu, &zero)) || (node && user_put(node, &zero)))
		return -EFAULT;
	return 0;
}

/* ---- Policies: kept and told ---- */

/* The number that the process service knows it by: a thread has its process's.  0: the caller. */
static uint32_t process_of(long pid)
{
	return is_own_number(pid) ? 0 : (uint32_t)pid;
}

static int get_policy(long pid, struct process_member_policy_results *out)
{
	const struct process_member_policy_params params = {.number = process_of(pid)};
	int result;

	*out = (struct process_member_policy_results){.policy = alone.policy,
	                                              .forgets = alone.forgets};
	if (!world_exists())
		return 0;
	do {
		result = process_member_policy(world_member(), &params, out, NULL);
	} while (world_again(result));
	return (int)world_errno(result, -ESRCH);
}

static int set_policy(long pid, uint32_t policy, bool forgets)
{
	const struct process_member_set_policy_params params = {
	        .number = process_of(pid), .policy = policy, .forgets = forgets};
	int result;

	if (!world_exists()) {
		alone.policy = policy;
		alone.forgets = forgets;
		return 0;
	}
	do {
		result = process_member_set_policy(world_member(), &params, NULL);
	} while (world_again(result));
	return (int)world_errno(result, -ESRCH);
}

long sys_sched_getscheduler(long pid)
{
	struct process_member_policy_results now;
	int result = check_scheduled(pid);

	if (!result)
		result = get_policy(pid, &now);
	if (result)
		return result;
	return (long)now.policy | (now.forgets ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_rr_get_interval(long pid, long out)
{
	const struct timespec slice = {.tv_nsec = CAPOS_SLICE_NS};
	int result = check_scheduled(pid);

	return result ? result : user_put(out, &slice);
}

long sys_sched_getparam(long pid, long out)
{
	const struct sched_param param = {.sched_priority = 0};
	int result = check_scheduled(pid);

	if (result || !out)
		return !out ? -EINVAL : result;
	return user_write(out, &param.sched_priority, sizeof(param.sched_priority));
}

#define REALTIME_MAX 99 /* priorities of Linux's real-time policies */

static int check_priority(long policy, int priority)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return priority < 1 || priority > REALTIME_MAX ? -EINVAL : -EPERM;
	if (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)
		return -EINVAL;
	return priority ? -EINVAL : 0;
}

long sys_sched_setscheduler(long pid, long policy, long in)
{
	const bool forgets = policy & SCHED_RESET_ON_FORK;
	int priority, result = check_scheduled(pid);

	if (result || !in)
		return !in ? -EINVAL : result;
	if (user_get(&priority, in))
		return -EFAULT;
	policy &= ~(long)SCHED_RESET_ON_FORK;
	result = check_priority(policy, priority);
	return result ? result : set_policy(pid, (uint32_t)policy, forgets);
}

long sys_sched_setparam(long pid, long in)
{
	struct process_member_policy_results now;
	int priority, result = check_scheduled(pid);

	if (result || !in)
		return !in ? -EINVAL : result;
	if (user_get(&priority, in))
		return -EFAULT;
	result = get_policy(pid, &now);
	return result ? result : check_priority((long)now.policy, priority);
}

static long priority_of(long policy, long realtime)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return realtime;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_sched_get_priority_max(long policy)
{
	return priority_of(policy, 99);
}

long sys_sched_get_priority_min(long policy)
{
	return priority_of(policy, 1);
}
