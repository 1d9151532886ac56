/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: presence, growth of the tree, copy-on-write, accounts, what a slice may not show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "kernel/kernel.h"
#include "kernel/memory/memobj.h"
#include "tests/unit/kernel_fake.h"

static struct account payer;

static int start(void **state)
{
	(void)state;
	payer = (struct account){.header = {.refs = 1, .kind = KIND_ACCOUNT}, .limits.pages = 1000};
	fake_start(1024);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_check_clean();
	assert_int_equal(payer.pages, 0);
	assert_int_equal(payer.header.refs, 1);
	assert_int_equal(payer.bytes, 0);
	return 0;
}

static void frames_appear_when_touched(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(5000, &payer);
	uint64_t word = 1;

	assert_int_equal(m->npages, 2);
	assert_int_equal(memobj_peek(m, 0), PADDR_NONE);
	assert_true(memobj_read(m, 4992, &word, 8));
	assert_int_equal(word, 0);
	assert_int_equal(payer.pages, 0);
	paddr_t frame = memobj_frame(m, 1, false);
	assert_int_not_equal(frame, PADDR_NONE);
	assert_int_equal(payer.pages, 1);
	assert_int_equal(memobj_frame(m, 1, true), frame);
	assert_int_equal(memobj_frame(m, 2, true), PADDR_NONE);
	assert_false(memobj_read(m, 4993, &word, 8));
	assert_false(fake_write(m, UINT64_MAX, &word, 8));
	memobj_put(m);
}

static void large_objects_are_sparse(void **state)
{
	(void)state;
	const uint64_t sizes[] = {16,         17,        512, 513, 1u << 18, (1u << 18) + 1,
	                          1ull << 27, 1ull << 35};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct memobj *m = memobj_create(sizes[i] * PAGE_SIZE, &payer);
		uint64_t word = i + 1, back = 0;
		uint64_t last = (sizes[i] - 1) * PAGE_SIZE;
		assert_true(fake_write(m, last, &word, 8));
		assert_true(memobj_read(m, last, &back, 8));
		assert_int_equal(back, word);
		assert_true(memobj_read(m, 0, &back, 8));
		assert_int_equal(back, 0);
		struct memobj *copy = memobj_slice(m, 0, sizes[i] * PAGE_SIZE, NULL);
		assert_true(memobj_read(copy, last, &back, 8));
		assert_int_equal(back, word);
		memobj_put(m);
		memobj_put(copy);
		fake_drain();
		assert_int_equal(payer.pages, 0);
	}
	assert_null(memobj_create(((1ull << 35) + 1) * PAGE_SIZE, NULL));
	assert_null(memobj_create(UINT64_MAX, NULL));
}

static void resize_keeps_and_clears(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(100, &payer);
	uint8_t text[100], back[200];

	memset(text, 'x', sizeof(text));
	assert_true(fake_write(m, 0, text, sizeof(text)));
	assert_true(memobj_resize(m, 600 * PAGE_SIZE));
	assert_true(memobj_read(m, 0, back, 100));
	assert_memory_equal(back, text, 100);
	assert_true(fake_write(m, 599 * PAGE_SIZE, text, 100));
	assert_true(memobj_resize(m, 300000ull * PAGE_SIZE));
	assert_true(memobj_read(m, 599 * PAGE_SIZE, back, 100));
	assert_memory_equal(back, text, 100);
	assert_true(memobj_resize(m, 50));
	assert_int_equal(m->npages, 1);
	assert_true(memobj_resize(m, 600 * PAGE_SIZE));
	assert_true(memobj_read(m, 0, back, 200));
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(back[i], i < 50 ? 'x' : 0);
	assert_true(memobj_read(m, 599 * PAGE_SIZE, back, 1));
	assert_int_equal(back[0], 0);
	memobj_put(m);
}

static void slices_copy_when_written(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(4 * PAGE_SIZE, &payer);
	uint64_t one = 1, two = 2, back;

	for (unsigned i = 0; i < 3; i++)
		assert_true(fake_write(m, i * PAGE_SIZE, &one, 8));
	struct memobj *s = memobj_slice(m, PAGE_SIZE, 8 * PAGE_SIZE, &payer);
	assert_int_equal(memobj_peek(s, 0), memobj_peek(m, 1));
	assert_int_equal(page_refs(memobj_peek(m, 1)), 2);
	assert_true(fake_write(s, 0, &two, 8));
	assert_int_not_equal(memobj_peek(s, 0), memobj_peek(m, 1));
	memobj_read(m, PAGE_SIZE, &back, 8);
	assert_int_equal(back, 1);
	assert_true(fake_write(m, 2 * PAGE_SIZE, &two, 8));
	memobj_read(s, PAGE_SIZE, &back, 8);
	assert_int_equal(back, 1);
	memobj_read(s, 7 * PAGE_SIZE, &back, 8);
	assert_int_equal(back, 0);
	memobj_put(m);
	memobj_read(s, PAGE_SIZE, &back, 8);
	assert_int_equal(back, 1);
	memobj_put(s);
}

static void slices_show_nothing_behind_their_end(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(2 * PAGE_SIZE, NULL);
	uint8_t secret[PAGE_SIZE], back[PAGE_SIZE];

	memset(secret, 's', sizeof(secret));
	assert_true(fake_write(m, 0, secret, sizeof(secret)));
	struct memobj *s = memobj_slice(m, 0, 10, NULL);
	assert_true(memobj_resize(s, PAGE_SIZE));
	assert_true(memobj_read(s, 0, back, PAGE_SIZE));
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(back[i], i < 10 ? 's' : 0);
	assert_true(memobj_read(m, 0, back, PAGE_SIZE));
	assert_memory_equal(back, secret, PAGE_SIZE);
	memobj_put(s);
	memobj_put(m);
}

/* With all its frames, or NULL. */
static struct memobj *create_dma(uint32_t npages, struct account *account)
{
	struct memobj *m = memobj_create_dma(npages, account);
	uint64_t present = 0;
	int error = m ? memobj_commit_some(m, &present) : CAP_ENOMEM;
	assert_int_not_equal(error, WORK_AGAIN);
	if (m && error)
		memobj_put(m);
	return error ? NULL : m;
}

static void limits_hold(void **state)
{
	(void)state;
	payer.limits.pages = 4; /* three frames, and the object itself */
	struct memobj *m = memobj_create(8 * PAGE_SIZE, &payer);
	for (unsigned i = 0; i < 3; i++)
		assert_int_not_equal(memobj_frame(m, i, true), PADDR_NONE);
	assert_int_equal(memobj_frame(m, 3, true), PADDR_NONE);
	assert_null(memobj_slice(m, 0, 8 * PAGE_SIZE, &payer));
	assert_int_equal(payer.pages, 3);
	steps_renew();
	assert_int_equal(memobj_discard_some(m, 1, 2), 2);
	assert_int_not_equal(memobj_frame(m, 3, true), PADDR_NONE);
	assert_null(create_dma(2, &payer));
	memobj_put(m);
	payer.limits.pages = 1000;
}

static void memory_running_out_leaves_nothing_behind(void **state)
{
	(void)state;
	struct memobj *hog = memobj_create(1000 * PAGE_SIZE, NULL);
	struct memobj *m = memobj_create(64 * PAGE_SIZE, NULL);
	uint64_t i = 0;

	for (unsigned n = 0; n < 64; n++)
		assert_int_not_equal(memobj_frame(m, n, true), PADDR_NONE);
	while (i < 1000 && memobj_frame(hog, i, true) != PADDR_NONE)
		i++;
	assert_int_equal(page_free_count(), 0);
	steps_renew();
	assert_int_equal(memobj_discard_some(hog, 0, 1), 1);
	assert_null(create_dma(10, NULL));
	struct memobj *s = memobj_slice(m, 0, 64 * PAGE_SIZE, NULL);
	if (s) { /* the table fitted: copies do not */
		assert_int_equal(memobj_frame(s, 0, true), PADDR_NONE);
		memobj_put(s);
	}
	fake_drain();
	assert_int_equal(page_refs(memobj_peek(m, 0)), 1);
	memobj_put(hog);
	memobj_put(m);
}

static void dma_and_device_memory(void **state)
{
	(void)state;
	struct memobj *dma = create_dma(20, &payer);
	uint64_t word = 7, back;

	for (unsigned i = 0; i < 20; i++)
		assert_int_not_equal(memobj_peek(dma, i), PADDR_NONE);
	fake_write(dma, 0, &word, 8);
	paddr_t frame = memobj_peek(dma, 0);
	struct memobj *s = memobj_slice(dma, 0, PAGE_SIZE, NULL);
	assert_int_not_equal(memobj_peek(s, 0), frame);
	memobj_read(s, 0, &back, 8);
	assert_int_equal(back, 7);
	assert_int_equal(memobj_frame(dma, 0, true), frame);
	assert_false(memobj_resize(dma, PAGE_SIZE));
	memobj_put(s);
	memobj_put(dma);

	struct memobj *device = memobj_create_device(0xfe000000, 3 * PAGE_SIZE);
	assert_int_equal(memobj_frame(device, 2, true), 0xfe002000);
	assert_int_equal(memobj_frame(device, 3, true), PADDR_NONE);
	assert_false(memobj_read(device, 0, &back, 8));
	assert_null(memobj_slice(device, 0, PAGE_SIZE, NULL));
	memobj_put(device);
}

/* A slice of code is of any size for the price of its header, and keeps its bytes. */
static void slices_of_code_share_nothing(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(6 * PAGE_SIZE, NULL);
	uint64_t words[6] = {10, 11, 12, 13, 14, 15}, back, one = 1;

	for (unsigned i = 0; i < 6; i++)
		assert_true(fake_write(m, i * PAGE_SIZE, &words[i], 8));
	memobj_make_code(m);
	struct memobj *a = memobj_slice(m, PAGE_SIZE, 4 * PAGE_SIZE, &payer);
	assert_int_equal(payer.pages, 0);
	assert_int_equal(memobj_peek(a, 0), memobj_peek(m, 1));
	/* A slice of the slice stands on the first object too. */
	struct memobj *b = memobj_slice(a, PAGE_SIZE, 8 * PAGE_SIZE, &payer);
	assert_ptr_equal(b->backing, m);
	assert_int_equal(memobj_frame(b, 0, false), memobj_peek(m, 2));
	assert_true(memobj_borrows(b, 0));
	assert_true(memobj_read(b, 3 * PAGE_SIZE, &back, 8));
	assert_int_equal(back, 0); /* b ends where a did */
	assert_true(fake_write(b, 0, &one, 8));
	assert_false(memobj_borrows(b, 0));
	assert_true(memobj_read(a, PAGE_SIZE, &back, 8));
	assert_int_equal(back, 12);
	/* What was written goes into slices of it, with what was not. */
	struct memobj *c = memobj_slice_committed(b, 0, 2 * PAGE_SIZE, &payer);
	memobj_put(m);
	memobj_put(a);
	memobj_put(b);
	fake_drain();
	assert_true(memobj_read(c, 0, &back, 8));
	assert_int_equal(back, 1);
	assert_true(memobj_read(c, PAGE_SIZE, &back, 8));
	assert_int_equal(back, 13);
	memobj_put(c);
}

/* What was cut off from an object in front of code does not come back. */
static void a_backed_object_is_cut(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(3 * PAGE_SIZE, NULL);
	uint8_t bytes[3 * PAGE_SIZE], back[3 * PAGE_SIZE];

	memset(bytes, 'b', sizeof(bytes));
	assert_true(fake_write(m, 0, bytes, sizeof(bytes)));
	memobj_make_code(m);
	struct memobj *f = memobj_create_sparse(3 * PAGE_SIZE - 5, m, 0, &payer);
	assert_true(memobj_resize(f, 3 * PAGE_SIZE));
	assert_true(memobj_read(f, 0, back, sizeof(back)));
	for (unsigned i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], i < sizeof(back) - 5 ? 'b' : 0);
	assert_true(memobj_resize(f, 10));
	assert_true(memobj_resize(f, 3 * PAGE_SIZE));
	assert_true(memobj_read(f, 0, back, sizeof(back)));
	for (unsigned i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], i < 10 ? 'b' : 0);
	memobj_put(f);
	memobj_put(m);
}

/* Holes cost nothing until they are stored to, and a resize over them takes no time. */
static void holes_are_read_without_memory(void **state)
{
	(void)state;
	struct memobj *m = memobj_create_sparse(0, NULL, 0, &payer);

	assert_true(memobj_resize(m, 1ull << 40));
	paddr_t zeroes = memobj_frame(m, 1ull << 27, false);
	assert_int_not_equal(zeroes, PADDR_NONE);
	assert_int_equal(memobj_frame(m, 5, false), zeroes);
	assert_true(memobj_borrows(m, 5));
	assert_int_equal(payer.pages, 0);
	assert_int_not_equal(memobj_frame(m, 5, true), zeroes);
	assert_int_equal(m->present, 1);
	assert_true(memobj_resize(m, 0));
	assert_int_equal(m->present, 0);
	memobj_put(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(frames_appear_when_touched, start, stop),
	        cmocka_unit_test_setup_teardown(large_objects_are_sparse, start, stop),
	        cmocka_unit_test_setup_teardown(resize_keeps_and_clears, start, stop),
	        cmocka_unit_test_setup_teardown(slices_copy_when_written, start, stop),
	        cmocka_unit_test_setup_teardown(slices_show_nothing_behind_their_end, start, stop),
	        cmocka_unit_test_setup_teardown(limits_hold, start, stop),
	        cmocka_unit_test_setup_teardown(memory_running_out_leaves_nothing_behind, start,
	                                        stop),
	        cmocka_unit_test_setup_teardown(dma_and_device_memory, start, stop),
	        cmocka_unit_test_setup_teardown(slices_of_code_share_nothing, start, stop),
	        cmocka_unit_test_setup_teardown(a_backed_object_is_cut, start, stop),
	        cmocka_unit_test_setup_teardown(holes_are_read_without_memory, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
