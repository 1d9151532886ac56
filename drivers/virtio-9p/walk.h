/* SPDX-License-Identifier: MIT */
/*
 * From a path to a file of the volume.  Symbolic links are followed here, name by name, never by
 * the server; a path that leads out of the volume is not followed further: it is said where it
 * leads.
 */
#ifndef VIRTIO_9P_WALK_H
#define VIRTIO_9P_WALK_H

#include "drivers/virtio-9p/p9.h"
#include "drivers/virtio-9p/places.h"
#include "drivers/virtio-9p/trail.h"
#include "services/files/access.h"

#define WALK_SYMLINKS_MAX 40u /* followed in one walk, as on Linux */
/* Names gone by in one walk.  A path has half as many at most; the targets of forty symlinks could
 * have 80,000, each of which costs the host as much as there are directories above it, while every
 * other client waits. */
#define WALK_NAMES_MAX 4096u

/* Fids that a walk holds at a time; each is the walk's until walk_finish, or walk_keep. */
enum walk_fid { WALK_FIDS_MAX = 6 };

struct walk_from {
	uint32_t root; /* where ".." stops, if contained */
	struct p9_qid root_qid;
	uint32_t start; /* where relative paths start */
	struct p9_qid start_qid;
	/* The root is all that its holder was given: absolute paths start there.  Else it is the
	 * volume's, and they lead out. */
	bool contained;
	uint64_t word; /* the handle's whose paths these are; 0: the volume's root */
};

/* What of the trail a walk may take for the end of its path: nothing; what the caller will ask
 * whether it is the same (walk_is_same); what was seen just now. */
enum walk_trust { TRUST_NONE, TRUST_CHECKED, TRUST_FRESH };

/* What becomes of a symlink at the path's end: as enum path_end of services/files/path.h.  NEW: as
 * NAME, but whether there is anything of that name is not asked, unless the path ends in a slash:
 * fid is P9_NO_FID, and who makes it hears of it. */
enum walk_end { WALK_END_LINK, WALK_END_FOLLOW, WALK_END_NAME, WALK_END_NEW };

struct walk {
	/* Set by the caller. */
	struct p9 *p;
	const char *mounted_at; /* the volume's place in the tree of files, from its root */
	const struct who *who;  /* whose walk it is */
	uint32_t first_fid;     /* of those that it may take */
	struct places *places;  /* takes note of the directories that it goes by */
	struct trail *trail;
	enum walk_trust trust; /* of the next walk alone */
	/* Results. */
	uint32_t fid; /* what is there; P9_NO_FID: nothing, but it could be made in parent */
	struct p9_qid qid;
	/* The directory that `name` is looked up in; P9_NO_FID: the path names no entry ("/", ".",
	 * ".."), and fid is a directory. */
	uint32_t parent;
	struct p9_qid parent_qid;
	struct p9_text name;
	bool slash; /* the path ended in one */
	/* The last name that it went by, and the directory that has it; length 0: not known. */
	struct p9_qid above;
	struct p9_text entry;
	bool by_trail;     /* fid is from the trail, and what is there may be another */
	bool dir_by_trail; /* a directory on the way is */
	/* After WALK_LEAVES: the path from the root of the tree of files. */
	char leaves[P9_TEXT_MAX + 1];
	uint32_t leaves_length;
	/* Private. */
	const struct walk_from *from;
	enum walk_end end;
	bool want_parent;
	bool below_root; /* `at` is known to be from's root, or below it */
	uint32_t symlinks, side, left, gone;
	const char *rest;
	uint32_t at;
	struct p9_qid at_qid;
	/* The directory that the last name was looked up in, and its length in the path; how much
	 * of the path the trail may be left for (0: nothing). */
	uint32_t dir, dir_length, plain;
	bool known; /* stat: what fid was when it was asked, not long ago */
	struct file_stat stat;
	uint64_t seen; /* as in struct trail_step, of fid */
	struct p9_qid dir_qid, dir_above;
	uint32_t held[WALK_FIDS_MAX]; /* the walk's own, + 1; 0: none */
	char text[2][P9_TEXT_MAX + 1];
};

#define WALK_LEAVES 1 /* the path leads out of the volume: see leaves */

/* 0, WALK_LEAVES, or a negative error number.  parent: parent and name are wanted, else the walk
 * may do without them.  Every walk is followed by walk_finish, whatever its result. */
int walk_path(struct walk *w, const struct walk_from *from, const char *path, uint32_t length,
              enum walk_end end, bool parent);
/* To the directory with this number, below from's root, by the names that are remembered; fid is
 * the directory then.  -P9_ENOENT: they are not known, or lead to something else by now.
 * walk_finish follows. */
int walk_remembered(struct walk *w, const struct walk_from *from, uint64_t path);
/* What the walk's fid (or parent) leads to, as a fid of the caller's: the walk's own, which it has
 * no more, or a copy. */
int walk_keep(struct walk *w, uint32_t *fid);
int walk_keep_parent(struct walk *w, uint32_t *fid);
/* allowed.c: whether the directory that the walk is at may be searched: 0 or a negative error
 * number. */
int walk_check_search(const struct walk *w);
/* Gives back the walk's fids. */
void walk_finish(struct walk *w);
/* The same, and nothing is left on the trail: what was found is not what is there. */
void walk_discard(struct walk *w);
/* Whether these attributes are of what the walk found, as far as it is not known otherwise. */
bool walk_is_same(const struct walk *w, uint64_t path, bool directory, bool symlink);

#endif
