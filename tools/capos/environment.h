/* SPDX-License-Identifier: MIT */
/*
 * The program's environment as --env and --env-file give it.  No name is in one list twice.
 */
#ifndef CAPOS_TOOLS_ENVIRONMENT_H
#define CAPOS_TOOLS_ENVIRONMENT_H

#include "tools/capos/capos.h"

/* Adds NAME=VALUE, or NAME with the value that it has in our own environment.  NULL, or what is
 * wrong. */
const char *environment_add(struct string_list *list, const char *text);

/* Adds the lines of a file.  NULL, or what is wrong, with the line's number. */
const char *environment_read(struct string_list *list, const char *path);

/* Adds to list what `other` has and list has not.  NULL, or what is wrong. */
const char *environment_merge(struct string_list *list, const struct string_list *other);

#endif
