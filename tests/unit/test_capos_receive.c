/* SPDX-License-Identifier: MIT */
/*
 * What the guest sends for --output, honest and hostile: nothing outside the named path is ever
 * touched, by any stream, however it is cut into pieces.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tools/capos/receive.h"

static char directory[] = "/tmp/test-capos-receive-XXXXXX";
static char target[64], canary[64];
static struct host_file output = {.guest_path = "/out", .host_path = target};
static struct receive receive;
static char said[4096]; /* the complaints of a test */

void complain(const char *format, ...)
{
	size_t length = strlen(said);
	va_list args;

	va_start(args, format);
	vsnprintf(said + length, sizeof(said) - length, format, args);
	va_end(args);
}

void die(const char *format, ...)
{
	fail_msg("died: %s", format);
	abort();
}

void *must(void *allocated)
{
	assert_non_null(allocated);
	return allocated;
}

/* ---- Streams ---- */

static unsigned char stream[1 << 20];
static size_t stream_length;

static void put(unsigned kind, const char *name, uint32_t mode, const void *payload, size_t length)
{
	struct capos_output_record record = {.magic = CAPOS_OUTPUT_MAGIC,
	                                     .kind = (uint16_t)kind,
	                                     .name_length = (uint16_t)strlen(name),
	                                     .length = (uint32_t)length,
	                                     .mode = mode,
	                                     .modify_ns = 1000000000};

	memcpy(stream + stream_length, &record, sizeof(record));
	stream_length += sizeof(record);
	memcpy(stream + stream_length, name, strlen(name));
	stream_length += strlen(name);
	if (length > 0)
		memcpy(stream + stream_length, payload, length);
	stream_length += length;
}

static void put_text(unsigned kind, const char *name, const char *payload)
{
	put(kind, name, 0644, payload, strlen(payload));
}

static void put_file(const char *name, const char *bytes)
{
	put_text(CAPOS_OUTPUT_FILE, name, "");
	put_text(CAPOS_OUTPUT_DATA, "", bytes);
}

/* Feeds the stream in pieces of that size; whether all of it arrived. */
static bool feed(size_t piece, uint64_t limit)
{
	said[0] = '\0';
	receive_init(&receive, &output, 1, limit);
	for (size_t done = 0; done < stream_length; done += piece) {
		size_t n = stream_length - done < piece ? stream_length - done : piece;
		if (!receive_add(&receive, stream + done, n))
			break;
	}
	return receive_finish(&receive);
}

static void assert_content(const char *name, const char *expected)
{
	char path[256], bytes[256];

	snprintf(path, sizeof(path), "%s%s", target, name);
	int fd = open(path, O_RDONLY | O_NOFOLLOW);
	assert_true(fd >= 0);
	ssize_t n = read(fd, bytes, sizeof(bytes));
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(bytes, expected, strlen(expected));
	close(fd);
}

static int begin_test(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s/*", directory, directory);
	assert_int_equal(system(command), 0);
	FILE *file = fopen(canary, "w");
	assert_non_null(file);
	fputs("canary", file);
	fclose(file);
	stream_length = 0;
	return 0;
}

/* The file beside the target is as it was. */
static int end_test(void **state)
{
	char bytes[16];
	FILE *file = fopen(canary, "r");

	(void)state;
	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, sizeof(bytes), file), 6);
	assert_memory_equal(bytes, "canary", 6);
	fclose(file);
	return 0;
}

/* ---- Honest ones ---- */

static void put_tree(void)
{
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_text(CAPOS_OUTPUT_ENTER, "", "");
	put(CAPOS_OUTPUT_FILE, "a", 06755, "", 0);
	put_text(CAPOS_OUTPUT_DATA, "", "one");
	put_text(CAPOS_OUTPUT_DATA, "", "two");
	put_text(CAPOS_OUTPUT_ENTER, "empty", "");
	put(CAPOS_OUTPUT_LEAVE, "", 0500, "", 0);
	put_text(CAPOS_OUTPUT_SYMLINK, "link", "../../canary");
	put(CAPOS_OUTPUT_LEAVE, "", 0750, "", 0);
	put_text(CAPOS_OUTPUT_END, "", "");
}

static void tree_in_any_pieces(void **state)
{
	static const size_t pieces[] = {1, 7, 24, 25, sizeof(stream)};

	(void)state;
	put_tree();
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct stat st;
		char path[128], link[64];

		begin_test(NULL);
		stream_length = 0;
		put_tree();
		assert_true(feed(pieces[i], 1000));
		assert_string_equal(said, "");
		assert_content("/a", "onetwo");
		snprintf(path, sizeof(path), "%s/a", target);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0755); /* set-id bits stay in the guest */
		assert_int_equal(st.st_mtime, 1);
		snprintf(path, sizeof(path), "%s/empty", target);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0500);
		snprintf(path, sizeof(path), "%s/link", target);
		assert_int_equal(readlink(path, link, sizeof(link)), 12);
		assert_int_equal(stat(target, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0750);
	}
}

static void feed_one_file(void)
{
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_file("", "text");
	put_text(CAPOS_OUTPUT_END, "", "");
	assert_true(feed(100, 4));
}

static void one_file(void **state)
{
	(void)state;
	feed_one_file();
	assert_content("", "text");
}

static void file_goes_into_a_directory(void **state)
{
	(void)state;
	assert_int_equal(mkdir(target, 0700), 0);
	feed_one_file();
	assert_content("/out", "text");
}

/* ---- Hostile ones ---- */

static void names_that_lead_elsewhere(void **state)
{
	static const char *const names[] = {
	        "", ".", "..", "../canary", "/", "/tmp/x", "a/b", "a/../../canary", "a/"};
	static const unsigned kinds[] = {CAPOS_OUTPUT_FILE, CAPOS_OUTPUT_SYMLINK,
	                                 CAPOS_OUTPUT_ENTER};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (size_t j = 0; j < sizeof(kinds) / sizeof(kinds[0]); j++) {
			begin_test(state);
			put_text(CAPOS_OUTPUT_BEGIN, "", "");
			put_text(CAPOS_OUTPUT_ENTER, "", "");
			put_text(kinds[j], names[i], kinds[j] == CAPOS_OUTPUT_SYMLINK ? "t" : "");
			put_text(CAPOS_OUTPUT_DATA, "", "evil");
			assert_false(feed(1000, 1000));
			assert_non_null(strstr(said, "makes no sense"));
			end_test(state);
		}
	}
}

static void links_are_not_followed(void **state)
{
	(void)state;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_text(CAPOS_OUTPUT_ENTER, "", "");
	put_text(CAPOS_OUTPUT_SYMLINK, "up", "..");
	put_text(CAPOS_OUTPUT_ENTER, "up", "");
	put_file("canary", "evil");
	put_text(CAPOS_OUTPUT_LEAVE, "", "");
	put_text(CAPOS_OUTPUT_SYMLINK, "file", "../canary");
	put_file("file", "mine");
	put_text(CAPOS_OUTPUT_LEAVE, "", "");
	put_text(CAPOS_OUTPUT_END, "", "");
	assert_false(feed(1000, 1000));
	assert_non_null(strstr(said, "up: exists and is no directory"));
	assert_content("/file", "mine");
}

/* Left in the place that the user named, a link would lead what the next run sends, or the next
 * output of the same place, elsewhere. */
static void the_place_becomes_no_link(void **state)
{
	struct stat st;

	(void)state;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_text(CAPOS_OUTPUT_SYMLINK, "", directory);
	put_text(CAPOS_OUTPUT_END, "", "");
	assert_false(feed(1000, 1000));
	assert_non_null(strstr(said, "makes no sense"));
	assert_int_not_equal(lstat(target, &st), 0);
}

/* A link that the program made in one output is no way for the next one that is named below it. */
static void an_output_below_another(void **state)
{
	char below[80], elsewhere[80], evil[96];
	struct host_file both[] = {output, {.guest_path = "/d", .host_path = below}};
	struct stat st;

	(void)state;
	snprintf(below, sizeof(below), "%s/d", target);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", directory);
	assert_int_equal(mkdir(elsewhere, 0700), 0);
	assert_int_equal(mkdir(target, 0700), 0);
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_text(CAPOS_OUTPUT_ENTER, "", "");
	put_text(CAPOS_OUTPUT_SYMLINK, "d", elsewhere);
	put_text(CAPOS_OUTPUT_LEAVE, "", "");
	put_text(CAPOS_OUTPUT_END, "", "");
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_text(CAPOS_OUTPUT_ENTER, "", "");
	put_file("evil", "evil");
	put_text(CAPOS_OUTPUT_LEAVE, "", "");
	put_text(CAPOS_OUTPUT_END, "", "");
	said[0] = '\0';
	receive_init(&receive, both, 2, 1000);
	receive_add(&receive, stream, stream_length);
	assert_false(receive_finish(&receive));
	assert_non_null(strstr(said, "exists and is no directory"));
	snprintf(evil, sizeof(evil), "%s/evil", elsewhere);
	assert_int_not_equal(lstat(evil, &st), 0);
}

static void a_link_in_the_place_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(symlink(canary, target), 0);
	one_file(state);
}

static void records_out_of_turn(void **state)
{
	static const unsigned wrong[][3] = {
	        {CAPOS_OUTPUT_FILE},
	        {CAPOS_OUTPUT_DATA},
	        {CAPOS_OUTPUT_END},
	        {CAPOS_OUTPUT_LEAVE},
	        {CAPOS_OUTPUT_ERROR},
	        {CAPOS_OUTPUT_BEGIN, CAPOS_OUTPUT_BEGIN},
	        {CAPOS_OUTPUT_BEGIN, CAPOS_OUTPUT_END},
	        {CAPOS_OUTPUT_BEGIN, CAPOS_OUTPUT_DATA},
	        {CAPOS_OUTPUT_BEGIN, CAPOS_OUTPUT_LEAVE},
	        {CAPOS_OUTPUT_BEGIN, CAPOS_OUTPUT_ENTER, CAPOS_OUTPUT_END},
	        {CAPOS_OUTPUT_BEGIN, CAPOS_OUTPUT_FILE, CAPOS_OUTPUT_FILE},
	        {CAPOS_OUTPUT_BEGIN, 99},
	        {99},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin_test(state);
		for (size_t j = 0; j < 3 && wrong[i][j] != 0; j++)
			put_text(wrong[i][j], "", "");
		assert_false(feed(1000, 1000));
		assert_non_null(strstr(said, "makes no sense"));
	}
}

static void sizes_beyond_the_bounds(void **state)
{
	struct capos_output_record records[] = {
	        {.magic = 1, .kind = CAPOS_OUTPUT_BEGIN},
	        {.magic = CAPOS_OUTPUT_MAGIC,
	         .kind = CAPOS_OUTPUT_BEGIN,
	         .length = CAPOS_OUTPUT_PAYLOAD + 1},
	        {.magic = CAPOS_OUTPUT_MAGIC,
	         .kind = CAPOS_OUTPUT_BEGIN,
	         .name_length = CAPOS_OUTPUT_NAME + 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		memcpy(stream, &records[i], sizeof(records[i]));
		stream_length = sizeof(records[i]);
		assert_false(feed(1000, 1000));
		assert_non_null(strstr(said, "makes no sense"));
	}
}

static void too_deep(void **state)
{
	(void)state;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_text(CAPOS_OUTPUT_ENTER, "", "");
	for (unsigned i = 1; i <= CAPOS_OUTPUT_DEPTH; i++)
		put_text(CAPOS_OUTPUT_ENTER, "d", "");
	assert_false(feed(1000, 1000));
	assert_non_null(strstr(said, "makes no sense"));
}

static void too_many_bytes(void **state)
{
	(void)state;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_file("", "12345");
	put_text(CAPOS_OUTPUT_END, "", "");
	assert_false(feed(1000, 4));
	assert_non_null(strstr(said, "cut"));
}

/* It was removed before the first byte was written, and a part stayed in its place. */
static void a_full_disk_leaves_the_file_that_was_there(void **state)
{
	const struct rlimit full = {.rlim_cur = 4, .rlim_max = RLIM_INFINITY};
	const struct rlimit unlimited = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	char command[128];

	feed_one_file();
	assert_content("", "text");
	stream_length = 0;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_file("", "longer");
	put_text(CAPOS_OUTPUT_END, "", "");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	bool arrived = feed(1000, 1000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	assert_false(arrived);
	assert_non_null(strstr(said, "too large"));
	assert_content("", "text");
	/* Nor does anything else stay. */
	snprintf(command, sizeof(command), "test \"$(ls -A %s | wc -l)\" = 2", directory);
	assert_int_equal(system(command), 0);
	(void)state;
}

static void half_a_file_leaves_the_file_that_was_there(void **state)
{
	(void)state;
	feed_one_file();
	stream_length = 0;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_file("", "half of");
	assert_false(feed(1000, 1000));
	assert_non_null(strstr(said, "did not send all of it"));
	assert_content("", "text");
	stream_length = 0;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_file("", "half of");
	put_text(CAPOS_OUTPUT_ERROR, "", "the rest cannot be read");
	put_text(CAPOS_OUTPUT_END, "", "");
	assert_false(feed(1000, 1000));
	assert_content("", "text");
}

static void too_many_entries(void **state)
{
	(void)state;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_text(CAPOS_OUTPUT_ENTER, "", "");
	said[0] = '\0';
	receive_init(&receive, &output, 1, 1000);
	assert_true(receive_add(&receive, stream, stream_length));
	stream_length = 0;
	put_text(CAPOS_OUTPUT_SYMLINK, "l", "t");
	for (unsigned i = 1; i < RECEIVE_ENTRIES_MAX; i++)
		assert_true(receive_add(&receive, stream, stream_length));
	assert_false(receive_add(&receive, stream, stream_length));
	assert_non_null(strstr(said, "too many files"));
	assert_false(receive_finish(&receive));
}

static void guest_errors_are_reported_once_each(void **state)
{
	(void)state;
	put_text(CAPOS_OUTPUT_BEGIN, "", "");
	put_text(CAPOS_OUTPUT_ERROR, "", "no such entry");
	put_text(CAPOS_OUTPUT_END, "", "");
	assert_false(feed(1000, 1000));
	assert_non_null(strstr(said, "no such entry"));
}

static void a_stream_that_breaks_off(void **state)
{
	(void)state;
	put_tree();
	for (size_t length = 0; length < stream_length; length += 5) {
		size_t whole = stream_length;
		stream_length = length;
		assert_false(feed(1000, 1000));
		stream_length = whole;
		assert_int_equal(begin_test(state), 0);
		stream_length = whole;
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_test, end_test)
	const struct CMUnitTest tests[] = {
	        TEST(tree_in_any_pieces),
	        TEST(one_file),
	        TEST(file_goes_into_a_directory),
	        TEST(names_that_lead_elsewhere),
	        TEST(links_are_not_followed),
	        TEST(the_place_becomes_no_link),
	        TEST(an_output_below_another),
	        TEST(a_link_in_the_place_is_replaced),
	        TEST(records_out_of_turn),
	        TEST(sizes_beyond_the_bounds),
	        TEST(too_deep),
	        TEST(too_many_bytes),
	        TEST(too_many_entries),
	        TEST(a_full_disk_leaves_the_file_that_was_there),
	        TEST(half_a_file_leaves_the_file_that_was_there),
	        TEST(guest_errors_are_reported_once_each),
	        TEST(a_stream_that_breaks_off),
	};

	if (!mkdtemp(directory))
		return 1;
	snprintf(target, sizeof(target), "%s/out", directory);
	snprintf(canary, sizeof(canary), "%s/canary", directory);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char command[128];
	snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", directory, directory);
	return system(command) != 0 || failed;
}
