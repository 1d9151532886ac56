/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children and signalling them.  The kernel sets SIGCHLD's bit of the signals event
 * when one has ended; what ended how is asked of its Process capability.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <capos/cap.h>

#include "core/core.h"
#include "process/children.h"
#include "process/relatives.h"
#include "signal/signal.h"

static struct child children[FAMILY_MEMBERS];
static struct parent parent;
static bool changed;
/* The last child that was waited for while its SIGCHLD was still pending; pid 0: none. */
static struct signal_origin waited_unreported;
static uint64_t waited_cpu_ns, waited_pages; /* of all that were waited for; of the largest */

struct child *children_new(void)
{
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		if (!c->pid)
			return c;
	}
	return NULL;
}

void child_forget(struct child *c)
{
	cap_release(c->process);
	cap_release(c->signals);
	*c = (struct child){0};
}

static struct child *find(uint64_t pid)
{
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		if (pid && c->pid == pid)
			return c;
	}
	return NULL;
}

bool child_known(long pid)
{
	return find((uint64_t)pid);
}

/* ---- Ends ---- */

void children_changed(void)
{
	changed = true;
}

/* Whether the program will not wait for children: they are forgotten as they end. */
static bool forgets_children(void)
{
	const struct signal_action *action = &signals.actions[SIGCHLD];

	return action->handler == SIG_IGN || action->flags & SA_NOCLDWAIT;
}

bool children_look(void)
{
	struct cap_process status;

	if (!changed)
		return false;
	changed = false;
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		if (!c->pid || c->ended || cap_process_status_of(c->process, &status) ||
		    status.alive)
			continue;
		c->ended = true;
		family_leave(c->membership);
		if (forgets_children())
			child_forget(c);
	}
	family_wake(); /* for those who wait for what an ended one held */
	return true;
}

/* ---- wait ---- */

enum selection { SELECT_ALL, SELECT_ONE, SELECT_NONE };

struct selector {
	enum selection which;
	uint64_t pid;
};

/* A child that matches and has ended; *any: a child that matches exists. */
static struct child *find_ended(const struct selector *s, bool *any)
{
	struct child *found = NULL;

	*any = false;
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		if (!c->pid || (s->which == SELECT_ONE && c->pid != s->pid))
			continue;
		*any = true;
		if (c->ended && (!found || c->pid < found->pid))
			found = c;
	}
	return found;
}

/* Waits for one that matches: 0 with *out, which is NULL when there is none yet and options have
 * WNOHANG; or -errno. */
static long await_child(const struct selector *s, long options, struct child **out)
{
	for (;;) {
		bool any;
		int result;

		signal_collect();
		children_look();
		*out = s->which == SELECT_NONE ? NULL : find_ended(s, &any);
		if (*out)
			return 0;
		if (s->which == SELECT_NONE || !any)
			return -ECHILD;
		if (options & WNOHANG)
			return 0;
		result = process_wait(UINT64_MAX);
		if (!result)
			continue;
		/* The child that SIGCHLD came for is returned before the handler's EINTR. */
		signal_collect();
		children_look();
		*out = find_ended(s, &any);
		return *out ? 0 : result;
	}
}

static int wait_status(uint32_t status)
{
	uint32_t signal = CAPOS_EXIT_SIGNAL(status);

	return signal ? (int)(signal & 0x7f) : (int)CAPOS_EXIT_CODE(status) << 8;
}

static struct signal_origin origin_of(uint64_t pid, int status)
{
	return (struct signal_origin){.code = WIFSIGNALED(status) ? CLD_KILLED : CLD_EXITED,
	                              .pid = (int)pid,
	                              .status = WIFSIGNALED(status) ? WTERMSIG(status)
	                                                            : WEXITSTATUS(status)};
}

void children_origin(struct signal_origin *origin)
{
	children_look();
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		uint32_t status = 0;

		if (!c->pid || !c->ended || c->reported)
			continue;
		cap_process_exit_status(c->process, &status);
		c->reported = true;
		*origin = origin_of(c->pid, wait_status(status));
		return;
	}
	if (waited_unreported.pid)
		*origin = waited_unreported;
	waited_unreported = (struct signal_origin){.pid = 0};
}

static void usage_of(struct rusage *usage, uint64_t cpu_ns, uint64_t pages)
{
	memset(usage, 0, sizeof(*usage));
	usage->ru_utime.tv_sec = (time_t)(cpu_ns / 1000000000);
	usage->ru_utime.tv_usec = (long)(cpu_ns % 1000000000 / 1000);
	usage->ru_maxrss = (long)(pages * (PAGE_BYTES / 1024));
}

void children_usage(struct rusage *usage)
{
	usage_of(usage, waited_cpu_ns, waited_pages);
}

/* The status of an ended child and what it used; forgets it unless it is to be kept. */
static int take_status(struct child *c, bool keep, struct rusage *usage)
{
	struct cap_process process = {0};
	uint32_t status = 0;

	cap_process_status_of(c->process, &process);
	cap_process_exit_status(c->process, &status);
	if (usage)
		usage_of(usage, process.cpu_ns, process.memory_pages);
	if (keep)
		return wait_status(status);
	waited_cpu_ns += process.cpu_ns;
	if (process.memory_pages > waited_pages)
		waited_pages = process.memory_pages;
	if (!c->reported && signals.pending & SIGNAL_BIT(SIGCHLD))
		waited_unreported = origin_of(c->pid, wait_status(status));
	child_forget(c);
	return wait_status(status);
}

/* pid as wait4 has it. */
static struct selector selector_of(long pid)
{
	if (pid > 0)
		return (struct selector){.which = SELECT_ONE, .pid = (uint64_t)pid};
	if (pid == 0 || pid == -1 || pid == -(long)process_group())
		return (struct selector){.which = SELECT_ALL};
	return (struct selector){.which = SELECT_NONE};
}

/* Processes do not stop, so WUNTRACED and WCONTINUED wait for nothing more. */
long sys_wait4(long pid, long status, long options, long usage)
{
	struct selector s = selector_of((int)pid);
	struct child *c;
	long result, id;
	int ended;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD))
		return -EINVAL;
	result = await_child(&s, options, &c);
	if (result || !c)
		return result;
	id = (long)c->pid;
	ended = take_status(c, false, (struct rusage *)usage);
	if (status)
		*(int *)status = ended;
	return id;
}

static void fill_info(siginfo_t *info, long pid, int status)
{
	struct signal_origin origin = origin_of((uint64_t)pid, status);

	memset(info, 0, sizeof(*info));
	info->si_signo = SIGCHLD;
	info->si_pid = (pid_t)pid;
	info->si_code = origin.code;
	info->si_status = origin.status;
}

long sys_waitid(long type, long id, long info, long options, long usage)
{
	struct selector s = {.which = SELECT_ALL};
	struct child *c;
	long result, pid;
	int status;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch (type) {
	case P_ALL:
		break;
	case P_PID:
		s = (struct selector){.which = SELECT_ONE, .pid = (uint64_t)id};
		break;
	case P_PGID:
		s = selector_of(id ? -id : 0);
		break;
	default:
		return absent_option(ABSENT_WAITID, (unsigned long)type, -EINVAL);
	}
	if (!(options & WEXITED)) /* for a stop, which never comes */
		return absent(ABSENT_WAIT_STOPPED);
	result = await_child(&s, options, &c);
	if (result)
		return result;
	if (!c) {
		if (info)
			memset((void *)info, 0, sizeof(siginfo_t));
		return 0;
	}
	pid = (long)c->pid;
	status = take_status(c, options & WNOWAIT, (struct rusage *)usage);
	if (info)
		fill_info((siginfo_t *)info, pid, status);
	return 0;
}

/* ---- Signals ---- */

static long signal_child(const struct child *c, int signal)
{
	if (!signal || c->ended)
		return 0;
	if (signal == SIGKILL)
		return errno_of(cap_process_kill(c->process, CAPOS_EXIT_STATUS(0, SIGKILL)));
	return errno_of(cap_signal(c->signals, SIGNAL_BIT(signal)));
}

static bool parent_alive(void)
{
	struct cap_process status;

	return parent.process && !cap_process_status_of(parent.process, &status) && status.alive;
}

/* Signals of a terminal go to the whole foreground group.  Here the host signals them to the first
 * program, and each process to its children, with this bit beside: a number that musl keeps for
 * itself and no program sends. */
#define RELAYED SIGNAL_BIT(32)
#define FOR_THE_GROUP \
	(SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGWINCH))

uint64_t children_relay(uint64_t bits)
{
	uint64_t passed = bits & FOR_THE_GROUP;
	bool first_program = !parent.pid;

	if (passed && (first_program || bits & RELAYED)) {
		for (const struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
			if (c->pid && !c->ended)
				cap_signal(c->signals, passed | RELAYED);
		}
	}
	return bits & ~RELAYED;
}

long children_signal(long pid, int signal)
{
	const struct child *c = find((uint64_t)pid);

	if (c)
		return signal_child(c, signal);
	if ((uint64_t)pid != parent.pid)
		return relatives_signal((uint64_t)pid, signal);
	if (!parent_alive())
		return -ESRCH;
	return signal ? errno_of(cap_signal(parent.signals, SIGNAL_BIT(signal))) : 0;
}

void children_signal_all(int signal)
{
	for (const struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		if (c->pid)
			signal_child(c, signal);
	}
}

/* A group is this process and its children, as far as it holds them. */
long sys_kill(long pid, long signal)
{
	if (signal < 0 || signal > SIGNAL_MAX)
		return -EINVAL;
	if (pid > 0 && pid != (long)process_id())
		return children_signal(pid, (int)signal);
	if (pid <= 0 && pid != -1 && pid != 0 && pid != -(long)process_group())
		return -ESRCH;
	if (pid <= 0)
		children_signal_all((int)signal);
	return signal_self(signal, SI_USER);
}

/* ---- The parent ---- */

/* Orphans have no new parent, but see the number that means so on Unix. */
long sys_getppid(void)
{
	if (!parent.pid)
		return 0;
	return parent_alive() ? (long)parent.pid : 1;
}

void children_forked(const struct parent *of_child)
{
	for (struct child *c = children; c < children + FAMILY_MEMBERS; c++) {
		if (c->pid && !c->ended) {
			relatives_add(c->pid, c->process, c->signals);
			*c = (struct child){0};
		} else if (c->pid) {
			child_forget(c);
		}
	}
	if (parent.pid)
		relatives_add(parent.pid, parent.process, parent.signals);
	parent = *of_child;
	changed = false;
	waited_cpu_ns = waited_pages = 0;
}

void children_save(struct children_state *state)
{
	state->parent = parent;
	relatives_save(&state->relatives);
	memcpy(state->children, children, sizeof(children));
}

void children_restore(const struct children_state *state)
{
	parent = state->parent;
	relatives_restore(&state->relatives);
	memcpy(children, state->children, sizeof(children));
	changed = true;
}
