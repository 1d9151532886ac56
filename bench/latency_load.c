/* SPDX-License-Identifier: MIT */
/*
 * An ordinary program that asks the kernel for one thing, as large as it may be: which one and how
 * large, its argument says ("fork 256").  latency.c watches what it does to the machine.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/layout.h>
#include <capos/schema/kernel_client.h>
#include <capos/start.h>

#define LOG     CAP_GIVEN(0)
#define TIMER   CAP_GIVEN(1)
#define ENTROPY CAP_GIVEN(2)
#define IMAGE   CAP_GIVEN(3)

#define PAGE       CAPOS_PAGE_SIZE
#define RW         (CAP_RIGHT_READ | CAP_RIGHT_WRITE)
#define STACK_SIZE 16384u
#define FAILED     CAPOS_EXIT_STATUS(1, 0)
#define INTERFACE  0x1234567890abcdefull

/* Of what an account may have: see ACCOUNT_*_MAX of the kernel. */
#define THREADS 64u
#define WAITERS 120u /* a thread: a ring's completions */
#define TIMERS  1000u
#define COPIES  60000u
#define MAPPED  128u
#define CALLS   4000u

static void need(bool condition)
{
	if (!condition)
		cap_exit(FAILED);
}

static void queue(struct capos_sqe sqe)
{
	struct capos_ring *ring = cap_ring();
	ring->sq[ring->sq_tail % CAPOS_SQ_ENTRIES] = sqe;
	__atomic_store_n(&ring->sq_tail, ring->sq_tail + 1, __ATOMIC_RELEASE);
}

static void enter(void)
{
	struct capos_ring *ring = cap_ring();
	cap_enter(0, 0);
	ring->cq_head = __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE);
}

/* As many of one submission as a ring takes, in one system call. */
static void batch(struct capos_sqe sqe)
{
	sqe.flags = CAPOS_SQE_QUIET;
	for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++)
		queue(sqe);
	enter();
}

/* ---- Memory ---- */

static uint8_t *touched(uint64_t size, cap_t *memory)
{
	uint8_t *at;
	need(!cap_memory_create(size, memory));
	need(!cap_memory_map(*memory, 0, size, RW, (void **)&at));
	for (uint64_t i = 0; i < size; i += PAGE)
		((volatile uint8_t *)at)[i] = 1;
	return at;
}

/* Private memory, as POSIX programs have it. */
static uint8_t *touched_private(uint64_t size)
{
	uint8_t *at;
	cap_t memory;
	need(!cap_memory_create(size, &memory));
	need(!cap_memory_map_private(memory, 0, size, RW, (void **)&at));
	cap_release(memory);
	for (uint64_t i = 0; i < size; i += PAGE)
		((volatile uint8_t *)at)[i] = 1;
	return at;
}

static void forked(uint64_t status)
{
	cap_exit((uint32_t)status);
}

static void fork_and_wait(void)
{
	static _Alignas(16) uint8_t stack[STACK_SIZE];
	uint64_t buffer[64];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_fork_params params = {.entry = (uint64_t)forked,
	                                     .stack_pointer = (uint64_t)stack + STACK_SIZE - 8};
	need(!process_fork(CAP_SELF, &params, NULL, &call));
	cap_t child = call.caps[0];
	struct process_wait_results results;
	call = (struct capos_call){.buffer = buffer, .size = sizeof(buffer)};
	need(!process_wait(child, &results, &call) && results.status == 0);
	cap_release(child);
}

static void load_touch(uint64_t size)
{
	touched_private(size);
}

static void load_fork(uint64_t size)
{
	touched_private(size);
	fork_and_wait();
}

static void load_protect(uint64_t size)
{
	uint8_t *at = touched_private(size);
	struct process_protect_params params = {
	        .address = (uint64_t)at, .size = size, .access = CAP_RIGHT_READ};
	need(!process_protect(CAP_SELF, &params, NULL));
}

static void load_unmap(uint64_t size)
{
	need(!cap_memory_unmap(touched_private(size), size));
}

static void load_private_map(uint64_t size)
{
	cap_t memory;
	void *copy;
	touched(size, &memory);
	need(!cap_memory_map_private(memory, 0, size, RW, &copy));
}

static void load_resize(uint64_t size)
{
	cap_t memory;
	touched(size, &memory);
	struct memory_object_resize_params params = {.size = PAGE};
	need(!memory_object_resize(memory, &params, NULL));
}

static void load_commit(uint64_t size)
{
	cap_t account, memory;
	need(!cap_account(&account));
	need(!cap_account_create_memory(account, size, &memory));
}

/* ---- What waits ---- */

static cap_t event;
static uint32_t word;
static uint32_t started;
static bool by_word;

static void waiter(uint64_t argument)
{
	(void)argument;
	for (unsigned i = 1; i <= WAITERS; i++) {
		if (by_word)
			queue((struct capos_sqe){.op = CAP_OP_FUTEX_WAIT,
			                         .send_addr = (uint64_t)&word});
		else
			queue((struct capos_sqe){
			        .op = CAP_OP_WAIT, .cap = event, .arg = 1ull << 63});
		if (i % CAPOS_SQ_ENTRIES == 0)
			cap_enter(0, 0);
	}
	cap_enter(0, 0);
	__atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
	for (;;)
		cap_enter(CAPOS_CQ_ENTRIES, CAPOS_FOREVER);
}

static void start_waiters(void)
{
	static _Alignas(16) uint8_t stacks[THREADS][STACK_SIZE];
	need(!cap_event_create(&event));
	for (unsigned i = 0; i < THREADS; i++) {
		struct process_create_thread_params params = {.entry = (uint64_t)waiter,
		                                              .stack_pointer = (uint64_t)stacks[i] +
		                                                               STACK_SIZE - 8};
		need(!process_create_thread(CAP_SELF, &params, NULL, NULL));
	}
	while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) < THREADS)
		cap_sleep(1000000);
}

static void load_waiters(uint64_t size)
{
	(void)size;
	start_waiters();
	batch((struct capos_sqe){.op = CAP_OP_SIGNAL, .cap = event, .arg = 1});
	batch((struct capos_sqe){.op = CAP_OP_SIGNAL, .cap = event, .arg = 1ull << 63});
}

static void load_futexes(uint64_t size)
{
	(void)size;
	by_word = true;
	start_waiters();
	queue((struct capos_sqe){
	        .op = CAP_OP_FUTEX_WAKE, .send_addr = (uint64_t)&word, .arg = UINT64_MAX});
	enter();
}

static void load_timers(uint64_t size)
{
	uint64_t due = cap_now() + 300000000, buffer[64];
	struct capos_send_cap send = {.rights = CAP_RIGHTS_ALL};
	(void)size;
	need(!cap_event_create(&send.cap));
	for (unsigned i = 0; i < TIMERS; i++) {
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		need(!timer_create(TIMER, NULL, &call));
		struct timer_arm_params params = {.deadline_ns = due, .bits = 1};
		cap_t timer = call.caps[0];
		call = (struct capos_call){.buffer = buffer,
		                           .size = sizeof(buffer),
		                           .send_caps = &send,
		                           .send_ncaps = 1};
		need(!timer_arm(timer, &params, &call));
	}
	cap_sleep(due - cap_now() + 100000000);
}

/* ---- Capabilities and calls ---- */

static void load_capabilities(uint64_t size)
{
	cap_t copy;
	(void)size;
	need(!cap_event_create(&event));
	for (unsigned i = 0; i < COPIES; i++)
		need(!cap_copy(event, CAP_RIGHTS_ALL, &copy));
	fork_and_wait();
}

static cap_t object;

static void caller(uint64_t argument)
{
	static uint8_t message[64];
	(void)argument;
	for (unsigned i = 1; i <= WAITERS; i++) {
		queue((struct capos_sqe){.op = CAP_OP_CALL,
		                         .cap = object,
		                         .interface = INTERFACE,
		                         .send_addr = (uint64_t)message,
		                         .send_len = sizeof(message)});
		if (i % CAPOS_SQ_ENTRIES == 0)
			cap_enter(0, 0);
	}
	cap_enter(0, 0);
	__atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
	for (;;)
		cap_enter(CAPOS_CQ_ENTRIES, CAPOS_FOREVER);
}

/* An endpoint ends with as many calls in its queue as an account may make. */
static void load_calls(uint64_t size)
{
	static _Alignas(16) uint8_t stacks[CALLS / WAITERS][STACK_SIZE];
	cap_t endpoint;
	(void)size;
	need(!cap_endpoint_create(&endpoint));
	need(!cap_mint(endpoint, INTERFACE, 7, &object));
	for (unsigned i = 0; i < CALLS / WAITERS; i++) {
		struct process_create_thread_params params = {.entry = (uint64_t)caller,
		                                              .stack_pointer = (uint64_t)stacks[i] +
		                                                               STACK_SIZE - 8};
		need(!process_create_thread(CAP_SELF, &params, NULL, NULL));
	}
	while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) < CALLS / WAITERS)
		cap_sleep(1000000);
	need(!cap_release(endpoint));
}

/* The largest message, from out to in. */
static void send_to_itself(uint8_t *out, uint8_t *in)
{
	cap_t endpoint;
	need(!cap_endpoint_create(&endpoint));
	need(!cap_mint(endpoint, INTERFACE, 7, &object));
	queue((struct capos_sqe){.op = CAP_OP_RECV,
	                         .cap = endpoint,
	                         .recv_addr = (uint64_t)in,
	                         .recv_len = CAPOS_MESSAGE_MAX + 64});
	enter();
	queue((struct capos_sqe){.op = CAP_OP_CALL,
	                         .cap = object,
	                         .interface = INTERFACE,
	                         .send_addr = (uint64_t)out,
	                         .send_len = CAPOS_MESSAGE_MAX});
	enter();
}

/* From memory that is read for the first time into memory that is stored to for the first time. */
static void load_message(uint64_t size)
{
	cap_t from, to;
	uint8_t *in, *out;
	(void)size;
	need(!cap_memory_create(2 * CAPOS_MESSAGE_MAX, &from));
	need(!cap_memory_create(2 * CAPOS_MESSAGE_MAX, &to));
	need(!cap_memory_map(from, 0, 2 * CAPOS_MESSAGE_MAX, RW, (void **)&out));
	need(!cap_memory_map(to, 0, 2 * CAPOS_MESSAGE_MAX, RW, (void **)&in));
	send_to_itself(out, in);
}

/* One object mapped many times, whose pages are copied by a store and by a message. */
static void load_mappings(uint64_t size)
{
	static uint8_t message[CAPOS_MESSAGE_MAX];
	cap_t memory;
	uint8_t *first = touched(size, &memory);
	uint64_t buffer[64];
	void *at;
	for (unsigned i = 1; i < MAPPED; i++) {
		need(!cap_memory_map(memory, 0, size, RW, &at));
		for (uint64_t j = 0; j < size; j += PAGE)
			((volatile uint8_t *)at)[j] = 2;
	}
	struct memory_object_slice_params params = {.size = size};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	need(!memory_object_slice(memory, &params, NULL, &call));
	((volatile uint8_t *)first)[0] = 3;
	send_to_itself(message, first + PAGE);
}

/* ---- Threads and processes that end ---- */

#define MANY_THREADS 1000u

static void start_thread(void (*entry)(uint64_t), void *stack_end, uint64_t argument)
{
	struct process_create_thread_params params = {.entry = (uint64_t)entry,
	                                              .stack_pointer = (uint64_t)stack_end - 8,
	                                              .argument = argument};
	need(!process_create_thread(CAP_SELF, &params, NULL, NULL));
}

static void sleeper(uint64_t argument)
{
	(void)argument;
	__atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
	for (;;)
		cap_enter(CAPOS_CQ_ENTRIES, 1ull << 62);
}

/* As many threads as an account may have, each asleep until a time. */
static void start_sleepers(void)
{
	cap_t memory;
	uint8_t *stacks;
	need(!cap_memory_create(MANY_THREADS * (uint64_t)PAGE, &memory));
	need(!cap_memory_map(memory, 0, MANY_THREADS * (uint64_t)PAGE, RW, (void **)&stacks));
	for (unsigned i = 0; i < MANY_THREADS; i++)
		start_thread(sleeper, stacks + (i + 1) * (uint64_t)PAGE, 0);
	while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) < MANY_THREADS)
		cap_sleep(1000000);
}

static void load_threads(uint64_t size)
{
	(void)size;
	start_sleepers();
}

static void load_end_threads(uint64_t size)
{
	(void)size;
	start_sleepers();
	need(!process_end_threads(CAP_SELF, NULL));
}

static void exits_with_locks(uint64_t address)
{
	struct capos_ring *ring = cap_ring();
	struct capos_robust_list *list = (struct capos_robust_list *)address;
	list->offset = 8;
	ring->end.robust_owner = 1;
	ring->end.robust_list = address;
	process_exit_thread(CAP_SELF, NULL);
	cap_exit(FAILED);
}

/* As many locks as a list may have, each in a page of its own that is shared until it is stored
 * to, and mapped in many places. */
static void load_locks(uint64_t size)
{
	static _Alignas(16) uint8_t stack[STACK_SIZE];
	const uint64_t bytes = (CAPOS_ROBUST_MAX + 1) * (uint64_t)PAGE;
	cap_t memory;
	uint8_t *first = touched(bytes, &memory);
	void *at;
	(void)size;
	for (uint64_t i = 0; i <= CAPOS_ROBUST_MAX; i++) {
		uint64_t *entry = (uint64_t *)(void *)(first + i * PAGE);
		entry[0] = (uint64_t)first + (i + 1) % (CAPOS_ROBUST_MAX + 1) * PAGE;
		*(uint32_t *)&entry[1] = i > 0;
	}
	for (unsigned i = 1; i < MAPPED; i++)
		need(!cap_memory_map(memory, 0, bytes, RW, &at));
	uint64_t buffer[64];
	struct memory_object_slice_params params = {.size = bytes};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	need(!memory_object_slice(memory, &params, NULL, &call));
	start_thread(exits_with_locks, stack + STACK_SIZE, (uint64_t)first);
	while (__atomic_load_n((uint32_t *)(void *)(first + CAPOS_ROBUST_MAX * (uint64_t)PAGE + 8),
	                       __ATOMIC_SEQ_CST) == 1)
		cap_sleep(1000000);
}

/* ---- The kernel's own objects ---- */

static void load_nothing(uint64_t size)
{
	(void)size;
	for (unsigned i = 0; i < 1000; i++)
		batch((struct capos_sqe){.op = CAP_OP_NOP});
}

/* As many writes as a system call takes, of as many lines as each takes. */
static void load_log(uint64_t size)
{
	static char text[1024];
	uint64_t buffer[256], out[8];
	struct msg_builder b;
	(void)size;
	for (unsigned i = 0; i < sizeof(text); i += 2) {
		text[i] = 'x';
		text[i + 1] = '\n';
	}
	struct log_write_params params = {.text = {text, sizeof(text)}};
	msg_builder_init(&b, buffer, sizeof(buffer));
	need(!log_write_params_write(&b, &params));
	batch((struct capos_sqe){.op = CAP_OP_CALL,
	                         .cap = LOG,
	                         .interface = LOG_INTERFACE,
	                         .method = LOG_WRITE,
	                         .send_addr = (uint64_t)buffer,
	                         .send_len = msg_builder_length(&b),
	                         .recv_addr = (uint64_t)out,
	                         .recv_len = sizeof(out)});
}

static void load_entropy(uint64_t size)
{
	static uint64_t buffer[600];
	struct entropy_source_read_params params = {.length = 1024};
	struct entropy_source_read_results results;
	(void)size;
	for (unsigned i = 0; i < 20; i++) {
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		need(!entropy_source_read(ENTROPY, &params, &results, &call));
	}
}

/* This program again, asking for nothing, in place of one with much memory. */
static void load_exec(uint64_t size)
{
	static _Alignas(16) uint8_t block[2048];
	const char *args[] = {"latency_load", "nothing", "0", NULL}, *env[] = {NULL};
	const struct start_params start = {.process_name = "exec", .args = args, .env = env};
	uint64_t buffer[64];
	uint32_t length;
	const struct capos_send_cap send = {.cap = IMAGE, .rights = CAP_RIGHTS_ALL};
	touched_private(size);
	need(!start_block_build(&start, block, sizeof(block), &length));
	struct process_exec_params params = {.load_bias = CAPOS_IMAGE_FIRST,
	                                     .block_address = (uint64_t)block,
	                                     .block_length = length};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	need(!process_exec(CAP_SELF, &params, &call));
}

static const struct {
	const char *name;
	void (*run)(uint64_t size);
} loads[] = {
        {"nothing", load_nothing},
        {"log", load_log},
        {"touch", load_touch},
        {"fork", load_fork},
        {"protect", load_protect},
        {"unmap", load_unmap},
        {"private-map", load_private_map},
        {"resize", load_resize},
        {"commit", load_commit},
        {"exec", load_exec},
        {"mappings", load_mappings},
        {"waiters", load_waiters},
        {"futexes", load_futexes},
        {"timers", load_timers},
        {"capabilities", load_capabilities},
        {"calls", load_calls},
        {"message", load_message},
        {"entropy", load_entropy},
        {"threads", load_threads},
        {"end-threads", load_end_threads},
        {"locks", load_locks},
};

int main(int argc, char **argv)
{
	uint64_t size = 0;
	need(argc == 3);
	for (const char *digit = argv[2]; *digit; digit++)
		size = size * 10 + (uint64_t)(*digit - '0');
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		if (strcmp(argv[1], loads[i].name) == 0) {
			loads[i].run(size << 20);
			cap_exit(0);
		}
	}
	cap_exit(FAILED);
}
