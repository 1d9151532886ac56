/* SPDX-License-Identifier: MIT */
/*
 * From a path to a place in the tree.  Whatever the path and the symlinks on it say, what is
 * reached is at or below the root, except that a directory which was moved out from under it can
 * still be used itself.
 */
#ifndef FILES_PATH_H
#define FILES_PATH_H

#include "tree.h"

#define PATH_SYMLINKS_MAX 40 /* followed in one resolution, as on Linux */

struct path_from {
	struct inode *root;  /* where "/" and symlinks to absolute paths start, and ".." stops */
	struct inode *start; /* where relative paths start */
};

struct place {
	struct inode *inode; /* what is there; NULL: nothing, but it could be made in directory */
	/* in which the last component is looked up; NULL: the path names no entry ("/", ".",
	 * "..") and inode is a directory */
	struct inode *directory;
	struct name *name; /* the entry; NULL as inode and directory say */
	const char *text;  /* last component, in the resolution's buffer */
	uint32_t length;
	bool directory_wanted; /* the path ended in a slash */
};

/* Bytes that one resolution works in; place.text points into it. */
struct path_buffer {
	char text[2][TREE_PATH_MAX + 1];
};

/* What becomes of a symlink at the path's end. */
enum path_end {
	PATH_END_LINK,   /* it is what the path names, unless a slash follows it */
	PATH_END_FOLLOW, /* it is followed */
	/* It is the name that is made, removed or moved: never followed, and a slash behind a name
	 * that is no directory is the caller's to refuse. */
	PATH_END_NAME,
};

/* Status; elsewhere: the path goes on in the volume at out->inode, with out->text. */
int path_resolve(struct tree *tree, struct path_from from, const char *path, uint32_t length,
                 enum path_end end, struct path_buffer *buffer, struct place *out);
/* Whether the directory is root or somewhere below it. */
bool path_is_below(const struct inode *root, const struct inode *directory);
/* Writes the directory's path from root, with a leading slash and a final NUL that is not counted;
 * noEntry: it does not lie below root any more.  *gone is set when it was removed, or one that it
 * was in, and the path is where it was. */
int path_of(const struct inode *root, const struct inode *directory, char *buffer, uint32_t size,
            uint32_t *length, bool *gone);

#endif
