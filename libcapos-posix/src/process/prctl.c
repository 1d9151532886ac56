/* SPDX-License-Identifier: MIT */
/*
 * What a process or a thread asks to be so: the options of prctl, and Linux's capabilities.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "core/core.h"
#include "process/proc.h"
#include "process/process.h"
#include "signal/signal.h"

static char thread_name[16]; /* TASK_COMM_LEN of Linux, the 0 included */

static long set_name(long from)
{
	long length = posix_user_length((const char *)from, sizeof(thread_name) - 1);
	char name[sizeof(thread_name)] = {0};

	if (length < 0 || user_read(name, from, (size_t)length))
		return -EFAULT;
	memcpy(thread_name, name, sizeof(name));
	world_describe_name(thread_name);
	return 0;
}

/* No program gains rights by execve, whether it promised to do without or not. */
static long set_no_new_privileges(long on, long third, long fourth, long fifth)
{
	return on != 1 || third || fourth || fifth ? -EINVAL : 0;
}

/* There are no core files and no tracers, so that it is kept and changes nothing; a program that is
 * executed begins with 1. */
static long dumpable = 1;

void process_set_dumpable(bool on)
{
	dumpable = on;
}

static long set_dumpable(long on)
{
	if (on != 0 && on != 1)
		return -EINVAL;
	dumpable = on;
	return 0;
}

static long set_death_signal(long signal)
{
	if ((unsigned long)signal > SIGNAL_MAX)
		return -EINVAL;
	return world_set_death_signal((uint32_t)signal);
}

static long get_death_signal(long out)
{
	uint32_t signal;
	long result = world_death_signal(&signal);

	return result ? result : user_put(out, &signal);
}

static long set_reaper(long on)
{
	return world_set_reaper(on != 0);
}

static long get_reaper(long out)
{
	bool on;
	long result = world_reaper(&on);
	const int value = !result && on;

	return result ? result : user_put(out, &value);
}

/* By so much may what the thread waits for come late.  It never does for that reason, since here
 * timers wake nobody else; so it is kept for the thread and those it makes. */
static long set_timer_slack(long ns)
{
	struct posix_thread *t = thread_self();

	t->timer_slack_ns = ns ? (uint64_t)ns : t->timer_slack_usual_ns;
	return 0;
}

/* ---- Linux's capabilities ---- */

/* No process has any, whatever its user: what it may do is what capabilities of capOS it holds, and
 * none of these can be raised or lowered by a number.  So to have fewer succeeds, and to have more
 * does not. */
#define LAST_CAPABILITY 40 /* CAP_CHECKPOINT_RESTORE */
#define VERSION_1       0x19980330u
#define VERSION_2       0x20071026u
#define VERSION_3       0x20080522u

struct capability_header {
	uint32_t version;
	int32_t pid;
};

struct capability_data {
	uint32_t effective, permitted, inheritable;
};

static bool keeps;

/* They would stay when the user changes; a program that is executed begins without. */
static long set_keep(long on)
{
	if (on != 0 && on != 1)
		return -EINVAL;
	keeps = on;
	return 0;
}

static long is_bounded(long capability)
{
	return capability < 0 || capability > LAST_CAPABILITY ? -EINVAL : 0;
}

/* How many words of each set the caller has; -EINVAL: it is told which version to use; -EFAULT. */
static long words_of(long header, struct capability_header *h)
{
	const uint32_t version = VERSION_3;

	if (user_get(h, header))
		return -EFAULT;
	if (h->version == VERSION_1)
		return 1;
	if (h->version == VERSION_2 || h->version == VERSION_3)
		return 2;
	return user_put(header, &version) ? -EFAULT : -EINVAL;
}

long sys_capget(long header, long data)
{
	const struct capability_data none[2] = {0};
	struct capability_header h;
	long words = words_of(header, &h);

	if (!data) /* which version it is was asked for */
		return words == -EFAULT ? words : 0;
	if (words < 0)
		return words;
	if (h.pid < 0)
		return -EINVAL;
	if (h.pid && h.pid != (int32_t)sys_gettid() && sys_getpgid(h.pid) < 0)
		return -ESRCH;
	return user_write(data, none, (size_t)words * sizeof(none[0]));
}

long sys_capset(long header, long data)
{
	struct capability_data sets[2] = {0};
	struct capability_header h;
	long words = words_of(header, &h);

	if (words < 0)
		return words;
	if (h.pid && h.pid != (int32_t)sys_gettid())
		return -EPERM; /* another's are its own */
	if (user_read(sets, data, (size_t)words * sizeof(sets[0])))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (sets[i].effective | sets[i].permitted | sets[i].inheritable)
			return -EPERM;
	}
	return 0;
}

/* ---- prctl ---- */

long sys_prctl(long option, long second, long third, long fourth, long fifth)
{
	switch (option) {
	case PR_SET_NAME:
		return set_name(second);
	case PR_GET_NAME:
		return user_put(second, &thread_name);
	case PR_SET_PDEATHSIG:
		return set_death_signal(second);
	case PR_GET_PDEATHSIG:
		return get_death_signal(second);
	case PR_GET_DUMPABLE:
		return dumpable;
	case PR_SET_DUMPABLE:
		return set_dumpable(second);
	case PR_SET_CHILD_SUBREAPER:
		return set_reaper(second);
	case PR_GET_CHILD_SUBREAPER:
		return get_reaper(second);
	case PR_SET_TIMERSLACK:
		return set_timer_slack(second);
	case PR_GET_TIMERSLACK:
		return (long)thread_self()->timer_slack_ns;
	case PR_SET_KEEPCAPS:
		return set_keep(second);
	case PR_GET_KEEPCAPS:
		return keeps;
	case PR_CAPBSET_READ:
		return is_bounded(second);
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privileges(second, third, fourth, fifth);
	case PR_GET_NO_NEW_PRIVS:
		return second || third || fourth || fifth ? -EINVAL : 1;
	default:
		return absent_option(ABSENT_PRCTL, (unsigned)option, -EINVAL);
	}
}
