/* SPDX-License-Identifier: MIT */
/*
 * Requests and replies of 9P2000.L.  A reply is read through a cursor that never passes its end;
 * what is read behind the end is 0, and makes the reply malformed.
 */
#include "drivers/virtio-9p/p9.h"

#include <string.h>

enum {
	P9_ERROR = 7,
	P9_STATFS = 8,
	P9_LOPEN = 12,
	P9_LCREATE = 14,
	P9_SYMLINK = 16,
	P9_MKNOD = 18,
	P9_READLINK = 22,
	P9_GETATTR = 24,
	P9_SETATTR = 26,
	P9_READDIR = 40,
	P9_FSYNC = 50,
	P9_LINK = 70,
	P9_MKDIR = 72,
	P9_RENAMEAT = 74,
	P9_UNLINKAT = 76,
	P9_VERSION = 100,
	P9_ATTACH = 104,
	P9_WALK = 110,
	P9_READ = 116,
	P9_WRITE = 118,
	P9_CLUNK = 120,
};

#define P9_HEADER      7u /* size, type, tag */
#define P9_TAG         1u
#define P9_TAG_POST    2u /* and the slot's number */
#define P9_NO_TAG      0xffffu
#define P9_GET_BASIC   0x7ffull
#define P9_ANY_GROUP   UINT32_MAX /* of what is made: the host says, by the directory's mode */
#define P9_REMOVE_DIR  0x200u
#define P9_MESSAGE_MIN 8192u /* less than that would cut every message in pieces */
#define P9_ERROR_MAX   4095u
/* Replies that hold no data: the longest is that to getattr, with 160 bytes. */
#define P9_SMALL_REPLY 512u
#define P9_READ_HEADER (P9_HEADER + 4u)
#define NS_PER_S       1000000000

_Static_assert(P9_DATA_MAX + 64 <= P9_MESSAGE_MAX, "data and its header fit a message");

/* ---- Building ---- */

struct out {
	uint8_t *base;
	uint32_t length; /* may be more than there is room for: then the request is too long */
};

static void put(struct out *o, const void *bytes, uint32_t length)
{
	if (o->length <= P9_MESSAGE_MAX && length <= P9_MESSAGE_MAX - o->length)
		memcpy(o->base + o->length, bytes, length);
	o->length += length;
}

static void put16(struct out *o, uint32_t value)
{
	uint16_t little = (uint16_t)value;

	put(o, &little, sizeof(little));
}

static void put32(struct out *o, uint32_t value)
{
	put(o, &value, sizeof(value));
}

static void put64(struct out *o, uint64_t value)
{
	put(o, &value, sizeof(value));
}

static void put_text(struct out *o, struct p9_text text)
{
	put16(o, text.len);
	put(o, text.ptr, text.len);
}

static struct out begin_at(uint8_t *base, uint8_t type, uint32_t tag)
{
	struct out o = {.base = base};

	put32(&o, 0);
	put(&o, &type, 1);
	put16(&o, tag);
	return o;
}

static struct out begin(struct p9 *p, uint8_t type)
{
	return begin_at(p->request, type, type == P9_VERSION ? P9_NO_TAG : P9_TAG);
}

/* ---- Reading ---- */

struct in {
	const uint8_t *at;
	uint32_t left;
	bool bad; /* something was behind the end */
};

static void get(struct in *i, void *out, uint32_t length)
{
	if (length > i->left) {
		i->bad = true;
		memset(out, 0, length);
		return;
	}
	memcpy(out, i->at, length);
	i->at += length;
	i->left -= length;
}

static uint8_t get8(struct in *i)
{
	uint8_t value;

	get(i, &value, sizeof(value));
	return value;
}

static uint16_t get16(struct in *i)
{
	uint16_t value;

	get(i, &value, sizeof(value));
	return value;
}

static uint32_t get32(struct in *i)
{
	uint32_t value;

	get(i, &value, sizeof(value));
	return value;
}

static uint64_t get64(struct in *i)
{
	uint64_t value;

	get(i, &value, sizeof(value));
	return value;
}

/* length bytes in place; NULL: there are not so many. */
static const uint8_t *get_run(struct in *i, uint32_t length)
{
	const uint8_t *at = i->at;

	if (length > i->left) {
		i->bad = true;
		return NULL;
	}
	i->at += length;
	i->left -= length;
	return at;
}

static struct p9_text get_text(struct in *i)
{
	uint32_t length = get16(i);
	const uint8_t *at = get_run(i, length);

	return (struct p9_text){(const char *)at, at ? length : 0};
}

static struct p9_qid get_qid(struct in *i)
{
	struct p9_qid qid = {.type = get8(i)};

	qid.version = get32(i);
	qid.path = get64(i);
	return qid;
}

/* Nanoseconds; a time that does not fit is the last one that does. */
static int64_t get_time(struct in *i)
{
	uint64_t seconds = get64(i), rest = get64(i);
	int64_t ns;

	if (rest >= NS_PER_S)
		rest = 0;
	if (__builtin_mul_overflow((int64_t)seconds, (int64_t)NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)rest, &ns))
		return (int64_t)seconds < 0 ? INT64_MIN + 1 : INT64_MAX;
	return ns;
}

/* Sends what was built.  room: of the longest reply.  in: what the reply holds behind its
 * header. */
static int call(struct p9 *p, struct out *o, uint32_t room, struct in *in)
{
	uint8_t asked = p->request[4];
	uint32_t answered = 0, size;
	uint16_t tag = asked == P9_VERSION ? P9_NO_TAG : P9_TAG;
	int result;

	if (o->length > p->message_max)
		return -P9_ENAMETOOLONG;
	memcpy(p->request, &o->length, sizeof(o->length));
	result = p->transact(p, o->length, room, &answered);
	if (result)
		return result;
	*in = (struct in){.at = p->reply, .left = answered < room ? answered : room};
	size = get32(in);
	uint8_t type = get8(in);
	if (get16(in) != tag || in->bad || size < P9_HEADER || size - P9_HEADER > in->left)
		return -P9_EPROTO;
	in->left = size - P9_HEADER;
	if (type == P9_ERROR) {
		uint32_t error = get32(in);
		return in->bad || error == 0 || error > P9_ERROR_MAX ? -P9_EPROTO : -(int)error;
	}
	return type == asked + 1 ? 0 : -P9_EPROTO;
}

static int call_simple(struct p9 *p, struct out *o)
{
	struct in in;

	return call(p, o, P9_SMALL_REPLY, &in);
}

/* ---- Sessions ---- */

static const struct p9_text version = {"9P2000.L", 8};

int p9_start(struct p9 *p, uint32_t fid, struct p9_qid *root)
{
	struct out o = begin(p, P9_VERSION);
	struct in in;
	struct p9_text agreed;
	uint32_t most;
	int result;

	p->message_max = P9_MESSAGE_MAX;
	put32(&o, P9_MESSAGE_MAX);
	put_text(&o, version);
	result = call(p, &o, P9_SMALL_REPLY, &in);
	if (result)
		return result;
	most = get32(&in);
	agreed = get_text(&in);
	if (in.bad || most > P9_MESSAGE_MAX || most < P9_MESSAGE_MIN || agreed.len != version.len ||
	    memcmp(agreed.ptr, version.ptr, version.len) != 0)
		return -P9_EPROTO;
	p->message_max = most;

	o = begin(p, P9_ATTACH);
	put32(&o, fid);
	put32(&o, P9_NO_FID);
	put_text(&o, (struct p9_text){"", 0});
	put_text(&o, (struct p9_text){"", 0});
	put32(&o, 0);
	result = call(p, &o, P9_SMALL_REPLY, &in);
	if (result)
		return result;
	*root = get_qid(&in);
	return in.bad || !p9_is_directory(*root) ? -P9_EPROTO : 0;
}

/* ---- Fids ---- */

static bool is_taken(const struct p9 *p, uint32_t fid)
{
	return p->fids[fid / 64] >> fid % 64 & 1;
}

/* The server may still be about to give it up. */
static void await_clunk(struct p9 *p, uint32_t fid)
{
	for (uint32_t i = 0; i < P9_POSTS; i++)
		while (p->posted[i] == fid + 1)
			p->await_post(p, i);
}

/* By turns, so that there is seldom one to be waited for. */
uint32_t p9_take_fid(struct p9 *p, uint32_t first)
{
	for (uint32_t i = 0; i < P9_FIDS; i++) {
		uint32_t fid = p->next_fid;

		p->next_fid = (fid + 1) % P9_FIDS;
		if (fid < first || is_taken(p, fid))
			continue;
		p->fids[fid / 64] |= 1ull << fid % 64;
		return fid;
	}
	return P9_NO_FID;
}

void p9_free_fid(struct p9 *p, uint32_t fid)
{
	p->fids[fid / 64] &= ~(1ull << fid % 64);
}

/* A slot for a request that nobody waits for. */
static uint32_t take_slot(struct p9 *p)
{
	uint32_t slot;

	for (uint32_t i = 0; i < P9_POSTS; i++)
		if (!p->posted[i])
			return i;
	slot = p->next_post++ % P9_POSTS;
	while (p->posted[slot])
		p->await_post(p, slot);
	return slot;
}

void p9_clunk(struct p9 *p, uint32_t fid)
{
	uint8_t message[P9_POST_BYTES];
	uint32_t slot = p->post ? take_slot(p) : 0;
	struct out o =
	        p->post ? begin_at(message, P9_CLUNK, P9_TAG_POST + slot) : begin(p, P9_CLUNK);

	put32(&o, fid);
	p9_free_fid(p, fid);
	/* The fid is gone, whatever the answer. */
	if (!p->post) {
		(void)call_simple(p, &o);
		return;
	}
	memcpy(message, &o.length, sizeof(o.length));
	p->posted[slot] = fid + 1;
	if (p->post(p, slot, message, o.length))
		p->posted[slot] = 0;
}

int p9_walk(struct p9 *p, uint32_t fid, uint32_t new_fid, const struct p9_text *names,
            uint32_t count, struct p9_qid *qids, uint32_t *walked)
{
	struct out o;
	struct in in;
	int result;

	*walked = 0;
	await_clunk(p, new_fid);
	o = begin(p, P9_WALK);
	put32(&o, fid);
	put32(&o, new_fid);
	put16(&o, count);
	for (uint32_t i = 0; i < count; i++)
		put_text(&o, names[i]);
	result = call(p, &o, P9_SMALL_REPLY, &in);
	if (result)
		return result;
	*walked = get16(&in);
	if (*walked > count || (count && !*walked))
		return -P9_EPROTO;
	for (uint32_t i = 0; i < *walked; i++)
		qids[i] = get_qid(&in);
	return in.bad ? -P9_EPROTO : 0;
}

/* ---- Attributes ---- */

int p9_get(struct p9 *p, uint32_t fid, struct p9_attributes *out)
{
	struct out o = begin(p, P9_GETATTR);
	struct in in;
	int result;

	put32(&o, fid);
	put64(&o, P9_GET_BASIC);
	result = call(p, &o, P9_SMALL_REPLY, &in);
	if (result)
		return result;
	(void)get64(&in); /* what is valid: a server that lacks something says 0 there */
	out->qid = get_qid(&in);
	out->mode = get32(&in);
	out->user = get32(&in);
	out->group = get32(&in);
	out->links = get64(&in);
	out->device = get64(&in);
	out->size = get64(&in);
	(void)get64(&in); /* block size */
	out->blocks = get64(&in);
	out->access_ns = get_time(&in);
	out->modify_ns = get_time(&in);
	out->change_ns = get_time(&in);
	return in.bad || out->size > INT64_MAX ? -P9_EPROTO : 0;
}

/* Seconds are rounded down, so that the rest is never negative. */
static void put_time(struct out *o, int64_t ns)
{
	int64_t seconds = ns / NS_PER_S, rest = ns % NS_PER_S;

	if (rest < 0) {
		rest += NS_PER_S;
		seconds--;
	}
	put64(o, (uint64_t)seconds);
	put64(o, (uint64_t)rest);
}

int p9_set(struct p9 *p, uint32_t fid, const struct p9_change *change)
{
	struct out o = begin(p, P9_SETATTR);

	put32(&o, fid);
	put32(&o, change->what);
	put32(&o, change->mode);
	put32(&o, change->user);
	put32(&o, change->group);
	put64(&o, change->size);
	put_time(&o, change->access_ns);
	put_time(&o, change->modify_ns);
	return call_simple(p, &o);
}

int p9_space(struct p9 *p, uint32_t fid, struct p9_space *out)
{
	struct out o = begin(p, P9_STATFS);
	struct in in;
	int result;

	put32(&o, fid);
	result = call(p, &o, P9_SMALL_REPLY, &in);
	if (result)
		return result;
	(void)get32(&in); /* type */
	out->block_size = get32(&in);
	out->blocks = get64(&in);
	(void)get64(&in); /* free for the host's superuser */
	out->free_blocks = get64(&in);
	out->files = get64(&in);
	return in.bad ? -P9_EPROTO : 0;
}

int p9_sync(struct p9 *p, uint32_t fid, bool data_only)
{
	struct out o = begin(p, P9_FSYNC);

	put32(&o, fid);
	put32(&o, data_only);
	return call_simple(p, &o);
}

/* ---- Files ---- */

int p9_open(struct p9 *p, uint32_t fid, uint32_t flags, struct p9_qid *qid)
{
	struct out o = begin(p, P9_LOPEN);
	struct in in;
	int result;

	put32(&o, fid);
	put32(&o, flags);
	result = call(p, &o, P9_SMALL_REPLY, &in);
	if (result || !qid)
		return result;
	*qid = get_qid(&in);
	return in.bad ? -P9_EPROTO : 0;
}

int p9_create(struct p9 *p, uint32_t fid, struct p9_text name, uint32_t flags, uint32_t mode,
              struct p9_qid *qid)
{
	struct out o = begin(p, P9_LCREATE);
	struct in in;
	int result;

	put32(&o, fid);
	put_text(&o, name);
	put32(&o, flags);
	put32(&o, mode);
	put32(&o, P9_ANY_GROUP);
	result = call(p, &o, P9_SMALL_REPLY, &in);
	if (result)
		return result;
	*qid = get_qid(&in);
	return in.bad ? -P9_EPROTO : 0;
}

/* What a reply of at most `length` bytes of data holds: count, data. */
static int get_data(struct in *in, uint32_t length, const uint8_t **data, uint32_t *got)
{
	*got = get32(in);
	if (in->bad || *got > length)
		return -P9_EPROTO;
	*data = get_run(in, *got);
	return *data ? 0 : -P9_EPROTO;
}

static uint32_t at_most(const struct p9 *p, uint32_t length)
{
	uint32_t most = p->message_max - 64; /* the longest header of data is 23 bytes */

	return length < most ? length : most;
}

int p9_read(struct p9 *p, uint32_t fid, uint64_t offset, uint32_t length, const uint8_t **data,
            uint32_t *got)
{
	struct out o = begin(p, P9_READ);
	struct in in;
	int result;

	length = at_most(p, length);
	put32(&o, fid);
	put64(&o, offset);
	put32(&o, length);
	result = call(p, &o,
	              length + P9_READ_HEADER < P9_SMALL_REPLY ? P9_SMALL_REPLY
	                                                       : length + P9_READ_HEADER,
	              &in);
	return result ? result : get_data(&in, length, data, got);
}

int p9_write(struct p9 *p, uint32_t fid, uint64_t offset, const void *data, uint32_t length,
             uint32_t *put_)
{
	struct out o = begin(p, P9_WRITE);
	struct in in;
	int result;

	length = at_most(p, length);
	put32(&o, fid);
	put64(&o, offset);
	put32(&o, length);
	put(&o, data, length);
	result = call(p, &o, P9_SMALL_REPLY, &in);
	if (result)
		return result;
	*put_ = get32(&in);
	return in.bad || *put_ > length ? -P9_EPROTO : 0;
}

/* ---- Directories ---- */

int p9_list(struct p9 *p, uint32_t fid, uint64_t offset, uint32_t length, struct p9_entries *out)
{
	struct out o = begin(p, P9_READDIR);
	struct in in;
	int result;

	length = at_most(p, length);
	put32(&o, fid);
	put64(&o, offset);
	put32(&o, length);
	result = call(p, &o, length + P9_SMALL_REPLY, &in);
	return result ? result : get_data(&in, length, &out->at, &out->left);
}

int p9_next_entry(struct p9_entries *entries, struct p9_entry *out)
{
	struct in in = {.at = entries->at, .left = entries->left};

	if (!in.left)
		return 0;
	out->qid = get_qid(&in);
	out->next = get64(&in);
	out->type = get8(&in);
	out->name = get_text(&in);
	if (in.bad || !out->name.len || out->name.len > P9_NAME_MAX ||
	    memchr(out->name.ptr, '/', out->name.len) || memchr(out->name.ptr, 0, out->name.len))
		return -P9_EPROTO;
	entries->at = in.at;
	entries->left = in.left;
	return 1;
}

int p9_make_directory(struct p9 *p, uint32_t fid, struct p9_text name, uint32_t mode)
{
	struct out o = begin(p, P9_MKDIR);

	put32(&o, fid);
	put_text(&o, name);
	put32(&o, mode);
	put32(&o, P9_ANY_GROUP);
	return call_simple(p, &o);
}

int p9_make_node(struct p9 *p, uint32_t fid, struct p9_text name, uint32_t mode)
{
	struct out o = begin(p, P9_MKNOD);

	put32(&o, fid);
	put_text(&o, name);
	put32(&o, mode);
	put32(&o, 0); /* device */
	put32(&o, 0);
	put32(&o, P9_ANY_GROUP);
	return call_simple(p, &o);
}

int p9_make_symlink(struct p9 *p, uint32_t fid, struct p9_text name, struct p9_text target)
{
	struct out o = begin(p, P9_SYMLINK);

	put32(&o, fid);
	put_text(&o, name);
	put_text(&o, target);
	put32(&o, P9_ANY_GROUP);
	return call_simple(p, &o);
}

int p9_read_link(struct p9 *p, uint32_t fid, struct p9_text *target)
{
	struct out o = begin(p, P9_READLINK);
	struct in in;
	int result;

	put32(&o, fid);
	result = call(p, &o, P9_TEXT_MAX + P9_SMALL_REPLY, &in);
	if (result)
		return result;
	*target = get_text(&in);
	return in.bad || !target->len || target->len > P9_TEXT_MAX ||
	                       memchr(target->ptr, 0, target->len)
	               ? -P9_EPROTO
	               : 0;
}

int p9_link(struct p9 *p, uint32_t directory, uint32_t fid, struct p9_text name)
{
	struct out o = begin(p, P9_LINK);

	put32(&o, directory);
	put32(&o, fid);
	put_text(&o, name);
	return call_simple(p, &o);
}

int p9_rename(struct p9 *p, uint32_t from, struct p9_text old, uint32_t to, struct p9_text new)
{
	struct out o = begin(p, P9_RENAMEAT);

	put32(&o, from);
	put_text(&o, old);
	put32(&o, to);
	put_text(&o, new);
	return call_simple(p, &o);
}

int p9_remove(struct p9 *p, uint32_t directory, struct p9_text name, bool is_directory)
{
	struct out o = begin(p, P9_UNLINKAT);

	put32(&o, directory);
	put_text(&o, name);
	put32(&o, is_directory ? P9_REMOVE_DIR : 0);
	return call_simple(p, &o);
}
