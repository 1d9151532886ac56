/* SPDX-License-Identifier: MIT */
/*
 * Watchers of files: who is told, what the queue keeps, limits, and that all memory comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/files/tree.h"
#include "tests/unit/files_source.h"

static struct test_pages pages;
static struct page_source source;
static struct slab slab;
static struct watchers all;
static struct inode inodes[2];
static unsigned signals;
static uint8_t buffer[65536];

static void note(uint64_t event, uint64_t bits)
{
	assert_int_equal(event, 7);
	assert_int_equal(bits, 1);
	signals++;
}

static int setup(void **state)
{
	(void)state;
	pages = (struct test_pages){.limit = 2000};
	source = test_source(&pages);
	slab_init(&slab, &source);
	all = (struct watchers){.signal = note};
	memset(inodes, 0, sizeof(inodes));
	signals = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	while (all.first)
		watcher_free(&all, all.first);
	assert_null(inodes[0].watches);
	assert_null(inodes[1].watches);
	assert_int_equal(pages.out, 0);
	return 0;
}

static struct watcher *make(uint64_t key)
{
	struct watcher *watcher;

	assert_int_equal(watcher_make(&all, &slab, 3, key, &watcher), STATUS_OK);
	watcher->event = 7;
	watcher->bits = 1;
	return watcher;
}

static uint32_t add(struct watcher *watcher, struct inode *inode, uint32_t mask)
{
	uint32_t number = 0;

	assert_int_equal(watch_add(watcher, &inode->watches, mask, &number), STATUS_OK);
	return number;
}

static void tell(struct inode *inode, uint32_t mask, const char *name)
{
	watch_tell(
	        &all, inode->watches,
	        &(struct watch_news){.mask = mask, .name = name, .length = (uint32_t)strlen(name)});
}

static void check_record(uint32_t at, uint32_t watch, uint32_t mask, uint32_t length)
{
	uint32_t head[4];

	memcpy(head, buffer + at, sizeof(head));
	assert_int_equal(head[0], watch);
	assert_int_equal(head[1], mask);
	assert_int_equal(head[3], length);
}

static void test_those_who_want_it_are_told(void **state)
{
	struct watcher *one = make(1), *two = make(2);

	(void)state;
	assert_int_equal(add(one, &inodes[0], WATCH_OPEN), 1);
	assert_int_equal(add(one, &inodes[1], WATCH_ALL), 2);
	assert_int_equal(add(two, &inodes[0], WATCH_CREATE), 1);
	assert_true(watch_wants(inodes[0].watches, WATCH_CREATE));
	assert_false(watch_wants(inodes[0].watches, WATCH_DELETE));
	tell(&inodes[0], WATCH_OPEN, "");
	tell(&inodes[1], WATCH_CREATE | WATCH_DIRECTORY, "name");
	assert_int_equal(signals, 1); /* of an empty queue alone */
	assert_int_equal(one->bytes, 16 + 32);
	assert_int_equal(two->bytes, 0);
	assert_int_equal(watcher_read(one, buffer, sizeof(buffer)), 48);
	check_record(0, 1, WATCH_OPEN, 0);
	check_record(16, 2, WATCH_CREATE | WATCH_DIRECTORY, 16);
	assert_string_equal(buffer + 32, "name");
	assert_int_equal(watcher_read(one, buffer, sizeof(buffer)), 0);
	tell(&inodes[0], WATCH_OPEN, "");
	assert_int_equal(signals, 2);
}

static void test_events_are_read_whole(void **state)
{
	struct watcher *one = make(1);

	(void)state;
	add(one, &inodes[0], WATCH_ALL);
	tell(&inodes[0], WATCH_CREATE, "sixteen--letters");
	tell(&inodes[0], WATCH_CREATE, "fifteen-letters");
	assert_int_equal(watcher_read(one, buffer, 0), -1);
	assert_int_equal(watcher_read(one, buffer, 47), -1);
	assert_int_equal(watcher_read(one, buffer, 79), 48);
	assert_int_equal(watcher_read(one, buffer, 32), 32);
	check_record(0, 1, WATCH_CREATE, 16);
	assert_string_equal(buffer + 16, "fifteen-letters");
}

static void test_equal_events_are_one(void **state)
{
	struct watcher *one = make(1);

	(void)state;
	add(one, &inodes[0], WATCH_ALL);
	tell(&inodes[0], WATCH_MODIFY, "a");
	tell(&inodes[0], WATCH_MODIFY, "a");
	tell(&inodes[0], WATCH_MODIFY, "b");
	tell(&inodes[0], WATCH_MODIFY, "a");
	assert_int_equal(one->nevents, 3);
}

static void test_masks(void **state)
{
	struct watcher *one = make(1);
	uint32_t number = 0;

	(void)state;
	add(one, &inodes[0], WATCH_OPEN);
	assert_int_equal(watch_add(one, &inodes[0].watches, WATCH_NEW | WATCH_ALL, &number),
	                 STATUS_EXISTS);
	assert_int_equal(add(one, &inodes[0], WATCH_CREATE | WATCH_MORE), 1);
	assert_true(watch_wants(inodes[0].watches, WATCH_OPEN));
	assert_int_equal(add(one, &inodes[0], WATCH_CREATE | WATCH_ONCE), 1);
	assert_false(watch_wants(inodes[0].watches, WATCH_OPEN));
	tell(&inodes[0], WATCH_CREATE, "a");
	tell(&inodes[0], WATCH_CREATE, "b");
	assert_int_equal(watcher_read(one, buffer, sizeof(buffer)), 32 + 16);
	check_record(32, 1, WATCH_IGNORED, 0);
	assert_int_equal(watch_remove(&all, one, 1), STATUS_INVALID_ARGUMENT);
	assert_int_equal(add(one, &inodes[0], WATCH_CREATE | WATCH_NO_UNLINKED), 2);
	watch_tell(&all, inodes[0].watches,
	           &(struct watch_news){.mask = WATCH_CREATE, .name = "", .unlinked = true});
	assert_int_equal(one->nevents, 0);
	watch_end_all(&all, &inodes[0].watches);
	assert_int_equal(one->nevents, 1);
	assert_int_equal(one->nwatches, 0);
}

static void test_a_full_queue_says_so_once(void **state)
{
	struct watcher *one = make(1);
	int64_t bytes;
	uint64_t events = 0;

	(void)state;
	add(one, &inodes[0], WATCH_ALL);
	for (uint32_t i = 0; i < WATCH_EVENTS_MAX + 100; i++)
		tell(&inodes[0], i % 2 ? WATCH_OPEN : WATCH_CLOSE_WRITE, "");
	assert_int_equal(one->nevents, WATCH_EVENTS_MAX + 1);
	while ((bytes = watcher_read(one, buffer, sizeof(buffer))) > 0) {
		events += (uint64_t)bytes / WATCH_RECORD;
		if (!one->first)
			check_record((uint32_t)bytes - WATCH_RECORD, UINT32_MAX, WATCH_OVERFLOW, 0);
	}
	assert_int_equal(events, WATCH_EVENTS_MAX + 1);
	tell(&inodes[0], WATCH_OPEN, "");
	assert_int_equal(one->nevents, 1);
}

static void test_without_memory_events_are_lost_and_that_is_told(void **state)
{
	struct watcher *one = make(1);
	uint32_t number = 0;

	(void)state;
	add(one, &inodes[0], WATCH_ALL);
	pages.limit = pages.out;
	for (uint32_t i = 0; i < 1000; i++)
		tell(&inodes[0], i % 2 ? WATCH_OPEN : WATCH_CLOSE_WRITE, "a-name-of-some-length");
	assert_true(one->overflowed);
	while (watch_add(one, &inodes[1].watches, WATCH_ALL, &number) == STATUS_OK)
		watch_end_all(&all, &inodes[1].watches);
	assert_true(watcher_read(one, buffer, sizeof(buffer)) > 0);
	assert_false(one->overflowed);
}

static void test_limits_are_each_session_own(void **state)
{
	struct watcher *watcher;
	uint64_t shown = 0;

	(void)state;
	all.shown = &shown;
	for (uint32_t i = 0; i < WATCHERS_PER_SESSION; i++)
		make(i);
	assert_int_equal(shown, WATCHERS_PER_SESSION);
	assert_int_equal(watcher_make(&all, &slab, 3, 5, &watcher), STATUS_EXISTS);
	assert_int_equal(watcher_make(&all, &slab, 3, 1000, &watcher), STATUS_NO_BUFFERS);
	assert_int_equal(watcher_make(&all, &slab, 4, 5, &watcher), STATUS_OK);
	assert_ptr_equal(watcher_by_key(&all, 4, 5), watcher);
	assert_ptr_equal(watcher_by_serial(&all, watcher->serial), watcher);
	assert_null(watcher_by_key(&all, 4, 6));
	watcher_free(&all, watcher_by_key(&all, 3, 5));
	assert_int_equal(shown, WATCHERS_PER_SESSION);
	assert_int_equal(watcher_make(&all, &slab, 3, 1000, &watcher), STATUS_OK);
	all.shown = NULL;
}

static void test_as_many_watches_as_the_limit(void **state)
{
	static struct inode many[WATCHES_PER_WATCHER + 1];
	struct watcher *one = make(1);
	uint32_t number = 0;

	(void)state;
	for (uint32_t i = 0; i < WATCHES_PER_WATCHER; i++)
		assert_int_equal(add(one, &many[i], WATCH_ALL), i + 1);
	assert_int_equal(watch_add(one, &many[WATCHES_PER_WATCHER].watches, WATCH_ALL, &number),
	                 STATUS_NO_SPACE);
	assert_int_equal(watch_remove(&all, one, 17), STATUS_OK);
	assert_int_equal(add(one, &many[WATCHES_PER_WATCHER], WATCH_ALL), WATCHES_PER_WATCHER + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_those_who_want_it_are_told),
	        TEST(test_events_are_read_whole),
	        TEST(test_equal_events_are_one),
	        TEST(test_masks),
	        TEST(test_a_full_queue_says_so_once),
	        TEST(test_without_memory_events_are_lost_and_that_is_told),
	        TEST(test_limits_are_each_session_own),
	        TEST(test_as_many_watches_as_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
