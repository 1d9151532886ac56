/* SPDX-License-Identifier: MIT */
/*
 * A file that gets its name when all of it has been written: what had the name before stays until
 * then, and stays when the work fails or is interrupted.
 */
#ifndef CAPOS_TOOLS_REPLACE_H
#define CAPOS_TOOLS_REPLACE_H

struct replacement {
	const char *name; /* as the user gave it: for messages */
	char *path;       /* behind symbolic links; owned */
	char *temporary;  /* beside it; owned. NULL: path is a device or a pipe, written directly */
	int fd;           /* to write to; owned */
};

/* Both end the process when they fail. */
void replace_begin(struct replacement *replacement, const char *name);
void replace_commit(struct replacement *replacement);

#endif
