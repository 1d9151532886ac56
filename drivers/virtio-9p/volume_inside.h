/* SPDX-License-Identifier: MIT */
/*
 * What the two parts of a volume share: volume.c has the handles, volume_names.c what goes by
 * paths.  A fid is of one handle, of one walk, or the root's.
 */
#ifndef VIRTIO_9P_VOLUME_INSIDE_H
#define VIRTIO_9P_VOLUME_INSIDE_H

#include "drivers/virtio-9p/volume.h"

#define FID_ROOT    0u
#define FID_LIST    1u /* of a directory that is read */
#define FID_ABOVE   2u /* two, by turns, of a directory whose path is made */
#define FID_WALK    4u
#define FID_HANDLES 64u
_Static_assert(FID_WALK + 2 * WALK_FIDS_MAX <= FID_HANDLES, "both walks have fids of their own");

void volume_locks_start(struct volume *v);
/* The handle with this word is closed. */
void volume_locks_close(struct volume *v, struct volume_handle *file, uint64_t word);

/* Of what p9 and the walks answer. */
int volume_status(int result);
int volume_get(struct volume *v, uint32_t fid, struct file_stat *out); /* as p9_get */

/* A free handle, whose fids are not there yet; NULL: there is none. */
struct volume_handle *volume_take(struct volume *v);
/* One whose fids are not there, or not any more. */
void volume_give_back(struct volume *v, struct volume_handle *h);
uint64_t volume_word(const struct volume *v, const struct volume_handle *h);
uint32_t volume_fid(const struct volume *v, const struct volume_handle *h);
uint32_t volume_root_fid(const struct volume *v, const struct volume_handle *h);

#endif
