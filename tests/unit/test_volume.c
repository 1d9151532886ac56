/* SPDX-License-Identifier: MIT */
/*
 * The 9p driver's pure part against a server of its own: an honest one, with a small tree, that
 * counts fids; and the same with damaged answers, of which none may do harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/virtio-9p/volume_inside.h"

#define FIDS  4096u
#define NAMES 64u

struct node {
	const char *name;
	int parent;
	uint8_t type; /* qid's */
	const char *target;
};

#define HUNDRED                                                                            \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../" \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../" \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../" \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../" \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../"
static const char zigzag[] =
        HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED "zigzag";

static const struct node nodes[] = {
        {"", 0, P9_QID_DIRECTORY, NULL},
        {"d", 0, P9_QID_DIRECTORY, NULL},
        {"f", 0, 0, NULL},
        {"l", 0, P9_QID_SYMLINK, "d"},
        {"abs", 0, P9_QID_SYMLINK, "/etc/x"},
        {"up", 1, P9_QID_SYMLINK, "../../y"},
        {"loop", 0, P9_QID_SYMLINK, "loop"},
        {"g", 1, 0, NULL},
        {"deep", 1, P9_QID_DIRECTORY, NULL},
        {"down", 8, P9_QID_SYMLINK, "../g"},
        {"zigzag", 1, P9_QID_SYMLINK, zigzag}, /* to itself, by a thousand names */
};
#define NODES ((int)(sizeof(nodes) / sizeof(nodes[0])))

static struct {
	int of[FIDS]; /* node + 1; 0: no such fid */
	uint32_t live;
	uint32_t asked; /* requests, of which each holds up all clients */
	uint8_t request[P9_MESSAGE_MAX], reply[P9_MESSAGE_MAX];
	uint32_t seed; /* of damage; 0: none */
	uint32_t length;
	uint32_t made, refuses; /* what mknod was asked for; its error */
	bool closed;            /* nothing may be opened */
} server;
static struct volume *v;

static uint32_t next_random(void)
{
	server.seed = server.seed * 1664525u + 1013904223u;
	return server.seed >> 8;
}

/* ---- The server ---- */

static void put(const void *bytes, uint32_t length)
{
	memcpy(server.reply + server.length, bytes, length);
	server.length += length;
}

static void put_number(uint64_t value, uint32_t length)
{
	put(&value, length);
}

static void put_qid(int node)
{
	put_number(nodes[node].type, 1);
	put_number(0, 4);
	put_number((uint64_t)node + 100, 8);
}

static void set_fid(uint32_t fid, int node)
{
	assert_true(fid < FIDS);
	server.live += !server.of[fid];
	server.of[fid] = node + 1;
}

static int find(int directory, const char *name, uint32_t length)
{
	if (!(nodes[directory].type & P9_QID_DIRECTORY))
		return -1;
	if (length == 2 && !memcmp(name, "..", 2))
		return nodes[directory].parent;
	for (int i = 1; i < NODES; i++)
		if (nodes[i].parent == directory && strlen(nodes[i].name) == length &&
		    !memcmp(nodes[i].name, name, length))
			return i;
	return -1;
}

static uint32_t number32(uint32_t at)
{
	uint32_t value;

	memcpy(&value, server.request + at, 4);
	return value;
}

static uint32_t number16(uint32_t at)
{
	uint16_t value;

	memcpy(&value, server.request + at, 2);
	return value;
}

static void refuse(uint32_t error)
{
	server.length = 4;
	put_number(7, 1);
	put_number(number16(5), 2);
	put_number(error, 4);
}

static void answer_walk(void)
{
	uint32_t count = number16(15), at = 17, walked = 0, where = server.length;
	int node = server.of[number32(7)] - 1;

	assert_true(count <= P9_WALK_MAX);
	put_number(0, 2);
	for (; walked < count; walked++) {
		uint32_t length = number16(at);
		int next = find(node, (const char *)server.request + at + 2, length);

		assert_null(memchr(server.request + at + 2, '/', length));
		if (next < 0)
			break;
		node = next;
		put_qid(node);
		at += 2 + length;
	}
	if (count && !walked) {
		refuse(P9_ENOENT);
		return;
	}
	memcpy(server.reply + where, &walked, 2);
	if (walked == count) {
		/* Whom damaged answers told that there is none takes it again. */
		assert_true(server.seed || server.of[number32(11)] == 0);
		set_fid(number32(11), node);
	}
}

static void answer_list(int directory)
{
	uint32_t where = server.length, from = number32(11), used;

	put_number(0, 4);
	for (int i = (int)from; i < NODES; i++) {
		if (i == 0 || nodes[i].parent != directory)
			continue;
		put_qid(i);
		put_number((uint64_t)i + 1, 8);
		put_number(nodes[i].type & P9_QID_DIRECTORY ? 4 : 8, 1);
		put_number(strlen(nodes[i].name), 2);
		put(nodes[i].name, (uint32_t)strlen(nodes[i].name));
	}
	used = server.length - where - 4;
	memcpy(server.reply + where, &used, 4);
}

static void answer(void)
{
	uint8_t type = server.request[4];
	int node = type == 100 || type == 104 ? 0 : server.of[number32(7)] - 1;

	/* The client names no fid that it has not, unless answers were damaged. */
	assert_true(server.seed || node >= 0);
	if (node < 0) {
		refuse(P9_EINVAL);
		memcpy(server.reply, &server.length, 4);
		return;
	}
	server.length = 4;
	put_number(type + 1u, 1);
	put_number(number16(5), 2);
	switch (type) {
	case 100:
		put_number(P9_MESSAGE_MAX, 4);
		put_number(8, 2);
		put("9P2000.L", 8);
		break;
	case 104:
		set_fid(number32(7), 0);
		put_qid(0);
		break;
	case 110:
		answer_walk();
		break;
	case 120:
		server.of[number32(7)] = 0;
		server.live--;
		break;
	case 12: /* lopen */
		if (server.closed) {
			refuse(P9_EACCES);
			break;
		}
		put_qid(node);
		put_number(0, 4);
		break;
	case 18: /* mknod: name, mode */
		if (server.refuses) {
			refuse(server.refuses);
			break;
		}
		if (find(node, (const char *)server.request + 13, number16(11)) >= 0) {
			refuse(P9_EEXIST);
			break;
		}
		server.made = number32(13 + number16(11));
		put_qid(node);
		break;
	case 22:
		if (!nodes[node].target) {
			refuse(P9_EINVAL);
			break;
		}
		put_number(strlen(nodes[node].target), 2);
		put(nodes[node].target, (uint32_t)strlen(nodes[node].target));
		break;
	case 24:
		put_number(0x7ff, 8);
		put_qid(node);
		put_number(nodes[node].type & P9_QID_DIRECTORY ? server.closed ? 0040711 : 0040755
		           : nodes[node].target                ? 0120777
		                                               : 0100644,
		           4);
		for (int i = 0; i < 2; i++)
			put_number(0, 4);
		for (int i = 0; i < 15; i++)
			put_number(i == 2 ? 5 : 0, 8);
		break;
	case 40:
		answer_list(node);
		break;
	case 116:
		put_number(5, 4);
		put("bytes", 5);
		break;
	default:
		refuse(P9_EOPNOTSUPP);
	}
	memcpy(server.reply, &server.length, 4);
}

/* Changes some of the answer, or cuts it. */
static void damage(void)
{
	uint32_t n = next_random() % 4;

	for (uint32_t i = 0; i < n; i++)
		server.reply[next_random() % server.length] = (uint8_t)next_random();
	if (next_random() % 8 == 0)
		server.length = next_random() % (server.length + 1);
}

static int transact(struct p9 *p, uint32_t length, uint32_t room, uint32_t *answered)
{
	(void)p;
	assert_true(length >= 7 && length <= P9_MESSAGE_MAX && number32(0) == length);
	server.asked++;
	answer();
	assert_true(server.length <= room);
	/* To clunk is honest even then, or the count would mean nothing. */
	if (server.seed && server.request[4] != 120)
		damage();
	*answered = server.length;
	return 0;
}

static int start(void **state)
{
	memset(&server, 0, sizeof(server));
	v = calloc(1, sizeof(*v));
	v->mounted_at = "/a/mnt";
	v->number = 1;
	v->p9 = (struct p9){.transact = transact, .request = server.request, .reply = server.reply};
	assert_int_equal(volume_start(v), STATUS_OK);
	*state = v;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	free(v);
	return 0;
}

/* ---- Tests ---- */

static struct msg_text text_of(const char *path)
{
	return (struct msg_text){path, (uint32_t)strlen(path)};
}

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

static void test_the_path_of_a_directory(void **state)
{
	struct msg_text path;
	struct file_stat st;
	uint64_t word;

	(void)state;
	assert_int_equal(
	        volume_open(v, volume_root(v), text_of("l/deep"), OPEN_DIRECTORY, 0, &word, &st),
	        STATUS_OK);
	assert_int_equal(volume_path(v, volume_from(v, volume_find(v, word)), &path), STATUS_OK);
	assert_int_equal(path.len, strlen("/a/mnt/d/deep"));
	assert_memory_equal(path.ptr, "/a/mnt/d/deep", path.len);
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

/* One call of any kind, with a path of any kind. */
static void any_call(void)
{
	static const char *const paths[] = {"d/deep/down", "l/../f", "d/up",  "loop", "abs/x",
	                                    "l/deep/../g", "..",     "d/new", ".",    "d/deep/"};
	struct msg_text path = text_of(paths[next_random() % 10]), other = text_of("l/name"), text;
	struct volume_from from = volume_root(v);
	const struct p9_change change = {.what = P9_SET_MODE, .mode = 0600};
	struct file_stat st;
	struct p9_space space;
	const uint8_t *data;
	uint32_t count, got;
	uint64_t word = 0, next;
	uint16_t end;

	switch (next_random() % 12) {
	case 0:
		(void)volume_stat(v, from, path, true, &st);
		break;
	case 1:
		if (!volume_open(v, from, path, OPEN_READ | OPEN_CREATE, 0600, &word, &st) &&
		    !volume_find(v, word)->directory)
			(void)volume_read(v, volume_find(v, word), 0, 100, &data, &got);
		break;
	case 2:
		(void)volume_list(v, from, 0, next_random() % 8000, &count, &next);
		break;
	case 3:
		(void)volume_make_directory(v, from, path, 0700);
		break;
	case 4:
		(void)volume_remove(v, from, path, next_random() % 2);
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
	answer();
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
	server.refuses = P9_ENXIO;
	assert_int_equal(make_node("fifo", FILE_TYPE_FIFO), STATUS_NOT_PERMITTED);
	assert_int_equal(server.live, 1);
}

/* A fid of which the client was never sure is forgotten by both: the server starts anew. */
static void test_damaged_answers(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 100000; i++) {
		server.seed = i * 2654435761u | 1;
		any_call();
		memset(server.of, 0, sizeof(server.of));
		server.of[0] = 1;
		server.live = 1;
	}
	server.seed = 0;
	stat_is("d/deep", true, STATUS_OK, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_paths, start, stop),
	        cmocka_unit_test_setup_teardown(test_ways_out, start, stop),
	        cmocka_unit_test_setup_teardown(test_a_root_of_its_own_is_not_left, start, stop),
	        cmocka_unit_test_setup_teardown(test_no_walk_asks_much, start, stop),
	        cmocka_unit_test_setup_teardown(test_the_path_of_a_directory, start, stop),
	        cmocka_unit_test_setup_teardown(test_handles_are_bounded_and_words_not_used_again,
	                                        start, stop),
	        cmocka_unit_test_setup_teardown(
	                test_no_fid_is_made_before_the_server_has_given_it_up, start, stop),
	        cmocka_unit_test_setup_teardown(test_nodes, start, stop),
	        cmocka_unit_test_setup_teardown(test_a_directory_that_may_not_be_read_does_not_open,
	                                        start, stop),
	        cmocka_unit_test_setup_teardown(test_damaged_answers, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
