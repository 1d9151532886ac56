/* SPDX-License-Identifier: MIT */
/*
 * A client of 9P2000.L: one request at a time, each answered before the next is made.  Everything
 * that the server answers is checked here: a reply is of the type, the tag and the length that were
 * asked for, or the call fails with -P9_EPROTO and nothing of it is used.
 *
 * Pure: requests go through a function of the caller's.  The protocol: the Plan 9 manual, section
 * 5, and the Linux kernel's 9P2000.L messages.
 *
 * Functions answer 0 or a negative error number: Linux's numbers, which the protocol has, and
 * which hosts that are no Linux translate to.
 */
#ifndef VIRTIO_9P_P9_H
#define VIRTIO_9P_P9_H

#include <stdbool.h>
#include <stdint.h>

#define P9_NAME_MAX 255u  /* of one name */
#define P9_TEXT_MAX 4095u /* of a symlink's target */
/* Bytes of the largest message: what one read or write of File carries, and a header. */
#define P9_MESSAGE_MAX 65536u
#define P9_DATA_MAX    61440u
#define P9_WALK_MAX    16u /* names of one walk */
#define P9_NO_FID      UINT32_MAX
#define P9_FIDS        4096u /* numbers of fids, from 0 */
#define P9_POSTS       16u   /* requests at most whose answers nobody waits for */
#define P9_POST_BYTES  64u   /* of the longest of them, and of its reply */

#define P9_QID_DIRECTORY 0x80u
#define P9_QID_SYMLINK   0x02u

/* Linux's error numbers, which the protocol has; those that are made or looked at here. */
enum p9_error {
	P9_EPERM = 1,
	P9_ENOENT = 2,
	P9_EIO = 5,
	P9_ENXIO = 6,
	P9_EAGAIN = 11,
	P9_ENOMEM = 12,
	P9_EACCES = 13,
	P9_EBUSY = 16,
	P9_EEXIST = 17,
	P9_EXDEV = 18,
	P9_ENOTDIR = 20,
	P9_EISDIR = 21,
	P9_EINVAL = 22,
	P9_ENFILE = 23,
	P9_EMFILE = 24,
	P9_ETXTBSY = 26,
	P9_EFBIG = 27,
	P9_ENOSPC = 28,
	P9_EROFS = 30,
	P9_EMLINK = 31,
	P9_ENAMETOOLONG = 36,
	P9_ENOTEMPTY = 39,
	P9_ELOOP = 40,
	P9_EPROTO = 71,
	P9_EOPNOTSUPP = 95,
	P9_EDQUOT = 122,
};

struct p9_qid {
	uint8_t type;
	uint32_t version; /* another when the file was changed, as a rule */
	uint64_t path;    /* the file's number, unique in the volume */
};

static inline bool p9_is_directory(struct p9_qid qid)
{
	return qid.type & P9_QID_DIRECTORY;
}

static inline bool p9_is_symlink(struct p9_qid qid)
{
	return qid.type & P9_QID_SYMLINK;
}

struct p9_text { /* no final NUL */
	const char *ptr;
	uint32_t len;
};

struct p9_attributes {
	struct p9_qid qid;
	uint32_t mode; /* with the type, as st_mode */
	uint32_t user, group;
	uint64_t links, device, size, blocks; /* blocks of 512 bytes */
	int64_t access_ns, modify_ns, change_ns;
};

/* What p9_set changes; bits of the protocol. */
#define P9_SET_MODE        0x001u
#define P9_SET_USER        0x002u
#define P9_SET_GROUP       0x004u
#define P9_SET_SIZE        0x008u
#define P9_SET_ACCESS      0x010u
#define P9_SET_MODIFY      0x020u
#define P9_SET_ACCESS_THAT 0x080u /* to the time given, not to now */
#define P9_SET_MODIFY_THAT 0x100u

struct p9_change {
	uint32_t what;
	uint32_t mode, user, group;
	uint64_t size;
	int64_t access_ns, modify_ns;
	/* Not for the host: they are the present, which who may write may set; the owner is
	 * given anew. */
	bool now, same_owner;
};

struct p9_space {
	uint32_t block_size;
	uint64_t blocks, free_blocks, files;
};

struct p9_entry { /* of a directory; its name points into the reply */
	struct p9_qid qid;
	uint64_t next; /* offset that goes on behind it */
	uint8_t type;  /* as d_type */
	struct p9_text name;
};

/* Flags of p9_open and p9_create. */
#define P9_OPEN_READ      0u
#define P9_OPEN_WRITE     1u
#define P9_OPEN_BOTH      2u
#define P9_OPEN_EXCLUSIVE 0200u
#define P9_OPEN_TRUNCATE  01000u
#define P9_OPEN_DIRECTORY 0200000u
#define P9_OPEN_NO_FOLLOW 0400000u

struct p9 {
	/* Sends the first `length` bytes of request and takes the answer into reply, of which
	 * *length are valid then: at most `room`, which the device is not to exceed.  0, or
	 * -P9_EIO. */
	int (*transact)(struct p9 *p, uint32_t length, uint32_t room, uint32_t *answered);
	/* Sends a request whose answer nobody looks at, and sets posted[slot] to 0 when that has
	 * come; NULL: such requests go by transact. */
	int (*post)(struct p9 *p, uint32_t slot, const uint8_t *message, uint32_t length);
	/* Waits for that. */
	void (*await_post)(struct p9 *p, uint32_t slot);
	void *context;
	uint8_t *request, *reply; /* P9_MESSAGE_MAX bytes each; reply is not shared */
	uint32_t message_max;     /* agreed with the server */
	/* Private. */
	uint32_t posted[P9_POSTS]; /* fids that are being given up, + 1; 0: a free slot */
	uint32_t next_post, next_fid;
	uint64_t fids[P9_FIDS / 64]; /* bits: those that are taken */
};

/* The number of a fid from `first` on that is not in use, which p9_clunk or p9_free_fid gives back;
 * P9_NO_FID: there is none. */
uint32_t p9_take_fid(struct p9 *p, uint32_t first);
/* Of one that does not exist at the server. */
void p9_free_fid(struct p9 *p, uint32_t fid);

/* Agrees on the protocol, and takes the volume's root as fid. */
int p9_start(struct p9 *p, uint32_t fid, struct p9_qid *root);

/* Walks from fid to the names, none of which is "." or holds a slash: as many as there are.
 * *walked: how many of them there were; when all, new_fid is there (count 0: a copy of fid).  qids:
 * of those walked.  An error is that of the first name. */
int p9_walk(struct p9 *p, uint32_t fid, uint32_t new_fid, const struct p9_text *names,
            uint32_t count, struct p9_qid *qids, uint32_t *walked);
/* The server gives it up sooner or later; until then no request may make it anew. */
void p9_clunk(struct p9 *p, uint32_t fid);

int p9_get(struct p9 *p, uint32_t fid, struct p9_attributes *out);
int p9_set(struct p9 *p, uint32_t fid, const struct p9_change *change);
int p9_space(struct p9 *p, uint32_t fid, struct p9_space *out);
int p9_sync(struct p9 *p, uint32_t fid, bool data_only);

/* qid: of what was opened; NULL: it is not wanted. */
int p9_open(struct p9 *p, uint32_t fid, uint32_t flags, struct p9_qid *qid);
/* Makes a file in the directory fid and opens it: fid is the file then. */
int p9_create(struct p9 *p, uint32_t fid, struct p9_text name, uint32_t flags, uint32_t mode,
              struct p9_qid *qid);
/* length: at most P9_DATA_MAX.  *data points into the reply. */
int p9_read(struct p9 *p, uint32_t fid, uint64_t offset, uint32_t length, const uint8_t **data,
            uint32_t *got);
int p9_write(struct p9 *p, uint32_t fid, uint64_t offset, const void *data, uint32_t length,
             uint32_t *put);

/* Entries of an open directory from offset on, at most `length` bytes of them; next_entry takes one
 * after the other: 1, 0 at the end, or -P9_EPROTO. */
struct p9_entries {
	const uint8_t *at;
	uint32_t left;
};
int p9_list(struct p9 *p, uint32_t fid, uint64_t offset, uint32_t length, struct p9_entries *out);
int p9_next_entry(struct p9_entries *entries, struct p9_entry *out);

int p9_make_directory(struct p9 *p, uint32_t fid, struct p9_text name, uint32_t mode);
/* mode: with the type, as st_mode; of no device. */
int p9_make_node(struct p9 *p, uint32_t fid, struct p9_text name, uint32_t mode);
int p9_make_symlink(struct p9 *p, uint32_t fid, struct p9_text name, struct p9_text target);
/* *target points into the reply. */
int p9_read_link(struct p9 *p, uint32_t fid, struct p9_text *target);
int p9_link(struct p9 *p, uint32_t directory, uint32_t fid, struct p9_text name);
int p9_rename(struct p9 *p, uint32_t from, struct p9_text old, uint32_t to, struct p9_text new);
int p9_remove(struct p9 *p, uint32_t directory, struct p9_text name, bool is_directory);

#endif
