/* SPDX-License-Identifier: MIT */
/*
 * Path resolution over 9P: as many names as possible go in one request, whose answer says which of
 * them are symlinks; a symlink's target is put in front of what is left.
 */
#include "drivers/virtio-9p/walk.h"

#include <string.h>

/* ---- Fids ---- */

static uint32_t take_fid(struct walk *w)
{
	for (uint32_t i = 0; i < WALK_FIDS_MAX; i++) {
		uint32_t fid = w->held[i] ? P9_NO_FID : p9_take_fid(w->p, w->first_fid);

		if (fid == P9_NO_FID)
			continue;
		w->held[i] = fid + 1;
		return fid;
	}
	return P9_NO_FID; /* a walk holds three at a time: all numbers are taken */
}

/* Whether it is the walk's, which it is no more. */
static bool let_go(struct walk *w, uint32_t fid)
{
	for (uint32_t i = 0; i < WALK_FIDS_MAX; i++) {
		if (fid == P9_NO_FID || w->held[i] != fid + 1)
			continue;
		w->held[i] = 0;
		return true;
	}
	return false;
}

/* A fid that was taken, but does not exist at the server. */
static void untake(struct walk *w, uint32_t fid)
{
	if (let_go(w, fid))
		p9_free_fid(w->p, fid);
}

/* Gives a fid back, if it is the walk's. */
static void drop(struct walk *w, uint32_t fid)
{
	if (let_go(w, fid))
		p9_clunk(w->p, fid);
}

/* Leaves a fid that the walk holds to the trail, for so much of the path. */
static void leave_on_trail(struct walk *w, uint32_t fid, struct p9_qid qid, struct p9_qid above,
                           uint32_t length)
{
	const struct trail_step step = {.fid = fid + 1,
	                                .qid = qid,
	                                .above = above,
	                                .seen = fid == w->fid ? w->seen : 0,
	                                .known = fid == w->fid && w->known,
	                                .stat = w->stat};
	const struct p9_text path = {w->text[0], length};

	if (length && length <= TRAIL_TEXT && !p9_is_symlink(qid) && let_go(w, fid))
		trail_leave(w->trail, w->p, w->from->word, path, &step);
}

void walk_finish(struct walk *w)
{
	if (w->plain && !w->symlinks) {
		if (w->dir != P9_NO_FID)
			leave_on_trail(w, w->dir, w->dir_qid, w->dir_above, w->dir_length);
		if (w->fid != P9_NO_FID)
			leave_on_trail(w, w->fid, w->qid, w->above, w->plain);
	}
	walk_discard(w);
}

void walk_discard(struct walk *w)
{
	w->plain = 0;
	w->dir = P9_NO_FID;
	for (uint32_t i = 0; i < WALK_FIDS_MAX; i++)
		if (w->held[i])
			drop(w, w->held[i] - 1);
	w->fid = w->parent = P9_NO_FID;
}

bool walk_is_same(const struct walk *w, uint64_t path, bool directory, bool symlink)
{
	return !w->by_trail ||
	       (path == w->qid.path && directory == p9_is_directory(w->qid) && !symlink);
}

static int keep(struct walk *w, uint32_t fid, uint32_t *out)
{
	uint32_t walked;
	int result;

	*out = fid;
	/* The trail's next walk has more of a copy than what is made of it. */
	if ((fid != w->dir || !w->plain || w->symlinks) && let_go(w, fid))
		return 0;
	*out = p9_take_fid(w->p, w->first_fid);
	if (*out == P9_NO_FID)
		return -P9_EMFILE;
	result = p9_walk(w->p, fid, *out, NULL, 0, NULL, &walked);
	if (result)
		p9_free_fid(w->p, *out);
	return result;
}

int walk_keep(struct walk *w, uint32_t *fid)
{
	return keep(w, w->fid, fid);
}

int walk_keep_parent(struct walk *w, uint32_t *fid)
{
	return keep(w, w->parent, fid);
}

/* Goes from `at` by all of the names to *out, a fid of the walk's.  A negative result is the first
 * name's error; *walked < count: the next name is not there. */
static int go(struct walk *w, uint32_t at, const struct p9_text *names, uint32_t count,
              struct p9_qid *qids, uint32_t *walked, uint32_t *out)
{
	uint32_t fid = take_fid(w);
	int result;

	*out = P9_NO_FID;
	*walked = 0;
	if (fid == P9_NO_FID)
		return -P9_EMFILE;
	result = p9_walk(w->p, at, fid, names, count, qids, walked);
	if (result || *walked < count)
		untake(w, fid);
	else
		*out = fid;
	return result;
}

static void move_to(struct walk *w, uint32_t fid, struct p9_qid qid)
{
	if (w->at != fid && w->at != w->dir)
		drop(w, w->at);
	w->at = fid;
	w->at_qid = qid;
}

static void move_to_root(struct walk *w)
{
	move_to(w, w->from->root, w->from->root_qid);
	w->entry = (struct p9_text){"", 0};
	w->below_root = true;
}

static bool is_root(const struct walk *w, struct p9_qid qid)
{
	return qid.path == w->from->root_qid.path && p9_is_directory(qid);
}

/* ---- Text ---- */

static void skip(struct walk *w, uint32_t length)
{
	w->rest += length;
	w->left -= length;
}

static void skip_slashes(struct walk *w)
{
	while (w->left && *w->rest == '/')
		skip(w, 1);
}

static uint32_t component_length(const char *text, uint32_t left)
{
	const char *slash = left ? memchr(text, '/', left) : NULL;

	return slash ? (uint32_t)(slash - text) : left;
}

static bool is_dot(struct p9_text name)
{
	return name.len == 1 && name.ptr[0] == '.';
}

static bool is_dot_dot(struct p9_text name)
{
	return name.len == 2 && name.ptr[0] == '.' && name.ptr[1] == '.';
}

/* The path leads out: it goes on with two texts, put together. */
static int leave(struct walk *w, const char *first, uint32_t first_length, const char *second,
                 uint32_t second_length)
{
	if (first_length + second_length > P9_TEXT_MAX)
		return -P9_ENAMETOOLONG;
	memcpy(w->leaves, first, first_length);
	memcpy(w->leaves + first_length, second, second_length);
	w->leaves_length = first_length + second_length;
	w->leaves[w->leaves_length] = 0;
	return WALK_LEAVES;
}

/* By ".." at the volume's root: to the directory that it is mounted in.  rest: what follows. */
static int leave_upwards(struct walk *w, const char *rest, uint32_t left)
{
	const char *slash = strrchr(w->mounted_at, '/');
	uint32_t length = slash && slash != w->mounted_at ? (uint32_t)(slash - w->mounted_at) : 0;

	if (left && *rest == '/')
		return leave(w, w->mounted_at, length, rest, left);
	return length ? leave(w, w->mounted_at, length, rest, left) : leave(w, "/", 1, rest, left);
}

/* The names that one request takes. */
struct batch {
	struct p9_text names[P9_WALK_MAX];
	struct p9_qid qids[P9_WALK_MAX];
	uint32_t count, walked;
	bool ends;    /* its last name is the path's last */
	bool upwards; /* ".." is among them */
};

#define DEPTH_MAX 2048u /* of directories below each other: a path of 4095 bytes has no more */

/* For a walk that is contained and goes upwards: whether it is below its root.  A directory may
 * have been moved out from under that, and must not lead on from there.  Once in a walk: from a
 * place below the root the walk itself leads nowhere else, and no client moves anything meanwhile.
 * Asked again for each batch, one path could take as many requests as it has names times the
 * directories above them, and every other client waits. */
static int check_below_root(struct walk *w)
{
	static const struct p9_text up = {"..", 2};
	uint32_t at = w->at, next, walked;
	struct p9_qid qid = w->at_qid, above;
	int result = 0;

	for (uint32_t depth = 0; !is_root(w, qid) && !result; depth++) {
		result =
		        depth == DEPTH_MAX ? -P9_EACCES : go(w, at, &up, 1, &above, &walked, &next);
		if (result)
			break;
		if (at != w->at)
			drop(w, at);
		at = next;
		if (above.path == qid.path)
			result = -P9_EACCES; /* the volume's root, without having met its own */
		qid = above;
	}
	if (at != w->at)
		drop(w, at);
	w->below_root = !result;
	return result;
}

/* Puts the names in front of `last` (the path's last name) into the batch, and it too unless it is
 * wanted by itself. */
static int fill(struct walk *w, struct batch *b)
{
	/* Each directory on the way has to be asked about, unless user 0 walks. */
	const uint32_t most = w->who && w->who->user ? 1 : P9_WALK_MAX;
	const char *at = w->rest;
	uint32_t left = w->left;

	*b = (struct batch){.count = 0};
	while (left && b->count < most) {
		struct p9_text name = {at, component_length(at, left)};
		uint32_t next = name.len;

		if (name.len > P9_NAME_MAX)
			return -P9_ENAMETOOLONG;
		while (next < left && at[next] == '/')
			next++;
		b->ends = next == left;
		if (b->ends)
			w->slash = next > name.len;
		if (b->ends && w->want_parent && !is_dot(name) && !is_dot_dot(name)) {
			b->ends = false;
			break;
		}
		b->upwards |= is_dot_dot(name);
		if (!is_dot(name))
			b->names[b->count++] = name;
		at += next;
		left -= next;
		/* What a dot follows is to be a directory, as what a name follows is. */
		b->ends &= !b->count || !is_dot(name);
	}
	return 0;
}

/* What follows name i of the batch in the path. */
static uint32_t behind(const struct walk *w, const struct p9_text *name, const char **rest)
{
	*rest = name->ptr + name->len;
	return w->left - (uint32_t)(*rest - w->rest);
}

/* ---- Symlinks ---- */

/* Puts the target of the symlink `name` in the directory w->at in front of what follows it. */
static int expand(struct walk *w, const struct p9_text *name)
{
	char *into = w->text[!w->side];
	struct p9_text target;
	struct p9_qid qid;
	uint32_t fid, walked, left;
	const char *rest;
	int result = ++w->symlinks > WALK_SYMLINKS_MAX ? -P9_ELOOP
	                                               : go(w, w->at, name, 1, &qid, &walked, &fid);

	if (result)
		return result;
	result = p9_is_symlink(qid) ? p9_read_link(w->p, fid, &target) : -P9_ENOENT;
	left = behind(w, name, &rest);
	if (!result && target.len + left > P9_TEXT_MAX)
		result = -P9_ENAMETOOLONG;
	if (!result) {
		memcpy(into, target.ptr, target.len);
		memcpy(into + target.len, rest, left);
	}
	drop(w, fid);
	if (result)
		return result;
	w->side = !w->side;
	w->rest = into;
	w->left = target.len + left;
	if (*into == '/' && !w->from->contained)
		return leave(w, into, w->left, "", 0);
	if (*into == '/')
		move_to_root(w);
	return 0;
}

/* ---- Steps ---- */

/* Goes by the first `count` names of the batch, which are no symlinks. */
static int advance(struct walk *w, struct batch *b, uint32_t count)
{
	struct p9_qid qids[P9_WALK_MAX];
	uint32_t fid, walked;
	int result;

	if (!count)
		return 0;
	result = go(w, w->at, b->names, count, qids, &walked, &fid);
	if (!result && walked < count)
		result = -P9_ENOENT; /* it was there a moment ago */
	if (!result)
		move_to(w, fid, qids[count - 1]);
	return result;
}

/* ".." at a root, as name i of the batch. */
static int at_root(struct walk *w, struct batch *b, uint32_t i)
{
	const char *rest;
	uint32_t left = behind(w, &b->names[i], &rest);

	if (!w->from->contained)
		return leave_upwards(w, rest, left);
	w->rest = rest;
	w->left = left;
	move_to_root(w);
	return 0;
}

/* Whether a symlink as name i of the batch is to be followed. */
static bool follows(const struct walk *w, const struct batch *b, uint32_t i)
{
	bool last = b->ends && i == b->count - 1;

	return !last || w->end == WALK_END_FOLLOW || (w->end == WALK_END_LINK && w->slash);
}

/* Looks at what the names of the batch turned out to be.  *over: the walk went another way, and
 * goes on with a new batch. */
static int look_at(struct walk *w, struct batch *b, bool *over)
{
	*over = true;
	for (uint32_t i = 0; i < b->walked; i++) {
		struct p9_qid before = i ? b->qids[i - 1] : w->at_qid;

		if (is_dot_dot(b->names[i]) && is_root(w, before))
			return at_root(w, b, i);
		if (p9_is_symlink(b->qids[i]) && follows(w, b, i)) {
			int result = advance(w, b, i);
			return result ? result : expand(w, &b->names[i]);
		}
		if (!p9_is_directory(b->qids[i]) && !(b->ends && i == b->count - 1))
			return -P9_ENOTDIR;
		places_note(w->places, before, b->names[i], b->qids[i]);
		w->above = before;
		w->entry = is_dot_dot(b->names[i]) ? (struct p9_text){"", 0} : b->names[i];
	}
	*over = false;
	return 0;
}

/* By the first `count` names of places->way, the last first, from the root. */
static int go_way(struct walk *w, uint32_t count)
{
	const struct place *const *way = w->places->way;
	int result = 0;

	move_to_root(w);
	while (count && !result) {
		const uint32_t n = count < P9_WALK_MAX ? count : P9_WALK_MAX;
		struct p9_text names[P9_WALK_MAX];
		struct p9_qid qids[P9_WALK_MAX];
		uint32_t walked, fid;

		for (uint32_t i = 0; i < n; i++)
			names[i] = (struct p9_text){way[count - 1 - i]->name,
			                            way[count - 1 - i]->length};
		result = go(w, w->at, names, n, qids, &walked, &fid);
		if (!result && walked < n)
			result = -P9_ENOENT;
		if (!result)
			move_to(w, fid, qids[n - 1]);
		for (uint32_t i = 0; !result && i < n; i++)
			if (!p9_is_directory(qids[i]) || qids[i].path != way[count - 1 - i]->path)
				result = -P9_ENOENT;
		count -= n;
	}
	return result;
}

int walk_remembered(struct walk *w, const struct walk_from *from, uint64_t path)
{
	uint32_t count;
	int result;

	w->from = from;
	w->at = from->root;
	result = places_way(w->places, path, from->root_qid.path, &count) ? go_way(w, count)
	                                                                  : -P9_ENOENT;
	w->fid = w->at;
	w->qid = w->at_qid;
	return result;
}

static bool goes_upwards(const struct walk *w)
{
	return is_dot_dot((struct p9_text){w->rest, component_length(w->rest, w->left)});
}

static bool starts_upwards(const struct walk *w)
{
	return w->at == w->from->start && goes_upwards(w);
}

/* ".." from a directory that was removed: the server knows it no more, but it still leads to where
 * that was; which may be gone, too. */
static int rise_from_removed(struct walk *w)
{
	uint64_t path = w->at_qid.path;
	int result = -P9_ENOENT;

	while (result == -P9_ENOENT && goes_upwards(w)) {
		const struct place *gone = places_find(w->places, path);
		uint32_t count;

		if (!gone || !places_way(w->places, gone->above, w->from->root_qid.path, &count))
			break;
		path = gone->above;
		skip(w, 2);
		w->gone += count;
		result = w->gone > WALK_NAMES_MAX ? -P9_ELOOP : go_way(w, count);
		skip_slashes(w);
	}
	return result;
}

/* The walk is at the directory of the path's last name. */
static void note_dir(struct walk *w, const struct p9_text *name)
{
	if (w->symlinks || !w->plain)
		return;
	w->dir = w->at;
	w->dir_qid = w->at_qid;
	w->dir_above = w->above;
	w->dir_length = (uint32_t)(name->ptr - w->text[0]);
	while (w->dir_length && w->text[0][w->dir_length - 1] == '/')
		w->dir_length--;
}

/* One batch. */
static int step(struct walk *w, struct batch *b)
{
	uint32_t fid;
	bool over;
	int result = w->from->contained && b->upwards && !w->below_root ? check_below_root(w) : 0;

	w->gone += b->count;
	if (!result && w->gone > WALK_NAMES_MAX)
		result = -P9_ELOOP;
	if (!result)
		result = go(w, w->at, b->names, b->count, b->qids, &b->walked, &fid);
	if (result)
		return result == -P9_ENOENT && starts_upwards(w) ? rise_from_removed(w) : result;
	result = look_at(w, b, &over);
	if (result || over) {
		drop(w, fid);
		return result;
	}
	if (b->walked < b->count) { /* why the next is not there is asked of it alone */
		uint32_t walked;

		result = advance(w, b, b->walked);
		if (!result && b->ends && b->walked == b->count - 1)
			note_dir(w, &b->names[b->walked]);
		if (!result)
			result = go(w, w->at, &b->names[b->walked], 1, b->qids, &walked, &fid);
		if (!result)
			drop(w, fid); /* it came to be: the path is gone by anew from here */
		if (result)
			return result;
		fid = P9_NO_FID;
	}
	if (fid != P9_NO_FID)
		move_to(w, fid, b->qids[b->count - 1]);
	const struct p9_text *last = &b->names[b->walked - 1];
	skip(w, (uint32_t)(last->ptr + last->len - w->rest));
	return 0;
}

/* The path's last name, in the directory w->at.  *done: the walk has ended. */
static int last_step(struct walk *w, bool *done)
{
	struct p9_text name = {w->rest, component_length(w->rest, w->left)};
	struct p9_qid qid;
	uint32_t walked;
	int result;

	if (!p9_is_directory(w->at_qid))
		return -P9_ENOTDIR;
	note_dir(w, &name);
	result = w->end == WALK_END_NEW && !w->slash
	                 ? -P9_ENOENT
	                 : go(w, w->at, &name, 1, &qid, &walked, &w->fid);
	if (result && result != -P9_ENOENT)
		return result;
	if (!result && p9_is_symlink(qid) &&
	    (w->end == WALK_END_FOLLOW || (w->end == WALK_END_LINK && w->slash))) {
		drop(w, w->fid);
		w->fid = P9_NO_FID;
		return expand(w, &name);
	}
	*done = true;
	if (!result)
		places_note(w->places, w->at_qid, name, qid);
	w->above = w->at_qid;
	w->entry = name;
	w->qid = qid;
	w->parent = w->at;
	w->parent_qid = w->at_qid;
	w->name = name;
	return 0;
}

static int run(struct walk *w)
{
	struct batch b;
	bool done = false;

	while (!done) {
		int result;

		skip_slashes(w);
		result = w->left && p9_is_directory(w->at_qid) ? walk_check_search(w) : 0;
		if (!result || (result == -P9_ENOENT && starts_upwards(w)))
			result = fill(w, &b);
		if (result)
			return result;
		if (b.count) {
			result = step(w, &b);
		} else if (w->left && !b.ends) {
			/* Nothing but dots stands before the last name. */
			const char *start = w->rest + w->left;
			while (start > w->rest && start[-1] == '/')
				start--;
			while (start > w->rest && start[-1] != '/')
				start--;
			skip(w, (uint32_t)(start - w->rest));
			result = last_step(w, &done);
		} else {
			w->fid = w->at;
			w->qid = w->at_qid;
			done = true;
		}
		if (result)
			return result;
	}
	return 0;
}

/* The length of a path that the trail may have, without slashes at its end; 0: it has none. */
static uint32_t plain_length(const struct walk *w)
{
	const char *text = w->text[0];
	uint32_t length = w->left;

	if (!w->trail || !w->trail->now || (w->who && w->who->user))
		return 0;
	while (length && text[length - 1] == '/')
		length--;
	for (uint32_t i = 0; i + 1 < length; i++)
		if (text[i] == '.' && text[i + 1] == '.')
			return 0; /* or a name with two dots in it */
	return length > TRAIL_TEXT ? 0 : length;
}

/* A place among the walk's fids for one of the trail's; false: there is none. */
static bool hold(struct walk *w, uint32_t fid)
{
	for (uint32_t i = 0; i < WALK_FIDS_MAX; i++) {
		if (w->held[i])
			continue;
		w->held[i] = fid + 1;
		return true;
	}
	return false;
}

/* Takes the whole path, or its directory, from the trail.  Whether that was all of the walk. */
static bool go_by_trail(struct walk *w, enum walk_trust trust)
{
	struct p9_text path = {w->text[0], w->plain};
	struct trail_step s;
	uint32_t name = w->plain;

	while (name && path.ptr[name - 1] != '/')
		name--;
	if (trust != TRUST_NONE && !w->want_parent &&
	    trail_take(w->trail, w->from->word, path, &s)) {
		w->slash = w->left > w->plain;
		if ((trust == TRUST_CHECKED || w->trail->now() - s.seen < TRAIL_FRESH_NS) &&
		    (!w->slash || p9_is_directory(s.qid)) && hold(w, s.fid - 1)) {
			w->fid = s.fid - 1;
			w->qid = s.qid;
			w->above = s.above;
			w->entry = (struct p9_text){path.ptr + name, w->plain - name};
			w->by_trail = true;
			w->known = s.known && w->trail->now() - s.seen < TRAIL_FRESH_NS;
			w->stat = s.stat;
			w->seen = trust == TRUST_FRESH ? s.seen : 0;
			return true;
		}
		w->slash = false;
		p9_clunk(w->p, s.fid - 1);
	}
	for (path.len = name; path.len && path.ptr[path.len - 1] == '/';)
		path.len--;
	if (!path.len || !trail_take(w->trail, w->from->word, path, &s))
		return false;
	if (!p9_is_directory(s.qid) || !hold(w, s.fid - 1)) {
		p9_clunk(w->p, s.fid - 1);
		return false;
	}
	w->at = w->dir = s.fid - 1;
	w->at_qid = w->dir_qid = s.qid;
	w->above = w->dir_above = s.above;
	w->dir_length = path.len;
	w->dir_by_trail = true;
	skip(w, path.len);
	return false;
}

/* From the path's start, or from where the trail leads. */
static int begin(struct walk *w, uint32_t length, enum walk_trust trust)
{
	const bool absolute = w->text[0][0] == '/';

	w->rest = w->text[0];
	w->left = length;
	w->at = absolute ? w->from->root : w->from->start;
	w->at_qid = absolute ? w->from->root_qid : w->from->start_qid;
	w->plain = plain_length(w);
	if (w->plain && go_by_trail(w, trust))
		return 0;
	return run(w);
}

int walk_path(struct walk *w, const struct walk_from *from, const char *path, uint32_t length,
              enum walk_end end, bool parent)
{
	const enum walk_trust trust = w->trust;
	int result;

	w->trust = TRUST_NONE;
	w->by_trail = w->dir_by_trail = w->known = false;
	w->seen = 0;
	w->plain = 0;
	w->dir = P9_NO_FID;
	w->from = from;
	w->end = end;
	w->want_parent = parent || end == WALK_END_NAME || end == WALK_END_NEW;
	w->symlinks = w->side = w->gone = 0;
	w->fid = w->parent = P9_NO_FID;
	w->name = w->entry = (struct p9_text){"", 0};
	w->slash = w->below_root = false;
	if (!length)
		return -P9_ENOENT;
	if (length > P9_TEXT_MAX)
		return -P9_ENAMETOOLONG;
	if (memchr(path, 0, length))
		return -P9_EINVAL;
	if (*path == '/' && !from->contained)
		return leave(w, path, length, "", 0);
	memcpy(w->text[0], path, length);
	result = begin(w, length, trust);
	if (!result && (end == WALK_END_LINK || end == WALK_END_FOLLOW) && w->fid != P9_NO_FID &&
	    w->slash && !p9_is_directory(w->qid))
		result = -P9_ENOTDIR;
	return result;
}
