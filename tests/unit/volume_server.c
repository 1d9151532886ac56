/* SPDX-License-Identifier: MIT */
/*
 * The server: answers as an honest one has them, of which some are damaged then, or put in the
 * place of another.
 */
#include "volume_server.h"

#define HUNDRED                                                                            \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../" \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../" \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../" \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../" \
	"deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../deep/../"
static const char zigzag[] =
        HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED "zigzag";

static const struct node first_nodes[] = {
        {.name = "", .parent = 0, .type = P9_QID_DIRECTORY},
        {.name = "d", .parent = 0, .type = P9_QID_DIRECTORY},
        {.name = "f", .parent = 0, .type = 0},
        {.name = "l", .parent = 0, .type = P9_QID_SYMLINK, .target = "d"},
        {.name = "abs", .parent = 0, .type = P9_QID_SYMLINK, .target = "/etc/x"},
        {.name = "up", .parent = 1, .type = P9_QID_SYMLINK, .target = "../../y"},
        {.name = "loop", .parent = 0, .type = P9_QID_SYMLINK, .target = "loop"},
        {.name = "g", .parent = 1, .type = 0},
        {.name = "deep", .parent = 1, .type = P9_QID_DIRECTORY},
        {.name = "down", .parent = 8, .type = P9_QID_SYMLINK, .target = "../g"},
        {.name = "zigzag",
         .parent = 1,
         .type = P9_QID_SYMLINK,
         .target = zigzag}, /* to itself, by a thousand names */
};
_Static_assert(sizeof(first_nodes) / sizeof(first_nodes[0]) == SERVER_NODES, "as many as it says");

struct volume_server server;
struct volume *v;

uint32_t server_random(void)
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
	put_number(server.nodes[node].type, 1);
	put_number(0, 4);
	put_number((server.nodes[node].number ? server.nodes[node].number : (uint32_t)node) +
	                   100ull,
	           8);
}

static void set_fid(uint32_t fid, int node)
{
	assert_true(fid < FIDS);
	server.live += !server.of[fid];
	server.of[fid] = node + 1;
}

static int find(int directory, const char *name, uint32_t length)
{
	if (!(server.nodes[directory].type & P9_QID_DIRECTORY))
		return -1;
	if (length == 2 && !memcmp(name, "..", 2))
		return server.nodes[directory].parent;
	for (int i = 1; i < server.nodes_count; i++)
		if (server.nodes[i].name && server.nodes[i].parent == directory &&
		    strlen(server.nodes[i].name) == length &&
		    !memcmp(server.nodes[i].name, name, length))
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
		int next = !server.nodes[node].name
		                   ? -1
		                   : find(node, (const char *)server.request + at + 2, length);

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
		assert_true(server.seed || server.lie_to || server.of[number32(11)] == 0);
		set_fid(number32(11), node);
	}
}

static void answer_list(int directory)
{
	uint32_t where = server.length, from = number32(11), used;

	put_number(0, 4);
	for (int i = (int)from; i < server.nodes_count; i++) {
		if (i == 0 || !server.nodes[i].name || server.nodes[i].parent != directory)
			continue;
		put_qid(i);
		put_number((uint64_t)i + 1, 8);
		put_number(server.nodes[i].type & P9_QID_DIRECTORY ? 4 : 8, 1);
		put_number(strlen(server.nodes[i].name), 2);
		put(server.nodes[i].name, (uint32_t)strlen(server.nodes[i].name));
	}
	used = server.length - where - 4;
	memcpy(server.reply + where, &used, 4);
}

/* What the request has as a text there. */
static struct p9_text text_at(uint32_t at)
{
	return (struct p9_text){(const char *)server.request + at + 2, number16(at)};
}

static int add(int directory, struct p9_text name, uint8_t type)
{
	struct node *n = &server.nodes[server.nodes_count];

	assert_true(server.nodes_count < SERVER_NODES_MAX && name.len < sizeof(n->own));
	*n = (struct node){.parent = directory, .type = type};
	memcpy(n->own, name.ptr, name.len);
	n->name = n->own;
	return server.nodes_count++;
}

/* A new name in the directory; false: it was refused. */
static bool answer_new(int directory, struct p9_text name, uint8_t type, int *made)
{
	if (find(directory, name.ptr, name.len) >= 0) {
		refuse(P9_EEXIST);
		return false;
	}
	*made = add(directory, name, type);
	return true;
}

static void answer_move(int from)
{
	struct p9_text old = text_at(11);
	uint32_t second = 13 + old.len;
	int to = server.of[number32(second)] - 1, node = find(from, old.ptr, old.len);
	struct p9_text new = text_at(second + 4);
	int there = to < 0 ? -1 : find(to, new.ptr, new.len);

	if (node < 0 || to < 0 || (server.refuse_move && !--server.refuse_move)) {
		refuse(node < 0 ? P9_ENOENT : P9_EIO);
		return;
	}
	if (there >= 0 && server.nodes[there].number &&
	    server.nodes[there].number == server.nodes[node].number)
		return; /* two names of one file */
	if (there >= 0)
		server.nodes[there].name = NULL;
	memset(server.nodes[node].own, 0, sizeof(server.nodes[node].own));
	assert_true(new.len < sizeof(server.nodes[node].own));
	memcpy(server.nodes[node].own, new.ptr, new.len);
	server.nodes[node].name = server.nodes[node].own;
	server.nodes[node].parent = to;
}

static void answer_link(int directory)
{
	int node = server.of[number32(11)] - 1, made;

	if (node < 0 || !answer_new(directory, text_at(15), server.nodes[node].type, &made))
		return;
	if (!server.nodes[node].number)
		server.nodes[node].number = (uint32_t)node;
	server.nodes[made].number = server.nodes[node].number;
}

void server_answer(void)
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
	case 14: /* lcreate: name, flags, mode, group */
		if (answer_new(node, text_at(11), 0, &node)) {
			set_fid(number32(7), node);
			put_qid(node);
			put_number(0, 4);
		}
		break;
	case 70:
		answer_link(node);
		break;
	case 72: /* mkdir: name, mode, group */
		if (answer_new(node, text_at(11), P9_QID_DIRECTORY, &node))
			put_qid(node);
		break;
	case 74:
		answer_move(node);
		break;
	case 76:
		node = find(node, text_at(11).ptr, text_at(11).len);
		if (node < 0)
			refuse(P9_ENOENT);
		else
			server.nodes[node].name = NULL;
		break;
	case 22:
		if (!server.nodes[node].target) {
			refuse(P9_EINVAL);
			break;
		}
		put_number(strlen(server.nodes[node].target), 2);
		put(server.nodes[node].target, (uint32_t)strlen(server.nodes[node].target));
		break;
	case 24:
		put_number(0x7ff, 8);
		put_qid(node);
		put_number(server.nodes[node].type & P9_QID_DIRECTORY
		                   ? server.closed ? 0040711 : 0040755
		           : server.nodes[node].target ? 0120777
		                                       : 0100644,
		           4);
		for (int i = 0; i < 2; i++)
			put_number(0, 4);
		for (int i = 0; i < 15; i++)
			put_number(i == 2 ? (node < SERVER_NODES ? 5 : 0) : i == 0, 8);
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
	uint32_t n = server_random() % 4;

	for (uint32_t i = 0; i < n; i++)
		server.reply[server_random() % server.length] = (uint8_t)server_random();
	if (server_random() % 8 == 0)
		server.length = server_random() % (server.length + 1);
}

static int transact(struct p9 *p, uint32_t length, uint32_t room, uint32_t *answered)
{
	(void)p;
	assert_true(length >= 7 && length <= P9_MESSAGE_MAX && number32(0) == length);
	server.asked++;
	server_answer();
	if (server.lie_to == server.request[4]) {
		memcpy(server.reply, server.lie, server.lie_length);
		server.length = server.lie_length;
	}
	assert_true(server.length <= room);
	/* To clunk is honest even then, or the count would mean nothing. */
	if (server.seed && server.request[4] != 120)
		damage();
	*answered = server.length;
	return 0;
}

void server_reset(void)
{
	memset(server.nodes, 0, sizeof(server.nodes));
	memcpy(server.nodes, first_nodes, sizeof(first_nodes));
	server.nodes_count = SERVER_NODES;
}

int server_start(void **state)
{
	memset(&server, 0, sizeof(server));
	server_reset();
	v = calloc(1, sizeof(*v));
	v->mounted_at = "/a/mnt";
	v->number = 1;
	v->p9 = (struct p9){.transact = transact, .request = server.request, .reply = server.reply};
	assert_int_equal(volume_start(v), STATUS_OK);
	*state = v;
	return 0;
}

int server_stop(void **state)
{
	(void)state;
	free(v);
	return 0;
}
