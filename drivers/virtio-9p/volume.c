/* SPDX-License-Identifier: MIT */
/*
 * What clients have open in a volume, and the methods of File.  A handle has a fid of its own,
 * and another for its root when it is a directory that is all its holder has.
 */
#include "drivers/virtio-9p/volume.h"

#include <string.h>

#include "drivers/virtio-9p/volume_inside.h"

/* As in services/files/handle.c: bits 29 to 31 of a word's upper half stay clear, so that no handle
 * has LOCKING_OWNER_BIT, or the bit of Watchers. */
#define GENERATION_MAX 0x1fffffffu

/* ---- Statuses and attributes ---- */

int volume_status(int result)
{
	static const struct {
		int error, status;
	} table[] = {
	        {0, STATUS_OK},
	        {WALK_LEAVES, STATUS_ELSEWHERE},
	        {-P9_EPERM, STATUS_NOT_PERMITTED},
	        {-P9_ENOENT, STATUS_NO_ENTRY},
	        {-P9_ENXIO, STATUS_NO_DEVICE},
	        {-P9_EAGAIN, STATUS_WOULD_BLOCK},
	        {-P9_ENOMEM, STATUS_NO_MEMORY},
	        {-P9_EACCES, STATUS_ACCESS_DENIED},
	        {-P9_EBUSY, STATUS_BUSY},
	        {-P9_EEXIST, STATUS_EXISTS},
	        {-P9_EXDEV, STATUS_CROSS_VOLUME},
	        {-P9_ENOTDIR, STATUS_NOT_DIRECTORY},
	        {-P9_EISDIR, STATUS_IS_DIRECTORY},
	        {-P9_EINVAL, STATUS_INVALID_ARGUMENT},
	        {-P9_ENFILE, STATUS_NO_BUFFERS},
	        {-P9_EMFILE, STATUS_NO_BUFFERS},
	        {-P9_ETXTBSY, STATUS_BUSY},
	        {-P9_EFBIG, STATUS_FILE_TOO_BIG},
	        {-P9_ENOSPC, STATUS_NO_SPACE},
	        {-P9_EROFS, STATUS_READ_ONLY},
	        {-P9_EMLINK, STATUS_TOO_MANY_LINKS},
	        {-P9_ENAMETOOLONG, STATUS_NAME_TOO_LONG},
	        {-P9_ENOTEMPTY, STATUS_NOT_EMPTY},
	        {-P9_ELOOP, STATUS_TOO_MANY_LINKS},
	        {-P9_EOPNOTSUPP, STATUS_NOT_SUPPORTED},
	        {-P9_EDQUOT, STATUS_OVER_QUOTA},
	};

	for (uint32_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == result)
			return table[i].status;
	return STATUS_IO_ERROR;
}

uint16_t volume_type_of(uint32_t mode)
{
	static const uint16_t types[16] = {
	        [1] = FILE_TYPE_FIFO,      [2] = FILE_TYPE_CHARACTER_DEVICE,
	        [4] = FILE_TYPE_DIRECTORY, [6] = FILE_TYPE_BLOCK_DEVICE,
	        [8] = FILE_TYPE_REGULAR,   [10] = FILE_TYPE_SYMLINK,
	        [12] = FILE_TYPE_SOCKET};

	return types[mode >> 12 & 15];
}

int volume_get(struct volume *v, uint32_t fid, struct file_stat *out)
{
	struct p9_attributes a;
	int result = p9_get(&v->p9, fid, &a);

	if (result)
		return result;
	v->got = a.qid;
	*out = (struct file_stat){.inode = a.qid.path,
	                          .type = volume_type_of(a.mode),
	                          .mode = a.mode & 07777,
	                          .links = a.links < UINT32_MAX ? (uint32_t)a.links : UINT32_MAX,
	                          .size = a.size,
	                          .access_ns = a.access_ns,
	                          .modify_ns = a.modify_ns,
	                          .change_ns = a.change_ns,
	                          .blocks = a.blocks,
	                          .device = a.device,
	                          .user = a.user,
	                          .group = a.group,
	                          .volume = v->number};
	if (out->size)
		node_forget(v, out->inode); /* the host has made it anew */
	out->type = node_type(v, out->inode, out->type);
	return 0;
}

/* ---- Handles ---- */

struct volume_handle *volume_find(struct volume *v, uint64_t word)
{
	uint32_t index = (uint32_t)word;

	if (index >= v->used || !v->handles[index].used ||
	    v->handles[index].generation != word >> 32)
		return NULL;
	return &v->handles[index];
}

struct volume_handle *volume_take(struct volume *v)
{
	struct volume_handle *h;

	if (v->first_free) {
		h = &v->handles[v->first_free - 1];
		v->first_free = h->next_free;
	} else if (v->used < VOLUME_HANDLES) {
		h = &v->handles[v->used++];
	} else {
		return NULL;
	}
	*h = (struct volume_handle){.generation = h->generation % GENERATION_MAX + 1, .used = true};
	return h;
}

uint64_t volume_word(const struct volume *v, const struct volume_handle *h)
{
	return (uint64_t)h->generation << 32 | (uint64_t)(h - v->handles);
}

static uint32_t root_fid(const struct volume_handle *h)
{
	return h->contained ? h->root_fid : FID_ROOT;
}

void volume_give_back(struct volume *v, struct volume_handle *h)
{
	h->used = false;
	h->next_free = v->first_free;
	v->first_free = (uint32_t)(h - v->handles) + 1;
}

void volume_close(struct volume *v, uint64_t word)
{
	struct volume_handle *h = volume_find(v, word);

	if (!h)
		return;
	watched_close(v, h);
	volume_locks_close(v, h, word);
	volume_shares_close(v, h);
	unnamed_close(v, h);
	p9_clunk(&v->p9, h->fid);
	if (h->list)
		p9_clunk(&v->p9, h->list - 1);
	if (h->contained)
		p9_clunk(&v->p9, h->root_fid);
	volume_give_back(v, h);
}

struct volume_from volume_root(const struct volume *v)
{
	return (struct volume_from){.walk = {.root = FID_ROOT,
	                                     .root_qid = v->root,
	                                     .start = FID_ROOT,
	                                     .start_qid = v->root}};
}

struct volume_from volume_from(const struct volume *v, const struct volume_handle *directory)
{
	return (struct volume_from){
	        .handle = directory,
	        .walk = {.root = root_fid(directory),
	                 .root_qid = directory->contained ? directory->root_qid : v->root,
	                 .start = directory->fid,
	                 .start_qid = directory->qid,
	                 .contained = directory->contained,
	                 .word = volume_word(v, directory)}};
}

int volume_start(struct volume *v)
{
	volume_locks_start(v);
	watched_start(v);
	v->walk.p = v->second.p = &v->p9;
	v->walk.mounted_at = v->second.mounted_at = v->mounted_at;
	v->walk.who = v->second.who = &v->who;
	v->walk.places = v->second.places = &v->places;
	v->walk.trail = v->second.trail = &v->trail;
	v->walk.first_fid = v->second.first_fid = FID_OTHERS;
	return volume_status(p9_start(&v->p9, FID_ROOT, &v->root));
}

/* ---- Files ---- */

static uint32_t left_of(uint64_t size, uint64_t offset, uint32_t length)
{
	if (offset >= size)
		return 0;
	return size - offset < length ? (uint32_t)(size - offset) : length;
}

int volume_read(struct volume *v, struct volume_handle *file, uint64_t offset, uint32_t length,
                const uint8_t **data, uint32_t *got)
{
	static uint8_t loaded[P9_DATA_MAX];
	const struct volume_share *s = volume_shared(v, file);
	int status;

	if (!(file->flags & OPEN_READ))
		return STATUS_ACCESS_DENIED;
	if (offset > (uint64_t)INT64_MAX)
		return STATUS_INVALID_ARGUMENT;
	if (length > P9_DATA_MAX)
		length = P9_DATA_MAX;
	if (file->nameless)
		length = left_of(file->stat.size, offset, length);
	*data = loaded;
	status = s ? v->memory->load(s->memory, offset, loaded, length, got)
	           : volume_status(p9_read(&v->p9, file->fid, offset, length, data, got));
	if (!status && *got)
		watched_open(v, WATCH_ACCESS, file);
	return status;
}

/* What is known of a file that has no name any more: the most that any who have it open know. */
static void remember(struct volume *v, const struct volume_handle *file, struct file_stat *out)
{
	*out = file->stat;
	out->links = 0;
	for (uint32_t i = 0; i < v->used; i++) {
		const struct volume_handle *h = &v->handles[i];

		if (h->used && h->opened && h->qid.path == file->qid.path &&
		    h->stat.size > out->size)
			out->size = h->stat.size;
	}
}

int volume_file_stat(struct volume *v, struct volume_handle *file, struct file_stat *out)
{
	int result;

	if (file->nameless) {
		*out = file->stat;
		return STATUS_OK;
	}
	result = volume_get(v, file->fid, out);
	if (result == -P9_ENOENT && file->opened) {
		remember(v, file, out);
		return STATUS_OK;
	}
	if (!result && file->unnamed)
		out->links = 0;
	if (!result)
		file->stat = *out;
	return volume_status(result);
}

/* To the host, and to the memory that is shared. */
static int write_through(struct volume *v, struct volume_handle *file, uint64_t offset,
                         const void *data, uint32_t length, uint32_t *written)
{
	struct volume_share *s = volume_shared(v, file);
	uint64_t before = s ? s->size : 0;
	int status = s ? volume_share_extend(v, file, s, offset, offset + length) : STATUS_OK;

	if (!status && s)
		sums_before_write(v, s, offset, length);
	if (!status)
		status = volume_status(p9_write(&v->p9, file->fid, offset, data, length, written));
	if (s && s->size > before && offset + *written < s->size)
		(void)volume_share_cut(
		        v, s, *written && offset + *written > before ? offset + *written : before);
	if (!status && s && *written)
		status = v->memory->store(s->memory, offset, data, *written);
	if (!status && s)
		sums_written(v, s, offset, data, *written);
	return status;
}

int volume_write(struct volume *v, struct volume_handle *file, bool append, uint64_t offset,
                 const void *data, uint32_t length, uint32_t *written, uint64_t *size)
{
	struct file_stat stat = {.size = 0};
	int status = file->flags & OPEN_WRITE ? STATUS_OK : STATUS_ACCESS_DENIED;

	if (!status && append) {
		status = volume_file_stat(v, file, &stat);
		offset = status ? 0 : stat.size;
	}
	*written = 0;
	if (!status && offset > (uint64_t)INT64_MAX - length)
		status = STATUS_FILE_TOO_BIG;
	if (!status && file->nameless)
		status = volume_write_nameless(v, file, offset);
	if (!status)
		status = write_through(v, file, offset, data, length, written);
	if (!status && file->nameless)
		volume_wrote_nameless(v, file, offset + *written);
	if (!status && offset + *written > file->stat.size)
		file->stat.size = offset + *written;
	file->dirty |= *written;
	if (!status && *written)
		take_set_ids(v, file);
	if (!status && *written)
		watched_open(v, WATCH_MODIFY, file);
	*size = append ? offset + *written : file->stat.size;
	return status;
}

int volume_file_change(struct volume *v, struct volume_handle *file, const struct p9_change *wanted)
{
	struct p9_change change = *wanted;
	struct volume_share *s = volume_shared(v, file);
	int status = volume_status(allowed_change_open(v, file, &change));

	if (change.what & P9_SET_SIZE) {
		if (!(file->flags & OPEN_WRITE))
			return STATUS_ACCESS_DENIED;
		if (change.size > INT64_MAX)
			return STATUS_FILE_TOO_BIG;
	}
	if (status)
		return status;
	if (file->nameless)
		status = volume_change_nameless(v, file, &change);
	else
		status = volume_status(p9_set(&v->p9, file->fid, &change));
	file->dirty |= !status;
	if (!status && change.what & P9_SET_MODE)
		mode_changed(v, file->qid.path, change.mode);
	if (!status)
		watched_open(v, watched_change(&change), file);
	if (status || !(change.what & P9_SET_SIZE))
		return status;
	file->stat.size = change.size;
	take_set_ids(v, file);
	return s ? volume_share_cut(v, s, change.size) : STATUS_OK;
}

int volume_sync(struct volume *v, struct volume_handle *file, bool data_only)
{
	int result = p9_sync(&v->p9, file->fid, data_only);

	if (!result)
		file->dirty = false;
	return volume_status(result);
}

/* What was closed is the host's business: it has it, and no request of the protocol names it. */
int volume_sync_all(struct volume *v)
{
	int status = STATUS_OK;

	for (uint32_t i = 0; i < v->used; i++) {
		struct volume_handle *h = &v->handles[i];
		int result = STATUS_OK;

		if (h->used && h->opened)
			result = volume_write_back(v, h, 0, UINT64_MAX);
		if (!result && h->used && h->opened && h->dirty)
			result = volume_sync(v, h, false);
		if (!status)
			status = result;
	}
	return status;
}
