/* SPDX-License-Identifier: MIT */
/*
 * What the files of the service that know of calls share: the tree and who uses it.
 * directory.c and file.c hold the methods, contents.c makes memory of files, check.c compares large
 * ones with their checksums, service.c leads a call to its method.
 */
#ifndef FILES_FILES_H
#define FILES_FILES_H

#include <capos/schema/service_server.h>
#include <capos/server.h>

#include "handle.h"
#include "locking.h"
#include "path.h"
#include "session.h"
#include "watching.h"

/* What one reply carries; the rest of a message is its frame. */
#define READ_MAX 61440u

/* The volumes that the manifests name: "volume1" and so on. */
#define VOLUMES_MAX 8u

struct mount {
	const char *path;
	cap_t directory; /* the volume's root */
	struct inode *inode;
};

struct files {
	struct tree tree;
	struct handle_table handles;
	struct sessions sessions;
	uint32_t session;                 /* that the call being handled belongs to */
	cap_t boot;                       /* the archive's MemoryObject */
	cap_t code;                       /* CodeMaker */
	cap_t changes;                    /* the MemoryObject of tree.changes */
	struct mount mounts[VOLUMES_MAX]; /* by number - 1; without path: nothing */
	const uint8_t *archive;
	uint64_t archive_size;
};
extern struct files files;

/* What a Directory's methods work on. */
struct directory_object {
	struct path_from from;
	bool readable; /* it was opened to be listed */
};

extern const struct directory_ops directory_ops; /* of a struct directory_object */
/* One of them, in following.c. */
int directory_open_following(void *object, struct msg_call *call,
                             const struct directory_open_following_params *in,
                             struct directory_open_following_results *out);
extern const struct file_ops file_ops; /* of a struct handle */

/* ---- allowed.c: what the caller may do; Status ---- */
int allowed_access(const struct inode *inode, uint32_t wanted); /* ACCESS_*, or-ed */
int allowed_open(const struct inode *inode, uint32_t wanted);
int allowed_add(const struct inode *directory);
int allowed_remove(const struct place *place);
int allowed_move(const struct place *place, const struct inode *directory);
int allowed_link(const struct inode *inode);
int allowed_own(const struct inode *inode);
uint32_t allowed_mode(const struct inode *inode, uint32_t mode); /* that chmod may set */
int allowed_owner(const struct inode *inode, uint32_t user, uint32_t group);
int allowed_times(const struct inode *inode, bool now);

/* A File, or (root) a Directory, for the reply: Status, and the position.  The handle is in *out,
 * unless out is NULL. */
int give_handle(struct msg_call *call, struct inode *inode, struct inode *root, uint32_t flags,
                uint16_t *index, struct handle **out);
/* The directory in which it was opened. */
void give_home(struct handle *handle, struct inode *home, bool of_top);
/* The file's contents for the reply, as File.contents has them: Status, and the position. */
int give_contents(struct msg_call *call, struct handle *file, uint16_t *index);
/* The same of what File.memory has. */
int give_image(struct msg_call *call, struct handle *file, uint16_t *index);

/* What setting these times is for those who watch: a time alone is as if by use.  0: nothing. */
static inline uint32_t times_event(int64_t access_ns, int64_t modify_ns)
{
	if (access_ns != INT64_MIN)
		return modify_ns != INT64_MIN ? WATCH_ATTRIBUTES : WATCH_ACCESS;
	return modify_ns != INT64_MIN ? WATCH_MODIFY : 0;
}

/* Compares the file with its checksum.  MSG_DEFERRED: it is large, and the call is handled again
 * when that is done; else a Status. */
int check_file(struct msg_call *call, struct inode *file);
/* A piece of what check_file began.  How long the service may sleep then, as server_ops.idle. */
uint64_t check_some(struct server *server);

#endif
