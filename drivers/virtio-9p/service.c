/* SPDX-License-Identifier: MIT */
/*
 * The process of one volume: holds a virtio 9p device (virtio 1.2, section 5.15, is silent about
 * the protocol), serves Directory and File.  One request is at the device at a time, and a call is
 * answered before the next is looked at: clients of other volumes and of the files service do not
 * wait for this one's host.
 *
 * Arguments: "at=PATH", where the volume is mounted, and "number=N".
 */
#include <string.h>

#include <capos/identity.h>
#include <capos/log.h>
#include <capos/object.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/service_server.h>
#include <capos/server.h>
#include <capos/start.h>

#include "drivers/virtio-9p/volume.h"
#include "services/files/locking.h"
#include "services/files/watcher_calls.h"
#include "drivers/virtio/device.h"

/* The word of the volume's root (an export of the manifest); no handle has it: theirs have a
 * generation above. */
#define ROOT_WORD 1u

/* As in services/files/watching.h. */
#define WATCHING_BIT (1ull << 61)

#define QUEUE_REQUESTS  0u
#define QUEUE_SIZE_MAX  128u /* so that its memory is a page */
#define BIT_INTERRUPT   1u
#define MESSAGE_PAGES   (P9_MESSAGE_MAX / CAPOS_PAGE_SIZE)
#define DMA_PAGES       (2u + 2u * MESSAGE_PAGES) /* the queue, a request, a reply, posts */
#define POSTS_PAGE      (1u + 2u * MESSAGE_PAGES)
#define DESCRIPTORS_MAX (2u * MESSAGE_PAGES)
#define POST_TOKEN      1u /* and the slot's number; 0 is the request that is waited for */
_Static_assert(DESCRIPTORS_MAX + 2 * P9_POSTS <= QUEUE_SIZE_MAX, "all requests fit the queue");
_Static_assert(2 * P9_POSTS * P9_POST_BYTES <= CAPOS_PAGE_SIZE, "posts and their replies fit");
_Static_assert(VIRTQUEUE_MEMORY_SIZE(QUEUE_SIZE_MAX) == CAPOS_PAGE_SIZE, "the queue is a page");

static struct virtio_device device;
static struct virtqueue queue;
static struct virtqueue_slot slots[QUEUE_SIZE_MAX];
static uint64_t pages[DMA_PAGES];
static uint8_t *shared; /* with the device: DMA_PAGES pages */
static uint8_t reply[P9_MESSAGE_MAX];
static cap_t interrupt_event;
static struct volume volume;

/* ---- The device ---- */

/* The process ends, and is started anew with a new device; what clients had open is gone then. */
static _Noreturn void give_up(const char *why)
{
	virtio_fail(&device);
	log_fatal("%s", why);
}

/* Buffers of `length` bytes in the shared pages from `page` on. */
static uint32_t buffers_of(uint32_t page, uint32_t length, bool device_writes,
                           struct virtqueue_buffer *out)
{
	uint32_t n = 0;

	for (uint32_t at = 0; at < length; at += CAPOS_PAGE_SIZE, n++) {
		uint32_t left = length - at;

		out[n] = (struct virtqueue_buffer){
		        .address = pages[page + n],
		        .length = left < CAPOS_PAGE_SIZE ? left : (uint32_t)CAPOS_PAGE_SIZE,
		        .device_writes = device_writes};
	}
	return n;
}

/* The next answer; its token. */
static uint32_t await_device(uint32_t *length)
{
	uint32_t token;
	uint64_t bits;

	for (;;) {
		int result = virtqueue_take(&queue, &token, length);

		if (!result && token)
			volume.p9.posted[token - POST_TOKEN] = 0;
		if (!result)
			return token;
		if (result != CAP_EAGAIN)
			give_up("the device's used ring makes no sense");
		if (virtqueue_want_interrupt(&queue, 1))
			continue;
		if (cap_wait(interrupt_event, BIT_INTERRUPT, CAPOS_FOREVER, &bits))
			give_up("cannot wait for the device");
		if (virtio_needs_reset(&device))
			give_up("the device asks for a reset");
	}
}

static int transact(struct p9 *p, uint32_t length, uint32_t room, uint32_t *answered)
{
	struct virtqueue_buffer buffers[DESCRIPTORS_MAX];
	uint32_t count = buffers_of(1, length, false, buffers);
	uint32_t got;

	(void)p;
	count += buffers_of(1 + MESSAGE_PAGES, room, true, buffers + count);
	if (virtqueue_add(&queue, buffers, count, 0))
		return -P9_EIO;
	virtqueue_kick(&queue);
	while (await_device(&got))
		; /* posts: their slots are free now */
	/* A copy, so that what is checked is what is used. */
	memcpy(reply, shared + (1 + MESSAGE_PAGES) * CAPOS_PAGE_SIZE, got);
	*answered = got;
	return 0;
}

static int post(struct p9 *p, uint32_t slot, const uint8_t *message, uint32_t length)
{
	uint32_t at = slot * 2 * P9_POST_BYTES;
	const struct virtqueue_buffer buffers[] = {
	        {.address = pages[POSTS_PAGE] + at, .length = length},
	        {.address = pages[POSTS_PAGE] + at + P9_POST_BYTES,
	         .length = P9_POST_BYTES,
	         .device_writes = true}};

	(void)p;
	memcpy(shared + POSTS_PAGE * CAPOS_PAGE_SIZE + at, message, length);
	if (virtqueue_add(&queue, buffers, 2, POST_TOKEN + slot))
		return -P9_EIO;
	virtqueue_kick(&queue);
	return 0;
}

/* Only between requests that are waited for. */
static void await_post(struct p9 *p, uint32_t slot)
{
	uint32_t length;

	while (p->posted[slot])
		(void)await_device(&length);
}

static void set_up_device(void)
{
	uint16_t size;
	void *base;
	int result = virtio_open(&device, "device");

	if (result)
		log_fatal("no 9p device: %s", cap_error_text(result));
	result = virtio_negotiate(&device, VIRTIO_F_EVENT_IDX, 0);
	if (result)
		log_fatal("the 9p device cannot be used: %s", cap_error_text(result));
	result = virtio_dma_allocate(&device, DMA_PAGES, pages, &base, NULL);
	if (result)
		log_fatal_error(result, "no memory for the device's queue");
	shared = base;
	size = virtio_queue_size(&device, QUEUE_REQUESTS);
	if (size > QUEUE_SIZE_MAX)
		size = QUEUE_SIZE_MAX;
	if (size < DESCRIPTORS_MAX + 2 * P9_POSTS)
		give_up("the device's queue is too short");
	result = virtio_queue_setup(&device, &queue, QUEUE_REQUESTS, size, shared, pages, 0, slots);
	if (!result)
		result = cap_event_create(&interrupt_event);
	if (!result)
		result = virtio_bind_interrupt(&device, interrupt_event, BIT_INTERRUPT);
	if (result)
		log_fatal("the 9p device cannot be started: %s", cap_error_text(result));
	virtio_run(&device);
}

/* ---- Memory ---- */

static int status_of(int result)
{
	return result == CAP_ENOMEM ? STATUS_NO_SPACE : result ? STATUS_IO_ERROR : STATUS_OK;
}

static int load_memory(uint64_t memory, uint64_t offset, void *to, uint32_t length,
                       uint32_t *loaded)
{
	struct cap_copied copied;
	int result = cap_memory_load(memory, CAP_NULL, offset, to, length, &copied);

	*loaded = (uint32_t)copied.length;
	return status_of(result);
}

static int store_memory(uint64_t memory, uint64_t offset, const void *from, uint32_t length)
{
	struct cap_copied copied;
	int result = cap_memory_store(memory, CAP_NULL, false, offset, from, length, &copied);

	if (!result && copied.length < length)
		return STATUS_NO_SPACE;
	return status_of(result);
}

static int resize_memory(uint64_t memory, uint64_t size)
{
	const struct memory_object_resize_params in = {.size = size};

	return status_of(memory_object_resize(memory, &in, NULL));
}

static bool has_fixed_size(uint64_t memory, uint64_t size)
{
	uint64_t buffer[CAP_STUB_BUFFER / 8], now = 0;
	struct memory_object_show_size_results results;
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	int result = cap_memory_size(memory, &now);

	if (result || now != size)
		return false;
	result = memory_object_show_size(memory, &results, &call);
	for (uint32_t i = 0; !result && i < call.ncaps; i++)
		cap_release(call.caps[i]);
	return result == CAP_ETYPE;
}

static void release_memory(uint64_t memory)
{
	cap_release(memory);
}

static const struct volume_memory memory_ops = {.load = load_memory,
                                                .store = store_memory,
                                                .resize = resize_memory,
                                                .is_fixed = has_fixed_size,
                                                .release = release_memory};

/* ---- Directory ---- */

static int give(struct msg_call *call, bool directory, uint64_t word, uint16_t *index)
{
	int position = server_give_object(server_call_of(call),
	                                  directory ? DIRECTORY_INTERFACE : FILE_INTERFACE, word);

	if (position < 0) {
		volume_close(&volume, word);
		return STATUS_NO_BUFFERS;
	}
	*index = (uint16_t)position;
	return STATUS_OK;
}

static struct volume_from from(void *object)
{
	return object ? volume_from(&volume, object) : volume_root(&volume);
}

static int serve_open(void *object, struct msg_call *call, const struct directory_open_params *in,
                      struct directory_open_results *out)
{
	uint64_t word;
	int status = volume_open(&volume, from(object), in->path, in->flags, in->mode, &word,
	                         &out->stat);

	return status ? status
	              : give(call, out->stat.type == FILE_TYPE_DIRECTORY, word, &out->file_index);
}

static int serve_subdirectory(void *object, struct msg_call *call,
                              const struct directory_subdirectory_params *in,
                              struct directory_subdirectory_results *out)
{
	uint64_t word;
	int status = volume_subdirectory(&volume, from(object), in->path, &word);

	return status ? status : give(call, true, word, &out->directory_index);
}

static int serve_stat(void *object, struct msg_call *call, const struct directory_stat_params *in,
                      struct directory_stat_results *out)
{
	(void)call;
	return volume_stat(&volume, from(object), in->path, in->follow_link, &out->stat);
}

static int serve_list(void *object, struct msg_call *call, const struct directory_list_params *in,
                      struct directory_list_results *out)
{
	uint32_t count, words = call->out_size / 8;
	int status;

	if (words <= 8) /* the results' own part */
		return STATUS_MESSAGE_TOO_LONG;
	status = volume_list(&volume, from(object), in->position, words - 8, &count, &out->next);
	out->entries = (struct msg_list){.count = count, .items = volume.entries};
	return status;
}

static int serve_make_directory(void *object, struct msg_call *call,
                                const struct directory_make_directory_params *in)
{
	(void)call;
	return volume_make_directory(&volume, from(object), in->path, in->mode);
}

static int serve_make_fifo(void *object, struct msg_call *call,
                           const struct directory_make_fifo_params *in)
{
	(void)call;
	return volume_make_node(&volume, from(object), in->path, FILE_TYPE_FIFO, in->mode);
}

static int serve_make_node(void *object, struct msg_call *call,
                           const struct directory_make_node_params *in)
{
	(void)call;
	return volume_make_node(&volume, from(object), in->path, in->type, in->mode);
}

static int serve_remove(void *object, struct msg_call *call,
                        const struct directory_remove_params *in)
{
	(void)call;
	return volume_remove(&volume, from(object), in->path, in->directory);
}

static int serve_rename(void *object, struct msg_call *call,
                        const struct directory_rename_params *in)
{
	(void)call;
	return volume_rename(&volume, from(object), in->from, in->to, in->flags);
}

static int serve_link(void *object, struct msg_call *call, const struct directory_link_params *in)
{
	(void)call;
	return volume_link(&volume, from(object), in->from, in->to);
}

static int serve_link_file(void *object, struct msg_call *call,
                           const struct directory_link_file_params *in)
{
	(void)call;
	return volume_link_file(&volume, from(object), in->key, in->path);
}

static int serve_symlink(void *object, struct msg_call *call,
                         const struct directory_symlink_params *in)
{
	(void)call;
	return volume_symlink(&volume, from(object), in->target, in->path);
}

static int serve_read_link(void *object, struct msg_call *call,
                           const struct directory_read_link_params *in,
                           struct directory_read_link_results *out)
{
	(void)call;
	return volume_read_link(&volume, from(object), in->path, &out->target);
}

static struct p9_change mode_change(uint32_t mode)
{
	return (struct p9_change){.what = P9_SET_MODE, .mode = mode & 07777};
}

static struct p9_change owner_change(uint32_t user, uint32_t group)
{
	return (struct p9_change){.what = (user != KEEP_OWNER ? P9_SET_USER : 0) |
	                                  (group != KEEP_OWNER ? P9_SET_GROUP : 0),
	                          .user = user,
	                          .group = group,
	                          .same_owner = user == KEEP_OWNER && group == KEEP_OWNER};
}

static struct p9_change time_change(int64_t access_ns, int64_t modify_ns, bool now)
{
	struct p9_change change = {.access_ns = access_ns, .modify_ns = modify_ns, .now = now};

	if (now) /* by this clock: who may only write chooses none */
		change.access_ns = change.modify_ns = cap_realtime();
	if (access_ns != INT64_MIN)
		change.what |= P9_SET_ACCESS | P9_SET_ACCESS_THAT;
	if (modify_ns != INT64_MIN)
		change.what |= P9_SET_MODIFY | P9_SET_MODIFY_THAT;
	return change;
}

static int serve_set_mode(void *object, struct msg_call *call,
                          const struct directory_set_mode_params *in)
{
	const struct p9_change change = mode_change(in->mode);

	(void)call;
	return volume_change(&volume, from(object), in->path, in->follow_link, &change);
}

static int serve_set_owner(void *object, struct msg_call *call,
                           const struct directory_set_owner_params *in)
{
	const struct p9_change change = owner_change(in->user, in->group);

	(void)call;
	return volume_change(&volume, from(object), in->path, in->follow_link, &change);
}

static int serve_set_times(void *object, struct msg_call *call,
                           const struct directory_set_times_params *in)
{
	const struct p9_change change = time_change(in->access_ns, in->modify_ns, in->now);

	(void)call;
	return volume_change(&volume, from(object), in->path, in->follow_link, &change);
}

static int serve_space(void *object, struct msg_call *call, struct directory_space_results *out)
{
	struct p9_space space;
	int status = volume_space(&volume, &space);

	(void)object;
	(void)call;
	if (!status)
		*out = (struct directory_space_results){.block_size = space.block_size,
		                                        .blocks = space.blocks,
		                                        .free_blocks = space.free_blocks,
		                                        .files = space.files};
	return status;
}

static int serve_path(void *object, struct msg_call *call, struct directory_path_results *out)
{
	(void)call;
	return volume_path(&volume, from(object), &out->path);
}

static int serve_follow(void *object, struct msg_call *call,
                        const struct directory_follow_params *in,
                        struct directory_follow_results *out)
{
	(void)call;
	out->volume = volume.number;
	return volume_follow(&volume, from(object), in->path, in->follow_link, &out->end,
	                     &out->path);
}

static int serve_lock_owner(void *object, struct msg_call *call,
                            struct directory_lock_owner_results *out)
{
	(void)object;
	return locking_owner(call, 0, out);
}

static void signal_watcher(uint64_t event, uint64_t bits)
{
	cap_signal(event, bits);
}

static void release_watcher(struct watcher *watcher)
{
	if (--watcher->holders)
		return;
	cap_release(watcher->event);
	watcher_free(&volume.watchers, watcher);
}

static int serve_make_watcher(void *object, struct msg_call *call,
                              const struct directory_make_watcher_params *in,
                              struct directory_make_watcher_results *out)
{
	struct server_call *c = server_call_of(call);
	cap_t event = server_take(c, in->wake_index);
	struct watcher *watcher;
	int position, status = STATUS_INVALID_ARGUMENT;

	(void)object;
	if (event && in->wake_bits)
		status = volume_make_watcher(&volume, in->key, &watcher);
	if (status || watcher->holders) {
		cap_release(event);
	} else {
		watcher->event = event;
		watcher->bits = in->wake_bits;
	}
	if (status)
		return status;
	watcher->holders++;
	position = server_give_object(c, WATCHER_INTERFACE, WATCHING_BIT | watcher->serial);
	if (position < 0) {
		release_watcher(watcher);
		return STATUS_NO_BUFFERS;
	}
	out->watcher_index = (uint16_t)position;
	return STATUS_OK;
}

static int serve_watch(void *object, struct msg_call *call, const struct directory_watch_params *in,
                       struct directory_watch_results *out)
{
	(void)call;
	return volume_watch(&volume, from(object), in, &out->watch);
}

static int watcher_remove(void *object, struct msg_call *call,
                          const struct watcher_remove_params *in)
{
	(void)call;
	return watch_remove(&volume.watchers, object, in->watch);
}

static const struct watcher_ops watcher_ops = {
        .read = watcher_serve_read, .ready = watcher_serve_ready, .remove = watcher_remove};

static int serve_sync_all(void *object, struct msg_call *call)
{
	(void)object;
	(void)call;
	return volume_sync_all(&volume);
}

/* Of a directory that was opened: its locks go with its handle. */
static int serve_lock_whole(void *object, struct msg_call *call,
                            const struct directory_lock_whole_params *in)
{
	const struct volume_handle *directory = object;

	return locking_lock_directory(object ? volume_locks(&volume, object) : NULL,
	                              object ? directory->flags : 0, call, in);
}

static int serve_stop_waiting_whole(void *object, struct msg_call *call)
{
	return locking_stop_waiting_directory(object ? volume_locks(&volume, object) : NULL, call);
}

static const struct directory_ops directory_ops = {
        .open = serve_open,
        .stat = serve_stat,
        .list = serve_list,
        .make_directory = serve_make_directory,
        .make_fifo = serve_make_fifo,
        .make_node = serve_make_node,
        .remove = serve_remove,
        .rename = serve_rename,
        .link = serve_link,
        .symlink = serve_symlink,
        .read_link = serve_read_link,
        .set_mode = serve_set_mode,
        .set_owner = serve_set_owner,
        .set_times = serve_set_times,
        .space = serve_space,
        .subdirectory = serve_subdirectory,
        .path = serve_path,
        .follow = serve_follow,
        .lock_owner = serve_lock_owner,
        .link_file = serve_link_file,
        .lock_whole = serve_lock_whole,
        .stop_waiting = serve_stop_waiting_whole,
        .sync = serve_sync_all,
        .make_watcher = serve_make_watcher,
        .watch = serve_watch,
};

/* ---- File ---- */

static int serve_read(void *object, struct msg_call *call, const struct file_read_params *in,
                      struct file_read_results *out)
{
	const uint8_t *data = NULL;
	uint32_t got = 0;
	int status = volume_read(&volume, object, in->offset, in->length, &data, &got);

	(void)call;
	out->data = MSG_DATA(data, got);
	return status;
}

static int serve_write(void *object, struct msg_call *call, const struct file_write_params *in,
                       struct file_write_results *out)
{
	(void)call;
	return volume_write(&volume, object, false, in->offset, in->data.ptr, in->data.len,
	                    &out->written, &out->size);
}

static int serve_append(void *object, struct msg_call *call, const struct file_append_params *in,
                        struct file_append_results *out)
{
	(void)call;
	return volume_write(&volume, object, true, 0, in->data.ptr, in->data.len, &out->written,
	                    &out->size);
}

static int serve_file_stat(void *object, struct msg_call *call, struct file_stat_results *out)
{
	(void)call;
	return volume_file_stat(&volume, object, &out->stat);
}

static int serve_truncate(void *object, struct msg_call *call,
                          const struct file_truncate_params *in)
{
	const struct p9_change change = {.what = P9_SET_SIZE, .size = in->size};

	(void)call;
	return volume_file_change(&volume, object, &change);
}

static int serve_file_mode(void *object, struct msg_call *call,
                           const struct file_set_mode_params *in)
{
	const struct p9_change change = mode_change(in->mode);

	(void)call;
	return volume_file_change(&volume, object, &change);
}

static int serve_file_owner(void *object, struct msg_call *call,
                            const struct file_set_owner_params *in)
{
	const struct p9_change change = owner_change(in->user, in->group);

	(void)call;
	return volume_file_change(&volume, object, &change);
}

static int serve_file_times(void *object, struct msg_call *call,
                            const struct file_set_times_params *in)
{
	const struct p9_change change = time_change(in->access_ns, in->modify_ns, in->now);

	(void)call;
	return volume_file_change(&volume, object, &change);
}

static int serve_sync(void *object, struct msg_call *call, const struct file_sync_params *in)
{
	(void)call;
	return volume_sync(&volume, object, in->data_only);
}

static int serve_offer(void *object, struct msg_call *call, const struct file_offer_params *in)
{
	struct volume_handle *handle = object;

	(void)call;
	if (!in->key)
		return STATUS_INVALID_ARGUMENT;
	handle->offered = in->key;
	return STATUS_OK;
}

static int serve_allocate(void *object, struct msg_call *call,
                          const struct file_allocate_params *in)
{
	(void)call;
	/* As Linux has it where the protocol says nothing of holes. */
	if (in->punch)
		return STATUS_NOT_SUPPORTED;
	return volume_allocate(&volume, object, in->offset, in->length, in->keep_size);
}

/* What may be anybody's object is called when it is the kernel's alone: another may never
 * answer. */
static int serve_share(void *object, struct msg_call *call, const struct file_share_params *in,
                       struct file_share_results *out)
{
	cap_t memory = server_take(server_call_of(call), in->memory_index);
	bool write = false;
	int position, status = STATUS_OK;

	if (memory && !cap_is_kernels(memory)) {
		cap_release(memory);
		return STATUS_INVALID_ARGUMENT;
	}
	status = volume_share(&volume, object, &memory, &write);
	if (status)
		return status;
	position = server_give(server_call_of(call), memory,
	                       CAP_RIGHT_READ | (write ? CAP_RIGHT_WRITE : 0) | CAP_RIGHT_CALL |
	                               CAP_RIGHT_COPY,
	                       false);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	out->memory_index = (uint16_t)position;
	return STATUS_OK;
}

static int serve_write_back(void *object, struct msg_call *call,
                            const struct file_write_back_params *in)
{
	(void)call;
	return volume_write_back(&volume, object, in->offset, in->length);
}

static int serve_lock(void *object, struct msg_call *call, const struct file_lock_params *in)
{
	const struct volume_handle *file = object;

	return locking_lock(volume_locks(&volume, object), file->flags, call, in);
}

static int serve_find_lock(void *object, struct msg_call *call,
                           const struct file_find_lock_params *in,
                           struct file_find_lock_results *out)
{
	return locking_find(*volume_locks(&volume, object), call, in, out);
}

static int serve_stop_waiting(void *object, struct msg_call *call,
                              const struct file_stop_waiting_params *in)
{
	return locking_stop_waiting(volume_locks(&volume, object), call, in);
}

static int serve_drop_locks(void *object, struct msg_call *call)
{
	return locking_drop(volume_locks(&volume, object), call);
}

static const struct file_ops file_ops = {
        .read = serve_read,
        .write = serve_write,
        .append = serve_append,
        .stat = serve_file_stat,
        .truncate = serve_truncate,
        .set_mode = serve_file_mode,
        .set_owner = serve_file_owner,
        .set_times = serve_file_times,
        .sync = serve_sync,
        .offer = serve_offer,
        .allocate = serve_allocate,
        .share = serve_share,
        .write_back = serve_write_back,
        .lock = serve_lock,
        .find_lock = serve_find_lock,
        .stop_waiting = serve_stop_waiting,
        .drop_locks = serve_drop_locks,
};

/* ---- The loop ---- */

static bool caller_in_group(const struct who *who, uint32_t group)
{
	return cap_caller_in_group(who->call_id, group);
}

/* A directory of the trail that the host has put something else in the place of is gone to once
 * more, by the whole path. */
static int serve_directory(struct volume_handle *handle, struct server_call *call)
{
	int status;

	volume.walk.dir_by_trail = volume.second.dir_by_trail = false;
	status = directory_dispatch(&directory_ops, handle, &call->msg);
	if ((status != STATUS_NOT_DIRECTORY && status != STATUS_TOO_MANY_LINKS) ||
	    !(volume.walk.dir_by_trail || volume.second.dir_by_trail))
		return status;
	trail_forget(&volume.trail, &volume.p9, true);
	return directory_dispatch(&directory_ops, handle, &call->msg);
}

static int serve_call(struct server *server, struct server_call *call)
{
	struct volume_handle *handle = NULL;

	(void)server;
	volume.who = (struct who){.user = cap_label_user(call->caller_label),
	                          .group = cap_label_group(call->caller_label),
	                          .in_group = caller_in_group,
	                          .call_id = call->call_id};
	if (call->interface == LOCK_OWNER_INTERFACE && call->object & LOCKING_OWNER_BIT)
		return lock_owner_dispatch(&lock_owner_ops, &call->object, &call->msg);
	if (call->interface == WATCHER_INTERFACE && call->object & WATCHING_BIT) {
		struct watcher *watcher =
		        watcher_by_serial(&volume.watchers, call->object & ~WATCHING_BIT);

		return watcher ? watcher_dispatch(&watcher_ops, watcher, &call->msg)
		               : STATUS_INVALID_ARGUMENT;
	}
	if (call->object != ROOT_WORD) {
		handle = volume_find(&volume, call->object);
		if (!handle)
			return STATUS_INVALID_ARGUMENT;
	}
	if (!handle || handle->directory)
		return call->interface == DIRECTORY_INTERFACE ? serve_directory(handle, call)
		                                              : STATUS_NOT_SUPPORTED;
	return call->interface == FILE_INTERFACE ? file_dispatch(&file_ops, handle, &call->msg)
	                                         : STATUS_NOT_SUPPORTED;
}

static void serve_release_watcher(uint64_t serial)
{
	struct watcher *watcher = watcher_by_serial(&volume.watchers, serial);

	if (watcher)
		release_watcher(watcher);
}

static void serve_release(struct server *server, uint64_t object)
{
	(void)server;
	if (object & LOCKING_OWNER_BIT)
		locking_release(object);
	else if (object & WATCHING_BIT)
		serve_release_watcher(object & ~WATCHING_BIT);
	else
		volume_close(&volume, object);
}

static const struct server_ops server_ops = {.call = serve_call, .release = serve_release};

static const struct start_expected expected[] = {
        {"serve", 0, false},
        {"device.mmio", DEVICE_MMIO_INTERFACE, false},
        {"device.interrupt", INTERRUPT_INTERFACE, false},
        {"device.dma", DMA_POOL_INTERFACE, false},
        {"log", LOG_INTERFACE, false},
        {NULL, 0, false},
};

static void read_arguments(char **argv)
{
	for (char **a = argv; *a; a++) {
		if (!strncmp(*a, "at=", 3))
			volume.mounted_at = *a + 3;
		else if (!strncmp(*a, "number=", 7))
			volume.number = (uint32_t)((*a)[7] - '0');
	}
	if (!volume.mounted_at || !volume.number)
		log_fatal("it is not said where the volume is mounted");
}

int main(int argc, char **argv)
{
	static struct server server;
	int result;

	(void)argc;
	start_check(expected);
	read_arguments(argv + 1);
	set_up_device();
	volume.p9 = (struct p9){.transact = transact,
	                        .post = post,
	                        .await_post = await_post,
	                        .request = shared + CAPOS_PAGE_SIZE,
	                        .reply = reply};
	volume.memory = &memory_ops;
	volume.trail.now = cap_now;
	volume.watchers.signal = signal_watcher;
	volume.next_hidden =
	        (uint32_t)cap_realtime(); /* other machines may have the directory too */
	result = volume_start(&volume);
	if (result)
		give_up("the device does not speak 9P2000.L");
	locking_start(&volume.locks, &volume.slab);
	result = server_init(&server, &server_ops, start_cap("serve"), NULL);
	if (result)
		log_fatal_error(result, "cannot serve");
	log_line("volume %u at %s", volume.number, volume.mounted_at);
	result = server_run(&server);
	log_fatal("the server has ended: %s", cap_error_text(result));
}
