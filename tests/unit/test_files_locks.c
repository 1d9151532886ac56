/* SPDX-License-Identifier: MIT */
/*
 * Locks on files: random ranges against a model of bytes, who is woken, circles of waiters, and
 * that all memory comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <capos/schema/status.h>

#include "services/files/locks.h"
#include "tests/unit/files_source.h"

static struct test_pages pages;
static struct page_source source;
static struct slab slab;
static struct locks all;
static int woken[100]; /* by event */
static int given_up;

static void note(uint64_t event, uint64_t bits)
{
	if (bits)
		woken[event]++;
	else
		given_up++;
}

static int setup(void **state)
{
	(void)state;
	pages = (struct test_pages){.limit = 1000};
	source = test_source(&pages);
	slab_init(&slab, &source);
	all = (struct locks){.signal = note};
	memset(woken, 0, sizeof(woken));
	given_up = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_null(all.files);
	assert_int_equal(pages.out, 0);
	return 0;
}

static struct lock_request range(uint64_t owner, bool write, uint64_t start, uint64_t end)
{
	return (struct lock_request){.owner = owner, .write = write, .start = start, .end = end};
}

static int take(struct lock_list **file, uint64_t owner, bool write, uint64_t start, uint64_t end)
{
	struct lock_request what = range(owner, write, start, end);

	return locks_take(&all, file, &slab, &what, NULL);
}

static int give(struct lock_list **file, uint64_t owner, uint64_t start, uint64_t end)
{
	struct lock_request what = range(owner, false, start, end);

	return locks_give_up(&all, file, &slab, &what);
}

static int wait(struct lock_list **file, uint64_t owner, bool write, uint64_t start, uint64_t end)
{
	const struct lock_waiter w = {.what = range(owner, write, start, end),
	                              .handle = 1000 + owner,
	                              .event = owner,
	                              .bits = 1};

	return locks_wait(&all, file, &slab, &w);
}

#define BYTES  40
#define OWNERS 3

static uint32_t seed = 99;

static uint32_t rnd(uint32_t bound)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * bound) >> 32);
}

static bool model_free(char model[OWNERS][BYTES], uint32_t owner, char kind, uint32_t from,
                       uint32_t to)
{
	for (uint32_t o = 0; o < OWNERS; o++)
		for (uint32_t i = from; o != owner && i <= to; i++)
			if (model[o][i] && (kind == 'w' || model[o][i] == 'w'))
				return false;
	return true;
}

/* What others see of each byte is what the model says. */
static void compare(const struct lock_list *file, char model[OWNERS][BYTES])
{
	for (uint32_t i = 0; i < BYTES; i++) {
		struct lock_request r = range(OWNERS, false, i, i), w = range(OWNERS, true, i, i);
		bool any = false, writes = false;
		for (uint32_t o = 0; o < OWNERS; o++) {
			any |= model[o][i] != 0;
			writes |= model[o][i] == 'w';
		}
		assert_int_equal(locks_find(file, &w, NULL), any);
		assert_int_equal(locks_find(file, &r, NULL), writes);
	}
	uint32_t n = 0;
	for (const struct lock *l = file ? file->locks : NULL; l; l = l->next, n++) {
		assert_true(l->what.start <= l->what.end);
		for (uint64_t i = l->what.start; i <= l->what.end; i++)
			assert_int_equal(model[l->what.owner][i], l->what.write ? 'w' : 'r');
		if (l->next)
			assert_true(l->what.start <= l->next->what.start);
		/* Neighbours of one owner and kind are one lock. */
		if (l->what.end + 1 < BYTES)
			assert_int_not_equal(model[l->what.owner][l->what.end + 1],
			                     l->what.write ? 'w' : 'r');
	}
	assert_int_equal(n, file ? file->count : 0);
}

static void ranges_are_as_the_model_says(void **state)
{
	struct lock_list *file = NULL;
	char model[OWNERS][BYTES] = {{0}};

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint32_t owner = rnd(OWNERS), from = rnd(BYTES), to = from + rnd(BYTES - from);
		char kind = "rw\0"[rnd(3)];
		if (!kind) {
			assert_int_equal(give(&file, owner, from, to), STATUS_OK);
		} else {
			bool is_free = model_free(model, owner, kind, from, to);
			assert_int_equal(take(&file, owner, kind == 'w', from, to),
			                 is_free ? STATUS_OK : STATUS_WOULD_BLOCK);
			if (!is_free)
				continue;
		}
		memset(&model[owner][from], kind, to - from + 1);
		compare(file, model);
	}
	for (uint32_t o = 0; o < OWNERS; o++)
		locks_drop(&all, &file, &slab, LOCK_OF_PROCESS, o);
	assert_null(file);
}

static void waiters_are_woken_when_they_may_go_on(void **state)
{
	struct lock_list *file = NULL;

	(void)state;
	assert_int_equal(take(&file, 1, true, 0, 99), STATUS_OK);
	assert_int_equal(wait(&file, 2, false, 10, 19), STATUS_OK);
	assert_int_equal(wait(&file, 3, true, 50, 59), STATUS_OK);
	assert_int_equal(give(&file, 1, 0, 9), STATUS_OK);
	assert_int_equal(woken[2] + woken[3], 0);
	assert_int_equal(take(&file, 1, false, 10, 19), STATUS_OK); /* to read now */
	assert_int_equal(woken[2], 1);
	assert_int_equal(woken[3], 0);
	assert_int_equal(take(&file, 2, false, 10, 19), STATUS_OK);
	assert_int_equal(given_up, 1);
	locks_drop_process(&all, &slab, 1);
	assert_int_equal(woken[3], 1);
	/* It gives up waiting; another's file descriptor goes. */
	locks_stop_waiting(&all, &file, &slab, LOCK_OF_PROCESS, 3);
	assert_int_equal(wait(&file, 4, true, 10, 10), STATUS_OK);
	locks_close(&all, &file, &slab, 1004);
	assert_int_equal(given_up, 3);
	locks_drop_process(&all, &slab, 2);
	assert_null(file);
}

static void circles_are_refused(void **state)
{
	struct lock_list *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(take(&a, 1, true, 0, 9), STATUS_OK);
	assert_int_equal(take(&b, 2, true, 0, 9), STATUS_OK);
	assert_int_equal(take(&a, 3, true, 20, 29), STATUS_OK);
	assert_int_equal(wait(&b, 1, true, 5, 5), STATUS_OK);
	assert_int_equal(wait(&a, 2, true, 25, 25), STATUS_OK);
	/* 3 would wait for 1, which waits for 2, which waits for 3. */
	assert_int_equal(wait(&a, 3, false, 0, 0), STATUS_WOULD_DEADLOCK);
	assert_int_equal(wait(&a, 3, false, 9, 15), STATUS_WOULD_DEADLOCK);
	/* Without 2 in it there is no circle. */
	locks_drop_process(&all, &slab, 2);
	assert_int_equal(wait(&a, 3, false, 0, 0), STATUS_OK);
	locks_free(&all, &a, &slab);
	locks_drop_process(&all, &slab, 1);
	assert_null(b);
}

static void whole_files_are_another_matter(void **state)
{
	struct lock_list *file = NULL;
	struct lock_request whole = {.kind = LOCK_OF_WHOLE, .owner = 7, .write = true};
	struct lock_request described = {.kind = LOCK_OF_DESCRIPTION, .owner = 7, .write = true};
	struct lock_request conflict;

	(void)state;
	whole.end = described.end = LOCK_END_MAX;
	assert_int_equal(locks_take(&all, &file, &slab, &whole, NULL), STATUS_OK);
	assert_int_equal(take(&file, 1, true, 0, 9), STATUS_OK);
	/* Of an open file and of a process: they do see each other. */
	assert_int_equal(locks_take(&all, &file, &slab, &described, &conflict), STATUS_WOULD_BLOCK);
	assert_int_equal(conflict.owner, 1);
	whole.owner = 8;
	assert_int_equal(locks_take(&all, &file, &slab, &whole, &conflict), STATUS_WOULD_BLOCK);
	assert_int_equal(conflict.owner, 7);
	locks_close(&all, &file, &slab, 7);
	assert_int_equal(locks_take(&all, &file, &slab, &whole, NULL), STATUS_OK);
	locks_free(&all, &file, &slab);
}

static void one_file_has_so_many(void **state)
{
	struct lock_list *file = NULL;
	uint32_t n = 0;
	int status;

	(void)state;
	while (!(status = take(&file, 1, true, 2 * n, 2 * n)))
		n++;
	assert_int_equal(status, STATUS_NO_BUFFERS);
	assert_true(n > 1000 && n <= LOCKS_PER_FILE_MAX);
	locks_drop(&all, &file, &slab, LOCK_OF_PROCESS, 1);
	pages.limit = 0;
	assert_int_equal(take(&file, 1, true, 0, 0), STATUS_NO_BUFFERS);
	assert_null(file);
}

/* In however many files, and whoever else waits. */
static void so_many_wait(void **state)
{
	enum { FILES = 8 };
	static struct lock_list *lists[FILES + 1];
	struct lock_list **last = &lists[FILES];
	struct slab other;
	struct lock_waiter w = {.handle = 1, .event = 2, .bits = 1};

	(void)state;
	slab_init(&other, &source);
	for (uint64_t f = 0; f <= FILES; f++)
		assert_int_equal(take(&lists[f], 1, true, 0, 0), STATUS_OK);
	for (uint64_t i = 0; i < LOCK_WAITERS_MAX; i++) {
		w.what = range(2 + i / FILES, true, 0, 0);
		assert_int_equal(locks_wait(&all, &lists[i % FILES], &slab, &w), STATUS_OK);
	}
	assert_int_equal(locks_wait(&all, last, &slab, &w), STATUS_NO_BUFFERS);
	assert_int_equal(locks_wait(&all, last, &other, &w), STATUS_OK);
	locks_drop_process(&all, &slab, w.what.owner);
	assert_int_equal(locks_wait(&all, last, &slab, &w), STATUS_OK);
	for (uint64_t f = 0; f <= FILES; f++)
		locks_free(&all, &lists[f], &slab);
	assert_int_equal(slab.waiters, 0);
	assert_int_equal(other.waiters, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(ranges_are_as_the_model_says, setup, teardown),
	        cmocka_unit_test_setup_teardown(waiters_are_woken_when_they_may_go_on, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(circles_are_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(whole_files_are_another_matter, setup, teardown),
	        cmocka_unit_test_setup_teardown(one_file_has_so_many, setup, teardown),
	        cmocka_unit_test_setup_teardown(so_many_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
