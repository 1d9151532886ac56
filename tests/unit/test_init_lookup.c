/* SPDX-License-Identifier: MIT */
/*
 * Finding a program in the boot archive: by path, by PATH, through links that may loop, through
 * scripts and dynamic linkers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <elf.h>
#include <cmocka.h>
#include "services/init/lookup.h"

#define PATH "/bin:/usr/bin:/sbin:/usr/sbin"

static _Alignas(8) uint8_t boot[48 * CAPOS_PAGE_SIZE];
static struct archive archive;
static uint64_t next_offset;

static struct capos_archive_entry *add(const char *name, uint32_t type, uint32_t mode,
                                       const void *data, uint64_t size)
{
	struct capos_archive_header *h = (void *)boot;
	struct capos_archive_entry *e =
	        (struct capos_archive_entry *)(boot + sizeof(*h)) + h->count++;

	*e = (struct capos_archive_entry){.offset = next_offset,
	                                  .size = size,
	                                  .mode = mode,
	                                  .type = type,
	                                  .crc = archive_crc32(0, data, size)};
	strcpy(e->name, name);
	memcpy(boot + next_offset, data, size);
	next_offset += CAPOS_PAGE_SIZE;
	assert_true(next_offset <= sizeof(boot));
	return e;
}

static void add_file(const char *name, const char *text)
{
	add(name, CAPOS_ARCHIVE_FILE, 0755, text, strlen(text));
}

static void add_link(const char *name, const char *target)
{
	add(name, CAPOS_ARCHIVE_SYMLINK, 0777, target, strlen(target));
}

static void finish(void)
{
	struct capos_archive_header *h = (void *)boot;

	h->magic = CAPOS_ARCHIVE_MAGIC;
	h->version = CAPOS_ARCHIVE_VERSION;
	h->total_size = sizeof(boot);
	h->checksum =
	        archive_crc32(0, boot + sizeof(*h), h->count * sizeof(struct capos_archive_entry));
	assert_int_equal(archive_open(&archive, boot, sizeof(boot), NULL), CAP_OK);
}

static int setup(void **state)
{
	(void)state;
	memset(boot, 0, sizeof(boot));
	next_offset = 4 * CAPOS_PAGE_SIZE;
	return 0;
}

static struct program found;

static const char *image(void)
{
	return (const char *)found.image.data;
}

static void test_by_name_and_by_path(void **state)
{
	(void)state;
	add_file("bin/busybox", "BB");
	add_link("bin/wget", "/bin/busybox");
	add_link("usr/bin/ping", "../../bin/busybox");
	add_link("sbin", "usr/sbin");
	add_file("usr/sbin/httpd", "H");
	finish();
	assert_int_equal(lookup_program(&archive, "wget", PATH, &found), CAP_OK);
	assert_memory_equal(image(), "BB", 2);
	assert_string_equal(found.path, "/bin/busybox");
	assert_string_equal(found.executed, "/bin/wget");
	assert_null(found.prefix[0]);
	assert_int_equal(found.skip, 0);
	assert_int_equal(lookup_program(&archive, "ping", PATH, &found), CAP_OK);
	assert_int_equal(lookup_program(&archive, "httpd", "/none:/sbin", &found), CAP_OK);
	assert_string_equal(found.path, "/usr/sbin/httpd");
	assert_string_equal(found.executed, "/sbin/httpd");
	assert_int_equal(lookup_program(&archive, "/bin/../usr/./bin//ping", PATH, &found), CAP_OK);
	assert_string_equal(found.executed, "/bin/../usr/./bin//ping");
	assert_int_equal(lookup_program(&archive, "../../bin/wget", PATH, &found), CAP_OK);
	assert_string_equal(found.executed, "/bin/busybox");
	assert_int_equal(lookup_program(&archive, "ping", "/bin", &found), CAP_ENOENT);
	assert_int_equal(lookup_program(&archive, "nothing", PATH, &found), CAP_ENOENT);
	assert_int_equal(lookup_program(&archive, "/bin/busybox/x", PATH, &found), CAP_ENOENT);
	assert_int_equal(lookup_program(&archive, "/bin/busybox/..", PATH, &found), CAP_ENOENT);
	assert_int_equal(lookup_program(&archive, "/bin/busybox/", PATH, &found), CAP_ENOENT);
	assert_int_equal(lookup_program(&archive, "", "", &found), CAP_ERIGHTS);
}

static void test_what_cannot_be_executed_is_told_apart(void **state)
{
	(void)state;
	add("bin/data", CAPOS_ARCHIVE_FILE, 0644, "x", 1);
	add("usr/bin/data", CAPOS_ARCHIVE_FILE, 0644, "x", 1);
	add("usr/sbin/tool", CAPOS_ARCHIVE_FILE, 0644, "x", 1);
	add_file("sbin/data", "run me");
	finish();
	assert_int_equal(lookup_program(&archive, "data", PATH, &found), CAP_OK);
	assert_string_equal(found.path, "/sbin/data");
	assert_int_equal(lookup_program(&archive, "data", "/bin", &found), CAP_ERIGHTS);
	assert_int_equal(lookup_program(&archive, "tool", PATH, &found), CAP_ERIGHTS);
	assert_int_equal(lookup_program(&archive, "/bin", PATH, &found), CAP_ERIGHTS);
}

static void test_links_that_loop_end(void **state)
{
	char name[16], target[16];

	(void)state;
	add_link("bin/a", "b");
	add_link("bin/b", "a");
	add_link("bin/self", "self/x");
	add_link("bin/lost", "nowhere");
	add_file("end", "E");
	for (int i = 0; i < 35; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), "l%d", i + 1);
		if (i < 34)
			add_link(name, target);
		else
			add_link(name, "end");
	}
	finish();
	assert_int_equal(lookup_program(&archive, "a", "/bin", &found), CAP_ETOOBIG);
	assert_int_equal(lookup_program(&archive, "self", "/bin", &found), CAP_ETOOBIG);
	assert_int_equal(lookup_program(&archive, "lost", "/bin", &found), CAP_ENOENT);
	assert_int_equal(lookup_program(&archive, "/l0", "/bin", &found), CAP_OK);
}

static void test_paths_that_are_too_long_are_refused(void **state)
{
	char *name = malloc(3 * LOOKUP_PATH_MAX);

	(void)state;
	add_file("bin/x", "X");
	finish();
	memset(name, 'a', 3 * LOOKUP_PATH_MAX);
	for (int length = LOOKUP_PATH_MAX - 10; length < 3 * LOOKUP_PATH_MAX; length++) {
		int result;

		name[length] = 0;
		name[0] = 'a';
		result = lookup_program(&archive, name, PATH, &found);
		assert_true(result == CAP_ENOENT || result == CAP_ETOOBIG);
		name[0] = '/';
		result = lookup_program(&archive, name, PATH, &found);
		assert_true(result == CAP_ENOENT || result == CAP_ETOOBIG);
		name[length] = 'a';
	}
	free(name);
}

static void test_a_corrupt_program_is_refused(void **state)
{
	struct capos_archive_entry *e = add("bin/x", CAPOS_ARCHIVE_FILE, 0755, "abc", 3);

	(void)state;
	finish();
	boot[e->offset] ^= 1;
	assert_int_equal(lookup_program(&archive, "x", PATH, &found), CAP_EMESSAGE);
}

static void test_scripts_name_their_interpreter(void **state)
{
	(void)state;
	add_file("bin/sh", "SH");
	add_file("bin/one", "#!/bin/sh\necho");
	add_file("bin/two", "#! /bin/sh  -e x \n");
	add_file("bin/end", "#!/bin/sh");
	add_file("bin/bad", "#!/bin/zsh\n");
	add_file("bin/empty", "#! \n");
	finish();
	assert_int_equal(lookup_program(&archive, "one", PATH, &found), CAP_OK);
	assert_memory_equal(image(), "SH", 2);
	assert_string_equal(found.prefix[0], "/bin/sh");
	assert_string_equal(found.prefix[1], "/bin/one");
	assert_string_equal(found.executed, "/bin/sh");
	assert_null(found.prefix[2]);
	assert_int_equal(found.skip, 1);
	assert_int_equal(lookup_program(&archive, "two", PATH, &found), CAP_OK);
	assert_string_equal(found.prefix[1], "-e x");
	assert_string_equal(found.prefix[2], "/bin/two");
	assert_int_equal(lookup_program(&archive, "end", PATH, &found), CAP_OK);
	assert_int_equal(lookup_program(&archive, "bad", PATH, &found), CAP_ENOEXEC);
	assert_int_equal(lookup_program(&archive, "empty", PATH, &found), CAP_ENOEXEC);
}

struct dynamic {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	char linker[24];
};

static struct dynamic dynamic(void)
{
	return (struct dynamic){
	        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	                   .e_machine = EM_X86_64,
	                   .e_phoff = offsetof(struct dynamic, segment),
	                   .e_phentsize = sizeof(Elf64_Phdr),
	                   .e_phnum = 1},
	        .segment = {.p_type = PT_INTERP,
	                    .p_offset = offsetof(struct dynamic, linker),
	                    .p_filesz = sizeof("/lib/ld.so")},
	        .linker = "/lib/ld.so",
	};
}

static void test_dynamic_programs_go_through_their_linker(void **state)
{
	static const char *const plain[] = {"/lib/ld.so", "--argv0",   "prog",
	                                    "--",         "/bin/prog", NULL};
	static const char *const script[] = {"/lib/ld.so", "--argv0", "/bin/prog", "--",
	                                     "/bin/prog",  "-x",      "/bin/s",    NULL};
	struct dynamic d = dynamic();

	(void)state;
	add("bin/prog", CAPOS_ARCHIVE_FILE, 0755, &d, sizeof(d));
	add_file("lib/ld.so", "LD");
	add_file("bin/s", "#!/bin/prog -x\n");
	finish();
	assert_int_equal(lookup_program(&archive, "prog", PATH, &found), CAP_OK);
	assert_memory_equal(image(), "LD", 2);
	for (int i = 0; plain[i]; i++)
		assert_string_equal(found.prefix[i], plain[i]);
	assert_null(found.prefix[5]);
	assert_int_equal(found.skip, 1);
	assert_int_equal(lookup_program(&archive, "s", PATH, &found), CAP_OK);
	for (int i = 0; script[i]; i++)
		assert_string_equal(found.prefix[i], script[i]);
	assert_null(found.prefix[7]);
	assert_int_equal(found.skip, 1);
}

static void test_linker_fields_that_lie_are_not_followed(void **state)
{
	struct dynamic d;

	(void)state;
	d = dynamic(), d.segment.p_offset = UINT64_MAX - 4;
	add("bin/a", CAPOS_ARCHIVE_FILE, 0755, &d, sizeof(d));
	d = dynamic(), d.segment.p_filesz = 1u << 20;
	add("bin/b", CAPOS_ARCHIVE_FILE, 0755, &d, sizeof(d));
	d = dynamic(), d.segment.p_filesz = 5;
	add("bin/c", CAPOS_ARCHIVE_FILE, 0755, &d, sizeof(d));
	d = dynamic(), d.header.e_phoff = UINT64_MAX - 8;
	add("bin/d", CAPOS_ARCHIVE_FILE, 0755, &d, sizeof(d));
	d = dynamic();
	add("bin/e", CAPOS_ARCHIVE_FILE, 0755, &d, sizeof(d));
	finish();
	for (const char *name = "abcd"; *name; name++) {
		char text[2] = {*name, 0};

		assert_int_equal(lookup_program(&archive, text, PATH, &found), CAP_OK);
		assert_null(found.prefix[0]); /* the kernel will say what is wrong with it */
	}
	assert_int_equal(lookup_program(&archive, "e", PATH, &found), CAP_ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_by_name_and_by_path, setup),
	        cmocka_unit_test_setup(test_what_cannot_be_executed_is_told_apart, setup),
	        cmocka_unit_test_setup(test_links_that_loop_end, setup),
	        cmocka_unit_test_setup(test_paths_that_are_too_long_are_refused, setup),
	        cmocka_unit_test_setup(test_a_corrupt_program_is_refused, setup),
	        cmocka_unit_test_setup(test_scripts_name_their_interpreter, setup),
	        cmocka_unit_test_setup(test_dynamic_programs_go_through_their_linker, setup),
	        cmocka_unit_test_setup(test_linker_fields_that_lie_are_not_followed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
