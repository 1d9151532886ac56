/* SPDX-License-Identifier: MIT */
/*
 * Memory that all share who have a file of the volume open: the bytes of a regular file that one of
 * them maps to write, the buffer of a FIFO or a socket.  A client pays for it; the bytes are read
 * from the host when it comes, and the pages that were stored to since go back there.
 */
#include <string.h>

#include "drivers/virtio-9p/volume_inside.h"

#define PAGE 4096u

static uint8_t piece[P9_DATA_MAX];

static struct volume_share *share_of(struct volume *v, const struct volume_handle *file)
{
	for (uint32_t i = 0; v->shares_used && i < VOLUME_SHARES; i++) {
		struct volume_share *s = &v->shares[i];

		if (s->users && s->path == file->qid.path && s->nameless == file->nameless)
			return s;
	}
	return NULL;
}

struct volume_share *volume_shared(struct volume *v, const struct volume_handle *file)
{
	struct volume_share *s = share_of(v, file);

	return s && !s->buffer ? s : NULL;
}

void volume_shares_nameless(struct volume *v, uint64_t path)
{
	for (uint32_t i = 0; v->shares_used && i < VOLUME_SHARES; i++)
		if (v->shares[i].users && v->shares[i].path == path)
			v->shares[i].nameless = true;
}

/* ---- From the host ---- */

static bool is_zeroes(const uint8_t *bytes, uint32_t length)
{
	return !length || (!bytes[0] && !memcmp(bytes, bytes + 1, length - 1));
}

static uint32_t piece_of(uint64_t at, uint64_t end)
{
	return end - at < P9_DATA_MAX ? (uint32_t)(end - at) : P9_DATA_MAX;
}

/* Reads bytes of the file into the memory, which is zero there; behind the file's end it stays. */
static int fill(struct volume *v, const struct volume_handle *file, const struct volume_share *s,
                uint64_t from, uint64_t end)
{
	while (from < end) {
		const uint8_t *data;
		uint32_t got;
		int status = volume_status(
		        p9_read(&v->p9, file->fid, from, piece_of(from, end), &data, &got));

		if (status || !got)
			return status;
		if (!is_zeroes(data, got))
			status = v->memory->store(s->memory, from, data, got);
		if (status)
			return status;
		from += got;
	}
	return STATUS_OK;
}

int volume_share_extend(struct volume *v, const struct volume_handle *file, struct volume_share *s,
                        uint64_t written, uint64_t end)
{
	uint64_t before = s->size;
	int status = end > before ? v->memory->resize(s->memory, end) : STATUS_OK;

	if (status || end <= before)
		return status;
	s->size = end;
	/* What the host has put there meanwhile. */
	if (written > before && file->flags & OPEN_READ)
		status = fill(v, file, s, before, written);
	return status;
}

int volume_share_cut(struct volume *v, struct volume_share *s, uint64_t size)
{
	int status;

	if (size < s->size)
		sums_cut(v, s, size);
	status = v->memory->resize(s->memory, size);
	if (!status)
		s->size = size;
	return status;
}

/* ---- To the host ---- */

/* Whether a page of the memory is not what the host has.  What the host has no bytes for are zeroes
 * there. */
static bool differs(const uint8_t *mine, uint32_t length, const uint8_t *theirs, uint32_t got)
{
	uint32_t known = got < length ? got : length;

	return (known && memcmp(mine, theirs, known)) || !is_zeroes(mine + known, length - known);
}

static int write_range(struct volume *v, struct volume_handle *file, uint64_t offset,
                       const uint8_t *bytes, uint32_t length)
{
	while (length) {
		uint32_t put;
		int status =
		        volume_status(p9_write(&v->p9, file->fid, offset, bytes, length, &put));

		if (status || !put)
			return status ? status : STATUS_IO_ERROR;
		file->dirty = true;
		offset += put;
		bytes += put;
		length -= put;
	}
	return STATUS_OK;
}

static uint32_t page_length(uint32_t at, uint32_t end)
{
	return end - at < PAGE ? end - at : PAGE;
}

/* The pages of the first `loaded` bytes of the piece that programs have stored to, as bits.  Those
 * without a sum are compared with what the host has. */
static int find_changed(struct volume *v, struct volume_handle *file, const struct volume_share *s,
                        uint64_t offset, uint32_t loaded, uint32_t *changed)
{
	const uint8_t *theirs = NULL;
	uint32_t got = 0;
	int status = STATUS_OK;

	*changed = 0;
	if (!sums_at(v, s, (offset + loaded - 1) / PAGE))
		status = volume_status(p9_read(&v->p9, file->fid, offset, loaded, &theirs, &got));
	for (uint32_t at = 0; at < loaded && !status; at += PAGE) {
		const uint64_t *sum = sums_at(v, s, (offset + at) / PAGE);
		uint32_t n = page_length(at, loaded);

		if (sum ? *sum != sum_of(piece + at, n)
		        : differs(piece + at, n, theirs + at, at < got ? got - at : 0))
			*changed |= 1u << at / PAGE;
	}
	return status;
}

/* Fewer bytes at once than a message may hold, so that pages are compared where they begin. */
static int write_piece(struct volume *v, struct volume_handle *file, uint64_t offset,
                       uint32_t length)
{
	const struct volume_share *s = volume_shared(v, file);
	uint32_t loaded, changed, start, end;
	int status = v->memory->load(s->memory, offset, piece, length, &loaded);

	if (status || !loaded)
		return status;
	status = find_changed(v, file, s, offset, loaded, &changed);
	for (start = 0; start < loaded && !status; start = end) {
		end = start + page_length(start, loaded);
		if (!(changed >> start / PAGE & 1))
			continue;
		while (end < loaded && changed >> end / PAGE & 1)
			end += page_length(end, loaded);
		status = write_range(v, file, offset + start, piece + start, end - start);
		for (uint32_t at = start; at < end && !status; at += PAGE)
			if (sums_at(v, s, (offset + at) / PAGE))
				*sums_at(v, s, (offset + at) / PAGE) =
				        sum_of(piece + at, page_length(at, end));
	}
	return status;
}

int volume_write_back(struct volume *v, struct volume_handle *file, uint64_t offset,
                      uint64_t length)
{
	const struct volume_share *s = volume_shared(v, file);
	uint64_t end;
	int status = STATUS_OK;

	if (!s || file->flags != (OPEN_READ | OPEN_WRITE))
		return STATUS_OK;
	if (__builtin_add_overflow(offset, length, &end) || end > s->size)
		end = s->size;
	for (uint64_t at = offset & ~(uint64_t)(PAGE - 1); !status && at < end; at += P9_DATA_MAX)
		status = write_piece(v, file, at, piece_of(at, end));
	return status;
}

/* ---- Sharing ---- */

static struct volume_share *find_free(struct volume *v)
{
	for (uint32_t i = 0; i < VOLUME_SHARES; i++)
		if (!v->shares[i].users)
			return &v->shares[i];
	return NULL;
}

static void join(struct volume *v, struct volume_handle *file, struct volume_share *s)
{
	file->share = (uint32_t)(s - v->shares) + 1;
	if (!s->users++)
		v->shares_used++;
}

/* From a client's memory: of the file's size, with the file's bytes. */
static int begin(struct volume *v, struct volume_handle *file, uint64_t memory)
{
	bool buffer = file->stat.type != FILE_TYPE_REGULAR;
	struct volume_share *s = find_free(v);
	struct file_stat stat;
	int status = s ? volume_file_stat(v, file, &stat) : STATUS_NO_MEMORY;

	if (!status && !buffer && file->flags != (OPEN_READ | OPEN_WRITE))
		status = STATUS_ACCESS_DENIED;
	if (status)
		return status;
	*s = (struct volume_share){.path = file->qid.path,
	                           .memory = memory,
	                           .size = buffer ? FIFO_BYTES : stat.size,
	                           .buffer = buffer,
	                           .nameless = file->nameless};
	/* A buffer cut by who made it would be a fault to those of other users. */
	if (buffer)
		status = v->memory->is_fixed(memory, s->size) ? STATUS_OK : STATUS_INVALID_ARGUMENT;
	else
		status = v->memory->resize(memory, s->size);
	if (!status && !buffer) {
		sums_start(v, s);
		status = fill(v, file, s, 0, s->size);
		if (!status)
			sums_take(v, s);
	}
	if (!status)
		join(v, file, s);
	return status == STATUS_NO_SPACE ? STATUS_NO_MEMORY : status;
}

int volume_share(struct volume *v, struct volume_handle *file, uint64_t *memory, bool *write)
{
	struct volume_share *s = share_of(v, file);
	uint64_t sent = *memory;
	int status = STATUS_OK;

	/* The bytes of a file are for those who may read it. */
	const uint32_t needed =
	        file->stat.type == FILE_TYPE_REGULAR ? OPEN_READ : OPEN_READ | OPEN_WRITE;

	if (!(file->flags & needed))
		status = STATUS_ACCESS_DENIED;
	else if (!s)
		status = sent ? begin(v, file, sent) : STATUS_NO_ENTRY;
	if (sent && (s || status))
		v->memory->release(sent);
	if (status)
		return status;
	s = share_of(v, file);
	if (!file->share)
		join(v, file, s);
	*memory = s->memory;
	*write = s->buffer || file->flags & OPEN_WRITE;
	return STATUS_OK;
}

void volume_shares_close(struct volume *v, struct volume_handle *file)
{
	struct volume_share *s;

	if (!file->share)
		return;
	s = &v->shares[file->share - 1];
	if (!s->buffer)
		(void)volume_write_back(v, file, 0, UINT64_MAX);
	file->share = 0;
	if (--s->users)
		return;
	v->memory->release(s->memory);
	v->shares_used--;
}
