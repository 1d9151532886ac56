/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the file client share: where paths start, the message buffer, devices.  Every
 * path is resolved by the files service; only the devices of /dev are known here, since they are
 * authority over nothing.
 */
#ifndef POSIX_FILES_H
#define POSIX_FILES_H

#include <fcntl.h>
#include <sys/stat.h>

#include <capos/cap.h>
#include <capos/schema/service.h>

#include "core/core.h"
#include "file/made.h"
#include "file/volume.h"

struct capos_call;
struct directory_path_results;

/* Bytes that one File.read or write carries (schema/service.capnp), with room for the message
 * around them. */
#define FILES_CHUNK 61440u
/* The one message buffer of the file calls: 64 KiB do not fit a thread's stack, and calls of the
 * files service are answered at once, so it is empty whenever a call waits. */
extern uint8_t files_message[CAPOS_MESSAGE_MAX];
#define FILES_CALL(...)                                                            \
	(files_settle_closed(), (struct capos_call){.buffer = files_message,       \
	                                            .size = sizeof(files_message), \
	                                            ##__VA_ARGS__})
/* Files that were closed and are not given back yet are, with the next entry of the kernel.  The
 * other also gives back those that were opened ahead: before the process sleeps, is copied or is
 * replaced. */
void files_settle_closed(void);
void files_settle(void);

#define PATH_BYTES 4096u /* of a path, the 0 included */
/* A path of the program: that it can be read and is not too long.  0, -EFAULT, -ENAMETOOLONG. */
int path_check(const char *path);
/* Prepares a call's path, which it checks: *base is the Directory to ask.  0 or -errno: no such
 * descriptor, not a directory, no "files" capability, empty path. */
int path_base(int directory_fd, const char **path, cap_t *base);
/* The same for a path that may start in a working directory that the files service does not know:
 * then *path is made[], from the root. */
int path_place(int directory_fd, const char **path, cap_t *base, char made[PATH_BYTES]);
bool path_is_made(int directory_fd, const char *path); /* it does start there */
cap_t path_root(void);
/* The root that the process was given, which the files service serves: for files that have no name.
 * The root of now may be in a volume. */
cap_t path_files(void);
cap_t path_cwd(void);
struct msg_text path_text(const char *path);
/* Most bytes that a file may be made long by this process (RLIMIT_FSIZE). */
void file_set_size_limit(uint64_t bytes);
/* Whether a regular file may get that size: 0, or -EFBIG and SIGXFSZ. */
int file_check_size(struct file *f, uint64_t size);

/* The path as what makes files knows it: from the root, also when it starts in a working directory
 * that is below /proc.  out: room for it. */
const char *path_of_made(int directory_fd, const char *path, char out[PATH_BYTES]);
/* Where a directory is, from its root.  0 or -errno; -ENOENT: it is nowhere any more. */
int path_of_directory(cap_t directory, struct directory_path_results *results,
                      struct capos_call *call);
/* The path from the root, not resolved; "" when the working directory has none or it is too
 * long. */
void path_absolute(const char *path, char out[PATH_BYTES]);
int path_stat(cap_t base, const char *path, bool follow, struct stat *st);
/* As fstatat has it, an empty path with AT_EMPTY_PATH included.  0 or -errno. */
int stat_at(int directory_fd, const char *path, int flags, struct stat *st);
/* Whether this process may do that (R_OK, W_OK, X_OK) with what has these attributes. */
bool stat_allows(const struct stat *st, unsigned mode);
unsigned path_umask(unsigned mode); /* mode without the bits that umask takes */

/* Opens a device of /dev: 0, -errno, or 1: path names none. */
int device_open(const char *path, int flags, struct file **out);
/* What /dev calls the device with that number; NULL: nothing. */
const char *device_name(dev_t number);
/* The same by Linux's number of a character device. */
int device_open_number(dev_t number, int flags, struct file **out);
/* A description that writes to the process's log.  0 or -ENOMEM. */
int device_open_log(int flags, struct file **out);
int device_stat(const char *path, struct stat *st); /* same results */
/* The same of a terminal's owner and mode; what is UINT32_MAX stays. */
int device_change(const char *path, uint32_t user, uint32_t group, uint32_t mode);
/* /dev/stdin, /dev/fd/N and the like: that descriptor, or -1. */
int device_descriptor(const char *path);
/* What is open there, unless that is a directory; NULL: nothing, or another path. */
struct file *device_description(const char *path);
/* Where a path goes on that leads through a link to a directory which this process has in /proc:
 * its descriptor's, "cwd" or "root".  NULL: it does not. */
const char *device_through_link(const char *path, cap_t *base);

/* Opens a path of the files service.  0 or -errno. */
int file_open_path(const char *path, int flags, struct file **out);
/* Replaces a path by what the symbolic links in its last place lead to. */
void path_follow(char path[PATH_BYTES]);
/* The path from the root without symbolic links, as far as the files service has it: to be freed
 * with posix_free; NULL: there is no memory, or it is too long. */
char *path_resolve(int directory_fd, const char *path);

/* Take over the capabilities when they succeed.  0 or -errno. */
/* Locks of regular files (lock.c): fcntl's commands; what a descriptor's end means for them; across
 * exec, whether the process has used record locks. */
long file_record_lock(struct file *f, int command, long argument);
void file_closing(struct file *f);
bool file_locks_used(void);
void file_locks_restore(void);

struct contents;
int file_open_regular(const struct contents *contents, int flags, struct file **out);
/* Another description of a regular file that is open, with an offset of its own and no more rights:
 * -EACCES.  1: it is no regular file. */
int file_open_again(const struct file *f, int flags, struct file **out);
/* Opens an end of a FIFO by its File and contents, which it takes over; waits for the other end as
 * POSIX wants.  0, -EINTR, -ENXIO or another -errno. */
int fifo_open(cap_t file, cap_t memory, int flags, struct file **out);
int file_open_directory(cap_t object, int flags, struct file **out);
/* The name of a socket: made, and opened as FIFOs are: its File and its contents.  0 or -errno,
 * -ECONNREFUSED: it is no socket. */
int file_make_socket(const char *path);
int file_open_socket(const char *path, cap_t *file, cap_t *memory);
/* The File of a regular file; CAP_NULL: it is none. */
cap_t file_object(const struct file *f);
/* Draws a key for File.offer, and offers the file with it, so that a Directory's service knows
 * which is meant.  0 or -errno. */
int file_offer_for(cap_t file, uint64_t *key);
/* From now on the description may have a lock. */
void file_note_lock(struct file *f);
/* The Directory behind a descriptor's description; CAP_NULL: it is no directory. */
cap_t file_directory(const struct file *f);

/* Root, working directory and umask across exec. */
#define PATH_MADE_BYTES 64u
struct path_saved {
	cap_t root;                 /* that chroot took; CAP_NULL: the one given */
	cap_t directory;            /* working directory; CAP_NULL: the root */
	uint64_t mask;              /* umask */
	char made[PATH_MADE_BYTES]; /* the working directory's path when it is below /proc */
};
void path_state(struct path_saved *out);
void path_restore(const struct path_saved *in);

/* After exec: 0 or -errno. */
int device_restore(const struct carried *in, struct file **out);
int file_restore_regular(const struct carried *in, struct file **out);
int pipe_restore(const struct carried *in, struct file **out);
int mqueue_restore(const struct carried *in, struct file **out);
int mqueue_restore_notice(const struct carried *in, struct file **out);
int inotify_restore(const struct carried *in, struct file **out);

void stat_from(const struct file_stat *in, struct stat *st);

#define FILES_DEVICE    1u  /* st_dev of files */
#define VOLUME_DEVICES  16u /* plus its number: of a volume's */
#define FILES_BLOCKSIZE 4096

#endif
