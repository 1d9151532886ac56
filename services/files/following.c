/* SPDX-License-Identifier: MIT */
/*
 * Files opened ahead of the program that reads a directory's files in turn.
 */
#include "files.h"

/* Files longer than that are opened one by one: who reads one of them has it open for long. */
#define FOLLOWING_SIZE_MAX 16384u
/* Entries that are looked at for them. */
#define FOLLOWING_LOOKS 16u

/* Whether it can be opened at once by who may read it, and is worth being opened ahead. */
static bool follows(const struct inode *inode)
{
	return inode->type == FILE_TYPE_REGULAR && !inode->data.base_unchecked &&
	       inode->data.size <= FOLLOWING_SIZE_MAX && !allowed_open(inode, ACCESS_READ);
}

/* The File and its contents go into the reply. */
static bool give_following(struct msg_call *call, const struct directory_object *directory,
                           const struct name *name, struct file_stat *stat)
{
	struct handle *handle;
	uint16_t index;

	inode_stat(name->inode, stat);
	if (give_handle(call, name->inode, NULL, OPEN_READ, &index, &handle))
		return false;
	inode_remember(&files.tree, name->inode, stat);
	stat->open = name->inode->held > 1 || name->inode->data.mapped;
	give_home(handle, name->parent, directory->from.root == files.tree.top);
	return !give_contents(call, handle, &index);
}

/* Half of what a session may have open is left to what is opened by name. */
static bool has_room_ahead(void)
{
	return files.handles.of_session[files.session] < HANDLES_PER_SESSION(&files.handles) / 2;
}

int directory_open_following(void *object, struct msg_call *call,
                             const struct directory_open_following_params *in,
                             struct directory_open_following_results *out)
{
	static struct directory_entry entries[OPEN_FOLLOWING_MAX];
	static struct file_stat stats[OPEN_FOLLOWING_MAX];
	const struct directory_object *directory = object;
	struct inode *at = directory->from.start;
	const struct name *name = NULL;
	uint32_t count = 0;

	if (allowed_access(at, ACCESS_EXECUTE) ||
	    (!directory->readable && allowed_access(at, ACCESS_READ)))
		return STATUS_ACCESS_DENIED;
	if (files.tree.changes && !files.tree.watchers.first && has_room_ahead())
		name = tree_lookup(&files.tree, at, in->name.ptr, in->name.len);
	for (uint32_t i = 0; name && i < FOLLOWING_LOOKS && count < OPEN_FOLLOWING_MAX; i++) {
		if (follows(name->inode)) {
			if (!give_following(call, directory, name, &stats[count]))
				break;
			entries[count++] =
			        (struct directory_entry){.inode = name->inode->number,
			                                 .type = name->inode->type,
			                                 .name = {name->text, name->length},
			                                 .position = name->position + 2};
		}
		name = name->next;
	}
	out->entries = (struct msg_list){.count = count, .items = entries};
	out->stats = (struct msg_list){.count = count, .items = stats};
	return STATUS_OK;
}
