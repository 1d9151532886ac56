/* SPDX-License-Identifier: MIT */
/*
 * Watchers as clients have them.  A client stores to a file's contents without this service, so a
 * watched file's object is marked: load and store then say so, and the client tells.
 *
 * Always: the object of a file that is open and that is watched for reading or writing is
 * marked.  One that nobody watches any more is until its next use.
 */
#include "watching.h"

#include <string.h>

#include <capos/schema/kernel_client.h>

#include "files.h"
#include "watcher_calls.h"

_Static_assert(sizeof(((struct watchers *)0)->of_session) / sizeof(uint32_t) == HANDLE_SESSIONS_MAX,
               "watch.h knows how many sessions there are");

static struct watchers *all(void)
{
	return &files.tree.watchers;
}

static void signal_owner(uint64_t event, uint64_t bits)
{
	cap_signal(event, bits);
}

void watching_start(void)
{
	all()->signal = signal_owner;
}

/* ---- Telling ---- */

static uint32_t with_kind(uint32_t event, const struct inode *inode)
{
	bool self = event == WATCH_DELETE_SELF || event == WATCH_MOVE_SELF;

	return event | (inode->type == FILE_TYPE_DIRECTORY && !self ? WATCH_DIRECTORY : 0);
}

void watching_entry(uint32_t event, uint32_t cookie, struct inode *directory, const char *name,
                    uint32_t length, struct inode *inode)
{
	const struct watch_news news = {
	        .mask = with_kind(event, inode), .cookie = cookie, .name = name, .length = length};

	if (directory->watches)
		watch_tell(all(), directory->watches, &news);
}

void watching_self(uint32_t event, struct inode *inode)
{
	if (inode->watches)
		watch_tell(all(), inode->watches,
		           &(struct watch_news){.mask = with_kind(event, inode), .name = ""});
}

void watching_end(struct inode *inode)
{
	watching_self(WATCH_DELETE_SELF, inode);
	watch_end_all(all(), &inode->watches);
}

void watching_both(uint32_t event, struct inode *directory, const char *name, uint32_t length,
                   struct inode *inode)
{
	if (directory)
		watching_entry(event, 0, directory, name, length, inode);
	watching_self(event, inode);
}

void watching_directory(uint32_t event, struct inode *directory)
{
	const struct name *name = directory->directory.name;

	watching_both(event, name ? name->parent : NULL, name ? name->text : "",
	              name ? name->length : 0, directory);
}

static void tell_home(uint32_t event, const struct handle *handle)
{
	const struct name *name = tree_next(handle->home, 0);
	struct watch_news news = {.mask = event, .unlinked = true};

	while (name && name->inode != handle->inode)
		name = name->next;
	if (name)
		news = (struct watch_news){
		        .mask = event, .name = name->text, .length = name->length};
	else if (handle->gone)
		news.name = handle->gone, news.length = handle->gone_length;
	if (news.name)
		watch_tell(all(), handle->home->watches, &news);
}

void watching_open(uint32_t event, struct handle *handle)
{
	if (!all()->first)
		return;
	if (handle->root) {
		watching_directory(event, handle->inode);
		return;
	}
	if (handle->home && watch_wants(handle->home->watches, event))
		tell_home(event, handle);
	watching_self(event, handle->inode);
}

uint32_t watching_cookie(void)
{
	static uint32_t last;

	last += last == UINT32_MAX ? 2 : 1;
	return last;
}

/* ---- What is open ---- */

#define BY_CLIENTS (WATCH_ACCESS | WATCH_MODIFY)

static bool is_wanted(const struct handle *handle)
{
	return watch_wants(handle->inode->watches, BY_CLIENTS) ||
	       (handle->home && watch_wants(handle->home->watches, BY_CLIENTS));
}

static void mark(struct data *data, bool marked)
{
	const struct memory_object_mark_params in = {.marked = marked};

	if (data->payer && data->marked != marked && !memory_object_mark(data->object, &in, NULL))
		data->marked = marked;
}

void watching_contents(struct handle *handle)
{
	if (all()->first && handle->inode->type == FILE_TYPE_REGULAR && is_wanted(handle))
		mark(&handle->inode->data, true);
}

/* Each handle of a regular file, or of that one alone. */
static struct handle *next_handle(struct handle *handle, const struct inode *inode)
{
	struct handle *end = files.handles.handles + files.handles.used;

	for (handle = handle ? handle + 1 : files.handles.handles; handle < end; handle++)
		if (handle->inode && handle->inode->type == FILE_TYPE_REGULAR &&
		    (!inode || handle->inode == inode))
			return handle;
	return NULL;
}

void watching_moved(struct inode *inode, struct inode *from, struct inode *to)
{
	if (inode->type != FILE_TYPE_REGULAR || !inode->held || inode->links > 1 || from == to)
		return;
	for (struct handle *h = NULL; (h = next_handle(h, inode));) {
		if (h->home != from)
			continue;
		inode_hold(to);
		h->home = to;
		inode_drop(&files.tree, from);
		watching_contents(h);
	}
}

void watching_removed(struct inode *inode, struct inode *from, const char *name, uint32_t length)
{
	if (!from->watches || inode->type != FILE_TYPE_REGULAR || !inode->held)
		return;
	for (struct handle *h = NULL; (h = next_handle(h, inode));) {
		if (h->home != from || h->gone)
			continue;
		h->gone = slab_get(files.tree.slab, length);
		h->gone_length = (uint8_t)length;
		if (h->gone)
			memcpy(h->gone, name, length);
	}
}

/* After a use of a file that is marked and that nobody seems to watch. */
static void unmark(struct inode *inode)
{
	for (struct handle *h = NULL; (h = next_handle(h, inode));)
		if (is_wanted(h))
			return;
	mark(&inode->data, false);
}

int watching_used(struct handle *handle, const struct file_used_params *in)
{
	if (in->opened && !handle->opened)
		handle->opened = (uint8_t)(handle->flags & OPEN_READ);
	/* What it cannot have done is not told. */
	if (in->read && handle->flags & OPEN_READ)
		watching_open(WATCH_ACCESS, handle);
	if (in->written && handle->flags & OPEN_WRITE)
		watching_open(WATCH_MODIFY, handle);
	if (inode_has_data(handle->inode) && handle->inode->data.marked && !is_wanted(handle))
		unmark(handle->inode);
	return STATUS_OK;
}

/* ---- Watchers ---- */

int watching_make(struct msg_call *call, const struct directory_make_watcher_params *in,
                  struct directory_make_watcher_results *out)
{
	struct server_call *c = server_call_of(call);
	cap_t event = server_take(c, in->wake_index);
	struct watcher *watcher;
	int position, status = STATUS_INVALID_ARGUMENT;

	if (event != CAP_NULL && in->wake_bits)
		status = watcher_make(all(), files.tree.slab, files.session, in->key, &watcher);
	if (status) {
		cap_release(event);
		return status;
	}
	watcher->event = event;
	watcher->bits = in->wake_bits;
	files.handles.of_session[files.session]++; /* so the session stays as long */
	position = server_give_object(c, WATCHER_INTERFACE, WATCHING_BIT | watcher->serial);
	if (position < 0) {
		watching_release(watcher);
		return STATUS_NO_BUFFERS;
	}
	out->watcher_index = (uint16_t)position;
	return STATUS_OK;
}

struct watcher *watching_find(uint64_t word)
{
	return watcher_by_serial(all(), word & ~WATCHING_BIT);
}

void watching_release(struct watcher *watcher)
{
	const uint32_t session = watcher->session;

	cap_release(watcher->event);
	watcher_free(all(), watcher);
	files.handles.of_session[session]--;
	session_settle(&files.sessions, &files.handles, session);
}

int watching_add(struct inode *inode, const struct directory_watch_params *in,
                 struct directory_watch_results *out)
{
	struct watcher *watcher = watcher_by_key(all(), files.session, in->key);
	int status;

	if (!watcher)
		return STATUS_NOT_PERMITTED;
	if (!(in->mask & WATCH_ALL))
		return STATUS_INVALID_ARGUMENT;
	out->watch = in->number;
	status = watch_add(watcher, &inode->watches, in->mask, &out->watch);
	if (status || !(in->mask & BY_CLIENTS))
		return status;
	for (struct handle *h = NULL; (h = next_handle(h, NULL));)
		watching_contents(h);
	return STATUS_OK;
}

static int watcher_remove(void *object, struct msg_call *call,
                          const struct watcher_remove_params *in)
{
	(void)call;
	return watch_remove(all(), object, in->watch);
}

static int watcher_number(void *object, struct msg_call *call,
                          const struct watcher_number_params *in,
                          struct watcher_number_results *out)
{
	(void)call;
	out->watch = watch_number(object, in->back);
	return STATUS_OK;
}

const struct watcher_ops watcher_ops = {.read = watcher_serve_read,
                                        .ready = watcher_serve_ready,
                                        .remove = watcher_remove,
                                        .number = watcher_number};
