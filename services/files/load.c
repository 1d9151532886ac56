/* SPDX-License-Identifier: MIT */
/*
 * From archive entries to inodes.  File contents stay in the archive (data.h); parents that have no
 * entry are made.
 */
#include "load.h"

#include <string.h>

/* A directory's mode before, or without, an entry of its own. */
#define IMPLIED_MODE 0755

static int directory_at(struct tree *tree, struct inode *parent, const char *text, uint32_t length,
                        struct inode **out)
{
	struct name *name = tree_lookup(tree, parent, text, length);

	if (!name)
		return tree_make_directory(tree, parent, text, length, IMPLIED_MODE, out);
	*out = name->inode;
	return name->inode->type == FILE_TYPE_DIRECTORY ? STATUS_OK : STATUS_NOT_DIRECTORY;
}

static int make(struct tree *tree, struct inode *parent, const char *text, uint32_t length,
                const struct archive_file *file, struct inode **out)
{
	if (file->type == CAPOS_ARCHIVE_DIRECTORY)
		return directory_at(tree, parent, text, length, out);
	if (tree_lookup(tree, parent, text, length))
		return STATUS_EXISTS;
	if (file->type == CAPOS_ARCHIVE_SYMLINK)
		return tree_make_symlink(
		        tree, parent, text, length, (const char *)file->data,
		        file->size > TREE_PATH_MAX ? TREE_PATH_MAX + 1 : (uint32_t)file->size, out);
	int status = tree_make_file(tree, parent, text, length, file->mode, out);
	if (!status && file->size)
		data_init(&(*out)->data, file->data, file->size, file->crc);
	return status;
}

static int load_entry(struct tree *tree, const struct archive_file *file)
{
	struct inode *at = tree->top, *made;
	const char *text = file->name;

	for (;;) {
		uint32_t length = (uint32_t)strcspn(text, "/");
		if (!text[length]) {
			int status = make(tree, at, text, length, file, &made);
			if (status)
				return status;
			break;
		}
		int status = directory_at(tree, at, text, length, &at);
		if (status)
			return status;
		text += length + 1;
	}
	if (made->type != FILE_TYPE_SYMLINK)
		made->mode = (uint16_t)file->mode;
	if (!file->mtime) /* made by nobody: it has the time of the boot */
		return STATUS_OK;
	/* A time whose nanoseconds do not fit is taken as the nearest that does. */
	int64_t limit = INT64_MAX / 1000000000;
	int64_t seconds = file->mtime > limit ? limit : file->mtime < -limit ? -limit : file->mtime;
	made->access_ns = made->modify_ns = seconds * 1000000000;
	return STATUS_OK;
}

int load_archive(struct tree *tree, const struct archive *archive, const char **culprit)
{
	for (uint32_t i = 0; i < archive->count; i++) {
		struct archive_file file = archive_entry(archive, i);
		int status = load_entry(tree, &file);
		if (status) {
			*culprit = file.name;
			return status;
		}
	}
	return STATUS_OK;
}

int load_directory(struct tree *tree, const char *path, struct inode **out)
{
	int status = STATUS_OK;

	*out = tree->top;
	while (!status && *path) {
		uint32_t length = (uint32_t)strcspn(path, "/");

		if (length)
			status = directory_at(tree, *out, path, length, out);
		path += length;
		path += *path == '/';
	}
	return status;
}

static int usual_directory(struct tree *tree, struct inode *parent, const char *name, uint32_t mode)
{
	uint32_t length = (uint32_t)strlen(name);

	if (tree_lookup(tree, parent, name, length))
		return STATUS_OK;
	return tree_make_directory(tree, parent, name, length, mode, NULL);
}

/* What a path that leads through a link, or starts in /dev, finds there: clients open the devices
 * by their numbers. */
static int usual_devices(struct tree *tree, struct inode *dev)
{
	static const struct {
		const char *name;
		uint64_t device; /* as Linux has it: major, 8 bits of minor */
	} devices[] = {{"null", 0x103},    {"zero", 0x105}, {"full", 0x107}, {"random", 0x108},
	               {"urandom", 0x109}, {"kmsg", 0x10b}, {"tty", 0x500},  {"ptmx", 0x502}};
	static const struct {
		const char *name, *target;
	} links[] = {{"fd", "/proc/self/fd"},
	             {"stdin", "/proc/self/fd/0"},
	             {"stdout", "/proc/self/fd/1"},
	             {"stderr", "/proc/self/fd/2"}};
	int status = STATUS_OK;

	for (size_t i = 0; !status && i < sizeof(devices) / sizeof(devices[0]); i++) {
		const char *name = devices[i].name;
		uint32_t length = (uint32_t)strlen(name);

		if (!tree_lookup(tree, dev, name, length))
			status = tree_make_node(tree, dev, name, length, FILE_TYPE_CHARACTER_DEVICE,
			                        0666, devices[i].device);
	}
	for (size_t i = 0; !status && i < sizeof(links) / sizeof(links[0]); i++) {
		const char *name = links[i].name, *target = links[i].target;
		uint32_t length = (uint32_t)strlen(name);

		if (!tree_lookup(tree, dev, name, length))
			status = tree_make_symlink(tree, dev, name, length, target,
			                           (uint32_t)strlen(target), NULL);
	}
	return status;
}

int load_usual(struct tree *tree)
{
	static const struct {
		const char *name;
		uint16_t mode;
	} usual[] = {{"dev", 0755}, {"tmp", 01777}, {"etc", 0755}, {"root", 0700}, {"proc", 0555}};
	struct name *dev, *proc, *terminals = NULL;
	int status = STATUS_OK;

	for (size_t i = 0; !status && i < sizeof(usual) / sizeof(usual[0]); i++)
		status = usual_directory(tree, tree->top, usual[i].name, usual[i].mode);
	dev = tree_lookup(tree, tree->top, "dev", 3);
	if (!status && dev && dev->inode->type == FILE_TYPE_DIRECTORY)
		status = usual_directory(tree, dev->inode, "shm", 01777);
	if (!status && dev && dev->inode->type == FILE_TYPE_DIRECTORY)
		status = usual_directory(tree, dev->inode, "mqueue", 01777);
	if (!status && dev && dev->inode->type == FILE_TYPE_DIRECTORY)
		status = usual_directory(tree, dev->inode, "pts", 0755);
	if (!status && dev && dev->inode->type == FILE_TYPE_DIRECTORY)
		terminals = tree_lookup(tree, dev->inode, "pts", 3);
	if (terminals && terminals->inode->type == FILE_TYPE_DIRECTORY)
		terminals->inode->directory.elsewhere = true;
	if (!status && dev && dev->inode->type == FILE_TYPE_DIRECTORY)
		status = usual_devices(tree, dev->inode);
	proc = tree_lookup(tree, tree->top, "proc", 4);
	if (proc && proc->inode->type == FILE_TYPE_DIRECTORY)
		proc->inode->directory.elsewhere = true;
	return status;
}
