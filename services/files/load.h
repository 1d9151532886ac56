/* SPDX-License-Identifier: MIT */
/*
 * Fills a new tree from the boot archive.
 */
#ifndef FILES_LOAD_H
#define FILES_LOAD_H

#include <capos/archive_reader.h>

#include "tree.h"

/* Status; on failure *culprit is the name of the entry that did not fit, e.g. because it was there
 * already. */
int load_archive(struct tree *tree, const struct archive *archive, const char **culprit);
/* The directory of that path, made as far as it is not there.  Status. */
int load_directory(struct tree *tree, const char *path, struct inode **out);
/* The directories that programs expect to find, as far as the archive did not bring them. */
int load_usual(struct tree *tree);

#endif
