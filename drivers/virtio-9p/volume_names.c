/* SPDX-License-Identifier: MIT */
/*
 * The methods of Directory.  Each walks its paths, makes one change, and gives back the fids that
 * the walks took, whatever comes of it.
 */
#include <string.h>

#include "drivers/virtio-9p/volume_inside.h"

/* A file that others make and remove all the time is tried so often to be opened or made. */
#define OPEN_TRIES 4u
/* Bytes of entries that one request asks for. */
#define LIST_BYTES     VOLUME_LISTING
#define READ_BY_ALL    0444u
#define MODE_OF_DIR    040000u
#define MODE_OF_FIFO   010000u
#define MODE_OF_SOCKET 0140000u

static struct p9_text text_of(struct msg_text text)
{
	return (struct p9_text){text.ptr, text.len};
}

/* ---- Opening ---- */

static uint32_t open_flags(uint32_t flags)
{
	uint32_t access = flags & (OPEN_READ | OPEN_WRITE);

	return (access == OPEN_WRITE                 ? P9_OPEN_WRITE
	        : access == (OPEN_READ | OPEN_WRITE) ? P9_OPEN_BOTH
	                                             : P9_OPEN_READ) |
	       P9_OPEN_NO_FOLLOW;
}

/* Makes the file that the walk did not find, as the handle's. */
static int create(struct volume *v, struct volume_handle *h, uint32_t flags, uint32_t mode)
{
	int result = allowed_add(v, v->walk.parent);

	if (!result)
		result = walk_keep_parent(&v->walk, &h->fid);
	if (result)
		return result;
	mode = allowed_mode(v, mode & 07777);
	result = p9_create(&v->p9, h->fid, v->walk.name, open_flags(flags) | P9_OPEN_EXCLUSIVE,
	                   mode, &h->qid);
	if (!result)
		give_to_caller(v, h->fid, mode);
	if (!result)
		watched_made(v, &v->walk, false);
	watched_name(h, v->walk.above.path, v->walk.entry);
	if (result)
		p9_clunk(&v->p9, h->fid);
	/* The rest is asked when it is needed. */
	h->stat = (struct file_stat){.inode = h->qid.path,
	                             .type = FILE_TYPE_REGULAR,
	                             .mode = mode,
	                             .links = 1,
	                             .volume = v->number};
	h->opened = true;
	return result;
}

/* What the caller needs of what it opens. */
static uint32_t wanted_of(uint32_t flags)
{
	return (flags & OPEN_READ ? ACCESS_READ : 0) |
	       (flags & (OPEN_WRITE | OPEN_TRUNCATE) ? ACCESS_WRITE : 0) |
	       (flags & OPEN_EXECUTE ? ACCESS_EXECUTE : 0);
}

static bool is_device(const struct file_stat *stat)
{
	return stat->type == FILE_TYPE_CHARACTER_DEVICE || stat->type == FILE_TYPE_BLOCK_DEVICE;
}

/* By its opening. */
static int truncated(struct volume *v, struct volume_handle *h)
{
	struct volume_share *s = volume_shared(v, h);

	h->stat.size = h->stat.blocks = 0;
	take_set_ids(v, h);
	watched_open(v, WATCH_MODIFY, h);
	return s && volume_share_cut(v, s, 0) ? -P9_EIO : 0;
}

static bool is_same(const struct walk *w, const struct file_stat *stat)
{
	return walk_is_same(w, stat->inode, stat->type == FILE_TYPE_DIRECTORY,
	                    stat->type == FILE_TYPE_SYMLINK);
}

/* Opens the regular file that was asked about just now: the host says whether it is that. */
static int open_known(struct volume *v, struct volume_handle *h, uint32_t flags)
{
	const struct p9_qid *known = &v->walk.qid;
	struct p9_qid qid;
	int result = p9_open(&v->p9, h->fid, open_flags(flags), &qid);

	if (!result &&
	    (qid.path != known->path || qid.type != known->type || qid.version != known->version))
		result = -P9_EAGAIN;
	h->stat = v->walk.stat;
	h->opened = !result;
	return result;
}

static bool is_known(const struct walk *w, uint32_t flags)
{
	return w->by_trail && w->known && w->stat.type == FILE_TYPE_REGULAR &&
	       flags & (OPEN_READ | OPEN_WRITE) && !(flags & OPEN_TRUNCATE);
}

/* Opens what the walk found: a regular file, which alone may be opened at the host; the place of a
 * FIFO or a socket, whose openers have a buffer in common; or (without flags) the place of
 * anything. */
static int open_file(struct volume *v, struct volume_handle *h, uint32_t flags)
{
	int result = walk_keep(&v->walk, &h->fid);

	if (result)
		return result;
	h->qid = v->walk.qid;
	watched_name(h, v->walk.above.path, v->walk.entry);
	if (is_known(&v->walk, flags)) {
		result = open_known(v, h, flags);
		if (result)
			p9_clunk(&v->p9, h->fid);
		return result;
	}
	result = volume_get(v, h->fid, &h->stat);
	if (!result && !is_same(&v->walk, &h->stat))
		result = -P9_EAGAIN;
	if (!result && is_device(&h->stat) && flags & (OPEN_READ | OPEN_WRITE))
		result = -P9_ENXIO;
	if (!result && h->stat.type == FILE_TYPE_REGULAR &&
	    flags & (OPEN_READ | OPEN_WRITE | OPEN_TRUNCATE)) {
		/* O_TRUNC alone needs the right to write for the moment, as on Linux. */
		uint32_t truncate = flags & OPEN_TRUNCATE ? P9_OPEN_TRUNCATE : 0;

		result = p9_open(&v->p9, h->fid, open_flags(flags) | truncate, NULL);
		h->opened = !result;
		if (!result && truncate)
			result = truncated(v, h);
	}
	if (result)
		p9_clunk(&v->p9, h->fid);
	return result;
}

int volume_copy_fid(struct volume *v, uint32_t fid, uint32_t *out)
{
	uint32_t walked;
	int result;

	*out = p9_take_fid(&v->p9, FID_OTHERS);
	if (*out == P9_NO_FID)
		return -P9_EMFILE;
	result = p9_walk(&v->p9, fid, *out, NULL, 0, NULL, &walked);
	if (result)
		p9_free_fid(&v->p9, *out);
	return result;
}

/* The directory that `fid` is, opened as `list`: its own fid stays one that paths start from. */
static int open_list(struct volume *v, uint32_t fid, uint32_t list)
{
	uint32_t walked;
	int result = p9_walk(&v->p9, fid, list, NULL, 0, NULL, &walked);

	if (result)
		return result;
	result = p9_open(&v->p9, list, P9_OPEN_READ | P9_OPEN_DIRECTORY, NULL);
	if (result)
		p9_clunk(&v->p9, list);
	return result;
}

/* Whether the host lets it be read, as open has to say.  Its fid is not opened itself: paths start
 * from it. */
static int check_readable(struct volume *v, const struct volume_handle *h)
{
	int result;

	if ((h->stat.mode & READ_BY_ALL) == READ_BY_ALL)
		return 0;
	result = open_list(v, h->fid, FID_LIST);
	if (!result)
		p9_clunk(&v->p9, FID_LIST);
	return result;
}

static int open_directory(struct volume *v, struct volume_handle *h, const struct walk_from *from)
{
	int result = walk_keep(&v->walk, &h->fid);

	if (result)
		return result;
	h->qid = v->walk.qid;
	h->directory = true;
	result = volume_get(v, h->fid, &h->stat);
	if (!result && !is_same(&v->walk, &h->stat))
		result = -P9_EAGAIN;
	if (!result && h->flags & OPEN_READ)
		result = check_readable(v, h);
	h->root_qid = from->root_qid;
	if (!result && from->contained)
		result = volume_copy_fid(v, from->root, &h->root_fid);
	if (result)
		p9_clunk(&v->p9, h->fid);
	h->contained = !result && from->contained;
	return result;
}

/* Whether what the walk found may be opened this way: as services/files has it. */
static int check_open(const struct walk *w, uint32_t flags)
{
	if ((flags & (OPEN_CREATE | OPEN_EXCLUSIVE)) == (OPEN_CREATE | OPEN_EXCLUSIVE))
		return -P9_EEXIST;
	if (p9_is_symlink(w->qid))
		return flags & OPEN_DIRECTORY ? -P9_ENOTDIR : -P9_ELOOP;
	if (p9_is_directory(w->qid))
		return flags & (OPEN_WRITE | OPEN_TRUNCATE | OPEN_CREATE) ? -P9_EISDIR : 0;
	return flags & OPEN_DIRECTORY ? -P9_ENOTDIR : 0;
}

/* Of a name that could not be made: to read only is the volume for names that are not there. */
static int why_refused(struct volume *v, const struct volume_from *from, struct msg_text path,
                       int result)
{
	if (result != -P9_EROFS)
		return result;
	walk_finish(&v->walk);
	if (!walk_path(&v->walk, &from->walk, path.ptr, path.len, WALK_END_NAME, true) &&
	    v->walk.fid != P9_NO_FID)
		return -P9_EEXIST;
	return result;
}

static int try_open(struct volume *v, const struct volume_from *from, struct msg_text path,
                    uint32_t flags, uint32_t mode, struct volume_handle *h)
{
	bool exclusive = (flags & (OPEN_CREATE | OPEN_EXCLUSIVE)) == (OPEN_CREATE | OPEN_EXCLUSIVE);
	bool follow = !(flags & OPEN_NO_FOLLOW) && !exclusive;
	const bool directory = path.len && path.ptr[path.len - 1] == '/' && flags & OPEN_CREATE;
	struct walk *w = &v->walk;
	int result = walk_path(w, &from->walk, path.ptr, path.len,
	                       directory   ? WALK_END_NAME
	                       : exclusive ? WALK_END_NEW
	                       : follow    ? WALK_END_FOLLOW
	                                   : WALK_END_LINK,
	                       flags & OPEN_CREATE);

	if (!result && directory) /* whatever is there */
		result = exclusive && w->parent == P9_NO_FID ? -P9_EEXIST : -P9_EISDIR;
	if (result)
		return result;
	if (w->fid == P9_NO_FID) {
		if (!(flags & OPEN_CREATE))
			return -P9_ENOENT;
		result = create(v, h, flags, mode);
		if (exclusive)
			result = why_refused(v, from, path, result);
		return result == -P9_EEXIST && !exclusive ? -P9_EAGAIN : result;
	}
	result = check_open(w, flags);
	if (!result)
		result = allowed_open(v, w->fid, wanted_of(flags));
	if (result)
		return result;
	result = p9_is_directory(w->qid) ? open_directory(v, h, &from->walk)
	                                 : open_file(v, h, flags);
	return result == -P9_ENOENT && flags & OPEN_CREATE ? -P9_EAGAIN : result;
}

static int open_unnamed(struct volume *v, const struct volume_from *from, struct msg_text path,
                        uint32_t flags, uint32_t mode, struct volume_handle *h)
{
	int result = walk_path(&v->walk, &from->walk, path.ptr, path.len, WALK_END_FOLLOW, false);

	if (!result && !p9_is_directory(v->walk.qid))
		result = -P9_ENOTDIR;
	if (!result)
		result = allowed_add(v, v->walk.fid);
	if (!result)
		result = unnamed_make(v, h, flags, mode);
	walk_finish(&v->walk);
	return result;
}

int volume_open(struct volume *v, struct volume_from from, struct msg_text path, uint32_t flags,
                uint32_t mode, uint64_t *word, struct file_stat *stat)
{
	struct volume_handle *h = volume_take(v);
	int result = -P9_EAGAIN;

	if (!h)
		return STATUS_NO_BUFFERS;
	h->flags = flags & (OPEN_READ | OPEN_WRITE);
	h->root_qid = from.walk.root_qid;
	if (flags & OPEN_ANONYMOUS)
		result = open_unnamed(v, &from, path, flags, mode, h);
	for (uint32_t i = 0; i < OPEN_TRIES && result == -P9_EAGAIN; i++) {
		/* What the trail has is tried once. */
		v->walk.trust = i || flags & OPEN_CREATE ? TRUST_NONE : TRUST_CHECKED;
		result = try_open(v, &from, path, flags, mode, h);
		if (result && v->walk.by_trail) {
			result = -P9_EAGAIN;
			walk_discard(&v->walk);
		}
		walk_finish(&v->walk);
	}
	if (result) {
		volume_give_back(v, h);
		return volume_status(result);
	}
	h->told = flags & OPEN_UNTOLD ? 0 : (uint8_t)h->flags;
	if (h->told && !(flags & OPEN_ANONYMOUS))
		watched_open(v, WATCH_OPEN, h);
	*word = volume_word(v, h);
	*stat = h->stat;
	return STATUS_OK;
}

int volume_subdirectory(struct volume *v, struct volume_from from, struct msg_text path,
                        uint64_t *word)
{
	struct volume_handle *h = volume_take(v);
	int result;

	if (!h)
		return STATUS_NO_BUFFERS;
	result = walk_path(&v->walk, &from.walk, path.ptr, path.len, WALK_END_FOLLOW, false);
	if (!result && !p9_is_directory(v->walk.qid))
		result = -P9_ENOTDIR;
	if (!result)
		result = allowed_access(v, v->walk.fid, ACCESS_EXECUTE);
	if (!result) {
		const struct walk_from own = {
		        .root = v->walk.fid, .root_qid = v->walk.qid, .contained = true};
		result = open_directory(v, h, &own);
	}
	walk_finish(&v->walk);
	if (result)
		volume_give_back(v, h);
	else
		*word = volume_word(v, h);
	return volume_status(result);
}

/* ---- Looking ---- */

/* Walks to what has to be there. */
static int walk_existing(struct volume *v, const struct volume_from *from, struct msg_text path,
                         bool follow)
{
	return walk_path(&v->walk, &from->walk, path.ptr, path.len,
	                 follow ? WALK_END_FOLLOW : WALK_END_LINK, false);
}

int volume_stat(struct volume *v, struct volume_from from, struct msg_text path, bool follow,
                struct file_stat *out)
{
	int result;

	v->walk.trust = TRUST_CHECKED;
	result = walk_existing(v, &from, path, follow);
	if (!result)
		result = volume_get(v, v->walk.fid, out);
	if (v->walk.by_trail && (result || !is_same(&v->walk, out))) {
		walk_discard(&v->walk);
		result = walk_existing(v, &from, path, follow);
		if (!result)
			result = volume_get(v, v->walk.fid, out);
	}
	v->walk.known = !result;
	if (!result) {
		v->walk.qid = v->got;
		v->walk.stat = *out;
		v->walk.seen = 0;
	}
	walk_finish(&v->walk);
	/* The host knows an open directory by its name alone. */
	if (result == -P9_ENOENT && from.handle && path.len == 1 && path.ptr[0] == '.') {
		*out = from.handle->stat;
		out->links = 0;
		result = 0;
	}
	return volume_status(result);
}

int volume_read_link(struct volume *v, struct volume_from from, struct msg_text path,
                     struct msg_text *target)
{
	struct p9_text text;
	int result = walk_existing(v, &from, path, false);

	if (!result && !p9_is_symlink(v->walk.qid))
		result = -P9_EINVAL;
	if (!result)
		result = p9_read_link(&v->p9, v->walk.fid, &text);
	if (!result) { /* the reply is used again by what gives the fids back */
		memcpy(v->path, text.ptr, text.len);
		*target = (struct msg_text){v->path, text.len};
	}
	walk_finish(&v->walk);
	return volume_status(result);
}

int volume_space(struct volume *v, struct p9_space *out)
{
	return volume_status(p9_space(&v->p9, FID_ROOT, out));
}

int volume_follow(struct volume *v, struct volume_from from, struct msg_text path, bool follow,
                  uint16_t *end, struct msg_text *on)
{
	int result = walk_path(&v->walk, &from.walk, path.ptr, path.len,
	                       follow ? WALK_END_FOLLOW : WALK_END_LINK, true);

	walk_finish(&v->walk);
	*end = result == WALK_LEAVES ? FOLLOW_END_ROOT : FOLLOW_END_HERE;
	*on = (struct msg_text){"", 0};
	if (result == WALK_LEAVES)
		*on = (struct msg_text){v->walk.leaves, v->walk.leaves_length};
	return result == WALK_LEAVES ? STATUS_OK : volume_status(result);
}

/* ---- Lists ---- */

static uint16_t type_of_entry(uint8_t type)
{
	static const uint16_t types[] = {
	        [1] = FILE_TYPE_FIFO,      [2] = FILE_TYPE_CHARACTER_DEVICE,
	        [4] = FILE_TYPE_DIRECTORY, [6] = FILE_TYPE_BLOCK_DEVICE,
	        [8] = FILE_TYPE_REGULAR,   [10] = FILE_TYPE_SYMLINK,
	        [12] = FILE_TYPE_SOCKET};

	return type < sizeof(types) / sizeof(types[0]) ? types[type] : FILE_TYPE_UNKNOWN;
}

/* As many as fit `words` words of a message; names point into what is left of the listing. */
static int take_entries(struct volume *v, struct p9_entries *list, uint32_t words, uint32_t *count,
                        uint64_t *next)
{
	struct p9_entries at = *list;
	struct p9_entry e;
	int more;

	for (; *count < VOLUME_LIST && (more = p9_next_entry(&at, &e)); *list = at) {
		/* Its data (4 words with the name's pointer), and the name. */
		uint32_t needs = 4 + e.name.len / 8 + 1;

		if (more < 0)
			return more;
		if (!unnamed_hides(v, &e)) {
			if (needs > words)
				return *count ? 0 : -P9_EINVAL;
			words -= needs;
			v->entries[(*count)++] = (struct directory_entry){
			        .inode = e.qid.path,
			        .type = node_type(v, e.qid.path, type_of_entry(e.type)),
			        .name = {e.name.ptr, e.name.len},
			        .position = e.next};
		}
		*next = e.next;
	}
	return 0;
}

/* Asks for entries from position on, into v->listing.  The handle's fid stays open until the
 * directory's end, since a program that reads it asks again. */
static int ask_entries(struct volume *v, const struct volume_from *from, uint64_t position)
{
	struct volume_handle *h = from->handle ? &v->handles[from->handle - v->handles] : NULL;
	struct volume_listing *l = &v->listing;
	uint32_t fid = h && h->list ? h->list - 1 : h ? p9_take_fid(&v->p9, FID_OTHERS) : FID_LIST;
	struct p9_entries list;
	int result = fid == P9_NO_FID ? -P9_EMFILE
	             : h && h->list   ? 0
	                              : open_list(v, from->walk.start, fid);

	l->left = 0;
	if (result) {
		if (h && fid != P9_NO_FID)
			p9_free_fid(&v->p9, fid);
		return result;
	}
	result = p9_list(&v->p9, fid, position, LIST_BYTES, &list);
	if (!result) {
		memcpy(l->bytes, list.at, list.left);
		l->left = list.left;
		l->at = 0;
	}
	if (h)
		h->list = l->left ? fid + 1 : 0;
	if (!h || !h->list)
		p9_clunk(&v->p9, fid);
	return result;
}

int volume_list(struct volume *v, struct volume_from from, uint64_t position, uint32_t words,
                uint32_t *count, uint64_t *next)
{
	const bool readable = from.handle && from.handle->flags & OPEN_READ;
	const uint64_t word = from.handle ? volume_word(v, from.handle) : 0;
	struct volume_listing *l = &v->listing;
	int result = readable ? 0 : allowed_access(v, from.walk.start, ACCESS_READ);
	struct p9_entries list;

	*count = 0;
	*next = position;
	/* What is left of the last answer, or a new one; again when all of it is hidden. */
	do {
		if (!result &&
		    (!word || l->word != word || l->position != *next || !*next || !l->left))
			result = ask_entries(v, &from, *next);
		if (result || !l->left)
			break;
		list = (struct p9_entries){.at = l->bytes + l->at, .left = l->left};
		result = take_entries(v, &list, words, count, next);
		l->at += l->left - list.left;
		l->left = result ? 0 : list.left;
		l->position = *next;
		l->word = word;
	} while (!result && !*count);
	if (!result && from.handle)
		watched_open(v, WATCH_ACCESS, from.handle);
	return volume_status(result);
}

/* ---- The path of a directory ---- */

/* The name of the directory `child` in the one that is open as FID_LIST; written in front of *start
 * in v->path. */
static int find_name(struct volume *v, struct p9_qid above, struct p9_qid child, uint32_t *start)
{
	uint64_t position = 0;
	bool any = true;

	while (any) {
		struct p9_entries list;
		struct p9_entry e;
		int result = p9_list(&v->p9, FID_LIST, position, LIST_BYTES, &list), more;

		if (result)
			return result;
		any = false;
		while ((more = p9_next_entry(&list, &e)) == 1) {
			bool dots = e.name.ptr[0] == '.' &&
			            (e.name.len == 1 || (e.name.len == 2 && e.name.ptr[1] == '.'));

			any = any || e.next != position;
			position = e.next;
			if (dots || e.qid.path != child.path || !p9_is_directory(e.qid))
				continue;
			if (e.name.len + 1 > *start)
				return -P9_ENAMETOOLONG;
			places_note(&v->places, above, e.name, child);
			*start -= e.name.len;
			memcpy(v->path + *start, e.name.ptr, e.name.len);
			v->path[--*start] = '/';
			return 0;
		}
		if (more < 0)
			return more;
	}
	return -P9_ENOENT;
}

/* From `at` (a fid of its own or the client's) to the directory above it, as the fid `above`. */
static int rise(struct volume *v, uint32_t at, uint32_t above, struct p9_qid *qid, uint32_t *start)
{
	static const struct p9_text up = {"..", 2};
	struct p9_qid child = *qid;
	uint32_t walked;
	int result = p9_walk(&v->p9, at, above, &up, 1, qid, &walked);

	if (result)
		return result;
	if (qid->path == child.path)
		result = -P9_ENOENT; /* the volume's root, which is not above its own */
	if (!result)
		result = open_list(v, above, FID_LIST);
	if (!result) {
		result = find_name(v, *qid, child, start);
		p9_clunk(&v->p9, FID_LIST);
	}
	if (result)
		p9_clunk(&v->p9, above);
	return result;
}

/* The path as it is remembered, in front of *start in v->path, if it is still so.  To look it up
 * costs the host a listing of each directory above. */
static bool path_remembered(struct volume *v, const struct volume_from *from, uint32_t *start)
{
	const struct place *const *way = v->places.way;
	uint32_t count, length = 0;
	bool there = !walk_remembered(&v->walk, &from->walk, from->walk.start_qid.path);

	walk_finish(&v->walk);
	if (!there ||
	    !places_way(&v->places, from->walk.start_qid.path, from->walk.root_qid.path, &count))
		return false;
	for (uint32_t i = 0; i < count; i++)
		length += way[i]->length + 1u;
	if (length > *start)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		*start -= way[i]->length;
		memcpy(v->path + *start, way[i]->name, way[i]->length);
		v->path[--*start] = '/';
	}
	return true;
}

int volume_path(struct volume *v, struct volume_from from, struct msg_text *path)
{
	uint32_t start = sizeof(v->path) - 1, at = from.walk.start, level = 0;
	uint32_t before = from.walk.contained ? 0 : (uint32_t)strlen(v->mounted_at);
	const bool remembered = path_remembered(v, &from, &start);
	struct p9_qid qid = from.walk.start_qid;
	int result = 0;

	while (!remembered && !result && qid.path != from.walk.root_qid.path) {
		uint32_t above = FID_ABOVE + level++ % 2;

		result =
		        level > PLACES_LEVELS ? -P9_ENAMETOOLONG : rise(v, at, above, &qid, &start);
		if (at != from.walk.start)
			p9_clunk(&v->p9, at);
		at = result ? from.walk.start : above;
	}
	if (at != from.walk.start)
		p9_clunk(&v->p9, at);
	if (!result && before > start)
		result = -P9_ENAMETOOLONG;
	if (result)
		return volume_status(result);
	memcpy(v->path + start - before, v->mounted_at, before);
	start -= before;
	if (start == sizeof(v->path) - 1)
		v->path[--start] = '/';
	*path = (struct msg_text){v->path + start, (uint32_t)sizeof(v->path) - 1 - start};
	return STATUS_OK;
}

/* ---- Changing names ---- */

int walk_new(struct volume *v, struct walk *w, const struct volume_from *from, struct msg_text path,
             bool directory)
{
	int result = walk_path(w, &from->walk, path.ptr, path.len, WALK_END_NEW, true);

	if (result)
		return result;
	if (w->fid != P9_NO_FID)
		return -P9_EEXIST;
	if (w->slash && !directory)
		return -P9_ENOENT;
	return allowed_add(v, w->parent);
}

/* Walks to a name that is to be removed or moved. */
static int walk_name(struct walk *w, const struct volume_from *from, struct msg_text path)
{
	int result = walk_path(w, &from->walk, path.ptr, path.len, WALK_END_NAME, true);

	if (result)
		return result;
	if (w->fid == P9_NO_FID)
		return -P9_ENOENT;
	return w->slash && !p9_is_directory(w->qid) ? -P9_ENOTDIR : 0;
}

int volume_make_directory(struct volume *v, struct volume_from from, struct msg_text path,
                          uint32_t mode)
{
	int result = walk_new(v, &v->walk, &from, path, true);

	if (!result)
		result = why_refused(v, &from, path,
		                     p9_make_directory(&v->p9, v->walk.parent, v->walk.name,
		                                       MODE_OF_DIR | (mode & 07777)));
	if (!result)
		hand_on_group(v, v->walk.parent, v->walk.name, mode & 07777);
	if (!result)
		give_name_to_caller(v, v->walk.parent, v->walk.name);
	if (!result)
		watched_made(v, &v->walk, true);
	walk_finish(&v->walk);
	return volume_status(result);
}

int volume_make_node(struct volume *v, struct volume_from from, struct msg_text path, uint16_t type,
                     uint32_t mode)
{
	int result = walk_new(v, &v->walk, &from, path, false);

	if (!result && type != FILE_TYPE_FIFO && type != FILE_TYPE_SOCKET)
		result = -P9_EPERM;
	if (!result)
		result = p9_make_node(&v->p9, v->walk.parent, v->walk.name,
		                      (type == FILE_TYPE_FIFO ? MODE_OF_FIFO : MODE_OF_SOCKET) |
		                              (mode & 07777));
	if (result == -P9_ENXIO)
		result = node_stand_in(v, v->walk.parent, v->walk.name, type, mode & 07777);
	result = why_refused(v, &from, path, result);
	if (!result)
		give_name_to_caller(v, v->walk.parent, v->walk.name);
	if (!result)
		watched_made(v, &v->walk, false);
	walk_finish(&v->walk);
	return volume_status(result);
}

int volume_symlink(struct volume *v, struct volume_from from, struct msg_text target,
                   struct msg_text path)
{
	int result = walk_new(v, &v->walk, &from, path, false);

	if (!result)
		result = !target.len ? -P9_ENOENT
		         : target.len > P9_TEXT_MAX
		                 ? -P9_ENAMETOOLONG
		                 : p9_make_symlink(&v->p9, v->walk.parent, v->walk.name,
		                                   text_of(target));
	result = why_refused(v, &from, path, result);
	if (!result)
		give_name_to_caller(v, v->walk.parent, v->walk.name);
	if (!result)
		watched_made(v, &v->walk, false);
	walk_finish(&v->walk);
	trail_forget(&v->trail, &v->p9, true);
	return volume_status(result);
}

/* Of a path without a last name: "/", ".", "..". */
static int refuse_removal(const struct walk *w, struct msg_text path, bool directory)
{
	if (!directory)
		return -P9_EISDIR;
	while (path.len && path.ptr[path.len - 1] == '/')
		path.len--;
	if (path.len >= 2 && !memcmp(path.ptr + path.len - 2, "..", 2))
		return -P9_ENOTEMPTY;
	return w->qid.path == w->from->root_qid.path ? -P9_EBUSY : -P9_EINVAL;
}

/* Whether the host alone says what becomes of a removal: nothing is known here of any file that may
 * be meant, and user 0 may remove all. */
static bool removes_unseen(const struct volume *v)
{
	if (v->who.user || v->nodes_used || v->unnamed || v->watchers.first)
		return false;
	for (uint32_t i = 0; i < v->used; i++)
		if (v->handles[i].used && !v->handles[i].directory)
			return false;
	return true;
}

static int walk_removal(struct volume *v, const struct volume_from *from, struct msg_text path)
{
	struct walk *w = &v->walk;
	int result;

	if (!removes_unseen(v))
		return walk_name(w, from, path);
	result = walk_path(w, &from->walk, path.ptr, path.len, WALK_END_NEW, true);
	return !result && w->fid != P9_NO_FID && w->slash && !p9_is_directory(w->qid) ? -P9_ENOTDIR
	                                                                              : result;
}

int volume_remove(struct volume *v, struct volume_from from, struct msg_text path, bool directory)
{
	struct walk *w = &v->walk;
	struct volume_removal removal;
	struct watched_fate fate;
	int result = walk_removal(v, &from, path);

	if (!result && w->fid == P9_NO_FID) {
		result = p9_remove(&v->p9, w->parent, w->name, directory);
		walk_finish(w);
		trail_forget(&v->trail, &v->p9, directory);
		return volume_status(result);
	}
	if (!result && w->parent == P9_NO_FID)
		result = refuse_removal(w, path, directory);
	else if (!result && !directory && p9_is_directory(w->qid))
		result = -P9_EISDIR;
	else if (!result && directory && !p9_is_directory(w->qid))
		result = -P9_ENOTDIR;
	if (!result)
		result = allowed_remove(v, w->parent, w->fid);
	if (!result) {
		volume_removing(v, w->fid, w->qid, &removal);
		watched_before(v, w->fid, w->qid, &fate);
		result = p9_remove(&v->p9, w->parent, w->name, directory);
		if (result == -P9_ENOTEMPTY && directory && unnamed_leave(v, w->qid.path))
			result = p9_remove(&v->p9, w->parent, w->name, directory);
		if (!result)
			volume_removed(v, &removal);
		if (!result)
			watched_removed(v, w, &fate);
	}
	walk_finish(w);
	trail_forget(&v->trail, &v->p9, directory);
	return volume_status(result);
}

/* A name cannot be moved for `why`; Linux says first what is wrong on the way to the new one. */
static int why_not_moved(struct walk *to, const struct volume_from *from, struct msg_text path,
                         int why)
{
	int result = walk_path(to, &from->walk, path.ptr, path.len, WALK_END_NAME, true);

	if (!result && to->parent == P9_NO_FID)
		result = -P9_EBUSY;
	return result ? result : why;
}

/* fate: of what was replaced, or NULL. */
static void tell_moved(struct volume *v, const struct walk *a, const struct walk *b,
                       const struct watched_fate *fate, bool exchange)
{
	if (fate)
		watched_replaced(v, b, fate);
	watched_moved(v, a, b);
	watched_moved_self(v, a->qid);
	if (exchange) {
		watched_moved(v, b, a);
		watched_moved_self(v, b->qid);
	}
	if (fate)
		watched_gone(v, fate);
}

int volume_rename(struct volume *v, struct volume_from from, struct msg_text old,
                  struct msg_text new, uint32_t flags)
{
	struct walk *a = &v->walk, *b = &v->second;
	struct volume_removal removal = {.open = false};
	struct watched_fate fate;
	bool replaces = false;
	bool directories;
	const bool exchange = flags == MOVE_EXCHANGE;
	int result = walk_name(a, &from, old);

	if (!result)
		result = walk_path(b, &from.walk, new.ptr, new.len, WALK_END_NAME, true);
	else if (a->parent != P9_NO_FID)
		result = why_not_moved(b, &from, new, result);
	if (!result && (a->parent == P9_NO_FID || b->parent == P9_NO_FID))
		result = -P9_EBUSY;
	if (!result && flags == MOVE_NO_REPLACE && b->fid != P9_NO_FID)
		result = -P9_EEXIST;
	if (!result && exchange && b->fid == P9_NO_FID)
		result = -P9_ENOENT;
	if (!result && b->slash && !p9_is_directory(exchange ? b->qid : a->qid))
		result = -P9_ENOTDIR;
	replaces = !result && !exchange && b->fid != P9_NO_FID && a->qid.path != b->qid.path;
	if (replaces) {
		volume_removing(v, b->fid, b->qid, &removal);
		watched_before(v, b->fid, b->qid, &fate);
	}
	if (!result)
		result = allowed_move(v, a, b);
	if (!result && exchange)
		result = allowed_move(v, b, a);
	if (!result)
		result = exchange ? names_exchange(v, a, b)
		                  : p9_rename(&v->p9, a->parent, a->name, b->parent, b->name);
	if (!result)
		volume_removed(v, &removal);
	if (!result)
		places_note(&v->places, b->parent_qid, b->name, a->qid);
	if (!result && exchange)
		places_note(&v->places, a->parent_qid, a->name, b->qid);
	if (!result && (b->fid == P9_NO_FID || a->qid.path != b->qid.path))
		tell_moved(v, a, b, replaces ? &fate : NULL, exchange);
	directories = exchange || p9_is_directory(a->qid) || p9_is_symlink(a->qid);
	walk_finish(b);
	walk_finish(a);
	trail_forget(&v->trail, &v->p9, directories);
	return volume_status(result);
}

/* A directory gets no other name; but what is wrong with the name itself is said first. */
static int why_not_linked(struct walk *to, const struct volume_from *from, struct msg_text path)
{
	int result = walk_path(to, &from->walk, path.ptr, path.len, WALK_END_NAME, true);

	if (result)
		return result;
	return to->fid != P9_NO_FID ? -P9_EEXIST : to->slash ? -P9_ENOENT : -P9_EPERM;
}

int volume_link(struct volume *v, struct volume_from from, struct msg_text old, struct msg_text new)
{
	int result = walk_existing(v, &from, old, false);

	if (!result && p9_is_directory(v->walk.qid))
		result = why_not_linked(&v->second, &from, new);
	if (!result)
		result = walk_new(v, &v->second, &from, new, false);
	if (!result)
		result = allowed_link(v, v->walk.fid);
	if (!result)
		result = p9_link(&v->p9, v->second.parent, v->walk.fid, v->second.name);
	if (!result)
		watched_linked(v, v->walk.qid, &v->second);
	walk_finish(&v->second);
	walk_finish(&v->walk);
	return volume_status(result);
}

static struct volume_handle *find_offered(struct volume *v, uint64_t key)
{
	for (uint32_t i = 0; i < v->used; i++)
		if (v->handles[i].used && key && v->handles[i].offered == key)
			return &v->handles[i];
	return NULL;
}

int volume_link_file(struct volume *v, struct volume_from from, uint64_t key, struct msg_text path)
{
	struct volume_handle *h;
	int result = walk_new(v, &v->second, &from, path, false);

	h = result ? NULL : find_offered(v, key);
	if (!result && !h)
		result = -P9_EXDEV; /* it is in no volume, or in another */
	if (h)
		h->offered = 0;
	if (!result && h->nameless)
		result = -P9_ENOENT;
	/* Who has a name may open it to write: as services/files has it. */
	if (!result && !(h->flags & OPEN_WRITE) && from.walk.contained &&
	    h->root_qid.path != from.walk.root_qid.path)
		result = -P9_EPERM;
	if (!result)
		result = allowed_link(v, h->fid);
	if (!result)
		result = h->unnamed ? unnamed_link(v, h, v->second.parent, v->second.name)
		                    : p9_link(&v->p9, v->second.parent, h->fid, v->second.name);
	if (!result)
		watched_linked(v, h->qid, &v->second);
	walk_finish(&v->second);
	trail_forget(&v->trail, &v->p9, false);
	return volume_status(result);
}

static int try_change(struct volume *v, const struct volume_from *from, struct msg_text path,
                      bool follow, const struct p9_change *wanted)
{
	struct p9_change change = *wanted;
	int result = walk_existing(v, from, path, follow);

	/* The host would follow it. */
	if (!result && p9_is_symlink(v->walk.qid) && change.what & P9_SET_MODE)
		result = -P9_EOPNOTSUPP;
	if (!result)
		result = allowed_change(v, v->walk.fid, &change);
	v->walk.known = false;
	if (!result)
		result = p9_set(&v->p9, v->walk.fid, &change);
	if (!result && change.what & P9_SET_MODE)
		mode_changed(v, v->walk.qid.path, change.mode);
	if (!result)
		watched_found(v, watched_change(&change), &v->walk);
	return result;
}

int volume_change(struct volume *v, struct volume_from from, struct msg_text path, bool follow,
                  const struct p9_change *wanted)
{
	int result;

	v->walk.trust = TRUST_FRESH;
	result = try_change(v, &from, path, follow, wanted);
	if (result && v->walk.by_trail) {
		walk_discard(&v->walk);
		result = try_change(v, &from, path, follow, wanted);
	}
	walk_finish(&v->walk);
	return volume_status(result);
}
