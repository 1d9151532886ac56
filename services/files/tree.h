/* SPDX-License-Identifier: MIT */
/*
 * Inodes and the directories that name them.  An inode lives while it has a name or is held (an
 * open file, a directory with it as parent); every directory but the tree's top has exactly one
 * name until it is removed.
 */
#ifndef FILES_TREE_H
#define FILES_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/schema/service.h>
#include <capos/schema/status.h>

#include "access.h"
#include "data.h"
#include "locks.h"
#include "watch.h"

#define TREE_NAME_MAX 255u  /* POSIX NAME_MAX, as the schema says */
#define TREE_PATH_MAX 4095u /* without the final NUL */
/* Chains of names; directories of an image have some hundred entries, and a chain of ten costs no
 * more than a call. */
#define TREE_BUCKETS 4096u
/* Keeps `links` and the counters in their types whatever the machine's memory; some 200 bytes
 * each. */
#define TREE_INODES_MAX (1u << 22)

struct inode;

struct name {
	struct name *hash_next;
	struct name *next, *previous; /* of the same directory, by position */
	struct inode *parent;         /* the directory */
	struct inode *inode;          /* what is named */
	uint64_t position;            /* grows along the list, never used twice in a directory */
	uint8_t length;
	char text[]; /* no final NUL */
};

struct directory {
	struct name *first, *last;
	uint64_t next_position;
	struct inode *parent; /* held; the top's is itself and not held */
	struct name *name;    /* its own in parent; NULL: top, or removed */
	bool elsewhere;       /* what has no name here may have one with the client: /proc */
	uint32_t volume;      /* what is mounted here, as MountedVolume.number; 0: nothing */
};

struct symlink {
	char *target; /* no final NUL */
	uint16_t length;
};

struct inode {
	uint64_t number;
	uint16_t type; /* enum file_type */
	uint16_t mode; /* permission bits */
	uint32_t links;
	uint32_t held;
	uint32_t user, group;
	int64_t access_ns, modify_ns, change_ns; /* Unix time */
	struct lock_list *locks;                 /* NULL: none, and nobody waits */
	struct watch *watches;                   /* watch.h */
	bool nameless;                           /* it has no name and may still get one */
	uint8_t last_length;
	char *last; /* its last name, no final NUL, if it was held when that went; or NULL */
	uint32_t stored_by; /* a user who may store without the service; 0: none, or user 0 */
	union {
		struct data data;
		struct directory directory;
		struct symlink symlink;
		uint64_t device; /* the number of a character or block device */
	};
};

static inline struct permissions inode_permissions(const struct inode *inode)
{
	return (struct permissions){inode->type, inode->mode, inode->user, inode->group};
}

static inline bool inode_is_device(const struct inode *inode)
{
	return inode->type == FILE_TYPE_CHARACTER_DEVICE || inode->type == FILE_TYPE_BLOCK_DEVICE;
}

/* A volume is mounted there: paths go on in that. */
static inline bool inode_is_mount(const struct inode *inode)
{
	return inode->type == FILE_TYPE_DIRECTORY && inode->directory.volume;
}

/* Its contents are the business of those who have it open, and stay as long as they are: no store
 * of theirs to its pages ever fails because another has cut it. */
static inline bool inode_is_shared(const struct inode *inode)
{
	return inode->type == FILE_TYPE_FIFO || inode->type == FILE_TYPE_SOCKET ||
	       inode->type == FILE_TYPE_QUEUE;
}

static inline bool inode_has_data(const struct inode *inode)
{
	return inode->type == FILE_TYPE_REGULAR || inode_is_shared(inode);
}

struct tree {
	struct slab *slab; /* what is made now is drawn from it, and from its page source */
	struct inode *top;
	struct locks locks;
	struct watchers watchers;
	uint64_t inodes;
	uint64_t next_number;
	int64_t now_ns; /* set by the caller before each operation */
	/* CHANGES_COUNTERS that clients see; NULL: nothing is to be remembered. */
	uint64_t *changes;
	struct who who; /* as well: whose operation it is, and whose what it makes will be */
	struct name *buckets[TREE_BUCKETS];
};

/* Status; noSpace.  The slab is the caller's; tree->slab may be set to another one before any
 * operation. */
int tree_init(struct tree *tree, struct slab *slab, int64_t now_ns);
/* Gives everything back; nothing may be held. */
void tree_free(struct tree *tree);

void inode_hold(struct inode *inode);
void inode_drop(struct tree *tree, struct inode *inode);
/* Takes note of what clients stored by themselves. */
void inode_refresh(struct inode *inode);
void inode_stat(struct inode *inode, struct file_stat *out);
/* What clients were told of the inode may not be so any more. */
void inode_changed(struct tree *tree, const struct inode *inode);
/* Its counter, and what that says now: 0 when there are none. */
uint64_t inode_version(const struct tree *tree, const struct inode *inode, uint16_t *counter);
/* Says in what inode_stat gave, with nothing changed since, how long it is so. */
void inode_remember(const struct tree *tree, const struct inode *inode, struct file_stat *out);
/* INT64_MIN leaves a time as it is. */
void inode_set_times(struct tree *tree, struct inode *inode, int64_t access_ns, int64_t modify_ns);
void inode_set_mode(struct tree *tree, struct inode *inode, uint32_t mode);
/* KEEP_OWNER leaves one as it is. */
void inode_set_owner(struct tree *tree, struct inode *inode, uint32_t user, uint32_t group);

/* The entry of that name, or NULL.  "." and ".." are path.c's business. */
struct name *tree_lookup(struct tree *tree, struct inode *directory, const char *text,
                         uint32_t length);
/* First entry behind position, or NULL. */
struct name *tree_next(struct inode *directory, uint64_t position);

/* All of these: Status; text is a single component that does not exist in directory yet. */
int tree_make_file(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                   uint32_t mode, struct inode **out);
/* A FIFO: its data is what those who open it share, FIFO_BYTES while one has it open. */
int tree_make_node(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                   uint16_t type, uint32_t mode, uint64_t device);
int tree_make_fifo(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                   uint32_t mode);
/* A queue of that many bytes, of which the head is given; they stay so many. */
int tree_make_queue(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                    uint32_t mode, uint64_t size, const void *head, uint32_t head_length);
/* Gives a FIFO its data when nobody has had it open before. */
int tree_open_fifo(struct tree *tree, struct inode *fifo);
/* One without a name, made for that directory, which lives while it is held; the caller holds it.
 * for_good: tree_link gives it none. */
int tree_make_anonymous(struct tree *tree, const struct inode *directory, uint32_t mode,
                        bool for_good, struct inode **out);
int tree_make_directory(struct tree *tree, struct inode *directory, const char *text,
                        uint32_t length, uint32_t mode, struct inode **out);
int tree_make_symlink(struct tree *tree, struct inode *directory, const char *text, uint32_t length,
                      const char *target, uint32_t target_length, struct inode **out);
int tree_link(struct tree *tree, struct inode *inode, struct inode *directory, const char *text,
              uint32_t length);

int tree_remove(struct tree *tree, struct name *name, bool directory);
/* Makes `name` the entry text of directory, in place of what has that name; existing: that entry,
 * or NULL. */
int tree_rename(struct tree *tree, struct name *name, struct inode *directory, const char *text,
                uint32_t length, struct name *existing);
/* Each name leads to what the other did; their types may differ.
 * invalidArgument: one is below the other. */
int tree_exchange(struct tree *tree, struct name *one, struct name *other);

/* Contents of regular files; times included. */
uint32_t tree_read(struct tree *tree, struct inode *file, uint64_t offset, void *buffer,
                   uint32_t length);
int tree_write(struct tree *tree, struct inode *file, bool append, uint64_t offset,
               const void *buffer, uint32_t length, uint32_t *done);
int tree_truncate(struct tree *tree, struct inode *file, uint64_t size);
int tree_allocate(struct tree *tree, struct inode *file, uint64_t offset, uint64_t length,
                  bool keep_size, bool punch);
/* Before bytes of the archive are used for the first time: ioError when they are not what the
 * archive's checksum says.  A piece of a large file is looked at at a time: *more, and it is to be
 * called again. */
int tree_check(struct inode *file, bool *more);

#endif
