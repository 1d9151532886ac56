/* SPDX-License-Identifier: MIT */
/*
 * Directories as descriptors: a Directory capability that has the same root as the one it was
 * opened from, and a position in its listing, which is the description's offset.
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"
#include "file/remembered.h"

/* A listing's message is somewhat larger than the same entries as getdents64 has them. */
#define LIST_MARGIN 1024u
/* With attributes, for names of usual length. */
#define LIST_TIMES 6u

static cap_t object_of(const struct file *f)
{
	return (cap_t)(uintptr_t)f->data;
}

static ssize_t directory_read(struct file *f, const struct iovec *iov, int n)
{
	(void)f, (void)iov, (void)n;
	return -EISDIR;
}

static off_t directory_seek(struct file *f, off_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += *file_offset(f);
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	*file_offset(f) = offset;
	return offset;
}

static int directory_fstat(struct file *f, struct stat *st)
{
	return path_stat(object_of(f), ".", false, st);
}

static int directory_chmod(struct file *f, unsigned mode)
{
	const struct directory_set_mode_params params = {.path = MSG_TEXT("."), .mode = mode};

	return errno_of(directory_set_mode(object_of(f), &params, NULL));
}

static int directory_chown(struct file *f, unsigned user, unsigned group)
{
	const struct directory_set_owner_params params = {
	        .path = MSG_TEXT("."), .user = user, .group = group};

	return errno_of(directory_set_owner(object_of(f), &params, NULL));
}

static int directory_utimens(struct file *f, const struct file_times *times)
{
	const struct directory_set_times_params params = {.path = MSG_TEXT("."),
	                                                  .access_ns = times->access_ns,
	                                                  .modify_ns = times->modify_ns,
	                                                  .now = times->now};

	return errno_of(directory_set_times(object_of(f), &params, NULL));
}

static unsigned char entry_type(uint16_t type)
{
	return type == FILE_TYPE_REGULAR            ? DT_REG
	       : type == FILE_TYPE_QUEUE            ? DT_REG
	       : type == FILE_TYPE_DIRECTORY        ? DT_DIR
	       : type == FILE_TYPE_SYMLINK          ? DT_LNK
	       : type == FILE_TYPE_FIFO             ? DT_FIFO
	       : type == FILE_TYPE_SOCKET           ? DT_SOCK
	       : type == FILE_TYPE_CHARACTER_DEVICE ? DT_CHR
	       : type == FILE_TYPE_BLOCK_DEVICE     ? DT_BLK
	                                            : DT_UNKNOWN;
}

/* Bytes that the entry takes at `to`, 0: it does not fit, or -EFAULT. */
static ssize_t put_entry(const struct directory_entry *entry, uint8_t *to, size_t room)
{
	size_t length = (offsetof(struct dirent, d_name) + entry->name.len + 1 + 7) & ~(size_t)7;
	struct dirent out;

	if (length > room)
		return 0;
	memset(&out, 0, length);
	out.d_ino = entry->inode;
	out.d_off = (off_t)entry->position;
	out.d_reclen = (unsigned short)length;
	out.d_type = entry_type(entry->type);
	memcpy(out.d_name, entry->name.ptr, entry->name.len);
	return user_write((long)to, &out, length) ? -EFAULT : (ssize_t)length;
}

static ssize_t directory_getdents(struct file *f, void *buffer, size_t size)
{
	const struct directory_list_params params = {.position = (uint64_t)*file_offset(f),
	                                             .attributes = remembered_wants(object_of(f))};
	const size_t room = (params.attributes ? LIST_TIMES * size : size) + LIST_MARGIN;
	struct directory_list_results results;
	struct capos_call call = FILES_CALL();
	size_t done = 0;
	int result;

	if (size < call.size && room < call.size)
		call.size = (uint32_t)(room & ~7u);
	result = directory_list(object_of(f), &params, &results, &call);
	if (result)
		return errno_of(result);
	if (params.attributes)
		remembered_listed(object_of(f), params.position == 0, &results);
	for (uint32_t i = 0; i < results.entries.count; i++) {
		struct directory_entry entry;
		ssize_t length;

		if (directory_entry_get(&results.entries, i, &entry) || entry.name.len > 255)
			return -EIO;
		length = put_entry(&entry, (uint8_t *)buffer + done, size - done);
		if (length <= 0)
			return done ? (ssize_t)done : length ? length : -EINVAL;
		done += (size_t)length;
		*file_offset(f) = (off_t)entry.position;
	}
	return (ssize_t)done;
}

static int directory_carry(struct file *f, struct carried *out)
{
	out->kind = CARRY_DIRECTORY;
	out->object = object_of(f);
	return 0;
}

static void directory_close(struct file *f)
{
	cap_release(object_of(f));
}

static const struct file_ops directory_ops = {
        .read = directory_read,
        .seek = directory_seek,
        .stat = directory_fstat,
        .chmod = directory_chmod,
        .chown = directory_chown,
        .utimens = directory_utimens,
        .getdents = directory_getdents,
        .close = directory_close,
        .carry = directory_carry,
};

int file_open_directory(cap_t object, int flags, struct file **out)
{
	*out = file_create(&directory_ops, flags, (void *)(uintptr_t)object);
	return *out ? 0 : -ENOMEM;
}

cap_t file_directory(const struct file *f)
{
	return f->ops == &directory_ops ? object_of(f) : CAP_NULL;
}

long sys_getdents64(long fd, long buffer, long size)
{
	struct file *f = fd_file((int)fd);

	if (!f || f->flags & O_PATH)
		return -EBADF;
	return f->ops->getdents ? f->ops->getdents(f, (void *)buffer, (size_t)size) : -ENOTDIR;
}
