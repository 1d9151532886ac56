/* SPDX-License-Identifier: MIT */
/*
 * The files service: Directory and File of schema/service.capnp over the tree.  The only file of
 * the service that knows of calls and capabilities; a handler looks the object up, runs one
 * operation of the tree and answers at once.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/service_server.h>
#include <capos/server.h>
#include <capos/start.h>

#include "handle.h"
#include "load.h"
#include "store.h"

/* What one reply carries; the rest of a message is its frame. */
#define READ_MAX 61440u
/* Entries of one list reply: what 64 KiB hold of the shortest names. */
#define LIST_MAX 1700u

static struct {
	struct page_source source;
	struct tree tree;
	struct handle_table handles;
	struct path_buffer path, second_path;
	cap_t boot; /* the archive's MemoryObject */
	cap_t code; /* CodeMaker */
	const uint8_t *archive;
	uint64_t archive_size;
	uint8_t data[READ_MAX];
	struct directory_entry entries[LIST_MAX];
	char text[TREE_PATH_MAX + 2];
} files;

/* What a Directory's methods work on. */
struct directory_object {
	struct path_from from;
};

static uint64_t client_of(struct msg_call *call)
{
	return server_call_of(call)->caller;
}

static int resolve(void *object, struct msg_text path, bool follow, struct place *out)
{
	struct directory_object *directory = object;

	return path_resolve(&files.tree, directory->from, path.ptr, path.len, follow, &files.path,
	                    out);
}

/* As resolve, but something has to be there. */
static int resolve_existing(void *object, struct msg_text path, bool follow, struct place *out)
{
	int status = resolve(object, path, follow, out);

	return status ? status : out->inode ? STATUS_OK : STATUS_NO_ENTRY;
}

/* As resolve, but nothing may be there.  wanted: a name with a slash behind it will do. */
static int resolve_new(void *object, struct msg_text path, bool directory, struct place *out)
{
	int status = resolve(object, path, false, out);

	if (status)
		return status;
	if (out->inode)
		return STATUS_EXISTS;
	return out->directory_wanted && !directory ? STATUS_NO_ENTRY : STATUS_OK;
}

/* ---- Directory ---- */

static int open_create(struct place *place, uint32_t flags, uint32_t mode)
{
	if (place->inode)
		return (flags & OPEN_EXCLUSIVE) && (flags & OPEN_CREATE) ? STATUS_EXISTS
		                                                         : STATUS_OK;
	if (!(flags & OPEN_CREATE))
		return STATUS_NO_ENTRY;
	if (place->directory_wanted)
		return STATUS_IS_DIRECTORY;
	return tree_make_file(&files.tree, place->directory, place->text, place->length, mode,
	                      &place->inode);
}

/* Whether what was found may be opened this way. */
static int open_check(struct inode *inode, uint32_t flags)
{
	if (inode->type == FILE_TYPE_SYMLINK)
		return flags & OPEN_DIRECTORY ? STATUS_NOT_DIRECTORY : STATUS_TOO_MANY_LINKS;
	if (inode->type == FILE_TYPE_DIRECTORY)
		return flags & (OPEN_WRITE | OPEN_TRUNCATE | OPEN_CREATE) ? STATUS_IS_DIRECTORY
		                                                          : STATUS_OK;
	return flags & OPEN_DIRECTORY ? STATUS_NOT_DIRECTORY : tree_check(inode);
}

static int give_handle(struct msg_call *call, struct inode *inode, struct inode *root,
                       uint32_t flags, uint16_t *index)
{
	uint64_t word;
	int status = handle_open(&files.handles, inode, root, flags, client_of(call), &word);

	if (status)
		return status;
	int position = server_give_object(server_call_of(call),
	                                  root ? DIRECTORY_INTERFACE : FILE_INTERFACE, word);
	if (position < 0) {
		handle_close(&files.handles, &files.tree, word);
		return STATUS_NO_BUFFERS;
	}
	*index = (uint16_t)position;
	return STATUS_OK;
}

static int directory_open(void *object, struct msg_call *call,
                          const struct directory_open_params *in,
                          struct directory_open_results *out)
{
	struct directory_object *directory = object;
	bool follow =
	        !(in->flags & OPEN_NO_FOLLOW) &&
	        (in->flags & (OPEN_CREATE | OPEN_EXCLUSIVE)) != (OPEN_CREATE | OPEN_EXCLUSIVE);
	struct place place;
	int status = resolve(object, in->path, follow, &place);

	if (!status)
		status = open_create(&place, in->flags, in->mode);
	if (!status)
		status = open_check(place.inode, in->flags);
	if (!status && (in->flags & OPEN_TRUNCATE))
		status = tree_truncate(&files.tree, place.inode, 0);
	if (status)
		return status;
	inode_stat(place.inode, &out->stat);
	bool is_directory = place.inode->type == FILE_TYPE_DIRECTORY;
	return give_handle(call, place.inode, is_directory ? directory->from.root : NULL,
	                   in->flags & (OPEN_READ | OPEN_WRITE), &out->file_index);
}

static int directory_stat(void *object, struct msg_call *call,
                          const struct directory_stat_params *in,
                          struct directory_stat_results *out)
{
	struct place place;
	int status = resolve_existing(object, in->path, in->follow_link, &place);

	(void)call;
	if (!status)
		inode_stat(place.inode, &out->stat);
	return status;
}

/* Positions: 1 behind ".", 2 behind "..", then the names' own with 2 added. */
static int directory_list(void *object, struct msg_call *call,
                          const struct directory_list_params *in,
                          struct directory_list_results *out)
{
	struct directory_object *object_ = object;
	struct inode *at = object_->from.start;
	struct inode *up = at == object_->from.root ? at : at->directory.parent;
	struct name *name = NULL;
	uint64_t position = in->position;
	uint32_t count = 0, room = call->out_size / 8, used = 8; /* words; the results' own part */

	for (;; count++) {
		struct directory_entry *entry = &files.entries[count];

		if (count == LIST_MAX)
			break;
		if (position < 2) {
			struct inode *inode = position ? up : at;
			*entry = (struct directory_entry){.inode = inode->number,
			                                  .type = FILE_TYPE_DIRECTORY,
			                                  .name = {"..", (uint32_t)position + 1},
			                                  .position = position + 1};
		} else {
			name = name ? name->next : tree_next(at, position - 2);
			if (!name)
				break;
			*entry = (struct directory_entry){.inode = name->inode->number,
			                                  .type = name->inode->type,
			                                  .name = {name->text, name->length},
			                                  .position = name->position + 2};
		}
		used += 4 + entry->name.len / 8 + 1; /* its data, its name's pointer, the name */
		if (used > room)
			break;
		position = entry->position;
	}
	if (!count && used > room)
		return STATUS_MESSAGE_TOO_LONG;
	out->entries = (struct msg_list){.count = count, .items = files.entries};
	out->next = position;
	return STATUS_OK;
}

static int directory_make_directory(void *object, struct msg_call *call,
                                    const struct directory_make_directory_params *in)
{
	struct place place;
	int status = resolve_new(object, in->path, true, &place);

	(void)call;
	return status ? status
	              : tree_make_directory(&files.tree, place.directory, place.text, place.length,
	                                    in->mode, NULL);
}

static int directory_remove(void *object, struct msg_call *call,
                            const struct directory_remove_params *in)
{
	struct place place;
	int status = resolve_existing(object, in->path, false, &place);

	(void)call;
	if (status)
		return status;
	if (place.name)
		return tree_remove(&files.tree, place.name, in->directory);
	if (!in->directory)
		return STATUS_IS_DIRECTORY;
	if (place.length == 0)
		return STATUS_BUSY;
	return place.length == 1 ? STATUS_INVALID_ARGUMENT : STATUS_NOT_EMPTY;
}

static int directory_rename(void *object, struct msg_call *call,
                            const struct directory_rename_params *in)
{
	struct directory_object *directory = object;
	struct place from, to;
	int status = resolve_existing(object, in->from, false, &from);

	(void)call;
	if (!status)
		status = path_resolve(&files.tree, directory->from, in->to.ptr, in->to.len, false,
		                      &files.second_path, &to);
	if (status)
		return status;
	if (!from.name || !to.directory)
		return STATUS_BUSY;
	if (to.directory_wanted && from.inode->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	return tree_rename(&files.tree, from.name, to.directory, to.text, to.length, to.name);
}

static int directory_link(void *object, struct msg_call *call,
                          const struct directory_link_params *in)
{
	struct place from, to;
	int status = resolve_existing(object, in->from, false, &from);

	(void)call;
	if (!status)
		status = resolve_new(object, in->to, false, &to);
	return status ? status
	              : tree_link(&files.tree, from.inode, to.directory, to.text, to.length);
}

static int directory_symlink(void *object, struct msg_call *call,
                             const struct directory_symlink_params *in)
{
	struct place place;
	int status = resolve_new(object, in->path, false, &place);

	(void)call;
	return status ? status
	              : tree_make_symlink(&files.tree, place.directory, place.text, place.length,
	                                  in->target.ptr, in->target.len, NULL);
}

static int directory_read_link(void *object, struct msg_call *call,
                               const struct directory_read_link_params *in,
                               struct directory_read_link_results *out)
{
	struct place place;
	int status = resolve_existing(object, in->path, false, &place);

	(void)call;
	if (status)
		return status;
	if (place.inode->type != FILE_TYPE_SYMLINK)
		return STATUS_INVALID_ARGUMENT;
	out->target = (struct msg_text){place.inode->symlink.target, place.inode->symlink.length};
	return STATUS_OK;
}

static int directory_set_mode(void *object, struct msg_call *call,
                              const struct directory_set_mode_params *in)
{
	struct place place;
	int status = resolve_existing(object, in->path, in->follow_link, &place);

	(void)call;
	if (status)
		return status;
	if (place.inode->type == FILE_TYPE_SYMLINK)
		return STATUS_NOT_SUPPORTED;
	inode_set_mode(&files.tree, place.inode, in->mode);
	return STATUS_OK;
}

static int directory_set_times(void *object, struct msg_call *call,
                               const struct directory_set_times_params *in)
{
	struct place place;
	int status = resolve_existing(object, in->path, in->follow_link, &place);

	(void)call;
	if (!status)
		inode_set_times(&files.tree, place.inode, in->access_ns, in->modify_ns);
	return status;
}

static int directory_space(void *object, struct msg_call *call, struct directory_space_results *out)
{
	(void)object;
	(void)call;
	out->block_size = PAGE_SIZE;
	store_space(&out->blocks, &out->free_blocks);
	out->files = files.tree.inodes;
	return STATUS_OK;
}

static int directory_subdirectory(void *object, struct msg_call *call,
                                  const struct directory_subdirectory_params *in,
                                  struct directory_subdirectory_results *out)
{
	struct place place;
	int status = resolve_existing(object, in->path, true, &place);

	if (status)
		return status;
	if (place.inode->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	return give_handle(call, place.inode, place.inode, 0, &out->directory_index);
}

static int directory_path(void *object, struct msg_call *call, struct directory_path_results *out)
{
	struct directory_object *directory = object;

	(void)call;
	out->path.ptr = files.text;
	return path_of(directory->from.root, directory->from.start, files.text, sizeof(files.text),
	               &out->path.len);
}

static const struct directory_ops directory_ops = {
        .open = directory_open,
        .stat = directory_stat,
        .list = directory_list,
        .make_directory = directory_make_directory,
        .remove = directory_remove,
        .rename = directory_rename,
        .link = directory_link,
        .symlink = directory_symlink,
        .read_link = directory_read_link,
        .set_mode = directory_set_mode,
        .set_times = directory_set_times,
        .space = directory_space,
        .subdirectory = directory_subdirectory,
        .path = directory_path,
};

/* ---- File ---- */

static int file_read(void *object, struct msg_call *call, const struct file_read_params *in,
                     struct file_read_results *out)
{
	struct handle *file = object;
	uint32_t length = in->length < READ_MAX ? in->length : READ_MAX;
	uint64_t size = file->inode->data.size;

	(void)call;
	if (!(file->flags & OPEN_READ))
		return STATUS_ACCESS_DENIED;
	if (in->offset >= size)
		length = 0;
	else if (length > size - in->offset)
		length = (uint32_t)(size - in->offset);
	out->data.len = length;
	out->data.ptr = data_run(&file->inode->data, in->offset, length);
	if (out->data.ptr) { /* in one piece: no copy of our own; reading nothing marks the time */
		tree_read(&files.tree, file->inode, in->offset, files.data, 0);
	} else {
		tree_read(&files.tree, file->inode, in->offset, files.data, length);
		out->data.ptr = files.data;
	}
	return STATUS_OK;
}

static int file_write(void *object, struct msg_call *call, const struct file_write_params *in,
                      struct file_write_results *out)
{
	struct handle *file = object;

	(void)call;
	if (!(file->flags & OPEN_WRITE))
		return STATUS_ACCESS_DENIED;
	int status = tree_write(&files.tree, file->inode, in->offset, in->data.ptr, in->data.len,
	                        &out->written);
	out->size = file->inode->data.size;
	return status;
}

static int file_append(void *object, struct msg_call *call, const struct file_append_params *in,
                       struct file_append_results *out)
{
	struct handle *file = object;

	(void)call;
	if (!(file->flags & OPEN_WRITE))
		return STATUS_ACCESS_DENIED;
	int status = tree_write(&files.tree, file->inode, file->inode->data.size, in->data.ptr,
	                        in->data.len, &out->written);
	out->size = file->inode->data.size;
	return status;
}

static int file_get_stat(void *object, struct msg_call *call, struct file_stat_results *out)
{
	struct handle *file = object;

	(void)call;
	inode_stat(file->inode, &out->stat);
	return STATUS_OK;
}

static int file_truncate(void *object, struct msg_call *call, const struct file_truncate_params *in)
{
	struct handle *file = object;

	(void)call;
	if (!(file->flags & OPEN_WRITE))
		return STATUS_ACCESS_DENIED;
	return tree_truncate(&files.tree, file->inode, in->size);
}

static int file_set_mode(void *object, struct msg_call *call, const struct file_set_mode_params *in)
{
	struct handle *file = object;

	(void)call;
	inode_set_mode(&files.tree, file->inode, in->mode);
	return STATUS_OK;
}

static int file_set_times(void *object, struct msg_call *call,
                          const struct file_set_times_params *in)
{
	struct handle *file = object;

	(void)call;
	inode_set_times(&files.tree, file->inode, in->access_ns, in->modify_ns);
	return STATUS_OK;
}

/* Whether the archive's own pages hold the file and, behind its end, nothing but zeros. */
static bool mappable_in_place(const struct data *data)
{
	if (data->root || !data->base_size || data->base_size != data->size)
		return false;
	const uint8_t *end = files.archive + files.archive_size;
	for (const uint8_t *p = data->base + data->size; p < end && (uintptr_t)p % PAGE_SIZE; p++) {
		if (*p)
			return false;
	}
	return true;
}

static int snapshot_in_place(const struct data *data, cap_t *memory)
{
	const struct memory_object_slice_params in = {
	        .offset = (uint64_t)(data->base - files.archive), .size = data->size};
	struct memory_object_slice_results out;
	uint64_t buffer[CAP_STUB_BUFFER / 8];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	int result = memory_object_slice(files.boot, &in, &out, &call);

	*memory = !result && call.ncaps ? call.caps[0] : CAP_NULL;
	return !result && !call.ncaps ? CAP_EMESSAGE : result;
}

/* The copy as code: whoever executes the file cannot write what it executes, and a later write to
 * the file does not reach it. */
static int make_code(cap_t data, cap_t *code)
{
	const struct code_maker_make_params in = {.memory_index = 0};
	struct code_maker_make_results out;
	const struct capos_send_cap send = {.cap = data, .rights = CAP_RIGHTS_ALL};
	uint64_t buffer[CAP_STUB_BUFFER / 8];
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	int result = code_maker_make(files.code, &in, &out, &call);

	*code = !result && call.ncaps ? call.caps[0] : CAP_NULL;
	return !result && !call.ncaps ? CAP_EMESSAGE : result;
}

static int snapshot_copy(const struct data *data, cap_t *memory)
{
	/* As much is copied at a time as a read carries; a snapshot has no more pages than the file
	 * may have. */
	void *address;
	int result = cap_memory_create(data->size, memory);

	if (result)
		return result;
	result = cap_memory_map(*memory, 0, data->size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address);
	if (result) {
		cap_release(*memory);
		return result;
	}
	for (uint64_t done = 0; done < data->size; done += READ_MAX)
		data_read(data, done, (uint8_t *)address + done, READ_MAX);
	cap_memory_unmap(address, data->size);
	cap_t copy = *memory;
	result = make_code(copy, memory);
	cap_release(copy);
	return result;
}

static int file_memory(void *object, struct msg_call *call, struct file_memory_results *out)
{
	struct handle *file = object;
	const struct data *data = &file->inode->data;
	uint64_t pages, free;
	cap_t memory;

	if (!(file->flags & OPEN_READ))
		return STATUS_ACCESS_DENIED;
	if (!data->size)
		return STATUS_INVALID_ARGUMENT;
	bool in_place = mappable_in_place(data);
	store_space(&pages, &free);
	if (!in_place && data->size / PAGE_SIZE > free)
		return STATUS_NO_MEMORY;
	if (in_place ? snapshot_in_place(data, &memory) : snapshot_copy(data, &memory))
		return STATUS_NO_MEMORY;
	int position = server_give(server_call_of(call), memory, CAP_RIGHTS_ALL, true);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	out->memory_index = (uint16_t)position;
	out->size = data->size;
	return STATUS_OK;
}

static const struct file_ops file_ops = {
        .read = file_read,
        .write = file_write,
        .append = file_append,
        .stat = file_get_stat,
        .truncate = file_truncate,
        .set_mode = file_set_mode,
        .set_times = file_set_times,
        .memory = file_memory,
};

/* ---- The server ---- */

static int service_call(struct server *server, struct server_call *call)
{
	struct directory_object directory = {{files.tree.top, files.tree.top}};

	(void)server;
	files.tree.now_ns = cap_realtime();
	if (call->object != HANDLE_ROOT) {
		struct handle *handle = handle_find(&files.handles, call->object);
		if (!handle)
			return STATUS_INVALID_ARGUMENT;
		if (call->interface == FILE_INTERFACE && !handle->root)
			return file_dispatch(&file_ops, handle, &call->msg);
		if (!handle->root)
			return STATUS_NOT_SUPPORTED;
		directory.from = (struct path_from){handle->root, handle->inode};
	}
	if (call->interface != DIRECTORY_INTERFACE)
		return STATUS_NOT_SUPPORTED;
	return directory_dispatch(&directory_ops, &directory, &call->msg);
}

static void service_release(struct server *server, uint64_t object)
{
	(void)server;
	files.tree.now_ns = cap_realtime();
	handle_close(&files.handles, &files.tree, object);
}

static const struct server_ops server_ops = {.call = service_call, .release = service_release};

/* Maps the boot archive and makes the tree of it. */
static void load(void)
{
	struct memory_object_size_results size;
	struct archive archive;
	const char *why = "", *culprit = "";
	void *address;

	files.boot = start_cap("boot");
	if (!files.boot)
		log_fatal("no capability \"boot\"");
	files.code = start_cap("code");
	if (!files.code)
		log_fatal("no capability \"code\"");
	int result = memory_object_size(files.boot, &size, NULL);
	if (!result)
		result = cap_memory_map(files.boot, 0, size.size, CAP_RIGHT_READ, &address);
	if (result)
		log_fatal("cannot map the boot archive: %s", cap_error_text(result));
	if (archive_open(&archive, address, size.size, &why))
		log_fatal("boot archive: %s", why);
	files.archive = archive.base;
	files.archive_size = archive.size;
	int status = tree_init(&files.tree, &files.source, cap_realtime());
	if (!status)
		status = load_archive(&files.tree, &archive, &culprit);
	if (!status)
		status = load_usual(&files.tree);
	if (status)
		log_fatal("boot archive: \"%s\": %s", culprit, cap_error_text(status));
}

int main(void)
{
	static struct server server;
	cap_t endpoint = start_cap("serve");

	if (!endpoint)
		log_fatal("no capability \"serve\"");
	store_init(&files.source);
	load();
	int result = server_init(&server, &server_ops, endpoint, NULL);
	if (!result)
		result = server_run(&server);
	log_fatal("server: %s", cap_error_text(result));
}
