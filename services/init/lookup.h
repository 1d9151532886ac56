/* SPDX-License-Identifier: MIT */
/*
 * Finding a program in the boot archive as execvp would: by path or by name in PATH, through
 * symbolic links, and through the interpreter that a script or a dynamic executable names.  Pure.
 */
#ifndef INIT_LOOKUP_H
#define INIT_LOOKUP_H

#include <capos/archive_reader.h>

#define LOOKUP_PATH_MAX  1024
#define LOOKUP_EXTRA_MAX 8 /* arguments put before those of the caller */

struct program {
	struct archive_file image;  /* what is started */
	char path[LOOKUP_PATH_MAX]; /* of the program, absolute; through no links */
	/* AT_EXECFN: the program's path as it was found, or that of its script's interpreter. */
	char executed[LOOKUP_PATH_MAX];
	const char *prefix[LOOKUP_EXTRA_MAX + 1]; /* argv begins with these; NULL-terminated */
	uint32_t skip;                            /* and goes on with the caller's from here */
	/* where prefix's texts are */
	char interpreter[LOOKUP_PATH_MAX];
	char option[LOOKUP_PATH_MAX];
	char linker[LOOKUP_PATH_MAX];
	char name[LOOKUP_PATH_MAX];
};

/* Follows path (absolute or relative to /) to an entry that is no link; resolved: its path without
 * leading slash, LOOKUP_PATH_MAX bytes.  CAP_OK, CAP_ENOENT, or CAP_ETOOBIG: too many links or too
 * long. */
int lookup_path(const struct archive *archive, const char *path, struct archive_file *file,
                char *resolved);

/* name: argv[0].  CAP_OK, CAP_ENOENT: not found, CAP_ERIGHTS: not executable, CAP_EMESSAGE:
 * corrupt, CAP_ETOOBIG, CAP_ENOEXEC: no interpreter. */
int lookup_program(const struct archive *archive, const char *name, const char *search_path,
                   struct program *out);

#endif
