/* SPDX-License-Identifier: MIT */
/*
 * Process.fork and Process.exec when memory runs out at any point: either everything was done or
 * nothing, and the process that asked goes on.  Frames are taken away until so many are left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/object/event.h"
#include "kernel/kernel.h"
#include "kernel/memory/slab.h"
#include "tests/unit/core_fake.h"

#define PRIVATE_ADDRESS 0x20000000ull
#define PRIVATE_PAGES   40u /* more than a table of height 0 has */
#define STACK           0x1000ull
#define BLOCK_LENGTH    64u

/* A process with private memory of which every other page was touched, and some capabilities. */
static struct process *create(void)
{
	struct process *p = user_create("original");
	uint64_t address = PRIVATE_ADDRESS;
	the_cpu.locked = true;
	struct memobj *m = memobj_create(PRIVATE_PAGES * PAGE_SIZE, p->account);
	assert_int_equal(space_map(&p->space, m, 0, PRIVATE_PAGES * PAGE_SIZE,
	                           CAP_RIGHT_READ | CAP_RIGHT_WRITE, true, false, &address),
	                 CAP_OK);
	memobj_put(m);
	for (uint32_t i = 0; i < PRIVATE_PAGES; i += 2)
		space_copy_out(&p->space, address + i * PAGE_SIZE, &i, sizeof(i));
	the_cpu.locked = false;
	for (unsigned i = 0; i < 5; i++)
		user_event(thread_of(p));
	return p;
}

static uint32_t word_at(struct process *p, uint64_t address)
{
	uint32_t word = 0;
	user_read(p, address, &word, sizeof(word));
	return word;
}

/* Frames out of reach of everybody, linked through themselves. */
static paddr_t take_all(uint64_t but)
{
	paddr_t taken = PADDR_NONE, page;
	while (page_free_count() > but && (page = page_alloc(false)) != PADDR_NONE) {
		*(paddr_t *)page_ptr(page) = taken;
		taken = page;
	}
	return taken;
}

static void give_back(paddr_t taken)
{
	while (taken != PADDR_NONE) {
		paddr_t next = *(paddr_t *)page_ptr(taken);
		page_put(taken);
		taken = next;
	}
}

/* How often process_fork_copy was called for the last fork, and how often it may be before the fork
 * is given up. */
static unsigned fork_pieces, fork_patience = UINT32_MAX;

/* What the kernel does when a submission that was under way fails. */
static void give_up_job(struct thread *t)
{
	if (t->job)
		t->job->abandon(t->job);
	t->job = NULL;
}

static int try_fork(struct process *p, struct event *event, struct process **child)
{
	struct fork fork = {
	        .entry = CAPOS_USER_MIN,
	        .stack = STACK,
	        .end_event = {event ? event_header(event) : NULL, KIND_EVENT, CAP_RIGHT_SIGNAL},
	        .end_bits = 1};
	int error;
	the_cpu.locked = true;
	fork_pieces = 0;
	do {
		fork_pieces++;
		steps_spent = 0;
		error = process_fork_copy(thread_of(p));
		if (!error)
			error = process_fork_start(thread_of(p), &fork, child);
	} while (error == WORK_AGAIN && fork_pieces < fork_patience);
	if (error)
		give_up_job(thread_of(p));
	fake_drain();
	the_cpu.locked = false;
	return error;
}

static void end_child(struct process *child)
{
	the_cpu.locked = true;
	process_end(child, 0, NULL);
	process_put(child);
	fake_drain();
	the_cpu.locked = false;
}

static void fork_without_memory(void **state)
{
	(void)state;
	struct process *p = create(), *child;
	unsigned failures = 0;
	int error;
	user_event(thread_of(p)); /* makes its thread the current one */
	do {
		uint64_t objects = slab_live_objects(), pages = p->account->pages;
		paddr_t taken = take_all(failures);
		error = try_fork(p, NULL, &child);
		give_back(taken);
		if (error) {
			assert_int_equal(error, CAP_ENOMEM);
			assert_int_equal(slab_live_objects(), objects);
			assert_int_equal(p->account->pages, pages);
			failures++;
		}
		for (uint32_t i = 0; i < PRIVATE_PAGES; i += 2)
			assert_int_equal(word_at(p, PRIVATE_ADDRESS + i * PAGE_SIZE), i);
	} while (error);
	assert_true(failures > 3);
	end_child(child);
	user_end(p);
}

static void fork_copies(void **state)
{
	(void)state;
	struct process *p = create(), *child;
	struct event *event = event_create(NULL);
	uint32_t word = 77;
	cap_t last = user_event(thread_of(p));
	struct cap cap;
	assert_int_equal(try_fork(p, event, &child), CAP_OK);
	assert_ptr_equal(child->account, p->account); /* one limit for the family */
	assert_int_equal(child->caps.live, p->caps.live);
	assert_int_equal(cap_lookup(&child->caps, last, &cap), CAP_OK);
	assert_int_equal(cap_lookup(&child->caps, CAP_SELF, &cap), CAP_OK);
	assert_ptr_equal(cap.object, child);
	user_write(child, PRIVATE_ADDRESS + 2 * PAGE_SIZE, &word, sizeof(word));
	assert_int_equal(word_at(p, PRIVATE_ADDRESS + 2 * PAGE_SIZE), 2);
	user_write(p, PRIVATE_ADDRESS + 4 * PAGE_SIZE, &word, sizeof(word));
	assert_int_equal(word_at(child, PRIVATE_ADDRESS + 4 * PAGE_SIZE), 4);
	user_write(p, USER_MEMORY, &word, sizeof(word));
	assert_int_equal(word_at(child, USER_MEMORY), word);
	end_child(child);
	the_cpu.locked = true;
	event_put(event);
	the_cpu.locked = false;
	user_end(p);
}

/* ---- exec ---- */

struct file { /* the least that is an ELF image */
	struct elf_header header;
	struct elf_segment segment;
};

static struct memobj *image_create(void)
{
	const struct file file = {.header = FAKE_ELF_HEADER(0x400000, 1),
	                          .segment = {.type = 1,
	                                      .flags = 5,
	                                      .vaddr = 0x400000,
	                                      .filesz = sizeof(file),
	                                      .memsz = sizeof(file)}};
	struct memobj *m = memobj_create(sizeof(file), NULL);
	fake_write(m, 0, &file, sizeof(file));
	memobj_make_code(m);
	return m;
}

static void exec_without_memory(void **state)
{
	(void)state;
	struct process *p = create();
	struct memobj *image = image_create();
	struct exec exec = {.image = image, .block = USER_MEMORY, .block_length = BLOCK_LENGTH};
	uint32_t word = 77;
	unsigned failures = 0;
	int error;
	user_write(p, USER_MEMORY, &word, sizeof(word));
	user_event(thread_of(p));
	do {
		uint64_t objects = slab_live_objects(), pages = p->account->pages;
		struct thread *t = thread_of(p);
		paddr_t taken = take_all(failures);
		the_cpu.locked = true;
		do {
			steps_spent = 0;
			error = process_exec(t, &exec);
		} while (error == WORK_AGAIN);
		if (error)
			give_up_job(t);
		the_cpu.locked = false;
		give_back(taken);
		fake_drain();
		if (!error)
			break;
		assert_int_equal(error, CAP_ENOMEM);
		assert_int_equal(slab_live_objects(), objects);
		assert_int_equal(p->account->pages, pages);
		assert_ptr_equal(thread_of(p), t);
		assert_int_equal(word_at(p, PRIVATE_ADDRESS + 2 * PAGE_SIZE), 2);
		failures++;
	} while (true);
	assert_true(failures > 3);
	assert_int_equal(p->nthreads, 1);
	assert_int_equal(word_at(p, CAPOS_STACK_TOP - BLOCK_LENGTH), word);
	the_cpu.locked = true;
	assert_int_equal(space_copy_in(&p->space, &word, PRIVATE_ADDRESS, sizeof(word)),
	                 CAP_EFAULT);
	memobj_put(image);
	the_cpu.locked = false;
	user_end(p);
}

int main(void)
{
	fake_start(FAKE_ARENA_PAGES);
	core_start();
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(fork_copies, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(fork_without_memory, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(exec_without_memory, core_setup, core_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
