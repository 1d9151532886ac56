/* SPDX-License-Identifier: MIT */
/*
 * Accounts and committed memory: charges come back, limits hold at every point, a store to what was
 * committed never fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/kernel.h"
#include "kernel/memory/memobj.h"
#include "kernel/memory/slab.h"

/* Gives it up, and its frames at once. */
static void put(struct memobj *m)
{
	memobj_put(m);
	fake_drain();
}

struct thing {
	uint8_t bytes[100];
};
static struct slab things = SLAB_INIT(struct thing);

static struct account *create(uint64_t pages)
{
	struct account *a = account_create(&(struct account_limits){.pages = pages}, false);
	assert_non_null(a);
	return a;
}

static int start(void **state)
{
	(void)state;
	fake_start(FAKE_ARENA_PAGES);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	fake_check_clean();
	return 0;
}

static void kernel_objects_fill_pages(void **state)
{
	(void)state;
	static struct thing *made[200];
	unsigned count = 0;
	struct account *a = create(3);
	while (count < 200 && (made[count] = account_alloc(a, &things)))
		count++;
	assert_int_equal(count, 3 * PAGE_SIZE / sizeof(struct thing));
	assert_int_equal(account_used(a), 3);
	assert_false(account_charge(a, 1));
	/* What was freed can be made again, though frames were asked for meanwhile. */
	for (unsigned i = 0; i < 10; i++)
		account_free(a, &things, made[--count]);
	assert_false(account_charge(a, 1));
	for (unsigned i = 0; i < 10; i++)
		assert_non_null(made[count++] = account_alloc(a, &things));
	while (count > 0)
		account_free(a, &things, made[--count]);
	assert_int_equal(a->bytes, 0);
	assert_true(account_charge(a, 2));
	account_release(a, 2);
	account_put(a);
}

static void accounts_outlive_their_holders(void **state)
{
	(void)state;
	uint64_t live = slab_live_objects();
	struct account *a = create(0);
	struct memobj *m = memobj_create_committed(3 * PAGE_SIZE, a);
	account_put(a);
	assert_int_equal(m->account->pages, 3);
	put(m);
	assert_int_equal(slab_live_objects(), live);
}

static void items_are_limited(void **state)
{
	(void)state;
	struct account_limits limits = {.items = {[ACCOUNT_TIMERS] = 2}};
	struct account *a = account_create(&limits, true);
	assert_true(account_count(a, ACCOUNT_TIMERS));
	assert_true(account_count(a, ACCOUNT_TIMERS));
	assert_false(account_count(a, ACCOUNT_TIMERS));
	account_uncount(a, ACCOUNT_TIMERS);
	assert_true(account_count(a, ACCOUNT_TIMERS));
	for (unsigned i = 0; i < ACCOUNT_THREADS_MAX; i++)
		assert_true(account_count(a, ACCOUNT_THREADS));
	assert_false(account_count(a, ACCOUNT_THREADS));
	account_put(a);
}

/* Memory of which nothing is left for anybody else. */
static struct memobj *take_the_rest(void)
{
	struct memobj *hog = memobj_create(FAKE_ARENA_PAGES * PAGE_SIZE, NULL);
	for (uint64_t i = 0; memobj_frame(hog, i, true) != PADDR_NONE; i++)
		;
	assert_int_equal(page_available(), 0);
	return hog;
}

static void fill(struct memobj *m, uint8_t byte)
{
	for (uint64_t i = 0; i < m->npages; i++)
		assert_true(fake_write(m, i * PAGE_SIZE, &byte, 1));
}

static void check(struct memobj *m, uint8_t byte)
{
	uint8_t got;
	for (uint64_t i = 0; i < m->npages; i++) {
		assert_true(memobj_read(m, i * PAGE_SIZE, &got, 1));
		assert_int_equal(got, byte);
	}
}

static void committing_is_all_or_nothing(void **state)
{
	(void)state;
	struct account *a = create(30);
	uint64_t available = page_available();
	assert_null(memobj_create_committed(30 * PAGE_SIZE, a));
	fake_drain();
	assert_int_equal(a->pages, 0);
	struct memobj *m = memobj_create_committed(12 * PAGE_SIZE, a);
	assert_null(memobj_slice_committed(m, 0, 20 * PAGE_SIZE, a));
	fake_drain();
	assert_int_equal(a->pages, 12);
	assert_false(memobj_resize(m, PAGE_SIZE));
	put(m);
	account_put(a);
	assert_true(page_available() + 2 >= available); /* slabs keep a page each */
}

static void committed_slices_can_be_written(void **state)
{
	(void)state;
	struct account *a = create(0);
	struct memobj *m = memobj_create(40 * PAGE_SIZE, NULL);
	for (uint64_t i = 0; i < 40; i += 2)
		memobj_frame(m, i, true);
	struct memobj *s = memobj_slice_committed(m, 0, 40 * PAGE_SIZE, a);
	struct memobj *hog = take_the_rest();
	fill(s, 1);
	check(s, 1);
	put(hog);
	check(m, 0);
	put(m);
	put(s);
	account_put(a);
}

/* A program copies a server's committed memory: that server's stores still cannot fail. */
static void slices_of_committed_memory(void **state)
{
	(void)state;
	struct account *a = create(0), *other = create(0);
	struct memobj *m = memobj_create_committed(20 * PAGE_SIZE, a);
	struct memobj *first = memobj_slice(m, 0, 20 * PAGE_SIZE, other);
	struct memobj *second = memobj_slice_committed(m, 0, 10 * PAGE_SIZE, other);
	struct memobj *hog = take_the_rest();
	fill(m, 1);
	fill(second, 2);
	check(first, 0);
	check(m, 1);
	check(second, 2);
	/* Nothing is left for one more: it fails, and takes nothing. */
	assert_null(memobj_slice_committed(m, 0, 20 * PAGE_SIZE, other));
	fake_drain();
	fill(m, 3);
	put(hog);
	put(first);
	put(second);
	fill(m, 4);
	put(m);
	account_put(a);
	account_put(other);
	assert_int_equal(page_available(), page_free_count());
}

/* Slices of slices, written and dropped in every order: the frames set aside come back. */
static void frames_set_aside_come_back(void **state)
{
	(void)state;
	struct account *a = create(0);
	struct memobj *all[12] = {NULL};
	srand(7);
	for (unsigned step = 0; step < 20000; step++) {
		struct memobj **m = &all[rand() % 12], *source = all[rand() % 12];
		if (*m && rand() % 3 == 0) {
			put(*m);
			*m = NULL;
		} else if (*m) {
			if ((*m)->committed)
				fill(*m, (uint8_t)step);
			else
				memobj_frame(*m, (uint64_t)rand() % (*m)->npages, true);
		} else if (source) {
			*m = rand() % 2 ? memobj_slice_committed(source, 0, 20 * PAGE_SIZE, a)
			                : memobj_slice(source, PAGE_SIZE, 17 * PAGE_SIZE, a);
		} else {
			*m = rand() % 2 ? memobj_create_committed(18 * PAGE_SIZE, a)
			                : memobj_create(18 * PAGE_SIZE, a);
		}
	}
	for (unsigned i = 0; i < 12; i++) {
		if (all[i])
			put(all[i]);
	}
	assert_int_equal(a->pages, 0);
	assert_int_equal(page_available(), page_free_count());
	account_put(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(kernel_objects_fill_pages, start, finish),
	        cmocka_unit_test_setup_teardown(accounts_outlive_their_holders, start, finish),
	        cmocka_unit_test(items_are_limited),
	        cmocka_unit_test_setup_teardown(committing_is_all_or_nothing, start, finish),
	        cmocka_unit_test_setup_teardown(committed_slices_can_be_written, start, finish),
	        cmocka_unit_test_setup_teardown(slices_of_committed_memory, start, finish),
	        cmocka_unit_test_setup_teardown(frames_set_aside_come_back, start, finish),
	};
	fake_start(FAKE_ARENA_PAGES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
