/* SPDX-License-Identifier: MIT */
/*
 * The boot archive's writer against the system's reader of boot archives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>

#include <capos/archive_reader.h>

#include "tools/capos/archive_writer.h"

/* Writes the archive and maps it; the mapping lives as long as the test. */
static uint8_t *written(struct archive_writer *writer, uint64_t *size)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(archive_writer_finish(writer, fd), 0);
	*size = (uint64_t)lseek(fd, 0, SEEK_END);
	uint8_t *bytes = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	close(fd);
	return bytes;
}

static void add_some(struct archive_writer *writer)
{
	static char large[10000];

	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)(i * 7 + i / 256);
	assert_int_equal(archive_writer_add(writer, "/bin/large", CAPOS_ARCHIVE_FILE, 0755, 12345,
	                                    large, sizeof(large)),
	                 0);
	assert_int_equal(
	        archive_writer_add(writer, "tmp", CAPOS_ARCHIVE_DIRECTORY, 01777, 0, "", 0), 0);
	assert_int_equal(
	        archive_writer_add(writer, "bin/link", CAPOS_ARCHIVE_SYMLINK, 0777, 0, "large", 5),
	        0);
	assert_int_equal(archive_writer_add(writer, "empty", CAPOS_ARCHIVE_FILE, 0600, 0, "", 0),
	                 0);
}

static void crc_of_the_standard(void **state)
{
	(void)state;
	/* The check value that catalogues of CRCs give for CRC-32/ISO-HDLC. */
	assert_int_equal(archive_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(archive_crc32(0, "", 0), 0);
}

static void reader_agrees(void **state)
{
	struct archive_writer writer = {0};
	struct archive archive;
	struct archive_file file;
	const char *why;
	uint64_t size;

	(void)state;
	memset(writer.seed, 0x5a, sizeof(writer.seed));
	add_some(&writer);
	uint8_t *bytes = written(&writer, &size);
	assert_int_equal(size % 4096, 0);
	assert_int_equal(archive_open(&archive, bytes, size, &why), CAP_OK);
	assert_int_equal(archive.count, 4);
	assert_int_equal(bytes[offsetof(struct capos_archive_header, seed) + 63], 0x5a);

	assert_int_equal(archive_find(&archive, "bin/large", &file), CAP_OK);
	assert_int_equal(file.size, 10000);
	assert_int_equal(file.mode, 0755);
	assert_int_equal(file.mtime, 12345);
	assert_int_equal((uintptr_t)file.data % 4096, 0);
	assert_true(archive_intact(&file));
	assert_int_equal(file.data[300], (uint8_t)(300 * 7 + 1));
	assert_int_equal(archive_find(&archive, "bin/link", &file), CAP_OK);
	assert_int_equal(file.type, CAPOS_ARCHIVE_SYMLINK);
	assert_memory_equal(file.data, "large", 5);
	assert_int_equal(archive_find(&archive, "tmp", &file), CAP_OK);
	assert_int_equal(file.type, CAPOS_ARCHIVE_DIRECTORY);
	assert_int_equal(file.mode, 01777);
	munmap(bytes, size);
	archive_writer_free(&writer);
}

static void later_replaces_earlier(void **state)
{
	struct archive_writer writer = {0};

	(void)state;
	add_some(&writer);
	assert_int_equal(archive_writer_add(&writer, "empty", CAPOS_ARCHIVE_FILE, 0644, 0, "x", 1),
	                 0);
	assert_int_equal(writer.count, 4);
	assert_int_equal(archive_writer_find(&writer, "empty")->entry.size, 1);
	archive_writer_free(&writer);
}

static void many_items_are_found(void **state)
{
	struct archive_writer writer = {0};
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "d%u/f%u", i % 7, i);
		assert_int_equal(
		        archive_writer_add(&writer, name, CAPOS_ARCHIVE_FILE, 0644, i, "", 0), 0);
	}
	assert_int_equal(writer.count, 5000);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "d%u/f%u", i % 7, i);
		assert_int_equal(archive_writer_find(&writer, name)->entry.mtime, i);
	}
	assert_null(archive_writer_find(&writer, "d0/f1"));
	assert_null(archive_writer_find(&writer, "d0"));
	archive_writer_free(&writer);
}

static void host_files(void **state)
{
	struct archive_writer writer = {0};
	struct archive archive;
	struct archive_file file;
	char path[] = "/tmp/test-capos-archive-XXXXXX";
	const char *why;
	uint64_t size;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	assert_int_equal(archive_writer_add_path(&writer, "/a/host", 0640, 7, path, 10), 0);
	uint64_t expected = archive_writer_size(&writer);
	uint8_t *bytes = written(&writer, &size);
	assert_int_equal(size, expected);
	assert_int_equal(archive_open(&archive, bytes, size, &why), CAP_OK);
	assert_int_equal(archive_find(&archive, "a/host", &file), CAP_OK);
	assert_int_equal(file.size, 10);
	assert_true(archive_intact(&file));
	assert_memory_equal(file.data, "0123456789", 10);
	munmap(bytes, size);

	/* One that has changed since it was looked at is named. */
	int archive_fd = memfd_create("archive", MFD_CLOEXEC);
	assert_int_equal(write(fd, "more", 4), 4);
	assert_int_equal(archive_writer_finish(&writer, archive_fd), ESTALE);
	assert_string_equal(writer.culprit, path);
	assert_int_equal(ftruncate(fd, 5), 0);
	assert_int_equal(archive_writer_finish(&writer, archive_fd), ESTALE);
	unlink(path);
	assert_int_equal(archive_writer_finish(&writer, archive_fd), ENOENT);
	close(archive_fd);
	close(fd);
	archive_writer_free(&writer);
}

static void nothing_is_below_a_file(void **state)
{
	struct archive_writer writer = {0};

	(void)state;
	add_some(&writer);
	assert_null(archive_writer_obstacle(&writer));
	assert_int_equal(archive_writer_add(&writer, "tmp/x", CAPOS_ARCHIVE_FILE, 0644, 0, "", 0),
	                 0);
	assert_null(archive_writer_obstacle(&writer));
	assert_int_equal(
	        archive_writer_add(&writer, "bin/link/y/z", CAPOS_ARCHIVE_FILE, 0644, 0, "", 0), 0);
	assert_string_equal(archive_writer_obstacle(&writer), "bin/link");
	archive_writer_free(&writer);
}

static void names_refused(void **state)
{
	static const char *const wrong[] = {"", "/", "a//b", "a/", "./a", "a/..", "../a", "a/./b"};
	struct archive_writer writer = {0};
	char longest[CAPOS_ARCHIVE_NAME + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(
		        archive_writer_add(&writer, wrong[i], CAPOS_ARCHIVE_FILE, 0644, 0, "", 0),
		        EINVAL);
	}
	memset(longest, 'n', sizeof(longest));
	longest[CAPOS_ARCHIVE_NAME] = '\0';
	assert_int_equal(archive_writer_add(&writer, longest, CAPOS_ARCHIVE_FILE, 0644, 0, "", 0),
	                 EINVAL);
	longest[CAPOS_ARCHIVE_NAME - 1] = '\0';
	assert_int_equal(archive_writer_add(&writer, longest, CAPOS_ARCHIVE_FILE, 0644, 0, "", 0),
	                 0);
	archive_writer_free(&writer);
}

/* An archive added to another: the same, but for any byte that was changed in it. */
static void damage_is_seen(void **state)
{
	struct archive_writer writer = {0}, copy = {0};
	const char *problem;
	uint64_t size;

	(void)state;
	add_some(&writer);
	uint8_t *bytes = written(&writer, &size);
	assert_int_equal(archive_writer_add_archive(&copy, bytes, size, &problem), 0);
	assert_int_equal(copy.count, writer.count);
	archive_writer_free(&copy);

	static const size_t places[] = {0, 8, 12, 24, 128, 128 + 32, 128 + 56, 4096, 4096 + 9999};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		bytes[places[i]] ^= 0x40;
		problem = NULL;
		assert_int_equal(archive_writer_add_archive(&copy, bytes, size, &problem), EBADMSG);
		assert_non_null(problem);
		archive_writer_free(&copy);
		bytes[places[i]] ^= 0x40;
	}
	for (uint64_t cut = 0; cut < size; cut += 997)
		assert_int_equal(archive_writer_add_archive(&copy, bytes, cut, &problem), EBADMSG);
	archive_writer_free(&copy);
	archive_writer_free(&writer);
	munmap(bytes, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(crc_of_the_standard),
	        cmocka_unit_test(reader_agrees),
	        cmocka_unit_test(later_replaces_earlier),
	        cmocka_unit_test(names_refused),
	        cmocka_unit_test(damage_is_seen),
	        cmocka_unit_test(many_items_are_found),
	        cmocka_unit_test(host_files),
	        cmocka_unit_test(nothing_is_below_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
