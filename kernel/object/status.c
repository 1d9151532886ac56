/* SPDX-License-Identifier: MIT */
/*
 * SystemStatus: who runs and who holds what.  Reads the tables and changes nothing.
 */
#include "object/endpoint.h"
#include "object/kcall.h"
#include "kernel.h"
#include "process/process.h"
#include "memory/slab.h"
#include "work.h"

/* Bytes of a reply for one capability entry at most: four words of data, the text's pointer, the
 * text. */
#define ENTRY_BYTES (8 * 5 + PROCESS_NAME_MAX)
/* The same of a process's entry: two words of data, the text's pointer, the text. */
#define PROCESS_BYTES (8 * 3 + PROCESS_NAME_MAX)
/* Bytes of a reply beside the entries: root, its data and pointer, the list's tag. */
#define REPLY_BYTES 64u
/* As many as the page holds that the reply is made from. */
#define ENTRIES_MAX   (uint32_t)(PAGE_SIZE / sizeof(struct capability_entry))
#define PROCESSES_MAX (uint32_t)(PAGE_SIZE / sizeof(struct process_entry))

#define PROCESSES_PER_STEP 8u /* of the list, passed over */

/* How many entries of at most so many bytes there is room for: in the reply's buffer, and in the
 * page that the reply is made from.  0: not for one. */
static uint32_t room_for(const struct msg_call *msg, uint32_t bytes, uint32_t most)
{
	if (msg->out_size < REPLY_BYTES)
		return 0;
	uint32_t room = (msg->out_size - REPLY_BYTES) / bytes;
	return room < most ? room : most;
}

static int processes(void *object, struct msg_call *msg,
                     const struct system_status_processes_params *params,
                     struct system_status_processes_results *results)
{
	struct process_entry *entries = (struct process_entry *)this_cpu()->data;
	uint32_t count = 0, passed = 0, most = room_for(msg, PROCESS_BYTES, PROCESSES_MAX);
	(void)object;
	if (most == 0)
		return CAP_ETOOBIG;
	for (struct list *node = all_processes.next; node != &all_processes; node = node->next) {
		const struct process *p = list_entry(node, struct process, of_all);
		if (++passed % PROCESSES_PER_STEP == 0)
			steps_spend(1);
		if (p->id < params->first_id)
			continue;
		if (count == most) {
			results->next_id = p->id;
			break;
		}
		entries[count++] = (struct process_entry){
		        .id = p->id, .name = MSG_TEXT(p->name), .service = p->service};
	}
	results->list = (struct msg_list){.count = count, .items = entries};
	return CAP_OK;
}

static struct process *find_process(uint64_t id)
{
	for (struct list *node = all_processes.next; node != &all_processes; node = node->next) {
		struct process *p = list_entry(node, struct process, of_all);
		if (p->id == id)
			return p;
	}
	return NULL;
}

static void describe(uint32_t index, struct cap cap, struct capability_entry *entry)
{
	const char *server = "kernel";
	*entry = (struct capability_entry){.index = index,
	                                   .kind = cap.kind,
	                                   .interface = kinds[cap.kind].interface,
	                                   .rights = cap.rights};
	if (kinds[cap.kind].number)
		entry->object = kinds[cap.kind].number(cap.object);
	if (cap.kind == KIND_OBJECT) {
		server = object_server_name(object_of(cap.object));
		entry->interface = object_interface(object_of(cap.object));
		entry->object = object_word(object_of(cap.object));
	}
	entry->server = MSG_TEXT(server);
}

static int capabilities(void *object, struct msg_call *msg,
                        const struct system_status_capabilities_params *params,
                        struct system_status_capabilities_results *results)
{
	struct capability_entry *entries = (struct capability_entry *)this_cpu()->data;
	const struct process *p = find_process(params->process_id);
	(void)object;
	if (!p)
		return CAP_ENOENT;
	uint32_t count = 0, most = room_for(msg, ENTRY_BYTES, ENTRIES_MAX);
	if (most == 0)
		return CAP_ETOOBIG;
	for (uint32_t index = params->first_index; index < p->caps.next_unused; index++) {
		struct cap cap;
		if (!cap_at(&p->caps, index, &cap))
			continue;
		if (count == most) {
			results->next_index = index;
			break;
		}
		describe(index, cap, &entries[count++]);
	}
	results->list = (struct msg_list){.count = count, .items = entries};
	return CAP_OK;
}

static int memory(void *object, struct msg_call *msg, struct system_status_memory_results *results)
{
	(void)object;
	(void)msg;
	work_run();
	if (work_pending())
		return OP_AGAIN;
	results->total_pages = page_total();
	results->free_pages = page_free_count();
	results->kernel_objects = slab_live_objects();
	results->context_switches = this_cpu()->context_switches;
	results->interrupts = this_cpu()->interrupts;
	results->object_pages = slab_pages();
	return CAP_OK;
}

static int latency(void *object, struct msg_call *msg,
                   const struct system_status_latency_params *params,
                   struct system_status_latency_results *results)
{
	struct cpu *cpu = this_cpu();
	(void)object;
	(void)msg;
	*results = (struct system_status_latency_results){.longest_ns = cpu->longest_ns,
	                                                  .entry = cpu->longest.kind,
	                                                  .op = cpu->longest.op,
	                                                  .method = cpu->longest.method,
	                                                  .interface = cpu->longest.interface};
	cpu->longest_ns = 0;
	cpu->measures = params->measure;
	cpu->entered_at = 0; /* this entry does not count */
	return CAP_OK;
}

static int protections(void *object, struct msg_call *msg,
                       struct system_status_protections_results *results)
{
	struct protection *entries = (struct protection *)this_cpu()->data;
	struct arch_protection found[ARCH_PROTECTIONS];
	uint32_t count = arch_protections(found);
	(void)object;
	(void)msg;
	_Static_assert(ARCH_PROTECTIONS * sizeof(struct protection) <= sizeof(this_cpu()->data),
	               "the reply's entries fit");
	for (uint32_t i = 0; i < count; i++)
		entries[i] = (struct protection){
		        .name = MSG_TEXT(found[i].name), .on = found[i].on, .bits = found[i].bits};
	results->list = (struct msg_list){.count = count, .items = entries};
	return CAP_OK;
}

int status_call(struct object_header *object, struct msg_call *msg)
{
	static const struct system_status_ops ops = {
	        .processes = processes,
	        .capabilities = capabilities,
	        .memory = memory,
	        .latency = latency,
	        .protections = protections,
	};
	return system_status_dispatch(&ops, object, msg);
}
