/* SPDX-License-Identifier: MIT */
/*
 * Long operations in pieces: between two of them the kernel lets interrupts in, each is bounded by
 * count, and no matter what happens in between, all that an operation made is given back or whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <capos/schema/kernel.h>
#include "kernel/object/kcall.h"
#include "kernel/kernel.h"
#include "kernel/memory/slab.h"
#include "kernel/object/event.h"
#include "kernel/work.h"
#include "tests/unit/core_fake.h"
#include "tests/unit/kernel_fake.h"

#define LARGE_ADDRESS 0x40000000ull
#define LARGE_PAGES   400u
#define MESSAGE       (USER_MEMORY + 1024)
#define REPLY         (USER_MEMORY + 2048)
#define CAPS          (USER_MEMORY + 3072)
/* A piece that was begun with the budget almost spent may take so many steps more. */
#define OVERSHOOT 500u

/* Private memory, touched. */
static struct process *create_large(void)
{
	struct process *p = user_create("large");
	uint64_t address = LARGE_ADDRESS;
	the_cpu.locked = true;
	struct memobj *m = memobj_create(LARGE_PAGES * PAGE_SIZE, p->account);
	int error = space_map(&p->space, m, 0, LARGE_PAGES * PAGE_SIZE,
	                      CAP_RIGHT_READ | CAP_RIGHT_WRITE, true, false, &address);
	assert_int_equal(error, CAP_OK);
	memobj_put(m);
	for (uint32_t i = 0; i < LARGE_PAGES; i++)
		space_copy_out(&p->space, address + i * PAGE_SIZE, &i, sizeof(i));
	fake_drain();
	the_cpu.locked = false;
	return p;
}

static struct capos_sqe self_call(uint16_t method, uint32_t length)
{
	return (struct capos_sqe){.op = CAP_OP_CALL,
	                          .cap = CAP_SELF,
	                          .interface = PROCESS_INTERFACE,
	                          .method = method,
	                          .send_addr = MESSAGE,
	                          .send_len = length,
	                          .recv_addr = REPLY,
	                          .recv_len = 512,
	                          .recv_caps = CAPS,
	                          .recv_ncaps = 1};
}

static struct capos_sqe fork_call(struct process *p)
{
	uint64_t buffer[64];
	struct msg_builder b;
	const struct process_fork_params params = {.entry = CAPOS_USER_MIN,
	                                           .stack_pointer = USER_MEMORY};
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(process_fork_params_write(&b, &params), 0);
	user_write(p, MESSAGE, buffer, msg_builder_length(&b));
	return self_call(PROCESS_FORK, msg_builder_length(&b));
}

static struct capos_sqe unmap_call(struct process *p)
{
	uint64_t buffer[64];
	struct msg_builder b;
	const struct process_unmap_params params = {.address = LARGE_ADDRESS,
	                                            .size = LARGE_PAGES * PAGE_SIZE};
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(process_unmap_params_write(&b, &params), 0);
	user_write(p, MESSAGE, buffer, msg_builder_length(&b));
	return self_call(PROCESS_UNMAP, msg_builder_length(&b));
}

static void release(struct process *p, uint64_t at)
{
	struct capos_sqe sqe = {.op = CAP_OP_RELEASE};
	user_read(p, at, &sqe.cap, sizeof(sqe.cap));
	assert_int_equal(user_run(thread_of(p), &sqe).result, CAP_OK);
}

static void pieces_are_bounded(void **state)
{
	(void)state;
	struct process *p = create_large();
	struct capos_sqe sqe = fork_call(p);
	fake_windows = 0;
	struct capos_cqe cqe = user_run(thread_of(p), &sqe);
	assert_int_equal(cqe.result, CAP_OK);
	assert_int_equal(cqe.ncaps, 1);
	assert_true(fake_windows > 3);
	cap_t child;
	struct cap cap;
	user_read(p, CAPS, &child, sizeof(child));
	assert_int_equal(cap_lookup(&p->caps, child, &cap), CAP_OK);
	uint32_t word;
	for (uint32_t i = 0; i < LARGE_PAGES; i++) {
		user_read(process_of(cap.object), LARGE_ADDRESS + i * PAGE_SIZE, &word,
		          sizeof(word));
		assert_int_equal(word, i);
	}
	sqe = unmap_call(p);
	fake_windows = 0;
	assert_int_equal(user_run(thread_of(p), &sqe).result, CAP_OK);
	assert_true(fake_windows > 3);
	the_cpu.locked = true;
	assert_int_equal(space_copy_in(&p->space, &word, LARGE_ADDRESS, sizeof(word)), CAP_EFAULT);
	the_cpu.locked = false;
	user_end(process_of(cap.object));
	release(p, CAPS);
	user_end(p);
	assert_true(fake_most_steps < STEPS_BUDGET + OVERSHOOT);
}

/* ---- What happens between two pieces ---- */

static struct process *subject;
static unsigned windows_left;

static void kill_subject(void)
{
	if (windows_left-- > 0)
		return;
	fake_on_window = NULL;
	the_cpu.locked = true;
	process_end(subject, 0, NULL);
	the_cpu.locked = false;
}

/* The process dies after each number of pieces: nothing stays. */
static void death_in_the_middle(void **state)
{
	(void)state;
	struct capos_sqe (*const calls[])(struct process *) = {fork_call, unmap_call};
	for (unsigned c = 0; c < 2; c++) {
		for (unsigned n = 0; n < 3; n++) {
			uint64_t objects = slab_live_objects();
			subject = create_large();
			struct capos_sqe sqe = calls[c](subject);
			user_submit(thread_of(subject), &sqe);
			windows_left = n;
			fake_on_window = kill_subject;
			the_cpu.locked = true;
			process_get(subject);
			the_cpu.locked = false;
			user_enter(thread_of(subject), 1, CAPOS_FOREVER);
			assert_null(fake_on_window); /* it came so far */
			assert_int_not_equal(subject->state, PROCESS_ALIVE);
			fake_drain();
			the_cpu.locked = true;
			process_put(subject);
			the_cpu.locked = false;
			fake_drain();
			assert_int_equal(slab_live_objects(), objects);
		}
	}
}

static void change_message(void)
{
	const uint64_t nonsense[8] = {~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull};
	if (subject->state == PROCESS_ALIVE)
		user_write(subject, MESSAGE, nonsense, sizeof(nonsense));
}

/* The program changes the message of a call under way: it fails, or does what it was to do. */
static void changed_message(void **state)
{
	(void)state;
	subject = create_large();
	struct capos_sqe sqe = fork_call(subject);
	uint64_t live = slab_live_objects();
	fake_on_window = change_message;
	struct capos_cqe cqe = user_run(thread_of(subject), &sqe);
	fake_on_window = NULL;
	fake_drain();
	assert_int_not_equal(cqe.result, CAP_OK);
	assert_null(thread_of(subject)->job);
	assert_int_equal(slab_live_objects(), live);
	user_end(subject);
}

/* ---- Submissions and work ---- */

static void submissions_stop(void **state)
{
	(void)state;
	struct process *p = user_create("busy");
	cap_t entropy;
	uint64_t buffer[16];
	struct msg_builder b;
	const struct entropy_source_read_params params = {.length = 1024};
	the_cpu.locked = true;
	assert_int_equal(
	        cap_insert(&p->caps, (struct cap){NULL, KIND_ENTROPY, CAP_RIGHT_CALL}, &entropy),
	        CAP_OK);
	the_cpu.locked = false;
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(entropy_source_read_params_write(&b, &params), 0);
	user_write(p, MESSAGE, buffer, msg_builder_length(&b));
	const struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                              .cap = entropy,
	                              .interface = ENTROPY_SOURCE_INTERFACE,
	                              .method = ENTROPY_SOURCE_READ,
	                              .send_addr = MESSAGE,
	                              .send_len = msg_builder_length(&b),
	                              .recv_addr = USER_MEMORY + 8192,
	                              .recv_len = 4096};
	for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++)
		user_submit(thread_of(p), &sqe);
	fake_windows = 0;
	assert_int_equal(user_enter(thread_of(p), 0, 0), CAPOS_SQ_ENTRIES);
	assert_int_equal(fake_windows, CAPOS_SQ_ENTRIES); /* each is more than the budget */
	user_end(p);
}

#define WAITING_THREADS 8u
#define WAITERS         100u /* of each */

static void signal_goes_on_as_work(void **state)
{
	(void)state;
	struct process *p = user_create("waiters");
	struct thread *t[WAITING_THREADS] = {thread_of(p)}, *signaller;
	for (unsigned i = 1; i < WAITING_THREADS; i++)
		t[i] = user_thread(p);
	signaller = user_thread(p);
	cap_t event = user_event(t[0]);
	for (unsigned i = 0; i < WAITING_THREADS; i++) {
		for (unsigned n = 0; n < WAITERS; n++) {
			bool last = i == WAITING_THREADS - 1 && n == WAITERS - 1;
			const struct capos_sqe wait = {
			        .op = CAP_OP_WAIT, .cap = event, .arg = last ? 3 : 2};
			user_submit(t[i], &wait);
			if (n % CAPOS_SQ_ENTRIES == CAPOS_SQ_ENTRIES - 1)
				user_enter(t[i], 0, 0);
		}
		user_enter(t[i], 0, 0);
	}
	const struct capos_sqe signal = {.op = CAP_OP_SIGNAL, .cap = event, .arg = 1};
	struct capos_cqe cqe;
	assert_int_equal(user_run(signaller, &signal).result, CAP_OK);
	assert_false(user_take(t[WAITING_THREADS - 1], &cqe));
	fake_drain();
	assert_true(user_take(t[WAITING_THREADS - 1], &cqe));
	assert_int_equal(cqe.value, 1);
	/* While it goes on, another bit is set: it reaches one that waits for it, and no other. */
	assert_int_equal(user_run(signaller, &signal).result, CAP_OK);
	const struct capos_sqe second = {.op = CAP_OP_SIGNAL, .cap = event, .arg = 2};
	assert_int_equal(user_run(signaller, &second).result, CAP_OK);
	fake_drain();
	unsigned reached = 0;
	for (unsigned i = 0; i < WAITING_THREADS; i++) {
		for (; user_take(t[i], &cqe); reached++)
			assert_int_equal(cqe.value, 2);
	}
	assert_int_equal(reached, 1);
	user_end(p);
	assert_true(fake_most_steps < STEPS_BUDGET + OVERSHOOT);
}

/* Writes the text to the log as often as a ring takes it. */
static void write_log(struct process *p, cap_t log, const char *text, uint32_t length)
{
	uint64_t buffer[256];
	struct msg_builder b;
	const struct log_write_params params = {.text = {text, length}};
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(log_write_params_write(&b, &params), 0);
	user_write(p, USER_MEMORY + 8192, buffer, msg_builder_length(&b));
	const struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                              .flags = CAPOS_SQE_QUIET,
	                              .cap = log,
	                              .interface = LOG_INTERFACE,
	                              .method = LOG_WRITE,
	                              .send_addr = USER_MEMORY + 8192,
	                              .send_len = msg_builder_length(&b),
	                              .recv_addr = REPLY,
	                              .recv_len = 512};
	for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++)
		user_submit(thread_of(p), &sqe);
	assert_int_equal(user_enter(thread_of(p), 0, 0), 0);
}

/* The log costs nothing by the newline, and has a budget. */
static void log_has_a_budget(void **state)
{
	(void)state;
	struct process *p = user_create("writer");
	static char text[1024];
	cap_t log;
	the_cpu.locked = true;
	assert_int_equal(cap_insert(&p->caps, (struct cap){NULL, KIND_LOG, CAP_RIGHT_CALL}, &log),
	                 CAP_OK);
	the_cpu.locked = false;
	fake_drain();
	fake_serial_length = 0;
	memset(text, '\n', sizeof(text));
	write_log(p, log, text, sizeof(text));
	fake_drain();
	assert_int_equal(fake_serial_length, 0);
	for (unsigned i = 0; i < sizeof(text); i += 2)
		text[i] = 'x';
	for (unsigned i = 0; i < 4; i++)
		write_log(p, log, text, sizeof(text));
	fake_drain();
	assert_in_range(fake_serial_length, 16000, 40000);
	assert_memory_equal(fake_serial, "writer: x\nwriter: x\n", 20);
	assert_int_not_equal(p->account->log.dropped, 0);
	/* Seconds later it may go on, and a line of the kernel's says what is missing. */
	fake_now += 10000000000ull;
	fake_serial_length = 0;
	write_log(p, log, "again", 5);
	fake_drain();
	fake_serial[fake_serial_length] = '\0';
	assert_non_null(strstr(fake_serial, "writer: again\n"));
	assert_int_equal(p->account->log.dropped, 0);
	assert_true(fake_most_steps < STEPS_BUDGET + OVERSHOOT);
	user_end(p);
}

/* The budget is the account's: a program that forked had as much again with each child, and the
 * kernel's lines about their ends had no bound at all. */
static void log_budget_is_the_familys(void **state)
{
	(void)state;
	struct process *p = user_create("parent"), *child;
	fake_drain();
	fake_serial_length = 0;
	for (unsigned i = 0; i < 2000; i++) {
		the_cpu.locked = true;
		assert_int_equal(process_create("child", 5, p->account, false, &child), CAP_OK);
		process_end(child, 0, "page fault at 0x0");
		fake_drain();
		the_cpu.locked = false;
	}
	assert_in_range(fake_serial_length, 16000, 40000);
	assert_int_not_equal(p->account->log.dropped, 0);
	fake_serial_length = 0;
	user_end(p);
	fake_serial[fake_serial_length] = '\0';
	assert_non_null(strstr(fake_serial, "were dropped from the log"));
}

/* A program named as a service is wrote lines that looked like that service's. */
static void no_program_has_a_services_name(void **state)
{
	(void)state;
	struct process *p = user_create("program");
	struct process *service = service_create("netstack");
	process_set_name(p, "netstack", 8);
	assert_string_equal(p->name, "_netstack");
	process_set_name(p, "netstack2", 9);
	assert_string_equal(p->name, "netstack2");
	process_set_name(service, "netstack", 8);
	assert_string_equal(service->name, "netstack");
	user_end(service);
	user_end(p);
}

/* A process that waits for the end of another is answered when nothing of it is left. */
static void end_is_told_when_all_is_given_back(void **state)
{
	(void)state;
	struct process *parent = user_create("parent"), *p = create_large();
	cap_t child;
	struct capos_cqe cqe;
	the_cpu.locked = true;
	process_get(p);
	assert_int_equal(cap_insert(&parent->caps,
	                            (struct cap){&p->header, KIND_PROCESS, CAP_RIGHTS_ALL}, &child),
	                 CAP_OK);
	the_cpu.locked = false;
	const uint64_t root = 0;
	user_write(parent, MESSAGE, &root, sizeof(root));
	struct capos_sqe sqe = self_call(PROCESS_WAIT, sizeof(root));
	sqe.cap = child;
	user_submit(thread_of(parent), &sqe);
	assert_int_equal(user_enter(thread_of(parent), 1, CAPOS_FOREVER), USER_SLEEPS);
	uint64_t used = p->account->pages;
	struct account *account = p->account;
	account_get(account);
	assert_true(used > LARGE_PAGES);
	the_cpu.locked = true;
	process_end(p, 5, NULL);
	the_cpu.locked = false;
	unsigned pieces = 0;
	for (; !user_take(thread_of(parent), &cqe); pieces++) {
		assert_true(work_pending());
		assert_int_not_equal(p->state, PROCESS_ALIVE);
		the_cpu.locked = true;
		steps_spent = 0;
		work_run();
		assert_true(steps_spent < STEPS_BUDGET + OVERSHOOT);
		the_cpu.locked = false;
	}
	assert_true(pieces > 1);
	assert_int_equal(cqe.result, CAP_OK);
	assert_int_equal(account->pages, 0);
	account_put(account);
	user_end(parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(pieces_are_bounded, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(death_in_the_middle, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(changed_message, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(submissions_stop, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(signal_goes_on_as_work, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(log_has_a_budget, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(log_budget_is_the_familys, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(no_program_has_a_services_name, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(end_is_told_when_all_is_given_back, core_setup,
	                                        core_teardown),
	};
	fake_start(FAKE_ARENA_PAGES);
	core_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
