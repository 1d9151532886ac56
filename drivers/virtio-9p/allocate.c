/* SPDX-License-Identifier: MIT */
/*
 * Room on the host's disk for a range of a file.  The protocol cannot ask for it, so zeroes are
 * written where there are none yet: behind the file's end, and to holes, which read as zeroes.  No
 * client writes meanwhile, since a call is answered before the next is looked at.
 */
#include <string.h>

#include "drivers/virtio-9p/volume_inside.h"

#define BLOCK       4096u
#define PIECE       (P9_DATA_MAX / BLOCK * BLOCK)
#define BLOCK_UNITS 512u /* of file_stat.blocks */
/* Of one call: others wait. */
#define LENGTH_MAX (16u << 20)

static const uint8_t zeroes[PIECE];
static uint8_t piece[PIECE];

static int put_zeroes(struct volume *v, struct volume_handle *file, uint64_t at, uint32_t length)
{
	while (length) {
		uint32_t put;
		int status = volume_status(p9_write(&v->p9, file->fid, at, zeroes, length, &put));

		if (status || !put)
			return status ? status : STATUS_IO_ERROR;
		file->dirty = true;
		at += put;
		length -= put;
	}
	return STATUS_OK;
}

/* Writes zeroes to each run of blocks of the piece that holds nothing else. */
static int fill_holes(struct volume *v, struct volume_handle *file, uint64_t at, uint32_t length)
{
	uint32_t start = 0; /* of the run */
	int status = STATUS_OK;

	for (uint32_t block = 0; block < length && !status; block += BLOCK) {
		uint32_t n = length - block < BLOCK ? length - block : BLOCK;

		if (!memcmp(piece + block, zeroes, n))
			continue;
		status = put_zeroes(v, file, at + start, block - start);
		start = block + n;
	}
	return status ? status : put_zeroes(v, file, at + start, length - start);
}

/* What of the range the file has already; fid: may be read. */
static int fill_inside(struct volume *v, struct volume_handle *file, uint32_t fid, uint64_t at,
                       uint64_t end)
{
	int status = STATUS_OK;

	at -= at % BLOCK;
	while (at < end && !status) {
		uint32_t length = end - at < PIECE ? (uint32_t)(end - at) : PIECE, got;
		const uint8_t *data;

		status = volume_status(p9_read(&v->p9, fid, at, length, &data, &got));
		if (status || !got)
			break;
		memcpy(piece, data, got);
		status = fill_holes(v, file, at, got);
		at += got;
	}
	return status;
}

/* By a fid that may be read, which the handle's may not. */
static int fill_by_other(struct volume *v, struct volume_handle *file, uint64_t at, uint64_t end)
{
	uint32_t fid;
	int result = file->nameless ? -P9_EOPNOTSUPP : volume_copy_fid(v, file->fid, &fid);

	if (result)
		return volume_status(result);
	result = volume_status(p9_open(&v->p9, fid, P9_OPEN_READ | P9_OPEN_NO_FOLLOW, NULL));
	if (!result)
		result = fill_inside(v, file, fid, at, end);
	p9_clunk(&v->p9, fid);
	return result;
}

/* Behind the file's end, as a write has it. */
static int lengthen(struct volume *v, struct volume_handle *file, uint64_t at, uint64_t end)
{
	while (at < end) {
		uint32_t length = end - at < PIECE ? (uint32_t)(end - at) : PIECE, put;
		uint64_t size;
		int status = volume_write(v, file, false, at, zeroes, length, &put, &size);

		if (status || !put)
			return status ? status : STATUS_IO_ERROR;
		at += put;
	}
	return STATUS_OK;
}

int volume_allocate(struct volume *v, struct volume_handle *file, uint64_t offset, uint64_t length,
                    bool keep_size)
{
	struct file_stat stat;
	uint64_t end, inside;
	int status =
	        file->flags & OPEN_WRITE ? volume_file_stat(v, file, &stat) : STATUS_ACCESS_DENIED;

	if (status)
		return status;
	if (__builtin_add_overflow(offset, length, &end) || end > INT64_MAX)
		return STATUS_FILE_TOO_BIG;
	if (length > LENGTH_MAX)
		return STATUS_INVALID_ARGUMENT;
	if (keep_size && end > stat.size)
		return STATUS_NOT_SUPPORTED;
	inside = end < stat.size ? end : stat.size;
	/* A file with as much room as it has bytes has no holes. */
	if (offset < inside && stat.blocks < (stat.size + BLOCK_UNITS - 1) / BLOCK_UNITS)
		status = file->flags & OPEN_READ ? fill_inside(v, file, file->fid, offset, inside)
		                                 : fill_by_other(v, file, offset, inside);
	if (!status && end > stat.size)
		status = lengthen(v, file, stat.size > offset ? stat.size : offset, end);
	if (!status)
		take_set_ids(v, file);
	return status;
}
