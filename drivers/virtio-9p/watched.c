/* SPDX-License-Identifier: MIT */
/*
 * What those who watch files of a volume are told: what this machine's programs do there, which the
 * driver sees all of.  What the host does is not told.  The memory is the driver's own, and so
 * much; beyond it events are lost, which the watchers are told, as when a queue is full.
 */
#include <string.h>

#include "drivers/virtio-9p/volume_inside.h"

#define WATCH_PAGES 64u

static struct {
	_Alignas(PAGE_SIZE) uint8_t bytes[PAGE_SIZE];
} pages[WATCH_PAGES];
static uint64_t taken; /* bits: pages */
_Static_assert(WATCH_PAGES <= 64, "a bit for each");

static void *get_page(void *context)
{
	(void)context;
	for (uint32_t i = 0; i < WATCH_PAGES; i++) {
		if (taken >> i & 1)
			continue;
		taken |= 1ull << i;
		memset(pages[i].bytes, 0, PAGE_SIZE);
		return pages[i].bytes;
	}
	return NULL;
}

static void put_page(void *context, void *page)
{
	(void)context;
	taken &= ~(1ull << (uint32_t)(((uint8_t *)page - pages[0].bytes) / PAGE_SIZE));
}

static struct page_source source = {.get = get_page, .put = put_page};

void watched_start(struct volume *v)
{
	slab_init(&v->watch_slab, &source);
}

/* ---- Telling ---- */

static struct volume_watched *find(struct volume *v, uint64_t path)
{
	for (uint32_t i = 0; i < VOLUME_WATCHED; i++)
		if (v->watched[i].watches && v->watched[i].path == path)
			return &v->watched[i];
	return NULL;
}

static void tell(struct volume *v, uint64_t path, const struct watch_news *news)
{
	struct volume_watched *w = v->watchers.first ? find(v, path) : NULL;

	if (w)
		watch_tell(&v->watchers, w->watches, news);
}

static uint32_t with_kind(uint32_t event, bool directory)
{
	bool self = event == WATCH_DELETE_SELF || event == WATCH_MOVE_SELF;

	return event | (directory && !self ? WATCH_DIRECTORY : 0);
}

static void entry(struct volume *v, uint32_t event, uint32_t cookie, uint64_t directory,
                  struct p9_text name, bool is_directory)
{
	const struct watch_news news = {.mask = with_kind(event, is_directory),
	                                .cookie = cookie,
	                                .name = name.ptr,
	                                .length = name.len};

	tell(v, directory, &news);
}

static void self(struct volume *v, uint32_t event, struct p9_qid qid)
{
	const struct watch_news news = {.mask = with_kind(event, p9_is_directory(qid)), .name = ""};

	tell(v, qid.path, &news);
}

/* It is there no more. */
static void end(struct volume *v, struct p9_qid qid)
{
	struct volume_watched *w = v->watchers.first ? find(v, qid.path) : NULL;

	if (!w)
		return;
	self(v, WATCH_DELETE_SELF, qid);
	watch_end_all(&v->watchers, &w->watches);
}

/* A directory has one name, which was seen on the way to it. */
static void directory_and_self(struct volume *v, uint32_t event, struct p9_qid qid)
{
	const struct place *p = places_find(&v->places, qid.path);

	if (p)
		entry(v, event, 0, p->above, (struct p9_text){p->name, p->length}, true);
	self(v, event, qid);
}

void watched_open(struct volume *v, uint32_t event, const struct volume_handle *h)
{
	const struct watch_news news = {
	        .mask = event, .name = h->entry, .length = h->entry_length, .unlinked = h->gone};

	if (!v->watchers.first || !event)
		return;
	if (h->directory) {
		directory_and_self(v, event, h->qid);
		return;
	}
	if (h->entry_length)
		tell(v, h->above, &news);
	self(v, event, h->qid);
}

void watched_found(struct volume *v, uint32_t event, const struct walk *w)
{
	if (!v->watchers.first || !event)
		return;
	if (p9_is_directory(w->qid)) {
		directory_and_self(v, event, w->qid);
		return;
	}
	if (w->entry.len)
		entry(v, event, 0, w->above.path, w->entry, false);
	self(v, event, w->qid);
}

void watched_made(struct volume *v, const struct walk *w, bool directory)
{
	entry(v, WATCH_CREATE, 0, w->parent_qid.path, w->name, directory);
}

void watched_linked(struct volume *v, struct p9_qid qid, const struct walk *to)
{
	self(v, WATCH_ATTRIBUTES, qid);
	watched_made(v, to, false);
}

uint32_t watched_change(const struct p9_change *change)
{
	const bool access = change->what & P9_SET_ACCESS, modify = change->what & P9_SET_MODIFY;

	if (change->what & P9_SET_SIZE)
		return WATCH_MODIFY;
	if (change->what & (P9_SET_MODE | P9_SET_USER | P9_SET_GROUP) || (access && modify))
		return WATCH_ATTRIBUTES;
	return access ? WATCH_ACCESS : modify ? WATCH_MODIFY : 0;
}

/* ---- Names of what is open ---- */

static bool is_called(const struct volume_handle *h, uint64_t directory, struct p9_text name)
{
	return h->above == directory && h->entry_length == name.len &&
	       !memcmp(h->entry, name.ptr, name.len);
}

void watched_name(struct volume_handle *h, uint64_t directory, struct p9_text name)
{
	h->above = directory;
	h->entry_length = name.len <= sizeof(h->entry) ? (uint8_t)name.len : 0;
	memcpy(h->entry, name.ptr, h->entry_length);
}

static bool is_open(const struct volume *v, uint64_t path, const struct volume_handle *but)
{
	for (uint32_t i = 0; i < v->used; i++) {
		const struct volume_handle *h = &v->handles[i];

		if (h != but && h->used && h->qid.path == path)
			return true;
	}
	return false;
}

void watched_before(struct volume *v, uint32_t fid, struct p9_qid qid, struct watched_fate *fate)
{
	struct file_stat stat;

	*fate = (struct watched_fate){.qid = qid, .last = true};
	if (!v->watchers.first)
		return;
	fate->open = is_open(v, qid.path, NULL);
	fate->last = p9_is_directory(qid) || volume_get(v, fid, &stat) || stat.links <= 1;
}

static void lose_name(struct volume *v, uint64_t directory, struct p9_text name,
                      const struct watched_fate *fate)
{
	for (uint32_t i = 0; i < v->used; i++) {
		struct volume_handle *h = &v->handles[i];

		if (!h->used || h->qid.path != fate->qid.path)
			continue;
		h->gone |= is_called(h, directory, name);
		h->removed |= fate->last;
	}
}

void watched_removed(struct volume *v, const struct walk *w, const struct watched_fate *fate)
{
	if (!v->watchers.first)
		return;
	lose_name(v, w->parent_qid.path, w->name, fate);
	if (!p9_is_directory(fate->qid))
		self(v, WATCH_ATTRIBUTES, fate->qid);
	if (fate->last && !fate->open)
		end(v, fate->qid);
	entry(v, WATCH_DELETE, 0, w->parent_qid.path, w->name, p9_is_directory(fate->qid));
}

void watched_moved(struct volume *v, const struct walk *from, const struct walk *to)
{
	const bool directory = p9_is_directory(from->qid);

	v->last_cookie += v->last_cookie == UINT32_MAX ? 2 : 1;
	entry(v, WATCH_MOVED_FROM, v->last_cookie, from->parent_qid.path, from->name, directory);
	entry(v, WATCH_MOVED_TO, v->last_cookie, to->parent_qid.path, to->name, directory);
	for (uint32_t i = 0; i < v->used; i++) {
		struct volume_handle *h = &v->handles[i];

		if (h->used && !h->directory && h->qid.path == from->qid.path && !h->gone &&
		    is_called(h, from->parent_qid.path, from->name))
			watched_name(h, to->parent_qid.path, to->name);
	}
}

void watched_moved_self(struct volume *v, struct p9_qid qid)
{
	self(v, WATCH_MOVE_SELF, qid);
}

void watched_replaced(struct volume *v, const struct walk *to, const struct watched_fate *fate)
{
	if (!v->watchers.first)
		return;
	lose_name(v, to->parent_qid.path, to->name, fate);
	self(v, WATCH_ATTRIBUTES, fate->qid);
}

void watched_gone(struct volume *v, const struct watched_fate *fate)
{
	if (fate->last && !fate->open)
		end(v, fate->qid);
}

void watched_close(struct volume *v, const struct volume_handle *h)
{
	if (h->told)
		watched_open(v, h->told & OPEN_WRITE ? WATCH_CLOSE_WRITE : WATCH_CLOSE_NO_WRITE, h);
	if (h->removed && !is_open(v, h->qid.path, h))
		end(v, h->qid);
}

/* ---- Watchers ---- */

int volume_make_watcher(struct volume *v, uint64_t key, struct watcher **out)
{
	*out = watcher_by_key(&v->watchers, 0, key);
	return *out ? STATUS_OK : watcher_make(&v->watchers, &v->watch_slab, 0, key, out);
}

static struct volume_watched *watched_of(struct volume *v, uint64_t path)
{
	struct volume_watched *w = find(v, path);

	for (uint32_t i = 0; !w && i < VOLUME_WATCHED; i++)
		if (!v->watched[i].watches)
			w = &v->watched[i];
	if (w)
		w->path = path;
	return w;
}

int volume_watch(struct volume *v, struct volume_from from, const struct directory_watch_params *in,
                 uint32_t *number)
{
	struct watcher *watcher = watcher_by_key(&v->watchers, 0, in->key);
	struct volume_watched *w = NULL;
	int status, result = walk_path(&v->walk, &from.walk, in->path.ptr, in->path.len,
	                               in->follow_link ? WALK_END_FOLLOW : WALK_END_LINK, false);

	if (!result && in->directory && !p9_is_directory(v->walk.qid))
		result = -P9_ENOTDIR;
	if (!result)
		result = allowed_access(v, v->walk.fid, ACCESS_READ);
	if (!result)
		w = watched_of(v, v->walk.qid.path);
	walk_finish(&v->walk);
	status = volume_status(result);
	if (!status && !in->number)
		status = STATUS_NOT_SUPPORTED;
	if (!status && !watcher)
		status = STATUS_NOT_PERMITTED;
	if (!status && !(in->mask & WATCH_ALL))
		status = STATUS_INVALID_ARGUMENT;
	if (!status && !w)
		status = STATUS_NO_SPACE;
	*number = in->number;
	return status ? status : watch_add(watcher, &w->watches, in->mask, number);
}
