/* SPDX-License-Identifier: MIT */
/*
 * Resource limits and priorities.  The process service keeps the limits of all members and watches
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
        [RLIMIT_STACK] = {CAPOS_STACK_SIZE, CAPOS_STACK_SIZE},
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

/* ---- Priorities: all programs are of one; a nice value is kept and says nothing ---- */

#define NICE_MAX 19
#define NICE_MIN (-20)

static int nice_value;

/* Whether the call names this process alone, which is all that is known here. */
static long check_who(long which, long who)
{
	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	if (which == PRIO_PROCESS && !is_own((int)who))
		return -ESRCH;
	return 0;
}

int nice_save(void)
{
	return nice_value;
}

void nice_restore(int kept)
{
	nice_value = kept;
}

long sys_getpriority(long which, long who)
{
	long result = check_who(which, who);

	return result ? result : 20 - nice_value;
}

long sys_setpriority(long which, long who, long value)
{
	long result = check_who(which, who);

	if (result)
		return result;
	if ((int)value != nice_value)
		(void)absent(ABSENT_NICE);
	nice_value = (int)value;
	if (nice_value > NICE_MAX)
		nice_value = NICE_MAX;
	if (nice_value < NICE_MIN)
		nice_value = NICE_MIN;
	return 0;
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

long sys_sched_getscheduler(long pid)
{
	int result = check_scheduled(pid);

	return result ? result : SCHED_OTHER;
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

long sys_sched_setscheduler(long pid, long policy, long in)
{
	int priority, result = check_scheduled(pid);

	if (result || !in)
		return !in ? -EINVAL : result;
	if (user_get(&priority, in))
		return -EFAULT;
	policy &= ~(long)SCHED_RESET_ON_FORK; /* a child has no other policy anyway */
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return priority < 1 || priority > REALTIME_MAX ? -EINVAL : -EPERM;
	if (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)
		return -EINVAL;
	return priority ? -EINVAL : 0;
}

long sys_sched_setparam(long pid, long in)
{
	return sys_sched_setscheduler(pid, SCHED_OTHER, in);
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
