/* SPDX-License-Identifier: MIT */
/*
 * What the process whose call is being handled may do with inodes: the rules of access.h asked for
 * files.tree.who.
 */
#include "files.h"

int allowed_access(const struct inode *inode, uint32_t wanted)
{
	const struct permissions file = inode_permissions(inode);

	return access_check(&files.tree.who, &file, wanted);
}

int allowed_open(const struct inode *inode, uint32_t wanted)
{
	const struct permissions file = inode_permissions(inode);

	return access_check_open(&files.tree.who, &file, wanted);
}

int allowed_add(const struct inode *directory)
{
	const struct permissions to = inode_permissions(directory);

	return access_check_add(&files.tree.who, &to);
}

int allowed_remove(const struct place *place)
{
	const struct permissions from = inode_permissions(place->directory);
	const struct permissions file = inode_permissions(place->inode);

	return access_check_remove(&files.tree.who, &from, &file);
}

int allowed_move(const struct place *place, const struct inode *directory)
{
	const struct permissions from = inode_permissions(place->directory);
	const struct permissions to = inode_permissions(directory);
	const struct permissions file = inode_permissions(place->inode);

	return access_check_move(&files.tree.who, &from, &to, place->directory == directory, &file);
}

int allowed_link(const struct inode *inode)
{
	const struct permissions file = inode_permissions(inode);

	return access_check_link(&files.tree.who, &file);
}

int allowed_own(const struct inode *inode)
{
	const struct permissions file = inode_permissions(inode);

	return access_owns(&files.tree.who, &file) ? STATUS_OK : STATUS_NOT_PERMITTED;
}

uint32_t allowed_mode(const struct inode *inode, uint32_t mode)
{
	const struct permissions file = inode_permissions(inode);

	return access_mode(&files.tree.who, &file, mode);
}

int allowed_owner(const struct inode *inode, uint32_t user, uint32_t group)
{
	const struct permissions file = inode_permissions(inode);

	return access_check_owner(&files.tree.who, &file, user, group);
}

int allowed_times(const struct inode *inode, bool now)
{
	const struct permissions file = inode_permissions(inode);

	return access_check_times(&files.tree.who, &file, now);
}
