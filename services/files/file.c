/* SPDX-License-Identifier: MIT */
/*
 * The methods of File.  What is written is drawn from the session of the handle, whichever process
 * writes.
 */
#include "files.h"

/* What a read puts together when the file does not hold it in one piece. */
static uint8_t read_space[READ_MAX];

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
		tree_read(&files.tree, file->inode, in->offset, read_space, 0);
	} else {
		tree_read(&files.tree, file->inode, in->offset, read_space, length);
		out->data.ptr = read_space;
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

static int file_memory(void *object, struct msg_call *call, struct file_memory_results *out)
{
	struct handle *file = object;
	const struct data *data = &file->inode->data;
	cap_t memory;

	if (!(file->flags & OPEN_READ))
		return STATUS_ACCESS_DENIED;
	if (!data->size)
		return STATUS_INVALID_ARGUMENT;
	if (snapshot_make(data, &memory))
		return STATUS_NO_MEMORY;
	int position = server_give(server_call_of(call), memory, CAP_RIGHTS_ALL, true);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	out->memory_index = (uint16_t)position;
	out->size = data->size;
	return STATUS_OK;
}

const struct file_ops file_ops = {
        .read = file_read,
        .write = file_write,
        .append = file_append,
        .stat = file_get_stat,
        .truncate = file_truncate,
        .set_mode = file_set_mode,
        .set_times = file_set_times,
        .memory = file_memory,
};
