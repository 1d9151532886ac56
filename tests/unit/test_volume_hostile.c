/* SPDX-License-Identifier: MIT */
/*
 * The 9P driver's pure part against a server whose answers are wrong: by one thing at a time, and
 * by any.  None may do harm.
 */
#include "volume_server.h"

/* ---- Lies ---- */

static void lie_put(uint64_t value, uint32_t length)
{
	memcpy(server.lie + server.lie_length, &value, length);
	server.lie_length += length;
}

static void lie_bytes(const void *bytes, uint32_t length)
{
	memcpy(server.lie + server.lie_length, bytes, length);
	server.lie_length += length;
}

/* From now on requests of that type get a reply of this type and tag, whose body follows. */
static void lie(uint8_t asked, uint8_t type, uint16_t tag)
{
	server.lie_to = asked;
	server.lie_length = 0;
	lie_put(0, 4);
	lie_put(type, 1);
	lie_put(tag, 2);
}

/* The size that its header says, besides what it has. */
static void lie_size(int32_t more)
{
	uint32_t size = server.lie_length + (uint32_t)more;

	memcpy(server.lie, &size, 4);
}

static int ask_stat(void)
{
	struct file_stat st;

	return volume_stat(v, volume_root(v), text_of("d/g"), true, &st);
}

static int ask_read(void)
{
	struct file_stat st;
	const uint8_t *data;
	uint32_t got = 0;
	uint64_t word;
	int status = volume_open(v, volume_root(v), text_of("f"), OPEN_READ, 0, &word, &st);

	if (status)
		return status;
	status = volume_read(v, volume_find(v, word), 0, 100, &data, &got);
	assert_true(status || got <= 100);
	volume_close(v, word);
	return status;
}

static int ask_write(void)
{
	struct file_stat st;
	uint32_t put;
	uint64_t word, size;
	int status = volume_open(v, volume_root(v), text_of("f"), OPEN_WRITE, 0, &word, &st);

	if (status)
		return status;
	status = volume_write(v, volume_find(v, word), false, 0, "text", 4, &put, &size);
	volume_close(v, word);
	return status;
}

static int ask_list(void)
{
	uint32_t count;
	uint64_t next;

	return volume_list(v, volume_root(v), 0, 8000, &count, &next);
}

static int ask_link(void)
{
	struct msg_text target;

	return volume_read_link(v, volume_root(v), text_of("l"), &target);
}

enum { WALK = 110, GET = 24, READ = 116, WRITE = 118, LIST = 40, READ_LINK = 22 };

/* Of every type: what is wrong with the header. */
static void test_headers_that_lie(void **state)
{
	static const struct {
		uint8_t type;
		int (*ask)(void);
	} of[] = {{WALK, ask_stat},   {GET, ask_stat},  {READ, ask_read},
	          {WRITE, ask_write}, {LIST, ask_list}, {READ_LINK, ask_link}};

	(void)state;
	for (uint32_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		const uint8_t type = of[i].type;

		for (uint32_t length = 0; length < 7; length++) {
			lie(type, type + 1, 1);
			server.lie_length = length;
			assert_int_equal(of[i].ask(), STATUS_IO_ERROR);
		}
		for (int32_t more = -8; more <= 600; more++) {
			lie(type, type + 1, 1);
			lie_size(more);
			assert_int_equal(of[i].ask(), STATUS_IO_ERROR);
		}
		lie(type, type + 1, 2);
		lie_size(0);
		assert_int_equal(of[i].ask(), STATUS_IO_ERROR);
		for (uint32_t other = 0; other < 256; other++) {
			if (other == type + 1u)
				continue;
			lie(type, (uint8_t)other, 1);
			lie_size(0);
			assert_int_equal(of[i].ask(), STATUS_IO_ERROR);
		}
		/* Errors that are none, and one that is cut. */
		for (uint32_t error = 0; error < 3; error++) {
			lie(type, 7, 1);
			lie_put(error == 0 ? 0 : error == 1 ? 4096 : UINT32_MAX, 4);
			lie_size(error == 2 ? -1 : 0);
			assert_int_equal(of[i].ask(), STATUS_IO_ERROR);
		}
	}
}

/* A listing with one entry of that name and length, of which so many bytes are there. */
static void lie_entry(const void *name, uint16_t length, uint32_t there, int32_t more)
{
	lie(LIST, LIST + 1, 1);
	lie_put(24 + there + (uint32_t)more, 4);
	lie_put(0, 1);
	lie_put(0, 4);
	lie_put(7, 8);
	lie_put(1, 8);
	lie_put(8, 1);
	lie_put(length, 2);
	lie_bytes(name, there);
	lie_size(0);
}

static void test_listings_that_lie(void **state)
{
	static const struct {
		const char *name;
		uint16_t length;
	} bad[] = {{"a/b", 3}, {"a\0b", 3}, {"/", 1}, {"", 1}, {"../x", 4}};
	uint32_t count;
	uint64_t next;

	(void)state;
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		lie_entry(bad[i].name, bad[i].length, bad[i].length, 0);
		assert_int_equal(ask_list(), STATUS_IO_ERROR);
	}
	lie_entry("", 0, 0, 0);
	assert_int_equal(ask_list(), STATUS_IO_ERROR);
	lie_entry(memset((char[300]){0}, 'n', 300), 256, 256, 0);
	assert_int_equal(ask_list(), STATUS_IO_ERROR);
	lie_entry("name", 4, 3, 0); /* it goes on behind the data */
	assert_int_equal(ask_list(), STATUS_IO_ERROR);
	lie_entry("name", UINT16_MAX, 4, 0);
	assert_int_equal(ask_list(), STATUS_IO_ERROR);
	for (int32_t more = 1; more < 100000; more *= 3) { /* more data than came */
		lie_entry("name", 4, 4, more);
		assert_int_equal(ask_list(), STATUS_IO_ERROR);
	}
	lie_entry("name", 4, 4, -1); /* the entry is cut */
	assert_int_equal(ask_list(), STATUS_IO_ERROR);
	/* Where it goes on is the server's choice; one answer is looked at, and then told. */
	lie_entry("..", 2, 2, 0);
	assert_int_equal(volume_list(v, volume_root(v), 0, 8000, &count, &next), STATUS_OK);
	assert_int_equal(count, 1);
}

static void test_bodies_that_lie(void **state)
{
	static char target[5000];

	(void)state;
	memset(target, 't', sizeof(target));
	for (uint32_t count = 0; count < 40; count++) { /* of two names */
		lie(WALK, WALK + 1, 1);
		lie_put(count, 2);
		lie_size(0);
		assert_int_equal(ask_stat(), STATUS_IO_ERROR);
	}
	for (uint64_t count = 101; count <= UINT32_MAX; count *= 7) { /* more than was asked for */
		lie(READ, READ + 1, 1);
		lie_put(count, 4);
		lie_bytes(target, 300);
		lie_size(0);
		assert_int_equal(ask_read(), STATUS_IO_ERROR);
	}
	lie(READ, READ + 1, 1);
	lie_put(100, 4); /* than came */
	lie_bytes(target, 99);
	lie_size(0);
	assert_int_equal(ask_read(), STATUS_IO_ERROR);
	lie(WRITE, WRITE + 1, 1);
	lie_put(5, 4);
	lie_size(0);
	assert_int_equal(ask_write(), STATUS_IO_ERROR);
	for (uint32_t length = 0; length <= 4096; length += 4096) {
		lie(READ_LINK, READ_LINK + 1, 1);
		lie_put(length, 2);
		lie_bytes(target, length);
		lie_size(0);
		assert_int_equal(ask_link(), STATUS_IO_ERROR);
	}
	lie(READ_LINK, READ_LINK + 1, 1);
	lie_put(3, 2);
	lie_bytes("a\0b", 3);
	lie_size(0);
	assert_int_equal(ask_link(), STATUS_IO_ERROR);
	lie(GET, GET + 1, 1); /* attributes that are cut, and a size that no file has */
	lie_size(0);
	for (uint32_t i = 0; i < 152; i++) {
		assert_int_equal(ask_stat(), STATUS_IO_ERROR);
		lie_put(i >= 49 && i < 57 ? 0xff : 0, 1);
		lie_size(0);
	}
	lie_put(0, 1);
	lie_size(0);
	assert_int_equal(ask_stat(), STATUS_IO_ERROR);
}

static void test_a_session_that_lies(void **state)
{
	static const struct {
		uint32_t most;
		const char *version;
	} of[] = {{8191, "9P2000.L"}, {0, "9P2000.L"},     {65537, "9P2000.L"},
	          {65536, "9P2000"},  {65536, "9P2000.u"}, {65536, ""}};

	(void)state;
	for (uint32_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		lie(100, 101, UINT16_MAX);
		lie_put(of[i].most, 4);
		lie_put(strlen(of[i].version), 2);
		lie_bytes(of[i].version, (uint32_t)strlen(of[i].version));
		lie_size(0);
		assert_int_equal(volume_start(v), STATUS_IO_ERROR);
	}
	lie(104, 105, 1); /* a root that is no directory */
	lie_put(0, 1);
	lie_put(0, 4);
	lie_put(0, 8);
	lie_size(0);
	assert_int_equal(volume_start(v), STATUS_IO_ERROR);
}

/* One call of any kind, with a path of any kind. */
static void any_call(void)
{
	static const char *const paths[] = {"d/deep/down", "l/../f", "d/up",  "loop", "abs/x",
	                                    "l/deep/../g", "..",     "d/new", ".",    "d/deep/"};
	struct msg_text path = text_of(paths[server_random() % 10]), other = text_of("l/name"),
	                text;
	struct volume_from from = volume_root(v);
	const struct p9_change change = {.what = P9_SET_MODE, .mode = 0600};
	struct file_stat st;
	struct p9_space space;
	const uint8_t *data;
	uint32_t count, got;
	uint64_t word = 0, next;
	uint16_t end;

	server.refuses = server_random() % 4 ? 0 : P9_ENXIO;
	switch (server_random() % 16) {
	case 12:
		(void)volume_make_node(v, from, path, FILE_TYPE_FIFO, 0600);
		break;
	case 13:
		(void)volume_rename(v, from, path, other, MOVE_EXCHANGE);
		break;
	case 14:
		if (volume_open(v, from, path, OPEN_READ | OPEN_WRITE | OPEN_ANONYMOUS, 0600, &word,
		                &st))
			break;
		volume_find(v, word)->offered = 1;
		(void)volume_link_file(v, from, 1, other);
		break;
	case 15:
		if (volume_open(v, from, path, OPEN_WRITE | OPEN_CREATE, 0600, &word, &st) ||
		    volume_find(v, word)->directory)
			break;
		(void)volume_allocate(v, volume_find(v, word), 0, 20000, false);
		(void)volume_sync_all(v);
		break;
	case 0:
		(void)volume_stat(v, from, path, true, &st);
		break;
	case 1:
		if (!volume_open(v, from, path, OPEN_READ | OPEN_CREATE, 0600, &word, &st) &&
		    !volume_find(v, word)->directory)
			(void)volume_read(v, volume_find(v, word), 0, 100, &data, &got);
		break;
	case 2:
		(void)volume_list(v, from, 0, server_random() % 8000, &count, &next);
		break;
	case 3:
		(void)volume_make_directory(v, from, path, 0700);
		break;
	case 4:
		(void)volume_remove(v, from, path, server_random() % 2);
		break;
	case 5:
		(void)volume_rename(v, from, path, other, 0);
		break;
	case 6:
		(void)volume_link(v, from, path, other);
		break;
	case 7:
		(void)volume_read_link(v, from, path, &text);
		break;
	case 8:
		(void)volume_change(v, from, path, true, &change);
		break;
	case 9:
		(void)volume_follow(v, from, path, true, &end, &text);
		break;
	case 10:
		(void)volume_space(v, &space);
		break;
	default:
		if (!volume_subdirectory(v, from, path, &word))
			(void)volume_path(v, volume_from(v, volume_find(v, word)), &text);
	}
	if (word)
		volume_close(v, word);
}

/* A fid of which the client was never sure is forgotten by both: the server starts anew. */
static uint64_t now(void)
{
	return server.asked;
}

static void test_damaged_answers(void **state)
{
	struct file_stat st;

	(void)state;
	for (uint32_t i = 1; i <= 100000; i++) {
		server.seed = i * 2654435761u | 1;
		v->trail.now = i % 2 ? now : NULL;
		any_call();
		any_call();
		trail_forget(&v->trail, &v->p9, true);
		memset(server.of, 0, sizeof(server.of));
		server.of[0] = 1;
		server.live = 1;
		server_reset();
	}
	server.seed = 0;
	v->trail.now = NULL;
	assert_int_equal(volume_stat(v, volume_root(v), text_of("d/deep"), true, &st), STATUS_OK);
	assert_int_equal(st.inode, 108);
	assert_int_equal(server.live, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_headers_that_lie, server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_listings_that_lie, server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_bodies_that_lie, server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_a_session_that_lies, server_start,
	                                        server_stop),
	        cmocka_unit_test_setup_teardown(test_damaged_answers, server_start, server_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
