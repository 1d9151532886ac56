/* SPDX-License-Identifier: MIT */
/*
 * What the two parts of a volume share: volume.c has the handles, volume_names.c what goes by
 * paths.  A fid is of one handle, of one walk, or the root's.
 */
#ifndef VIRTIO_9P_VOLUME_INSIDE_H
#define VIRTIO_9P_VOLUME_INSIDE_H

#include "drivers/virtio-9p/volume.h"

#define FID_ROOT   0u
#define FID_LIST   1u /* of a directory that is read */
#define FID_ABOVE  2u /* two, by turns, of a directory whose path is made */
#define FID_OTHERS 4u /* of walks and handles */

void volume_locks_start(struct volume *v);
/* The handle with this word is closed. */
void volume_locks_close(struct volume *v, struct volume_handle *file, uint64_t word);

/* The regular file's bytes that are shared; NULL: they are the host's alone. */
struct volume_share *volume_shared(struct volume *v, const struct volume_handle *file);
/* Makes them longer, if need be; what is in front of `written` may have come to be at the host. */
int volume_share_extend(struct volume *v, const struct volume_handle *file, struct volume_share *s,
                        uint64_t written, uint64_t end);
int volume_share_cut(struct volume *v, struct volume_share *s, uint64_t size);
/* sums.c: what a page of the memory was when the host had the same bytes, so that what a program
 * stored there since is told from what the host changed. */
/* Room for the sums of a new share's pages, as far as there is any. */
void sums_start(struct volume *v, struct volume_share *s);
/* Of the bytes of a page, behind which there are zeroes. */
uint64_t sum_of(const uint8_t *page, uint32_t length);
/* NULL: that page has none. */
uint64_t *sums_at(struct volume *v, const struct volume_share *s, uint64_t page);
/* The memory is as the host has it, and is no other program's yet. */
void sums_take(struct volume *v, const struct volume_share *s);
/* In front of a write, and when memory and host have its bytes. */
void sums_before_write(struct volume *v, const struct volume_share *s, uint64_t offset,
                       uint32_t length);
void sums_written(struct volume *v, const struct volume_share *s, uint64_t offset,
                  const uint8_t *data, uint32_t written);
/* In front of the memory's being cut as the host's file was. */
void sums_cut(struct volume *v, const struct volume_share *s, uint64_t size);

void volume_shares_nameless(struct volume *v, uint64_t path);
void volume_shares_close(struct volume *v, struct volume_handle *file);

/* In front of the removal of a name of the file that fid is: what is known of it is asked once
 * more, for those who have it open; then, and when it was removed. */
struct volume_removal {
	bool open; /* by a handle */
	uint64_t path;
	struct file_stat stat;
};
void volume_removing(struct volume *v, uint32_t fid, struct p9_qid qid, struct volume_removal *r);
void volume_removed(struct volume *v, const struct volume_removal *r);
/* Of a handle without a name: changes what is told of the file. */
int volume_change_nameless(struct volume *v, struct volume_handle *file,
                           const struct p9_change *change);
/* Makes room for bytes from offset on: what was there before and was cut off reads as zeroes. */
int volume_write_nameless(struct volume *v, struct volume_handle *file, uint64_t offset);
/* Notes that the file is so long, at least. */
void volume_wrote_nameless(struct volume *v, struct volume_handle *file, uint64_t end);

/* ---- unnamed.c ---- */
/* Makes a file without a name in the directory that the walk found, as the handle's.  As p9_*. */
int unnamed_make(struct volume *v, struct volume_handle *h, uint32_t flags, uint32_t mode);
/* Gives it this name, which must not be there. */
int unnamed_link(struct volume *v, struct volume_handle *h, uint32_t directory,
                 struct p9_text name);
/* Its handle is closed. */
void unnamed_close(struct volume *v, struct volume_handle *h);
/* Those that were made in this directory, which is to go, are never named any more.  Whether there
 * were any. */
bool unnamed_leave(struct volume *v, uint64_t directory);
bool unnamed_hides(const struct volume *v, const struct p9_entry *e);
/* Both are there.  As p9_*. */
int names_exchange(struct volume *v, const struct walk *a, const struct walk *b);

/* ---- nodes.c ---- */
/* Makes a file that stands for a FIFO or a socket.  As p9_*. */
int node_stand_in(struct volume *v, uint32_t directory, struct p9_text name, uint16_t type,
                  uint32_t mode);
/* The type of what the host says to be of that type. */
uint16_t node_type(struct volume *v, uint64_t path, uint16_t type);
void node_forget(struct volume *v, uint64_t path);

/* ---- watched.c ---- */
void watched_start(struct volume *v);
/* What happened to what is open; to what a walk found, and to the name that it found it by. */
void watched_open(struct volume *v, uint32_t event, const struct volume_handle *h);
void watched_found(struct volume *v, uint32_t event, const struct walk *w);
/* The walk's name was made; it was made for a file that was there. */
void watched_made(struct volume *v, const struct walk *w, bool directory);
void watched_linked(struct volume *v, struct p9_qid qid, const struct walk *to);
uint32_t watched_change(const struct p9_change *change); /* the event; 0: none */
/* The handle was opened by that name. */
void watched_name(struct volume_handle *h, uint64_t directory, struct p9_text name);
/* What a name leads to that is removed or replaced: asked in front of that, told after. */
struct watched_fate {
	struct p9_qid qid;
	bool open, last; /* by a handle; it has no other name */
};
void watched_before(struct volume *v, uint32_t fid, struct p9_qid qid, struct watched_fate *fate);
void watched_removed(struct volume *v, const struct walk *w, const struct watched_fate *fate);
/* In this order. */
void watched_replaced(struct volume *v, const struct walk *to, const struct watched_fate *fate);
void watched_moved(struct volume *v, const struct walk *from, const struct walk *to);
void watched_moved_self(struct volume *v, struct p9_qid qid);
void watched_gone(struct volume *v, const struct watched_fate *fate);
void watched_close(struct volume *v, const struct volume_handle *h);

/* A fid of its own for what `fid` is. */
int volume_copy_fid(struct volume *v, uint32_t fid, uint32_t *out);
/* Walks to a name that is to be made.  A slash behind it will do for a directory. */
int walk_new(struct volume *v, struct walk *w, const struct volume_from *from, struct msg_text path,
             bool directory);

/* ---- allowed.c: 0 or a negative error number ---- */
int allowed_access(struct volume *v, uint32_t fid, uint32_t wanted); /* ACCESS_*, or-ed */
int allowed_open(struct volume *v, uint32_t fid, uint32_t wanted);
/* The type in a mode, as all Unix systems number them. */
uint16_t volume_type_of(uint32_t mode);
int allowed_add(struct volume *v, uint32_t directory);
int allowed_remove(struct volume *v, uint32_t directory, uint32_t fid);
int allowed_move(struct volume *v, const struct walk *from, const struct walk *to);
int allowed_link(struct volume *v, uint32_t fid);
int allowed_change(struct volume *v, uint32_t fid, struct p9_change *change);
int allowed_change_open(struct volume *v, const struct volume_handle *file,
                        struct p9_change *change);
/* The mode of a file that is made where allowed_add was asked. */
uint32_t allowed_mode(const struct volume *v, uint32_t mode);
/* The caller has changed what the file holds, so that no set-ID bits are left. */
void take_set_ids(struct volume *v, struct volume_handle *file);
/* The file's mode is another. */
void mode_changed(struct volume *v, uint64_t path, uint32_t mode);
/* What was made is the caller's, if the host lets it be. */
void give_to_caller(struct volume *v, uint32_t fid, uint32_t mode);
void give_name_to_caller(struct volume *v, uint32_t directory, struct p9_text name);
/* A directory was made in this one, which allowed_add was asked about. */
void hand_on_group(struct volume *v, uint32_t directory, struct p9_text name, uint32_t mode);

/* Of what p9 and the walks answer. */
int volume_status(int result);
int volume_get(struct volume *v, uint32_t fid, struct file_stat *out); /* as p9_get */

/* A free handle, without fids; NULL: there is none. */
struct volume_handle *volume_take(struct volume *v);
/* One whose fids are given up. */
void volume_give_back(struct volume *v, struct volume_handle *h);
uint64_t volume_word(const struct volume *v, const struct volume_handle *h);

#endif
