/* SPDX-License-Identifier: MIT */
/*
 * A volume: a directory of the host as clients of Directory and File see it, and what they have
 * open.  Whatever a path says, what is reached is in the volume, and below the root of the
 * Directory that it started from.
 *
 * Pure: what it asks goes through struct p9.  Functions answer a Status, `elsewhere` where a path
 * leads out of the volume.
 */
#ifndef VIRTIO_9P_VOLUME_H
#define VIRTIO_9P_VOLUME_H

#include <capos/schema/service.h>
#include <capos/schema/status.h>

#include "drivers/virtio-9p/p9.h"
#include "drivers/virtio-9p/walk.h"
#include "services/files/access.h"
#include "services/files/locks.h"
#include "services/files/watch.h"

/* For all clients together; each open file is one of QEMU's descriptors, too. */
#define VOLUME_HANDLES 1024u
#define VOLUME_LIST    1500u  /* entries of one list reply */
#define VOLUME_LISTING 32768u /* bytes of entries, as the protocol has them, asked for at once */
#define VOLUME_WATCHED 512u   /* files and directories that are watched */
#define VOLUME_NODES   128u   /* FIFOs and sockets for which regular files stand */
#define VOLUME_SUMS    32768u /* pages of shared files that are known as the host has them */
#define VOLUME_SHARES  64u    /* files with shared memory, as schema/service.capnp has it */

struct volume_handle {
	uint32_t generation;
	uint32_t next_free; /* index + 1 */
	bool used, directory, opened;
	bool contained;         /* directories: a root that is all its holder has, or below one */
	uint32_t fid, root_fid; /* root_fid: if contained */
	uint32_t flags;         /* OPEN_READ, OPEN_WRITE */
	uint32_t locks;         /* index + 1 in file_locks; 0: it was not used to lock */
	uint32_t share;         /* index + 1 in shares; 0: it has not asked for the shared memory */
	struct p9_qid qid, root_qid;
	/* Files: as it was when last asked.  The host forgets a file's attributes with its last
	 * name; then these are told. */
	struct file_stat stat;
	/* The last name was taken away here: what is told of the file is kept here from then on,
	 * the same in all its handles.  stored: bytes that the host has, perhaps more than the
	 * size. */
	bool nameless;
	uint64_t stored;
	/* unnamed.c: the host has it under a name that nobody here sees, in the directory `home`;
	 * until it is given one. */
	bool unnamed;
	uint32_t home, hidden;
	uint64_t home_path;
	uint64_t offered; /* the key of File.offer; 0: none */
	bool dirty;       /* written since it was last on the host's disk */
	/* For those who watch: the flags of an opening that they were told of, the name that it was
	 * by, and in which directory (none of a directory: length 0); the name, or the last one,
	 * was taken away. */
	uint8_t told;
	bool gone, removed;
	uint8_t entry_length;
	char entry[P9_NAME_MAX];
	uint64_t above;
	uint32_t list; /* directories: the fid that is open for lists, + 1; 0: none */
};

/* What a volume does with a client's MemoryObject; Statuses. */
struct volume_memory {
	int (*load)(uint64_t memory, uint64_t offset, void *to, uint32_t length, uint32_t *loaded);
	int (*store)(uint64_t memory, uint64_t offset, const void *from, uint32_t length);
	int (*resize)(uint64_t memory, uint64_t size);
	/* Whether it has that size and nobody can change it. */
	bool (*is_fixed)(uint64_t memory, uint64_t size);
	void (*release)(uint64_t memory);
};

struct volume_share {
	uint64_t path;  /* the file's, as its qid has it */
	bool nameless;  /* another file may have that number meanwhile */
	bool buffer;    /* of a FIFO or a socket, else the bytes of a regular file */
	uint32_t users; /* handles that asked for it; 0: free */
	uint64_t memory, size;
	/* sums.c: of the first `summed` pages, from v->sums[first_sum] on. */
	uint32_t first_sum, summed;
};

struct volume_watched {
	uint64_t path;
	struct watch *watches; /* NULL: free */
};

struct volume_node {
	uint64_t path; /* the file's, as its qid has it */
	uint16_t type;
};

/* What is left of the entries that the host gave last. */
struct volume_listing {
	uint64_t word, position; /* of the handle; where the first of them is */
	uint32_t at, left;
	uint8_t bytes[VOLUME_LISTING];
};

struct volume_file_locks {
	uint64_t path;  /* the file's, as its qid has it */
	uint32_t users; /* handles that refer to it; 0: free */
	struct lock_list *list;
};

struct volume {
	struct p9 p9;
	const struct volume_memory *memory;
	uint32_t number;        /* as MountedVolume.number */
	const char *mounted_at; /* as MountedVolume.path */
	struct volume_handle handles[VOLUME_HANDLES];
	uint32_t used, first_free; /* first_free: index + 1 */
	struct p9_qid root;
	struct who who;             /* set by the caller before each operation: whose it is */
	struct permissions made_in; /* the directory in which it may make a name */
	struct locks locks;
	struct slab lock_slab, *slab; /* slab: &lock_slab */
	struct volume_file_locks file_locks[VOLUME_HANDLES];
	struct volume_share shares[VOLUME_SHARES];
	uint32_t shares_used;
	uint64_t sums[VOLUME_SUMS];
	struct watchers watchers;
	struct slab watch_slab;
	struct volume_watched watched[VOLUME_WATCHED];
	uint32_t last_cookie;
	struct volume_node nodes[VOLUME_NODES];
	uint32_t nodes_used;
	uint32_t unnamed, next_hidden; /* files without a name; where their numbers go on */
	struct walk walk, second;
	struct volume_listing listing;
	struct places places;
	struct p9_qid got;  /* of what attributes were asked of last */
	struct trail trail; /* now: set by the caller, if it wants it */
	char path[P9_TEXT_MAX + 1];
	struct directory_entry entries[VOLUME_LIST];
};

/* Where a client's path starts: its Directory. */
struct volume_from {
	const struct volume_handle *handle; /* NULL: the volume's root */
	struct walk_from walk;
};

/* p9, memory, number and mounted_at are set; the rest is zero. */
int volume_start(struct volume *v);

/* NULL: no such handle. */
struct volume_handle *volume_find(struct volume *v, uint64_t word);
void volume_close(struct volume *v, uint64_t word);
struct volume_from volume_root(const struct volume *v);
struct volume_from volume_from(const struct volume *v, const struct volume_handle *directory);

/* ---- Directory: as schema/service.capnp has the methods ---- */

int volume_open(struct volume *v, struct volume_from from, struct msg_text path, uint32_t flags,
                uint32_t mode, uint64_t *word, struct file_stat *stat);
int volume_subdirectory(struct volume *v, struct volume_from from, struct msg_text path,
                        uint64_t *word);
int volume_stat(struct volume *v, struct volume_from from, struct msg_text path, bool follow,
                struct file_stat *out);
/* Entries from position on into v->entries, at most `words` words of a message. */
int volume_list(struct volume *v, struct volume_from from, uint64_t position, uint32_t words,
                uint32_t *count, uint64_t *next);
/* Of a FIFO or a socket: notPermitted for anything else. */
int volume_make_node(struct volume *v, struct volume_from from, struct msg_text path, uint16_t type,
                     uint32_t mode);
int volume_make_directory(struct volume *v, struct volume_from from, struct msg_text path,
                          uint32_t mode);
int volume_remove(struct volume *v, struct volume_from from, struct msg_text path, bool directory);
int volume_rename(struct volume *v, struct volume_from from, struct msg_text old,
                  struct msg_text new, uint32_t flags);
int volume_link(struct volume *v, struct volume_from from, struct msg_text old,
                struct msg_text new);
/* Of the file that was offered with that key. */
int volume_link_file(struct volume *v, struct volume_from from, uint64_t key, struct msg_text path);
/* The Watcher with that key, or a new one without an event. */
int volume_make_watcher(struct volume *v, uint64_t key, struct watcher **out);
int volume_watch(struct volume *v, struct volume_from from, const struct directory_watch_params *in,
                 uint32_t *number);
/* What is open and was written goes to the host's disk. */
int volume_sync_all(struct volume *v);
int volume_symlink(struct volume *v, struct volume_from from, struct msg_text target,
                   struct msg_text path);
/* *target: until the next request. */
int volume_read_link(struct volume *v, struct volume_from from, struct msg_text path,
                     struct msg_text *target);
int volume_change(struct volume *v, struct volume_from from, struct msg_text path, bool follow,
                  const struct p9_change *wanted);
int volume_space(struct volume *v, struct p9_space *out);
/* *path: in v->path. */
int volume_path(struct volume *v, struct volume_from from, struct msg_text *path);
/* *end: an enum follow_end; *on: where it goes on. */
int volume_follow(struct volume *v, struct volume_from from, struct msg_text path, bool follow,
                  uint16_t *end, struct msg_text *on);

/* ---- File ---- */

int volume_read(struct volume *v, struct volume_handle *file, uint64_t offset, uint32_t length,
                const uint8_t **data, uint32_t *got);
/* *size: of the file then, as far as it is known. */
int volume_write(struct volume *v, struct volume_handle *file, bool append, uint64_t offset,
                 const void *data, uint32_t length, uint32_t *written, uint64_t *size);
int volume_file_stat(struct volume *v, struct volume_handle *file, struct file_stat *out);
int volume_file_change(struct volume *v, struct volume_handle *file,
                       const struct p9_change *wanted);
/* The file's locks, for as long as the handle is open. */
struct lock_list **volume_locks(struct volume *v, struct volume_handle *file);
int volume_sync(struct volume *v, struct volume_handle *file, bool data_only);
/* *memory: what the client sent, which is taken over (0: nothing), then the memory that all share,
 * which stays the volume's; *write: the client may write there. */
int volume_share(struct volume *v, struct volume_handle *file, uint64_t *memory, bool *write);
int volume_write_back(struct volume *v, struct volume_handle *file, uint64_t offset,
                      uint64_t length);
int volume_allocate(struct volume *v, struct volume_handle *file, uint64_t offset, uint64_t length,
                    bool keep_size);

#endif
