/* SPDX-License-Identifier: MIT */
/*
 * The methods of Process.  Each checks its rights and parameters first and changes
 * something only when nothing more can be refused.
 */
#include "object/endpoint.h"
#include "object/event.h"
#include "object/kcall.h"
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"

#define ACCESS_ALL (CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_EXEC)

/* The process, as long as it runs. */
static int managed(void *object, struct msg_call *msg, struct process **out)
{
	(void)msg;
	*out = object;
	return (*out)->state == PROCESS_ALIVE ? CAP_OK : CAP_EGONE;
}

static bool access_valid(uint32_t access)
{
	return (access & ~ACCESS_ALL) == 0 && (~access & (CAP_RIGHT_WRITE | CAP_RIGHT_EXEC)) != 0;
}

static int create_memory(void *object, struct msg_call *msg,
                         const struct process_create_memory_params *params,
                         struct process_create_memory_results *results)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (params->size > CAPOS_USER_MAX)
		return CAP_EINVAL;
	struct memobj *m = memobj_create(params->size == 0 ? 1 : params->size, p->account);
	if (!m)
		return CAP_ENOMEM;
	results->memory_index =
	        kcall_give(kcall_of(msg), KIND_MEMORY, &m->header, MEMORY_DATA_RIGHTS);
	return CAP_OK;
}

static int map_private(struct kcall *call, struct space *space, struct cap memory,
                       const struct process_map_params *params, uint64_t *address)
{
	uint64_t size = (params->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	struct memobj *m = memobj_of(memory.object);
	bool code = m->code || (memory.rights & CAP_RIGHT_EXEC) != 0;
	struct slice_request what = {.from = m,
	                             .makes_code = code,
	                             .offset = params->offset,
	                             .size = memobj_covers(m, params->offset, params->size),
	                             .account = space->account};
	int error = call->caller->job
	                    ? CAP_OK
	                    : space_check_map(m, what.offset, size, params->access, true, code);
	if (!error)
		error = kcall_slice(call, &what);
	if (error)
		return error;
	error = space_map_copy(space, what.code, what.copy, size, params->access, address);
	if (error)
		memobj_put(what.copy);
	return error;
}

static int map(void *object, struct msg_call *msg, const struct process_map_params *params,
               struct process_map_results *results)
{
	struct process *p;
	struct cap memory;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (!access_valid(params->access) || params->size == 0 || params->size > CAPOS_USER_MAX ||
	    params->offset % PAGE_SIZE != 0 || params->address % PAGE_SIZE != 0)
		return CAP_EINVAL;
	uint32_t needed = params->private ? CAP_RIGHT_READ : params->access;
	error = kcall_arg(kcall_of(msg), params->memory_index, KIND_MEMORY, needed, &memory);
	if (error)
		return error;
	uint64_t size = (params->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (params->offset + size < params->offset)
		return CAP_EINVAL;
	results->address = params->address;
	if (params->private || kcall_of(msg)->caller->job)
		return map_private(kcall_of(msg), &p->space, memory, params, &results->address);
	return space_map(&p->space, memobj_of(memory.object), params->offset, size,
	                 params->access | SPACE_LIMIT(memory.rights), false, false,
	                 &results->address);
}

static int map_zeroes(void *object, struct msg_call *msg,
                      const struct process_map_zeroes_params *params,
                      struct process_map_zeroes_results *results)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (!access_valid(params->access) || params->size == 0 || params->size > CAPOS_USER_MAX ||
	    params->address % PAGE_SIZE != 0)
		return CAP_EINVAL;
	struct memobj *m =
	        memobj_create((params->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), p->account);
	if (!m)
		return CAP_ENOMEM;
	results->address = params->address;
	error = space_map_copy(&p->space, false, m, m->size, params->access, &results->address);
	if (error)
		memobj_put(m);
	return error;
}

static int unmap(void *object, struct msg_call *msg, const struct process_unmap_params *params)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (params->size > CAPOS_USER_MAX || params->address % PAGE_SIZE != 0)
		return CAP_EINVAL;
	return space_unmap(&p->space, params->address,
	                   (params->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1),
	                   kcall_of(msg)->caller->progress);
}

static int protect(void *object, struct msg_call *msg, const struct process_protect_params *params)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (!access_valid(params->access) || params->size > CAPOS_USER_MAX ||
	    params->address % PAGE_SIZE != 0)
		return CAP_EINVAL;
	return space_protect(&p->space, params->address,
	                     (params->size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), params->access,
	                     kcall_of(msg)->caller->progress);
}

static int discard(void *object, struct msg_call *msg, const struct process_discard_params *params)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (params->size > CAPOS_USER_MAX || params->address % PAGE_SIZE != 0)
		return CAP_EINVAL;
	return space_discard(&p->space, params->address, params->size,
	                     kcall_of(msg)->caller->progress);
}

static int remap(void *object, struct msg_call *msg, const struct process_remap_params *params,
                 struct process_remap_results *results)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	const struct remap r = {
	        .from = params->address, .size = params->size, .new_size = params->new_size};
	if ((r.from | r.size | r.new_size | params->new_address) % PAGE_SIZE != 0 ||
	    r.new_size == 0 || r.new_size > CAPOS_USER_MAX || r.size > CAPOS_USER_MAX)
		return CAP_EINVAL;
	results->address = params->new_address;
	return space_remap(&p->space, &r, &results->address, kcall_of(msg)->caller->progress);
}

#define MAPPINGS_MAX  64u
#define MAPPING_BYTES 40u /* in the reply: 4 words, and their share of the list */

static int mappings(void *object, struct msg_call *msg,
                    const struct process_mappings_params *params,
                    struct process_mappings_results *results)
{
	static struct mapping_entry entries[MAPPINGS_MAX];
	struct process *p;
	uint32_t count = 0, most = msg->out_size / MAPPING_BYTES;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (most < 2)
		return CAP_ETOOBIG;
	most = most - 1 < MAPPINGS_MAX ? most - 1 : MAPPINGS_MAX;
	for (const struct mapping *m = space_mapping_from(&p->space, params->from); m;
	     m = space_mapping_from(&p->space, m->end)) {
		if (count == most) {
			results->next = m->start;
			break;
		}
		entries[count++] = (struct mapping_entry){.start = m->start,
		                                          .end = m->end,
		                                          .offset = m->offset,
		                                          .access = m->access,
		                                          .shared = !m->private_copy};
	}
	results->list = (struct msg_list){.count = count, .items = entries};
	return CAP_OK;
}

static int create_event(void *object, struct msg_call *msg,
                        struct process_create_event_results *results)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	struct event *e = event_create(p->account);
	if (!e)
		return CAP_ENOMEM;
	results->event_index =
	        kcall_give(kcall_of(msg), KIND_EVENT, event_header(e), CAP_RIGHTS_ALL);
	return CAP_OK;
}

static int create_endpoint(void *object, struct msg_call *msg,
                           struct process_create_endpoint_results *results)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	struct endpoint *e = endpoint_create(p->account);
	if (!e)
		return CAP_ENOMEM;
	results->endpoint_index =
	        kcall_give(kcall_of(msg), KIND_ENDPOINT, endpoint_header(e), CAP_RIGHTS_ALL);
	return CAP_OK;
}

static int create_thread(void *object, struct msg_call *msg,
                         const struct process_create_thread_params *params,
                         struct process_create_thread_results *results)
{
	struct process *p;
	struct thread *t;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (params->entry < CAPOS_USER_MIN || params->entry >= CAPOS_USER_MAX ||
	    params->stack_pointer >= CAPOS_USER_MAX || params->fs_base >= CAPOS_USER_MAX)
		return CAP_EINVAL;
	error = thread_create(p, params->entry, params->stack_pointer, params->argument,
	                      params->fs_base, &t);
	if (error)
		return error;
	results->thread_id = t->id;
	results->ring_address = t->ring_address;
	if (kcall_of(msg)->caller->process == p)
		thread_inherit(t, kcall_of(msg)->caller);
	sched_wake(t);
	return CAP_OK;
}

static int find_thread(void *object, struct msg_call *msg, uint64_t id, struct thread **out)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	*out = thread_find(p, id);
	return *out ? CAP_OK : CAP_ENOENT;
}

static bool policy_valid(uint16_t policy, uint16_t priority)
{
	switch (policy) {
	case CAPOS_POLICY_OTHER:
	case CAPOS_POLICY_BATCH:
	case CAPOS_POLICY_IDLE:
		return priority == 0;
	case CAPOS_POLICY_FIFO:
	case CAPOS_POLICY_ROUND_ROBIN:
		return priority >= 1 && priority <= CAPOS_REALTIME_MAX;
	default:
		return false;
	}
}

static bool is_realtime(uint32_t policy)
{
	return policy == CAPOS_POLICY_FIFO || policy == CAPOS_POLICY_ROUND_ROBIN;
}

/* Whether the caller may raise a thread so: what it has is not more. */
static bool may_raise(const struct process *by, const struct capos_scheduling *now,
                      const struct process_set_policy_params *wanted)
{
	if (by->priority_most == CAPOS_REALTIME_MAX)
		return true;
	if (now->resets && !wanted->resets)
		return false;
	return !is_realtime(wanted->policy) || wanted->priority <= by->priority_most ||
	       (is_realtime(now->policy) && wanted->priority <= now->priority);
}

static int set_policy(void *object, struct msg_call *msg,
                      const struct process_set_policy_params *params)
{
	struct thread *t;
	int error = find_thread(object, msg, params->thread_id, &t);
	if (error)
		return error;
	if (!policy_valid(params->policy, params->priority))
		return CAP_EINVAL;
	if (!may_raise(kcall_of(msg)->caller->process, &t->scheduling, params))
		return CAP_ERIGHTS;
	thread_schedule(t, (struct capos_scheduling){.policy = (uint8_t)params->policy,
	                                             .priority = (uint8_t)params->priority,
	                                             .nice = t->scheduling.nice,
	                                             .resets = params->resets});
	return CAP_OK;
}

static int set_nice(void *object, struct msg_call *msg,
                    const struct process_set_nice_params *params)
{
	struct thread *t;
	int error = find_thread(object, msg, params->thread_id, &t);
	if (error)
		return error;
	if (params->nice < CAPOS_NICE_MIN || params->nice > CAPOS_NICE_MAX)
		return CAP_EINVAL;
	struct capos_scheduling scheduling = t->scheduling;
	if (params->nice < scheduling.nice &&
	    params->nice < kcall_of(msg)->caller->process->nice_least)
		return CAP_ERIGHTS;
	scheduling.nice = params->nice;
	thread_schedule(t, scheduling);
	return CAP_OK;
}

static int scheduling(void *object, struct msg_call *msg,
                      const struct process_scheduling_params *params,
                      struct process_scheduling_results *results)
{
	struct thread *t;
	int error = find_thread(object, msg, params->thread_id, &t);
	if (error)
		return error;
	*results = (struct process_scheduling_results){.policy = t->scheduling.policy,
	                                               .priority = t->scheduling.priority,
	                                               .nice = t->scheduling.nice,
	                                               .resets = t->scheduling.resets};
	return CAP_OK;
}

static int exit_thread(void *object, struct msg_call *msg)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	struct thread *t = kcall_of(msg)->caller;
	if (t->process != p)
		return CAP_ETYPE;
	robust_begin(&t->robust, t);
	if (!robust_go_on(&t->robust, &p->space))
		return WORK_AGAIN;
	thread_end(t);
	if (p->nthreads == 0)
		process_end(p, 0, NULL);
	return MSG_DEFERRED;
}

static void stop_others(struct process *p, const struct thread *caller)
{
	for (struct list *node = p->threads.next; node != &p->threads; node = node->next) {
		struct thread *t = list_entry(node, struct thread, of_process);
		if (t != caller && t->state != THREAD_DEAD)
			thread_stop(t);
		steps_spend(1);
	}
}

static int end_threads(void *object, struct msg_call *msg)
{
	struct process *p;
	struct thread *caller = kcall_of(msg)->caller;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	if (caller->process != p)
		return CAP_ETYPE;
	/* All at once; later only those that another process has created since. */
	if (caller->progress[0] == 0)
		stop_others(p, caller);
	caller->progress[0] = 1;
	for (struct list *node = p->threads.next, *next; node != &p->threads; node = next) {
		struct thread *t = list_entry(node, struct thread, of_process);
		next = node->next;
		if (t == caller)
			continue;
		if (steps_over())
			return WORK_AGAIN;
		if (t->state != THREAD_DEAD)
			thread_stop(t);
		if (!thread_free(t))
			return WORK_AGAIN;
	}
	return CAP_OK;
}

static void withdraw_wait(struct op *op)
{
	process_put(op->target);
}

static int wait(void *object, struct msg_call *msg, struct process_wait_results *results)
{
	struct process *p = object;
	struct kcall *call = kcall_of(msg);
	if (p->state == PROCESS_ENDED) {
		results->status = p->status;
		results->reason = MSG_TEXT(p->reason);
		return CAP_OK;
	}
	struct op *op = op_create(call->caller, call->sqe, withdraw_wait);
	if (!op)
		return CAP_ENOMEM;
	process_get(p);
	op->target = p;
	list_append(&p->waiters, &op->queue);
	return MSG_DEFERRED;
}

static int status(void *object, struct msg_call *msg, struct process_status_results *results)
{
	struct process *p = object;
	(void)msg;
	sched_account();
	results->id = p->id;
	results->name = MSG_TEXT(p->name);
	results->alive = p->state == PROCESS_ALIVE;
	results->memory_pages = account_used(p->account);
	results->memory_limit_pages = p->account->limits.pages;
	results->capabilities = p->caps.live;
	results->threads = p->nthreads;
	results->cpu_ns = p->cpu_ns;
	results->mapped_pages = p->space.mapped / PAGE_SIZE;
	return CAP_OK;
}

static int resident(void *object, struct msg_call *msg, struct process_resident_results *results)
{
	struct process *p = object;
	uint64_t *progress = kcall_of(msg)->caller->progress;
	if (!space_count_resident(&p->space, &progress[0], &progress[1]))
		return WORK_AGAIN;
	results->pages = progress[1];
	return CAP_OK;
}

static int kill(void *object, struct msg_call *msg, const struct process_kill_params *params)
{
	struct process *p = object;
	struct kcall *call = kcall_of(msg);
	if (p->state != PROCESS_ALIVE)
		return CAP_OK;
	bool self = call->caller->process == p;
	char reason[PROCESS_REASON_MAX];
	fmt_snprintf(reason, sizeof(reason), "ended by %s", call->caller->process->name);
	/* A signal says enough: it is how processes end each other. */
	process_end(p, params->status & 0xffff, CAPOS_EXIT_SIGNAL(params->status) ? NULL : reason);
	return self ? MSG_DEFERRED : CAP_OK;
}

static int set_name(void *object, struct msg_call *msg,
                    const struct process_set_name_params *params)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	process_set_name(p, params->name.ptr, params->name.len);
	return CAP_OK;
}

/* The process, when it is the caller's own. */
static int own(void *object, struct msg_call *msg, struct process **out)
{
	int error = managed(object, msg, out);
	if (error)
		return error;
	return kcall_of(msg)->caller->process == *out ? CAP_OK : CAP_ETYPE;
}

static int fork_method(void *object, struct msg_call *msg, const struct process_fork_params *params,
                       struct process_fork_results *results)
{
	struct process *p, *child;
	struct cap event = {.object = NULL};
	int error = own(object, msg, &p);
	if (error)
		return error;
	if (params->entry < CAPOS_USER_MIN || params->entry >= CAPOS_USER_MAX ||
	    params->stack_pointer >= CAPOS_USER_MAX)
		return CAP_EINVAL;
	if (params->end_bits != 0)
		error = kcall_arg(kcall_of(msg), params->end_event_index, KIND_EVENT,
		                  CAP_RIGHT_SIGNAL, &event);
	if (error)
		return error;
	struct fork what = {.entry = params->entry,
	                    .stack = params->stack_pointer,
	                    .argument = params->argument,
	                    .end_event = event,
	                    .end_bits = params->end_bits};
	error = process_fork_copy(kcall_of(msg)->caller);
	if (!error) /* the copy shares the pages that the reply goes to */
		error = kcall_reply_room(kcall_of(msg));
	if (!error)
		error = process_fork_start(kcall_of(msg)->caller, &what, &child);
	if (!error)
		results->process_index =
		        kcall_give(kcall_of(msg), KIND_PROCESS, &child->header, CAP_RIGHTS_ALL);
	return error;
}

static int exec_process(void *object, struct msg_call *msg,
                        const struct process_exec_params *params)
{
	struct process *p;
	struct cap image;
	struct kcall *call = kcall_of(msg);
	int error = own(object, msg, &p);
	if (error)
		return error;
	if (p->nthreads != 1)
		return CAP_EBUSY;
	if (params->block_length == 0 || params->block_length % 16 != 0)
		return CAP_EINVAL;
	if (params->block_length > PROCESS_START_BLOCK_MAX)
		return CAP_ETOOBIG;
	error = kcall_arg(call, params->image_index, KIND_MEMORY, CAP_RIGHT_READ | CAP_RIGHT_EXEC,
	                  &image);
	if (error)
		return error;
	if (memobj_of(image.object)->kind != MEMOBJ_ANON)
		return CAP_ETYPE;
	struct exec what = {.image = memobj_of(image.object),
	                    .load_bias = params->load_bias,
	                    .stack_top = params->stack_top,
	                    .block = params->block_address,
	                    .block_length = params->block_length};
	error = process_exec(call->caller, &what);
	if (error)
		return error;
	if (params->name.len > 0)
		process_set_name(p, params->name.ptr, params->name.len);
	transfer_unmove(&call->in, p);
	return MSG_DEFERRED;
}

static int caller_label(void *object, struct msg_call *msg,
                        const struct process_caller_label_params *params,
                        struct process_caller_label_results *results)
{
	struct process *p;
	const struct process *caller;
	int error = own(object, msg, &p);
	if (error)
		return error;
	caller = call_caller(p, params->call);
	if (!caller)
		return CAP_ENOENT;
	results->label = MSG_DATA(caller->label, caller->label_length);
	return CAP_OK;
}

static int account_method(void *object, struct msg_call *msg,
                          struct process_account_results *results)
{
	struct process *p;
	int error = managed(object, msg, &p);
	if (error)
		return error;
	account_get(p->account);
	results->account_index = kcall_give(kcall_of(msg), KIND_ACCOUNT, &p->account->header,
	                                    ACCOUNT_RIGHTS & ~CAP_RIGHT_MANAGE);
	return CAP_OK;
}

int process_call(struct object_header *header, struct msg_call *msg)
{
	static const struct process_ops ops = {
	        .create_memory = create_memory,
	        .map = map,
	        .unmap = unmap,
	        .protect = protect,
	        .create_event = create_event,
	        .create_endpoint = create_endpoint,
	        .create_thread = create_thread,
	        .exit_thread = exit_thread,
	        .end_threads = end_threads,
	        .wait = wait,
	        .status = status,
	        .kill = kill,
	        .set_name = set_name,
	        .fork = fork_method,
	        .exec = exec_process,
	        .account = account_method,
	        .discard = discard,
	        .remap = remap,
	        .map_zeroes = map_zeroes,
	        .resident = resident,
	        .mappings = mappings,
	        .caller_label = caller_label,
	        .set_policy = set_policy,
	        .set_nice = set_nice,
	        .scheduling = scheduling,
	};
	return process_dispatch(&ops, process_of(header), msg);
}
