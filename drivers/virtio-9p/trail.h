/* SPDX-License-Identifier: MIT */
/*
 * Fids of what walks came to last, by the paths that they went, so that the next walk need not ask
 * again.  QEMU's fids are paths: what is asked of one is asked of what the path leads to then, as
 * if it were walked anew, so the host may do there what it likes.  Only this machine's own moves
 * are followed by fids, and one that has become a symlink at the host is not followed.  So the
 * trail is left when something is moved here, and what is found by it counts when its attributes
 * say that it is what it was; directories on the way need no such check, since QEMU goes through
 * no symlink.
 *
 * Of user 0 alone: for others each directory is asked whether it may be searched.
 */
#ifndef VIRTIO_9P_TRAIL_H
#define VIRTIO_9P_TRAIL_H

#include <capos/schema/service.h>

#include "drivers/virtio-9p/p9.h"

#define TRAIL_LENGTH 16u
#define TRAIL_TEXT   127u /* longer paths leave none */
/* How long a change of attributes goes by it, which says nothing of what it changed, and how long
 * attributes are told again of what the host says is the same. */
#define TRAIL_FRESH_NS 20000000u

struct trail_step {
	uint32_t fid;        /* + 1; 0: free */
	struct p9_qid qid;   /* no symlink */
	struct p9_qid above; /* the directory that it was found in */
	bool known;          /* stat: as it was seen, with this qid */
	struct file_stat stat;
	uint64_t start;      /* where the path starts */
	uint64_t seen, used; /* when (0: now); in which turn */
	uint8_t length;
	char text[TRAIL_TEXT]; /* no slash at its end, no ".." in it */
};

struct trail {
	uint64_t (*now)(void); /* NULL: there is no trail */
	uint64_t turn;
	struct trail_step steps[TRAIL_LENGTH];
};

/* The step with this path, which is the caller's and not in the trail any more.  Whether there is
 * one. */
bool trail_take(struct trail *trail, uint64_t start, struct p9_text path, struct trail_step *out);
/* Leaves a fid there, which is the trail's then; another's may be given up for it. */
void trail_leave(struct trail *trail, struct p9 *p, uint64_t start, struct p9_text path,
                 const struct trail_step *step);
/* Files, which another may be in the place of; with directories: what is below another name now. */
void trail_forget(struct trail *trail, struct p9 *p, bool directories);

#endif
