/* SPDX-License-Identifier: MIT */
/*
 * What a world asks for: signals, kills, answers.  How a process ended is asked of the kernel; a
 * member's word for it does not count.
 */
#include <string.h>

#include <capos/object.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/status.h>

#include "process.h"

static void release_quietly(cap_t cap)
{
	struct capos_sqe sqe = {.op = CAP_OP_RELEASE, .cap = cap};

	if (cap != CAP_NULL)
		(void)cap_submit_quiet(&sqe);
}

bool answer_call(uint64_t call_id, int status, const void *message, uint32_t length)
{
	struct capos_sqe sqe = {.op = CAP_OP_RETURN,
	                        .arg = call_id,
	                        .status = status,
	                        .send_addr = (uintptr_t)message,
	                        .send_len = status ? 0 : length};
	struct cap_op op = {.done = false};
	int result = cap_submit(&sqe, &op);

	if (!result)
		result = cap_await_uninterruptible(&op);
	if (result && result != CAP_ECANCELED && result != CAP_ENOENT) {
		/* Its buffer is too small: it is not kept waiting. */
		sqe = (struct capos_sqe){
		        .op = CAP_OP_RETURN, .arg = call_id, .status = STATUS_INVALID_ARGUMENT};
		(void)cap_submit_quiet(&sqe);
	}
	return !result;
}

static void notify(struct member *m, uint64_t bits)
{
	struct capos_sqe sqe = {.op = CAP_OP_SIGNAL, .cap = m->signals, .arg = bits};

	if (m->signals != CAP_NULL)
		(void)cap_submit_quiet(&sqe);
}

static void kill_member(struct member *m)
{
	if (m->process != CAP_NULL)
		(void)cap_process_kill(m->process, CAPOS_EXIT_STATUS(0, WORLD_SIGKILL));
}

static bool answer(const struct waiter *w, int status, const struct member *child,
                   const struct signal_note *report)
{
	struct process_member_wait_results results = {.number = 0};
	_Alignas(8) uint8_t message[128];
	struct msg_builder builder;

	msg_builder_init(&builder, message, sizeof(message));
	if (child)
		results = (struct process_member_wait_results){.number = child->number,
		                                               .code = (uint32_t)report->code,
		                                               .status = (uint32_t)report->status,
		                                               .cpu_ns = child->usage.cpu_ns,
		                                               .children_cpu_ns =
		                                                       child->usage.children_cpu_ns,
		                                               .pages = child->usage.pages};
	if (!status && process_member_wait_results_write(&builder, &results))
		status = STATUS_NO_MEMORY;
	return answer_call(w->token[0], status, message, msg_builder_length(&builder));
}

static void resume(struct member *m)
{
	_Alignas(8) uint8_t message[64];
	struct msg_builder builder;
	struct msg_slot root;

	if (!m->stop_call[0])
		return;
	msg_builder_init(&builder, message, sizeof(message));
	(void)msg_write_root(&builder, 0, 0, &root);
	(void)answer_call(m->stop_call[0], STATUS_OK, message, msg_builder_length(&builder));
	m->stop_call[0] = 0;
}

static void forget(struct member *m)
{
	report_refuse(m);
	release_quietly(m->process);
	release_quietly(m->signals);
	m->process = m->signals = CAP_NULL;
}

/* ---- Scheduling, which the kernel does ---- */

static bool scheduling(const struct member *m, struct world_scheduling *out)
{
	const struct process_scheduling_params params = {.thread_id = 0};
	struct process_scheduling_results now;

	if (m->process == CAP_NULL || process_scheduling(m->process, &params, &now, NULL))
		return false;
	*out = (struct world_scheduling){.nice = now.nice,
	                                 .policy = now.policy,
	                                 .priority = now.priority,
	                                 .forgets = now.resets};
	return true;
}

/* One that has just ended counts as one that has not begun. */
static int status_of(int error)
{
	return !error ? STATUS_OK : error == CAP_EINVAL ? STATUS_INVALID_ARGUMENT : STATUS_NO_ENTRY;
}

static int set_nice(const struct member *m, int32_t nice)
{
	const struct process_set_nice_params params = {.nice = nice};

	return m->process == CAP_NULL ? STATUS_NO_ENTRY
	                              : status_of(process_set_nice(m->process, &params, NULL));
}

static int set_policy(const struct member *m, const struct world_scheduling *wanted)
{
	const struct process_set_policy_params params = {.policy = (uint16_t)wanted->policy,
	                                                 .priority = (uint16_t)wanted->priority,
	                                                 .resets = wanted->forgets};

	if (wanted->policy > UINT16_MAX || wanted->priority > UINT16_MAX)
		return STATUS_INVALID_ARGUMENT;
	return m->process == CAP_NULL ? STATUS_NO_ENTRY
	                              : status_of(process_set_policy(m->process, &params, NULL));
}

const struct world_ops world_effects = {.notify = notify,
                                        .kill = kill_member,
                                        .answer = answer,
                                        .resume = resume,
                                        .forget = forget,
                                        .reply = ipc_reply,
                                        .make_memory = ipc_make_memory,
                                        .drop_memory = ipc_drop_memory,
                                        .seconds = ipc_seconds,
                                        .scheduling = scheduling,
                                        .set_nice = set_nice,
                                        .set_policy = set_policy};

/* ---- Ends ---- */

void member_status(const struct member *m, struct member_status *out)
{
	_Alignas(8) uint8_t buffer[512];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_status_results results;

	*out = (struct member_status){.cpu_ns = m->usage.cpu_ns, .pages = m->usage.pages};
	if (m->state == MEMBER_ENDED || m->process == CAP_NULL ||
	    process_status(m->process, &results, &call))
		return;
	*out = (struct member_status){.cpu_ns = results.cpu_ns,
	                              .pages = results.memory_pages,
	                              .mapped_pages = results.mapped_pages,
	                              .threads = results.threads};
}

uint64_t member_resident(const struct member *m)
{
	struct process_resident_results results;

	if (m->state == MEMBER_ENDED || m->process == CAP_NULL ||
	    process_resident(m->process, &results, NULL))
		return 0;
	return results.pages;
}

/* Its end is under way as a rule, and takes no longer than the kernel needs to give its memory up.
 * One that only gave its object up is ended. */
static uint32_t end_process(struct member *m, struct member_status *usage)
{
	const uint32_t killed = CAPOS_EXIT_STATUS(0, WORLD_SIGKILL);
	struct cap_process process = {.alive = true};
	uint32_t status = killed;

	if (m->process == CAP_NULL)
		return killed;
	if (cap_process_status_of(m->process, &process) ||
	    (process.alive && cap_process_kill(m->process, killed)))
		return killed;
	if (cap_process_exit_status(m->process, &status))
		status = killed;
	*usage = (struct member_status){.cpu_ns = process.cpu_ns, .pages = process.memory_pages};
	return status;
}

void member_gone(struct member *m)
{
	struct member_status usage = {.cpu_ns = 0};
	uint32_t status;

	if (m->state == MEMBER_ENDED)
		return;
	status = end_process(m, &usage);
	m->stop_call[0] = 0;
	terminal_leader_ended(m);
	forget(m);
	world_ended(m, status, usage.cpu_ns, usage.pages);
}

/* ---- Processor time ---- */

#define NS_PER_SECOND 1000000000ull

/* How long until it may have used its limit up: no thread gets more than the time that passes. */
static uint64_t watch_one(struct member *m)
{
	const struct limit *limit = &m->limits[WORLD_LIMIT_CPU];
	struct member_status status;
	uint64_t soft = limit->soft, hard = limit->hard, used;

	if (soft == WORLD_NO_LIMIT || m->state == MEMBER_ENDED || m->state == MEMBER_PREPARED)
		return CAPOS_FOREVER;
	member_status(m, &status);
	used = status.cpu_ns / NS_PER_SECOND;
	if (used >= hard) {
		kill_member(m);
		return CAPOS_FOREVER;
	}
	if (used >= soft && used != m->cpu_warned_at) {
		m->cpu_warned_at = used; /* each second again, as Linux */
		(void)world_send(m, &(struct signal_note){.signal = WORLD_SIGXCPU,
		                                          .code = 0x80 /* SI_KERNEL */});
	}
	if (used >= soft || hard < soft)
		soft = used + 1 < hard ? used + 1 : hard;
	return soft > UINT64_MAX / NS_PER_SECOND ? CAPOS_FOREVER
	                                         : soft * NS_PER_SECOND - status.cpu_ns;
}

uint64_t watch_cpu_limits(void)
{
	uint64_t least = CAPOS_FOREVER;

	for (struct session *s = sessions; s < sessions + SESSIONS_MAX; s++) {
		if (!s->open || !s->world.cpu_limits)
			continue;
		for (struct member *m = s->world.first; m; m = m->after) {
			uint64_t left = watch_one(m);

			if (left < least)
				least = left;
		}
	}
	return least;
}
