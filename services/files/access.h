/* SPDX-License-Identifier: MIT */
/*
 * Who may do what with a file, by POSIX's rules of owner, group and others: user 0 may do
 * everything, and a class that has no right is not helped by another's.
 */
#ifndef FILES_ACCESS_H
#define FILES_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

/* What decides about a file. */
struct permissions {
	uint16_t type; /* enum file_type */
	uint32_t mode, user, group;
};

/* The process whose call is being handled. */
struct who {
	uint32_t user, group;
	/* Of a supplementary group; asked for only when that decides.  NULL: it has none. */
	bool (*in_group)(const struct who *who, uint32_t group);
	uint64_t call_id;
};

/* Permission bits of one class. */
#define ACCESS_EXECUTE 1u /* of a directory: to look up a name in it */
#define ACCESS_WRITE   2u
#define ACCESS_READ    4u

bool access_in_group(const struct who *who, uint32_t group);
bool access_owns(const struct who *who, const struct permissions *file);
/* Status: accessDenied. */
int access_check(const struct who *who, const struct permissions *file, uint32_t wanted);
/* What opening needs that is to be allowed this: who has a socket open may send to it, whatever it
 * was opened for, and nobody reads it as a file. */
int access_check_open(const struct who *who, const struct permissions *file, uint32_t wanted);
/* Whether a name of the directory may be made. */
int access_check_add(const struct who *who, const struct permissions *directory);
/* Whether the directory's name of that file may go, or may be moved to another directory (same: it
 * is not another).  Status: accessDenied; notPermitted: the directory is sticky, and neither is the
 * caller's. */
int access_check_remove(const struct who *who, const struct permissions *directory,
                        const struct permissions *file);
int access_check_move(const struct who *who, const struct permissions *from,
                      const struct permissions *to, bool same, const struct permissions *file);
/* Whether it may get another name.  Status: notPermitted: others' file, which the caller could not
 * have made itself (as Linux with fs.protected_hardlinks). */
int access_check_link(const struct who *who, const struct permissions *file);
/* Whether its times may be set; now: to the present, which who may write it does as well.  Status:
 * notPermitted, accessDenied (now). */
int access_check_times(const struct who *who, const struct permissions *file, bool now);
/* What the caller's chmod makes of a mode: no set-group-ID bit of a group that it is not in. */
uint32_t access_mode(const struct who *who, const struct permissions *file, uint32_t mode);
/* The same of what it makes in that directory, which is no directory itself. */
uint32_t access_mode_made(const struct who *who, const struct permissions *directory,
                          uint32_t mode);
/* The file's mode when it was given to an owner, and when the caller has changed its contents: the
 * set-ID bits were for another owner, or other contents. */
uint32_t access_mode_owned(const struct who *who, const struct permissions *file);
uint32_t access_mode_written(const struct who *who, const struct permissions *file);
/* Whether the caller may make it theirs; KEEP_OWNER as in the schema.  Status: notPermitted. */
int access_check_owner(const struct who *who, const struct permissions *file, uint32_t user,
                       uint32_t group);

#endif
