/* SPDX-License-Identifier: MIT */
/*
 * The 9P driver's pure part against an honest server.
 */
#include "volume_server.h"

static void stat_is(const char *path, bool follow, int status, int node)
{
	struct file_stat st = {.inode = 0};

	assert_int_equal(volume_stat(v, volume_root(v), text_of(path), follow, &st), status);
	if (!status)
		assert_int_equal(st.inode, node + 100);
	assert_int_equal(server.live, 1);
}

static void test_paths(void **state)
{
	(void)state;
	stat_is(".", true, STATUS_OK, 0);
	stat_is("d", true, STATUS_OK, 1);
	stat_is("d//./deep/", true, STATUS_OK, 8);
	stat_is("d/deep/../../f", true, STATUS_OK, 2);
	stat_is("l", false, STATUS_OK, 3);
	stat_is("l", true, STATUS_OK, 1);
	stat_is("l/", false, STATUS_OK, 1);
	stat_is("l/deep/down", true, STATUS_OK, 7);
	stat_is("l/../f", true, STATUS_OK, 2);
	stat_is("f/", true, STATUS_NOT_DIRECTORY, 0);
	stat_is("f/x", true, STATUS_NOT_DIRECTORY, 0);
	/* A dot stands behind a directory, which a symlink there leads to. */
	stat_is("f/.", true, STATUS_NOT_DIRECTORY, 0);
	stat_is("d/g/./.", false, STATUS_NOT_DIRECTORY, 0);
	stat_is("l/.", false, STATUS_OK, 1);
	stat_is("d/./", false, STATUS_OK, 1);
	stat_is("none/.", true, STATUS_NO_ENTRY, 0);
	stat_is("none", true, STATUS_NO_ENTRY, 0);
	stat_is("d/none/x", true, STATUS_NO_ENTRY, 0);
	stat_is("", true, STATUS_NO_ENTRY, 0);
	stat_is("loop", true, STATUS_TOO_MANY_LINKS, 0);
	stat_is("loop/x", false, STATUS_TOO_MANY_LINKS, 0);
	stat_is("loop", false, STATUS_OK, 6);
}

static void leads(const char *path, const char *expected)
{
	struct msg_text on;
	uint16_t end;

	stat_is(path, true, STATUS_ELSEWHERE, 0);
	assert_int_equal(volume_follow(v, volume_root(v), text_of(path), true, &end, &on),
	                 STATUS_OK);
	assert_int_equal(end, FOLLOW_END_ROOT);
	assert_int_equal(on.len, strlen(expected));
	assert_memory_equal(on.ptr, expected, on.len);
	assert_int_equal(server.live, 1);
}

static void test_ways_out(void **state)
{
	(void)state;
	leads("/etc/passwd", "/etc/passwd");
	leads("..", "/a");
	leads("../x", "/a/x");
	leads("d/deep/../../../x/y", "/a/x/y");
	leads("abs", "/etc/x");
	leads("abs/more", "/etc/x/more");
	leads("d/up", "/a/y");
	leads("l/up", "/a/y");
}

static void test_a_root_of_its_own_is_not_left(void **state)
{
	struct file_stat st;
	struct msg_text path;
	uint64_t word;
	struct volume_from from;
	static const struct {
		const char *path;
		int status, node;
	} of[] = {{"..", STATUS_OK, 1},           {"/", STATUS_OK, 1},
	          {"/g", STATUS_OK, 7},           {"../../g", STATUS_OK, 7},
	          {"deep/../../g", STATUS_OK, 7}, {"../f", STATUS_NO_ENTRY, 0},
	          {"up", STATUS_NO_ENTRY, 0}};

	(void)state;
	assert_int_equal(volume_subdirectory(v, volume_root(v), text_of("l"), &word), STATUS_OK);
	from = volume_from(v, volume_find(v, word));
	for (uint32_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		assert_int_equal(volume_stat(v, from, text_of(of[i].path), true, &st),
		                 of[i].status);
		if (!of[i].status)
			assert_int_equal(st.inode, of[i].node + 100);
	}
	assert_int_equal(volume_path(v, from, &path), STATUS_OK);
	assert_int_equal(path.len, 1);
	assert_int_equal(server.live, 3);
	volume_close(v, word);
	assert_int_equal(server.live, 1);
}

/* By symlinks of many names, and from a root of its own, which is looked for above. */
static void test_no_walk_asks_much(void **state)
{
	struct file_stat st;
	uint64_t word;

	(void)state;
	server.asked = 0;
	stat_is("d/zigzag", true, STATUS_TOO_MANY_LINKS, 0);
	assert_true(server.asked < 1000);
	assert_int_equal(volume_subdirectory(v, volume_root(v), text_of("d"), &word), STATUS_OK);
	server.asked = 0;
	assert_int_equal(volume_stat(v, volume_from(v, volume_find(v, word)),
	                             text_of("deep/../zigzag"), true, &st),
	                 STATUS_TOO_MANY_LINKS);
	assert_true(server.asked < 1000);
	volume_close(v, word);
	assert_int_equal(server.live, 1);
}

#define LIVE    200
#define REMOVED 250

/* Directories below each other were removed, and those above are not: each ".." leads up there by
 * its path, to where the next is not either. */
static void test_no_way_out_of_removed_directories_asks_much(void **state)
{
	char path[2 * (LIVE + REMOVED) + 1], up[3 * REMOVED + 1];
	struct file_stat st;
	uint64_t word;

	(void)state;
	for (uint32_t i = 0; i < LIVE + REMOVED; i++) {
		memcpy(path + 2 * i, "x/", 3);
		assert_int_equal(volume_make_directory(v, volume_root(v), text_of(path), 0755),
		                 STATUS_OK);
	}
	assert_int_equal(
	        volume_open(v, volume_root(v), text_of(path), OPEN_DIRECTORY, 0, &word, &st),
	        STATUS_OK);
	for (uint32_t i = LIVE + REMOVED; i > LIVE; i--) {
		path[2 * i] = 0;
		assert_int_equal(volume_remove(v, volume_root(v), text_of(path), true), STATUS_OK);
	}
	for (uint32_t i = 0; i < REMOVED; i++)
		memcpy(up + 3 * i, "../", 4);
	server.asked = 0;
	assert_int_equal(
	        volume_stat(v, volume_from(v, volume_find(v, word)), text_of(up), true, &st),
	        STATUS_TOO_MANY_LINKS);
	assert_true(server.asked < 1000);
	server.asked = 0;
	assert_int_equal(volume_stat(v, volume_from(v, volume_find(v, word)), text_of("../../.."),
	                             true, &st),
	                 STATUS_NO_ENTRY);
	assert_true(server.asked < 100);
	volume_close(v, word);
}

static void test_the_path_of_a_directory(void **state)
{
	struct msg_text path;
	struct file_stat st;
	uint64_t word;

	(void)state;
	assert_int_equal(
	        volume_open(v, volume_root(v), text_of("l/deep"), OPEN_DIRECTORY, 0, &word, &st),
	        STATUS_OK);
	server.asked = 0;
	assert_int_equal(volume_path(v, volume_from(v, volume_find(v, word)), &path), STATUS_OK);
	assert_int_equal(server.asked, 2); /* the way that the open went, and its end */
	assert_int_equal(path.len, strlen("/a/mnt/d/deep"));
	assert_memory_equal(path.ptr, "/a/mnt/d/deep", path.len);
	/* The host has moved it. */
	server.nodes[8].parent = 0;
	assert_int_equal(volume_path(v, volume_from(v, volume_find(v, word)), &path), STATUS_OK);
	assert_int_equal(path.len, strlen("/a/mnt/deep"));
	assert_memory_equal(path.ptr, "/a/mnt/deep", path.len);
	volume_close(v, word);
	assert_int_equal(server.live, 1);
}

static void test_handles_are_bounded_and_words_not_used_again(void **state)
{
	static uint64_t words[VOLUME_HANDLES];
	struct file_stat st;
	uint64_t one;

	(void)state;
	for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
		assert_int_equal(
		        volume_open(v, volume_root(v), text_of("f"), OPEN_READ, 0, &words[i], &st),
		        STATUS_OK);
	assert_int_equal(volume_open(v, volume_root(v), text_of("f"), OPEN_READ, 0, &one, &st),
	                 STATUS_NO_BUFFERS);
	for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
		volume_close(v, words[i]);
	volume_close(v, words[0]);
	assert_null(volume_find(v, words[0]));
	assert_int_equal(server.live, 1);
	assert_int_equal(volume_open(v, volume_root(v), text_of("f"), OPEN_READ, 0, &one, &st),
	                 STATUS_OK);
	for (uint32_t i = 0; i < VOLUME_HANDLES; i++)
		assert_true(one != words[i]);
}

/* ---- Answers that nobody waits for ---- */

static uint8_t late[P9_POSTS][P9_POST_BYTES];

static int post(struct p9 *p, uint32_t slot, const uint8_t *message, uint32_t length)
{
	(void)p;
	assert_true(slot < P9_POSTS && length <= P9_POST_BYTES);
	memcpy(late[slot], message, length);
	return 0;
}

static void await_post(struct p9 *p, uint32_t slot)
{
	uint8_t request[P9_POST_BYTES];

	assert_true(p->posted[slot]);
	memcpy(request, server.request, sizeof(request));
	memcpy(server.request, late[slot], P9_POST_BYTES);
	server_answer();
	memcpy(server.request, request, sizeof(request));
	p->posted[slot] = 0;
}

static void test_no_fid_is_made_before_the_server_has_given_it_up(void **state)
{
	struct file_stat st;
	uint64_t word;

	(void)state;
	v->p9.post = post;
	v->p9.await_post = await_post;
	for (uint32_t i = 0; i < 100; i++) {
		v->p9.next_fid = i % 3 ? v->p9.next_fid : 0; /* the numbers of before */
		assert_int_equal(
		        volume_stat(v, volume_root(v), text_of("d/../d/deep/down"), true, &st),
		        STATUS_OK);
		assert_int_equal(st.inode, 107);
		assert_int_equal(
		        volume_open(v, volume_root(v), text_of("f"), OPEN_READ, 0, &word, &st),
		        STATUS_OK);
		volume_close(v, word);
	}
	assert_true(server.live > 1);
	for (uint32_t i = 0; i < P9_POSTS; i++)
		if (v->p9.posted[i])
			await_post(&v->p9, i);
	assert_int_equal(server.live, 1);
}

static void test_a_directory_that_may_not_be_read_does_not_open(void **state)
{
	struct file_stat st;
	uint64_t word;

	(void)state;
	server.closed = true;
	assert_int_equal(volume_open(v, volume_root(v), text_of("d"), OPEN_READ, 0, &word, &st),
	                 STATUS_ACCESS_DENIED);
	assert_int_equal(server.live, 1);
	assert_int_equal(volume_open(v, volume_root(v), text_of("d"), 0, 0, &word, &st), STATUS_OK);
	volume_close(v, word);
	assert_int_equal(server.live, 1);
}

static int make_node(const char *path, uint16_t type)
{
	return volume_make_node(v, volume_root(v), text_of(path), type, 0640);
}

static void test_nodes(void **state)
{
	(void)state;
	assert_int_equal(make_node("d/fifo", FILE_TYPE_FIFO), STATUS_OK);
	assert_int_equal(server.made, 010640);
	assert_int_equal(make_node("socket", FILE_TYPE_SOCKET), STATUS_OK);
	assert_int_equal(server.made, 0140640);
	assert_int_equal(make_node("d/", FILE_TYPE_FIFO), STATUS_EXISTS);
	assert_int_equal(make_node("new/", FILE_TYPE_FIFO), STATUS_NO_ENTRY);
	assert_int_equal(make_node("f/x", FILE_TYPE_FIFO), STATUS_NOT_DIRECTORY);
	assert_int_equal(make_node("disk", FILE_TYPE_BLOCK_DEVICE), STATUS_NOT_PERMITTED);
	assert_int_equal(make_node("f", FILE_TYPE_FIFO), STATUS_EXISTS);
	server.refuses = P9_EROFS;
	assert_int_equal(make_node("fifo", FILE_TYPE_FIFO), STATUS_READ_ONLY);
	assert_int_equal(make_node("f", FILE_TYPE_FIFO), STATUS_EXISTS);
	assert_int_equal(server.live, 1);
}

static uint16_t type_of(const char *path)
{
	struct file_stat st = {.type = 0};

	return volume_stat(v, volume_root(v), text_of(path), false, &st) ? FILE_TYPE_UNKNOWN
	                                                                 : st.type;
}

static int make_file(const char *path, uint32_t flags, uint64_t *word)
{
	struct file_stat st;

	return volume_open(v, volume_root(v), text_of(path),
	                   OPEN_READ | OPEN_WRITE | OPEN_CREATE | flags, 0600, word, &st);
}

static int remove_name(const char *path)
{
	return volume_remove(v, volume_root(v), text_of(path), false);
}

static int move(const char *old, const char *new, uint32_t flags)
{
	return volume_rename(v, volume_root(v), text_of(old), text_of(new), flags);
}

/* The type of an entry, as a listing has it; FILE_TYPE_UNKNOWN: there is none. */
static uint16_t listed(const char *name, uint32_t *all)
{
	uint16_t type = FILE_TYPE_UNKNOWN;
	uint64_t next = 0;
	uint32_t count;

	*all = 0;
	do {
		assert_int_equal(volume_list(v, volume_root(v), next, 4000, &count, &next),
		                 STATUS_OK);
		for (uint32_t i = 0; i < count; i++, ++*all)
			if (v->entries[i].name.len == strlen(name) &&
			    !memcmp(v->entries[i].name.ptr, name, strlen(name)))
				type = v->entries[i].type;
	} while (count);
	return type;
}

static void test_files_stand_for_fifos_that_the_server_refuses(void **state)
{
	uint64_t word;
	uint32_t all;

	(void)state;
	server.refuses = P9_ENXIO;
	assert_int_equal(make_node("fifo", FILE_TYPE_FIFO), STATUS_OK);
	assert_int_equal(make_node("socket", FILE_TYPE_SOCKET), STATUS_OK);
	assert_int_equal(make_node("fifo", FILE_TYPE_FIFO), STATUS_EXISTS);
	assert_int_equal(type_of("fifo"), FILE_TYPE_FIFO);
	assert_int_equal(type_of("socket"), FILE_TYPE_SOCKET);
	assert_int_equal(listed("fifo", &all), FILE_TYPE_FIFO);
	assert_int_equal(move("fifo", "other", 0), STATUS_OK);
	assert_int_equal(type_of("other"), FILE_TYPE_FIFO);
	assert_int_equal(move("f", "other", 0), STATUS_OK);
	assert_int_equal(type_of("other"), FILE_TYPE_REGULAR);
	assert_int_equal(remove_name("socket"), STATUS_OK);
	assert_int_equal(v->nodes_used, 0);
	for (uint32_t i = 0; i < VOLUME_NODES; i++) {
		assert_int_equal(make_node("many", FILE_TYPE_FIFO), STATUS_OK);
		assert_int_equal(move("many",
		                      (char[]){'m', (char)('a' + i % 26), (char)('a' + i / 26), 0},
		                      0),
		                 STATUS_OK);
	}
	assert_int_equal(make_node("many", FILE_TYPE_FIFO), STATUS_NO_SPACE);
	assert_int_equal(make_file("f", 0, &word), STATUS_OK);
	volume_close(v, word);
	assert_int_equal(server.live, 1);
}

static void test_what_nobody_has_open_is_removed_by_one_request(void **state)
{
	uint64_t word;

	(void)state;
	server.asked = 0;
	assert_int_equal(remove_name("f"), STATUS_OK);
	assert_int_equal(server.asked, 1);
	assert_int_equal(remove_name("f"), STATUS_NO_ENTRY);
	assert_int_equal(remove_name("none/"), STATUS_NO_ENTRY);
	assert_int_equal(remove_name("d/g/"), STATUS_NOT_DIRECTORY);
	assert_int_equal(remove_name("."), STATUS_IS_DIRECTORY);
	assert_int_equal(make_file("new", 0, &word), STATUS_OK);
	assert_int_equal(remove_name("new"), STATUS_OK);
	assert_true(volume_find(v, word)->nameless);
	volume_close(v, word);
	assert_int_equal(server.live, 1);
}

static void test_files_without_a_name(void **state)
{
	struct file_stat st;
	uint64_t word, never, closed;
	uint32_t before, all;

	(void)state;
	listed("", &before);
	assert_int_equal(make_file(".", OPEN_ANONYMOUS, &word), STATUS_OK);
	assert_int_equal(make_file(".", OPEN_ANONYMOUS, &closed), STATUS_OK);
	assert_int_equal(make_file(".", OPEN_ANONYMOUS | OPEN_EXCLUSIVE, &never), STATUS_OK);
	assert_int_equal(make_file("f", OPEN_ANONYMOUS, &never), STATUS_NOT_DIRECTORY);
	assert_int_equal(volume_file_stat(v, volume_find(v, word), &st), STATUS_OK);
	assert_int_equal(st.links, 0);
	listed("", &all);
	assert_int_equal(all, before);
	volume_find(v, word)->offered = 5;
	volume_find(v, never)->offered = 6;
	assert_int_equal(volume_link_file(v, volume_root(v), 4, text_of("new")),
	                 STATUS_CROSS_VOLUME);
	assert_int_equal(volume_link_file(v, volume_root(v), 6, text_of("new")), STATUS_NO_ENTRY);
	assert_int_equal(volume_link_file(v, volume_root(v), 5, text_of("f")), STATUS_EXISTS);
	volume_find(v, word)->offered = 5;
	assert_int_equal(volume_link_file(v, volume_root(v), 5, text_of("new")), STATUS_OK);
	assert_int_equal(volume_link_file(v, volume_root(v), 5, text_of("too")),
	                 STATUS_CROSS_VOLUME);
	assert_int_equal(listed("new", &all), FILE_TYPE_REGULAR);
	assert_int_equal(all, before + 1);
	volume_close(v, word);
	volume_close(v, never);
	volume_close(v, closed);
	assert_int_equal(server.live, 1);
	assert_int_equal(v->unnamed, 0);
	for (int i = SERVER_NODES; i < server.nodes_count; i++)
		assert_true(!server.nodes[i].name || !strcmp(server.nodes[i].name, "new"));
}

static void test_an_exchange_is_whole_or_not_at_all(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 3; i++) {
		server.refuse_move = i;
		assert_int_equal(move("f", "d", MOVE_EXCHANGE), STATUS_IO_ERROR);
		assert_int_equal(type_of("f"), FILE_TYPE_REGULAR);
		assert_int_equal(type_of("d"), FILE_TYPE_DIRECTORY);
	}
	assert_int_equal(move("f", "d", MOVE_EXCHANGE), STATUS_OK);
	assert_int_equal(type_of("d"), FILE_TYPE_REGULAR);
	assert_int_equal(type_of("f/deep"), FILE_TYPE_DIRECTORY);
	assert_int_equal(move("f", "none", MOVE_EXCHANGE), STATUS_NO_ENTRY);
	assert_int_equal(server.live, 1);
}

static uint64_t clock_ns;

static uint64_t now(void)
{
	return clock_ns;
}

static uint32_t asked_by_stat(const char *path, int status, int node)
{
	struct file_stat st = {.inode = 0};

	server.asked = 0;
	assert_int_equal(volume_stat(v, volume_root(v), text_of(path), true, &st), status);
	if (!status)
		assert_int_equal(st.inode, node + 100);
	return server.asked;
}

static uint32_t asked_by_mode(const char *path)
{
	const struct p9_change change = {.what = P9_SET_MODE, .mode = 0600};

	server.asked = 0;
	(void)volume_change(v, volume_root(v), text_of(path), true, &change);
	return server.asked;
}

static void test_what_was_walked_to_is_not_walked_to_again(void **state)
{
	(void)state;
	v->trail.now = now;
	assert_int_equal(asked_by_stat("d/g", STATUS_OK, 7), 2);
	assert_int_equal(asked_by_stat("d/g", STATUS_OK, 7), 1);
	assert_int_equal(asked_by_stat("d/deep/", STATUS_OK, 8), 2);
	assert_int_equal(asked_by_stat("d/deep", STATUS_OK, 8), 1);
	assert_int_equal(asked_by_stat("d/g/", STATUS_NOT_DIRECTORY, 0), 1 + 1);
	/* What is not there is asked for in the directory, once that is known. */
	(void)asked_by_stat("d/none", STATUS_NO_ENTRY, 0);
	assert_int_equal(asked_by_stat("d/none", STATUS_NO_ENTRY, 0), 1);
	/* Not by symlinks, nor upwards. */
	assert_int_equal(asked_by_stat("l/g", STATUS_OK, 7), asked_by_stat("l/g", STATUS_OK, 7));
	assert_int_equal(asked_by_stat("d/../f", STATUS_OK, 2), 3);
	assert_int_equal(asked_by_stat("d/../f", STATUS_OK, 2), 3);
	/* What is moved here is not found by its old name. */
	assert_int_equal(move("d/g", "d/h", 0), STATUS_OK);
	(void)asked_by_stat("d/g", STATUS_NO_ENTRY, 0);
	(void)asked_by_stat("d/h", STATUS_OK, 7);
	(void)asked_by_stat("d/deep/down", STATUS_NO_ENTRY, 0);
	assert_int_equal(move("d/deep", "below", 0), STATUS_OK);
	(void)asked_by_stat("d/deep", STATUS_NO_ENTRY, 0);
	(void)asked_by_stat("below", STATUS_OK, 8);
	/* Another file in its place is what is there. */
	(void)asked_by_stat("f", STATUS_OK, 2);
	server.nodes[2].number = 500;
	assert_int_equal(asked_by_stat("f", STATUS_OK, 500), 4);
	for (uint32_t i = 0; i < TRAIL_LENGTH; i++)
		assert_true(!v->trail.steps[i].fid || p9_is_directory(v->trail.steps[i].qid) ||
		            v->trail.steps[i].qid.path != 102);
	assert_true(server.live <= 1 + TRAIL_LENGTH);
}

/* Opens the file, whose number it is; how much was asked. */
static uint32_t asked_by_open(const char *path, int node)
{
	struct file_stat st;
	uint64_t word;

	server.asked = 0;
	assert_int_equal(volume_open(v, volume_root(v), text_of(path), OPEN_READ, 0, &word, &st),
	                 STATUS_OK);
	assert_int_equal(st.inode, node + 100);
	assert_int_equal(volume_find(v, word)->qid.path, node + 100);
	node = (int)server.asked;
	volume_close(v, word);
	return (uint32_t)node;
}

static void test_what_was_asked_about_just_now_is_opened_by_one_request(void **state)
{
	(void)state;
	v->trail.now = now;
	assert_int_equal(asked_by_open("d/g", 7), 3);
	(void)asked_by_stat("d/g", STATUS_OK, 7);
	assert_int_equal(asked_by_open("d/g", 7), 1);
	/* The fid is the open file's. */
	assert_int_equal(asked_by_open("d/g", 7), 3);
	(void)asked_by_stat("d/g", STATUS_OK, 7);
	clock_ns += TRAIL_FRESH_NS;
	assert_int_equal(asked_by_open("d/g", 7), 2);
	/* Another is there. */
	(void)asked_by_stat("d/g", STATUS_OK, 7);
	server.nodes[7].number = 600;
	assert_int_equal(asked_by_open("d/g", 600), 1 + 1 + 3);
	assert_int_equal(server.live, 1);
}

static void test_changes_go_by_what_was_seen_just_now(void **state)
{
	(void)state;
	v->trail.now = now;
	v->who.user = 0;
	(void)asked_by_stat("d/g", STATUS_OK, 7);
	/* The server refuses, so it is tried again by the whole way. */
	assert_int_equal(asked_by_mode("d/g"), 4);
	assert_int_equal(asked_by_stat("d/g", STATUS_OK, 7), 1);
	clock_ns += TRAIL_FRESH_NS;
	assert_int_equal(asked_by_mode("d/g"), 3);
	v->who.user = 5;
	assert_true(asked_by_stat("d/deep", STATUS_OK, 8) > 2);
	assert_true(asked_by_stat("d/deep", STATUS_OK, 8) > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_paths, server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_ways_out, server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_a_root_of_its_own_is_not_left, server_start,
	                                        server_stop),
	        cmocka_unit_test_setup_teardown(test_no_walk_asks_much, server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_no_way_out_of_removed_directories_asks_much,
	                                        server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_the_path_of_a_directory, server_start,
	                                        server_stop),
	        cmocka_unit_test_setup_teardown(test_handles_are_bounded_and_words_not_used_again,
	                                        server_start, server_stop),
	        cmocka_unit_test_setup_teardown(
	                test_no_fid_is_made_before_the_server_has_given_it_up, server_start,
	                server_stop),
	        cmocka_unit_test_setup_teardown(test_nodes, server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_a_directory_that_may_not_be_read_does_not_open,
	                                        server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_files_stand_for_fifos_that_the_server_refuses,
	                                        server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_what_nobody_has_open_is_removed_by_one_request,
	                                        server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_files_without_a_name, server_start,
	                                        server_stop),
	        cmocka_unit_test_setup_teardown(test_an_exchange_is_whole_or_not_at_all,
	                                        server_start, server_stop),
	        cmocka_unit_test_setup_teardown(test_what_was_walked_to_is_not_walked_to_again,
	                                        server_start, server_stop),
	        cmocka_unit_test_setup_teardown(
	                test_what_was_asked_about_just_now_is_opened_by_one_request, server_start,
	                server_stop),
	        cmocka_unit_test_setup_teardown(test_changes_go_by_what_was_seen_just_now,
	                                        server_start, server_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
