/* SPDX-License-Identifier: MIT */
/*
 * Methods of the kernel's own objects that make something: either it is made and the caller has the
 * answer, or nothing is; in bounded pieces; and one that finds no memory says so in the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <capos/schema/kernel.h>
#include "kernel/device/pci.h"
#include "kernel/object/kcall.h"
#include "kernel/kernel.h"
#include "kernel/memory/slab.h"
#include "kernel/work.h"
#include "tests/unit/core_fake.h"

/* Private memory, which a fork or a slice shares. */
#define OWN_ADDRESS 0x40000000ull
#define OWN_PAGES   16u
#define SEND_CAPS   (USER_MEMORY + 512)
#define MESSAGE     (USER_MEMORY + 1024)
#define OVERSHOOT   600u
#define IMAGE_PAGES 400u

static cap_t give(struct process *p, struct object_header *object, enum cap_kind kind)
{
	cap_t id;
	the_cpu.locked = true;
	if (object)
		header_get(object);
	assert_int_equal(cap_insert(&p->caps, (struct cap){object, kind, CAP_RIGHTS_ALL}, &id),
	                 CAP_OK);
	the_cpu.locked = false;
	return id;
}

static void take_back(struct process *p, cap_t id)
{
	const struct capos_sqe release = {.op = CAP_OP_RELEASE, .cap = id};
	assert_int_equal(user_run(thread_of(p), &release).result, CAP_OK);
}

/* The memory object of the process's private memory; every page was stored to. */
static struct process *create(struct memobj **own)
{
	struct process *p = user_create("caller");
	uint64_t address = OWN_ADDRESS;
	the_cpu.locked = true;
	struct memobj *m = memobj_create(OWN_PAGES * PAGE_SIZE, p->account);
	assert_int_equal(space_map(&p->space, m, 0, OWN_PAGES * PAGE_SIZE,
	                           CAP_RIGHT_READ | CAP_RIGHT_WRITE, true, false, &address),
	                 CAP_OK);
	memobj_put(m);
	for (uint32_t i = 0; i < OWN_PAGES; i++)
		space_copy_out(&p->space, address + i * PAGE_SIZE, &i, sizeof(i));
	the_cpu.locked = false;
	*own = container_of(tree_at_most(&p->space.mappings, OWN_ADDRESS, 0), struct mapping, node)
	               ->object;
	return p;
}

/* A call whose answer, message and capabilities, goes to two private pages. */
static struct capos_sqe call_of(struct process *p, cap_t cap, uint64_t interface, uint16_t method,
                                const struct msg_builder *b, const void *message)
{
	user_write(p, MESSAGE, message, msg_builder_length(b));
	return (struct capos_sqe){.op = CAP_OP_CALL,
	                          .cap = cap,
	                          .interface = interface,
	                          .method = method,
	                          .send_addr = MESSAGE,
	                          .send_len = msg_builder_length(b),
	                          .recv_addr = OWN_ADDRESS,
	                          .recv_len = PAGE_SIZE,
	                          .recv_caps = OWN_ADDRESS + 2 * PAGE_SIZE,
	                          .recv_ncaps = CAPOS_MESSAGE_CAPS_MAX};
}

static struct capos_sqe fork_call(struct process *p)
{
	uint64_t buffer[64];
	struct msg_builder b;
	const struct process_fork_params params = {.entry = CAPOS_USER_MIN,
	                                           .stack_pointer = USER_MEMORY};
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(process_fork_params_write(&b, &params), 0);
	return call_of(p, CAP_SELF, PROCESS_INTERFACE, PROCESS_FORK, &b, buffer);
}

static void send(struct process *p, struct capos_sqe *sqe, cap_t cap)
{
	const struct capos_send_cap sent = {.cap = cap, .rights = CAP_RIGHTS_ALL};
	user_write(p, SEND_CAPS, &sent, sizeof(sent));
	sqe->send_caps = SEND_CAPS;
	sqe->send_ncaps = 1;
}

static struct capos_sqe map_call(struct process *p, cap_t memory)
{
	uint64_t buffer[64];
	struct msg_builder b;
	const struct process_map_params params = {
	        .size = OWN_PAGES * PAGE_SIZE, .access = CAP_RIGHT_READ, .private = true};
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(process_map_params_write(&b, &params), 0);
	struct capos_sqe sqe = call_of(p, CAP_SELF, PROCESS_INTERFACE, PROCESS_MAP, &b, buffer);
	send(p, &sqe, memory);
	return sqe;
}

static unsigned count_processes(void)
{
	unsigned count = 0;
	for (const struct list *node = all_processes.next; node != &all_processes;
	     node = node->next)
		count++;
	return count;
}

/* ---- At the account's limit ---- */

/* Runs it with so many pages more than the account has; false: it found no memory. */
static bool run_with(struct process *p, const struct capos_sqe *sqe, uint64_t pages,
                     struct capos_cqe *cqe)
{
	p->account->limits.pages = account_used(p->account) + pages;
	*cqe = user_run(thread_of(p), sqe);
	p->account->limits.pages = 0;
	fake_drain();
	if (cqe->result)
		assert_int_equal(cqe->result, CAP_ENOMEM);
	return !cqe->result;
}

/* Fork shared the pages that its answer went to: when it took the account's last frame the child
 * ran, and the parent read that there was no memory. */
static void fork_takes_the_last_frame(void **state)
{
	(void)state;
	struct memobj *own;
	struct process *p = create(&own);
	struct capos_cqe cqe;
	struct cap child;
	cap_t id;
	unsigned failures = 0;
	const struct capos_sqe sqe = fork_call(p);
	unsigned before = count_processes();
	for (; !run_with(p, &sqe, failures, &cqe); failures++)
		assert_int_equal(count_processes(), before);
	assert_int_equal(count_processes(), before + 1);
	assert_true(failures > 5);
	assert_int_equal(cqe.ncaps, 1);
	user_read(p, sqe.recv_caps, &id, sizeof(id));
	assert_int_equal(cap_lookup(&p->caps, id, &child), CAP_OK);
	user_end(process_of(child.object));
	take_back(p, id);
	user_end(p);
}

/* The same with a private mapping of the object that the answer goes to. */
static void mapping_takes_the_last_frame(void **state)
{
	(void)state;
	struct memobj *own;
	struct process *p = create(&own);
	struct capos_cqe cqe;
	unsigned failures = 0;
	cap_t memory = give(p, &own->header, KIND_MEMORY);
	const struct capos_sqe sqe = map_call(p, memory);
	uint32_t before = p->space.count;
	for (; !run_with(p, &sqe, failures, &cqe); failures++)
		assert_int_equal(p->space.count, before);
	assert_int_equal(p->space.count, before + 1);
	assert_true(failures > 1);
	take_back(p, memory);
	user_end(p);
}

/* ---- Spawn ---- */

/* Data, whose capability makes code of its slices as CodeMaker.grant's does: a slice of code shares
 * nothing page by page. */
static struct memobj *make_image(struct account *account)
{
	static const struct {
		struct elf_header header;
		struct elf_segment segments[1];
	} head = {.header = FAKE_ELF_HEADER(0x401000, 1),
	          .segments = {{1, 5, 0, 0x400000, 0, IMAGE_PAGES * PAGE_SIZE,
	                        IMAGE_PAGES * PAGE_SIZE, 4096}}};
	struct memobj *m = memobj_create(IMAGE_PAGES * PAGE_SIZE, account);
	for (uint32_t i = 0; i < IMAGE_PAGES; i++)
		assert_true(fake_write(m, i * PAGE_SIZE, &head, sizeof(head)));
	return m;
}

/* A process that may spawn the image, which it has at *image. */
static struct process *create_spawner(cap_t *spawner, cap_t *image)
{
	struct memobj *own;
	struct process *p = create(&own);
	the_cpu.locked = true;
	struct memobj *m = make_image(p->account);
	the_cpu.locked = false;
	*image = give(p, &m->header, KIND_MEMORY);
	the_cpu.locked = true;
	memobj_put(m);
	fake_drain();
	the_cpu.locked = false;
	*spawner = give(p, NULL, KIND_SPAWNER);
	return p;
}

static struct capos_sqe spawn_call(struct process *p, cap_t spawner, cap_t image, uint64_t pages)
{
	uint64_t buffer[64], block[2] = {0};
	struct msg_builder b;
	const struct process_spawner_spawn_params params = {.name = MSG_TEXT("child"),
	                                                    .start_block =
	                                                            MSG_DATA(block, sizeof(block)),
	                                                    .memory_limit_pages = pages};
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(process_spawner_spawn_params_write(&b, &params), 0);
	struct capos_sqe sqe =
	        call_of(p, spawner, PROCESS_SPAWNER_INTERFACE, PROCESS_SPAWNER_SPAWN, &b, buffer);
	send(p, &sqe, image);
	return sqe;
}

static void spawn_is_in_pieces(void **state)
{
	(void)state;
	cap_t spawner, image, id;
	struct process *p = create_spawner(&spawner, &image);
	struct cap child;
	const struct capos_sqe sqe = spawn_call(p, spawner, image, 0);
	fake_windows = 0;
	assert_int_equal(user_run(thread_of(p), &sqe).result, CAP_OK);
	assert_true(fake_windows > 2);
	user_read(p, sqe.recv_caps, &id, sizeof(id));
	assert_int_equal(cap_lookup(&p->caps, id, &child), CAP_OK);
	assert_int_equal(process_of(child.object)->nthreads, 1);
	user_end(process_of(child.object));
	take_back(p, id);
	user_end(p);
	assert_true(fake_most_steps < STEPS_BUDGET + OVERSHOOT);
}

/* What a spawn that found no memory gave up was work, which was a reason to try again, without
 * end: with any limit on its memory it starts or says that there is none. */
static void spawn_without_memory_ends(void **state)
{
	(void)state;
	cap_t spawner, image, id;
	struct process *p = create_spawner(&spawner, &image);
	struct capos_cqe cqe;
	struct cap child;
	unsigned before = count_processes();
	uint64_t pages = 0;
	do {
		const struct capos_sqe sqe = spawn_call(p, spawner, image, ++pages);
		uint64_t objects = slab_live_objects();
		cqe = user_run(thread_of(p), &sqe);
		fake_drain();
		if (!cqe.result)
			break;
		assert_int_equal(cqe.result, CAP_ENOMEM);
		assert_int_equal(count_processes(), before);
		assert_int_equal(slab_live_objects(), objects);
		assert_null(thread_of(p)->job);
	} while (pages < 1000);
	assert_true(pages > 5);
	assert_int_equal(cqe.result, CAP_OK);
	user_read(p, OWN_ADDRESS + 2 * PAGE_SIZE, &id, sizeof(id));
	assert_int_equal(cap_lookup(&p->caps, id, &child), CAP_OK);
	user_end(process_of(child.object));
	take_back(p, id);
	user_end(p);
}

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

static void spawner_dies_in_the_middle(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		cap_t spawner, image;
		uint64_t objects = slab_live_objects();
		subject = create_spawner(&spawner, &image);
		const struct capos_sqe sqe = spawn_call(subject, spawner, image, 0);
		user_submit(thread_of(subject), &sqe);
		windows_left = n;
		fake_on_window = kill_subject;
		user_enter(thread_of(subject), 1, CAPOS_FOREVER);
		assert_null(fake_on_window);
		fake_drain();
		assert_int_equal(slab_live_objects(), objects);
		assert_int_equal(count_processes(), 0);
	}
}

/* ---- No memory, and work that is always pending ---- */

static void nothing_to_do(struct work *work)
{
	work_add_rest(work, nothing_to_do);
}

/* A submission that finds no memory is tried again while work may free some: not for ever, when
 * there is always work. */
static void tries_are_bounded(void **state)
{
	(void)state;
	struct memobj *own;
	struct process *p = create(&own);
	static struct work endless;
	const struct capos_sqe sqe = fork_call(p);
	p->account->limits.pages = account_used(p->account) + 1;
	the_cpu.locked = true;
	work_add(&endless, nothing_to_do);
	the_cpu.locked = false;
	assert_int_equal(user_run(thread_of(p), &sqe).result, CAP_ENOMEM);
	the_cpu.locked = true;
	work_remove(&endless);
	the_cpu.locked = false;
	p->account->limits.pages = 0;
	user_end(p);
}

/* ---- DMAPool ---- */

static cap_t open_device(struct process *p, cap_t caps[3])
{
	static uint32_t table[4];
	uint64_t buffer[64];
	struct msg_builder b;
	const struct device_manager_open_params params = {.address = 8};
	cap_t manager = give(p, NULL, KIND_DEVICE_MANAGER);
	pci_functions[0] =
	        (struct pci_function){.address = 8, .msix = 0x40, .vectors = 1, .table = table};
	pci_count = 1;
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(device_manager_open_params_write(&b, &params), 0);
	const struct capos_sqe sqe =
	        call_of(p, manager, DEVICE_MANAGER_INTERFACE, DEVICE_MANAGER_OPEN, &b, buffer);
	struct capos_cqe cqe = user_run(thread_of(p), &sqe);
	assert_int_equal(cqe.result, CAP_OK);
	assert_int_equal(cqe.ncaps, 3);
	user_read(p, sqe.recv_caps, caps, 3 * sizeof(caps[0]));
	return caps[2];
}

#define DMA_PAGES 400u

static void dma_is_allocated_in_pieces(void **state)
{
	(void)state;
	struct memobj *own;
	struct process *p = create(&own);
	cap_t caps[3], pool = open_device(p, caps), id;
	struct cap memory;
	uint64_t buffer[64];
	struct msg_builder b;
	const struct dma_pool_allocate_params params = {.pages = DMA_PAGES};
	msg_builder_init(&b, buffer, sizeof(buffer));
	assert_int_equal(dma_pool_allocate_params_write(&b, &params), 0);
	struct capos_sqe sqe = call_of(p, pool, DMA_POOL_INTERFACE, DMA_POOL_ALLOCATE, &b, buffer);
	uint64_t used = p->account->pages, objects = slab_live_objects();
	p->account->limits.pages = account_used(p->account) + DMA_PAGES / 2;
	assert_int_equal(user_run(thread_of(p), &sqe).result, CAP_ENOMEM);
	p->account->limits.pages = 0;
	fake_drain();
	assert_int_equal(p->account->pages, used);
	assert_int_equal(slab_live_objects(), objects);
	fake_windows = 0;
	fake_most_steps = 0;
	struct capos_cqe cqe = user_run(thread_of(p), &sqe);
	assert_int_equal(cqe.result, CAP_OK);
	assert_true(fake_windows > 5);
	assert_true(fake_most_steps < STEPS_BUDGET + OVERSHOOT);
	user_read(p, sqe.recv_caps, &id, sizeof(id));
	assert_int_equal(cap_lookup(&p->caps, id, &memory), CAP_OK);
	for (uint64_t i = 0; i < DMA_PAGES; i++)
		assert_int_not_equal(memobj_peek(memobj_of(memory.object), i), PADDR_NONE);
	take_back(p, id);
	for (unsigned i = 0; i < 3; i++)
		take_back(p, caps[i]);
	user_end(p);
	pci_count = 0;
}

/* ---- A reply to pages that have many mappings ---- */

/* As many as an object may have that shares pages. */
#define MAPPINGS (SHARING_MAPPINGS_MAX - 2)

static void reply_to_much_mapped_pages_is_in_pieces(void **state)
{
	(void)state;
	struct memobj *own;
	struct process *p = create(&own);
	the_cpu.locked = true;
	memobj_get(own);
	struct memobj *copy = memobj_slice(own, 0, OWN_PAGES * PAGE_SIZE, p->account);
	assert_non_null(copy);
	for (unsigned i = 0; i < MAPPINGS; i++) {
		uint64_t at = 0;
		assert_int_equal(space_map(&p->space, own, 0, OWN_PAGES * PAGE_SIZE, CAP_RIGHT_READ,
		                           false, false, &at),
		                 CAP_OK);
	}
	fake_drain();
	the_cpu.locked = false;
	const uint64_t root = 0;
	user_write(p, MESSAGE, &root, sizeof(root));
	/* The first has one page made its own; the second two, after it, and the capabilities cross
	 * the border of two others. */
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .cap = CAP_SELF,
	                        .interface = PROCESS_INTERFACE,
	                        .method = PROCESS_CREATE_EVENT,
	                        .send_addr = MESSAGE,
	                        .send_len = sizeof(root),
	                        .recv_addr = OWN_ADDRESS,
	                        .recv_len = 512,
	                        .recv_caps = USER_MEMORY,
	                        .recv_ncaps = 1};
	user_submit(thread_of(p), &sqe);
	sqe.recv_addr = OWN_ADDRESS + 2 * PAGE_SIZE - 8;
	sqe.recv_caps = OWN_ADDRESS + 4 * PAGE_SIZE - 4;
	user_submit(thread_of(p), &sqe);
	fake_most_steps = 0;
	fake_windows = 0;
	struct capos_cqe cqe;
	assert_int_equal(user_enter(thread_of(p), 0, 0), 2);
	assert_true(fake_windows > 1);
	assert_true(fake_most_steps < STEPS_BUDGET + OVERSHOOT);
	cap_t events[2];
	user_read(p, USER_MEMORY, &events[0], sizeof(events[0]));
	user_read(p, sqe.recv_caps, &events[1], sizeof(events[1]));
	for (unsigned i = 0; i < 2; i++) {
		assert_true(user_take(thread_of(p), &cqe));
		assert_int_equal(cqe.result, CAP_OK);
	}
	for (unsigned i = 0; i < 2; i++)
		take_back(p, events[i]);
	the_cpu.locked = true;
	memobj_put(copy);
	memobj_put(own);
	fake_drain();
	the_cpu.locked = false;
	user_end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(fork_takes_the_last_frame, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(mapping_takes_the_last_frame, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(spawn_is_in_pieces, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(spawn_without_memory_ends, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(spawner_dies_in_the_middle, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(tries_are_bounded, core_setup, core_teardown),
	        cmocka_unit_test_setup_teardown(dma_is_allocated_in_pieces, core_setup,
	                                        core_teardown),
	        cmocka_unit_test_setup_teardown(reply_to_much_mapped_pages_is_in_pieces, core_setup,
	                                        core_teardown),
	};
	fake_start(FAKE_ARENA_PAGES);
	core_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
