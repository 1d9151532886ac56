/* SPDX-License-Identifier: MIT */
/*
 * Files opened ahead of the program that reads a directory's files in turn.
 */
#include <capos/cap.h>

#include "files.h"

_Static_assert(OPEN_FOLLOWING_MAX <= CAP_MINT_MOST, "they are minted together");

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

struct following {
	const struct name *name;
	uint64_t word; /* of its handle */
};

/* Those that are to be opened have handles then, and are what stats say: how many. */
static uint32_t open_handles(const struct directory_object *directory, const struct name *name,
                             struct following *out, struct file_stat *stats)
{
	const bool of_top = directory->from.root == files.tree.top;
	uint32_t count = 0;

	for (uint32_t i = 0; name && i < FOLLOWING_LOOKS && count < OPEN_FOLLOWING_MAX; i++) {
		if (follows(name->inode)) {
			inode_stat(name->inode, &stats[count]);
			if (handle_open(&files.handles, name->inode, NULL, OPEN_READ,
			                (uint16_t)files.session, &out[count].word))
				break;
			give_home(handle_find(&files.handles, out[count].word), name->parent,
			          of_top);
			out[count++].name = name;
		}
		name = name->next;
	}
	return count;
}

/* The File and its contents go into the reply.  False: they do not both. */
static bool give_following(struct msg_call *call, const struct following *it, cap_t file,
                           struct file_stat *stat)
{
	struct inode *inode = it->name->inode;
	uint16_t index;

	if (server_give(server_call_of(call), file, CAP_RIGHTS_ALL, true) < 0)
		return false;
	inode_changed(&files.tree, inode); /* its client may load by itself from now on */
	inode_remember(&files.tree, inode, stat);
	stat->open = inode->held > 1 || inode->data.mapped;
	return !give_contents(call, handle_find(&files.handles, it->word), &index);
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
	struct following following[OPEN_FOLLOWING_MAX];
	uint64_t words[OPEN_FOLLOWING_MAX];
	cap_t caps[OPEN_FOLLOWING_MAX];
	const struct directory_object *directory = object;
	struct inode *at = directory->from.start;
	const struct name *name = NULL;
	uint32_t n, count = 0;

	if (allowed_access(at, ACCESS_EXECUTE) ||
	    (!directory->readable && allowed_access(at, ACCESS_READ)))
		return STATUS_ACCESS_DENIED;
	if (files.tree.changes && !files.tree.watchers.first && has_room_ahead())
		name = tree_lookup(&files.tree, at, in->name.ptr, in->name.len);
	n = open_handles(directory, name, following, stats);
	for (uint32_t i = 0; i < n; i++)
		words[i] = following[i].word;
	cap_mint_some(server_call_of(call)->server->endpoint, FILE_INTERFACE, words, n, caps);
	while (count < n && caps[count] != CAP_NULL &&
	       give_following(call, &following[count], caps[count], &stats[count])) {
		name = following[count].name;
		entries[count++] = (struct directory_entry){.inode = name->inode->number,
		                                            .type = name->inode->type,
		                                            .name = {name->text, name->length},
		                                            .position = name->position + 2};
	}
	/* What was not given is closed: by the notice of its release, or here. */
	for (uint32_t i = count; i < n; i++) {
		if (caps[i] == CAP_NULL)
			handle_close(&files.handles, &files.tree, words[i]);
		else if (i > count)
			(void)cap_release(caps[i]);
	}
	out->entries = (struct msg_list){.count = count, .items = entries};
	out->stats = (struct msg_list){.count = count, .items = stats};
	return STATUS_OK;
}
