/* SPDX-License-Identifier: MIT */
/*
 * Page frames and slabs: counts, reuse, exhaustion, adopted ranges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "kernel/kernel.h"
#include "kernel/memory/page.h"
#include "kernel/memory/slab.h"
#include "tests/unit/kernel_fake.h"

#define PAGES 64u

static void pages_are_zeroed_counted_and_reused(void **state)
{
	(void)state;
	uint64_t free = page_free_count();
	paddr_t a = page_alloc(false), b = page_alloc(false);

	assert_int_not_equal(a, PADDR_NONE);
	assert_int_not_equal(a, b);
	assert_int_equal(page_free_count(), free - 2);
	memset(page_ptr(a), 0xff, PAGE_SIZE);
	assert_int_equal(page_of_ptr(page_ptr(a)), a);
	page_get(a);
	assert_int_equal(page_refs(a), 2);
	page_put(a);
	assert_int_equal(page_refs(a), 1);
	page_put(a);
	paddr_t again = page_alloc(true);
	assert_int_equal(again, a);
	const uint8_t *bytes = page_ptr(again);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(bytes[i], 0);
	page_put(again);
	page_put(b);
	assert_int_equal(page_free_count(), free);
}

static void exhaustion_is_told_and_passes(void **state)
{
	(void)state;
	static paddr_t taken[PAGES];
	uint64_t free = page_free_count();

	for (unsigned i = 0; i < free; i++) {
		taken[i] = page_alloc(false);
		assert_int_not_equal(taken[i], PADDR_NONE);
	}
	assert_int_equal(page_alloc(true), PADDR_NONE);
	assert_int_equal(page_free_count(), 0);
	for (unsigned i = 0; i < free; i++)
		page_put(taken[i]);
	assert_int_equal(page_free_count(), free);
}

static void adopted_frames_become_free(void **state)
{
	(void)state;
	paddr_t start = FAKE_ARENA_START + 100 * PAGE_SIZE;
	uint64_t free = page_free_count(), total = page_total();

	/* While nothing fresh is left there is nowhere to count. */
	assert_false(page_adopt(start, start + 8 * PAGE_SIZE));
	page_add_range(start + 16 * PAGE_SIZE, start + 24 * PAGE_SIZE);
	assert_true(page_adopt(start, start + 8 * PAGE_SIZE));
	assert_int_equal(page_free_count(), free + 7 - 1);
	assert_int_equal(page_total(), total + 7 - 1 + 8);
	assert_int_equal(page_refs(start + 7 * PAGE_SIZE), 1);
	for (unsigned i = 0; i < 8; i++)
		page_put(start + i * PAGE_SIZE);
	assert_int_equal(page_free_count(), free + 7 - 1 + 8);
}

struct small {
	uint64_t word[5];
};
struct large {
	uint8_t byte[PAGE_SIZE];
};

static void slab_objects_are_zeroed_and_apart(void **state)
{
	(void)state;
	static struct slab slab = SLAB_INIT(struct small);
	struct small *object[200];
	uint64_t free = page_free_count();

	for (unsigned i = 0; i < 200; i++) {
		object[i] = slab_alloc(&slab);
		assert_non_null(object[i]);
		assert_int_equal((uintptr_t)object[i] % 16, 0);
		for (unsigned j = 0; j < 5; j++)
			assert_int_equal(object[i]->word[j], 0);
		for (unsigned j = 0; j < 5; j++)
			object[i]->word[j] = i;
	}
	assert_int_equal(slab_live_objects(), 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(object[i]->word[4], i);
	for (unsigned i = 0; i < 200; i += 2)
		slab_free(&slab, object[i]);
	for (unsigned i = 0; i < 200; i += 2) {
		object[i] = slab_alloc(&slab);
		assert_int_equal(object[i]->word[1], 0);
	}
	for (unsigned i = 0; i < 200; i++)
		slab_free(&slab, object[(i * 7) % 200]);
	assert_int_equal(slab_live_objects(), 0);
	assert_in_range(page_free_count(), free - 1, free);
}

static void slab_objects_may_fill_a_page(void **state)
{
	(void)state;
	static struct slab slab = SLAB_INIT(struct large);
	uint64_t free = page_free_count();
	struct large *a = slab_alloc(&slab), *b = slab_alloc(&slab);

	memset(a, 1, sizeof(*a));
	memset(b, 2, sizeof(*b));
	assert_int_equal(a->byte[PAGE_SIZE - 1], 1);
	slab_free(&slab, a);
	slab_free(&slab, b);
	assert_int_equal(page_free_count(), free);
}

static int start(void **state)
{
	(void)state;
	fake_start(PAGES);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(pages_are_zeroed_counted_and_reused),
	        cmocka_unit_test(exhaustion_is_told_and_passes),
	        cmocka_unit_test(adopted_frames_become_free),
	        cmocka_unit_test(slab_objects_are_zeroed_and_apart),
	        cmocka_unit_test(slab_objects_may_fill_a_page),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
