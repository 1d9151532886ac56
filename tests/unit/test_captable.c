/* SPDX-License-Identifier: MIT */
/*
 * Capability tables: ids name one object or nothing, generations never come back, limits hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/process/cap.h"
#include "kernel/kernel.h"
#include "kernel/work.h"

static void destroy(struct cap_table *t)
{
	do
		steps_spent = 0;
	while (!cap_table_destroy(t));
}

static int counts[1024]; /* of capabilities given up, by object */

void cap_get(struct cap cap)
{
	(void)cap;
}

void cap_signal(struct cap event, uint64_t bits)
{
	(void)event;
	(void)bits;
	fail(); /* no capability here came with CAPOS_SEND_HANGUP */
}

void cap_put(struct cap cap)
{
	counts[(uintptr_t)cap.object % 1024]++;
}

static struct cap object(uintptr_t number)
{
	return (struct cap){.object = (void *)number,
	                    .kind = KIND_EVENT,
	                    .rights = (uint16_t)(number & CAP_RIGHTS_ALL)};
}

struct fixture {
	struct account account;
	struct cap_table table;
};

static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	fake_start(FAKE_ARENA_PAGES);
	f->account = (struct account){.header = {.refs = 1, .kind = KIND_ACCOUNT},
	                              .limits.pages = UINT64_MAX / 2};
	assert_int_equal(cap_table_init(&f->table, &f->account), CAP_OK);
	*state = f;
	return 0;
}

static int finish(void **state)
{
	struct fixture *f = *state;
	destroy(&f->table);
	assert_int_equal(f->account.pages, 0);
	fake_check_clean();
	free(f);
	return 0;
}

static void first_ids(void **state)
{
	struct fixture *f = *state;
	cap_t id;
	struct cap cap;
	for (uintptr_t i = 1; i <= 600; i++) {
		assert_int_equal(cap_insert(&f->table, object(i), &id), CAP_OK);
		assert_int_equal(id, CAP_ID(i, 1));
	}
	assert_int_equal(f->table.live, 600);
	for (uintptr_t i = 1; i <= 600; i++) {
		assert_int_equal(cap_lookup(&f->table, CAP_ID(i, 1), &cap), CAP_OK);
		assert_ptr_equal(cap.object, (void *)i);
		assert_int_equal(cap.rights, i & CAP_RIGHTS_ALL);
	}
}

static void wrong_ids(void **state)
{
	struct fixture *f = *state;
	cap_t id;
	struct cap cap;
	cap_insert(&f->table, object(5), &id);
	const cap_t wrong[] = {0,
	                       1,
	                       CAP_ID(1, 0),
	                       CAP_ID(1, 2),
	                       CAP_ID(2, 1),
	                       CAP_ID(0, 1),
	                       UINT64_MAX,
	                       CAP_ID(0xfffff, 1),
	                       CAP_ID(300, 0),
	                       id | 1ull << 63};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(cap_lookup(&f->table, wrong[i], &cap), CAP_EBADCAP);
		assert_int_equal(cap_remove(&f->table, wrong[i], &cap), CAP_EBADCAP);
	}
	assert_int_equal(cap_lookup(&f->table, id, &cap), CAP_OK);
}

static void stale_ids(void **state)
{
	struct fixture *f = *state;
	cap_t old, id;
	struct cap cap;
	cap_insert(&f->table, object(1), &old);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(cap_remove(&f->table, old, &cap), CAP_OK);
		assert_int_equal(cap_insert(&f->table, object(i + 2), &id), CAP_OK);
		assert_int_equal(CAP_INDEX(id), CAP_INDEX(old));
		assert_int_equal(cap_lookup(&f->table, old, &cap), CAP_EBADCAP);
		old = id;
	}
}

static void retired_slot(void **state)
{
	struct fixture *f = *state;
	cap_t id;
	struct cap cap;
	cap_insert(&f->table, object(1), &id);
	f->table.pages[0][1].generation = CAP_GENERATION_MAX;
	id = CAP_ID(1, CAP_GENERATION_MAX);
	assert_int_equal(cap_remove(&f->table, id, &cap), CAP_OK);
	assert_int_equal(cap_lookup(&f->table, id, &cap), CAP_EBADCAP);
	cap_insert(&f->table, object(2), &id);
	assert_int_equal(id, CAP_ID(2, 1));
}

static void full_table(void **state)
{
	struct fixture *f = *state;
	cap_t id;
	struct cap cap;
	for (uint32_t i = 1; i < CAP_TABLE_MAX; i++)
		assert_int_equal(cap_insert(&f->table, object(1), &id), CAP_OK);
	assert_int_equal(cap_insert(&f->table, object(1), &id), CAP_ENOSLOT);
	assert_int_equal(cap_room(&f->table, 1), CAP_ENOSLOT);
	cap_remove(&f->table, CAP_ID(77, 1), &cap);
	assert_int_equal(cap_room(&f->table, 1), CAP_OK);
	assert_int_equal(cap_room(&f->table, 2), CAP_ENOSLOT);
	assert_int_equal(cap_insert(&f->table, object(1), &id), CAP_OK);
	assert_int_equal(id, CAP_ID(77, 2));
}

static void limited_account(void **state)
{
	struct fixture *f = *state;
	cap_t id;
	uint32_t i = 0;
	f->account.limits.pages = f->account.pages + 2;
	while (cap_insert(&f->table, object(1), &id) == CAP_OK)
		i++;
	assert_int_equal(i, 2 * CAP_SLOTS_PER_PAGE - 1); /* index 0 is never used */
	assert_int_equal(cap_insert(&f->table, object(1), &id), CAP_ENOMEM);
	f->account.limits.pages++;
	assert_int_equal(cap_insert(&f->table, object(1), &id), CAP_OK);
}

static void destroyed_table(void **state)
{
	struct fixture *f = *state;
	cap_t id;
	struct cap cap;
	memset(counts, 0, sizeof(counts));
	for (uintptr_t i = 1; i <= 300; i++)
		cap_insert(&f->table, object(i), &id);
	cap_remove(&f->table, CAP_ID(9, 1), &cap);
	destroy(&f->table);
	for (uintptr_t i = 1; i <= 300; i++)
		assert_int_equal(counts[i], i == 9 ? 0 : 1);
	assert_int_equal(cap_lookup(&f->table, CAP_ID(1, 1), &cap), CAP_EBADCAP);
	assert_int_equal(cap_room(&f->table, 1), CAP_ENOSLOT);
}

/* Against a model: what was inserted and not removed is there, and nothing else. */
static void random_use(void **state)
{
	struct fixture *f = *state;
	static struct {
		cap_t id;
		uintptr_t object;
	} model[2000];
	unsigned count = 0;
	srand(1);
	for (unsigned step = 0; step < 200000; step++) {
		struct cap cap;
		if (count < 2000 && rand() % 2) {
			uintptr_t number = (uintptr_t)rand() % 1000 + 1;
			assert_int_equal(cap_insert(&f->table, object(number), &model[count].id),
			                 CAP_OK);
			model[count++].object = number;
		} else if (count > 0) {
			unsigned i = (unsigned)rand() % count;
			assert_int_equal(cap_remove(&f->table, model[i].id, &cap), CAP_OK);
			assert_ptr_equal(cap.object, (void *)model[i].object);
			assert_int_equal(cap_lookup(&f->table, model[i].id, &cap), CAP_EBADCAP);
			model[i] = model[--count];
		}
		if (count > 0) {
			unsigned i = (unsigned)rand() % count;
			assert_int_equal(cap_lookup(&f->table, model[i].id, &cap), CAP_OK);
			assert_ptr_equal(cap.object, (void *)model[i].object);
		}
		assert_int_equal(f->table.live, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(first_ids, start, finish),
	        cmocka_unit_test_setup_teardown(wrong_ids, start, finish),
	        cmocka_unit_test_setup_teardown(stale_ids, start, finish),
	        cmocka_unit_test_setup_teardown(retired_slot, start, finish),
	        cmocka_unit_test_setup_teardown(full_table, start, finish),
	        cmocka_unit_test_setup_teardown(limited_account, start, finish),
	        cmocka_unit_test_setup_teardown(destroyed_table, start, finish),
	        cmocka_unit_test_setup_teardown(random_use, start, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
