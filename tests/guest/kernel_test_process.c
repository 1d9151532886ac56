/* SPDX-License-Identifier: MIT */
/*
 * Processes and their ends, and devices: children are the program "kernel_child", whose
 * argument says what to do.
 */
#include <string.h>

#include <capos/format.h>

#include "kernel_test.h"

static const struct capos_send_cap log_only[] = {{LOG, CAP_RIGHTS_ALL, 0}};

static void ends_with(cap_t image, const char *argument, uint32_t status, const char *reason,
                      const char *what)
{
	cap_t process;
	char reason_given[128] = "";
	tap_equal(start_process(image, argument, log_only, 1, &process), CAP_OK, what);
	tap_equal(wait_for(process, reason_given, sizeof(reason_given)), status, argument);
	tap_ok(strncmp(reason_given, reason, strlen(reason)) == 0, reason);
}

static void test_ends(cap_t image)
{
	ends_with(image, "exit", CAPOS_EXIT_STATUS(7, 0), "", "a process exits");
	ends_with(image, "null", CAPOS_EXIT_STATUS(0, 11), "page fault at 0x10 ",
	          "a process faults");
	ends_with(image, "kernel", CAPOS_EXIT_STATUS(0, 11), "", "a process touches the kernel");
	ends_with(image, "divide", CAPOS_EXIT_STATUS(0, 8), "divide error",
	          "a process divides by zero");
	ends_with(image, "illegal", CAPOS_EXIT_STATUS(0, 4), "invalid opcode",
	          "a process runs what is no code");
	ends_with(image, "privileged", CAPOS_EXIT_STATUS(0, 11), "general protection",
	          "a process tries CLI");
	ends_with(image, "nx", CAPOS_EXIT_STATUS(0, 11), "page fault",
	          "a process jumps to its data");
	ends_with(image, "code", CAPOS_EXIT_STATUS(0, 11), "page fault",
	          "a process writes to its code");
	ends_with(image, "overrun", CAPOS_EXIT_STATUS(0, 6), "",
	          "a process overruns a buffer on its stack");
	ends_with(image, "relro", CAPOS_EXIT_STATUS(0, 11), "page fault",
	          "a process writes to addresses that its start corrected");
	ends_with(image, "syscall", CAPOS_EXIT_STATUS(0, 31), "bad system call",
	          "a process makes a call there is not");
	ends_with(image, "greedy", CAPOS_EXIT_STATUS(0, 9), "out of memory",
	          "a process takes more memory than it may");
	ends_with(image, "threads", CAPOS_EXIT_STATUS(3, 0), "",
	          "a process ends with many threads");
}

/* Whatever is missing, a process that cannot be made is an error: what the attempt leaves to be
 * freed is no reason to try for ever. */
static void test_spawning_without_memory(cap_t image)
{
	uint32_t refused = 0;
	int result = CAP_ENOMEM;
	for (start_limit_pages = 1; result == CAP_ENOMEM && start_limit_pages < 200;
	     start_limit_pages++) {
		cap_t process;
		result = start_process(image, "exit", log_only, 1, &process);
		if (result == CAP_ENOMEM)
			refused++;
		else if (!result)
			wait_for(process, NULL, 0);
	}
	start_limit_pages = START_LIMIT_PAGES;
	tap_ok(refused > 4, "with too few pages a process is not made");
	tap_equal(result, CAP_OK, "with enough of them it is");
}

/* A fault that resolving does not cure is not tried again: the process goes on or ends. */
static void test_faults_end(cap_t image)
{
	static const char *const arguments[] = {"iret", "iret unseen"};
	for (unsigned i = 0; i < 2; i++) {
		cap_t process;
		char reason_given[128] = "";
		tap_equal(start_process(image, arguments[i], log_only, 1, &process), CAP_OK,
		          "a process returns from no interrupt");
		uint32_t status = wait_for(process, reason_given, sizeof(reason_given));
		tap_ok(status == CAPOS_EXIT_STATUS(9, 0) || status == CAPOS_EXIT_STATUS(0, 11),
		       "it goes on, or its fault ends it: it does not fault for ever");
		tap_note("%s: %s", arguments[i], reason_given);
	}
	ends_with(image, "wild data", CAPOS_EXIT_STATUS(0, 11), "general protection fault (rip ",
	          "a process touches a non-canonical address");
	ends_with(image, "wild code", CAPOS_EXIT_STATUS(0, 11), "",
	          "a process jumps to a non-canonical address");
	ends_with(image, "end code", CAPOS_EXIT_STATUS(0, 11), "page fault at 0x7ffffffff000 ",
	          "a process jumps behind the last address");
}

#define MANY 500u

/* How many of them SystemStatus lists, reply by reply; *pages: how many replies. */
static unsigned count_listed(const char *name, unsigned *replies)
{
	static uint64_t buffer[CAPOS_KERNEL_MESSAGE_MAX / 8];
	struct system_status_processes_params params = {0};
	struct system_status_processes_results results;
	unsigned count = 0;
	uint64_t last = 0;
	*replies = 0;
	do {
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		if (system_status_processes(SYSTEM_STATUS, &params, &results, &call))
			return 0;
		for (uint32_t i = 0; i < results.list.count; i++) {
			struct process_entry entry;
			if (process_entry_get(&results.list, i, &entry) || entry.id <= last)
				return 0;
			last = entry.id;
			count += strcmp(entry.name.ptr, name) == 0;
		}
		params.first_id = results.next_id;
		++*replies;
	} while (params.first_id != 0);
	return count;
}

static _Noreturn void sleep_on(uint64_t unused)
{
	(void)unused;
	for (;;)
		cap_enter(1, CAPOS_FOREVER);
}

/* More processes than one reply of SystemStatus has room for. */
static void test_many(void)
{
	static cap_t children[MANY];
	static _Alignas(16) uint8_t stack[4096];
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, 9)};
	unsigned replies, made = 0;
	struct process_fork_params params = {.entry = (uint64_t)sleep_on,
	                                     .stack_pointer = (uint64_t)stack + sizeof(stack) - 8};
	unsigned before = count_listed("init", &replies);
	for (; made < MANY; made++) {
		uint64_t buffer[16];
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		if (process_fork(CAP_SELF, &params, NULL, &call))
			break;
		children[made] = call.caps[0];
	}
	tap_equal(made, MANY, "500 processes run");
	tap_equal(count_listed("init", &replies), before + made, "all are listed");
	tap_ok(replies > 1, "in several replies");
	for (unsigned i = 0; i < made; i++)
		process_kill(children[i], &kill, NULL);
	for (unsigned i = 0; i < made; i++)
		cap_release(children[i]);
}

static void test_kill(cap_t image)
{
	cap_t process, weak;
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, 9)};
	start_process(image, "wait", log_only, 1, &process);
	cap_copy(process, CAP_RIGHT_CALL | CAP_RIGHT_WATCH, &weak);
	tap_equal(process_kill(weak, &kill, NULL), CAP_ERIGHTS, "killing needs the right");
	cap_release(weak);
	struct process_status_results status = {};
	uint64_t buffer[64];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	process_status(process, &status, &call);
	tap_ok(status.alive && status.threads == 1 && status.capabilities == 2 &&
	               strcmp(status.name.ptr, "wait") == 0,
	       "a process tells its status");
	tap_equal(process_kill(process, &kill, NULL), CAP_OK, "a process is killed");
	tap_equal(wait_for(process, NULL, 0), CAPOS_EXIT_STATUS(0, 9), "its status says so");
}

/* A program without a limit takes all memory that it gets; a service, as this is, still gets
 * some. */
static void test_last_memory(cap_t image)
{
	const uint64_t size = 64 * CAPOS_PAGE_SIZE;
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, 9)};
	cap_t event, process, memory;
	uint64_t reason_given = 0;
	uint8_t *a;
	cap_event_create(&event);
	struct capos_send_cap caps[] = {{LOG, CAP_RIGHTS_ALL, 0},
	                                {event, CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY, 0}};
	start_limit_pages = 0;
	start_process(image, "hoard", caps, 2, &process);
	start_limit_pages = START_LIMIT_PAGES;
	cap_wait(event, UINT64_MAX, CAPOS_FOREVER, &reason_given);
	tap_equal((int64_t)reason_given, 1, "a program takes memory until none is left");
	cap_memory_create(size, &memory);
	cap_memory_map(memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, (void **)&a);
	for (uint64_t i = 0; i < size; i += CAPOS_PAGE_SIZE)
		a[i] = 1;
	tap_ok(a[0] == 1, "a service still gets some");
	cap_memory_unmap(a, size);
	cap_release(memory);
	cap_release(event);
	process_kill(process, &kill, NULL);
	tap_equal(wait_for(process, NULL, 0), CAPOS_EXIT_STATUS(0, 9),
	          "it keeps the rest to its end");
}

/* A child serves an object of ours and dies with a call open; another dies with a call made. */
static void test_crash(cap_t image)
{
	cap_t endpoint, object, process;
	cap_endpoint_create(&endpoint);
	cap_mint(endpoint, TEST_INTERFACE, 5, &object);
	struct capos_send_cap caps[] = {{LOG, CAP_RIGHTS_ALL, 0}, {endpoint, CAP_RIGHTS_ALL, 0}};
	start_process(image, "server", caps, 2, &process);
	struct capos_sqe sqe = {.op = CAP_OP_CALL, .cap = object, .interface = TEST_INTERFACE};
	tap_equal(run(&sqe, NULL), CAP_EGONE, "a call whose server crashes fails");
	tap_equal(wait_for(process, NULL, 0), CAPOS_EXIT_STATUS(0, 11), "the server crashed");
	start_process(image, "server", caps, 2, &process);
	tap_equal(run(&sqe, NULL), CAP_EGONE,
	          "the next server gets the next call, and crashes too");
	tap_equal(wait_for(process, NULL, 0), CAPOS_EXIT_STATUS(0, 11), "as its status says");
	cap_release(endpoint);
	tap_equal(run(&sqe, NULL), CAP_EGONE, "without its endpoint the object is gone");
	cap_release(object);

	cap_endpoint_create(&endpoint);
	cap_mint(endpoint, TEST_INTERFACE, 6, &object);
	caps[1] = (struct capos_send_cap){object, CAP_RIGHTS_ALL, CAPOS_SEND_MOVE};
	start_process(image, "client", caps, 2, &process);
	uint64_t buffer[32];
	const struct capos_received *r = (const struct capos_received *)buffer;
	const uint32_t expected[] = {CAPOS_RECEIVED_CALL, CAPOS_RECEIVED_CANCEL,
	                             CAPOS_RECEIVED_RELEASE};
	uint64_t call = 0;
	for (unsigned i = 0; i < 3; i++) {
		struct capos_sqe recv = {.op = CAP_OP_RECV,
		                         .cap = endpoint,
		                         .recv_addr = (uint64_t)buffer,
		                         .recv_len = sizeof(buffer)};
		run(&recv, NULL);
		tap_equal(r->kind, expected[i], "a client that crashes: CALL, CANCEL, RELEASE");
		if (i == 0)
			call = r->call_id;
	}
	struct capos_sqe answer = {.op = CAP_OP_RETURN, .arg = call};
	tap_equal(run(&answer, NULL), CAP_ECANCELED, "the answer to it says so");
	wait_for(process, NULL, 0);
	cap_release(endpoint);
}

static void test_images(cap_t image)
{
	cap_t broken, code, data, process;
	uint8_t *bytes;
	const struct {
		uint32_t offset;
		uint8_t value;
		const char *what;
	} cases[] = {
	        {0, 0, "an image without the magic is refused"},
	        {4, 1, "a 32-bit image is refused"},
	        {18, 3, "an image of another machine is refused"},
	        {27, 0x7f, "an entry outside the code is refused"},
	        {34, 0xff, "headers outside the file are refused"},
	        {54, 55, "headers of another size are refused"},
	        {56, 0, "an image without headers is refused"},
	        {56, 200, "too many headers are refused"},
	};
	cap_copy(image, CAP_RIGHTS_ALL & ~CAP_RIGHT_EXEC, &data);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t buffer[16];
		struct memory_object_slice_params params = {.size = 1 << 20};
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		memory_object_slice(data, &params, NULL, &call);
		broken = call.caps[0];
		cap_memory_map(broken, 0, 4096, CAP_RIGHT_READ | CAP_RIGHT_WRITE, (void **)&bytes);
		bytes[cases[i].offset] = cases[i].value;
		code = make_code(broken);
		tap_equal(start_process(code, "exit", log_only, 1, &process), CAP_ENOEXEC,
		          cases[i].what);
		cap_memory_unmap(bytes, 4096);
		cap_release(code);
		cap_release(broken);
	}
	cap_release(data);
}

/* So long a family of hostile processes may take. */
#define FAMILY_NS 60000000000ull

/* Whether all processes of the account have ended, with what they held. */
static bool family_ends(cap_t account)
{
	uint64_t start = cap_now();
	struct account_status_results status = {.processes = 1};
	while (status.processes > 0 && cap_now() - start < FAMILY_NS) {
		cap_sleep(5000000);
		account_status(account, &status, NULL);
	}
	return status.processes == 0;
}

static void fuzz_with_threads(cap_t image, unsigned seed)
{
	char name[16];
	uint64_t buffer[32];
	struct process_spawner_create_account_params limits = {.memory_limit_pages =
	                                                               seed % 2 ? 1500 : 6000,
	                                                       .process_limit = 12,
	                                                       .operation_limit = 500,
	                                                       .call_limit = 100};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	process_spawner_create_account(SPAWNER, &limits, NULL, &call);
	start_account = call.caps[0];
	struct capos_send_cap caps[] = {
	        {LOG, CAP_RIGHTS_ALL, 0},
	        {TIMER, CAP_RIGHTS_ALL, 0},
	        {start_account, CAP_RIGHTS_ALL, 0},
	        {image, CAP_RIGHT_READ | CAP_RIGHT_EXEC | CAP_RIGHT_COPY | CAP_RIGHT_CALL, 0},
	        {CODE, CAP_RIGHTS_ALL, 0},
	        {SPAWNER, CAP_RIGHTS_ALL, 0}};
	cap_t process;
	fmt_snprintf(name, sizeof(name), "%u", seed);
	tap_note("seed %u", seed);
	tap_equal(start_process(image, name, caps, 6, &process), CAP_OK, "hostile threads start");
	cap_release(process);
	tap_ok(family_ends(start_account), "and end, and all processes that they made");
	cap_release(start_account);
	start_account = CAP_NULL;
}

#define FUZZ_SEEDS 2u /* of each run: every run has others */

static void test_fuzz_with_threads(void)
{
	static unsigned seed;
	cap_t image = find_file("sbin/kernel_fuzz");
	uint64_t start = cap_now();
	for (unsigned i = 0; i < FUZZ_SEEDS; i++)
		fuzz_with_threads(image, ++seed);
	tap_note("in %llu ms", (unsigned long long)((cap_now() - start) / 1000000));
	cap_release(image);
}

static void test_fuzz(void)
{
	cap_t image = find_file("sbin/ring_fuzz"), process;
	struct capos_send_cap caps[] = {
	        {LOG, CAP_RIGHTS_ALL, 0},
	        {TIMER, CAP_RIGHTS_ALL, 0},
	        {ENTROPY, CAP_RIGHTS_ALL, 0},
	        {SYSTEM_STATUS, CAP_RIGHTS_ALL, 0},
	        {DEVICES, CAP_RIGHT_READ, 0},
	        {SPAWNER, CAP_RIGHTS_ALL, 0},
	        {image, CAP_RIGHT_READ | CAP_RIGHT_COPY | CAP_RIGHT_CALL, 0}};
	uint64_t start = cap_now();
	tap_equal(start_process(image, "fuzz", caps, 7, &process), CAP_OK,
	          "a hostile program starts");
	tap_equal(wait_for(process, NULL, 0), CAPOS_EXIT_STATUS(0, 0),
	          "it submits a million entries and ends");
	tap_note("in %llu ms", (unsigned long long)((cap_now() - start) / 1000000));
	cap_release(image);
}

/* What a process calls itself, and what it writes, under that name, to the log: kernel.sh looks for
 * the line. */
static void test_names(void)
{
	static const char text[] = "\033[2Jgone\x9b.\xc2\x9b.\xc3\xbc";
	uint64_t buffer[64];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_set_name_params name = {.name = MSG_TEXT("PANIC: all is lost; kernel")};
	struct process_set_name_params usual = {.name = MSG_TEXT("init")};
	struct process_status_results status = {};
	struct log_write_params line = {.text = MSG_TEXT(text)};

	process_set_name(CAP_SELF, &name, NULL);
	process_status(CAP_SELF, &status, &call);
	bool named = strcmp(status.name.ptr, "PANIC__all_is_lost__kernel") == 0;
	log_write(LOG, &line, NULL);
	process_set_name(CAP_SELF, &usual, NULL);
	tap_ok(named, "a name that looks like the kernel's panic is made harmless");
}

void test_process(void)
{
	cap_t image = find_file("sbin/kernel_child");
	test_names();
	test_ends(image);
	test_spawning_without_memory(image);
	test_faults_end(image);
	test_kill(image);
	test_many();
	test_last_memory(image);
	test_crash(image);
	test_images(image);
	test_fuzz();
	test_fuzz_with_threads();
	cap_release(image);
}

void test_devices(void)
{
	static uint64_t buffer[1024];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct device_manager_list_results results = {};
	tap_equal(device_manager_list(DEVICES, &results, &call), CAP_OK, "devices are listed");
	tap_ok(results.devices.count > 0, "there are some");
	struct device_manager_open_params open = {.address = 0xffff};
	tap_equal(device_manager_open(DEVICES, &open, NULL, NULL), CAP_ENOENT,
	          "a device that is not there is not opened");
}
