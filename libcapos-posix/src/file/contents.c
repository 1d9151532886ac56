/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores of a file's MemoryObject.  Each has the File for its witness, which ends with
 * the files service: the object outlasts it, but is no file then.  What is read again and again is
 * read from a window, and only now and then with a witness.
 */
#include "file/contents.h"

#include <errno.h>
#include <sys/uio.h>

#include <capos/object.h>
#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/ahead.h"
#include "file/file.h"

#define TRIES_MAX   8     /* to store, before the service is asked to */
#define LEAST_PIECE 4096u /* bytes: a page of the file is there or not */

/* ---- The object ---- */

static void ask_object(struct contents *c)
{
	struct file_contents_results results;
	struct capos_call call = FILES_CALL();

	c->asked = true;
	if (file_contents(c->file, &results, &call))
		return;
	for (uint32_t i = 0; i < call.ncaps; i++) {
		if (i == results.memory_index)
			c->object = call.caps[i];
		else
			cap_release(call.caps[i]);
	}
}

static bool has_object(struct contents *c)
{
	if (!c->asked)
		ask_object(c);
	return c->object;
}

bool contents_is_memory(struct contents *c)
{
	return has_object(c);
}

int contents_object(struct contents *c, cap_t *object)
{
	if (!has_object(c))
		return -ENODEV;
	return errno_of(cap_copy(c->object, CAP_RIGHTS_ALL, object));
}

void contents_release(struct contents *c, bool quietly)
{
	window_close(&c->window);
	if (quietly && c->untold) {
		ahead_close(c->object, c->file);
	} else if (quietly) {
		cap_release_later(c->object);
		cap_release_later(c->file);
	} else {
		cap_release_both(c->object, c->file);
	}
}

void contents_tell_close(struct contents *c)
{
	const struct file_used_params params = {.opened = true};

	if (c->untold)
		(void)file_used(c->file, &params, NULL);
	c->untold = false;
}

static int load(struct contents *c, void *to, size_t length, uint64_t offset, size_t *loaded)
{
	struct cap_copied copied;
	int result = cap_memory_load(c->object, c->file, offset, to, length, &copied);

	*loaded = copied.length;
	c->marked |= copied.marked;
	return errno_of(result);
}

static int store(struct contents *c, bool append, const void *from, size_t length, uint64_t offset,
                 struct cap_copied *stored)
{
	int result = errno_of(
	        cap_memory_store(c->object, c->file, append, offset, from, length, stored));

	c->marked |= stored->marked;
	return result == -ENOMEM ? -ENOSPC : result;
}

int contents_size(struct contents *c, uint64_t *size)
{
	struct cap_copied copied = {0};
	int result = -EOPNOTSUPP;

	if (c->object)
		result = errno_of(cap_memory_load(c->object, c->file, 0, NULL, 0, &copied));
	if (result == -EACCES) /* it is open to be written alone: nothing is appended */
		result = errno_of(cap_memory_store(c->object, c->file, true, 0, NULL, 0, &copied));
	*size = copied.end;
	return result;
}

/* Somebody watches the file: bytes of it were moved without the service. */
static void tell_use(struct contents *c, bool read)
{
	const struct file_used_params params = {.read = read, .written = !read};

	c->marked = false;
	(void)file_used(c->file, &params, NULL);
}

/* ---- Reading ---- */

/* One message: bytes read, 0 at the end. */
static int read_message(const struct contents *c, void *to, size_t length, uint64_t offset,
                        size_t *got)
{
	const struct file_read_params params = {
	        .offset = offset, .length = length < FILES_CHUNK ? (uint32_t)length : FILES_CHUNK};
	struct file_read_results results;
	struct capos_call call = FILES_CALL();
	int result = file_read(c->file, &params, &results, &call);
	ssize_t moved;

	*got = 0;
	if (result)
		return errno_of(result);
	if (results.data.len > params.length)
		return -EIO;
	moved = vector_moved(results.data.len,
	                     posix_user_copy(to, results.data.ptr, results.data.len));
	*got = moved < 0 ? 0 : (size_t)moved;
	return moved < 0 ? (int)moved : 0;
}

static int read_piece(struct contents *c, void *to, size_t length, uint64_t offset, size_t *got)
{
	int result;

	if (!c->object)
		return read_message(c, to, length, offset, got);
	if (window_read(&c->window, c->object, to, length, offset, got))
		return 0;
	result = load(c, to, length, offset, got);
	/* The kernel moves a page or nothing of it; of a place that is there in part, that part has
	 * its bytes. */
	if (result == -EFAULT)
		return read_message(c, to, length, offset, got);
	window_note(&c->window, offset, *got);
	return result;
}

void contents_note_read(struct contents *c)
{
	uint8_t byte;
	size_t got;

	if (has_object(c))
		(void)load(c, &byte, 1, 0, &got);
}

static ssize_t read_pieces(struct contents *c, const struct iovec *iov, int n, uint64_t offset)
{
	size_t done = 0, got;

	for (int i = 0; i < n; i++) {
		for (size_t at = 0; at < iov[i].iov_len; at += got, done += got) {
			int result = read_piece(c, (char *)iov[i].iov_base + at,
			                        iov[i].iov_len - at, offset + done, &got);

			if (result || !got)
				return done ? (ssize_t)done : result;
			/* A message with fewer bytes than it could bring is the file's last. */
			if (!c->object && got < FILES_CHUNK && got < iov[i].iov_len - at)
				return (ssize_t)(done + got);
		}
	}
	return (ssize_t)done;
}

ssize_t contents_read(struct contents *c, const struct iovec *iov, int n, uint64_t offset)
{
	ssize_t result;

	(void)has_object(c);
	c->marked = false;
	result = read_pieces(c, iov, n, offset);
	if (c->marked && result > 0)
		tell_use(c, true);
	return result;
}

/* ---- Writing ---- */

/* One message: bytes written. */
static ssize_t write_message(const struct contents *c, bool append, const void *from,
                             uint32_t length, uint64_t offset, uint64_t *end)
{
	struct capos_call call = FILES_CALL();
	uint32_t written;
	int result;

	if (append) {
		const struct file_append_params params = {.data = MSG_DATA(from, length)};
		struct file_append_results results;
		result = file_append(c->file, &params, &results, &call);
		written = result ? 0 : results.written;
		*end = result ? offset : results.size;
	} else {
		const struct file_write_params params = {.offset = offset,
		                                         .data = MSG_DATA(from, length)};
		struct file_write_results results;
		result = file_write(c->file, &params, &results, &call);
		written = result ? 0 : results.written;
		*end = offset + written;
	}
	if (result)
		return errno_of(result);
	return written <= length ? (ssize_t)written : -EIO;
}

static int grow(const struct contents *c, uint64_t offset, uint64_t length)
{
	const struct file_grow_params params = {.offset = offset, .length = length};

	files_settle_closed(); /* there is more room then, perhaps */
	return errno_of(file_grow(c->file, &params, NULL));
}

/* All of it, or what fits: bytes, or -errno; -EAGAIN: others appended first, each time. */
static inline ssize_t store_piece(struct contents *c, bool append, const void *from, size_t length,
                                  uint64_t offset, uint64_t *end)
{
	struct cap_copied stored;
	size_t done = 0;
	int result = store(c, append, from, length, offset, &stored);

	for (int tries = 0; !result; tries++) {
		done += stored.length;
		*end = stored.end;
		if (done == length)
			break;
		/* Others, too, append to what was asked for. */
		result = tries < TRIES_MAX ? grow(c, *end, length - done) : -EAGAIN;
		if (!result)
			result = store(c, append, (const char *)from + done, length - done, *end,
			               &stored);
	}
	return done ? (ssize_t)done : result;
}

static ssize_t gathered_piece(struct contents *c, bool append, const struct iovec *iov, int n,
                              size_t skip, uint64_t offset, uint64_t *end)
{
	static uint8_t gathered[FILES_CHUNK];
	ssize_t length = vector_gather(gathered, FILES_CHUNK, iov, n, skip), put;

	if (length <= 0)
		return length;
	put = c->object ? store_piece(c, append, gathered, (size_t)length, offset, end) : -ENOSPC;
	/* With less memory than that the service says how much there is. */
	if (put == -ENOSPC || put == -EAGAIN)
		put = write_message(c, append, gathered, (uint32_t)length, offset, end);
	return put;
}

static ssize_t write_pieces(struct contents *c, bool append, const struct iovec *iov, int n,
                            uint64_t offset, uint64_t *end)
{
	const size_t total = n == 1 ? iov->iov_len : vector_length(iov, n);
	size_t done = 0, most = total;

	while (done < total) {
		size_t length = total - done < most ? total - done : most;
		ssize_t put;

		if (n == 1 && c->object)
			put = store_piece(c, append, (const char *)iov->iov_base + done, length,
			                  offset + done, end);
		else
			put = -EAGAIN;
		/* There may be room for less.  Nothing here touches memory that this process has
		 * not yet: none may be left, and then the touch would end it. */
		if (put == -ENOSPC && length > LEAST_PIECE) {
			most = length / 2;
			continue;
		}
		/* What is there of a page that is there in part is written, too. */
		if (put == -EAGAIN || put == -EFAULT)
			put = gathered_piece(c, append, iov, n, done, offset + done, end);
		if (put <= 0)
			return done ? (ssize_t)done : put;
		done += (size_t)put;
	}
	return (ssize_t)done;
}

ssize_t contents_write(struct contents *c, bool append, const struct iovec *iov, int n,
                       uint64_t offset, uint64_t *end)
{
	ssize_t result;

	(void)has_object(c);
	c->marked = false;
	result = write_pieces(c, append, iov, n, offset, end);
	if (c->marked && result > 0)
		tell_use(c, false);
	return result;
}
