/* SPDX-License-Identifier: MIT */
/*
 * The start block: what is built is what a new process reads, everything is inside the block, and
 * a buffer or an image that is too small or wrong is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <elf.h>
#include <cmocka.h>
#include <capos/layout.h>
#include <capos/start.h>

static const char *const args[] = {"wget", "-O-", "http://10.0.2.2/", NULL};
static const char *const env[] = {"PATH=/bin", "HOME=/", NULL};
static const char *const none[] = {NULL};
static const struct start_cap caps[] = {
        {.name = "log", .interface = 0x1234, .id = CAP_GIVEN(0)},
        {.name = "files", .interface = 0x5678, .id = CAP_GIVEN(1)},
        {.name = "signals", .interface = 0, .id = CAP_GIVEN(2)},
};

static struct start_params sample(void)
{
	return (struct start_params){
	        .process_name = "wget",
	        .executed = "/bin/wget",
	        .args = args,
	        .env = env,
	        .caps = caps,
	        .ncaps = 3,
	        .image = {.phdr = 0x400040, .phnum = 5, .phent = 56, .entry = 0x401000},
	        .random = "0123456789abcde",
	};
}

/* A block as the process would see it: addresses become places in the buffer. */
struct view {
	uint8_t *buffer;
	uint32_t length;
};

static void *at(const struct view *v, uint64_t address, uint64_t size)
{
	uint64_t start = CAPOS_STACK_TOP - v->length;

	assert_true(address >= start && address + size <= CAPOS_STACK_TOP);
	return v->buffer + (address - start);
}

static const char *text_at(const struct view *v, uint64_t address)
{
	const char *text = at(v, address, 1);

	assert_non_null(memchr(text, 0, CAPOS_STACK_TOP - address));
	return text;
}

static uint64_t *aux_of(const struct view *v)
{
	uint64_t *p = (uint64_t *)v->buffer;

	p += 1 + p[0] + 1;
	while (*p++)
		;
	return p;
}

static uint64_t *aux(const struct view *v, uint64_t type)
{
	uint64_t *p = aux_of(v);

	for (; p[0]; p += 2)
		if (p[0] == type)
			return &p[1];
	fail_msg("no entry %lu", type);
	return NULL;
}

static void test_a_block_is_laid_out_as_on_linux(void **state)
{
	static _Alignas(16) uint8_t buffer[4096];
	struct start_params params = sample();
	struct view v = {.buffer = buffer};
	uint64_t *p = (uint64_t *)buffer;

	(void)state;
	assert_int_equal(start_block_build(&params, buffer, sizeof(buffer), &v.length), CAP_OK);
	assert_int_equal(v.length % 16, 0);
	assert_int_equal(p[0], 3);
	for (int i = 0; i < 3; i++)
		assert_string_equal(text_at(&v, p[1 + i]), args[i]);
	assert_int_equal(p[4], 0);
	assert_string_equal(text_at(&v, p[5]), "PATH=/bin");
	assert_string_equal(text_at(&v, p[6]), "HOME=/");
	assert_int_equal(p[7], 0);
	assert_int_equal(*aux(&v, AT_PHDR), 0x400040);
	assert_int_equal(*aux(&v, AT_PHNUM), 5);
	assert_int_equal(*aux(&v, AT_PHENT), 56);
	assert_int_equal(*aux(&v, AT_ENTRY), 0x401000);
	assert_int_equal(*aux(&v, AT_BASE), 0);
	assert_int_equal(*aux(&v, AT_PAGESZ), 4096);
	assert_int_equal(*aux(&v, AT_UID), *aux(&v, AT_EUID));
	assert_int_equal(*aux(&v, AT_GID), *aux(&v, AT_EGID));
	assert_int_equal(*aux(&v, AT_SECURE), 0);
	assert_memory_equal(at(&v, *aux(&v, AT_RANDOM), 16), params.random, 16);
	assert_string_equal(text_at(&v, *aux(&v, AT_EXECFN)), "/bin/wget");
	assert_int_equal(*aux(&v, AT_CAPOS_START) % 8, 0);
}

static void test_the_process_finds_its_capabilities(void **state)
{
	static _Alignas(16) uint8_t buffer[4096];
	struct start_params params = sample();
	struct view v = {.buffer = buffer};
	struct start_cap cap;
	uint64_t *start;

	(void)state;
	assert_int_equal(start_block_build(&params, buffer, sizeof(buffer), &v.length), CAP_OK);
	start = aux(&v, AT_CAPOS_START);
	*start = (uintptr_t)at(&v, *start, *aux(&v, AT_CAPOS_START_LENGTH));
	start_init((const uint64_t *)buffer);
	assert_int_equal(start_cap("log"), CAP_GIVEN(0));
	assert_int_equal(start_cap("signals"), CAP_GIVEN(2));
	assert_int_equal(start_cap("network"), CAP_NULL);
	assert_int_equal(start_cap(""), CAP_NULL);
	assert_true(start_cap_at(1, &cap));
	assert_string_equal(cap.name, "files");
	assert_int_equal(cap.interface, 0x5678);
	assert_false(start_cap_at(3, &cap));
}

static void test_a_block_without_arguments_is_a_block(void **state)
{
	static _Alignas(16) uint8_t buffer[4096];
	struct start_params params = {.process_name = "", .args = none, .env = none};
	struct view v = {.buffer = buffer};

	(void)state;
	assert_int_equal(start_block_build(&params, buffer, sizeof(buffer), &v.length), CAP_OK);
	assert_int_equal(((uint64_t *)buffer)[0], 0);
	assert_string_equal(text_at(&v, *aux(&v, AT_EXECFN)), "");
}

static void test_a_buffer_that_is_too_small_is_refused(void **state)
{
	static _Alignas(16) uint8_t whole[4096];
	struct start_params params = sample();
	uint32_t length, size;

	(void)state;
	assert_int_equal(start_block_build(&params, whole, sizeof(whole), &length), CAP_OK);
	for (size = 0; size < length; size++) {
		uint32_t got;
		void *exact = aligned_alloc(16, (size + 16) & ~15u);

		assert_int_equal(start_block_build(&params, exact, size, &got), CAP_ETOOBIG);
		free(exact);
	}
	void *exact = aligned_alloc(16, length);
	assert_int_equal(start_block_build(&params, exact, length, &size), CAP_OK);
	assert_memory_equal(exact, whole, length);
	free(exact);
}

/* ---- Images ---- */

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
};

static struct image image(void)
{
	return (struct image){
	        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	                   .e_type = ET_EXEC,
	                   .e_machine = EM_X86_64,
	                   .e_entry = 0x401000,
	                   .e_phoff = sizeof(Elf64_Ehdr),
	                   .e_phentsize = sizeof(Elf64_Phdr),
	                   .e_phnum = 2},
	        .segments = {{.p_type = PT_NOTE},
	                     {.p_type = PT_LOAD,
	                      .p_vaddr = 0x400000,
	                      .p_filesz = 4096,
	                      .p_memsz = 4096}},
	};
}

static void test_facts_of_an_image(void **state)
{
	struct image i = image();
	struct start_image facts;

	(void)state;
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_OK);
	assert_int_equal(facts.phdr, 0x400000 + sizeof(Elf64_Ehdr));
	assert_int_equal(facts.phnum, 2);
	assert_int_equal(facts.phent, 56);
	assert_int_equal(facts.entry, 0x401000);
	assert_int_equal(start_image_facts(&i, sizeof(i), 0x555555554000, &facts), CAP_OK);
	assert_true(facts.entry == 0x555555554000 + 0x401000);
	i.segments[0] = (Elf64_Phdr){.p_type = PT_PHDR, .p_vaddr = 0x700040};
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_OK);
	assert_int_equal(facts.phdr, 0x700040);
	i.segments[0].p_type = i.segments[1].p_type = PT_NULL;
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_OK);
	assert_int_equal(facts.phnum, 0); /* not loaded: not passed on */
}

static void test_places_are_in_their_ranges(void **state)
{
	struct image i = image();
	struct start_place place;
	const uint64_t none[2] = {0, 0}, all[2] = {UINT64_MAX, UINT64_MAX};

	(void)state;
	i.header.e_type = ET_EXEC;
	start_choose_place(&i, sizeof(i), all, &place);
	assert_true(place.load_bias == 0);
	i.header.e_type = ET_DYN;
	start_choose_place(&i, sizeof(i), none, &place);
	assert_true(place.load_bias == CAPOS_IMAGE_FIRST && place.stack_top == CAPOS_STACK_FIRST);
	start_choose_place(&i, sizeof(i), all, &place);
	assert_true(place.load_bias % CAPOS_PAGE_SIZE == 0 &&
	            place.stack_top % CAPOS_PAGE_SIZE == 0);
	assert_true(place.load_bias == CAPOS_IMAGE_FIRST + CAPOS_LAYOUT_SPAN - CAPOS_PAGE_SIZE);
	assert_true(place.stack_top == CAPOS_STACK_FIRST + CAPOS_LAYOUT_SPAN - CAPOS_PAGE_SIZE);
	start_choose_place(&i, 20, all, &place); /* no header: not loaded anyway */
	assert_true(place.load_bias == 0);
}

static void test_what_is_no_image_is_refused(void **state)
{
	struct image good = image(), i;
	struct start_image facts;

	(void)state;
	for (size_t size = 0; size < sizeof(good); size++) {
		void *exact = malloc(size ? size : 1);

		memcpy(exact, &good, size);
		assert_int_equal(start_image_facts(exact, size, 0, &facts), CAP_ENOEXEC);
		free(exact);
	}
	i = good, i.header.e_machine = EM_AARCH64;
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_ENOEXEC);
	i = good, i.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_ENOEXEC);
	i = good, i.header.e_phnum = 0;
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_ENOEXEC);
	i = good, i.header.e_phnum = 65535;
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_ENOEXEC);
	i = good, i.header.e_phoff = UINT64_MAX - 8;
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_ENOEXEC);
	i = good, i.header.e_phentsize = 8;
	assert_int_equal(start_image_facts(&i, sizeof(i), 0, &facts), CAP_ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_block_is_laid_out_as_on_linux),
	        cmocka_unit_test(test_the_process_finds_its_capabilities),
	        cmocka_unit_test(test_a_block_without_arguments_is_a_block),
	        cmocka_unit_test(test_a_buffer_that_is_too_small_is_refused),
	        cmocka_unit_test(test_facts_of_an_image),
	        cmocka_unit_test(test_places_are_in_their_ranges),
	        cmocka_unit_test(test_what_is_no_image_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
