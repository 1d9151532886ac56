/* SPDX-License-Identifier: MIT */
/*
 * The rules of access.h.  Nothing here changes anything.
 */
#include "access.h"

#include <capos/schema/service.h>
#include <capos/schema/status.h>

#define MODE_STICKY  01000u
#define MODE_SET_GID 02000u
#define MODE_SET_UID 04000u

bool access_in_group(const struct who *who, uint32_t group)
{
	return who->group == group || (who->in_group && who->in_group(who, group));
}

bool access_owns(const struct who *who, const struct permissions *file)
{
	return !who->user || who->user == file->user;
}

int access_check(const struct who *who, const struct permissions *file, uint32_t wanted)
{
	uint32_t mode = file->mode;

	if (!who->user)
		return STATUS_OK;
	if (who->user == file->user)
		mode >>= 6;
	else if ((mode >> 3 & 7) == (mode & 7))
		mode &= 7; /* which of the two it is makes no difference */
	else if (access_in_group(who, file->group))
		mode >>= 3;
	return wanted & ~mode & 7 ? STATUS_ACCESS_DENIED : STATUS_OK;
}

int access_check_open(const struct who *who, const struct permissions *file, uint32_t wanted)
{
	if (file->type == FILE_TYPE_SOCKET && wanted)
		wanted = ACCESS_WRITE;
	return access_check(who, file, wanted);
}

int access_check_add(const struct who *who, const struct permissions *directory)
{
	return access_check(who, directory, ACCESS_WRITE | ACCESS_EXECUTE);
}

int access_check_remove(const struct who *who, const struct permissions *directory,
                        const struct permissions *file)
{
	int status = access_check(who, directory, ACCESS_WRITE | ACCESS_EXECUTE);

	if (status)
		return status;
	return directory->mode & MODE_STICKY && !access_owns(who, file) &&
	                       !access_owns(who, directory)
	               ? STATUS_NOT_PERMITTED
	               : STATUS_OK;
}

int access_check_move(const struct who *who, const struct permissions *from,
                      const struct permissions *to, bool same, const struct permissions *file)
{
	int status = access_check_remove(who, from, file);

	if (!status)
		status = access_check_add(who, to);
	/* Its ".." becomes another. */
	if (!status && !same && file->type == FILE_TYPE_DIRECTORY)
		status = access_check(who, file, ACCESS_WRITE);
	return status;
}

int access_check_link(const struct who *who, const struct permissions *file)
{
	if (access_owns(who, file))
		return STATUS_OK;
	if (file->type != FILE_TYPE_REGULAR || file->mode & MODE_SET_UID ||
	    (file->mode & (MODE_SET_GID | ACCESS_EXECUTE << 3)) ==
	            (MODE_SET_GID | ACCESS_EXECUTE << 3))
		return STATUS_NOT_PERMITTED;
	return access_check(who, file, ACCESS_READ | ACCESS_WRITE) ? STATUS_NOT_PERMITTED
	                                                           : STATUS_OK;
}

int access_check_times(const struct who *who, const struct permissions *file, bool now)
{
	if (access_owns(who, file))
		return STATUS_OK;
	return now ? access_check(who, file, ACCESS_WRITE) : STATUS_NOT_PERMITTED;
}

uint32_t access_mode(const struct who *who, const struct permissions *file, uint32_t mode)
{
	return who->user && !access_in_group(who, file->group) ? mode & ~MODE_SET_GID : mode;
}

uint32_t access_mode_made(const struct who *who, const struct permissions *directory, uint32_t mode)
{
	const uint32_t runs = MODE_SET_GID | ACCESS_EXECUTE << 3;

	return directory->mode & MODE_SET_GID && (mode & runs) == runs
	               ? access_mode(who, directory, mode)
	               : mode;
}

uint32_t access_mode_owned(const struct who *who, const struct permissions *file)
{
	const uint32_t mode = file->mode & ~MODE_SET_UID;

	if (file->type == FILE_TYPE_DIRECTORY)
		return file->mode;
	/* Where the group may not execute, the bit has another meaning. */
	return mode & ACCESS_EXECUTE << 3 ? mode & ~MODE_SET_GID : access_mode(who, file, mode);
}

uint32_t access_mode_written(const struct who *who, const struct permissions *file)
{
	return who->user && file->type == FILE_TYPE_REGULAR ? access_mode_owned(who, file)
	                                                    : file->mode;
}

int access_check_owner(const struct who *who, const struct permissions *file, uint32_t user,
                       uint32_t group)
{
	if (!who->user)
		return STATUS_OK;
	if (user == KEEP_OWNER && group == KEEP_OWNER)
		return STATUS_OK;
	if (who->user != file->user || (user != KEEP_OWNER && user != file->user))
		return STATUS_NOT_PERMITTED;
	return group == KEEP_OWNER || access_in_group(who, group) ? STATUS_OK
	                                                          : STATUS_NOT_PERMITTED;
}
