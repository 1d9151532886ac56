/* SPDX-License-Identifier: MIT */
/*
 * File contents and the small-object allocator of the files service, against a model and under lack
 * of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <capos/schema/status.h>

#include "services/files/contents.h"
#include "services/files/data.h"
#include "tests/unit/files_source.h"

#define MODEL_SIZE (1u << 20)

static uint32_t seed = 12345;

static uint32_t rnd(uint32_t bound)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * bound) >> 32);
}

static void compare(struct data *data, const uint8_t *model, uint64_t size)
{
	static uint8_t buffer[MODEL_SIZE];

	assert_int_equal(data->size, size);
	memset(buffer, 0xee, sizeof(buffer));
	assert_int_equal(data_read(data, 0, buffer, MODEL_SIZE), size);
	assert_memory_equal(buffer, model, size);
}

static void random_operations(const uint8_t *base, uint32_t base_size)
{
	static uint8_t model[MODEL_SIZE], bytes[MODEL_SIZE];
	struct test_pages pages = {.limit = 10000};
	struct page_source source = test_source(&pages);
	struct data data;
	uint64_t size = base_size;

	memset(model, 0, sizeof(model));
	if (base_size)
		memcpy(model, base, base_size);
	data_init(&data, base, base_size, 0);
	for (int round = 0; round < 2000; round++) {
		uint32_t offset = rnd(MODEL_SIZE), length = rnd(rnd(2) ? 100 : 20000), written;
		if (length > MODEL_SIZE - offset)
			length = MODEL_SIZE - offset;
		switch (rnd(4)) {
		case 0:
		case 1:
			for (uint32_t i = 0; i < length; i++)
				bytes[i] = (uint8_t)rnd(256);
			assert_int_equal(
			        data_write(&data, &source, false, offset, bytes, length, &written),
			        STATUS_OK);
			assert_int_equal(written, length);
			memcpy(model + offset, bytes, length);
			if (length && size < offset + length)
				size = offset + length;
			break;
		case 2:
			offset = rnd(4) ? (uint32_t)size - (size ? rnd((uint32_t)size) / 4 : 0)
			                : offset;
			assert_int_equal(data_truncate(&data, &source, offset), STATUS_OK);
			memset(model + offset, 0, MODEL_SIZE - offset);
			size = offset;
			break;
		default: {
			uint32_t got = data_read(&data, offset, bytes, length);
			uint32_t want = offset >= size           ? 0
			                : length > size - offset ? (uint32_t)(size - offset)
			                                         : length;
			assert_int_equal(got, want);
			assert_memory_equal(bytes, model + offset, got);
			const uint8_t *run = got ? data_run(&data, offset, got) : NULL;
			if (run)
				assert_memory_equal(run, model + offset, got);
		}
		}
		if (round % 50 == 0)
			compare(&data, model, size);
		data_refresh(&data, true);
		assert_true(data_blocks(&data) <= (MODEL_SIZE / PAGE_SIZE) * 8);
		if (round % 100 == 99) { /* closed and opened again */
			data_settle(&data);
			assert_int_equal(pages.charged, pages.out);
		}
	}
	compare(&data, model, size);
	data_free(&data);
	assert_int_equal(pages.out, 0);
	assert_int_equal(data_blocks(&data), 0);
}

static void test_random(void **state)
{
	(void)state;
	random_operations(NULL, 0);
}

static void test_random_over_archive(void **state)
{
	static uint8_t base[300001];

	(void)state;
	for (size_t i = 0; i < sizeof(base); i++)
		base[i] = (uint8_t)rnd(256);
	random_operations(base, sizeof(base));
}

static void test_archive_is_used_in_place(void **state)
{
	static uint8_t base[3 * PAGE_SIZE + 10];
	struct test_pages pages = {.limit = 100};
	struct page_source source = test_source(&pages);
	struct data data;
	uint32_t written;

	(void)state;
	memset(base, 7, sizeof(base));
	data_init(&data, base, sizeof(base), 0);
	assert_ptr_equal(data_run(&data, 5, 3 * PAGE_SIZE), base + 5);
	assert_null(data_run(&data, 5, sizeof(base)));
	assert_int_equal(data_blocks(&data), 4 * 8);
	/* One byte: one page is copied, the archive stays as it was. */
	assert_int_equal(data_write(&data, &source, false, PAGE_SIZE + 1, "x", 1, &written),
	                 STATUS_OK);
	assert_int_equal(pages.out, 1);
	assert_int_equal(base[PAGE_SIZE + 1], 7);
	assert_null(data_run(&data, 2 * PAGE_SIZE, 10));
	/* What was cut off does not come back. */
	assert_int_equal(data_truncate(&data, &source, 10), STATUS_OK);
	assert_int_equal(data_truncate(&data, &source, 100), STATUS_OK);
	uint8_t bytes[100], want[100] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
	assert_int_equal(data_read(&data, 0, bytes, sizeof(bytes)), sizeof(bytes));
	assert_memory_equal(bytes, want, sizeof(want));
	data_free(&data);
	assert_int_equal(pages.out, 0);
}

static void test_sparse_and_bounds(void **state)
{
	struct test_pages pages = {.limit = 100};
	struct page_source source = test_source(&pages);
	struct data data;
	uint32_t written;
	uint8_t byte = 1;

	(void)state;
	data_init(&data, NULL, 0, 0);
	pages.most = 3; /* a hole is not counted */
	assert_int_equal(data_write(&data, &source, false, DATA_SIZE_MAX - 1, "x", 1, &written),
	                 STATUS_OK);
	assert_int_equal(data.size, DATA_SIZE_MAX);
	assert_true(pages.out <= 4);
	assert_int_equal(data_read(&data, 12345, &byte, 1), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(data_read(&data, DATA_SIZE_MAX - 1, &byte, 9), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(data_read(&data, DATA_SIZE_MAX, &byte, 1), 0);
	assert_int_equal(data_read(&data, UINT64_MAX, &byte, 1), 0);
	assert_int_equal(data_write(&data, &source, false, DATA_SIZE_MAX, "x", 1, &written),
	                 STATUS_FILE_TOO_BIG);
	assert_int_equal(data_write(&data, &source, false, UINT64_MAX, "xy", 2, &written),
	                 STATUS_FILE_TOO_BIG);
	assert_int_equal(data_truncate(&data, &source, DATA_SIZE_MAX + 1), STATUS_FILE_TOO_BIG);
	data_truncate(&data, &source, 1);
	assert_int_equal(pages.out, 0);
	data_free(&data);
	assert_int_equal(pages.charged, 0);
}

/* What clients store by themselves is found out, and bounded by what they asked for. */
static void test_clients_store_by_themselves(void **state)
{
	struct test_pages pages = {.limit = 1000, .most = 100};
	struct page_source source = test_source(&pages);
	static uint8_t bytes[200 * PAGE_SIZE];
	struct data data;
	uint32_t stored, written;

	(void)state;
	data_init(&data, NULL, 0, 0);
	assert_int_equal(data_own(&data, &source), STATUS_OK);
	data.writers = 1;
	contents_store(data.object, false, 0, bytes, 10, &stored);
	assert_int_equal(stored, 0);
	assert_int_equal(data_grow(&data, &source, 0, 10), STATUS_OK);
	contents_store(data.object, false, 0, bytes, 10, &stored);
	assert_int_equal(stored, 10);
	assert_true(data_refresh(&data, true).changed);
	assert_int_equal(data.size, 10);
	assert_false(data_refresh(&data, true).changed);
	/* What is read is news once. */
	assert_int_equal(contents_load(data.object, 0, bytes, 1, &stored), STATUS_OK);
	assert_true(data_refresh(&data, true).loaded);
	assert_false(data_refresh(&data, true).loaded);
	/* An append of the service's goes behind what it did not know of. */
	contents_store(data.object, true, 0, bytes, 10, &stored);
	assert_int_equal(data_write(&data, &source, true, 0, "x", 1, &written), STATUS_OK);
	data_refresh(&data, true);
	assert_int_equal(data.size, 21);
	/* More than may be counted is refused, less than the slack is not. */
	assert_int_equal(data_grow(&data, &source, 21, 101 * PAGE_SIZE), STATUS_NO_SPACE);
	assert_int_equal(data_grow(&data, &source, 21, 98 * PAGE_SIZE), STATUS_OK);
	assert_int_equal(data_grow(&data, &source, 21, 101 * PAGE_SIZE), STATUS_NO_SPACE);
	data.writers = 0;
	data_settle(&data);
	assert_int_equal(pages.charged, 1);
	contents_store(data.object, false, 0, bytes, sizeof(bytes), &stored);
	assert_int_equal(stored, 21);
	data_free(&data);
	assert_int_equal(pages.charged, 0);
	assert_int_equal(pages.out, 0);
}

/* Who has it mapped stores to it when it is closed, too. */
static void test_a_mapped_file_is_looked_at(void **state)
{
	struct test_pages pages = {.limit = 1000, .most = 100};
	struct page_source source = test_source(&pages);
	struct data data;
	uint32_t written, stored;

	(void)state;
	data_init(&data, NULL, 0, 0);
	assert_int_equal(data_write(&data, &source, false, 0, "x", 1, &written), STATUS_OK);
	contents_mapped = true;
	(void)data_refresh(&data, true);
	data_settle(&data);
	assert_false(data_refresh(&data, false).changed);
	contents_store(data.object, false, 0, "y", 1, &stored);
	assert_true(data_refresh(&data, false).changed);
	contents_store(data.object, false, 0, "z", 1, &stored);
	contents_mapped = false; /* what came last is seen, and then nobody can store */
	assert_true(data_refresh(&data, false).changed);
	assert_false(data.mapped);
	contents_mapped = true;
	assert_int_equal(data_truncate(&data, &source, 0), STATUS_OK);
	(void)data_refresh(&data, true);
	data_settle(&data);
	assert_true(data.payer != NULL); /* a mapping would show what it has again */
	contents_mapped = false;
	(void)data_refresh(&data, true);
	data_settle(&data);
	assert_null(data.payer);
	data_free(&data);
	assert_int_equal(pages.charged, 0);
	assert_int_equal(pages.out, 0);
}

/* A file of the archive that was only read costs nothing once it is closed. */
static void test_reading_leaves_nothing(void **state)
{
	static _Alignas(4096) uint8_t base[2 * PAGE_SIZE];
	struct test_pages pages = {.limit = 10};
	struct page_source source = test_source(&pages);
	struct data data;
	uint8_t byte;

	(void)state;
	memset(base, 5, sizeof(base));
	data_init(&data, base, sizeof(base), 0);
	assert_int_equal(data_own(&data, &source), STATUS_OK);
	assert_int_equal(data_read(&data, 5000, &byte, 1), 1);
	assert_int_equal(byte, 5);
	data_settle(&data);
	assert_null(data.payer);
	assert_ptr_equal(data_run(&data, 5, 5), base + 5);
	assert_int_equal(pages.charged, 0);
}

/* Whichever allocation fails, what was written before stays and all memory comes back. */
static void test_no_memory(void **state)
{
	static uint8_t bytes[10 * PAGE_SIZE];

	(void)state;
	memset(bytes, 9, sizeof(bytes));
	for (size_t limit = 0; limit < 20; limit++) {
		struct test_pages pages = {.limit = limit};
		struct page_source source = test_source(&pages);
		struct data data;
		uint32_t written;
		data_init(&data, NULL, 0, 0);
		int status = data_write(&data, &source, false, 3000 * (uint64_t)PAGE_SIZE + 1,
		                        bytes, sizeof(bytes), &written);
		assert_int_equal(status, written ? STATUS_OK : STATUS_NO_SPACE);
		assert_int_equal(data.size, written ? 3000 * (uint64_t)PAGE_SIZE + 1 + written : 0);
		assert_true((written == sizeof(bytes)) == (limit >= 11));
		data_free(&data);
		assert_int_equal(pages.out, 0);
	}
}

static void test_slab(void **state)
{
	static const size_t sizes[] = {1, 32, 33, 64, 120, 256, 500, 1000, 2016, 2017, 4096};
	static struct {
		uint8_t *p;
		size_t size;
		uint8_t mark;
	} objects[500];
	struct test_pages pages = {.limit = 300};
	struct page_source source = test_source(&pages);
	struct slab slab;

	(void)state;
	slab_init(&slab, &source);
	for (int round = 0; round < 20000; round++) {
		uint32_t i = rnd(500);
		if (objects[i].p) {
			for (size_t k = 0; k < objects[i].size; k++)
				assert_int_equal(objects[i].p[k], objects[i].mark);
			slab_put(&slab, objects[i].p, objects[i].size);
			objects[i].p = NULL;
			continue;
		}
		objects[i].size = sizes[rnd(sizeof(sizes) / sizeof(sizes[0]))];
		objects[i].mark = (uint8_t)rnd(256);
		objects[i].p = slab_get(&slab, objects[i].size);
		for (size_t k = 0; objects[i].p && k < objects[i].size; k++)
			assert_int_equal(objects[i].p[k], 0);
		if (objects[i].p)
			memset(objects[i].p, objects[i].mark, objects[i].size);
	}
	for (int i = 0; i < 500; i++)
		slab_put(&slab, objects[i].p, objects[i].size);
	slab_put(&slab, NULL, 10);
	assert_int_equal(pages.out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_random),
	        cmocka_unit_test(test_random_over_archive),
	        cmocka_unit_test(test_archive_is_used_in_place),
	        cmocka_unit_test(test_sparse_and_bounds),
	        cmocka_unit_test(test_clients_store_by_themselves),
	        cmocka_unit_test(test_a_mapped_file_is_looked_at),
	        cmocka_unit_test(test_reading_leaves_nothing),
	        cmocka_unit_test(test_no_memory),
	        cmocka_unit_test(test_slab),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
