/* SPDX-License-Identifier: MIT */
/*
 * The methods of a member.  Each works within the member's own world; what it names by number is
 * looked for there.
 */
#include <string.h>

#include <capos/abi.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "process.h"

#define SIGNALS_PER_REPLY 64u
#define INFOS_PER_REPLY   120u /* with a name each they fit 16 KiB */

/* number 0: the caller. */
static struct member *find(struct member *caller, uint32_t number)
{
	return number ? world_find(caller->world, number) : caller;
}

/* ---- Children ---- */

static int prepare_fork(void *object, struct msg_call *msg,
                        struct process_member_prepare_fork_results *out)
{
	struct server_call *call = server_call_of(msg);
	struct member *child;
	int position, status = world_prepare(object, &child);

	if (status)
		return status;
	position = server_give_object(call, PROCESS_BIRTH_INTERFACE, word_of(child, WORD_BIRTH));
	if (position < 0) {
		world_abandon(child);
		return STATUS_NO_MEMORY;
	}
	out->number = child->number;
	out->birth_index = (uint16_t)position;
	return STATUS_OK;
}

static int abandon_fork(void *object, struct msg_call *msg,
                        const struct process_member_abandon_fork_params *in)
{
	struct member *caller = object, *child = world_find(caller->world, in->number);

	(void)msg;
	if (!child || child->parent != caller || child->state != MEMBER_PREPARED)
		return STATUS_NO_ENTRY;
	world_abandon(child);
	return STATUS_OK;
}

static int wait(void *object, struct msg_call *msg, const struct process_member_wait_params *in,
                struct process_member_wait_results *out)
{
	const struct waiter w = {.which = (enum wait_which)in->which_,
	                         .id = in->id,
	                         .options = in->options,
	                         .token = {server_call_of(msg)->call_id}};
	int status;

	(void)out; /* answered by answer_call, whose delivery is known */
	if (in->which_ > PROCESS_MEMBER_WHICH_GROUP ||
	    !(in->options & (WAIT_EXITED | WAIT_STOPPED | WAIT_CONTINUED)))
		return STATUS_INVALID_ARGUMENT;
	status = world_wait(object, &w);
	return status ? status : MSG_DEFERRED;
}

static int children(void *object, struct msg_call *msg,
                    const struct process_member_children_params *in)
{
	struct member *m = object;

	(void)msg;
	m->forgets = in->forget;
	m->no_stops = in->no_stops;
	return STATUS_OK;
}

static int usage(void *object, struct msg_call *msg, struct process_member_usage_results *out)
{
	const struct member *m = object;

	(void)msg;
	out->children_cpu_ns = m->usage.children_cpu_ns;
	out->children_pages = m->usage.children_pages;
	return STATUS_OK;
}

/* ---- Signals ---- */

static int kill(void *object, struct msg_call *msg, const struct process_member_kill_params *in)
{
	struct member *sender = object;
	const struct signal_note note = {.signal = in->signal,
	                                 .code = in->code,
	                                 .number = sender->number,
	                                 .user = sender->identity.user.real,
	                                 .value = in->value};

	(void)msg;
	/* Codes above 0 are the kernel's and the service's. */
	if (in->signal > WORLD_SIGNAL_MAX || in->code > 0)
		return STATUS_INVALID_ARGUMENT;
	return world_kill(sender, in->target, &note);
}

static int take_signals(void *object, struct msg_call *msg,
                        const struct process_member_take_signals_params *in,
                        struct process_member_take_signals_results *out)
{
	static struct signal_info list[SIGNALS_PER_REPLY];
	struct member *m = object;
	struct signal_note note;
	uint32_t n = 0;

	(void)msg;
	while (n < SIGNALS_PER_REPLY && world_take_signal(m, in->bits, &note))
		list[n++] = (struct signal_info){.signal = note.signal,
		                                 .code = note.code,
		                                 .number = note.number,
		                                 .user = note.user,
		                                 .status = note.status,
		                                 .value = note.value,
		                                 .cpu_ns = note.cpu_ns};
	out->list = (struct msg_list){.count = n, .items = list};
	if (world_queued(m, in->bits))
		m->world->ops->notify(m, world_queued(m, in->bits));
	return STATUS_OK;
}

static int stop(void *object, struct msg_call *msg, const struct process_member_stop_params *in)
{
	struct member *m = object;

	if (m->stop_call[0])
		return STATUS_BUSY;
	if (in->signal < 1 || in->signal > WORLD_SIGNAL_MAX)
		return STATUS_INVALID_ARGUMENT;
	if (!world_stopped(m, in->signal, in->own))
		return STATUS_OK;
	m->stop_call[0] = server_call_of(msg)->call_id;
	return MSG_DEFERRED;
}

static int set_death_signal(void *object, struct msg_call *msg,
                            const struct process_member_set_death_signal_params *in)
{
	struct member *m = object;

	(void)msg;
	if (in->signal > WORLD_SIGNAL_MAX)
		return STATUS_INVALID_ARGUMENT;
	m->death_signal = in->signal;
	return STATUS_OK;
}

static int death_signal(void *object, struct msg_call *msg,
                        struct process_member_death_signal_results *out)
{
	const struct member *m = object;

	(void)msg;
	out->signal = m->death_signal;
	return STATUS_OK;
}

static int set_reaper(void *object, struct msg_call *msg,
                      const struct process_member_set_reaper_params *in)
{
	struct member *m = object;

	(void)msg;
	m->reaps = in->on;
	return STATUS_OK;
}

static int reaper(void *object, struct msg_call *msg, struct process_member_reaper_results *out)
{
	const struct member *m = object;

	(void)msg;
	out->on = m->reaps;
	return STATUS_OK;
}

/* ---- Groups ---- */

static int set_group(void *object, struct msg_call *msg,
                     const struct process_member_set_group_params *in)
{
	(void)msg;
	return world_set_group(object, in->number, in->group);
}

static int set_session(void *object, struct msg_call *msg,
                       struct process_member_set_session_results *out)
{
	struct member *m = object;

	(void)msg;
	out->session = m->number;
	return world_set_session(m);
}

static int identity(void *object, struct msg_call *msg,
                    const struct process_member_identity_params *in,
                    struct process_member_identity_results *out)
{
	const struct member *m = find(object, in->number);

	(void)msg;
	if (!m)
		return STATUS_NO_ENTRY;
	out->parent = m->parent ? m->parent->number : WORLD_NUMBER;
	out->group = m->group;
	out->session = m->session;
	return STATUS_OK;
}

static int foreground(void *object, struct msg_call *msg,
                      struct process_member_foreground_results *out)
{
	(void)msg;
	out->group = world_foreground(object);
	return STATUS_OK;
}

static int set_foreground(void *object, struct msg_call *msg,
                          const struct process_member_set_foreground_params *in)
{
	(void)msg;
	return world_set_foreground(object, in->group);
}

/* ---- What others may read ---- */

static int describe(void *object, struct msg_call *msg,
                    const struct process_member_describe_params *in)
{
	(void)msg;
	return world_describe(object, in->name.ptr, in->name.len, in->command.ptr, in->command.len,
	                      in->executed);
}

static void fill_info(const struct member *m, struct process_info *out)
{
	struct member_status status;
	struct world_scheduling scheduling;

	member_status(m, &status);
	world_scheduling_of(m, &scheduling);
	*out = (struct process_info){
	        .number = m->number,
	        .parent = m->parent ? m->parent->number : WORLD_NUMBER,
	        .group = m->group,
	        .session = m->session,
	        .foreground = world_foreground(m),
	        .state = m->state == MEMBER_STOPPED ? PROCESS_INFO_STATE_STOPPED
	                 : m->state == MEMBER_ENDED ? PROCESS_INFO_STATE_ENDED
	                                            : PROCESS_INFO_STATE_RUNNING,
	        .name = MSG_TEXT(m->name),
	        .start_ns = m->start_ns,
	        .cpu_ns = status.cpu_ns,
	        .children_cpu_ns = m->usage.children_cpu_ns,
	        .threads = status.threads,
	        .pages = status.pages,
	        .mapped_pages = status.mapped_pages,
	        .resident_pages = member_resident(m),
	        .nice = scheduling.nice,
	        .policy = scheduling.policy,
	        .priority = scheduling.priority,
	        .effective_user = m->identity.user.effective,
	        .effective_group = m->identity.group.effective};
}

static int list(void *object, struct msg_call *msg, const struct process_member_list_params *in,
                struct process_member_list_results *out)
{
	static struct process_info infos[INFOS_PER_REPLY];
	const struct member *m = ((struct member *)object)->world->first;
	/* What fits the caller's buffer: an entry takes 15 words, and its name 2. */
	uint32_t most = msg->out_size / 168, n = 0;

	if (most > INFOS_PER_REPLY)
		most = INFOS_PER_REPLY;
	if (!most)
		return STATUS_INVALID_ARGUMENT;
	/* The world stands in the list as the parent that its first process and orphans have. */
	if (in->from <= WORLD_NUMBER)
		infos[n++] = (struct process_info){.number = WORLD_NUMBER,
		                                   .name = MSG_TEXT("world"),
		                                   .start_ns = m ? m->start_ns : 0};
	while (m && m->number < in->from)
		m = m->after;
	for (; m && n < most; m = m->after)
		fill_info(m, &infos[n++]);
	out->processes = (struct msg_list){.count = n, .items = infos};
	out->next = m ? m->number : 0;
	return STATUS_OK;
}

static int command(void *object, struct msg_call *msg,
                   const struct process_member_command_params *in,
                   struct process_member_command_results *out)
{
	const struct member *m = find(object, in->number);

	(void)msg;
	if (!m)
		return STATUS_NO_ENTRY;
	out->command = MSG_DATA(m->command, m->command_length);
	return STATUS_OK;
}

static int load(void *object, struct msg_call *msg, struct process_member_load_results *out)
{
	struct world *world = ((struct member *)object)->world;
	uint64_t cpu_ns = world->ended_cpu_ns;
	struct member_status status;

	(void)msg;
	for (const struct member *m = world->first; m; m = m->after) {
		if (m->state == MEMBER_ENDED)
			continue;
		member_status(m, &status);
		cpu_ns += status.cpu_ns;
	}
	world_update_load(&world->load, cap_now(), cpu_ns);
	*out = (struct process_member_load_results){.one = world->load.average[0],
	                                            .five = world->load.average[1],
	                                            .fifteen = world->load.average[2],
	                                            .processes = world->nmembers,
	                                            .last_number = world->last_number,
	                                            .cpu_ns = cpu_ns};
	return STATUS_OK;
}

/* ---- Limits ---- */

/* The kernel is told how far it may raise its own threads, for which it asks nobody else. */
static void bound_scheduling(const struct member *m)
{
	const uint64_t priority = m->limits[WORLD_LIMIT_REALTIME].soft;
	const uint64_t nice = m->limits[WORLD_LIMIT_NICE].soft;
	uint16_t most = priority < CAPOS_REALTIME_MAX ? (uint16_t)priority : CAPOS_REALTIME_MAX;
	int32_t least = CAPOS_NICE_MIN;

	if (nice < CAPOS_NICE_MAX + 1 - CAPOS_NICE_MIN)
		least = CAPOS_NICE_MAX + 1 - (int32_t)nice;
	if (!m->identity.user.effective) {
		most = CAPOS_REALTIME_MAX;
		least = CAPOS_NICE_MIN;
	}
	if (m->process) /* one that ends raises nothing */
		(void)cap_identity_bound(start_cap("labels"), m->process, most, least);
}

static int get_limit(void *object, struct msg_call *msg,
                     const struct process_member_get_limit_params *in,
                     struct process_member_get_limit_results *out)
{
	const struct member *m = find(object, in->number);

	(void)msg;
	if (!m)
		return STATUS_NO_ENTRY;
	if (in->resource >= WORLD_LIMITS)
		return STATUS_INVALID_ARGUMENT;
	if (!world_may_change(object, m))
		return STATUS_NOT_PERMITTED;
	out->soft = m->limits[in->resource].soft;
	out->hard = m->limits[in->resource].hard;
	return STATUS_OK;
}

static int set_limit(void *object, struct msg_call *msg,
                     const struct process_member_set_limit_params *in)
{
	struct member *m = find(object, in->number);
	int status;

	(void)msg;
	if (!m)
		return STATUS_NO_ENTRY;
	if (!world_may_change(object, m))
		return STATUS_NOT_PERMITTED;
	status = world_set_limit(m, in->resource, &(struct limit){in->soft, in->hard});
	if (!status && (in->resource == WORLD_LIMIT_NICE || in->resource == WORLD_LIMIT_REALTIME))
		bound_scheduling(m);
	return status;
}

/* ---- Users ---- */

static int set_users(void *object, struct msg_call *msg,
                     const struct process_member_set_users_params *in)
{
	struct member *m = object;
	const struct cap_identity before = m->identity;
	struct cap_identity wanted;
	int status;

	(void)msg;
	if (!in->identity.len || !cap_identity_read(&wanted, in->identity.ptr, in->identity.len))
		return STATUS_INVALID_ARGUMENT;
	status = world_set_users(m, &wanted);
	if (!status && cap_identity_set(start_cap("labels"), m->process, &wanted)) {
		m->identity = before; /* the process has just ended */
		status = STATUS_NO_ENTRY;
	}
	if (!status && !before.user.effective != !wanted.user.effective)
		bound_scheduling(m);
	return status;
}

static int users(void *object, struct msg_call *msg, const struct process_member_users_params *in,
                 struct process_member_users_results *out)
{
	const struct member *m = find(object, in->number);

	(void)msg;
	if (!m)
		return STATUS_NO_ENTRY;
	out->identity.ptr = (const void *)&m->identity;
	out->identity.len = (uint32_t)cap_identity_size(&m->identity);
	return STATUS_OK;
}

/* ---- Priorities ---- */

static enum wait_which which_of(uint16_t which)
{
	return which == PROCESS_MEMBER_WHICH_PROCESS ? WAIT_PROCESS
	       : which == PROCESS_MEMBER_WHICH_GROUP ? WAIT_GROUP
	                                             : WAIT_ANY;
}

static int set_nice(void *object, struct msg_call *msg,
                    const struct process_member_set_nice_params *in)
{
	(void)msg;
	return world_set_nice(object, which_of(in->which_), in->id, in->nice);
}

static int get_nice(void *object, struct msg_call *msg, const struct process_member_nice_params *in,
                    struct process_member_nice_results *out)
{
	(void)msg;
	return world_nice(object, which_of(in->which_), in->id, &out->nice);
}

static int set_policy(void *object, struct msg_call *msg,
                      const struct process_member_set_policy_params *in)
{
	const struct world_scheduling wanted = {
	        .policy = in->policy, .priority = in->priority, .forgets = in->forgets};
	struct member *m = find(object, in->number);

	(void)msg;
	return m ? world_set_policy(object, m, &wanted) : STATUS_NO_ENTRY;
}

static int get_policy(void *object, struct msg_call *msg,
                      const struct process_member_policy_params *in,
                      struct process_member_policy_results *out)
{
	const struct member *m = find(object, in->number);

	(void)msg;
	if (!m)
		return STATUS_NO_ENTRY;
	struct world_scheduling now;

	world_scheduling_of(m, &now);
	*out = (struct process_member_policy_results){.policy = now.policy,
	                                              .forgets = now.forgets,
	                                              .priority = now.priority,
	                                              .nice = now.nice};
	return STATUS_OK;
}

/* ---- Notices ---- */

static int ask_notice(void *object, struct msg_call *msg,
                      const struct process_member_ask_notice_params *in)
{
	(void)msg;
	if (in->signal > WORLD_SIGNAL_MAX)
		return STATUS_INVALID_ARGUMENT;
	return world_ask_notice(object, in->key, in->signal, in->value);
}

static int give_notice(void *object, struct msg_call *msg,
                       const struct process_member_give_notice_params *in)
{
	struct member *m = find(object, in->number);

	(void)msg;
	return m ? world_give_notice(object, m, in->key) : STATUS_NO_ENTRY;
}

/* ---- Ends ---- */

static int open_ends(void *object, struct msg_call *msg,
                     const struct process_member_open_ends_params *in,
                     struct process_member_open_ends_results *out)
{
	struct server_call *call = server_call_of(msg);
	cap_t event = server_take(call, in->event_index);
	int status = event == CAP_NULL ? STATUS_INVALID_ARGUMENT
	                               : ends_open(session_of(object), call, event, out);

	if (status)
		cap_release(event);
	return status;
}

static int ends_memory(void *object, struct msg_call *msg,
                       struct process_member_ends_memory_results *out)
{
	return ends_give_memory(session_of(object), server_call_of(msg), out);
}

/* ---- The terminal ---- */

static int set_terminal(void *object, struct msg_call *msg,
                        const struct process_member_set_terminal_params *in,
                        struct process_member_set_terminal_results *out)
{
	return terminal_take(object, server_call_of(msg), in->terminal_index, in->number,
	                     &out->session_index);
}

static int terminal(void *object, struct msg_call *msg, struct process_member_terminal_results *out)
{
	return terminal_give(object, server_call_of(msg), &out->terminal_index, &out->number);
}

static int leave_terminal(void *object, struct msg_call *msg)
{
	(void)msg;
	return terminal_leave(object);
}

static int job(void *object, struct msg_call *msg, struct process_member_job_results *out)
{
	(void)msg;
	terminal_job(object, out);
	return STATUS_OK;
}

const struct process_member_ops member_ops = {.prepare_fork = prepare_fork,
                                              .abandon_fork = abandon_fork,
                                              .wait = wait,
                                              .kill = kill,
                                              .take_signals = take_signals,
                                              .stop = stop,
                                              .set_group = set_group,
                                              .set_session = set_session,
                                              .identity = identity,
                                              .children = children,
                                              .describe = describe,
                                              .list = list,
                                              .command = command,
                                              .load = load,
                                              .get_limit = get_limit,
                                              .set_limit = set_limit,
                                              .foreground = foreground,
                                              .set_foreground = set_foreground,
                                              .usage = usage,
                                              .open_ends = open_ends,
                                              .ends_memory = ends_memory,
                                              .set_terminal = set_terminal,
                                              .terminal = terminal,
                                              .leave_terminal = leave_terminal,
                                              .job = job,
                                              .ipc_get = ipc_get,
                                              .ipc_stat = ipc_stat,
                                              .ipc_set = ipc_set,
                                              .ipc_remove = ipc_remove,
                                              .ipc_use = ipc_use,
                                              .attach_segment = ipc_attach,
                                              .detach_segment = ipc_detach,
                                              .lock_segment = ipc_lock,
                                              .operate_semaphores = ipc_operate,
                                              .read_semaphores = ipc_read,
                                              .assign_semaphores = ipc_assign,
                                              .send_message = ipc_send,
                                              .receive_message = ipc_receive,
                                              .ask = report_ask,
                                              .report = report_take,
                                              .set_death_signal = set_death_signal,
                                              .death_signal = death_signal,
                                              .set_reaper = set_reaper,
                                              .reaper = reaper,
                                              .set_nice = set_nice,
                                              .nice = get_nice,
                                              .set_policy = set_policy,
                                              .policy = get_policy,
                                              .set_users = set_users,
                                              .users = users,
                                              .ask_notice = ask_notice,
                                              .give_notice = give_notice};
