/* SPDX-License-Identifier: MIT */
/*
 * The table of handles: a place is on the free list exactly while its inode is NULL.
 */
#include "handle.h"

/* Bits 29 to 31 stay clear, and with them HANDLE_SESSION_BIT, LOCKING_OWNER_BIT and WATCHING_BIT of
 * the word. */
#define GENERATION_MAX 0x1fffffffu

int handle_open(struct handle_table *table, struct inode *inode, struct inode *root, uint32_t flags,
                uint16_t session, uint64_t *word)
{
	uint32_t index;

	if (table->of_session[session] >= HANDLES_PER_SESSION(table))
		return STATUS_NO_BUFFERS;
	if (table->first_free) {
		index = table->first_free - 1;
		table->first_free = table->handles[index].next_free;
	} else if (table->used < table->most) {
		index = table->used++;
	} else {
		return STATUS_NO_BUFFERS;
	}
	struct handle *handle = &table->handles[index];
	handle->inode = inode;
	handle->root = root;
	handle->home = NULL;
	handle->gone = NULL;
	handle->opened = 0;
	handle->of_top = false;
	handle->flags = flags;
	handle->stores = false;
	handle->offered = 0;
	handle->session = session;
	handle->generation = handle->generation % GENERATION_MAX + 1;
	table->of_session[session]++;
	inode_hold(inode);
	if (root)
		inode_hold(root);
	*word = (uint64_t)handle->generation << 32 | index;
	return STATUS_OK;
}

struct handle *handle_find(struct handle_table *table, uint64_t word)
{
	uint32_t index = (uint32_t)word;

	if (index >= table->used || !table->handles[index].inode ||
	    table->handles[index].generation != word >> 32)
		return NULL;
	return &table->handles[index];
}

struct handle *handle_offered(struct handle_table *table, uint16_t session, uint64_t key)
{
	for (uint32_t i = 0; key && i < table->used; i++) {
		struct handle *handle = &table->handles[i];

		if (handle->inode && handle->offered == key && handle->session == session)
			return handle;
	}
	return NULL;
}

/* What clients stored by themselves is found out now; after the last handle nothing is left that
 * could make the file longer. */
static void leave_file(struct handle *handle)
{
	struct inode *inode = handle->inode;

	/* Nearly all that is closed was read alone, and nobody may ask for when that was. */
	if (inode->held == 1 && inode->links && inode->type == FILE_TYPE_REGULAR &&
	    data_look_later(&inode->data))
		return;
	inode_refresh(inode);
	if (handle->stores && !--inode->data.writers)
		inode->stored_by = 0;
	if (inode->held > 1)
		return;
	if (inode_is_shared(inode) && inode->type != FILE_TYPE_QUEUE)
		data_free(&inode->data); /* what was not read goes with the last that had it open */
	else if (inode->links)
		data_settle(&inode->data);
}

void handle_close(struct handle_table *table, struct tree *tree, uint64_t word)
{
	struct handle *handle = handle_find(table, word);

	if (!handle)
		return;
	locks_close(&tree->locks, &handle->inode->locks, tree->slab, word);
	if (inode_has_data(handle->inode))
		leave_file(handle);
	inode_drop(tree, handle->inode);
	if (handle->root)
		inode_drop(tree, handle->root);
	if (handle->home)
		inode_drop(tree, handle->home);
	slab_put(tree->slab, handle->gone, handle->gone_length);
	handle->gone = NULL;
	handle->inode = handle->root = handle->home = NULL;
	table->of_session[handle->session]--;
	handle->next_free = table->first_free;
	table->first_free = (uint32_t)(handle - table->handles) + 1;
}
