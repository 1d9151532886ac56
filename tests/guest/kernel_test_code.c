/* SPDX-License-Identifier: MIT */
/*
 * Data is not code: every way to execute what was written, all refused, and the one that is an
 * authority of its own.
 */
#include <string.h>

#include "kernel_test.h"

#define PAGE (uint64_t) CAPOS_PAGE_SIZE
#define R    CAP_RIGHT_READ
#define RW   (CAP_RIGHT_READ | CAP_RIGHT_WRITE)
#define RX   (CAP_RIGHT_READ | CAP_RIGHT_EXEC)

#define AT 0x20000000ull /* where the test's mappings are */

static const uint8_t returns_42[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
static const uint8_t returns_13[] = {0xb8, 13, 0, 0, 0, 0xc3};

static int protect(uint64_t address, uint32_t access)
{
	struct process_protect_params params = {.address = address, .size = PAGE, .access = access};
	return process_protect(CAP_SELF, &params, NULL);
}

static int map(cap_t memory, uint32_t access, bool private)
{
	return cap_memory_map_at(memory, 0, PAGE, access, private, AT);
}

static cap_t slice(cap_t memory)
{
	uint64_t buffer[16];
	struct memory_object_slice_params params = {.size = PAGE};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	return memory_object_slice(memory, &params, NULL, &call) == CAP_OK ? call.caps[0]
	                                                                   : CAP_NULL;
}

/* Changes of protection alone: a private mapping keeps to what it was first. */
static void test_protect(cap_t memory, const char *what)
{
	tap_equal(map(memory, R, true), CAP_OK, what);
	tap_equal(protect(AT, RW), CAP_OK, "it is made writable");
	*(volatile uint8_t *)AT = 0xc3;
	tap_equal(protect(AT, RX), CAP_ERIGHTS, "then it is not made executable");
	tap_equal(protect(AT, R), CAP_OK, "made read-only it still");
	tap_equal(protect(AT, RX), CAP_ERIGHTS, "is not");
	cap_memory_unmap((void *)AT, PAGE);
}

static void test_data(cap_t data)
{
	cap_t all, part;
	tap_equal(map(data, RX, false), CAP_ERIGHTS, "data is not mapped executable");
	tap_equal(map(data, RX, true), CAP_ERIGHTS, "nor privately");
	cap_copy(data, CAP_RIGHTS_ALL, &all);
	tap_equal(map(all, RX, false), CAP_ERIGHTS, "a copy of its capability has no more rights");
	cap_release(all);
	part = slice(data);
	tap_equal(map(part, RX, true), CAP_ERIGHTS, "a slice of it is data");
	cap_release(part);
	test_protect(data, "data is mapped privately");
}

static void test_code(cap_t code)
{
	cap_t weak, part;
	struct memory_object_resize_params resize = {.size = 2 * PAGE};
	tap_equal(map(code, RW, false), CAP_ERIGHTS, "code is not mapped writable");
	tap_equal(memory_object_resize(code, &resize, NULL), CAP_ERIGHTS, "nor resized");
	test_protect(code, "code is mapped privately");
	tap_equal(map(code, RX, true), CAP_OK, "code is mapped executable");
	tap_equal(protect(AT, RW), CAP_ERIGHTS, "then it is not made writable");
	tap_equal(protect(AT, R), CAP_OK, "made read-only it still");
	tap_equal(protect(AT, RW), CAP_ERIGHTS, "is not");
	tap_equal(protect(AT, RX), CAP_OK, "but executable again");
	cap_memory_unmap((void *)AT, PAGE);
	tap_equal(map(code, RX, false), CAP_OK, "code is mapped shared and executable");
	tap_equal(protect(AT, RW), CAP_ERIGHTS, "then it is not made writable either");
	cap_memory_unmap((void *)AT, PAGE);
	part = slice(code);
	tap_equal(map(part, RW, false), CAP_ERIGHTS, "a slice of code is code");
	cap_release(part);
	cap_copy(code, CAP_RIGHTS_ALL & ~CAP_RIGHT_EXEC, &weak);
	part = slice(weak);
	tap_equal(map(part, RW, false), CAP_OK, "but data where the right EXEC lacks");
	cap_memory_unmap((void *)AT, PAGE);
	tap_equal(map(part, RX, true), CAP_ERIGHTS, "and then not executable");
	cap_release(part);
	cap_release(weak);
}

cap_t make_code(cap_t data)
{
	uint64_t buffer[16];
	struct capos_send_cap send = {.cap = data, .rights = CAP_RIGHTS_ALL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	struct code_maker_make_params params = {.memory_index = 0};
	return code_maker_make(CODE, &params, NULL, &call) == CAP_OK ? call.caps[0] : CAP_NULL;
}

static int run_there(void)
{
	return ((int (*)(void))AT)();
}

/* What a CodeMaker makes is a copy: who has the data cannot change it. */
static void test_maker(cap_t data)
{
	uint8_t *bytes;
	cap_t code;
	cap_memory_map(data, 0, PAGE, RW, (void **)&bytes);
	memcpy(bytes, returns_42, sizeof(returns_42));
	code = make_code(data);
	tap_ok(code != CAP_NULL, "a CodeMaker makes code of data");
	tap_equal(map(code, RX, false), CAP_OK, "which is mapped executable");
	tap_equal(run_there(), 42, "and runs");
	memcpy(bytes, returns_13, sizeof(returns_13));
	tap_equal(run_there(), 42, "what is written to the data then is not run");
	tap_ok(bytes[1] == 13, "though it is written");
	cap_memory_unmap((void *)AT, PAGE);
	tap_equal(map(code, RW, false), CAP_ERIGHTS, "code that was made is not written");
	cap_memory_unmap(bytes, PAGE);
	cap_release(code);
}

/* Another process is no way round: neither its Process capability nor an image of data. */
static void test_others(cap_t data, cap_t image)
{
	static const struct capos_send_cap log_only[] = {{LOG, CAP_RIGHTS_ALL, 0}};
	struct capos_send_cap send = {.cap = data, .rights = CAP_RIGHTS_ALL};
	uint64_t buffer[16];
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	struct process_map_params params = {.size = PAGE, .address = AT, .access = RX};
	struct process_kill_params kill = {.status = 0};
	struct process_map_results results;
	cap_t child, broken;
	tap_equal(start_process(image, "wait", log_only, 1, &child), CAP_OK, "a child waits");
	tap_equal(process_map(child, &params, &results, &call), CAP_ERIGHTS,
	          "data is not mapped executable in another process");
	params.private = true;
	tap_equal(process_map(child, &params, &results, &call), CAP_ERIGHTS, "nor privately");
	process_kill(child, &kill, NULL);
	wait_for(child, NULL, 0);
	cap_copy(image, CAP_RIGHTS_ALL & ~CAP_RIGHT_EXEC, &broken);
	tap_equal(start_process(broken, "exit", log_only, 1, &child), CAP_ERIGHTS,
	          "an image needs the right EXEC");
	tap_equal(start_process(data, "exit", log_only, 1, &child), CAP_ERIGHTS,
	          "data is no image");
	cap_release(broken);
}

void test_code_and_data(void)
{
	cap_t data, image = find_file("sbin/kernel_child");
	cap_memory_create(PAGE, &data);
	test_data(data);
	test_code(image);
	test_maker(data);
	test_others(data, image);
	cap_release(data);
	cap_release(image);
}
