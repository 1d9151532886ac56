/* SPDX-License-Identifier: MIT */
/*
 * Main program of the kernel's test, and what its parts share.  Every part gives back what it took:
 * at the end the kernel must hold as many objects and pages as at the beginning.
 */
#include <string.h>

#include <capos/archive.h>
#include <capos/start.h>
#include <capos/layout.h>

#include "kernel_test.h"

#define STACK_SIZE 65536u
#define THREADS    8u /* that all tests together start: each gets the same stack every time */

int run(struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap_op op = {0};
	int result = cap_submit(sqe, &op);
	if (!result)
		result = cap_await_uninterruptible(&op);
	if (cqe)
		*cqe = op.cqe;
	return result;
}

void start_thread(void (*entry)(uint64_t), uint64_t argument)
{
	static _Alignas(16) uint8_t stacks[THREADS][STACK_SIZE];
	static unsigned next;
	uint8_t *stack = stacks[next++ % THREADS];
	struct process_create_thread_params params = {
	        .entry = (uint64_t)entry,
	        .stack_pointer = (uint64_t)stack + STACK_SIZE - 8,
	        .argument = argument}; /* stack: as after a call */
	tap_equal(process_create_thread(CAP_SELF, &params, NULL, NULL), CAP_OK, "a thread starts");
}

void end_thread(void)
{
	process_exit_thread(CAP_SELF, NULL);
	__builtin_trap();
}

cap_t find_file(const char *name)
{
	struct memory_object_size_results size = {};
	void *archive;
	if (memory_object_size(BOOT, &size, NULL) != CAP_OK ||
	    cap_memory_map(BOOT, 0, size.size, CAP_RIGHT_READ, &archive) != CAP_OK)
		return CAP_NULL;
	const struct capos_archive_header *h = archive;
	const struct capos_archive_entry *e = (const struct capos_archive_entry *)(h + 1);
	struct capos_call call;
	uint64_t buffer[16];
	cap_t found = CAP_NULL;
	for (uint32_t i = 0; i < h->count; i++, e++) {
		if (strcmp(e->name, name) != 0)
			continue;
		struct memory_object_slice_params params = {.offset = e->offset, .size = e->size};
		call = (struct capos_call){.buffer = buffer, .size = sizeof(buffer)};
		if (memory_object_slice(BOOT, &params, NULL, &call) == CAP_OK)
			found = call.caps[0];
	}
	cap_memory_unmap(archive, size.size);
	return found;
}

uint64_t start_limit_pages = START_LIMIT_PAGES;
cap_t start_account;

int start_process(cap_t image, const char *argument, const struct capos_send_cap *caps,
                  uint32_t ncaps, cap_t *process)
{
	static _Alignas(16) uint8_t block[2048];
	static uint64_t buffer[512];
	struct capos_send_cap send[CAPOS_MESSAGE_CAPS_MAX];
	const char *args[] = {argument, NULL}, *env[] = {NULL};
	struct start_params start = {.process_name = argument, .args = args, .env = env};
	uint32_t length;
	int result = start_block_build(&start, block, sizeof(block), &length);
	if (result)
		return result;
	for (uint32_t i = 0; i < ncaps; i++)
		send[i] = caps[i];
	bool in_account = start_account != CAP_NULL;
	if (in_account)
		send[ncaps++] =
		        (struct capos_send_cap){.cap = start_account, .rights = CAP_RIGHTS_ALL};
	send[ncaps] = (struct capos_send_cap){.cap = image, .rights = CAP_RIGHTS_ALL};
	struct process_spawner_spawn_params params = {
	        .name = {argument, (uint32_t)strlen(argument)},
	        .image_index = (uint16_t)ncaps,
	        .load_bias = CAPOS_IMAGE_FIRST,
	        .start_block = MSG_DATA(block, length),
	        .memory_limit_pages = in_account ? 0 : start_limit_pages,
	        .in_account = in_account};
	struct capos_call call = {.send_caps = send,
	                          .send_ncaps = ncaps + 1,
	                          .buffer = buffer,
	                          .size = sizeof(buffer)};
	result = process_spawner_spawn(SPAWNER, &params, NULL, &call);
	*process = !result ? call.caps[0] : CAP_NULL;
	return result;
}

uint32_t wait_for(cap_t process, char *reason, uint32_t size)
{
	uint64_t buffer[64];
	struct process_wait_results results = {};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	int error = process_wait(process, &results, &call);
	tap_equal(error, CAP_OK, "the end of a process is reported");
	if (reason && results.reason.ptr) {
		uint32_t length = results.reason.len < size ? results.reason.len : size - 1;
		memcpy(reason, results.reason.ptr, length);
		reason[length] = '\0';
	}
	cap_release(process);
	return results.status;
}

static struct system_status_memory_results usage(void)
{
	struct system_status_memory_results results = {};
	system_status_memory(SYSTEM_STATUS, &results, NULL);
	return results;
}

static void run_all(void)
{
	test_ring();
	test_ipc();
	test_memory();
	test_code_and_data();
	test_time();
	test_devices();
	test_process();
	test_fork();
	test_account();
	test_depth();
	test_labels();
	test_share();
}

int main(void)
{
	tap_start(LOG);
	run_all(); /* so that everything that appears on first use is there */
	run_all();
	struct system_status_memory_results before = usage();
	run_all();
	struct system_status_memory_results after = usage();
	tap_equal((int64_t)after.kernel_objects, (int64_t)before.kernel_objects,
	          "no kernel object is left behind");
	/* How many pages the same objects fill depends on the order in which they came and went. */
	tap_equal((int64_t)(after.free_pages + after.object_pages),
	          (int64_t)(before.free_pages + before.object_pages), "no page is left behind");
	tap_finish();
	power_control_shutdown(POWER, NULL);
	return 1;
}
