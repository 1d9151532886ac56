/* SPDX-License-Identifier: MIT */
/*
 * Process.fork and Process.exec: what a copy shares with its original and what not.  A child tells
 * by its exit status which of its checks failed first; 0: none.
 */
#include <string.h>

#include <capos/start.h>
#include <capos/layout.h>

#include "kernel_test.h"

#define CHILD_STACK 65536u
#define MAGIC       0x5eedu

enum { WORD_PARENT = 1, WORD_CHILD = 2 };

static struct {
	volatile uint32_t *shared; /* a mapping of an object of ours: the same in the child */
	volatile uint32_t *copied; /* a private one: copied */
	volatile uint32_t bss;     /* copied too */
	cap_t event, moved_only, stale;
	cap_t image;
} state;

static _Alignas(16) uint8_t child_stack[CHILD_STACK];

static int fork_with(void (*entry)(uint64_t), uint64_t argument, cap_t event, uint64_t bits,
                     cap_t *child)
{
	uint64_t buffer[16];
	struct capos_send_cap send = {.cap = event, .rights = CAP_RIGHT_SIGNAL};
	struct process_fork_params params = {.entry = (uint64_t)entry,
	                                     .stack_pointer =
	                                             (uint64_t)child_stack + CHILD_STACK - 8,
	                                     .argument = argument,
	                                     .end_bits = bits};
	struct capos_call call = {.send_caps = &send,
	                          .send_ncaps = event != CAP_NULL,
	                          .buffer = buffer,
	                          .size = sizeof(buffer)};
	int result = process_fork(CAP_SELF, &params, NULL, &call);
	*child = !result ? call.caps[0] : CAP_NULL;
	return result;
}

static _Noreturn void child_ends(unsigned code)
{
	cap_exit(CAPOS_EXIT_STATUS(code, 0));
}

#define CHECK(number, condition) \
	if (!(condition))        \
	child_ends(number)

/* ---- What is shared and what copied ---- */

static uint64_t own_id(void)
{
	uint64_t buffer[64];
	struct process_status_results results = {};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	process_status(CAP_SELF, &results, &call);
	return results.id;
}

static void child_looks(uint64_t parent_id)
{
	cap_t fresh;
	CHECK(1, state.bss == WORD_PARENT && *state.copied == WORD_PARENT);
	CHECK(2, *state.shared == WORD_PARENT);
	CHECK(3, own_id() != parent_id);
	CHECK(4, cap_signal(state.event, 1) == CAP_OK);
	CHECK(5, cap_signal(state.moved_only, 1) == CAP_EBADCAP);
	CHECK(6, cap_signal(state.stale, 1) == CAP_EBADCAP);
	for (unsigned i = 0; i < 4; i++) { /* new ones never get a stale id */
		CHECK(7, cap_event_create(&fresh) == CAP_OK);
		CHECK(8, fresh != state.stale && fresh != state.moved_only);
	}
	state.bss = WORD_CHILD;
	*state.copied = WORD_CHILD;
	*state.shared = WORD_CHILD;
	child_ends(0);
}

/* The parent stores first: the child must still see what was there when it was made. */
static void child_waits(uint64_t unused)
{
	uint64_t bits;
	(void)unused;
	CHECK(1, cap_wait(state.event, 2, CAPOS_FOREVER, &bits) == CAP_OK);
	CHECK(2, state.bss == WORD_PARENT && *state.copied == WORD_PARENT);
	CHECK(3, *state.shared == MAGIC);
	child_ends(0);
}

static void test_copies(void)
{
	cap_t child;
	uint64_t bits;
	state.bss = *state.copied = *state.shared = WORD_PARENT;
	tap_equal(fork_with(child_looks, own_id(), state.event, 4, &child), CAP_OK,
	          "a process forks");
	tap_equal(wait_for(child, NULL, 0), 0, "the child finds what it should");
	tap_ok(cap_wait(state.event, 1, 0, &bits) == CAP_OK, "it signals the parent's event");
	tap_ok(cap_wait(state.event, 4, 0, &bits) == CAP_OK, "its end signals the event given");
	tap_ok(state.bss == WORD_PARENT && *state.copied == WORD_PARENT,
	       "its stores to private memory are not seen");
	tap_ok(*state.shared == WORD_CHILD, "its stores to shared memory are");
	*state.shared = WORD_PARENT;
	tap_equal(fork_with(child_waits, 0, CAP_NULL, 0, &child), CAP_OK, "another one");
	state.bss = *state.copied = *state.shared = MAGIC;
	cap_signal(state.event, 2);
	tap_equal(wait_for(child, NULL, 0), 0, "the parent's stores are not seen either");
	tap_ok(state.bss == MAGIC && *state.copied == MAGIC, "and are kept");
}

static void child_of_child(uint64_t depth)
{
	cap_t child;
	CHECK(1, state.bss == MAGIC);
	if (depth > 0) {
		CHECK(2, fork_with(child_of_child, depth - 1, CAP_NULL, 0, &child) == CAP_OK);
		CHECK(3, wait_for(child, NULL, 0) == 0);
	}
	child_ends(0);
}

/* ---- More threads than the kernel looks at in one piece ---- */

#define MANY_THREADS 900u
#define SMALL_STACK  CAPOS_PAGE_SIZE

static void waits_for_ever(uint64_t unused)
{
	uint64_t bits;
	(void)unused;
	for (;;)
		cap_wait(state.event, 1ull << 40, CAPOS_FOREVER, &bits);
}

static void child_ends_its_threads(uint64_t stacks)
{
	struct process_status_results status = {};
	uint64_t buffer[64];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	for (unsigned i = 1; i <= MANY_THREADS; i++) {
		struct process_create_thread_params params = {.entry = (uint64_t)waits_for_ever,
		                                              .stack_pointer =
		                                                      stacks + i * SMALL_STACK - 8};
		CHECK(1, process_create_thread(CAP_SELF, &params, NULL, NULL) == CAP_OK);
	}
	cap_sleep(1000000); /* so that some wait, and some have never run */
	CHECK(2, process_end_threads(CAP_SELF, NULL) == CAP_OK);
	CHECK(3, process_status(CAP_SELF, &status, &call) == CAP_OK && status.threads == 1);
	child_ends(0);
}

static void test_end_many_threads(void)
{
	const uint64_t size = MANY_THREADS * (uint64_t)SMALL_STACK;
	cap_t memory, child;
	void *stacks;
	cap_memory_create(size, &memory);
	cap_memory_map(memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &stacks);
	tap_equal(fork_with(child_ends_its_threads, (uint64_t)stacks, CAP_NULL, 0, &child), CAP_OK,
	          "a child with hundreds of threads");
	tap_equal(wait_for(child, NULL, 0), 0, "ends all but one of them");
	cap_memory_unmap(stacks, size);
	cap_release(memory);
}

static void test_refusals(void)
{
	uint64_t buffer[16];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_fork_params params = {.entry = 8};
	cap_t weak, child, other;
	cap_copy(CAP_SELF, CAP_RIGHT_CALL | CAP_RIGHT_WATCH, &weak);
	tap_equal(process_fork(CAP_SELF, &params, NULL, &call), CAP_EINVAL,
	          "no code is there: refused");
	params.entry = (uint64_t)child_ends;
	tap_equal(process_fork(weak, &params, NULL, &call), CAP_ERIGHTS, "forking needs the right");
	params.end_bits = 1;
	tap_equal(process_fork(CAP_SELF, &params, NULL, &call), CAP_EBADCAP,
	          "bits without an event: refused");
	params.end_bits = 0;
	cap_release(weak);
	state.bss = *state.copied = WORD_PARENT;
	*state.shared = MAGIC;
	fork_with(child_waits, 0, CAP_NULL, 0, &child);
	cap_copy(child, CAP_RIGHTS_ALL, &other);
	tap_equal(process_fork(other, &params, NULL, &call), CAP_ETYPE,
	          "another process is not forked");
	cap_release(other);
	cap_signal(state.event, 2);
	tap_equal(wait_for(child, NULL, 0), 0, "and goes on");
	state.bss = MAGIC;
	tap_equal(fork_with(child_of_child, 3, CAP_NULL, 0, &child), CAP_OK, "forks of forks");
	tap_equal(wait_for(child, NULL, 0), 0, "they all end well");
}

/* ---- Data and code ---- */

static int protect(uint64_t address, uint32_t access)
{
	struct process_protect_params params = {
	        .address = address, .size = CAPOS_PAGE_SIZE, .access = access};
	return process_protect(CAP_SELF, &params, NULL);
}

static void child_protects(uint64_t address)
{
	CHECK(1, protect(address, CAP_RIGHT_READ | CAP_RIGHT_EXEC) == CAP_ERIGHTS);
	CHECK(2, protect(address, CAP_RIGHT_READ | CAP_RIGHT_WRITE) == CAP_OK);
	child_ends(0);
}

static void child_keeps_code(uint64_t address)
{
	CHECK(1, protect(address, CAP_RIGHT_READ) == CAP_OK);
	CHECK(2, protect(address, CAP_RIGHT_READ | CAP_RIGHT_EXEC) == CAP_OK);
	child_ends(0);
}

/* A private mapping of code that is only read may become data or code.  Fork copies it in pieces:
 * made data meanwhile, and written by another thread, it was still undecided in the child, which
 * executed what was written. */
static void test_undecided(void)
{
	void *address;
	cap_t child;
	cap_memory_map_private(state.image, 0, CAPOS_PAGE_SIZE, CAP_RIGHT_READ, &address);
	tap_equal(fork_with(child_protects, (uint64_t)address, CAP_NULL, 0, &child), CAP_OK,
	          "a fork with a mapping that is neither data nor code");
	tap_equal(wait_for(child, NULL, 0), 0, "has it as data");
	tap_equal(protect((uint64_t)address, CAP_RIGHT_READ | CAP_RIGHT_EXEC), CAP_OK,
	          "its parent's may still become code");
	tap_equal(fork_with(child_keeps_code, (uint64_t)address, CAP_NULL, 0, &child), CAP_OK,
	          "a fork with a mapping that is code");
	tap_equal(wait_for(child, NULL, 0), 0, "has it as code");
	cap_memory_unmap(address, CAPOS_PAGE_SIZE);
}

/* ---- exec ---- */

static _Alignas(16) uint8_t block[2048];
static uint32_t block_length;

static int exec_image(cap_t image, const void *start, uint32_t length)
{
	uint64_t buffer[32];
	struct capos_send_cap send = {
	        .cap = image, .rights = CAP_RIGHTS_ALL, .flags = CAPOS_SEND_MOVE};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	struct process_exec_params params = {.load_bias = CAPOS_IMAGE_FIRST,
	                                     .block_address = (uint64_t)start,
	                                     .block_length = length,
	                                     .name = MSG_TEXT("replaced")};
	return process_exec(CAP_SELF, &params, &call);
}

static void child_executes(uint64_t unused)
{
	(void)unused;
	exec_image(state.image, block, block_length);
	child_ends(100);
}

static void sleeper(uint64_t unused)
{
	(void)unused;
	cap_enter(1, CAPOS_FOREVER);
}

static void child_is_refused(uint64_t unused)
{
	static _Alignas(16) uint8_t stack[4096], text[4096];
	cap_t broken;
	(void)unused;
	CHECK(1, cap_memory_create(4096, &broken) == CAP_OK);
	CHECK(2, exec_image(make_code(broken), block, block_length) == CAP_ENOEXEC);
	CHECK(10, exec_image(broken, block, block_length) == CAP_ERIGHTS);
	CHECK(3, exec_image(state.image, block, 24) == CAP_EINVAL);
	CHECK(4, exec_image(state.image, NULL, 16) == CAP_EFAULT);
	CHECK(5, exec_image(state.image, text, 4u << 20) == CAP_ETOOBIG);
	CHECK(6, exec_image(state.event, block, block_length) == CAP_ETYPE);
	struct process_create_thread_params thread = {.entry = (uint64_t)sleeper,
	                                              .stack_pointer = (uint64_t)stack + 4096 - 8};
	CHECK(7, process_create_thread(CAP_SELF, &thread, NULL, NULL) == CAP_OK);
	CHECK(8, exec_image(state.image, block, block_length) == CAP_EBUSY);
	CHECK(9, own_id() != 0); /* it goes on as if nothing had been */
	child_ends(0);
}

static void prepare_block(const char *argument)
{
	const char *args[] = {argument, NULL}, *env[] = {NULL};
	struct start_params start = {.process_name = argument, .args = args, .env = env};
	start_block_build(&start, block, sizeof(block), &block_length);
}

static void test_exec(void)
{
	cap_t child;
	char reason[128];
	prepare_block("exit");
	tap_equal(fork_with(child_executes, 0, CAP_NULL, 0, &child), CAP_OK, "a child executes");
	tap_equal(wait_for(child, NULL, 0), CAPOS_EXIT_STATUS(7, 0), "and is another program");
	prepare_block("null");
	fork_with(child_executes, 0, CAP_NULL, 0, &child);
	tap_equal(wait_for(child, reason, sizeof(reason)), CAPOS_EXIT_STATUS(0, 11),
	          "which may fault");
	tap_equal(fork_with(child_is_refused, 0, CAP_NULL, 0, &child), CAP_OK,
	          "a child tries what is refused");
	tap_equal(wait_for(child, NULL, 0), 0, "and goes on after each");
}

void test_fork(void)
{
	cap_t shared, private;
	void *address;
	state.image = find_file("sbin/kernel_child");
	cap_event_create(&state.stale);
	cap_release(state.stale);
	cap_event_create(&state.event);
	cap_event_create(&private);
	cap_copy(private, CAP_RIGHTS_ALL & ~CAP_RIGHT_COPY, &state.moved_only);
	cap_release(private);
	cap_memory_create(CAPOS_PAGE_SIZE, &shared);
	cap_memory_map(shared, 0, CAPOS_PAGE_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address);
	state.shared = address;
	cap_memory_map_private(shared, 0, CAPOS_PAGE_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE,
	                       &address);
	state.copied = address;
	cap_release(shared);
	test_copies();
	test_end_many_threads();
	test_refusals();
	test_undecided();
	test_exec();
	cap_memory_unmap((void *)(uintptr_t)state.shared, CAPOS_PAGE_SIZE);
	cap_memory_unmap((void *)(uintptr_t)state.copied, CAPOS_PAGE_SIZE);
	cap_release(state.event);
	cap_release(state.moved_only);
	cap_release(state.image);
}
