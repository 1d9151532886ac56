/* SPDX-License-Identifier: MIT */
/*
 * Making, opening and unlinking message queues.  The files service makes a queue whole, so no other
 * process ever opens one that is half made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <string.h>

#include <capos/cap.h>
#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"
#include "file/mqueue.h"

struct mqueue_path {
	char text[sizeof(MQUEUE_DIRECTORY) + NAME_MAX];
};

uint32_t mqueue_stride(uint32_t bytes)
{
	return (uint32_t)((sizeof(struct mqueue_slot) + bytes + 7) & ~(size_t)7);
}

size_t mqueue_size(uint32_t messages, uint32_t bytes)
{
	size_t size = sizeof(struct mqueue_shared) + (size_t)messages * mqueue_stride(bytes);

	return (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* name: the program's, without the first slash. */
static int path_of(long name, struct mqueue_path *out)
{
	const size_t before = strlen(MQUEUE_DIRECTORY);
	long length;

	memcpy(out->text, MQUEUE_DIRECTORY, before);
	length = user_string(out->text + before, NAME_MAX + 1, name);
	if (length < 0)
		return (int)length;
	if (!length)
		return -ENOENT;
	return strchr(out->text + before, '/') || out->text[before] == '.' ? -EACCES : 0;
}

void mqueue_drop(struct message_queue *q)
{
	if (q->shared)
		cap_memory_unmap(q->shared, q->size);
	cap_release(q->memory);
	cap_release(q->held.ends[0]);
	if (q->file)
		file_put(q->file);
	posix_free(q);
}

/* A place among the opens, for the count of receivers. */
static int find_place(struct mqueue_shared *p, uint64_t word)
{
	if (!word)
		return -1;
	for (uint32_t i = 0; i < MQUEUE_OPENS; i++) {
		if (p->opens[i].word && ends_held(p->opens[i].word))
			continue;
		p->opens[i].word = word;
		atomic_store(&p->opens[i].receivers, 0);
		return (int)i;
	}
	return -1;
}

/* The pages of the queue's file, which have that many bytes. */
static int map(struct message_queue *q, size_t size)
{
	void *address;
	int result = q->file->ops->share ? q->file->ops->share(q->file, &q->memory) : -EACCES;

	if (!result)
		result = errno_of(cap_memory_map(q->memory, 0, size,
		                                 CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address));
	if (result)
		return result;
	q->shared = address;
	q->size = size;
	return 0;
}

/* What the file says of the queue: that it is one. */
static int check(struct message_queue *q)
{
	q->messages = *(volatile uint32_t *)&q->shared->messages;
	q->bytes = *(volatile uint32_t *)&q->shared->bytes;
	q->stride = mqueue_stride(q->bytes);
	return q->messages && q->bytes && q->messages <= MQUEUE_MESSAGES_MAX &&
	                       q->bytes <= MQUEUE_BYTES_MAX &&
	                       q->size >= mqueue_size(q->messages, q->bytes)
	               ? 0
	               : -EINVAL;
}

int mqueue_describe(struct file *file, size_t size, int flags, struct file **out)
{
	struct message_queue *q = posix_alloc(sizeof(*q));
	int result;

	if (!q) {
		file_put(file);
		return -ENOMEM;
	}
	q->file = file;
	result = map(q, size);
	if (!result)
		result = check(q);
	if (!result)
		result = ends_open(&q->held);
	if (result) {
		mqueue_drop(q);
		return result;
	}
	cap_release(q->held.ends[1]);
	result = mqueue_lock(q);
	if (result) {
		mqueue_drop(q);
		return result;
	}
	q->place = find_place(q->shared, q->held.word);
	shared_unlock(&q->shared->lock);
	*out = file_create(&mqueue_ops, flags & (O_ACCMODE | O_NONBLOCK), q);
	if (*out)
		return 0;
	mqueue_drop(q);
	return -ENOMEM;
}

/* What is no queue its owner may cut, so it is none. */
static int open_existing(const char *path, int flags, struct file **out)
{
	int result = file_open_path(path, flags & (O_ACCMODE | O_NONBLOCK), out);

	if (result || mqueue_of(*out))
		return result == -EISDIR ? -EACCES : result;
	file_put(*out);
	return -EACCES;
}

/* It is opened anew, by the File that it has. */
int mqueue_restore(const struct carried *in, struct file **out)
{
	struct carried base = *in;
	struct file *file;
	int result;

	base.flags = O_RDWR;
	base.detail = 0;
	cap_release(in->end);
	cap_release(in->more[0]);
	result = file_restore_regular(&base, &file);
	if (result)
		return result;
	return mqueue_describe(file, in->detail, in->flags, out);
}

/* ---- Making ---- */

/* 0, -EEXIST, or -errno. */
static int create(const char *path, const struct mq_attr *attributes, unsigned mode)
{
	const struct mqueue_shared head = {.messages = (uint32_t)attributes->mq_maxmsg,
	                                   .bytes = (uint32_t)attributes->mq_msgsize};
	struct directory_make_queue_params params = {.mode = path_umask(mode & 0777),
	                                             .size = mqueue_size(head.messages, head.bytes),
	                                             .head = MSG_DATA(&head, sizeof(head))};
	struct path_walk w;
	int result = path_start(&w, AT_FDCWD, path);

	if (result)
		return result;
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_make_queue(w.base, &params, &call);
	} while (path_goes_on(&w, false, &result));
	return result;
}

static int attributes_in(long from, struct mq_attr *out)
{
	*out = (struct mq_attr){.mq_maxmsg = MQUEUE_DEFAULT_MESSAGES,
	                        .mq_msgsize = MQUEUE_DEFAULT_BYTES};
	if (from && user_get(out, from))
		return -EFAULT;
	if (out->mq_maxmsg <= 0 || out->mq_msgsize <= 0)
		return -EINVAL;
	if (out->mq_maxmsg > MQUEUE_MESSAGES_MAX || out->mq_msgsize > MQUEUE_BYTES_MAX)
		return -EINVAL;
	if (process_identity()->user.effective &&
	    (out->mq_maxmsg > MQUEUE_DEFAULT_MESSAGES || out->mq_msgsize > MQUEUE_DEFAULT_BYTES))
		return -EINVAL;
	return mqueue_size((uint32_t)out->mq_maxmsg, (uint32_t)out->mq_msgsize) > MQUEUE_BYTES_MAX
	               ? -EMFILE
	               : 0;
}

static int open_queue(long name, int flags, unsigned mode, long attributes, struct file **out)
{
	struct mqueue_path path;
	struct mq_attr a;
	int result = path_of(name, &path);

	if (result)
		return result;
	for (;;) {
		result = flags & O_CREAT && flags & O_EXCL ? -ENOENT
		                                           : open_existing(path.text, flags, out);
		if (result != -ENOENT || !(flags & O_CREAT))
			return result;
		result = attributes_in(attributes, &a);
		if (!result)
			result = create(path.text, &a, mode);
		if (!result)
			result = open_existing(path.text, flags, out);
		/* Unlinked again, or made by another: once more. */
		if (result == -ENOENT || (result == -EEXIST && !(flags & O_EXCL)))
			continue;
		return result;
	}
}

long sys_mq_open(long name, long flags, long mode, long attributes)
{
	struct file *f;
	int result;

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	result = fd_check_room();
	if (result)
		return result;
	result = open_queue(name, (int)flags, (unsigned)mode, attributes, &f);
	if (result)
		return result;
	result = fd_install(f, 0, true);
	if (result < 0)
		file_put(f);
	return result;
}

long sys_mq_unlink(long name)
{
	struct mqueue_path path;
	int result = path_of(name, &path);

	return result ? result : sys_unlink((long)path.text);
}
