/* SPDX-License-Identifier: MIT */
/*
 * Priorities, scheduling policies and the one processor.  The kernel schedules the threads of a
 * program among each other, and takes from its own process whatever it says; what Linux would
 * refuse is refused here.  Other processes are asked about by way of the process service.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <capos/object.h>
#include <capos/identity.h>
#include <capos/schema/process_client.h>

#include "core/core.h"
#include "process/process.h"
#include "process/world.h"
#include "signal/signal.h"

/* ---- Whom a call means ---- */

struct target {
	bool own;
	uint64_t thread; /* own: as the kernel knows it, 0: the first */
	uint32_t process;
};

/* 0: the calling thread.  0, -EINVAL or -ESRCH. */
static int find_target(long pid, struct target *out)
{
	const struct posix_thread *t;

	pid = (int)pid;
	if (pid < 0)
		return -EINVAL;
	t = pid ? threads_find((uint64_t)pid) : thread_self();
	*out = (struct target){.own = t || pid == (long)process_id(),
	                       .thread = t ? t->kernel_id : 0,
	                       .process = (uint32_t)pid};
	return out->own || world_exists() ? 0 : -ESRCH;
}

static int scheduling_of_own(uint64_t thread, struct capos_scheduling *out)
{
	return (int)errno_of(cap_thread_scheduling(thread, out));
}

/* Of either kind. */
static int scheduling_of(const struct target *target, struct capos_scheduling *out)
{
	const struct process_member_policy_params params = {.number = target->process};
	struct process_member_policy_results others = {.policy = 0};
	int result;

	if (target->own)
		return scheduling_of_own(target->thread, out);
	do {
		result = process_member_policy(world_member(), &params, &others, NULL);
	} while (world_again(result));
	*out = (struct capos_scheduling){.policy = (uint8_t)others.policy,
	                                 .priority = (uint8_t)others.priority,
	                                 .nice = others.nice,
	                                 .resets = others.forgets};
	return (int)world_errno(result, -ESRCH);
}

/* What RLIMIT_NICE or RLIMIT_RTPRIO allows; the superuser everything. */
static bool limit_allows(int resource, long value)
{
	return !process_identity()->user.effective || (uint64_t)value <= limits_soft(resource);
}

/* ---- Nice values ---- */

/* Members of the world.  0, -EINVAL or -ESRCH. */
static int whom(long which, long who, uint16_t *kind, uint32_t *id)
{
	*id = (uint32_t)who;
	switch (which) {
	case PRIO_PROCESS:
		*kind = PROCESS_MEMBER_WHICH_PROCESS;
		break;
	case PRIO_PGRP:
		*kind = PROCESS_MEMBER_WHICH_GROUP;
		break;
	case PRIO_USER:
		*kind = PROCESS_MEMBER_WHICH_ANY;
		return 0;
	default:
		return -EINVAL;
	}
	return (int)who < 0 ? -ESRCH : 0;
}

/* Whether it means one thread of this process: all that it can mean without a world. */
static bool is_own_thread(long which, long who, struct target *target)
{
	if (which != PRIO_PROCESS && world_exists())
		return false;
	return !find_target(which == PRIO_PROCESS ? who : 0, target) && target->own;
}

long sys_getpriority(long which, long who)
{
	struct process_member_nice_params params;
	struct process_member_nice_results results = {.nice = 0};
	struct capos_scheduling now;
	struct target target;
	int result = whom(which, who, &params.which_, &params.id);

	if (result)
		return result;
	if (is_own_thread(which, who, &target)) {
		result = scheduling_of_own(target.thread, &now);
		return result ? result : CAPOS_NICE_MAX + 1 - now.nice;
	}
	if (!world_exists())
		return -ESRCH;
	do {
		result = process_member_nice(world_member(), &params, &results, NULL);
	} while (world_again(result));
	return result ? world_errno(result, -ESRCH) : CAPOS_NICE_MAX + 1 - results.nice;
}

static long set_own_nice(uint64_t thread, int nice)
{
	struct capos_scheduling now;
	int result = scheduling_of_own(thread, &now);

	if (result)
		return result;
	if (nice < now.nice && !limit_allows(RLIMIT_NICE, CAPOS_NICE_MAX + 1 - nice))
		return -EACCES;
	return errno_of(cap_thread_set_nice(thread, nice));
}

long sys_setpriority(long which, long who, long value)
{
	const int nice = (int)value < CAPOS_NICE_MIN   ? CAPOS_NICE_MIN
	                 : (int)value > CAPOS_NICE_MAX ? CAPOS_NICE_MAX
	                                               : (int)value;
	struct process_member_set_nice_params params = {.nice = nice};
	struct target target;
	int result = whom(which, who, &params.which_, &params.id);

	if (result)
		return result;
	if (is_own_thread(which, who, &target))
		return set_own_nice(target.thread, nice);
	if (!world_exists())
		return -ESRCH;
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

	if (size < (long)sizeof(one) || size % (long)sizeof(one))
		return -EINVAL;
	if (check_scheduled(pid))
		return -ESRCH;
	return user_put(mask, &one) ? -EFAULT : (long)sizeof(one);
}

/* Whether the caller may say where it runs. */
static bool may_place(long pid)
{
	const uint32_t by = process_identity()->user.effective;
	struct cap_identity whose;

	if (!by || !(int)pid || threads_find((uint64_t)pid) || world_users((uint32_t)pid, &whose))
		return true;
	return by == whose.user.real || by == whose.user.effective;
}

long sys_sched_setaffinity(long pid, long size, long mask)
{
	uint8_t first;

	if (size < 1)
		return -EINVAL;
	if (user_get(&first, mask))
		return -EFAULT;
	if (check_scheduled(pid))
		return -ESRCH;
	if (!may_place(pid))
		return -EPERM;
	return first & 1 ? 0 : -EINVAL;
}

long sys_getcpu(long cpu, long node)
{
	const unsigned zero = 0;

	if ((cpu && user_put(cpu, &zero)) || (node && user_put(node, &zero)))
		return -EFAULT;
	return 0;
}

/* ---- Policies ---- */

static bool is_realtime(long policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_valid(long policy, int priority)
{
	if (is_realtime(policy))
		return priority >= 1 && priority <= CAPOS_REALTIME_MAX;
	return (policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE) &&
	       !priority;
}

/* By Linux's rules, of a user other than the superuser too. */
static bool may_change(const struct capos_scheduling *now, long policy, int priority, bool resets)
{
	if (!process_identity()->user.effective)
		return true;
	if (now->resets && !resets)
		return false;
	if (now->policy == SCHED_IDLE && policy != SCHED_IDLE)
		return limit_allows(RLIMIT_NICE, CAPOS_NICE_MAX + 1 - now->nice);
	if (!is_realtime(policy))
		return true;
	return (policy == now->policy || limit_allows(RLIMIT_RTPRIO, 1)) &&
	       (priority <= now->priority || limit_allows(RLIMIT_RTPRIO, priority));
}

static long set_own_policy(uint64_t thread, long policy, int priority, bool resets)
{
	const struct capos_scheduling wanted = {
	        .policy = (uint8_t)policy, .priority = (uint8_t)priority, .resets = resets};
	struct capos_scheduling now;
	int result = scheduling_of_own(thread, &now);

	if (result)
		return result;
	return may_change(&now, policy, priority, resets)
	               ? errno_of(cap_thread_set_policy(thread, &wanted))
	               : -EPERM;
}

static long set_policy(const struct target *target, long policy, int priority, bool resets)
{
	const struct process_member_set_policy_params params = {.number = target->process,
	                                                        .policy = (uint32_t)policy,
	                                                        .priority = (uint32_t)priority,
	                                                        .forgets = resets};
	int result;

	if (!is_valid(policy, priority))
		return -EINVAL;
	if (target->own)
		return set_own_policy(target->thread, policy, priority, resets);
	do {
		result = process_member_set_policy(world_member(), &params, NULL);
	} while (world_again(result));
	return world_errno(result, -ESRCH);
}

/* How what a call names is scheduled. */
static int look(long pid, struct target *target, struct capos_scheduling *now)
{
	int result = find_target(pid, target);

	return result ? result : scheduling_of(target, now);
}

long sys_sched_getscheduler(long pid)
{
	struct capos_scheduling now;
	struct target target;
	int result = look(pid, &target, &now);

	return result ? result : now.policy | (now.resets ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_rr_get_interval(long pid, long out)
{
	struct capos_scheduling now;
	struct target target;
	struct timespec slice = {.tv_nsec = CAPOS_SLICE_NS};
	int result = look(pid, &target, &now);

	if (now.policy == SCHED_FIFO)
		slice.tv_nsec = 0; /* it has none */
	return result ? result : user_put(out, &slice);
}

long sys_sched_getparam(long pid, long out)
{
	struct capos_scheduling now;
	struct target target;
	int result = look(pid, &target, &now);
	struct sched_param param = {.sched_priority = 0};

	if (result || !out)
		return !out ? -EINVAL : result;
	param.sched_priority = now.priority;
	return user_write(out, &param.sched_priority, sizeof(param.sched_priority));
}

long sys_sched_setscheduler(long pid, long policy, long in)
{
	const bool resets = policy & SCHED_RESET_ON_FORK;
	struct capos_scheduling now;
	struct target target;
	int priority, result = look(pid, &target, &now);

	if (!in || (int)policy < 0 || (int)pid < 0)
		return -EINVAL;
	if (user_get(&priority, in))
		return -EFAULT;
	policy = (int)policy & ~SCHED_RESET_ON_FORK;
	return result ? result : set_policy(&target, policy, priority, resets);
}

long sys_sched_setparam(long pid, long in)
{
	struct capos_scheduling now;
	struct target target;
	int priority, result = look(pid, &target, &now);

	if (!in || (int)pid < 0)
		return -EINVAL;
	if (user_get(&priority, in))
		return -EFAULT;
	return result ? result : set_policy(&target, now.policy, priority, now.resets);
}

/* ---- All at once ---- */

/* As Linux has them, for which musl has no header. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t utilization[2];
};
#define ATTRIBUTES_FIRST  48u /* bytes of the first version, without the last member */
#define ATTRIBUTES_MOST   4096u
#define POLICY_DEADLINE   6
#define FLAG_RESETS       0x01u
#define FLAG_KEEP_POLICY  0x08u
#define FLAG_KEEP_REST    0x10u
#define FLAGS_UTILIZATION 0x60u
#define FLAGS_ALL         0x7fu

/* What a later version added must not be asked for.  0, -E2BIG or -EFAULT. */
static int check_rest(long from, uint32_t size)
{
	uint8_t byte;

	for (uint32_t at = sizeof(struct attributes); at < size; at++) {
		if (user_read(&byte, from + at, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

/* -E2BIG: the caller is told how much is known. */
static int read_attributes(long from, struct attributes *out)
{
	const uint32_t known = sizeof(*out);
	uint32_t size;
	int result;

	if (user_get(&size, from))
		return -EFAULT;
	size = size ? size : ATTRIBUTES_FIRST;
	result =
	        size < ATTRIBUTES_FIRST || size > ATTRIBUTES_MOST ? -E2BIG : check_rest(from, size);
	if (result == -E2BIG && user_put(from, &known))
		return -EFAULT;
	if (result)
		return result;
	*out = (struct attributes){.size = 0};
	if (user_read(out, from, size < known ? size : known))
		return -EFAULT;
	out->size = size;
	return 0;
}

static bool has_nice(long policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH;
}

/* What is kept is filled in.  0 or -errno. */
static int check_attributes(struct attributes *a, const struct capos_scheduling *now)
{
	if (a->flags & (FLAG_KEEP_POLICY | FLAG_KEEP_REST))
		a->policy = now->policy;
	if (a->flags & FLAG_KEEP_POLICY && now->resets)
		a->flags |= FLAG_RESETS;
	if (a->flags & FLAG_KEEP_REST) {
		a->priority = now->priority;
		a->nice = now->nice;
	}
	if (a->policy == POLICY_DEADLINE)
		return (int)absent(ABSENT_DEADLINE);
	if (a->flags & ~(uint64_t)FLAGS_ALL || a->priority > CAPOS_REALTIME_MAX ||
	    !is_valid(a->policy, (int)a->priority))
		return -EINVAL;
	return a->flags & FLAGS_UTILIZATION ? (int)absent(ABSENT_UTILIZATION) : 0;
}

static long set_nice_of(const struct target *target, int nice)
{
	if (target->own)
		return set_own_nice(target->thread, nice);
	return sys_setpriority(PRIO_PROCESS, target->process, nice);
}

long sys_sched_setattr(long pid, long from, long flags)
{
	struct capos_scheduling now;
	struct attributes a;
	struct target target;
	long result;

	if (!from || (int)pid < 0 || flags)
		return -EINVAL;
	result = read_attributes(from, &a);
	if (result)
		return result;
	a.nice = a.nice < CAPOS_NICE_MIN   ? CAPOS_NICE_MIN
	         : a.nice > CAPOS_NICE_MAX ? CAPOS_NICE_MAX
	                                   : a.nice;
	if ((a.flags & FLAGS_UTILIZATION && a.size < sizeof(a)) || (int)a.policy < 0)
		return -EINVAL;
	result = look(pid, &target, &now);
	if (!result)
		result = check_attributes(&a, &now);
	if (!result)
		result = set_policy(&target, a.policy, (int)a.priority, a.flags & FLAG_RESETS);
	if (!result && has_nice(a.policy) && a.nice != now.nice)
		result = set_nice_of(&target, a.nice);
	return result == -EACCES ? -EPERM : result;
}

long sys_sched_getattr(long pid, long to, long size, long flags)
{
	struct attributes a = {.size = sizeof(a)};
	struct capos_scheduling now;
	struct target target;
	const uint8_t zero = 0;
	int result;

	if (!to || (int)pid < 0 || (unsigned)size < ATTRIBUTES_FIRST ||
	    (unsigned)size > ATTRIBUTES_MOST || flags)
		return -EINVAL;
	result = look(pid, &target, &now);
	if (result)
		return result;
	if ((unsigned)size < a.size)
		a.size = (unsigned)size;
	a.policy = now.policy;
	a.flags = now.resets ? FLAG_RESETS : 0;
	a.priority = now.priority;
	if (!is_realtime(now.policy)) {
		a.nice = now.nice;
		a.runtime = CAPOS_SLICE_NS;
	}
	if (user_write(to, &a, a.size))
		return -EFAULT;
	for (unsigned at = a.size; at < (unsigned)size; at++)
		if (user_put(to + at, &zero))
			return -EFAULT;
	return 0;
}

/* ---- Priorities ---- */

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
	return priority_of(policy, CAPOS_REALTIME_MAX);
}

long sys_sched_get_priority_min(long policy)
{
	return priority_of(policy, 1);
}
