/* SPDX-License-Identifier: MIT */
/*
 * The image loader: a sound image is mapped as it says, a damaged one is refused or maps nothing it
 * must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/kernel.h"
#include "kernel/memory/memobj.h"
#include "tests/unit/core_fake.h"

#define IMAGE_SIZE 12288u

struct image {
	struct elf_header header;
	struct elf_segment segments[3];
};

static union {
	struct image head;
	uint8_t bytes[IMAGE_SIZE];
} file;

static void build(void)
{
	memset(file.bytes, 0xee, sizeof(file.bytes));
	file.head = (struct image){.header = FAKE_ELF_HEADER(0x401010, 3),
	                           .segments = {{1, 4, 0, 0x400000, 0, 400, 400, 4096},
	                                        {1, 5, 4096, 0x401000, 0, 4096, 4096, 4096},
	                                        {1, 6, 8192 + 16, 0x402010, 0, 100, 10000, 4096}}};
}

/* Spawns the file: the result, and what stands at address then. */
static int spawn(uint64_t bias, uint64_t address, uint8_t *byte)
{
	static const uint64_t block[2];
	struct process *p = NULL;
	the_cpu.locked = true;
	struct memobj *image = memobj_create(IMAGE_SIZE, NULL);
	fake_write(image, 0, file.bytes, IMAGE_SIZE);
	memobj_make_code(image);
	struct account *account = account_create(&(struct account_limits){.pages = 0}, false);
	assert_non_null(account);
	const struct spawn s = {.name = "elf",
	                        .name_length = 3,
	                        .image = image,
	                        .account = account,
	                        .load_bias = bias,
	                        .start_block = block,
	                        .start_length = sizeof(block)};
	struct job *job = NULL;
	int result;
	while ((result = process_spawn(&job, &s, &p)) == WORK_AGAIN)
		steps_renew();
	if (job)
		job->abandon(job);
	if (!result) {
		if (byte && space_copy_in(&p->space, byte, address, 1) != CAP_OK)
			result = CAP_EFAULT;
		process_end(p, 0, NULL);
		process_put(p);
		fake_drain();
	}
	memobj_put(image);
	account_put(account);
	the_cpu.locked = false;
	return result;
}

static int start(void **state)
{
	(void)state;
	build();
	fake_start(FAKE_ARENA_PAGES);
	return 0;
}

static void sound(void **state)
{
	uint8_t byte;
	(void)state;
	assert_int_equal(spawn(0, 0x401010, &byte), CAP_OK);
	assert_int_equal(byte, 0xee);
	assert_int_equal(spawn(0, 0x402010 + 99, &byte), CAP_OK);
	assert_int_equal(byte, 0xee);
	assert_int_equal(spawn(0, 0x402010 + 100, &byte), CAP_OK);
	assert_int_equal(byte, 0);
	assert_int_equal(spawn(0, 0x402010 + 9999, &byte), CAP_OK);
	assert_int_equal(byte, 0);
	assert_int_equal(spawn(0, 0x405000, &byte), CAP_EFAULT);
	assert_int_equal(spawn(4096, 0, NULL), CAP_ENOEXEC); /* not to be moved */
	file.head.header.type = 3;
	assert_int_equal(spawn(0x1000000, 0x1401010, &byte), CAP_OK);
	assert_int_equal(spawn(0x1000001, 0, NULL), CAP_ENOEXEC);
	assert_int_equal(spawn(CAPOS_USER_MAX - 0x1000, 0, NULL), CAP_ENOEXEC);
}

static void refused(void **state)
{
	(void)state;
	struct elf_segment *s = file.head.segments;
	const struct {
		uint64_t *field, value;
	} cases[] = {
	        {&s[0].offset, IMAGE_SIZE + 4096},
	        {&s[0].offset, UINT64_MAX - 4095},
	        {&s[0].offset, 1},
	        {&s[0].filesz, 401},
	        {&s[0].filesz, IMAGE_SIZE + 1},
	        {&s[0].memsz, UINT64_MAX},
	        {&s[0].memsz, 0x1001},
	        {&s[0].vaddr, UINT64_MAX - 4095},
	        {&s[0].vaddr, CAPOS_USER_MAX},
	        {&s[0].vaddr, 0xffff800000000000ull},
	        {&s[0].vaddr, 0},
	        {&s[0].vaddr, 0x401000},
	        {&s[0].vaddr, CAPOS_STACK_TOP - 4096},
	        {&s[0].vaddr, CAPOS_CLOCK_ADDR},
	        {&s[2].memsz, 1ull << 47},
	        {&file.head.header.entry, 0x400000},
	        {&file.head.header.entry, 0x402010},
	        {&file.head.header.entry, 0},
	        {&file.head.header.phoff, IMAGE_SIZE - 100},
	        {&file.head.header.phoff, UINT64_MAX - 55},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build();
		*cases[i].field = cases[i].value;
		assert_int_equal(spawn(0, 0, NULL), CAP_ENOEXEC);
	}
	build();
	s[1].flags = 7;
	assert_int_equal(spawn(0, 0, NULL), CAP_ENOEXEC);
	build();
	s[0].type = 3;
	assert_int_equal(spawn(0, 0, NULL), CAP_ENOEXEC);
}

static void damaged(void **state)
{
	(void)state;
	unsigned started = 0;
	srand(5);
	for (unsigned i = 0; i < 3000; i++) {
		build();
		for (int n = rand() % 4; n >= 0; n--)
			file.bytes[(size_t)rand() % sizeof(struct image)] = (uint8_t)rand();
		int result = spawn(rand() % 4 == 0 ? (uint64_t)rand() << 12 : 0, 0, NULL);
		assert_true(result == CAP_OK || result == CAP_ENOEXEC || result == CAP_ENOMEM);
		started += !result;
	}
	assert_true(started > 100 && started < 2900);
}

int main(void)
{
	fake_start(FAKE_ARENA_PAGES);
	core_start();
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(sound, start, core_teardown),
	        cmocka_unit_test_setup_teardown(refused, start, core_teardown),
	        cmocka_unit_test_setup_teardown(damaged, start, core_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
