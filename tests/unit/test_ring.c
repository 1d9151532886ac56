/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of a ring against users that keep the rules and users that do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/kernel.h"
#include "kernel/ring.h"

void panic(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

/* Each page alone on the heap, so that a store outside is seen. */
struct fixture {
	struct capos_ring *header;
	struct capos_sqe *sq;
	struct capos_cqe *cq;
	struct ring ring;
};

static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->header = calloc(1, sizeof(struct capos_ring)); /* only the first page is used */
	f->sq = calloc(1, CAPOS_PAGE_SIZE);
	f->cq = calloc(1, CAPOS_PAGE_SIZE);
	ring_init(&f->ring, f->header, f->sq, f->cq, 0x7000, 3);
	*state = f;
	return 0;
}

static int finish(void **state)
{
	struct fixture *f = *state;
	free(f->header);
	free(f->sq);
	free(f->cq);
	free(f);
	return 0;
}

static void complete(struct fixture *f, uint64_t user_data)
{
	struct capos_cqe cqe = {.user_data = user_data};
	ring_complete(&f->ring, &cqe);
}

static void steps(struct fixture *f)
{
	struct capos_sqe sqe;
	uint32_t base = f->ring.sq_head;
	for (uint32_t i = 0; i < 1000; i++) {
		f->sq[f->header->sq_tail++ % CAPOS_SQ_ENTRIES].user_data = i;
		assert_int_equal(ring_refresh(&f->ring), CAP_OK);
		assert_true(ring_take(&f->ring, &sqe));
		assert_false(ring_take(&f->ring, &sqe));
		assert_int_equal(sqe.user_data, i);
		assert_int_equal(f->header->sq_head, base + i + 1);
		complete(f, i);
		assert_int_equal(ring_unread(&f->ring), 1);
		assert_int_equal(f->cq[f->header->cq_head++ % CAPOS_CQ_ENTRIES].user_data, i);
	}
}

static void in_order(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(f->header->self, 0x7000);
	assert_int_equal(f->header->thread_id, 3);
	steps(f);
}

static void wrapping_indices(void **state)
{
	struct fixture *f = *state;
	f->ring.sq_head = f->header->sq_head = f->header->sq_tail = UINT32_MAX - 5;
	f->ring.cq_tail = f->ring.cq_head = f->header->cq_tail = f->header->cq_head =
	        UINT32_MAX - 3;
	steps(f);
}

static void places(void **state)
{
	struct fixture *f = *state;
	struct capos_sqe sqe;
	unsigned taken = 0;
	for (unsigned batch = 0; batch < 10; batch++) {
		f->header->sq_tail = f->header->sq_head + CAPOS_SQ_ENTRIES;
		assert_int_equal(ring_refresh(&f->ring), CAP_OK);
		while (ring_take(&f->ring, &sqe))
			taken++;
	}
	assert_int_equal(taken, CAPOS_CQ_ENTRIES);
	for (unsigned i = 0; i < CAPOS_CQ_ENTRIES; i++)
		complete(f, i);
	assert_false(ring_take(&f->ring, &sqe)); /* unread completions hold their places */
	f->header->cq_head += 7;
	assert_int_equal(ring_refresh(&f->ring), CAP_OK);
	for (unsigned i = 0; i < 7; i++)
		assert_true(ring_take(&f->ring, &sqe));
	assert_false(ring_take(&f->ring, &sqe));
	ring_drop(&f->ring);
	assert_true(ring_take(&f->ring, &sqe));
}

static void bad_indices(void **state)
{
	struct fixture *f = *state;
	f->header->sq_tail = CAPOS_SQ_ENTRIES + 1;
	assert_int_equal(ring_refresh(&f->ring), CAP_EINVAL);
	f->header->sq_tail = UINT32_MAX;
	assert_int_equal(ring_refresh(&f->ring), CAP_EINVAL);
	f->header->sq_tail = 0;
	f->header->cq_head = 1;
	assert_int_equal(ring_refresh(&f->ring), CAP_EINVAL);
	f->header->cq_head = 0u - CAPOS_CQ_ENTRIES - 1;
	assert_int_equal(ring_refresh(&f->ring), CAP_EINVAL);
	f->header->cq_head = 0;
	assert_int_equal(ring_refresh(&f->ring), CAP_OK);
}

/* What the user writes over the kernel's own fields changes nothing. */
static void kernel_fields(void **state)
{
	struct fixture *f = *state;
	struct capos_sqe sqe;
	f->header->sq_head = 77;
	f->header->cq_tail = 99;
	f->sq[0].user_data = 5;
	f->header->sq_tail = 1;
	assert_int_equal(ring_refresh(&f->ring), CAP_OK);
	assert_true(ring_take(&f->ring, &sqe));
	assert_int_equal(sqe.user_data, 5);
	assert_int_equal(f->header->sq_head, 1);
	complete(f, 6);
	assert_int_equal(f->header->cq_tail, 1);
	assert_int_equal(f->cq[0].user_data, 6);
}

static uint32_t any_index(uint32_t near)
{
	switch (rand() % 4) {
	case 0:
		return (uint32_t)rand() * 2654435761u;
	case 1:
		return near + (uint32_t)(rand() % 300) - 150;
	default:
		return near + (uint32_t)(rand() % 33);
	}
}

/* A user that writes anything anywhere in its ring: the kernel stays within the pages and counts
 * right. */
static void fuzzed(void **state)
{
	struct fixture *f = *state;
	struct capos_sqe sqe;
	unsigned taken = 0, held = 0;
	srand(2);
	for (unsigned step = 0; step < 300000; step++) {
		f->header->sq_tail = any_index(f->ring.sq_head);
		f->header->cq_head = any_index(f->ring.cq_tail - 32);
		if (rand() % 10 == 0)
			f->header->sq_head = f->header->cq_tail = (uint32_t)rand();
		if (ring_refresh(&f->ring) != CAP_OK)
			continue;
		assert_true(f->ring.sq_tail - f->ring.sq_head <= CAPOS_SQ_ENTRIES);
		while (ring_take(&f->ring, &sqe)) {
			taken++;
			held++;
			assert_true(ring_unread(&f->ring) + f->ring.pending <= CAPOS_CQ_ENTRIES);
			if (rand() % 8)
				complete(f, 0), held--;
		}
		while (held > 0 && rand() % 3 == 0)
			complete(f, 0), held--;
		assert_int_equal(f->ring.pending, held);
	}
	assert_true(taken > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(in_order, start, finish),
	        cmocka_unit_test_setup_teardown(wrapping_indices, start, finish),
	        cmocka_unit_test_setup_teardown(places, start, finish),
	        cmocka_unit_test_setup_teardown(bad_indices, start, finish),
	        cmocka_unit_test_setup_teardown(kernel_fields, start, finish),
	        cmocka_unit_test_setup_teardown(fuzzed, start, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
