/* SPDX-License-Identifier: MIT */
/*
 * Calls on the kernel's objects: each function is one call, with its message on the stack.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/object.h>
#include <capos/schema/kernel_client.h>

#define OBJECT_BUFFER 512u /* holds any of these methods' messages, a process's name included */

int cap_process_status_of(cap_t process, struct cap_process *out)
{
	_Alignas(8) uint8_t buffer[OBJECT_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_status_results results;
	int result = process_status(process, &results, &call);

	if (!result)
		*out = (struct cap_process){.id = results.id,
		                            .memory_pages = results.memory_pages,
		                            .memory_limit_pages = results.memory_limit_pages,
		                            .cpu_ns = results.cpu_ns,
		                            .mapped_pages = results.mapped_pages,
		                            .alive = results.alive};
	return result;
}

int cap_process_status(struct cap_process *out)
{
	return cap_process_status_of(CAP_SELF, out);
}

int cap_memory_size(cap_t memory, uint64_t *size)
{
	struct memory_object_size_results results;
	int result = memory_object_size(memory, &results, NULL);

	*size = result ? 0 : results.size;
	return result;
}

int cap_memory_status(cap_t memory, cap_t witness, uint64_t era, struct cap_memory_status *out)
{
	struct capos_sqe sqe = {.op = CAP_OP_NOP, .cap = witness, .arg = era};
	struct memory_object_status_results results;
	struct cap_op lives = {.done = false};
	int result = cap_submit(&sqe, &lives), seen;

	if (result)
		return result;
	result = memory_object_status(memory, &results, NULL);
	seen = cap_await_uninterruptible(&lives);
	if (result || seen)
		return seen ? seen : result;
	*out = (struct cap_memory_status){.size = results.size,
	                                  .pages = results.pages,
	                                  .changed_ns = results.changed_ns,
	                                  .loaded_ns = results.loaded_ns};
	return CAP_OK;
}

int cap_process_exit_status(cap_t process, uint32_t *status)
{
	_Alignas(8) uint8_t buffer[OBJECT_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_wait_results results;
	int result = process_wait(process, &results, &call);

	*status = result ? 0 : results.status;
	return result;
}

int cap_process_kill(cap_t process, uint32_t status)
{
	const struct process_kill_params params = {.status = status};

	return process_kill(process, &params, NULL);
}

int cap_process_fork(uint64_t entry, uint64_t stack, cap_t event, uint64_t end_bits, cap_t *process)
{
	_Alignas(8) uint8_t buffer[OBJECT_BUFFER];
	const struct capos_send_cap send = {.cap = event, .rights = CAP_RIGHT_SIGNAL};
	struct capos_call call = {.send_caps = &send,
	                          .send_ncaps = event != CAP_NULL,
	                          .buffer = buffer,
	                          .size = sizeof(buffer)};
	const struct process_fork_params params = {
	        .entry = entry, .stack_pointer = stack, .end_bits = event ? end_bits : 0};
	struct process_fork_results results;
	int result = process_fork(CAP_SELF, &params, &results, &call);

	*process = CAP_NULL;
	if (result)
		return result;
	if (results.process_index >= call.ncaps)
		return CAP_EMESSAGE;
	*process = call.caps[results.process_index];
	return CAP_OK;
}

int cap_thread_create(uint64_t entry, uint64_t stack, uint64_t argument, uint64_t fs_base,
                      uint64_t *id)
{
	struct process_create_thread_params params = {
	        .entry = entry, .stack_pointer = stack, .argument = argument, .fs_base = fs_base};
	struct process_create_thread_results results = {0};
	int result = process_create_thread(CAP_SELF, &params, &results, NULL);

	*id = results.thread_id;
	return result;
}

void cap_thread_exit(void)
{
	process_exit_thread(CAP_SELF, NULL);
	__builtin_trap();
}

int cap_threads_end(void)
{
	return process_end_threads(CAP_SELF, NULL);
}

int cap_thread_scheduling(uint64_t thread, struct capos_scheduling *out)
{
	const struct process_scheduling_params params = {.thread_id = thread};
	struct process_scheduling_results results = {0};
	int result = process_scheduling(CAP_SELF, &params, &results, NULL);

	*out = (struct capos_scheduling){.policy = (uint8_t)results.policy,
	                                 .priority = (uint8_t)results.priority,
	                                 .nice = results.nice,
	                                 .resets = results.resets};
	return result;
}

int cap_thread_set_policy(uint64_t thread, const struct capos_scheduling *wanted)
{
	const struct process_set_policy_params params = {.thread_id = thread,
	                                                 .policy = wanted->policy,
	                                                 .priority = wanted->priority,
	                                                 .resets = wanted->resets};

	return process_set_policy(CAP_SELF, &params, NULL);
}

int cap_thread_set_nice(uint64_t thread, int nice)
{
	const struct process_set_nice_params params = {.thread_id = thread, .nice = nice};

	return process_set_nice(CAP_SELF, &params, NULL);
}

int cap_process_exec(cap_t image, const struct start_place *place, const void *block,
                     uint32_t length, const char *name)
{
	_Alignas(8) uint8_t buffer[OBJECT_BUFFER];
	const struct capos_send_cap send = {
	        .cap = image, .rights = CAP_RIGHTS_ALL, .flags = CAPOS_SEND_MOVE};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct process_exec_params params = {.load_bias = place->load_bias,
	                                           .stack_top = place->stack_top,
	                                           .block_address = (uint64_t)block,
	                                           .block_length = length,
	                                           .name = MSG_TEXT(name)};

	return process_exec(CAP_SELF, &params, &call);
}

int cap_memory_map_near(cap_t memory, uint64_t offset, uint64_t size, uint32_t access,
                        bool private_copy, uint64_t *address)
{
	_Alignas(8) uint8_t buffer[OBJECT_BUFFER];
	const struct capos_send_cap send = {.cap = memory, .rights = CAP_RIGHTS_ALL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct process_map_params params = {.memory_index = 0,
	                                          .offset = offset,
	                                          .size = size,
	                                          .address = *address,
	                                          .access = access,
	                                          .private = private_copy};
	struct process_map_results results;
	int result = process_map(CAP_SELF, &params, &results, &call);

	if (!result)
		*address = results.address;
	return result;
}

int cap_memory_map_zeroes(uint64_t size, uint32_t access, uint64_t *address)
{
	const struct process_map_zeroes_params params = {
	        .size = size, .address = *address, .access = access};
	struct process_map_zeroes_results results;
	int result = process_map_zeroes(CAP_SELF, &params, &results, NULL);

	if (!result)
		*address = results.address;
	return result;
}

int cap_memory_protect(uint64_t address, uint64_t size, uint32_t access)
{
	const struct process_protect_params params = {
	        .address = address, .size = size, .access = access};

	return process_protect(CAP_SELF, &params, NULL);
}

int cap_memory_remap(uint64_t from, uint64_t size, uint64_t new_size, uint64_t *address)
{
	const struct process_remap_params params = {
	        .address = from, .size = size, .new_address = *address, .new_size = new_size};
	_Alignas(8) uint8_t buffer[64];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_remap_results results;
	int result = process_remap(CAP_SELF, &params, &results, &call);

	if (!result)
		*address = results.address;
	return result;
}

int cap_process_mappings(uint64_t from, struct cap_mapping out[CAP_MAPPINGS_MAX], uint32_t *count,
                         uint64_t *next)
{
	_Alignas(8) uint8_t buffer[64 + (CAP_MAPPINGS_MAX + 1) * 40];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	const struct process_mappings_params params = {.from = from};
	struct process_mappings_results results;
	struct mapping_entry entry;
	int result = process_mappings(CAP_SELF, &params, &results, &call);

	*count = 0;
	if (result)
		return result;
	for (uint32_t i = 0; i < results.list.count && i < CAP_MAPPINGS_MAX; i++) {
		result = mapping_entry_get(&results.list, i, &entry);
		if (result)
			return result;
		*next = entry.end;
		out[(*count)++] = (struct cap_mapping){.start = entry.start,
		                                       .end = entry.end,
		                                       .offset = entry.offset,
		                                       .access = entry.access,
		                                       .shared = entry.shared};
	}
	if (results.list.count <= CAP_MAPPINGS_MAX)
		*next = results.next;
	return CAP_OK;
}

int cap_memory_discard(uint64_t address, uint64_t size)
{
	const struct process_discard_params params = {.address = address, .size = size};

	return process_discard(CAP_SELF, &params, NULL);
}

int cap_memory_show_size(cap_t memory, cap_t *shown)
{
	_Alignas(8) uint8_t buffer[OBJECT_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct memory_object_show_size_results results;
	int result = memory_object_show_size(memory, &results, &call);

	*shown = !result && call.ncaps == 1 ? call.caps[0] : CAP_NULL;
	return result;
}

int cap_memory_prepare(cap_t memory, uint64_t offset, uint64_t length)
{
	const struct memory_object_prepare_params params = {.offset = offset, .length = length};

	return memory_object_prepare(memory, &params, NULL);
}

int cap_event_bind_upcall(cap_t event, uint64_t entry)
{
	const struct event_bind_upcall_params params = {.entry = entry};

	return event_bind_upcall(event, &params, NULL);
}

int cap_timer_create(cap_t timer, cap_t *out)
{
	_Alignas(8) uint8_t buffer[OBJECT_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct timer_create_results results;
	int result = timer_create(timer, &results, &call);

	*out = CAP_NULL;
	if (result)
		return result;
	if (results.timer_index >= call.ncaps)
		return CAP_EMESSAGE;
	*out = call.caps[results.timer_index];
	return CAP_OK;
}

int cap_timer_arm(cap_t timer, uint64_t deadline_ns, uint64_t interval_ns, cap_t event,
                  uint64_t bits)
{
	_Alignas(8) uint8_t buffer[OBJECT_BUFFER];
	const struct capos_send_cap send = {.cap = event, .rights = CAP_RIGHT_SIGNAL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct timer_arm_params params = {.deadline_ns = deadline_ns,
	                                        .interval_ns = interval_ns,
	                                        .event_index = 0,
	                                        .bits = bits};

	return timer_arm(timer, &params, &call);
}

int cap_timer_disarm(cap_t timer, uint64_t *remaining_ns, uint64_t *interval_ns)
{
	struct timer_disarm_results results;
	int result = timer_disarm(timer, &results, NULL);

	*remaining_ns = result ? 0 : results.remaining_ns;
	*interval_ns = result ? 0 : results.interval_ns;
	return result;
}

int cap_timer_remaining(cap_t timer, uint64_t *remaining_ns, uint64_t *interval_ns)
{
	struct timer_remaining_results results;
	int result = timer_remaining(timer, &results, NULL);

	*remaining_ns = result ? 0 : results.remaining_ns;
	*interval_ns = result ? 0 : results.interval_ns;
	return result;
}

int cap_entropy_read(cap_t source, void *buffer, uint32_t length)
{
	_Alignas(8) uint8_t message[CAP_ENTROPY_MAX + 128];
	struct capos_call call = {.buffer = message, .size = sizeof(message)};
	const struct entropy_source_read_params params = {.length = length};
	struct entropy_source_read_results results;
	int result = entropy_source_read(source, &params, &results, &call);

	if (result)
		return result;
	if (results.data.len != length)
		return CAP_EMESSAGE;
	memcpy(buffer, results.data.ptr, length);
	return CAP_OK;
}
