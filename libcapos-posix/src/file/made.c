/* SPDX-License-Identifier: MIT */
/*
 * Files that are made when they are opened: what is read is of that moment, in a MemoryObject that
 * crosses fork and exec with the description.  A directory's contents are its entries as getdents64
 * returns them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include <capos/cap.h>
#include <capos/format.h>

#include "file/file.h"
#include "file/made.h"

/* ---- Making ---- */

#define TEXT_FIRST PAGE_BYTES

/* Room for so many bytes more; false: there is none. */
static bool reserve(struct made_text *t, size_t more)
{
	size_t size = t->size ? t->size : TEXT_FIRST;
	char *bytes;

	while (size < t->used + more)
		size *= 2;
	if (t->error || size == t->size)
		return !t->error;
	bytes = pages_map(size);
	if (!bytes) {
		t->error = -ENOMEM;
		return false;
	}
	if (t->bytes) {
		memcpy(bytes, t->bytes, t->used);
		pages_unmap(t->bytes, t->size);
	}
	t->bytes = bytes;
	t->size = size;
	return true;
}

void made_bytes(struct made_text *t, const void *bytes, size_t length)
{
	if (!reserve(t, length))
		return;
	memcpy(t->bytes + t->used, bytes, length);
	t->used += length;
}

void made_print(struct made_text *t, const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	va_start(args, format);
	length = fmt_vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	made_bytes(t, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

void made_entry(struct made_text *t, unsigned char type, unsigned long inode, const char *name)
{
	size_t length = strlen(name);
	struct dirent entry = {.d_ino = inode, .d_type = type};

	entry.d_reclen =
	        (unsigned short)((offsetof(struct dirent, d_name) + length + 1 + 7) & ~(size_t)7);
	entry.d_off = (off_t)(t->used + entry.d_reclen);
	memcpy(entry.d_name, name, length);
	made_bytes(t, &entry, entry.d_reclen);
}

void made_drop(struct made_text *t)
{
	if (t->bytes)
		pages_unmap(t->bytes, t->size);
	t->bytes = NULL;
}

/* ---- Descriptions ---- */

struct made {
	cap_t memory;
	const char *bytes;
	size_t length;
	bool directory;
	struct stat stat; /* of its path, when it was opened */
};

static ssize_t made_pread(struct file *f, const struct iovec *iov, int n, off_t offset)
{
	const struct made *m = f->data;

	if (m->directory)
		return -EISDIR;
	if (offset < 0)
		return -EINVAL;
	if ((size_t)offset >= m->length)
		return 0;
	return vector_scatter(iov, n, m->bytes + offset, m->length - (size_t)offset);
}

static ssize_t made_read(struct file *f, const struct iovec *iov, int n)
{
	off_t *offset = file_offset(f);
	ssize_t done = made_pread(f, iov, n, *offset);

	if (done > 0)
		*offset += done;
	return done;
}

static off_t made_seek(struct file *f, off_t offset, int whence)
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

static ssize_t made_getdents(struct file *f, void *buffer, size_t size)
{
	const struct made *m = f->data;
	off_t *offset = file_offset(f);
	size_t done = 0;

	if (!m->directory)
		return -ENOTDIR;
	while ((size_t)*offset + offsetof(struct dirent, d_name) < m->length) {
		const struct dirent *entry = (const struct dirent *)(m->bytes + *offset);

		if (entry->d_reclen > size - done)
			return done ? (ssize_t)done : -EINVAL;
		if (user_write((long)buffer + (long)done, entry, entry->d_reclen))
			return done ? (ssize_t)done : -EFAULT;
		done += entry->d_reclen;
		*offset += entry->d_reclen;
	}
	return (ssize_t)done;
}

static int made_stat(struct file *f, struct stat *st)
{
	const struct made *m = f->data;

	*st = m->stat;
	st->st_blksize = FILES_BLOCKSIZE;
	st->st_atim = st->st_mtim = st->st_ctim = boot_time();
	return 0;
}

static void made_close(struct file *f)
{
	struct made *m = f->data;

	cap_memory_unmap((void *)(uintptr_t)m->bytes, PAGES_SIZE(m->length + 1));
	cap_release(m->memory);
	posix_free(m);
}

static int made_carry(struct file *f, struct carried *out)
{
	const struct made *m = f->data;

	out->kind = CARRY_MADE;
	out->object = m->memory;
	out->detail = (uint32_t)m->length;
	out->made[0] = m->stat.st_dev;
	out->made[1] = m->stat.st_ino;
	out->made[2] = (uint64_t)m->stat.st_mode << 32 | m->stat.st_nlink;
	out->made[3] = (uint64_t)m->stat.st_uid << 32 | m->stat.st_gid;
	return 0;
}

static const struct file_ops made_ops = {.read = made_read,
                                         .pread = made_pread,
                                         .seek = made_seek,
                                         .getdents = made_getdents,
                                         .stat = made_stat,
                                         .close = made_close,
                                         .carry = made_carry};

/* Takes the memory over when it succeeds. */
static int open_memory(cap_t memory, size_t length, const struct stat *st, int flags,
                       struct file **out)
{
	struct made *m = posix_alloc(sizeof(*m));
	void *address;

	if (!m)
		return -ENOMEM;
	*m = (struct made){
	        .memory = memory, .length = length, .directory = S_ISDIR(st->st_mode), .stat = *st};
	if (cap_memory_map(memory, 0, PAGES_SIZE(length + 1), CAP_RIGHT_READ, &address)) {
		posix_free(m);
		return -ENOMEM;
	}
	m->bytes = address;
	*out = file_create(&made_ops, flags, m);
	if (*out)
		return 0;
	cap_memory_unmap(address, PAGES_SIZE(length + 1));
	posix_free(m);
	return -ENOMEM;
}

static int store(const struct made_text *text, cap_t *memory)
{
	size_t size = PAGES_SIZE(text->used + 1);
	void *address;
	int result = errno_of(cap_memory_create(size, memory));

	if (result)
		return result;
	result = errno_of(
	        cap_memory_map(*memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address));
	if (result) {
		cap_release(*memory);
		return result;
	}
	if (text->used)
		memcpy(address, text->bytes, text->used);
	cap_memory_unmap(address, size);
	return 0;
}

int made_open(struct made_text *text, const struct stat *st, int flags, struct file **out)
{
	cap_t memory;
	int result = text->error;

	if (!result && (flags & O_ACCMODE) != O_RDONLY)
		result = S_ISDIR(st->st_mode) ? -EISDIR : -EACCES;
	if (!result)
		result = store(text, &memory);
	if (!result) {
		result = open_memory(memory, text->used, st, flags, out);
		if (result)
			cap_release(memory);
	}
	made_drop(text);
	return result;
}

int made_restore(const struct carried *in, struct file **out)
{
	const struct stat st = {.st_dev = in->made[0],
	                        .st_ino = in->made[1],
	                        .st_mode = (mode_t)(in->made[2] >> 32),
	                        .st_nlink = (uint32_t)in->made[2],
	                        .st_uid = (uid_t)(in->made[3] >> 32),
	                        .st_gid = (gid_t)in->made[3]};

	return open_memory(in->object, in->detail, &st, in->flags, out);
}

/* ---- Of the process room ---- */

static int no_open(const char *path, int flags, struct file **out)
{
	(void)path, (void)flags, (void)out;
	return 1;
}

static int no_stat(const char *path, bool follow, struct stat *st)
{
	(void)path, (void)follow, (void)st;
	return 1;
}

static long no_link(const char *path, char *target, size_t size)
{
	(void)path, (void)target, (void)size;
	return 0;
}

struct made_files made_files = {.open = no_open, .stat = no_stat, .read_link = no_link};

void made_set_files(const struct made_files *files)
{
	made_files = *files;
}
