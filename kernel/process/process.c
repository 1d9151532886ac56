/* SPDX-License-Identifier: MIT */
/*
 * The life of processes.  The end of one comes from anywhere in the kernel and takes effect at
 * once: none of its threads runs again.  What it held is given up piece by piece, as work; when it
 * has no thread, capability or memory any more, those that wait for its end are answered.
 */
#include "process/process.h"
#include <capos/text.h>
#include <capos/msg.h>
#include <capos/schema/kernel_server.h>
#include "kernel.h"
#include "memory/slab.h"
#include "process/log.h"
#include "process/thread.h"
#include "work.h"

ASSERT_HEADER_FIRST(struct process);

static struct slab processes = SLAB_INIT(struct process);
static uint64_t last_process_id;

struct list all_processes;
static struct list services; /* those of them that are; some ten */
struct process *init_process;

void process_init(void)
{
	list_init(&all_processes);
	list_init(&services);
}

/* ---- Creation ---- */

static bool service_has_name(const char *name)
{
	for (struct list *node = services.next; node != &services; node = node->next) {
		if (strcmp(list_entry(node, struct process, of_services)->name, name) == 0)
			return true;
	}
	return false;
}

/* A program that has a service's name gets a '_' in front: the log names processes by it. */
void process_set_name(struct process *p, const char *name, uint32_t length)
{
	char marked[PROCESS_NAME_MAX + 1];
	text_clean_name(p->name, sizeof(p->name), name, length);
	if (p->service)
		return;
	if (!service_has_name(p->name))
		return;
	fmt_snprintf(marked, sizeof(marked), "_%s", p->name);
	text_clean_name(p->name, sizeof(p->name), marked, (uint32_t)strlen(marked));
}

static void lists_init(struct process *p)
{
	list_init(&p->threads);
	list_init(&p->endpoints);
	list_init(&p->waiters);
	list_init(&p->of_all);
	list_init(&p->of_services);
	for (unsigned i = 0; i < PROCESS_CALL_BUCKETS; i++)
		list_init(&p->calls[i]);
}

/* A space, a table with CAP_SELF in it, and lists. */
static int fill(struct process *p, struct account *account)
{
	if (!space_init(&p->space, account))
		return CAP_ENOMEM;
	int error = cap_table_init(&p->caps, account);
	if (error) {
		space_destroy(&p->space);
		return error;
	}
	cap_t self;
	error = cap_insert(&p->caps, (struct cap){&p->header, KIND_PROCESS, CAP_RIGHTS_ALL}, &self);
	assert(error || self == CAP_SELF);
	if (error) {
		/* Both are empty: they go within any budget. */
		cap_table_destroy(&p->caps);
		space_destroy(&p->space);
	}
	return error;
}

int process_create(const char *name, uint32_t name_length, struct account *account, bool service,
                   struct process **out)
{
	if (!account_count(account, ACCOUNT_PROCESSES))
		return CAP_EAGAIN;
	struct process *p = account_alloc(account, &processes);
	int error = p ? fill(p, account) : CAP_ENOMEM;
	if (error) {
		if (p)
			account_free(account, &processes, p);
		account_uncount(account, ACCOUNT_PROCESSES);
		return error;
	}
	account_get(account);
	p->account = account;
	lists_init(p);
	/* CAP_SELF, and its being alive. */
	p->header = (struct object_header){.refs = 2, .kind = KIND_PROCESS};
	p->id = ++last_process_id;
	p->service = service;
	p->priority_most = CAPOS_REALTIME_MAX;
	p->nice_least = CAPOS_NICE_MIN;
	p->state = PROCESS_ALIVE;
	process_set_name(p, name, name_length);
	list_append(&all_processes, &p->of_all);
	if (service)
		list_append(&services, &p->of_services);
	*out = p;
	return CAP_OK;
}

static int map_stack(struct space *space, uint64_t stack_top)
{
	if (stack_top > CAPOS_STACK_TOP || stack_top < CAPOS_USER_MIN + CAPOS_STACK_SIZE)
		return CAP_EINVAL;
	struct memobj *stack = memobj_create(CAPOS_STACK_SIZE, space->account);
	if (!stack)
		return CAP_ENOMEM;
	uint64_t address = stack_top - CAPOS_STACK_SIZE;
	int error = space_map(space, stack, 0, CAPOS_STACK_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE,
	                      true, false, &address);
	memobj_put(stack);
	return error;
}

int process_map_clock(struct space *space)
{
	uint64_t clock = CAPOS_CLOCK_ADDR;
	return space_map(space, arch_clock_object(), 0, PAGE_SIZE, CAP_RIGHT_READ, false, true,
	                 &clock);
}

int process_furnish(struct space *space, uint64_t stack_top, uint8_t *parts)
{
	for (; *parts < 2; ++*parts) {
		int error = *parts == 0 ? map_stack(space, stack_top) : process_map_clock(space);
		if (error)
			return error;
	}
	return CAP_OK;
}

/* ---- End ---- */

#define STEPS_ANSWER 10u
#define STEPS_SERVED 6u /* to end a call, or all that waits for an endpoint */

/* Answers one who waits. */
static void answer_waiter(struct process *p, struct op *op)
{
	uint64_t buffer[(PROCESS_REASON_MAX + 64) / 8];
	struct msg_builder b;
	struct process_wait_results results = {.status = p->status, .reason = MSG_TEXT(p->reason)};
	msg_builder_init(&b, buffer, sizeof(buffer));
	int error = process_wait_results_write(&b, &results);
	uint32_t length = msg_builder_length(&b);
	if (!error && length > op->buffer.length)
		error = CAP_ETOOBIG;
	if (!error)
		error = space_copy_out(&op->thread->process->space, op->buffer.address, buffer,
		                       length);
	op_complete(op, error, !error ? length : 0, 0, 0);
	process_put(p);
}

static bool may_become(enum process_state from, enum process_state to)
{
	switch (from) {
	case PROCESS_ALIVE:
		return to == PROCESS_ENDING;
	case PROCESS_ENDING:
		return to == PROCESS_ENDED;
	case PROCESS_ENDED:
		break;
	}
	return false;
}

static void process_become(struct process *p, enum process_state state)
{
	assert(kernel_locked() && may_become(p->state, state));
	p->state = state;
}

/* Ends what it served. */
static bool serve_no_more(struct list *list)
{
	struct list *node;
	while ((node = list_first(list))) {
		if (steps_over())
			return false;
		struct served *served = list_entry(node, struct served, of_server);
		served->server_ends(served);
		steps_spend(STEPS_SERVED);
	}
	return true;
}

/* Gives up what the process held, in this order, as far as the budget goes; false: something is
 * left. */
static bool give_up(struct process *p)
{
	struct list *node;
	while ((node = list_first(&p->threads))) {
		if (steps_over() || !thread_free(list_entry(node, struct thread, of_process)))
			return false;
	}
	if (!serve_no_more(&p->endpoints))
		return false;
	for (unsigned i = 0; i < PROCESS_CALL_BUCKETS; i++) {
		if (!serve_no_more(&p->calls[i]))
			return false;
	}
	if (!cap_table_destroy(&p->caps) || !space_destroy(&p->space))
		return false;
	if (p->state == PROCESS_ENDING)
		process_become(p, PROCESS_ENDED);
	while ((node = list_first(&p->waiters))) {
		if (steps_over())
			return false;
		answer_waiter(p, list_entry(node, struct op, queue));
		steps_spend(STEPS_ANSWER);
	}
	return true;
}

static void tear_down(struct work *work)
{
	struct process *p = container_of(work, struct process, work);
	if (!give_up(p)) {
		work_add_rest(work, tear_down);
		return;
	}
	if (p->end_event.object)
		cap_signal(p->end_event, p->end_bits);
	cap_put(p->end_event);
	p->end_event.object = NULL;
	process_put(p);
}

void process_end(struct process *p, uint32_t status, const char *reason)
{
	struct list *node;
	assert(kernel_locked() && p->state == PROCESS_ALIVE);
	if (p == init_process) {
		if (reason)
			panic("%s ended: %s", p->name, reason);
		klog("kernel: %s ended with status %u: shutting down", p->name, status);
		arch_shutdown();
	}
	if (reason)
		fmt_snprintf(p->reason, sizeof(p->reason), "%s", reason);
	log_process_ends(p, reason);
	process_become(p, PROCESS_ENDING);
	p->status = status;
	list_remove(&p->of_all);
	list_remove(&p->of_services);
	for (node = p->threads.next; node != &p->threads; node = node->next) {
		thread_stop(list_entry(node, struct thread, of_process));
		steps_spend(1);
	}
	work_add(&p->work, tear_down);
}

void process_get(struct process *p)
{
	header_get(&p->header);
}

void process_put(struct process *p)
{
	if (header_put(&p->header))
		process_last(&p->header);
}

void process_last(struct object_header *header)
{
	struct process *p = process_of(header);
	assert(kernel_locked() && p->state == PROCESS_ENDED);
	struct account *account = p->account;
	if (account->items[ACCOUNT_PROCESSES] == 1)
		log_report_dropped(p); /* what its relatives left unsaid */
	account_uncount(account, ACCOUNT_PROCESSES);
	account_free(account, &processes, p);
	account_put(account);
}
