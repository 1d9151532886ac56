/* SPDX-License-Identifier: MIT */
/*
 * What crosses execve besides arguments and environment, in a MemoryObject that the new image finds
 * as "posix.state": a struct exec_state, then its descriptions, then its descriptors.  Written and
 * read by the same process, which holds every capability named in it already.
 */
#ifndef POSIX_EXEC_STATE_H
#define POSIX_EXEC_STATE_H

#include <stdint.h>
#include <sys/resource.h>

#include <capos/identity.h>

#include "core/core.h"
#include "file/file.h"
#include "process/children.h"
#include "process/world.h"
#include "signal/signal.h"
#include "time/time.h"

#define EXEC_STATE_NAME  "posix.state"
#define EXEC_STATE_MAGIC 0x31434558454f5043ull

struct exec_state {
	uint64_t magic;
	uint32_t nfiles;       /* struct carried follow; those without a descriptor are closed */
	uint32_t ndescriptors; /* struct carried_descriptor follow */
	cap_t event;           /* that servers wake the process by */
	struct path_saved paths;
	struct signal_saved signals;
	struct timers_state timers; /* those of setitimer go on */
	uint64_t timer_slack_ns[2]; /* now, and to go back to */
	uint64_t image_secret;      /* where images begin: exec.c */
	struct world_state world;
	struct cap_identity identity;
	struct rlimit limits[RLIM_NLIMITS];
	char path[PATH_BYTES]; /* of the image's file, from the root */
};

struct carried_descriptor {
	uint32_t fd;
	uint32_t file; /* which of the descriptions */
};

/* path: of the file that becomes the image.  0 with a capability to the memory, or -errno: -ENOSYS
 * for a descriptor that cannot be carried. */
int exec_state_write(const char *path, cap_t *out);

/* exec.c: what decides where images begin, the same for all that descend from one program. */
uint64_t exec_image_secret(void);
void exec_set_image_secret(uint64_t secret);

/* Where this image's file was when it was started, from the root; "": that is not known. */
void exec_own_path(char path[PATH_BYTES]);

#endif
