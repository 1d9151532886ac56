/* SPDX-License-Identifier: MIT */
/*
 * The methods of Directory: each resolves its paths, runs one operation of the tree and answers at
 * once.
 */
#include <string.h>

#include "files.h"

/* Entries of one list reply: what 64 KiB hold of the shortest names. */
#define LIST_MAX 1700u
/* With attributes, of which a client keeps no more. */
#define LIST_STATS_MAX  256u
#define FILE_STAT_WORDS 16u /* what each takes of the reply, and no less */

/* Working space of one call. */
static struct path_buffer path_space, second_path_space;
static struct directory_entry entries[LIST_MAX];
static struct file_stat stats[LIST_STATS_MAX];
static char text[TREE_PATH_MAX + 2];

static int resolve(void *object, struct msg_text path, enum path_end end, struct place *out)
{
	struct directory_object *directory = object;

	return path_resolve(&files.tree, directory->from, path.ptr, path.len, end, &path_space,
	                    out);
}

/* As resolve, but something has to be there. */
static int resolve_existing(void *object, struct msg_text path, bool follow, struct place *out)
{
	int status = resolve(object, path, follow ? PATH_END_FOLLOW : PATH_END_LINK, out);

	return status ? status : out->inode ? STATUS_OK : STATUS_NO_ENTRY;
}

static int check_there(const struct place *place)
{
	if (!place->inode)
		return STATUS_NO_ENTRY;
	return place->directory_wanted && place->inode->type != FILE_TYPE_DIRECTORY
	               ? STATUS_NOT_DIRECTORY
	               : STATUS_OK;
}

/* The name that is removed. */
static int resolve_name(void *object, struct msg_text path, struct place *out)
{
	int status = resolve(object, path, PATH_END_NAME, out);

	return status ? status : check_there(out);
}

/* As resolve, but nothing may be there, and the caller may make it.  wanted: a name with a slash
 * behind it will do. */
static int resolve_new(void *object, struct msg_text path, bool directory, struct place *out)
{
	int status = resolve(object, path, PATH_END_NAME, out);

	if (status)
		return status;
	if (out->inode)
		return STATUS_EXISTS;
	if (out->directory_wanted && !directory)
		return STATUS_NO_ENTRY;
	return allowed_add(out->directory);
}

/* As resolve_existing, but the caller owns it. */
static int resolve_own(void *object, struct msg_text path, bool follow, struct place *out)
{
	int status = resolve_existing(object, path, follow, out);

	if (status)
		return status;
	return allowed_own(out->inode);
}

/* Tells those who watch the place's directory of what worked. */
static int announce(int status, uint32_t event, const struct place *place)
{
	struct name *name;

	if (status || !place->directory->watches)
		return status;
	name = tree_lookup(&files.tree, place->directory, place->text, place->length);
	if (name)
		watching_entry(event, 0, place->directory, place->text, place->length, name->inode);
	return STATUS_OK;
}

/* What was found was changed. */
static void changed(uint32_t event, const struct place *place)
{
	if (place->directory)
		watching_both(event, place->directory, place->text, place->length, place->inode);
	else
		watching_directory(event, place->inode); /* "/", ".", ".." */
}

static int open_create(struct place *place, uint32_t flags, uint32_t mode)
{
	if (place->inode)
		return (flags & OPEN_EXCLUSIVE) && (flags & OPEN_CREATE) ? STATUS_EXISTS
		                                                         : STATUS_OK;
	if (!(flags & OPEN_CREATE))
		return STATUS_NO_ENTRY;
	if (place->directory_wanted)
		return STATUS_IS_DIRECTORY;
	int status = allowed_add(place->directory);
	if (!status)
		status = tree_make_file(&files.tree, place->directory, place->text, place->length,
		                        mode, &place->inode);

	return announce(status, WATCH_CREATE, place);
}

/* Whether what was found may be opened this way. */
static int open_check(struct inode *inode, uint32_t flags)
{
	if (inode->type == FILE_TYPE_SYMLINK)
		return flags & OPEN_DIRECTORY ? STATUS_NOT_DIRECTORY : STATUS_TOO_MANY_LINKS;
	if (inode->type == FILE_TYPE_DIRECTORY)
		return flags & (OPEN_WRITE | OPEN_TRUNCATE | OPEN_CREATE) ? STATUS_IS_DIRECTORY
		                                                          : STATUS_OK;
	if (inode_is_device(inode))
		return flags & OPEN_DIRECTORY ? STATUS_NOT_DIRECTORY : STATUS_NO_DEVICE;
	return flags & OPEN_DIRECTORY ? STATUS_NOT_DIRECTORY : STATUS_OK;
}

/* What the caller needs of what it opens; who makes a file has it open in any way. */
static int open_allowed(const struct inode *inode, uint32_t flags)
{
	const uint32_t wanted = (flags & OPEN_READ ? ACCESS_READ : 0) |
	                        (flags & (OPEN_WRITE | OPEN_TRUNCATE) ? ACCESS_WRITE : 0) |
	                        (flags & OPEN_EXECUTE ? ACCESS_EXECUTE : 0);

	return allowed_open(inode, wanted);
}

int give_handle(struct msg_call *call, struct inode *inode, struct inode *root, uint32_t flags,
                uint16_t *index, struct handle **out)
{
	uint64_t word;
	int status =
	        handle_open(&files.handles, inode, root, flags, (uint16_t)files.session, &word);

	if (status)
		return status;
	int position = server_give_object(server_call_of(call),
	                                  root ? DIRECTORY_INTERFACE : FILE_INTERFACE, word);
	if (position < 0) {
		handle_close(&files.handles, &files.tree, word);
		return STATUS_NO_BUFFERS;
	}
	*index = (uint16_t)position;
	/* From now on its client may load and store by itself. */
	if (inode_has_data(inode))
		inode_changed(&files.tree, inode);
	if (out)
		*out = handle_find(&files.handles, word);
	return STATUS_OK;
}

void give_home(struct handle *handle, struct inode *home, bool of_top)
{
	inode_hold(home);
	handle->home = home;
	handle->of_top = of_top;
}

/* A file without a name in the directory that was found. */
static int open_anonymous(struct msg_call *call, const struct place *place, bool of_top,
                          const struct directory_open_params *in,
                          struct directory_open_results *out)
{
	struct handle *handle;
	struct inode *file;
	int status;

	if (!place->inode)
		return STATUS_NO_ENTRY;
	if (place->inode->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	/* One that never gets a name is in no directory. */
	status = in->flags & OPEN_EXCLUSIVE ? STATUS_OK : allowed_add(place->inode);
	if (!status)
		status = tree_make_anonymous(&files.tree, place->inode, in->mode,
		                             in->flags & OPEN_EXCLUSIVE, &file);
	if (status)
		return status;
	status = give_handle(call, file, NULL, in->flags & (OPEN_READ | OPEN_WRITE),
	                     &out->file_index, &handle);
	inode_drop(&files.tree, file);
	if (status)
		return status;
	give_home(handle, place->inode, of_top);
	inode_stat(file, &out->stat);
	inode_remember(&files.tree, file, &out->stat);
	out->has_contents =
	        (in->flags & OPEN_CONTENTS) && !give_contents(call, handle, &out->contents_index);
	return STATUS_OK;
}

/* Rights on the bytes of what is opened.  A FIFO's or a queue's are changed by those who read,
 * too. */
static uint32_t rights_of(const struct inode *inode, uint32_t flags)
{
	uint32_t rights = flags & (OPEN_READ | OPEN_WRITE);

	return rights && inode_is_shared(inode) ? OPEN_READ | OPEN_WRITE : rights;
}

static int open_truncate(const struct place *place, bool made)
{
	int status = tree_truncate(&files.tree, place->inode, 0);

	if (!status && !made)
		changed(WATCH_MODIFY, place);
	return status;
}

static int resolve_opened(void *object, const struct directory_open_params *in, struct place *out)
{
	bool create = in->flags & OPEN_CREATE, exclusive = create && in->flags & OPEN_EXCLUSIVE;
	bool slash = in->path.len && in->path.ptr[in->path.len - 1] == '/';
	int status;

	if (create && slash) { /* whatever is there */
		status = resolve(object, in->path, PATH_END_NAME, out);
		if (status)
			return status;
		return exclusive && !out->directory ? STATUS_EXISTS : STATUS_IS_DIRECTORY;
	}
	if (exclusive || in->flags & OPEN_NO_FOLLOW)
		return resolve(object, in->path, PATH_END_LINK, out);
	return resolve(object, in->path, PATH_END_FOLLOW, out);
}

static int directory_open(void *object, struct msg_call *call,
                          const struct directory_open_params *in,
                          struct directory_open_results *out)
{
	struct directory_object *directory = object;
	struct handle *handle;
	struct place place;
	int status = resolve_opened(object, in, &place);
	bool made;

	if (!status && (in->flags & OPEN_ANONYMOUS))
		return open_anonymous(call, &place, directory->from.root == files.tree.top, in,
		                      out);
	made = !status && !place.inode;
	if (!status)
		status = open_create(&place, in->flags, in->mode);
	if (!status)
		status = open_check(place.inode, in->flags);
	if (!status && !made)
		status = open_allowed(place.inode, in->flags);
	if (!status && inode_is_shared(place.inode))
		status = tree_open_fifo(&files.tree, place.inode);
	else if (!status && (in->flags & OPEN_TRUNCATE))
		status = open_truncate(&place, made);
	else if (!status)
		status = check_file(call, place.inode);
	if (status)
		return status;
	inode_stat(place.inode, &out->stat);
	if (place.inode->type == FILE_TYPE_DIRECTORY)
		status = give_handle(call, place.inode, directory->from.root, in->flags & OPEN_READ,
		                     &out->file_index, &handle);
	else
		status = give_handle(call, place.inode, NULL, rights_of(place.inode, in->flags),
		                     &out->file_index, &handle);
	if (status)
		return status;
	handle->opened = in->flags & OPEN_UNTOLD ? 0 : in->flags & (OPEN_READ | OPEN_WRITE);
	if (handle->opened)
		changed(WATCH_OPEN, &place);
	inode_remember(&files.tree, place.inode, &out->stat);
	out->moved = files.tree.changes ? files.tree.changes[CHANGES_MOVED] : 0;
	if (handle->root)
		return STATUS_OK;
	if (place.directory)
		give_home(handle, place.directory, directory->from.root == files.tree.top);
	/* Without them the client asks for what it needs. */
	if (in->flags & OPEN_CONTENTS)
		out->has_contents = in->flags & OPEN_EXECUTE
		                            ? !give_image(call, handle, &out->contents_index)
		                            : !give_contents(call, handle, &out->contents_index);
	return STATUS_OK;
}

static int directory_stat(void *object, struct msg_call *call,
                          const struct directory_stat_params *in,
                          struct directory_stat_results *out)
{
	struct place place;
	int status = resolve_existing(object, in->path, in->follow_link, &place);

	(void)call;
	if (!status) {
		inode_stat(place.inode, &out->stat);
		inode_remember(&files.tree, place.inode, &out->stat);
	}
	return status;
}

/* What stat says of an entry of the list. */
static void list_stat(struct file_stat *stat, struct inode *inode)
{
	inode_stat(inode, stat);
	inode_remember(&files.tree, inode, stat);
}

/* Positions: 1 behind ".", 2 behind "..", then the names' own with 2 added. */
static int directory_list(void *object, struct msg_call *call,
                          const struct directory_list_params *in,
                          struct directory_list_results *out)
{
	struct directory_object *object_ = object;
	struct inode *at = object_->from.start;
	struct inode *up = at == object_->from.root ? at : at->directory.parent;
	struct name *name = NULL;
	uint64_t position = in->position;
	uint32_t count = 0, room = call->out_size / 8, used = 12; /* words; the results' own part */
	/* Who may read a directory and not search it gets names alone. */
	const bool attributes =
	        in->attributes && files.tree.changes && !allowed_access(at, ACCESS_EXECUTE);
	const uint32_t most = attributes ? LIST_STATS_MAX : LIST_MAX;

	if (!at->links)
		return STATUS_NO_ENTRY; /* removed, though held */
	if (!object_->readable && allowed_access(at, ACCESS_READ))
		return STATUS_ACCESS_DENIED;
	for (;; count++) {
		struct directory_entry *entry = &entries[count];

		struct inode *inode = position ? up : at;

		if (count == most)
			break;
		if (position < 2) {
			*entry = (struct directory_entry){.inode = inode->number,
			                                  .type = FILE_TYPE_DIRECTORY,
			                                  .name = {"..", (uint32_t)position + 1},
			                                  .position = position + 1};
		} else {
			name = name ? name->next : tree_next(at, position - 2);
			if (!name)
				break;
			inode = name->inode;
			*entry = (struct directory_entry){.inode = inode->number,
			                                  .type = inode->type,
			                                  .name = {name->text, name->length},
			                                  .position = name->position + 2};
		}
		used += 4 + entry->name.len / 8 + 1; /* its data, its name's pointer, the name */
		if (attributes)
			used += FILE_STAT_WORDS;
		if (used > room)
			break;
		if (attributes)
			list_stat(&stats[count], inode);
		position = entry->position;
	}
	if (!count && used > room)
		return STATUS_MESSAGE_TOO_LONG;
	watching_directory(WATCH_ACCESS, at);
	out->entries = (struct msg_list){.count = count, .items = entries};
	out->next = position;
	out->stats = (struct msg_list){.count = attributes ? count : 0, .items = stats};
	out->version = inode_version(&files.tree, at, &out->counter);
	return STATUS_OK;
}

static int directory_make_directory(void *object, struct msg_call *call,
                                    const struct directory_make_directory_params *in)
{
	struct place place;
	int status = resolve_new(object, in->path, true, &place);

	(void)call;
	return status ? status
	              : announce(tree_make_directory(&files.tree, place.directory, place.text,
	                                             place.length, in->mode, NULL),
	                         WATCH_CREATE, &place);
}

static int directory_make_fifo(void *object, struct msg_call *call,
                               const struct directory_make_fifo_params *in)
{
	struct place place;
	int status = resolve_new(object, in->path, false, &place);

	(void)call;
	return status ? status
	              : announce(tree_make_fifo(&files.tree, place.directory, place.text,
	                                        place.length, in->mode),
	                         WATCH_CREATE, &place);
}

static int directory_make_queue(void *object, struct msg_call *call,
                                const struct directory_make_queue_params *in)
{
	struct place place;
	int status = resolve_new(object, in->path, false, &place);

	(void)call;
	return status ? status
	              : announce(tree_make_queue(&files.tree, place.directory, place.text,
	                                         place.length, in->mode, in->size, in->head.ptr,
	                                         in->head.len),
	                         WATCH_CREATE, &place);
}

static int directory_make_node(void *object, struct msg_call *call,
                               const struct directory_make_node_params *in)
{
	struct place place;
	int status = resolve_new(object, in->path, false, &place);

	(void)call;
	if (status)
		return status;
	if (in->type != FILE_TYPE_CHARACTER_DEVICE && in->type != FILE_TYPE_BLOCK_DEVICE &&
	    in->type != FILE_TYPE_SOCKET)
		return STATUS_INVALID_ARGUMENT;
	if (in->type != FILE_TYPE_SOCKET && files.tree.who.user)
		return STATUS_NOT_PERMITTED;
	return announce(tree_make_node(&files.tree, place.directory, place.text, place.length,
	                               (uint16_t)in->type, in->mode, in->device),
	                WATCH_CREATE, &place);
}

/* What goes is held until all watchers have their event. */
static int remove_and_notify(const struct place *place, bool directory)
{
	struct inode *inode = place->inode;
	int status;

	inode_hold(inode);
	status = tree_remove(&files.tree, place->name, directory);
	if (!status) {
		watching_removed(inode, place->directory, place->text, place->length);
		if (!directory)
			watching_self(WATCH_ATTRIBUTES, inode);
		/* As on Linux what nobody has open goes before its name does. */
		if (!inode->links && inode->held == 1)
			watching_end(inode);
		watching_entry(WATCH_DELETE, 0, place->directory, place->text, place->length,
		               inode);
	}
	inode_drop(&files.tree, inode);
	return status;
}

static int directory_remove(void *object, struct msg_call *call,
                            const struct directory_remove_params *in)
{
	struct place place;
	int status = resolve_name(object, in->path, &place);

	(void)call;
	if (status)
		return status;
	if (inode_is_mount(place.inode))
		return STATUS_BUSY;
	if (place.name) {
		status = allowed_remove(&place);
		return status ? status : remove_and_notify(&place, in->directory);
	}
	if (!in->directory)
		return STATUS_IS_DIRECTORY;
	if (place.length == 0)
		return STATUS_BUSY;
	return place.length == 1 ? STATUS_INVALID_ARGUMENT : STATUS_NOT_EMPTY;
}

/* A volume knows its path, so what is above it keeps its name. */
static bool has_mount(const struct inode *inode)
{
	for (uint32_t i = 0; i < VOLUMES_MAX; i++) {
		const struct inode *at = files.mounts[i].inode;

		while (at && at != inode && at != files.tree.top)
			at = at->directory.parent;
		if (at == inode)
			return true;
	}
	return false;
}

/* That the inode went from one place to the other, and with what name. */
static void moved(const struct place *from, const struct place *to, struct inode *inode)
{
	uint32_t cookie = watching_cookie();

	watching_entry(WATCH_MOVED_FROM, cookie, from->directory, from->text, from->length, inode);
	watching_entry(WATCH_MOVED_TO, cookie, to->directory, to->text, to->length, inode);
	watching_moved(inode, from->directory, to->directory);
}

static int exchange_and_notify(const struct place *from, const struct place *to)
{
	int status = tree_exchange(&files.tree, from->name, to->name);

	if (status || from->inode == to->inode)
		return status;
	moved(from, to, from->inode);
	watching_self(WATCH_MOVE_SELF, from->inode);
	moved(to, from, to->inode);
	watching_self(WATCH_MOVE_SELF, to->inode);
	return STATUS_OK;
}

/* What is replaced goes when all watchers have their event. */
static int rename_and_notify(const struct place *from, const struct place *to)
{
	struct inode *old = to->inode;
	int status;

	if (old)
		inode_hold(old);
	status =
	        tree_rename(&files.tree, from->name, to->directory, to->text, to->length, to->name);
	if (!status && old != from->inode) {
		if (old)
			watching_removed(old, to->directory, to->text, to->length);
		moved(from, to, from->inode);
		if (old)
			watching_self(WATCH_ATTRIBUTES, old);
		watching_self(WATCH_MOVE_SELF, from->inode);
	}
	if (old)
		inode_drop(&files.tree, old);
	return status;
}

/* Whether the caller may move it there, and what is there out of the way. */
static int rename_allowed(const struct place *from, const struct place *to, bool exchange)
{
	int status = allowed_move(from, to->directory);

	if (from->inode->type == FILE_TYPE_QUEUE ||
	    (exchange && to->inode && to->inode->type == FILE_TYPE_QUEUE))
		return STATUS_NOT_PERMITTED;

	if (!status && exchange && to->inode)
		status = allowed_move(to, from->directory);
	else if (!status && to->inode)
		status = allowed_remove(to);
	return status;
}

static int directory_rename(void *object, struct msg_call *call,
                            const struct directory_rename_params *in)
{
	struct directory_object *directory = object;
	struct place from, to;
	int status = resolve(object, in->from, PATH_END_NAME, &from);

	(void)call;
	/* The ways to both names come first, then what is there. */
	if (!status)
		status = path_resolve(&files.tree, directory->from, in->to.ptr, in->to.len,
		                      PATH_END_NAME, &second_path_space, &to);
	if (!status && !(from.directory && to.directory))
		status = STATUS_BUSY;
	if (!status)
		status = check_there(&from);
	if (status)
		return status;
	if (!from.name || has_mount(from.inode) || (to.inode && has_mount(to.inode)))
		return STATUS_BUSY;
	if (in->flags != MOVE_NO_REPLACE && in->flags != MOVE_EXCHANGE && in->flags)
		return STATUS_NOT_SUPPORTED;
	if (in->flags & MOVE_NO_REPLACE && to.inode)
		return STATUS_EXISTS;
	status = rename_allowed(&from, &to, in->flags == MOVE_EXCHANGE);
	if (status)
		return status;
	if (in->flags == MOVE_EXCHANGE)
		return to.name ? exchange_and_notify(&from, &to)
		               : (to.inode ? STATUS_BUSY : STATUS_NO_ENTRY);
	if (to.directory_wanted && from.inode->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	return rename_and_notify(&from, &to);
}

static int directory_link(void *object, struct msg_call *call,
                          const struct directory_link_params *in)
{
	struct place from, to;
	int status = resolve_existing(object, in->from, false, &from);

	(void)call;
	if (!status)
		status = resolve_new(object, in->to, false, &to);
	if (!status)
		status = allowed_link(from.inode);
	if (!status)
		status = tree_link(&files.tree, from.inode, to.directory, to.text, to.length);
	if (!status)
		watching_self(WATCH_ATTRIBUTES, from.inode);
	return announce(status, WATCH_CREATE, &to);
}

/* Who has a name of a file may store to it, so a File that was opened to be read alone gets one
 * only where its holder could have opened it to write: below this root. */
static bool is_below(const struct directory_object *directory, const struct handle *file)
{
	return file->home && path_is_below(directory->from.root, file->home);
}

static int directory_link_file(void *object, struct msg_call *call,
                               const struct directory_link_file_params *in)
{
	struct handle *file;
	struct place to;
	int status = resolve_new(object, in->path, false, &to);

	(void)call;
	if (status)
		return status;
	file = handle_offered(&files.handles, (uint16_t)files.session, in->key);
	if (!file)
		return STATUS_NO_ENTRY;
	file->offered = 0;
	if (!(file->flags & OPEN_WRITE) && !is_below(object, file))
		return STATUS_NOT_PERMITTED;
	status = allowed_link(file->inode);
	if (!status)
		status = tree_link(&files.tree, file->inode, to.directory, to.text, to.length);
	if (!status)
		watching_self(WATCH_ATTRIBUTES, file->inode);
	return announce(status, WATCH_CREATE, &to);
}

/* To do what the handle was opened for, or what its holder could do by the file's name. */
static int open_again_check(const struct directory_object *directory, const struct handle *file,
                            uint32_t flags)
{
	const uint32_t wanted = flags | (flags & OPEN_TRUNCATE ? OPEN_WRITE : 0);

	if (file->inode->type != FILE_TYPE_REGULAR)
		return STATUS_INVALID_ARGUMENT;
	if (wanted & (OPEN_READ | OPEN_WRITE) & ~file->flags && !is_below(directory, file))
		return STATUS_ACCESS_DENIED;
	return open_allowed(file->inode, flags);
}

static int directory_open_offered(void *object, struct msg_call *call,
                                  const struct directory_open_offered_params *in,
                                  struct directory_open_offered_results *out)
{
	struct handle *file = handle_offered(&files.handles, (uint16_t)files.session, in->key);
	struct handle *again;
	int status;

	if (!file)
		return STATUS_NO_ENTRY;
	file->offered = 0;
	status = open_again_check(object, file, in->flags);
	if (!status && in->flags & OPEN_TRUNCATE)
		status = tree_truncate(&files.tree, file->inode, 0);
	if (!status)
		status = give_handle(call, file->inode, NULL, in->flags & (OPEN_READ | OPEN_WRITE),
		                     &out->file_index, &again);
	if (status)
		return status;
	if (file->home)
		give_home(again, file->home, file->of_top);
	again->opened = in->flags & OPEN_UNTOLD ? 0 : in->flags & (OPEN_READ | OPEN_WRITE);
	if (in->flags & OPEN_TRUNCATE)
		watching_open(WATCH_MODIFY, again);
	if (again->opened)
		watching_open(WATCH_OPEN, again);
	inode_stat(again->inode, &out->stat);
	inode_remember(&files.tree, again->inode, &out->stat);
	out->has_contents =
	        in->flags & OPEN_CONTENTS && !give_contents(call, again, &out->contents_index);
	return STATUS_OK;
}

static int directory_symlink(void *object, struct msg_call *call,
                             const struct directory_symlink_params *in)
{
	struct place place;
	int status = resolve_new(object, in->path, false, &place);

	(void)call;
	return status ? status
	              : announce(tree_make_symlink(&files.tree, place.directory, place.text,
	                                           place.length, in->target.ptr, in->target.len,
	                                           NULL),
	                         WATCH_CREATE, &place);
}

static int directory_read_link(void *object, struct msg_call *call,
                               const struct directory_read_link_params *in,
                               struct directory_read_link_results *out)
{
	struct place place;
	int status = resolve_existing(object, in->path, false, &place);

	(void)call;
	if (status)
		return status;
	if (place.inode->type != FILE_TYPE_SYMLINK)
		return STATUS_INVALID_ARGUMENT;
	out->target = (struct msg_text){place.inode->symlink.target, place.inode->symlink.length};
	return STATUS_OK;
}

static int directory_set_mode(void *object, struct msg_call *call,
                              const struct directory_set_mode_params *in)
{
	struct place place;
	int status = resolve_own(object, in->path, in->follow_link, &place);

	(void)call;
	if (status)
		return status;
	if (place.inode->type == FILE_TYPE_SYMLINK)
		return STATUS_NOT_SUPPORTED;
	inode_set_mode(&files.tree, place.inode, allowed_mode(place.inode, in->mode));
	changed(WATCH_ATTRIBUTES, &place);
	return STATUS_OK;
}

static int directory_set_owner(void *object, struct msg_call *call,
                               const struct directory_set_owner_params *in)
{
	struct place place;
	int status = resolve_existing(object, in->path, in->follow_link, &place);

	(void)call;
	if (!status)
		status = allowed_owner(place.inode, in->user, in->group);
	if (status)
		return status;
	inode_set_owner(&files.tree, place.inode, in->user, in->group);
	changed(WATCH_ATTRIBUTES, &place);
	return STATUS_OK;
}

static int directory_set_times(void *object, struct msg_call *call,
                               const struct directory_set_times_params *in)
{
	struct place place;
	int status = resolve_existing(object, in->path, in->follow_link, &place);

	(void)call;
	if (!status)
		status = allowed_times(place.inode, in->now);
	if (status || !times_event(in->access_ns, in->modify_ns))
		return status;
	if (in->now) /* by the service's clock: who may only write chooses none */
		inode_set_times(&files.tree, place.inode, files.tree.now_ns, files.tree.now_ns);
	else
		inode_set_times(&files.tree, place.inode, in->access_ns, in->modify_ns);
	changed(times_event(in->access_ns, in->modify_ns), &place);
	return STATUS_OK;
}

static int directory_space(void *object, struct msg_call *call, struct directory_space_results *out)
{
	(void)object;
	(void)call;
	out->block_size = PAGE_SIZE;
	store_space(&out->blocks, &out->free_blocks);
	out->files = files.tree.inodes;
	return STATUS_OK;
}

static int directory_subdirectory(void *object, struct msg_call *call,
                                  const struct directory_subdirectory_params *in,
                                  struct directory_subdirectory_results *out)
{
	struct place place;
	int status = resolve_existing(object, in->path, true, &place);

	if (status)
		return status;
	if (place.inode->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	status = allowed_access(place.inode, ACCESS_EXECUTE);
	return status ? status
	              : give_handle(call, place.inode, place.inode, 0, &out->directory_index, NULL);
}

static int directory_path(void *object, struct msg_call *call, struct directory_path_results *out)
{
	struct directory_object *directory = object;

	(void)call;
	out->path.ptr = text;
	return path_of(directory->from.root, directory->from.start, text, sizeof(text),
	               &out->path.len, &out->gone);
}

static int directory_follow(void *object, struct msg_call *call,
                            const struct directory_follow_params *in,
                            struct directory_follow_results *out)
{
	struct place place;
	int position, status = resolve(object, in->path,
	                               in->follow_link ? PATH_END_FOLLOW : PATH_END_LINK, &place);

	out->end = FOLLOW_END_HERE;
	out->path = MSG_TEXT("");
	if (status != STATUS_ELSEWHERE)
		return status;
	out->volume = place.inode->directory.volume;
	position = server_give(server_call_of(call), files.mounts[out->volume - 1].directory,
	                       CAP_RIGHTS_ALL, false);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	out->end = FOLLOW_END_VOLUME;
	out->directory_index = (uint16_t)position;
	out->path = place.length ? (struct msg_text){place.text, place.length} : MSG_TEXT(".");
	return STATUS_OK;
}

static int directory_volumes(void *object, struct msg_call *call,
                             struct directory_volumes_results *out)
{
	static struct mounted_volume volumes[VOLUMES_MAX];
	uint32_t count = 0;

	(void)object;
	(void)call;
	for (uint32_t i = 0; i < VOLUMES_MAX; i++) {
		const char *path = files.mounts[i].path;

		if (path)
			volumes[count++] = (struct mounted_volume){
			        .path = {path, (uint32_t)strlen(path)}, .number = i + 1};
	}
	out->volumes = (struct msg_list){.count = count, .items = volumes};
	return STATUS_OK;
}

static int directory_open_session(void *object, struct msg_call *call,
                                  const struct directory_open_session_params *in)
{
	struct server_call *c = server_call_of(call);
	cap_t account;
	int status;

	(void)object;
	if (c->object != HANDLE_ROOT)
		return STATUS_NOT_PERMITTED;
	if (!(in->word & HANDLE_SESSION_BIT))
		return STATUS_INVALID_ARGUMENT;
	account = server_take(c, in->account_index);
	if (account == CAP_NULL)
		return STATUS_INVALID_ARGUMENT;
	status = session_open(&files.sessions, &files.handles, in->word, account);
	if (status)
		cap_release(account);
	else
		server_resume(c->server, in->word);
	return status;
}

static int directory_changes(void *object, struct msg_call *call,
                             struct directory_changes_results *out)
{
	struct directory_object *directory = object;
	int position;

	if (directory->from.root != files.tree.top)
		return STATUS_NOT_PERMITTED;
	position = server_give(server_call_of(call), files.changes, CAP_RIGHT_READ | CAP_RIGHT_COPY,
	                       false);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	out->memory_index = (uint16_t)position;
	return STATUS_OK;
}

static int directory_lock_owner(void *object, struct msg_call *call,
                                struct directory_lock_owner_results *out)
{
	(void)object;
	return locking_owner(call, files.session, out);
}

/* The locks of what was opened go with its handle.  NULL: this object has none. */
static struct handle *handle_of(struct msg_call *call)
{
	return handle_find(&files.handles, server_call_of(call)->object);
}

static int directory_lock_whole(void *object, struct msg_call *call,
                                const struct directory_lock_whole_params *in)
{
	struct handle *handle = handle_of(call);

	(void)object;
	return locking_lock_directory(handle ? &handle->inode->locks : NULL,
	                              handle ? handle->flags : 0, call, in);
}

static int directory_stop_waiting(void *object, struct msg_call *call)
{
	struct handle *handle = handle_of(call);

	(void)object;
	return locking_stop_waiting_directory(handle ? &handle->inode->locks : NULL, call);
}

static int directory_make_watcher(void *object, struct msg_call *call,
                                  const struct directory_make_watcher_params *in,
                                  struct directory_make_watcher_results *out)
{
	(void)object;
	return watching_make(call, in, out);
}

static int directory_watch(void *object, struct msg_call *call,
                           const struct directory_watch_params *in,
                           struct directory_watch_results *out)
{
	struct place place;
	int status = resolve_existing(object, in->path, in->follow_link, &place);

	(void)call;
	if (status)
		return status;
	if (in->directory && place.inode->type != FILE_TYPE_DIRECTORY)
		return STATUS_NOT_DIRECTORY;
	status = allowed_access(place.inode, ACCESS_READ);
	return status ? status : watching_add(place.inode, in, out);
}

const struct directory_ops directory_ops = {
        .open = directory_open,
        .stat = directory_stat,
        .list = directory_list,
        .make_directory = directory_make_directory,
        .remove = directory_remove,
        .rename = directory_rename,
        .link = directory_link,
        .symlink = directory_symlink,
        .read_link = directory_read_link,
        .set_mode = directory_set_mode,
        .set_times = directory_set_times,
        .space = directory_space,
        .subdirectory = directory_subdirectory,
        .path = directory_path,
        .open_session = directory_open_session,
        .lock_owner = directory_lock_owner,
        .make_fifo = directory_make_fifo,
        .make_node = directory_make_node,
        .set_owner = directory_set_owner,
        .follow = directory_follow,
        .volumes = directory_volumes,
        .make_watcher = directory_make_watcher,
        .watch = directory_watch,
        .link_file = directory_link_file,
        .changes = directory_changes,
        .lock_whole = directory_lock_whole,
        .stop_waiting = directory_stop_waiting,
        .make_queue = directory_make_queue,
        .open_offered = directory_open_offered,
        .open_following = directory_open_following,
};
