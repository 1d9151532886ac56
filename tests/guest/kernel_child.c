/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's test starts: does what its argument says, which is mostly to come to a bad end.
 */
#include <stdbool.h>
#include <string.h>

#include <capos/cap.h>
#include <capos/schema/kernel_client.h>

#define SMALL_PAGES    40u
#define OBJECT         CAP_GIVEN(1) /* or endpoint; CAP_GIVEN(0) is the log */
#define TEST_INTERFACE 0x1234567890abcdefull

static void wait_for_ever(void)
{
	cap_enter(1, CAPOS_FOREVER);
}

__attribute__((noinline)) static void touch(volatile uint64_t address)
{
	*(volatile uint8_t *)address = 1;
}

static void jump_to_data(void)
{
	static uint8_t code[] = {0xc3};
	((void (*)(void))(uintptr_t)code)();
}

/* Jumps by IRET with the frame at the end of this page; ends the process with status 9. */
static _Noreturn void return_by_interrupt(uint8_t *page)
{
	uint64_t *frame = (uint64_t *)(page + CAPOS_PAGE_SIZE) - 5;
	__asm__ volatile("movq %0, %%rsp\n\t"
	                 "iretq"
	                 :
	                 : "r"(frame)
	                 : "memory");
	__builtin_unreachable();
}

static void exit_nine(void)
{
	cap_exit(CAPOS_EXIT_STATUS(9, 0));
}

/* An IRET in user mode, which some emulators carry out with the kernel's privileges: its frame is
 * in a page that the page tables show, or in one that they do not show yet. */
static void test_iret(bool shown)
{
	cap_t memory;
	uint8_t *a, *b;
	cap_memory_create(CAPOS_PAGE_SIZE, &memory);
	cap_memory_map(memory, 0, CAPOS_PAGE_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE, (void **)&a);
	cap_memory_map(memory, 0, CAPOS_PAGE_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE, (void **)&b);
	uint64_t *frame = (uint64_t *)(a + CAPOS_PAGE_SIZE) - 5;
	frame[0] = (uint64_t)exit_nine;
	__asm__("mov %%cs, %0" : "=r"(frame[1]));
	frame[2] = 0x202;
	frame[3] = (uint64_t)(a + CAPOS_PAGE_SIZE / 2 - 8);
	__asm__("mov %%ss, %0" : "=r"(frame[4]));
	return_by_interrupt(shown ? a : b);
}

/* What a server does with a length that it did not check. */
__attribute__((noinline)) static void overrun(volatile uint32_t length)
{
	volatile uint8_t buffer[16];
	for (uint32_t i = 0; i < length; i++)
		buffer[i] = 1;
	(void)buffer[0];
}

/* Written once, by the relocation of the image. */
static const char *const relocated[] = {"a", "b"};

static void take_memory(void)
{
	cap_t memory;
	uint8_t *a;
	const uint64_t size = 64 << 20; /* the limit is 8 MiB */
	cap_memory_create(size, &memory);
	cap_memory_map(memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, (void **)&a);
	for (uint64_t i = 0; i < size; i += CAPOS_PAGE_SIZE)
		((volatile uint8_t *)a)[i] = 1;
}

/* Waits for its event's bit 4, then touches a fresh page from time to time. */
static int small(void)
{
	static uint8_t pages[SMALL_PAGES * CAPOS_PAGE_SIZE];
	uint64_t bits;

	if (cap_wait(OBJECT, 4, CAPOS_FOREVER, &bits))
		return 1;
	for (unsigned i = 0; i < SMALL_PAGES; i++) {
		((volatile uint8_t *)pages)[i * CAPOS_PAGE_SIZE] = 1;
		cap_enter(1, 2000000);
	}
	return 0;
}

/* Takes what memory there is by answers written to it, which fail where a store would be the end;
 * tells that by the event it was given, and keeps it. */
static void hoard(void)
{
	const uint64_t size = 1ull << 32; /* more than the machine has */
	uint64_t message[8];
	struct process_status_params params = {};
	struct msg_builder builder;
	cap_t memory;
	uint8_t *a;
	int result = cap_memory_create(size, &memory);

	if (!result)
		result = cap_memory_map(memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE,
		                        (void **)&a);
	msg_builder_init(&builder, message, sizeof(message));
	process_status_params_write(&builder, &params);
	for (uint64_t at = 0; !result && at < size; at += CAPOS_PAGE_SIZE) {
		struct capos_sqe sqe = {.op = CAP_OP_CALL,
		                        .cap = CAP_SELF,
		                        .interface = PROCESS_INTERFACE,
		                        .method = PROCESS_STATUS,
		                        .send_addr = (uint64_t)message,
		                        .send_len = msg_builder_length(&builder),
		                        .recv_addr = (uint64_t)(a + at),
		                        .recv_len = CAPOS_PAGE_SIZE};
		struct cap_op op = {0};
		result = cap_submit(&sqe, &op);
		if (!result)
			result = cap_await(&op, CAPOS_FOREVER);
	}
	/* And what the kernel keeps for it without charge. */
	for (cap_t event; result == CAP_ENOMEM && cap_event_create(&event) == CAP_OK;)
		;
	cap_signal(OBJECT, result == CAP_ENOMEM ? 1 : 2);
	wait_for_ever();
}

/* Makes a page present as the kernel does, which fails where a store would be the end. */
static int make_present(void *address)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAKE, .send_addr = (uint64_t)address};
	struct cap_op op = {0};
	int result = cap_submit(&sqe, &op);
	return result ? result : cap_await_uninterruptible(&op);
}

/* Calls with a message whose second page is not mapped: the result. */
static int call_half(const uint8_t *message)
{
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .cap = OBJECT,
	                        .interface = TEST_INTERFACE,
	                        .send_addr = (uint64_t)message,
	                        .send_len = CAPOS_PAGE_SIZE + 64};
	struct cap_op op = {0};
	int result = cap_submit(&sqe, &op);
	return result ? result : cap_await(&op, 2000000000);
}

/* Uses up what it may take, then calls with a message of which only the first page is mapped: 0
 * when that is its own error each time. */
static int blame(void)
{
	const uint64_t size = 64 << 20; /* more than the limit */
	const uint32_t access = CAP_RIGHT_READ | CAP_RIGHT_WRITE;
	uint8_t *message, *rest;
	cap_t memory;
	int result = cap_memory_create(size, &memory);
	if (!result)
		result = cap_memory_map(memory, 0, 2 * CAPOS_PAGE_SIZE, access, (void **)&message);
	if (!result)
		result = cap_memory_unmap(message + CAPOS_PAGE_SIZE, CAPOS_PAGE_SIZE);
	/* What this takes of its own memory is there before that runs out. */
	if (!result && (make_present(message) || call_half(message) != CAP_EFAULT))
		return 3;
	/* Too large for the hole behind the message. */
	if (!result)
		result = cap_memory_map(memory, 0, size, access, (void **)&rest);
	for (uint64_t at = 0; !result && at < size; at += CAPOS_PAGE_SIZE)
		result = make_present(rest + at);
	if (result != CAP_ENOMEM)
		return 1;
	return call_half(message) == CAP_EFAULT ? 0 : 2;
}

static void spin(void)
{
	for (;;)
		__asm__ volatile("pause");
}

static void many_threads(void)
{
	static uint8_t stacks[20][4096];
	for (unsigned i = 0; i < 20; i++) {
		struct process_create_thread_params params = {
		        .entry = (uint64_t)(i % 2 ? spin : wait_for_ever),
		        .stack_pointer = (uint64_t)stacks[i] + 4096 - 8};
		process_create_thread(CAP_SELF, &params, NULL, NULL);
	}
	cap_sleep(50000000);
	cap_exit(CAPOS_EXIT_STATUS(3, 0));
}

static void busy_threads(void)
{
	static uint8_t stacks[20][4096];
	for (unsigned i = 0; i < 20; i++) {
		struct process_create_thread_params params = {
		        .entry = (uint64_t)spin, .stack_pointer = (uint64_t)stacks[i] + 4096 - 8};
		process_create_thread(CAP_SELF, &params, NULL, NULL);
	}
	wait_for_ever();
}

/* 3 ms of every 6 at most. */
static void busy_now_and_then(void)
{
	for (;;) {
		uint64_t end = cap_now() + 3000000;
		while (cap_now() < end)
			;
		cap_sleep(3000000);
	}
}

static void serve_and_crash(void)
{
	static uint64_t buffer[32];
	struct capos_sqe sqe = {.op = CAP_OP_RECV,
	                        .cap = OBJECT,
	                        .recv_addr = (uint64_t)buffer,
	                        .recv_len = sizeof(buffer)};
	struct cap_op op = {0};
	cap_submit(&sqe, &op);
	cap_await(&op, CAPOS_FOREVER);
	touch(0x10);
}

static void call_and_crash(void)
{
	struct capos_sqe sqe = {.op = CAP_OP_CALL, .cap = OBJECT, .interface = TEST_INTERFACE};
	struct cap_op op = {0};
	cap_submit(&sqe, &op);
	cap_await(&op, 20000000); /* time for the server to receive it */
	touch(0x10);
}

int main(int argc, char **argv)
{
	const char *what = argc > 0 ? argv[0] : "";
	if (strcmp(what, "exit") == 0)
		return 7;
	if (strcmp(what, "wait") == 0)
		wait_for_ever();
	if (strcmp(what, "null") == 0)
		touch(0x10);
	if (strcmp(what, "kernel") == 0)
		touch(0xffff800000001000ull);
	if (strcmp(what, "divide") == 0)
		__asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" ::: "rax", "rcx", "rdx");
	if (strcmp(what, "illegal") == 0)
		__builtin_trap();
	if (strcmp(what, "privileged") == 0)
		__asm__ volatile("cli");
	if (strcmp(what, "nx") == 0)
		jump_to_data();
	if (strcmp(what, "iret") == 0)
		test_iret(true);
	if (strcmp(what, "iret unseen") == 0)
		test_iret(false);
	if (strcmp(what, "overrun") == 0)
		overrun(64);
	if (strcmp(what, "relro") == 0)
		touch((uint64_t)&relocated[argc > 1]);
	if (strcmp(what, "wild data") == 0)
		touch(0x800000000000ull);
	if (strcmp(what, "wild code") == 0)
		((void (*)(void))0x800000000000ull)();
	if (strcmp(what, "end code") == 0)
		((void (*)(void))CAPOS_USER_MAX)();
	if (strcmp(what, "code") == 0)
		touch((uint64_t)main);
	if (strcmp(what, "syscall") == 0)
		__asm__ volatile("syscall" ::"a"(60) : "rcx", "r11");
	if (strcmp(what, "greedy") == 0)
		take_memory();
	if (strcmp(what, "blame") == 0)
		return blame();
	if (strcmp(what, "hoard") == 0)
		hoard();
	if (strcmp(what, "small") == 0)
		return small();
	if (strcmp(what, "threads") == 0)
		many_threads();
	if (strcmp(what, "busy") == 0)
		spin();
	if (strcmp(what, "busy threads") == 0)
		busy_threads();
	if (strcmp(what, "busy now and then") == 0)
		busy_now_and_then();
	if (strcmp(what, "server") == 0)
		serve_and_crash();
	if (strcmp(what, "client") == 0)
		call_and_crash();
	return 1;
}
