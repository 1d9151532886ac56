/* SPDX-License-Identifier: MIT */
/*
 * Paths across volumes.  A Directory knows the paths of one volume; where one leads into another,
 * it is asked where, and the call is made again there.
 */
#ifndef POSIX_FILE_VOLUME_H
#define POSIX_FILE_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>
#include <capos/msg.h>

/*
 * Where a path is asked about:
 *
 *     do {
 *             struct capos_call call = FILES_CALL();
 *             params.path = w.path;
 *             result = directory_remove(w.base, &params, &call);
 *     } while (path_goes_on(&w, false, &result));
 */
struct path_walk {
	cap_t base;           /* the Directory to ask */
	struct msg_text path; /* with what */
	/* Private. */
	cap_t held; /* base, when it is this walk's */
	char *own;  /* path's text, likewise */
	unsigned hops;
};

/* Begins with a path of the program, which it checks.  0 or -errno: as path_base. */
int path_start(struct path_walk *w, int directory_fd, const char *path);
void path_start_at(struct path_walk *w, cap_t base, const char *path);
/* Whether the call that ended with *result, a Status, is to be made again.  If not, the walk has
 * ended, and *result is 0 or -errno.  follow: whether the call follows a symlink at the path's
 * end. */
bool path_goes_on(struct path_walk *w, bool follow, int *result);
/* Finds the Directory that knows the path, without another call: then w->base and w->path say it,
 * until path_end; *volume is its number, 0 the files service.  0 or -errno: then the walk has
 * ended. */
int path_locate(struct path_walk *w, bool follow, uint32_t *volume);
void path_end(struct path_walk *w);

/* The MemoryObject that File.memory gives, or a copy of the file's bytes where there is none: that
 * is paid for as a file without a name is.  0 or -errno. */
int volume_memory(cap_t file, cap_t *memory, uint64_t *size);

/* What all share who have a file of a volume open (File.share): a regular file's bytes, or the
 * buffer of a FIFO or a socket, of so many bytes (0: it is a file).  offered: if there is no memory
 * for it yet, it is this process's.  0 or -errno, -ENOENT: there is none. */
int volume_shared_memory(cap_t file, bool offered, uint64_t buffer, cap_t *memory);

/* Volumes that are mounted; the index-th one's place and number: 0 or -errno. */
uint32_t volumes_count(void);
int volume_at(uint32_t index, char path[4096], uint32_t *number);
/* The root of the volume with that number, which the caller releases.  0 or -errno. */
int volume_directory(uint32_t number, cap_t *directory);

#endif
