/* SPDX-License-Identifier: MIT */
/*
 * The tree of files: every operation either happens whole or leaves the tree as it was; what can
 * fail is done first.
 */
#include "tree.h"

#include <string.h>

#include <capos/archive_reader.h>

#include "contents.h"

/* FNV-1a over the directory's number and the name. */
static struct name **bucket_of(struct tree *tree, const struct inode *directory, const char *text,
                               uint32_t length)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ directory->number;

	for (uint32_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return &tree->buckets[(hash ^ hash >> 32) % TREE_BUCKETS];
}

static size_t name_size(uint32_t length)
{
	return sizeof(struct name) + length;
}

/* ---- Counters ---- */

static uint16_t counter_of(const struct inode *inode)
{
	return (uint16_t)(CHANGES_FIRST + inode->number % (CHANGES_COUNTERS - CHANGES_FIRST));
}

static void count_up(struct tree *tree, uint32_t counter)
{
	if (tree->changes)
		__atomic_store_n(&tree->changes[counter], tree->changes[counter] + 1,
		                 __ATOMIC_RELEASE);
}

void inode_changed(struct tree *tree, const struct inode *inode)
{
	count_up(tree, counter_of(inode));
}

uint64_t inode_version(const struct tree *tree, const struct inode *inode, uint16_t *counter)
{
	*counter = counter_of(inode);
	return tree->changes ? tree->changes[*counter] : 0;
}

void inode_remember(const struct tree *tree, const struct inode *inode, struct file_stat *out)
{
	if (inode_is_mount(inode))
		return;
	out->version = inode_version(tree, inode, &out->counter);
	if (!inode_has_data(inode))
		return;
	/* Who has it open or mapped may load and store without the service, which does not look
	 * unless one has. */
	out->open = inode->held || inode->data.mapped;
	out->changed_ns = inode->data.changed;
	out->loaded_ns = inode->data.loaded;
	out->pages = inode->data.pages;
}

/* A name leads to the inode from now on, or does not any more. */
static void name_changed(struct tree *tree, const struct inode *inode)
{
	inode_changed(tree, inode);
	if (inode->type == FILE_TYPE_DIRECTORY || inode->type == FILE_TYPE_SYMLINK)
		count_up(tree, CHANGES_MOVED);
}

/* ---- Inodes ---- */

static struct inode *inode_create(struct tree *tree, uint16_t type, uint32_t mode)
{
	if (tree->inodes >= TREE_INODES_MAX)
		return NULL;
	struct inode *inode = slab_get(tree->slab, sizeof(*inode));
	if (!inode)
		return NULL;
	tree->inodes++;
	inode->number = tree->next_number++;
	inode->type = type;
	inode->mode = mode & 07777;
	inode->user = tree->who.user;
	inode->group = tree->who.group;
	inode->access_ns = inode->modify_ns = inode->change_ns = tree->now_ns;
	return inode;
}

static void inode_destroy(struct tree *tree, struct inode *inode)
{
	locks_free(&tree->locks, &inode->locks, tree->slab);
	if (inode->watches) {
		watch_tell(&tree->watchers, inode->watches,
		           &(struct watch_news){.mask = WATCH_DELETE_SELF, .name = ""});
		watch_end_all(&tree->watchers, &inode->watches);
	}
	slab_put(tree->slab, inode->last, inode->last_length);
	if (inode_has_data(inode))
		data_free(&inode->data);
	else if (inode->type == FILE_TYPE_SYMLINK)
		slab_put(tree->slab, inode->symlink.target, inode->symlink.length);
	tree->inodes--;
	slab_put(tree->slab, inode, sizeof(*inode));
}

/* Destroys the inode when nothing needs it any more; a directory then lets go of its parent, and so
 * on upwards. */
static void inode_settle(struct tree *tree, struct inode *inode)
{
	while (inode && !inode->links && !inode->held) {
		struct inode *parent = NULL;
		if (inode->type == FILE_TYPE_DIRECTORY && inode->directory.parent != inode) {
			parent = inode->directory.parent;
			parent->held--;
		}
		inode_destroy(tree, inode);
		inode = parent;
	}
}

void inode_hold(struct inode *inode)
{
	inode->held++;
}

void inode_drop(struct tree *tree, struct inode *inode)
{
	inode->held--;
	inode_settle(tree, inode);
}

void inode_refresh(struct inode *inode)
{
	struct data_news news;

	if (inode->type != FILE_TYPE_REGULAR)
		return;
	news = data_refresh(&inode->data, inode->held);
	if (news.changed)
		inode->modify_ns = inode->change_ns = contents_time(inode->data.changed);
	if (news.changed && inode->stored_by) {
		const struct who who = {.user = inode->stored_by, .group = inode->group};
		const struct permissions file = inode_permissions(inode);

		inode->mode = (uint16_t)access_mode_written(&who, &file);
	}
	/* Only the first read after a change moves the access time, as Linux has it by default. */
	if (news.loaded && inode->access_ns <= inode->modify_ns)
		inode->access_ns = contents_time(inode->data.loaded);
}

void inode_stat(struct inode *inode, struct file_stat *out)
{
	inode_refresh(inode);
	*out = (struct file_stat){
	        .inode = inode->number,
	        .type = inode->type,
	        .mode = inode->mode,
	        .links = inode->links,
	        .access_ns = inode->access_ns,
	        .modify_ns = inode->modify_ns,
	        .change_ns = inode->change_ns,
	        .user = inode->user,
	        .group = inode->group,
	};
	if (inode->type == FILE_TYPE_QUEUE) {
		out->size = inode->data.size;
	} else if (inode->type == FILE_TYPE_REGULAR) {
		out->size = inode->data.size;
		out->blocks = data_blocks(&inode->data);
	} else if (inode->type == FILE_TYPE_SYMLINK) {
		out->size = inode->symlink.length;
	} else if (inode_is_device(inode)) {
		out->device = inode->device;
	}
}

void inode_set_times(struct tree *tree, struct inode *inode, int64_t access_ns, int64_t modify_ns)
{
	inode_refresh(inode);
	if (access_ns != INT64_MIN)
		inode->access_ns = access_ns;
	if (modify_ns != INT64_MIN)
		inode->modify_ns = modify_ns;
	inode->change_ns = tree->now_ns;
	inode_changed(tree, inode);
}

void inode_set_mode(struct tree *tree, struct inode *inode, uint32_t mode)
{
	inode_refresh(inode); /* what was stored before takes no bits of it away */
	inode->mode = mode & 07777;
	inode->change_ns = tree->now_ns;
	inode_changed(tree, inode);
}

#define MODE_SET_GROUP 02000u

void inode_set_owner(struct tree *tree, struct inode *inode, uint32_t user, uint32_t group)
{
	const struct permissions before = inode_permissions(inode);

	if (user != KEEP_OWNER)
		inode->user = user;
	if (group != KEEP_OWNER)
		inode->group = group;
	inode->mode = (uint16_t)access_mode_owned(&tree->who, &before);
	inode->change_ns = tree->now_ns;
	inode_changed(tree, inode);
}

/* In a directory with the set-group-ID bit what is made is of its group, and directories are so in
 * turn. */
static void take_group(struct tree *tree, struct inode *inode, const struct inode *directory)
{
	const struct permissions above = inode_permissions(directory);

	if (!(directory->mode & MODE_SET_GROUP))
		return;
	inode->group = directory->group;
	if (inode->type != FILE_TYPE_DIRECTORY)
		inode->mode = (uint16_t)access_mode_made(&tree->who, &above, inode->mode);
	if (inode->type == FILE_TYPE_DIRECTORY)
		inode->mode |= MODE_SET_GROUP;
}

static void touched(struct tree *tree, struct inode *inode)
{
	inode->modify_ns = inode->change_ns = tree->now_ns;
	inode_changed(tree, inode);
}

/* ---- Names ---- */

struct name *tree_lookup(struct tree *tree, struct inode *directory, const char *text,
                         uint32_t length)
{
	struct name *name = *bucket_of(tree, directory, text, length);

	while (name && (name->parent != directory || name->length != length ||
	                memcmp(name->text, text, length) != 0))
		name = name->hash_next;
	return name;
}

struct name *tree_next(struct inode *directory, uint64_t position)
{
	struct name *name = directory->directory.first;

	while (name && name->position <= position)
		name = name->next;
	return name;
}

static struct name *name_create(struct tree *tree, const char *text, uint32_t length)
{
	struct name *name = slab_get(tree->slab, name_size(length));

	if (!name)
		return NULL;
	name->length = (uint8_t)length;
	memcpy(name->text, text, length);
	return name;
}

/* Cannot fail: the name becomes an entry of directory for inode. */
static void name_enter(struct tree *tree, struct name *name, struct inode *directory,
                       struct inode *inode)
{
	struct directory *d = &directory->directory;
	struct name **bucket = bucket_of(tree, directory, name->text, name->length);

	name->parent = directory;
	name->inode = inode;
	name->hash_next = *bucket;
	*bucket = name;
	name->position = d->next_position++;
	name->next = NULL;
	name->previous = d->last;
	if (d->last)
		d->last->next = name;
	else
		d->first = name;
	d->last = name;
	inode->links++;
	if (inode->type == FILE_TYPE_DIRECTORY) {
		inode->directory.name = name;
		inode->directory.parent = directory;
		inode_hold(directory);
		inode->links++;     /* its "." */
		directory->links++; /* its ".." */
	}
	name_changed(tree, inode);
	touched(tree, directory);
}

/* What is open is asked for its name when it has none any more.  Without memory for it it has had
 * none. */
static void keep_last(struct tree *tree, struct inode *inode, const struct name *name)
{
	slab_put(tree->slab, inode->last, inode->last_length);
	inode->last = slab_get(tree->slab, name->length);
	inode->last_length = name->length;
	if (inode->last)
		memcpy(inode->last, name->text, name->length);
}

/* The entry is gone; the name's memory too.  The inode may be without names then: the caller
 * settles it. */
static void name_leave(struct tree *tree, struct name *name)
{
	struct inode *directory = name->parent, *inode = name->inode;
	struct directory *d = &directory->directory;
	struct name **link = bucket_of(tree, directory, name->text, name->length);

	while (*link != name)
		link = &(*link)->hash_next;
	*link = name->hash_next;
	if (name->previous)
		name->previous->next = name->next;
	else
		d->first = name->next;
	if (name->next)
		name->next->previous = name->previous;
	else
		d->last = name->previous;
	inode->links--;
	if (inode->type == FILE_TYPE_DIRECTORY) {
		inode->directory.name = NULL;
		inode->links--;
		directory->links--;
	}
	inode->change_ns = tree->now_ns;
	name_changed(tree, inode);
	touched(tree, directory);
	if (!inode->links && inode->held)
		keep_last(tree, inode, name);
	slab_put(tree->slab, name, name_size(name->length));
}

/* Whether a name can be entered there. */
static int enter_check(const struct inode *directory, uint32_t length)
{
	if (length > TREE_NAME_MAX)
		return STATUS_NAME_TOO_LONG;
	if (!directory->links)
		return STATUS_NO_ENTRY; /* removed, though held */
	if (directory->directory.elsewhere)
		return STATUS_NO_ENTRY; /* clients would not find it */
	return STATUS_OK;
}

static int enter_new(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                     struct inode *inode, struct inode **out)
{
	struct name *name = name_create(tree, text, length);

	if (!name) {
		inode_destroy(tree, inode);
		return STATUS_NO_SPACE;
	}
	take_group(tree, inode, directory);
	name_enter(tree, name, directory, inode);
	if (out)
		*out = inode;
	return STATUS_OK;
}

int tree_make_file(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                   uint32_t mode, struct inode **out)
{
	int status = enter_check(directory, length);

	if (status)
		return status;
	struct inode *inode = inode_create(tree, FILE_TYPE_REGULAR, mode);
	if (!inode)
		return STATUS_NO_SPACE;
	return enter_new(tree, directory, text, length, inode, out);
}

int tree_make_fifo(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                   uint32_t mode)
{
	struct inode *inode;
	int status = enter_check(directory, length);

	if (status)
		return status;
	inode = inode_create(tree, FILE_TYPE_FIFO, mode);
	if (!inode)
		return STATUS_NO_SPACE;
	return enter_new(tree, directory, text, length, inode, NULL);
}

int tree_make_queue(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                    uint32_t mode, uint64_t size, const void *head, uint32_t head_length)
{
	struct inode *inode;
	uint32_t written = 0;
	int status = enter_check(directory, length);

	if (status)
		return status;
	if (!size || size > QUEUE_BYTES_MAX || head_length > size)
		return STATUS_INVALID_ARGUMENT;
	inode = inode_create(tree, FILE_TYPE_QUEUE, mode);
	if (!inode)
		return STATUS_NO_SPACE;
	status = data_truncate(&inode->data, tree->slab->source, size);
	if (!status && head_length)
		status = data_write(&inode->data, tree->slab->source, false, 0, head, head_length,
		                    &written);
	if (!status && written < head_length)
		status = STATUS_NO_SPACE;
	if (status) {
		inode_destroy(tree, inode);
		return status;
	}
	data_settle(&inode->data);
	return enter_new(tree, directory, text, length, inode, NULL);
}

int tree_make_node(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                   uint16_t type, uint32_t mode, uint64_t device)
{
	struct inode *inode;
	int status = enter_check(directory, length);

	if (status)
		return status;
	inode = inode_create(tree, type, mode);
	if (!inode)
		return STATUS_NO_SPACE;
	inode->device = device;
	return enter_new(tree, directory, text, length, inode, NULL);
}

int tree_open_fifo(struct tree *tree, struct inode *fifo)
{
	if (fifo->data.size)
		return STATUS_OK;
	return data_truncate(&fifo->data, tree->slab->source, FIFO_BYTES);
}

int tree_make_anonymous(struct tree *tree, const struct inode *directory, uint32_t mode,
                        bool for_good, struct inode **out)
{
	*out = inode_create(tree, FILE_TYPE_REGULAR, mode);
	if (!*out)
		return STATUS_NO_SPACE;
	(*out)->nameless = !for_good;
	take_group(tree, *out, directory);
	inode_hold(*out);
	return STATUS_OK;
}

int tree_make_directory(struct tree *tree, struct inode *directory, const char *text,
                        uint32_t length, uint32_t mode, struct inode **out)
{
	int status = enter_check(directory, length);

	if (status)
		return status;
	struct inode *inode = inode_create(tree, FILE_TYPE_DIRECTORY, mode);
	if (!inode)
		return STATUS_NO_SPACE;
	inode->directory.next_position = 1;
	return enter_new(tree, directory, text, length, inode, out);
}

int tree_make_symlink(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                      const char *target, uint32_t target_length, struct inode **out)
{
	int status = enter_check(directory, length);

	if (status)
		return status;
	if (!target_length)
		return STATUS_NO_ENTRY;
	if (target_length > TREE_PATH_MAX)
		return STATUS_NAME_TOO_LONG;
	if (memchr(target, 0, target_length))
		return STATUS_INVALID_ARGUMENT;
	struct inode *inode = inode_create(tree, FILE_TYPE_SYMLINK, 0777);
	if (!inode)
		return STATUS_NO_SPACE;
	inode->symlink.target = slab_get(tree->slab, target_length);
	if (!inode->symlink.target) {
		inode_destroy(tree, inode);
		return STATUS_NO_SPACE;
	}
	inode->symlink.length = (uint16_t)target_length;
	memcpy(inode->symlink.target, target, target_length);
	return enter_new(tree, directory, text, length, inode, out);
}

int tree_link(struct tree *tree, struct inode *inode, struct inode *directory, const char *text,
              uint32_t length)
{
	int status = enter_check(directory, length);

	if (status)
		return status;
	if (inode->type == FILE_TYPE_DIRECTORY || inode->type == FILE_TYPE_QUEUE)
		return STATUS_NOT_PERMITTED;
	if (!inode->links && !inode->nameless)
		return STATUS_NO_ENTRY;
	struct name *name = name_create(tree, text, length);
	if (!name)
		return STATUS_NO_SPACE;
	name_enter(tree, name, directory, inode);
	inode->nameless = false;
	inode->change_ns = tree->now_ns;
	return STATUS_OK;
}

int tree_remove(struct tree *tree, struct name *name, bool directory)
{
	struct inode *inode = name->inode;

	if (directory && inode->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	if (!directory && inode->type == FILE_TYPE_DIRECTORY)
		return STATUS_IS_DIRECTORY;
	if (directory && inode->directory.first)
		return STATUS_NOT_EMPTY;
	name_leave(tree, name);
	inode_settle(tree, inode);
	return STATUS_OK;
}

/* Whether directory is inode or below it. */
static bool beneath(const struct inode *directory, const struct inode *inode)
{
	for (;;) {
		if (directory == inode)
			return true;
		if (directory->directory.parent == directory)
			return false;
		directory = directory->directory.parent;
	}
}

static int rename_check(const struct inode *moved, const struct inode *directory,
                        const struct name *existing)
{
	if (moved->type == FILE_TYPE_DIRECTORY && beneath(directory, moved))
		return STATUS_INVALID_ARGUMENT;
	if (!existing)
		return STATUS_OK;
	const struct inode *old = existing->inode;
	if (old->type == FILE_TYPE_DIRECTORY) {
		if (moved->type != FILE_TYPE_DIRECTORY)
			return STATUS_IS_DIRECTORY;
		return old->directory.first ? STATUS_NOT_EMPTY : STATUS_OK;
	}
	return moved->type == FILE_TYPE_DIRECTORY ? STATUS_NOT_DIRECTORY : STATUS_OK;
}

int tree_rename(struct tree *tree, struct name *name, struct inode *directory, const char *text,
                uint32_t length, struct name *existing)
{
	struct inode *moved = name->inode, *parent = name->parent;
	struct inode *old = existing ? existing->inode : NULL;
	int status = enter_check(directory, length);

	if (status)
		return status;
	if (old == moved)
		return STATUS_OK;
	status = rename_check(moved, directory, existing);
	if (status)
		return status;
	struct name *entered = name_create(tree, text, length);
	if (!entered)
		return STATUS_NO_SPACE;
	if (existing)
		name_leave(tree, existing);
	inode_hold(moved);
	name_leave(tree, name);
	name_enter(tree, entered, directory, moved);
	moved->change_ns = tree->now_ns;
	if (moved->type == FILE_TYPE_DIRECTORY)
		inode_drop(tree, parent); /* as its parent until now */
	inode_drop(tree, moved);
	if (old)
		inode_settle(tree, old);
	return STATUS_OK;
}

/* Cannot fail: the entry leads to another inode, which had one before. */
static void name_lead(struct tree *tree, struct name *name, struct inode *inode)
{
	name->inode = inode;
	inode->change_ns = tree->now_ns;
	name_changed(tree, inode);
	touched(tree, name->parent);
	if (inode->type != FILE_TYPE_DIRECTORY)
		return;
	inode->directory.name = name;
	if (inode->directory.parent != name->parent) {
		struct inode *before = inode->directory.parent;

		before->links--;
		inode_changed(tree, before);
		name->parent->links++;
		inode_hold(name->parent);
		inode->directory.parent = name->parent;
		inode_drop(tree, before);
	}
}

int tree_exchange(struct tree *tree, struct name *one, struct name *other)
{
	struct inode *first = one->inode, *second = other->inode;

	if (first == second)
		return STATUS_OK;
	if ((first->type == FILE_TYPE_DIRECTORY && beneath(other->parent, first)) ||
	    (second->type == FILE_TYPE_DIRECTORY && beneath(one->parent, second)))
		return STATUS_INVALID_ARGUMENT;
	name_lead(tree, one, second);
	name_lead(tree, other, first);
	return STATUS_OK;
}

/* ---- Contents ---- */

static void written(struct tree *tree, struct inode *file)
{
	const struct permissions before = inode_permissions(file);

	file->mode = (uint16_t)access_mode_written(&tree->who, &before);
	touched(tree, file);
}

uint32_t tree_read(struct tree *tree, struct inode *file, uint64_t offset, void *buffer,
                   uint32_t length)
{
	/* Only the first read after a change moves the access time, so that reading does not
	 * write. */
	if (file->access_ns <= file->modify_ns) {
		file->access_ns = tree->now_ns;
		inode_changed(tree, file);
	}
	return data_read(&file->data, offset, buffer, length);
}

int tree_write(struct tree *tree, struct inode *file, bool append, uint64_t offset,
               const void *buffer, uint32_t length, uint32_t *done)
{
	int status =
	        data_write(&file->data, tree->slab->source, append, offset, buffer, length, done);

	if (*done)
		written(tree, file);
	return status;
}

int tree_truncate(struct tree *tree, struct inode *file, uint64_t size)
{
	inode_refresh(file); /* when it was read is not known later */
	/* Nobody has it open: the memory goes by itself, however much it is. */
	if (!size && !file->held)
		data_free(&file->data);
	int status = data_truncate(&file->data, tree->slab->source, size);

	if (!status)
		written(tree, file);
	return status;
}

int tree_allocate(struct tree *tree, struct inode *file, uint64_t offset, uint64_t length,
                  bool keep_size, bool punch)
{
	struct data *data = &file->data;
	int status;

	if (offset > DATA_SIZE_MAX || length > DATA_SIZE_MAX - offset)
		return STATUS_FILE_TOO_BIG;
	inode_refresh(file);
	if (!punch && offset + length > data->size)
		return keep_size ? STATUS_NOT_SUPPORTED
		                 : tree_truncate(tree, file, offset + length);
	if (!punch || offset >= data->size)
		return STATUS_OK;
	if (length > data->size - offset)
		length = data->size - offset;
	status = data_punch(data, tree->slab->source, offset, length);
	if (!status)
		written(tree, file);
	return status;
}

/* Bytes whose checksum is made at a time: less than a millisecond. */
#define CHECK_PIECE 65536ull

int tree_check(struct inode *file, bool *more)
{
	struct data *data = &file->data;
	uint64_t piece;

	*more = false;
	if (file->type == FILE_TYPE_REGULAR && data->base && data->base_broken)
		return STATUS_IO_ERROR;
	/* Nothing is written or cut before the first check, so base is whole. */
	if (file->type != FILE_TYPE_REGULAR || !data->base || !data->base_unchecked)
		return STATUS_OK;
	piece = data->size - data->base_checked;
	if (piece > CHECK_PIECE)
		piece = CHECK_PIECE;
	data->checked_crc =
	        archive_crc32(data->checked_crc, data->base + data->base_checked, piece);
	data->base_checked += piece;
	*more = data->base_checked < data->size;
	if (*more)
		return STATUS_OK;
	data->base_unchecked = false;
	data->base_broken = data->checked_crc != data->base_crc;
	return data->base_broken ? STATUS_IO_ERROR : STATUS_OK;
}

/* ---- The whole ---- */

int tree_init(struct tree *tree, struct slab *slab, int64_t now_ns)
{
	memset(tree, 0, sizeof(*tree));
	tree->slab = slab;
	tree->now_ns = now_ns;
	tree->next_number = 1;
	tree->top = inode_create(tree, FILE_TYPE_DIRECTORY, 0755);
	if (!tree->top)
		return STATUS_NO_SPACE;
	tree->top->links = 2;
	tree->top->directory.next_position = 1;
	tree->top->directory.parent = tree->top;
	return STATUS_OK;
}

void tree_free(struct tree *tree)
{
	struct inode *directory = tree->top;

	if (!directory)
		return;
	/* Depth first, without recursion: a directory's last entry goes before the directory. */
	while (directory) {
		struct name *name = directory->directory.last;
		if (name && name->inode->type == FILE_TYPE_DIRECTORY &&
		    name->inode->directory.last) {
			directory = name->inode;
		} else if (name) {
			tree_remove(tree, name, name->inode->type == FILE_TYPE_DIRECTORY);
		} else if (directory == tree->top) {
			directory = NULL;
		} else {
			directory = directory->directory.parent;
		}
	}
	inode_destroy(tree, tree->top);
	tree->top = NULL;
}
