/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: the rules for mappings one by one, then a long random run against a model that
 * knows for every page which bytes it must show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <capos/abi.h>
#include "kernel/kernel.h"
#include "kernel/memory/space.h"
#include "kernel/arch.h"
#include "tests/unit/kernel_fake.h"

/* The kernel's range operations, called again for as long as they ask for it.  So many pieces it
 * took. */
static unsigned pieces;

static int unmap(struct space *s, uint64_t address, uint64_t size)
{
	uint64_t progress[2] = {0, 0};
	int result;
	pieces = 0;
	do {
		pieces++;
		steps_spent = 0;
		result = space_unmap(s, address, size, progress);
	} while (result == WORK_AGAIN);
	return result;
}

static int protect(struct space *s, uint64_t address, uint64_t size, uint32_t access)
{
	uint64_t progress[2] = {0, 0};
	int result;
	pieces = 0;
	do {
		pieces++;
		steps_spent = 0;
		result = space_protect(s, address, size, access, progress);
	} while (result == WORK_AGAIN);
	return result;
}

static int fork_space(struct space *to, struct space *from)
{
	struct space_fork fork = {.to = to, .from = from};
	int result;
	pieces = 0;
	do {
		pieces++;
		steps_spent = 0;
		result = space_fork(&fork);
	} while (result == WORK_AGAIN);
	if (result)
		space_fork_abandon(&fork);
	return result;
}

static void destroy(struct space *s)
{
	pieces = 0;
	do {
		pieces++;
		steps_spent = 0;
	} while (!space_destroy(s));
}

#define R   CAP_RIGHT_READ
#define RW  (CAP_RIGHT_READ | CAP_RIGHT_WRITE)
#define RX  (CAP_RIGHT_READ | CAP_RIGHT_EXEC)
#define RWX (RW | CAP_RIGHT_EXEC)

static struct account payer;
static struct space a, b;

uint64_t arch_clock_ns(void)
{
	static uint64_t now;

	return ++now;
}

static int start(void **state)
{
	(void)state;
	payer = (struct account){.header = {.refs = 1, .kind = KIND_ACCOUNT},
	                         .limits.pages = 100000};
	fake_start(FAKE_ARENA_PAGES);
	assert_true(space_init(&a, &payer));
	assert_true(space_init(&b, &payer));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	destroy(&a);
	destroy(&b);
	fake_check_clean();
	assert_int_equal(payer.pages, 0);
	return 0;
}

/* Maps a new object at address (0: chosen), which the mapping alone holds. */
static uint64_t map_new(struct space *s, uint64_t address, uint64_t pages, uint32_t access)
{
	struct memobj *m = memobj_create(pages * PAGE_SIZE, &payer);
	assert_int_equal(space_map(s, m, 0, pages * PAGE_SIZE, access, false, false, &address),
	                 CAP_OK);
	memobj_put(m);
	return address;
}

static void bad_ranges_are_refused(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(PAGE_SIZE, NULL);
	const struct {
		uint64_t offset, size, address;
		uint32_t access;
		int error;
	} cases[] = {
	        {0, PAGE_SIZE, CAPOS_USER_MAX, R, CAP_EINVAL},
	        {0, PAGE_SIZE, CAPOS_USER_MIN - PAGE_SIZE, R, CAP_EINVAL},
	        {0, 2 * PAGE_SIZE, CAPOS_USER_MAX - PAGE_SIZE, R, CAP_EINVAL},
	        {0, PAGE_SIZE, 0xffff800000000000, R, CAP_EINVAL},
	        {0, PAGE_SIZE, 0x400001, R, CAP_EINVAL},
	        {0, 0, 0x400000, R, CAP_EINVAL},
	        {0, UINT64_MAX, 0x400000, R, CAP_EINVAL},
	        {1, PAGE_SIZE, 0x400000, R, CAP_EINVAL},
	        {UINT64_MAX & ~(PAGE_SIZE - 1), PAGE_SIZE * 2, 0x400000, R, CAP_EINVAL},
	        {0, PAGE_SIZE, 0x400000, RWX, CAP_EINVAL},
	        {0, CAPOS_USER_MAX, 0, R, CAP_ENOMEM},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t address = cases[i].address;
		assert_int_equal(space_map(&a, m, cases[i].offset, cases[i].size, cases[i].access,
		                           false, false, &address),
		                 cases[i].error);
	}
	assert_int_equal(unmap(&a, 0x400000, UINT64_MAX), CAP_EINVAL);
	assert_int_equal(unmap(&a, 0x400000, 0), CAP_EINVAL);
	assert_int_equal(protect(&a, 0x400000, PAGE_SIZE, R), CAP_EFAULT);
	assert_int_equal(m->header.refs, 1);
	memobj_put(m);
}

static void chosen_addresses_are_apart(void **state)
{
	(void)state;
	uint64_t last = CAPOS_STACK_TOP - CAPOS_STACK_SIZE;

	for (unsigned i = 0; i < 20; i++) {
		uint64_t at = map_new(&a, 0, 3, RW);
		assert_true(at + 3 * PAGE_SIZE <= last);
		last = at;
	}
	struct memobj *m = memobj_create(PAGE_SIZE, NULL);
	uint64_t taken = last + PAGE_SIZE;
	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, R, false, false, &taken), CAP_EEXIST);
	memobj_put(m);
	/* A hole is found again. */
	assert_int_equal(unmap(&a, last + 6 * PAGE_SIZE, 3 * PAGE_SIZE), CAP_OK);
	assert_int_equal(map_new(&a, 0, 3, R), last + 6 * PAGE_SIZE);
}

static void rights_are_kept(void **state)
{
	(void)state;
	uint64_t word = 5, at = map_new(&a, 0x400000, 2, R);
	bool no_memory;

	assert_int_equal(space_copy_out(&a, at, &word, 8), CAP_EFAULT);
	assert_int_equal(space_copy_in(&a, &word, at, 8), CAP_OK);
	assert_int_equal(word, 0);
	assert_int_equal(space_resolve(&a, at, CAP_RIGHT_WRITE, &no_memory), PADDR_NONE);
	assert_int_equal(space_resolve(&a, at, CAP_RIGHT_EXEC, &no_memory), PADDR_NONE);
	assert_false(no_memory);
	assert_int_equal(protect(&a, at, PAGE_SIZE, RW), CAP_ERIGHTS);
	assert_int_equal(protect(&a, at, PAGE_SIZE, 0), CAP_OK);
	assert_int_equal(space_copy_in(&a, &word, at, 8), CAP_EFAULT);
	assert_int_equal(protect(&a, at, PAGE_SIZE, R), CAP_OK);
	assert_int_equal(space_copy_in(&a, &word, at, 8), CAP_OK);

	struct memobj *m = memobj_create(PAGE_SIZE, NULL);
	uint64_t own = 0x500000, open = 0x600000;
	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, R, true, false, &own), CAP_OK);
	assert_int_equal(protect(&a, own, PAGE_SIZE, RW), CAP_OK);
	assert_int_equal(protect(&a, own, PAGE_SIZE, RWX), CAP_EINVAL);
	assert_int_equal(protect(&a, own, PAGE_SIZE, RX), CAP_ERIGHTS);
	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, R | SPACE_LIMIT(RW), false, false, &open),
	                 CAP_OK);
	assert_int_equal(protect(&a, open, PAGE_SIZE, RX), CAP_ERIGHTS);
	assert_int_equal(protect(&a, open, PAGE_SIZE, RW), CAP_OK);
	memobj_put(m);
}

static void data_is_not_code(void **state)
{
	(void)state;
	struct memobj *data = memobj_create(2 * PAGE_SIZE, NULL);
	struct memobj *code = memobj_create(2 * PAGE_SIZE, NULL);
	uint64_t at = 0x500000, other = 0x600000;
	bool no_memory;
	memobj_make_code(code);
	assert_false(memobj_resize(code, PAGE_SIZE));
	assert_int_equal(space_map(&a, data, 0, PAGE_SIZE, RX, false, false, &at), CAP_ERIGHTS);
	assert_int_equal(space_map(&a, data, 0, PAGE_SIZE, RX, true, false, &at), CAP_ERIGHTS);
	assert_int_equal(space_map(&a, code, 0, PAGE_SIZE, RW, false, false, &at), CAP_ERIGHTS);
	/* Rights that a capability could not have make no difference. */
	assert_int_equal(space_map(&a, data, 0, PAGE_SIZE, R | SPACE_LIMIT(RWX), false, false, &at),
	                 CAP_OK);
	assert_int_equal(protect(&a, at, PAGE_SIZE, RX), CAP_ERIGHTS);
	assert_int_equal(unmap(&a, at, PAGE_SIZE), CAP_OK);

	/* Of two pages one becomes data, one code; each keeps to it, in a fork as well. */
	assert_int_equal(space_map(&a, code, 0, 2 * PAGE_SIZE, R, true, false, &other), CAP_OK);
	assert_int_equal(protect(&a, other, PAGE_SIZE, RW), CAP_OK);
	assert_int_equal(protect(&a, other + PAGE_SIZE, PAGE_SIZE, RX), CAP_OK);
	assert_int_equal(protect(&a, other, 2 * PAGE_SIZE, R), CAP_OK);
	assert_int_equal(fork_space(&b, &a), CAP_OK);
	for (struct space *s = &a; s; s = s == &a ? &b : NULL) {
		assert_int_equal(protect(s, other, PAGE_SIZE, RX), CAP_ERIGHTS);
		assert_int_equal(protect(s, other + PAGE_SIZE, PAGE_SIZE, RW), CAP_ERIGHTS);
		assert_int_equal(protect(s, other + PAGE_SIZE, PAGE_SIZE, RX), CAP_OK);
		assert_int_equal(protect(s, other, PAGE_SIZE, RW), CAP_OK);
	}
	assert_int_not_equal(space_resolve(&b, other + PAGE_SIZE, CAP_RIGHT_EXEC, &no_memory),
	                     PADDR_NONE);
	memobj_put(data);
	memobj_put(code);
}

static void the_kernels_mappings_stay(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(3 * PAGE_SIZE, NULL);
	uint64_t at = 0x401000;

	map_new(&a, 0x400000, 1, RW);
	map_new(&a, 0x404000, 1, RW);
	assert_int_equal(space_map(&a, m, 0, 3 * PAGE_SIZE, RW, false, true, &at), CAP_OK);
	assert_int_equal(unmap(&a, 0x400000, 5 * PAGE_SIZE), CAP_EINVAL);
	assert_int_equal(unmap(&a, 0x402000, PAGE_SIZE), CAP_EINVAL);
	assert_int_equal(protect(&a, 0x401000, PAGE_SIZE, R), CAP_EINVAL);
	assert_int_equal(a.count, 3);
	space_unmap_kernel(&a, at);
	assert_int_equal(a.count, 2);
	assert_int_equal(m->header.refs, 1);
	memobj_put(m);
}

static void frames_nobody_reaches_are_freed(void **state)
{
	(void)state;
	uint8_t byte = 1;
	uint64_t at = map_new(&a, 0x400000, 8, RW);

	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(space_copy_out(&a, at + i * PAGE_SIZE, &byte, 1), CAP_OK);
	uint64_t charged = payer.pages;
	assert_int_equal(unmap(&a, at + 2 * PAGE_SIZE, 3 * PAGE_SIZE), CAP_OK);
	assert_int_equal(payer.pages, charged - 3);
	assert_int_equal(a.count, 2);
	assert_int_equal(space_copy_in(&a, &byte, at + 2 * PAGE_SIZE, 1), CAP_EFAULT);
	assert_int_equal(space_copy_in(&a, &byte, at + 5 * PAGE_SIZE, 1), CAP_OK);
	assert_int_equal(byte, 1);
	assert_int_equal(unmap(&a, at, 8 * PAGE_SIZE), CAP_OK);
	assert_int_equal(payer.pages, charged - 8);
}

static void shrinking_takes_pages_from_mappings(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(4 * PAGE_SIZE, NULL);
	uint64_t at = 0, other = 0;
	uint8_t byte = 3;
	bool no_memory;

	assert_int_equal(space_map(&a, m, 0, 4 * PAGE_SIZE, RW, false, false, &at), CAP_OK);
	assert_int_equal(space_map(&b, m, 0, 4 * PAGE_SIZE, RW, false, false, &other), CAP_OK);
	assert_int_equal(space_copy_out(&a, at + 3 * PAGE_SIZE, &byte, 1), CAP_OK);
	assert_int_equal(space_copy_in(&b, &byte, other + 3 * PAGE_SIZE, 1), CAP_OK);
	assert_int_equal(byte, 3);
	assert_true(memobj_resize(m, PAGE_SIZE));
	assert_int_equal(space_copy_in(&b, &byte, other + 3 * PAGE_SIZE, 1), CAP_EFAULT);
	assert_int_equal(space_resolve(&a, at + 3 * PAGE_SIZE, R, &no_memory), PADDR_NONE);
	assert_false(no_memory);
	assert_true(memobj_resize(m, 4 * PAGE_SIZE));
	assert_int_equal(space_copy_in(&b, &byte, other + 3 * PAGE_SIZE, 1), CAP_OK);
	assert_int_equal(byte, 0);
	memobj_put(m);
}

static void futex_words_have_one_name(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(4 * PAGE_SIZE, NULL), *object;
	uint64_t at = 0, other = 0, offset;
	uint32_t value = 77, seen;

	assert_int_equal(space_map(&a, m, 0, 4 * PAGE_SIZE, RW, false, false, &at), CAP_OK);
	assert_int_equal(space_map(&b, m, PAGE_SIZE, 2 * PAGE_SIZE, RW, false, false, &other),
	                 CAP_OK);
	assert_int_equal(space_copy_out(&a, at + PAGE_SIZE + 12, &value, 4), CAP_OK);
	assert_int_equal(space_futex_key(&b, other + 12, &object, &offset, &seen), CAP_OK);
	assert_ptr_equal(object, m);
	assert_int_equal(offset, PAGE_SIZE + 12);
	assert_int_equal(seen, 77);
	assert_int_equal(space_futex_key(&b, other + 2, &object, &offset, &seen), CAP_EINVAL);
	assert_int_equal(space_futex_key(&b, other - 4, &object, &offset, &seen), CAP_EFAULT);
	assert_int_equal(space_futex_key(&b, UINT64_MAX - 3, &object, &offset, &seen), CAP_EFAULT);
	memobj_put(m);
}

static void device_memory_is_not_copied(void **state)
{
	(void)state;
	struct memobj *m = memobj_create_device(0xfe000000, PAGE_SIZE);
	uint64_t at = 0, word;
	bool no_memory;

	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, RW, true, false, &at), CAP_EINVAL);
	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, RX, false, false, &at), CAP_EINVAL);
	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, RW, false, false, &at), CAP_OK);
	assert_int_equal(space_copy_in(&a, &word, at, 8), CAP_EFAULT);
	assert_int_equal(space_resolve(&a, at, CAP_RIGHT_WRITE, &no_memory), 0xfe000000);
	assert_int_equal(space_copy_in(&a, &word, at, 8), CAP_EFAULT);
	memobj_put(m);
}

static void wild_addresses_fail(void **state)
{
	(void)state;
	uint8_t bytes[64];
	uint64_t at = map_new(&a, 0x400000, 1, RW);

	assert_int_equal(space_copy_in(&a, bytes, at + PAGE_SIZE - 32, 64), CAP_EFAULT);
	assert_int_equal(space_copy_in(&a, bytes, UINT64_MAX - 10, 64), CAP_EFAULT);
	assert_int_equal(space_copy_in(&a, bytes, 0xffff800000100000, 64), CAP_EFAULT);
	assert_int_equal(space_copy_out(&a, CAPOS_USER_MAX - 32, bytes, 64), CAP_EFAULT);
	assert_int_equal(space_copy_out(&a, 0, bytes, 64), CAP_EFAULT);
	assert_int_equal(space_copy_in(&a, bytes, 0, 0), CAP_OK);
	enum copy_side side;
	assert_int_equal(space_copy_across(&a, at, &b, at, 8, &side), CAP_EFAULT);
	assert_int_equal(side, COPY_SOURCE);
	assert_int_equal(space_copy_across(&b, at, &a, at, 8, &side), CAP_EFAULT);
	assert_int_equal(side, COPY_TARGET);
	/* The limit of the account is reached: what is not mapped is still not mapped. */
	payer.limits.pages = account_used(&payer);
	assert_int_equal(space_copy_across(&a, at, &a, at + PAGE_SIZE - 8, 16, &side), CAP_EFAULT);
	assert_int_equal(side, COPY_SOURCE);
	payer.limits.pages = 100000;
	assert_int_equal(space_prepare(&a, at + 100, PAGE_SIZE - 100), CAP_OK);
	assert_int_equal(space_prepare(&a, at + 100, PAGE_SIZE), CAP_EFAULT);
}

/* ---- The model ---- */

#define BASE    0x10000000ull
#define WINDOW  48u /* pages of each space that the run uses */
#define OBJECTS 6u
#define LENGTH  24u /* pages of an object */
#define STEPS   20000u

struct model {
	int refs;
	uint32_t value[LENGTH];
};
struct slot { /* one page of a space */
	struct model *model;
	unsigned page;
	uint32_t access;
};

static struct memobj *object[OBJECTS];
static struct model *object_model[OBJECTS];
static struct slot slots[2][WINDOW];
static struct space *const spaces[2] = {&a, &b};

static struct model *model_new(const struct model *from, unsigned first)
{
	struct model *m = calloc(1, sizeof(*m));
	m->refs = 1;
	for (unsigned i = 0; from && first + i < LENGTH; i++)
		m->value[i] = from->value[first + i];
	return m;
}

static void model_put(struct model *m)
{
	if (m && --m->refs == 0)
		free(m);
}

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

static uint64_t address_of(unsigned page)
{
	return BASE + page * PAGE_SIZE;
}

static void step_map(unsigned s, unsigned page, unsigned count)
{
	unsigned o = below(OBJECTS), first = below(LENGTH - 1);
	bool private_copy = below(2) != 0, is_free = true;
	uint32_t access = below(3) != 0 ? RW : R;
	uint64_t at = address_of(page);

	if (first + count > LENGTH)
		count = LENGTH - first;
	for (unsigned i = 0; i < count; i++)
		is_free &= !slots[s][page + i].model;
	int error = space_map(spaces[s], object[o], first * PAGE_SIZE, count * PAGE_SIZE, access,
	                      private_copy, false, &at);
	assert_int_equal(error, is_free ? CAP_OK : CAP_EEXIST);
	if (error)
		return;
	struct model *m = private_copy ? model_new(object_model[o], first) : object_model[o];
	for (unsigned i = 0; i < count; i++) {
		slots[s][page + i] = (struct slot){m, private_copy ? i : first + i, access};
		m->refs++;
	}
	if (private_copy)
		model_put(m);
}

static void step_unmap(unsigned s, unsigned page, unsigned count)
{
	assert_int_equal(unmap(spaces[s], address_of(page), count * PAGE_SIZE), CAP_OK);
	for (unsigned i = page; i < page + count; i++) {
		model_put(slots[s][i].model);
		slots[s][i].model = NULL;
	}
}

static void step_protect(unsigned s, unsigned page, unsigned count)
{
	int error = protect(spaces[s], address_of(page), count * PAGE_SIZE, R);
	bool whole = true;

	for (unsigned i = page; i < page + count; i++)
		whole &= slots[s][i].model != NULL;
	assert_int_equal(error, whole ? CAP_OK : CAP_EFAULT);
	for (unsigned i = page; whole && i < page + count; i++)
		slots[s][i].access = R;
}

static void step_store(unsigned s, unsigned page)
{
	uint32_t value = (uint32_t)rand();
	struct slot *slot = &slots[s][page];
	bool ok = slot->model && slot->access == RW;

	assert_int_equal(space_copy_out(spaces[s], address_of(page) + 8, &value, sizeof(value)),
	                 ok ? CAP_OK : CAP_EFAULT);
	if (ok)
		slot->model->value[slot->page] = value;
}

static void step_across(unsigned s, unsigned page, unsigned from)
{
	struct slot *target = &slots[s][page], *source = &slots[!s][from];
	bool ok = source->model && target->model && target->access == RW;

	enum copy_side side;
	assert_int_equal(space_copy_across(spaces[s], address_of(page), spaces[!s],
	                                   address_of(from), PAGE_SIZE, &side),
	                 ok ? CAP_OK : CAP_EFAULT);
	if (ok)
		target->model->value[target->page] = source->model->value[source->page];
}

/* Replaces an object by a slice of another, as fork and files do. */
static void step_slice(unsigned o)
{
	unsigned from = below(OBJECTS), first = below(LENGTH);
	struct memobj *slice =
	        memobj_slice(object[from], first * PAGE_SIZE, LENGTH * PAGE_SIZE, &payer);
	struct model *m = model_new(object_model[from], first);

	assert_non_null(slice);
	memobj_put(object[o]);
	model_put(object_model[o]);
	object[o] = slice;
	object_model[o] = m;
}

static void check(unsigned s, unsigned page)
{
	uint32_t value = 0;
	const struct slot *slot = &slots[s][page];
	int error = space_copy_in(spaces[s], &value, address_of(page) + 8, sizeof(value));

	assert_int_equal(error, slot->model != NULL ? CAP_OK : CAP_EFAULT);
	if (!error)
		assert_int_equal(value, slot->model->value[slot->page]);
}

static void random_run_agrees_with_the_model(void **state)
{
	(void)state;
	srand(1);
	for (unsigned o = 0; o < OBJECTS; o++) {
		object[o] = memobj_create(LENGTH * PAGE_SIZE, &payer);
		object_model[o] = model_new(NULL, 0);
	}
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned s = below(2), page = below(WINDOW - 8), count = 1 + below(8);
		switch (below(12)) {
		case 0:
		case 1:
			step_map(s, page, count);
			break;
		case 2:
			step_unmap(s, page, count);
			break;
		case 3:
			step_protect(s, page, below(4) + 1);
			break;
		case 4:
			step_slice(below(OBJECTS));
			break;
		case 5:
			step_across(s, page, below(WINDOW));
			break;
		default:
			step_store(s, page);
			break;
		}
		check(below(2), below(WINDOW));
		if (step % 100 == 0)
			for (unsigned i = 0; i < 2 * WINDOW; i++)
				check(i % 2, i / 2);
	}
	for (unsigned s = 0; s < 2; s++)
		step_unmap(s, 0, WINDOW);
	for (unsigned o = 0; o < OBJECTS; o++) {
		memobj_put(object[o]);
		model_put(object_model[o]);
	}
	assert_int_equal(fake_table_entries(), 0);
}

static void mappings_of_an_object_are_bounded(void **state)
{
	(void)state;
	const uint64_t whole = 0x40000000;
	struct memobj *m = memobj_create(3 * PAGE_SIZE, &payer);
	uint64_t address = whole;
	assert_int_equal(space_map(&b, m, 0, 3 * PAGE_SIZE, RW, false, false, &address), CAP_OK);
	for (unsigned i = 1; i < OBJECT_MAPPINGS_MAX; i++) {
		address = 0x400000 + i * PAGE_SIZE;
		assert_int_equal(
		        space_map(i % 2 ? &a : &b, m, 0, PAGE_SIZE, R, false, false, &address),
		        CAP_OK);
	}
	address = 0;
	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, R, false, false, &address), CAP_ENOMEM);
	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, RW, true, false, &address), CAP_OK);
	assert_int_equal(unmap(&b, whole + PAGE_SIZE, PAGE_SIZE), CAP_ENOMEM);
	assert_int_equal(protect(&b, whole, PAGE_SIZE, R), CAP_ENOMEM);
	assert_int_equal(m->nmappings, OBJECT_MAPPINGS_MAX);
	destroy(&a);
	assert_int_equal(unmap(&b, whole + PAGE_SIZE, PAGE_SIZE), CAP_OK);
	destroy(&b);
	assert_int_equal(m->nmappings, 0);
	memobj_put(m);
}

static void a_fork_that_an_object_does_not_allow_is_no_lack_of_memory(void **state)
{
	(void)state;
	struct memobj *m = memobj_create(PAGE_SIZE, &payer);
	for (unsigned i = 0; i < OBJECT_MAPPINGS_MAX; i++) {
		uint64_t address = 0;
		assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, R, false, false, &address), CAP_OK);
	}
	assert_int_equal(fork_space(&b, &a), CAP_EAGAIN);
	memobj_put(m);
}

/* Copies from a program's memory grow an object up to its limit; a fault or lack of memory leaves
 * no byte behind the end. */
static void stores_grow_up_to_the_limit(void **state)
{
	(void)state;
	struct memobj *m = memobj_create_sparse(0, NULL, 0, &payer);
	uint64_t at = map_new(&a, 0x400000, 2, RW);
	uint8_t bytes[2 * PAGE_SIZE], back[3 * PAGE_SIZE];
	struct memobj_copy copy = {.space = &a, .address = at, .length = 2 * PAGE_SIZE};

	memset(bytes, 'q', sizeof(bytes));
	assert_int_equal(space_copy_out(&a, at, bytes, sizeof(bytes)), CAP_OK);
	assert_int_equal(memobj_store(m, &copy), CAP_OK);
	assert_int_equal(copy.done, 0);
	m->limit = PAGE_SIZE + 10;
	assert_int_equal(memobj_store(m, &copy), CAP_OK);
	assert_int_equal(copy.done, PAGE_SIZE + 10);
	assert_int_equal(m->size, PAGE_SIZE + 10);
	/* The source ends in the middle of a page of the object. */
	m->limit = 8 * PAGE_SIZE;
	copy = (struct memobj_copy){.space = &a,
	                            .address = at + 2 * PAGE_SIZE - 100,
	                            .offset = 3 * PAGE_SIZE - 50,
	                            .length = 200};
	assert_int_equal(memobj_store(m, &copy), CAP_OK);
	assert_int_equal(copy.done, 50);
	assert_int_equal(m->size, 3 * PAGE_SIZE);
	copy.done = 0;
	copy.address = at + 2 * PAGE_SIZE - 10;
	copy.offset = 5 * PAGE_SIZE;
	assert_int_equal(memobj_store(m, &copy), CAP_EFAULT);
	assert_int_equal(m->size, 3 * PAGE_SIZE);
	assert_true(memobj_resize(m, 6 * PAGE_SIZE));
	assert_int_equal(memobj_peek(m, 5), PADDR_NONE);
	assert_true(memobj_read(m, 0, back, sizeof(back)));
	for (uint64_t i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], i < PAGE_SIZE + 10 || i >= sizeof(back) - 50 ? 'q' : 0);
	/* And back: a load stops at the end, and at what cannot be written. */
	copy = (struct memobj_copy){
	        .space = &a, .address = at, .offset = 6 * PAGE_SIZE - 8, .length = 100};
	assert_int_equal(memobj_load(m, &copy), CAP_OK);
	assert_int_equal(copy.done, 8);
	copy = (struct memobj_copy){.space = &a, .address = 0x100000, .length = 100};
	assert_int_equal(memobj_load(m, &copy), CAP_EFAULT);
	memobj_put(m);
}

/* A page that shows what is not the object's own is mapped read-only, and replaced in every mapping
 * when it is stored to; cut off, it is shown no more. */
static void borrowed_pages_are_replaced(void **state)
{
	(void)state;
	struct memobj *m = memobj_create_sparse(4 * PAGE_SIZE, NULL, 0, &payer);
	uint64_t first = 0x400000, second = 0x600000, word = 7, back = 1;
	bool no_memory;

	assert_int_equal(space_map(&a, m, 0, 4 * PAGE_SIZE, RW, false, false, &first), CAP_OK);
	assert_int_equal(space_map(&b, m, 0, 4 * PAGE_SIZE, R, false, false, &second), CAP_OK);
	paddr_t zeroes = space_resolve(&b, second + PAGE_SIZE, R, &no_memory);
	assert_int_equal(space_resolve(&a, first + PAGE_SIZE, R, &no_memory), zeroes);
	assert_int_equal(arch_table_lookup(a.root, first + PAGE_SIZE, true), PADDR_NONE);
	assert_int_equal(m->present, 0);
	assert_int_equal(space_copy_out(&a, first + PAGE_SIZE, &word, 8), CAP_OK);
	assert_int_equal(space_copy_in(&b, &back, second + PAGE_SIZE, 8), CAP_OK);
	assert_int_equal(back, 7);
	assert_int_equal(space_resolve(&b, second + 3 * PAGE_SIZE, R, &no_memory), zeroes);
	assert_true(memobj_resize(m, PAGE_SIZE));
	assert_int_equal(space_copy_in(&b, &back, second + 3 * PAGE_SIZE, 8), CAP_EFAULT);
	assert_int_equal(arch_table_lookup(b.root, second + 3 * PAGE_SIZE, false), PADDR_NONE);
	memobj_put(m);
}

/* A private mapping has the pages that its object had when it was made, in a child too. */
static void private_mappings_end_with_their_object(void **state)
{
	(void)state;
	struct memobj *m = memobj_create_sparse(PAGE_SIZE + 1, NULL, 0, &payer);
	uint64_t at = 0x400000, behind = 0x800000, word = 7;
	bool no_memory;

	assert_int_equal(space_map(&a, m, 0, 4 * PAGE_SIZE, RW, true, false, &at), CAP_OK);
	assert_int_equal(space_map(&a, m, 2 * PAGE_SIZE, PAGE_SIZE, RW, true, false, &behind),
	                 CAP_OK);
	assert_int_equal(space_copy_out(&a, at + PAGE_SIZE, &word, 8), CAP_OK);
	assert_int_equal(fork_space(&b, &a), CAP_OK);
	assert_true(memobj_resize(m, 4 * PAGE_SIZE));
	for (struct space *s = &a; s; s = s == &a ? &b : NULL) {
		assert_int_equal(s->mapped, 5 * PAGE_SIZE);
		assert_int_equal(space_copy_out(s, at + PAGE_SIZE, &word, 8), CAP_OK);
		assert_int_equal(space_copy_out(s, at + 2 * PAGE_SIZE, &word, 8), CAP_EFAULT);
		assert_int_equal(space_resolve(s, at + 3 * PAGE_SIZE, R, &no_memory), PADDR_NONE);
		assert_false(no_memory);
		assert_int_equal(space_fault_cause(s, at + 3 * PAGE_SIZE, R), CAPOS_FAULT_BEYOND);
		assert_int_equal(space_fault_cause(s, behind, R), CAPOS_FAULT_BEYOND);
	}
	memobj_put(m);
}

/* The first store to each page of a file's shared mapping, and after it was protected anew. */
static void stores_to_files_are_noted(void **state)
{
	(void)state;
	struct memobj *m = memobj_create_sparse(2 * PAGE_SIZE, NULL, 0, &payer);
	uint64_t at = 0x400000, reader = 0x800000, own = 0xc00000, word = 7;
	bool no_memory;

	assert_int_equal(space_map(&a, m, 0, 2 * PAGE_SIZE, RW, false, false, &at), CAP_OK);
	assert_int_equal(space_map(&a, m, 0, 2 * PAGE_SIZE, R, false, false, &reader), CAP_OK);
	assert_int_equal(space_map(&a, m, 0, 2 * PAGE_SIZE, RW, true, false, &own), CAP_OK);
	assert_int_equal(m->nstoring, 1);
	assert_int_equal(space_copy_out(&a, own, &word, 8), CAP_OK);
	assert_true(space_resolve(&a, at, R, &no_memory) != PADDR_NONE);
	assert_int_equal(m->changed_ns, 0);
	for (int round = 0; round < 2; round++) {
		/* Reading a page that is the object's own does not make it writable. */
		assert_true(space_resolve(&a, at + PAGE_SIZE, R, &no_memory) != PADDR_NONE);
		assert_int_equal(arch_table_lookup(a.root, at + PAGE_SIZE, true), PADDR_NONE);
		m->changed_ns = 0;
		assert_true(space_resolve(&a, at + PAGE_SIZE, CAP_RIGHT_WRITE, &no_memory) !=
		            PADDR_NONE);
		assert_true(m->changed_ns > 0);
		assert_true(arch_table_lookup(a.root, at + PAGE_SIZE, true) != PADDR_NONE);
		assert_int_equal(protect(&a, at, 2 * PAGE_SIZE, RW), CAP_OK);
	}
	assert_int_equal(fork_space(&b, &a), CAP_OK);
	assert_int_equal(m->nstoring, 2);
	assert_int_equal(unmap(&a, at, PAGE_SIZE), CAP_OK);
	assert_int_equal(m->nstoring, 2);
	assert_int_equal(unmap(&a, at + PAGE_SIZE, PAGE_SIZE), CAP_OK);
	assert_int_equal(m->nstoring, 1);
	memobj_put(m);
}

/* Forgetting what was stored to private memory gives its pages back; not where it was a file's. */
static void private_memory_is_discarded(void **state)
{
	(void)state;
	uint64_t at = 0x400000, word = 7, back = 1, progress[2] = {0, 0};
	struct memobj *zeroed = memobj_create(4 * PAGE_SIZE, &payer);

	assert_int_equal(space_map(&a, zeroed, 0, 4 * PAGE_SIZE, RW, true, false, &at), CAP_OK);
	uint64_t before = payer.pages;
	assert_int_equal(space_copy_out(&a, at + PAGE_SIZE, &word, 8), CAP_OK);
	assert_int_equal(space_copy_out(&a, at + 3 * PAGE_SIZE, &word, 8), CAP_OK);
	assert_int_equal(space_discard(&a, at, 2 * PAGE_SIZE, progress), CAP_OK);
	assert_int_equal(space_copy_in(&a, &back, at + PAGE_SIZE, 8), CAP_OK);
	assert_int_equal(back, 0);
	assert_int_equal(space_copy_in(&a, &back, at + 3 * PAGE_SIZE, 8), CAP_OK);
	assert_int_equal(back, 7);
	assert_true(payer.pages >= before);
	progress[0] = 0;
	assert_int_equal(space_discard(&a, at, 5 * PAGE_SIZE, progress), CAP_EFAULT);
	assert_true(fake_write(zeroed, 0, &word, 8));
	at = 0x800000;
	assert_int_equal(space_map(&a, zeroed, 0, PAGE_SIZE, RW, true, false, &at), CAP_OK);
	progress[0] = 0;
	assert_int_equal(space_discard(&a, at, PAGE_SIZE, progress), CAP_ETYPE);
	memobj_put(zeroed);
}

static int remap(struct space *s, uint64_t from, uint64_t size, uint64_t new_size,
                 uint64_t *address)
{
	const struct remap r = {.from = from, .size = size, .new_size = new_size};
	uint64_t progress[2] = {0, 0};
	int result;
	pieces = 0;
	do {
		uint64_t to = *address;
		pieces++;
		steps_spent = 0;
		result = space_remap(s, &r, &to, progress);
		if (!result)
			*address = to;
	} while (result == WORK_AGAIN);
	return result;
}

/* What moves is shown at its new place and nowhere else, in pieces; a move that is refused leaves
 * access as it was. */
static void mappings_move(void **state)
{
	(void)state;
	const uint64_t size = 4096 * PAGE_SIZE;
	uint64_t at = 0x400000, to = 0x40000000, blocked = 0x80000000, word, back;
	struct memobj *m = memobj_create(size, &payer);

	assert_int_equal(space_map(&a, m, 0, size, RW, true, false, &at), CAP_OK);
	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, R, false, false, &blocked), CAP_OK);
	for (word = 0; word < 4096; word += 64)
		assert_int_equal(space_copy_out(&a, at + word * PAGE_SIZE, &word, 8), CAP_OK);
	uint64_t above = blocked - PAGE_SIZE;
	assert_int_equal(remap(&a, at, size, size, &above), CAP_EEXIST);
	assert_int_equal(space_copy_out(&a, at, &(uint64_t){0}, 8), CAP_OK);
	assert_int_equal(remap(&a, at, size, size, &to), CAP_OK);
	assert_true(pieces > 1);
	for (word = 0; word < 4096; word += 64) {
		assert_int_equal(arch_table_lookup(a.root, at + word * PAGE_SIZE, false),
		                 PADDR_NONE);
		assert_int_equal(space_copy_in(&a, &back, at + word * PAGE_SIZE, 8), CAP_EFAULT);
		assert_int_equal(space_copy_in(&a, &back, to + word * PAGE_SIZE, 8), CAP_OK);
		assert_int_equal(back, word);
	}
	memobj_put(m);
}

/* Private memory grows by its own object, so that growing again makes no more mappings; in the
 * middle of it there is no room. */
static void mappings_grow(void **state)
{
	(void)state;
	uint64_t at = 0x400000, word = 7, back = 1, mapped;
	struct memobj *m = memobj_create(PAGE_SIZE, &payer);

	assert_int_equal(space_map(&a, m, 0, PAGE_SIZE, RW, true, false, &at), CAP_OK);
	assert_int_equal(space_copy_out(&a, at, &word, 8), CAP_OK);
	const uint32_t count = a.count;
	for (uint64_t pages = 1; pages < 50; pages++)
		assert_int_equal(remap(&a, at, pages * PAGE_SIZE, (pages + 1) * PAGE_SIZE, &at),
		                 CAP_OK);
	assert_int_equal(a.count, count);
	mapped = a.mapped;
	assert_int_equal(space_copy_out(&a, at + 49 * PAGE_SIZE, &word, 8), CAP_OK);
	assert_int_equal(space_copy_in(&a, &back, at + 30 * PAGE_SIZE, 8), CAP_OK);
	assert_int_equal(back, 0);
	assert_int_equal(remap(&a, at, PAGE_SIZE, 2 * PAGE_SIZE, &at), CAP_EEXIST);
	uint64_t to = 0x40000000;
	assert_int_equal(remap(&a, at, PAGE_SIZE, 2 * PAGE_SIZE, &to), CAP_OK);
	assert_int_equal(a.mapped, mapped + PAGE_SIZE);
	assert_int_equal(space_copy_in(&a, &back, to, 8), CAP_OK);
	assert_int_equal(back, 7);
	assert_int_equal(remap(&a, at, PAGE_SIZE, PAGE_SIZE, &at), CAP_EFAULT);
	at += PAGE_SIZE;
	assert_int_equal(protect(&a, at, PAGE_SIZE, R), CAP_OK);
	to = 0;
	assert_int_equal(remap(&a, at, 2 * PAGE_SIZE, 3 * PAGE_SIZE, &to), CAP_EFAULT);
	memobj_put(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(bad_ranges_are_refused, start, stop),
	        cmocka_unit_test_setup_teardown(chosen_addresses_are_apart, start, stop),
	        cmocka_unit_test_setup_teardown(mappings_move, start, stop),
	        cmocka_unit_test_setup_teardown(mappings_grow, start, stop),
	        cmocka_unit_test_setup_teardown(rights_are_kept, start, stop),
	        cmocka_unit_test_setup_teardown(data_is_not_code, start, stop),
	        cmocka_unit_test_setup_teardown(the_kernels_mappings_stay, start, stop),
	        cmocka_unit_test_setup_teardown(frames_nobody_reaches_are_freed, start, stop),
	        cmocka_unit_test_setup_teardown(shrinking_takes_pages_from_mappings, start, stop),
	        cmocka_unit_test_setup_teardown(futex_words_have_one_name, start, stop),
	        cmocka_unit_test_setup_teardown(device_memory_is_not_copied, start, stop),
	        cmocka_unit_test_setup_teardown(mappings_of_an_object_are_bounded, start, stop),
	        cmocka_unit_test_setup_teardown(
	                a_fork_that_an_object_does_not_allow_is_no_lack_of_memory, start, stop),
	        cmocka_unit_test_setup_teardown(wild_addresses_fail, start, stop),
	        cmocka_unit_test_setup_teardown(random_run_agrees_with_the_model, start, stop),
	        cmocka_unit_test_setup_teardown(stores_grow_up_to_the_limit, start, stop),
	        cmocka_unit_test_setup_teardown(borrowed_pages_are_replaced, start, stop),
	        cmocka_unit_test_setup_teardown(private_mappings_end_with_their_object, start,
	                                        stop),
	        cmocka_unit_test_setup_teardown(stores_to_files_are_noted, start, stop),
	        cmocka_unit_test_setup_teardown(private_memory_is_discarded, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
