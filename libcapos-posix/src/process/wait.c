/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children: one call of the process service, which is cancelled when a signal ends the
 * wait; the child is taken exactly when the answer has come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <capos/schema/process_client.h>

#include "core/core.h"
#include "process/children.h"
#include "process/world.h"
#include "signal/signal.h"

struct waited {
	struct process_member_wait_params params;
	struct process_member_wait_results results;
	struct cap_op op;
	_Alignas(8) uint8_t message[WORLD_MESSAGE];
};

static int submit(struct waited *w)
{
	struct msg_builder builder;
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .method = PROCESS_MEMBER_WAIT,
	                        .cap = world_member(),
	                        .interface = PROCESS_MEMBER_INTERFACE,
	                        .send_addr = (uintptr_t)w->message,
	                        .recv_addr = (uintptr_t)w->message,
	                        .recv_len = sizeof(w->message)};
	int result;

	msg_builder_init(&builder, w->message, sizeof(w->message));
	result = process_member_wait_params_write(&builder, &w->params);
	if (result)
		return result;
	sqe.send_len = msg_builder_length(&builder);
	w->op = (struct cap_op){.done = false};
	return cap_submit(&sqe, &w->op);
}

/* The answer; CAP_EINTR when a signal came first.  A child that has been taken is returned before
 * the handler's EINTR.  Taking signals makes calls of its own, which may reap this one: so the wait
 * is for the operation and not for the next completion. */
static int await(struct waited *w)
{
	struct msg_reader reader;
	int result = submit(w), interrupted;

	if (result)
		return result;
	interrupted = wait_for_op(&w->op, UINT64_MAX);
	if (w->op.cqe.result == CAP_ECANCELED && interrupted == -EINTR)
		return CAP_EINTR;
	if (w->op.cqe.result)
		return w->op.cqe.result;
	msg_reader_init(&reader, w->message, w->op.cqe.length);
	return process_member_wait_results_read(&reader, &w->results);
}

static long wait_for_child(struct waited *w)
{
	int result;

	if (!world_exists())
		return -ECHILD;
	do {
		result = await(w);
	} while (world_again(result));
	return world_errno(result, -ECHILD);
}

/* ---- Answers ---- */

static void fill_usage(struct rusage *usage, uint64_t cpu_ns, uint64_t pages)
{
	memset(usage, 0, sizeof(*usage));
	usage->ru_utime.tv_sec = (time_t)(cpu_ns / 1000000000);
	usage->ru_utime.tv_usec = (long)(cpu_ns % 1000000000 / 1000);
	usage->ru_maxrss = (long)(pages * (PAGE_BYTES / 1024));
}

void children_usage(struct rusage *usage)
{
	struct process_member_usage_results results;
	int result;

	do {
		result = process_member_usage(world_member(), &results, NULL);
	} while (world_again(result));
	if (result)
		fill_usage(usage, 0, 0);
	else
		fill_usage(usage, results.children_cpu_ns, results.children_pages);
}

static int status_of(const struct process_member_wait_results *r)
{
	switch (r->code) {
	case CLD_EXITED:
		return (int)(r->status & 0xff) << 8;
	case CLD_STOPPED:
		return (int)(r->status & 0xff) << 8 | 0x7f;
	case CLD_CONTINUED:
		return 0xffff;
	default:
		return (int)(r->status & 0x7f);
	}
}

/* pid as wait4 has it. */
static void select_children(struct waited *w, long pid)
{
	if (pid > 0) {
		w->params.which_ = PROCESS_MEMBER_WHICH_PROCESS;
		w->params.id = (uint32_t)pid;
	} else if (pid != -1) {
		w->params.which_ = PROCESS_MEMBER_WHICH_GROUP;
		w->params.id = (uint32_t)-pid;
	}
}

static uint32_t options_of(long options)
{
	return (options & WEXITED ? WAIT_EXITED : 0) | (options & WSTOPPED ? WAIT_STOPPED : 0) |
	       (options & WCONTINUED ? WAIT_CONTINUED : 0) |
	       (options & WNOHANG ? WAIT_NO_HANG : 0) | (options & WNOWAIT ? WAIT_KEEP : 0);
}

static long put_usage(long usage, const struct process_member_wait_results *r)
{
	struct rusage used;

	if (!usage)
		return 0;
	fill_usage(&used, r->cpu_ns + r->children_cpu_ns, r->pages);
	return user_put(usage, &used);
}

long sys_wait4(long pid, long status, long options, long usage)
{
	struct waited w = {.params = {.options = options_of(options | WEXITED)}};
	long result;
	int ended;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD))
		return -EINVAL;
	pid = (int)pid;
	if (pid == INT32_MIN)
		return -ESRCH;
	select_children(&w, pid);
	result = wait_for_child(&w);
	if (result || !w.results.number)
		return result;
	ended = status_of(&w.results);
	if (put_usage(usage, &w.results) || (status && user_put(status, &ended)))
		return -EFAULT;
	return (long)w.results.number;
}

/* number 0: no child has changed. */
static long put_info(long to, const struct process_member_wait_results *r)
{
	siginfo_t info;

	if (!to)
		return 0;
	memset(&info, 0, sizeof(info));
	if (r->number) {
		info.si_signo = SIGCHLD;
		info.si_pid = (pid_t)r->number;
		info.si_code = (int)r->code;
		info.si_status = (int)r->status;
	}
	return user_put(to, &info);
}

long sys_waitid(long type, long id, long info, long options, long usage)
{
	struct waited w = {.params = {.options = options_of(options)}};
	long result;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WALL | __WCLONE |
	                __WNOTHREAD) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	id = (int)id;
	switch (type) {
	case P_ALL:
		break;
	case P_PID:
		if (id <= 0)
			return -EINVAL;
		select_children(&w, id);
		break;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		select_children(&w, -id);
		break;
	default:
		return absent_option(ABSENT_WAITID, (unsigned long)type, -EINVAL);
	}
	result = wait_for_child(&w);
	if (result)
		return result;
	if (w.results.number)
		result = put_usage(usage, &w.results);
	return result ? result : put_info(info, &w.results);
}
