/* SPDX-License-Identifier: MIT */
/*
 * Open files whose last name was taken away here.  The host knows a file's attributes by its name
 * alone, so they are kept from then on, the length too: bytes behind it stay at the host, are read
 * by nobody, and become zeroes before the file grows over them.
 */
#include <string.h>

#include "drivers/virtio-9p/volume_inside.h"

static const uint8_t zeroes[P9_DATA_MAX];

void volume_removing(struct volume *v, uint32_t fid, struct p9_qid qid, struct volume_removal *r)
{
	*r = (struct volume_removal){.path = qid.path};
	if (p9_is_directory(qid))
		return;
	for (uint32_t i = 0; i < v->used && !r->open; i++) {
		const struct volume_handle *h = &v->handles[i];

		r->open = h->used && !h->directory && !h->nameless && h->qid.path == qid.path;
	}
	r->open |= node_type(v, qid.path, FILE_TYPE_REGULAR) != FILE_TYPE_REGULAR;
	if (r->open && volume_get(v, fid, &r->stat))
		r->open = false;
}

void volume_removed(struct volume *v, const struct volume_removal *r)
{
	/* With other names the host may still be asked, by those who opened one of them. */
	bool last = r->stat.links <= 1;

	if (!r->open)
		return;
	for (uint32_t i = 0; i < v->used; i++) {
		struct volume_handle *h = &v->handles[i];

		if (!h->used || h->directory || h->nameless || h->qid.path != r->path)
			continue;
		h->stat = r->stat;
		h->stat.links = last ? 0 : r->stat.links - 1;
		h->nameless = last;
		h->stored = r->stat.size;
	}
	if (last) {
		volume_shares_nameless(v, r->path);
		node_forget(v, r->path);
	}
}

/* The same in all handles of the file. */
static void tell(struct volume *v, const struct volume_handle *file)
{
	for (uint32_t i = 0; i < v->used; i++) {
		struct volume_handle *h = &v->handles[i];

		if (!h->used || !h->nameless || h == file || h->qid.path != file->qid.path)
			continue;
		h->stat = file->stat;
		h->stored = file->stored;
	}
}

/* Zeroes from the file's end to `end`, as far as the host has other bytes there. */
static int clear(struct volume *v, struct volume_handle *file, uint64_t end)
{
	uint64_t at = file->stat.size;

	if (end > file->stored)
		end = file->stored;
	while (at < end) {
		uint32_t length = end - at < P9_DATA_MAX ? (uint32_t)(end - at) : P9_DATA_MAX, put;
		int status = volume_status(p9_write(&v->p9, file->fid, at, zeroes, length, &put));

		if (status || !put)
			return status ? status : STATUS_IO_ERROR;
		at += put;
	}
	return STATUS_OK;
}

int volume_write_nameless(struct volume *v, struct volume_handle *file, uint64_t offset)
{
	return offset > file->stat.size ? clear(v, file, offset) : STATUS_OK;
}

void volume_wrote_nameless(struct volume *v, struct volume_handle *file, uint64_t end)
{
	if (end > file->stat.size)
		file->stat.size = end;
	if (end > file->stored)
		file->stored = end;
	tell(v, file);
}

static int set_size(struct volume *v, struct volume_handle *file, uint64_t size)
{
	uint32_t put;
	int status = volume_write_nameless(v, file, size);

	if (!status && size > file->stored) {
		status = volume_status(p9_write(&v->p9, file->fid, size - 1, zeroes, 1, &put));
		if (!status && put)
			file->stored = size;
	}
	if (!status)
		file->stat.size = size;
	return status;
}

int volume_change_nameless(struct volume *v, struct volume_handle *file,
                           const struct p9_change *change)
{
	struct file_stat *stat = &file->stat;
	int status = change->what & P9_SET_SIZE ? set_size(v, file, change->size) : STATUS_OK;

	if (status)
		return status;
	if (change->what & P9_SET_MODE)
		stat->mode = change->mode & 07777;
	if (change->what & P9_SET_USER)
		stat->user = change->user;
	if (change->what & P9_SET_GROUP)
		stat->group = change->group;
	if (change->what & P9_SET_ACCESS)
		stat->access_ns = change->access_ns;
	if (change->what & P9_SET_MODIFY)
		stat->modify_ns = change->modify_ns;
	tell(v, file);
	return STATUS_OK;
}
