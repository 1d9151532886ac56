/* SPDX-License-Identifier: MIT */
/*
 * Path resolution: one pass over the components, a symlink's target put in front of what is left.
 */
#include "path.h"

#include <string.h>

struct walk {
	struct tree *tree;
	struct path_from from;
	struct path_buffer *buffer;
	int side; /* which half of the buffer the rest is in */
	const char *rest;
	uint32_t left; /* bytes of it */
	int symlinks;
	enum path_end end;
	struct inode *at;
	bool inside; /* at is known to lie below the root, as all that a walk comes to from there */
};

bool path_is_below(const struct inode *root, const struct inode *directory)
{
	while (directory != root) {
		if (directory->directory.parent == directory)
			return false;
		directory = directory->directory.parent;
	}
	return true;
}

/* ".." of a directory; accessDenied when it is outside the root, where it would lead to what was
 * never given.  A tree may be deep and a path have many of them: that is found out once. */
static int parent_of(struct walk *w, struct inode *directory, struct inode **out)
{
	*out = directory;
	if (directory == w->from.root)
		return STATUS_OK;
	w->inside =
	        w->inside || w->from.root == w->tree->top || path_is_below(w->from.root, directory);
	if (!w->inside)
		return STATUS_ACCESS_DENIED;
	*out = directory->directory.parent;
	return STATUS_OK;
}

/* Puts the symlink's target before what is left of the path. */
static int expand(struct walk *w, const struct symlink *link)
{
	char *into = w->buffer->text[!w->side];

	if (++w->symlinks > PATH_SYMLINKS_MAX)
		return STATUS_TOO_MANY_LINKS;
	if (link->length + w->left > TREE_PATH_MAX)
		return STATUS_NAME_TOO_LONG;
	memcpy(into, link->target, link->length);
	memcpy(into + link->length, w->rest, w->left);
	w->side = !w->side;
	w->rest = into;
	w->left += link->length;
	if (*into == '/')
		w->at = w->from.root;
	return STATUS_OK;
}

static uint32_t component_length(const struct walk *w)
{
	const char *slash = memchr(w->rest, '/', w->left);

	return slash ? (uint32_t)(slash - w->rest) : w->left;
}

/* Whether nothing but slashes follows the component. */
static bool is_last(const struct walk *w, uint32_t length, bool *slash)
{
	*slash = length < w->left;
	while (length < w->left && w->rest[length] == '/')
		length++;
	return length == w->left;
}

static bool is_dots(const char *text, uint32_t length)
{
	return (length == 1 && text[0] == '.') || (length == 2 && text[0] == '.' && text[1] == '.');
}

static bool follows_last(const struct walk *w, bool slash)
{
	return w->end == PATH_END_FOLLOW || (w->end == PATH_END_LINK && slash);
}

/* The path enters a volume: says with what it goes on there. */
static int go_elsewhere(struct walk *w, struct place *out)
{
	while (w->left && *w->rest == '/') {
		w->rest++;
		w->left--;
	}
	*out = (struct place){.inode = w->at, .text = w->rest, .length = w->left};
	return STATUS_ELSEWHERE;
}

/* One component.  *done: out says where the path leads. */
static int step(struct walk *w, struct place *out, bool *done)
{
	uint32_t length = component_length(w);
	const char *text = w->rest;
	bool slash, last = is_last(w, length, &slash);

	if (w->at->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	const struct permissions here = inode_permissions(w->at);
	if (access_check(&w->tree->who, &here, ACCESS_EXECUTE))
		return STATUS_ACCESS_DENIED;
	if (length > TREE_NAME_MAX)
		return STATUS_NAME_TOO_LONG;
	if (is_dots(text, length)) {
		int status = length == 2 ? parent_of(w, w->at, &w->at) : STATUS_OK;
		*out = (struct place){.inode = w->at, .text = text, .length = length};
		*done = last;
		w->rest += length;
		w->left -= length;
		return status;
	}
	struct name *name = tree_lookup(w->tree, w->at, text, length);
	if (name && name->inode->type == FILE_TYPE_SYMLINK && (!last || follows_last(w, slash))) {
		w->rest += length;
		w->left -= length;
		return expand(w, &name->inode->symlink);
	}
	/* A client knows the paths that it makes files for, but not where links lead. */
	if (!name && w->at->directory.elsewhere && w->symlinks)
		return STATUS_NO_DEVICE;
	if (!name && !last)
		return STATUS_NO_ENTRY;
	*done = last;
	*out = (struct place){.inode = name ? name->inode : NULL,
	                      .directory = w->at,
	                      .name = name,
	                      .text = text,
	                      .length = length,
	                      .directory_wanted = slash};
	w->rest += length;
	w->left -= length;
	if (!name)
		return STATUS_OK;
	w->at = name->inode;
	return inode_is_mount(w->at) && !(last && w->end == PATH_END_NAME) ? go_elsewhere(w, out)
	                                                                   : STATUS_OK;
}

int path_resolve(struct tree *tree, struct path_from from, const char *path, uint32_t length,
                 enum path_end end, struct path_buffer *buffer, struct place *out)
{
	struct walk w = {.tree = tree, .from = from, .buffer = buffer, .end = end};
	bool done = false;

	if (!length)
		return STATUS_NO_ENTRY;
	if (length > TREE_PATH_MAX)
		return STATUS_NAME_TOO_LONG;
	if (memchr(path, 0, length))
		return STATUS_INVALID_ARGUMENT;
	memcpy(buffer->text[0], path, length);
	w.rest = buffer->text[0];
	w.left = length;
	w.at = path[0] == '/' ? from.root : from.start;
	*out = (struct place){.inode = w.at};
	while (!done) {
		while (w.left && *w.rest == '/') {
			w.rest++;
			w.left--;
		}
		if (!w.left) { /* nothing but slashes, or a symlink to a path of that kind */
			*out = (struct place){.inode = w.at};
			break;
		}
		int status = step(&w, out, &done);
		if (status)
			return status;
	}
	if (end != PATH_END_NAME && out->inode && out->directory_wanted &&
	    out->inode->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	return STATUS_OK;
}

int path_of(const struct inode *root, const struct inode *directory, char *buffer, uint32_t size,
            uint32_t *length, bool *gone)
{
	uint32_t start = size - 1; /* written from the end, then moved to the front */

	buffer[start] = 0;
	if (directory == root)
		buffer[--start] = '/';
	while (directory != root) {
		const struct name *name = directory->directory.name;
		const char *last = name ? name->text : directory->last;
		const uint8_t last_length = name ? name->length : directory->last_length;

		*gone |= !name;
		if (!last)
			return STATUS_NO_ENTRY;
		if (last_length + 1u > start)
			return STATUS_NAME_TOO_LONG;
		start -= last_length;
		memcpy(buffer + start, last, last_length);
		buffer[--start] = '/';
		directory = directory->directory.parent;
	}
	*length = size - 1 - start;
	memmove(buffer, buffer + start, *length + 1);
	return STATUS_OK;
}
