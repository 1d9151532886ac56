/* SPDX-License-Identifier: MIT */
/*
 * The methods of File.  What is written is drawn from the session of the handle, whichever process
 * writes.
 */
#include <string.h>

#include <capos/format.h>
#include <capos/schema/kernel_client.h>

#include "files.h"

/* What a read puts together when the file does not hold it in one piece. */
static uint8_t read_space[READ_MAX];

/* A FIFO's bytes are the business of those who share them: its size stays, and none of them become
 * a file's. */
static int check_kind(const struct handle *file)
{
	return inode_is_shared(file->inode) ? STATUS_INVALID_ARGUMENT : STATUS_OK;
}

static int check_writable(const struct handle *file)
{
	return file->flags & OPEN_WRITE ? check_kind(file) : STATUS_ACCESS_DENIED;
}

static int check_readable(const struct handle *file)
{
	return file->flags & OPEN_READ ? check_kind(file) : STATUS_ACCESS_DENIED;
}

static int file_read(void *object, struct msg_call *call, const struct file_read_params *in,
                     struct file_read_results *out)
{
	struct handle *file = object;
	uint32_t length = in->length < READ_MAX ? in->length : READ_MAX;
	const struct data *data = &file->inode->data;
	int status = check_readable(file);

	(void)call;
	if (status)
		return status;
	if (!data->payer && in->offset < data->size && length > data->size - in->offset)
		length = (uint32_t)(data->size - in->offset);
	out->data.ptr = data_run(data, in->offset, length);
	if (out->data.ptr) { /* in place: no copy of our own; reading nothing marks the time */
		tree_read(&files.tree, file->inode, in->offset, read_space, 0);
	} else {
		length = tree_read(&files.tree, file->inode, in->offset, read_space, length);
		out->data.ptr = read_space;
	}
	out->data.len = length;
	if (length)
		watching_open(WATCH_ACCESS, file);
	return STATUS_OK;
}

static int file_write(void *object, struct msg_call *call, const struct file_write_params *in,
                      struct file_write_results *out)
{
	struct handle *file = object;
	int status = check_writable(file);

	(void)call;
	if (status)
		return status;
	status = tree_write(&files.tree, file->inode, false, in->offset, in->data.ptr, in->data.len,
	                    &out->written);
	out->size = file->inode->data.size;
	if (out->written)
		watching_open(WATCH_MODIFY, file);
	return status;
}

static int file_append(void *object, struct msg_call *call, const struct file_append_params *in,
                       struct file_append_results *out)
{
	struct handle *file = object;
	int status = check_writable(file);

	(void)call;
	if (status)
		return status;
	status = tree_write(&files.tree, file->inode, true, 0, in->data.ptr, in->data.len,
	                    &out->written);
	out->size = file->inode->data.size;
	if (out->written)
		watching_open(WATCH_MODIFY, file);
	return status;
}

static int file_get_stat(void *object, struct msg_call *call, struct file_stat_results *out)
{
	struct handle *file = object;

	(void)call;
	inode_stat(file->inode, &out->stat);
	inode_remember(&files.tree, file->inode, &out->stat);
	return STATUS_OK;
}

static int file_truncate(void *object, struct msg_call *call, const struct file_truncate_params *in)
{
	struct handle *file = object;
	int status = check_writable(file);

	(void)call;
	if (status)
		return status;
	status = tree_truncate(&files.tree, file->inode, in->size);
	if (!status)
		watching_open(WATCH_MODIFY, file);
	return status;
}

static int file_set_mode(void *object, struct msg_call *call, const struct file_set_mode_params *in)
{
	struct handle *file = object;
	int status = allowed_own(file->inode);

	(void)call;
	if (status)
		return status;
	inode_set_mode(&files.tree, file->inode, allowed_mode(file->inode, in->mode));
	watching_open(WATCH_ATTRIBUTES, file);
	return STATUS_OK;
}

static int file_set_owner(void *object, struct msg_call *call,
                          const struct file_set_owner_params *in)
{
	struct handle *file = object;
	int status = allowed_owner(file->inode, in->user, in->group);

	(void)call;
	if (status)
		return status;
	inode_set_owner(&files.tree, file->inode, in->user, in->group);
	watching_open(WATCH_ATTRIBUTES, file);
	return STATUS_OK;
}

static int file_set_times(void *object, struct msg_call *call,
                          const struct file_set_times_params *in)
{
	struct handle *file = object;
	int status = allowed_times(file->inode, in->now);

	(void)call;
	if (status)
		return status;
	if (in->now)
		inode_set_times(&files.tree, file->inode, files.tree.now_ns, files.tree.now_ns);
	else
		inode_set_times(&files.tree, file->inode, in->access_ns, in->modify_ns);
	if (times_event(in->access_ns, in->modify_ns))
		watching_open(times_event(in->access_ns, in->modify_ns), file);
	return STATUS_OK;
}

static int give_memory(struct msg_call *call, cap_t memory, uint32_t rights, bool move,
                       uint16_t *index)
{
	int position = server_give(server_call_of(call), memory, rights, move);

	if (position < 0)
		return STATUS_NO_BUFFERS;
	*index = (uint16_t)position;
	return STATUS_OK;
}

/* A capability on the contents whose slices are code. */
static int grant(cap_t contents, cap_t *memory)
{
	const struct code_maker_grant_params in = {.memory_index = 0};
	struct code_maker_grant_results out;
	const struct capos_send_cap send = {.cap = contents, .rights = CAP_RIGHT_READ};
	uint64_t buffer[CAP_STUB_BUFFER / 8];
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};

	if (code_maker_grant(files.code, &in, &out, &call) || !call.ncaps)
		return STATUS_NO_MEMORY;
	*memory = call.caps[0];
	return STATUS_OK;
}

int give_image(struct msg_call *call, struct handle *file, uint16_t *index)
{
	struct data *data = &file->inode->data;
	cap_t memory;
	int status = check_readable(file);

	if (status)
		return status;
	inode_refresh(file->inode);
	if (!data->size)
		return STATUS_INVALID_ARGUMENT;
	status = data_own(data, files.tree.slab->source);
	if (status == STATUS_NO_SPACE)
		return STATUS_NO_MEMORY;
	if (!status)
		status = grant(data->object, &memory);
	if (status)
		return status;
	return give_memory(call, memory, CAP_RIGHTS_ALL, true, index);
}

static int file_memory(void *object, struct msg_call *call, struct file_memory_results *out)
{
	struct handle *file = object;
	int status = give_image(call, file, &out->memory_index);

	if (!status)
		out->size = file->inode->data.size;
	return status;
}

int give_contents(struct msg_call *call, struct handle *file, uint16_t *index)
{
	struct data *data = &file->inode->data;
	uint32_t rights = CAP_RIGHT_CALL | CAP_RIGHT_COPY;
	bool stores = file->flags & OPEN_WRITE;
	int status = data_own(data, files.tree.slab->source);

	if (!status && stores && !file->stores) {
		/* What is stored from now on must be known from what was stored before. */
		(void)data_refresh(data, true);
		data->writers++;
		data->kept = true;
		file->stores = true;
		if (files.tree.who.user)
			file->inode->stored_by = files.tree.who.user;
	}
	if (status)
		return status;
	watching_contents(file);
	rights |= file->flags & OPEN_READ ? CAP_RIGHT_READ : 0;
	rights |= stores ? CAP_RIGHT_WRITE : 0;
	return give_memory(call, data->object, rights, false, index);
}

static int file_contents(void *object, struct msg_call *call, struct file_contents_results *out)
{
	return give_contents(call, object, &out->memory_index);
}

static int file_grow(void *object, struct msg_call *call, const struct file_grow_params *in)
{
	struct handle *file = object;
	int status = check_writable(file);

	(void)call;
	if (status)
		return status;
	return data_grow(&file->inode->data, files.tree.slab->source, in->offset, in->length);
}

static int file_allocate(void *object, struct msg_call *call, const struct file_allocate_params *in)
{
	struct handle *file = object;
	int status = check_writable(file);

	(void)call;
	if (status)
		return status;
	status = tree_allocate(&files.tree, file->inode, in->offset, in->length, in->keep_size,
	                       in->punch);
	if (!status)
		watching_open(WATCH_MODIFY, file);
	return status;
}

static int file_used(void *object, struct msg_call *call, const struct file_used_params *in)
{
	(void)call;
	return watching_used(object, in);
}

/* What the file is called in its home, or was: false: it is called something elsewhere. */
static bool name_of(const struct handle *file, struct file_path_results *out)
{
	static char unnamed[24];
	const struct inode *inode = file->inode;
	const struct name *name = tree_next(file->home, 0);

	while (name && name->inode != inode)
		name = name->next;
	out->gone = !inode->links;
	if (name) {
		out->path = (struct msg_text){name->text, name->length};
	} else if (inode->last) {
		out->path = (struct msg_text){inode->last, inode->last_length};
	} else {
		out->path.ptr = unnamed;
		out->path.len = (uint32_t)fmt_snprintf(unnamed, sizeof(unnamed), "#%lu",
		                                       (unsigned long)inode->number);
	}
	return name || out->gone;
}

static int file_path(void *object, struct msg_call *call, struct file_path_results *out)
{
	static char path[TREE_PATH_MAX + 2];
	const struct handle *file = object;
	uint32_t length;
	int status;

	(void)call;
	if (!file->of_top || !name_of(file, out))
		return STATUS_NO_ENTRY;
	status = path_of(files.tree.top, file->home, path, sizeof(path), &length, &out->gone);
	if (status)
		return status;
	length = length == 1 ? 0 : length; /* the root's is one slash */
	if (length + 1 + out->path.len > TREE_PATH_MAX)
		return STATUS_NAME_TOO_LONG;
	path[length++] = '/';
	memcpy(path + length, out->path.ptr, out->path.len);
	out->path = (struct msg_text){path, length + out->path.len};
	path[out->path.len] = 0;
	return STATUS_OK;
}

static int file_offer(void *object, struct msg_call *call, const struct file_offer_params *in)
{
	struct handle *file = object;

	(void)call;
	if (!in->key)
		return STATUS_INVALID_ARGUMENT;
	file->offered = in->key;
	return STATUS_OK;
}

/* ---- Locks ---- */

static struct lock_list **locks_of(void *object)
{
	return &((struct handle *)object)->inode->locks;
}

static int file_lock(void *object, struct msg_call *call, const struct file_lock_params *in)
{
	return locking_lock(locks_of(object), ((struct handle *)object)->flags, call, in);
}

static int file_find_lock(void *object, struct msg_call *call,
                          const struct file_find_lock_params *in,
                          struct file_find_lock_results *out)
{
	return locking_find(*locks_of(object), call, in, out);
}

static int file_stop_waiting(void *object, struct msg_call *call,
                             const struct file_stop_waiting_params *in)
{
	return locking_stop_waiting(locks_of(object), call, in);
}

static int file_drop_locks(void *object, struct msg_call *call)
{
	return locking_drop(locks_of(object), call);
}

const struct file_ops file_ops = {
        .read = file_read,
        .write = file_write,
        .append = file_append,
        .stat = file_get_stat,
        .truncate = file_truncate,
        .set_mode = file_set_mode,
        .set_times = file_set_times,
        .set_owner = file_set_owner,
        .memory = file_memory,
        .contents = file_contents,
        .grow = file_grow,
        .allocate = file_allocate,
        .path = file_path,
        .used = file_used,
        .offer = file_offer,
        .lock = file_lock,
        .find_lock = file_find_lock,
        .stop_waiting = file_stop_waiting,
        .drop_locks = file_drop_locks,
};
