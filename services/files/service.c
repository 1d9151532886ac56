/* SPDX-License-Identifier: MIT */
/*
 * The files service.  It holds the boot archive (to read and to hand out its pages as code), a
 * CodeMaker (so that what clients copy of files is code), a log, and its endpoint, and a Directory
 * of each volume, which it never calls: it hands it on to clients whose paths lead there.  It is
 * handed an account for each session, and draws on that what it makes for the session.
 *
 * A call names an object by its word: the root Directory of the service or of a session, or a
 * handle.
 */
#include <string.h>

#include <capos/identity.h>
#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/start.h>

#include "files.h"
#include "load.h"

struct files files;

static bool caller_in_group(const struct who *who, uint32_t group)
{
	return cap_caller_in_group(who->call_id, group);
}

/* From here on, what is done is of this session and by this caller. */
static void enter_session(uint32_t index, const struct server_call *call)
{
	files.session = index;
	files.tree.slab = &files.sessions.of[index].slab;
	files.tree.now_ns = cap_realtime();
	files.tree.who = (struct who){.user = cap_label_user(call->caller_label),
	                              .group = cap_label_group(call->caller_label),
	                              .in_group = caller_in_group,
	                              .call_id = call->call_id};
}

static int serve_directory(struct server_call *call, struct path_from from, bool readable)
{
	struct directory_object directory = {from, readable};

	if (call->interface != DIRECTORY_INTERFACE)
		return STATUS_NOT_SUPPORTED;
	return directory_dispatch(&directory_ops, &directory, &call->msg);
}

static int serve_watcher(struct server_call *call)
{
	struct watcher *watcher = watching_find(call->object);

	return watcher ? watcher_dispatch(&watcher_ops, watcher, &call->msg)
	               : STATUS_INVALID_ARGUMENT;
}

static int service_call(struct server *server, struct server_call *call)
{
	struct inode *top = files.tree.top;
	int session = session_find(&files.sessions, call->object);
	struct handle *handle;

	(void)server;
	if (session >= 0) {
		enter_session((uint32_t)session, call);
		return serve_directory(call, (struct path_from){top, top}, false);
	}
	handle = handle_find(&files.handles, call->object);
	/* A session's object outlives this process, and init has opened it before or will now. */
	if (!handle && call->object & HANDLE_SESSION_BIT)
		return server_hold(call);
	if (!handle && call->interface == LOCK_OWNER_INTERFACE)
		return lock_owner_dispatch(&lock_owner_ops, &call->object, &call->msg);
	if (!handle && call->interface == WATCHER_INTERFACE)
		return serve_watcher(call);
	if (!handle)
		return STATUS_INVALID_ARGUMENT;
	enter_session(handle->session, call);
	if (handle->root)
		return serve_directory(call, (struct path_from){handle->root, handle->inode},
		                       handle->flags & OPEN_READ);
	if (call->interface != FILE_INTERFACE)
		return STATUS_NOT_SUPPORTED;
	return file_dispatch(&file_ops, handle, &call->msg);
}

static void service_release(struct server *server, uint64_t object)
{
	int session = session_find(&files.sessions, object);
	struct handle *handle = handle_find(&files.handles, object);

	(void)server;
	files.tree.now_ns = cap_realtime();
	if (object & LOCKING_OWNER_BIT && !(object & HANDLE_SESSION_BIT)) {
		locking_release(object);
	} else if (session >= 0) {
		session_close(&files.sessions, &files.handles, (uint32_t)session);
	} else if (object & WATCHING_BIT && !(object & HANDLE_SESSION_BIT)) {
		struct watcher *watcher = watching_find(object);

		if (watcher)
			watching_release(watcher);
	} else if (handle) {
		uint32_t of = handle->session;

		if (handle->opened)
			watching_open(handle->opened & OPEN_WRITE ? WATCH_CLOSE_WRITE
			                                          : WATCH_CLOSE_NO_WRITE,
			              handle);

		handle_close(&files.handles, &files.tree, object);
		session_settle(&files.sessions, &files.handles, of);
	}
}

static uint64_t service_idle(struct server *server)
{
	return check_some(server);
}

static const struct server_ops server_ops = {
        .call = service_call, .release = service_release, .idle = service_idle};

/* Maps the boot archive and makes the tree of it. */
static void load(void)
{
	struct memory_object_size_results size;
	struct archive archive;
	const char *why = "", *culprit = "";
	void *address;
	int result = memory_object_size(files.boot, &size, NULL);

	if (!result)
		result = cap_memory_map(files.boot, 0, size.size, CAP_RIGHT_READ, &address);
	if (result)
		log_fatal_error(result, "cannot map the boot archive");
	if (archive_open(&archive, address, size.size, &why))
		log_fatal("boot archive: %s", why);
	files.archive = archive.base;
	files.archive_size = archive.size;
	int status = tree_init(&files.tree, &files.sessions.of[SESSION_OWN].slab, cap_realtime());
	if (!status)
		status = load_archive(&files.tree, &archive, &culprit);
	if (!status)
		status = load_usual(&files.tree);
	if (status == STATUS_NO_SPACE)
		log_fatal_error(CAP_ENOMEM, "boot archive: \"%s\"", culprit);
	if (status)
		log_fatal("boot archive: \"%s\": %s", culprit, cap_error_text(status));
}

/* Arguments: "volumeN=PATH" for each volume that it holds. */
static void mount_volumes(char **argv)
{
	for (char **a = argv; *a; a++) {
		char name[] = "volume?";
		struct inode *inode;
		uint32_t number;

		if (strncmp(*a, name, 6) != 0 || !(*a)[6] || (*a)[7] != '=')
			continue;
		number = (uint32_t)((*a)[6] - '0');
		if (!number || number > VOLUMES_MAX)
			continue;
		name[6] = (*a)[6];
		struct mount *mount = &files.mounts[number - 1];
		mount->directory = start_cap(name);
		if (mount->directory == CAP_NULL || load_directory(&files.tree, *a + 8, &inode) ||
		    inode_is_mount(inode))
			log_fatal("cannot mount a volume at %s", *a + 8);
		inode_hold(inode);
		inode->directory.volume = number;
		mount->path = *a + 8;
		mount->inode = inode;
	}
}

/* Why each: see the head of this file. */
static const struct start_expected expected[] = {
        {"serve", 0, false},
        {"boot", MEMORY_OBJECT_INTERFACE, false},
        {"code", CODE_MAKER_INTERFACE, false},
        {"log", LOG_INTERFACE, false},
        {"volume1", DIRECTORY_INTERFACE, true},
        {"volume2", DIRECTORY_INTERFACE, true},
        {"volume3", DIRECTORY_INTERFACE, true},
        {"volume4", DIRECTORY_INTERFACE, true},
        {"volume5", DIRECTORY_INTERFACE, true},
        {"volume6", DIRECTORY_INTERFACE, true},
        {"volume7", DIRECTORY_INTERFACE, true},
        {"volume8", DIRECTORY_INTERFACE, true},
        {NULL, 0, false},
};

static void make_handles(void)
{
	uint32_t most = memory_portion(HANDLES_MAX, HANDLES_LEAST);
	uint64_t size = (most * sizeof(struct handle) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	void *memory;
	int result = memory_make(size, &memory);

	if (result)
		log_fatal_error(result, "cannot make the table of handles");
	files.handles.handles = memory;
	files.handles.most = most;
}

/* Takes the lock that the kernel takes back when this process ends, however it does. */
static void hold_while_alive(uint32_t *word)
{
	struct capos_ring *ring = cap_ring();

	ring->end.held[0] = (uintptr_t)word;
	__atomic_store_n(word, (uint32_t)ring->thread_id & CAPOS_LOCK_OWNER, __ATOMIC_RELEASE);
}

/* The counters that clients see: version 0 means that nothing is to be remembered, so they begin
 * at 1. */
static void make_changes(void)
{
	const uint64_t size = CHANGES_COUNTERS * sizeof(uint64_t);
	void *memory;
	int result = cap_memory_create_committed(size, &files.changes);

	if (!result)
		result = cap_memory_map(files.changes, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE,
		                        &memory);
	if (result)
		log_fatal_error(result, "cannot make the counters of changes");
	files.tree.changes = memory;
	for (uint32_t i = 0; i < CHANGES_COUNTERS; i++)
		files.tree.changes[i] = 1;
	files.tree.changes[CHANGES_WATCHERS] = 0;
	hold_while_alive((uint32_t *)&files.tree.changes[CHANGES_SERVER]);
	files.tree.watchers.shown = &files.tree.changes[CHANGES_WATCHERS];
}

int main(int argc, char **argv)
{
	static struct server server;
	cap_t account;
	int result;

	(void)argc;
	start_check(expected);
	files.boot = start_cap("boot");
	files.code = start_cap("code");
	result = server_init(&server, &server_ops, start_cap("serve"), NULL);
	if (!result)
		result = server_hold_start(&server);
	if (!result)
		result = cap_account(&account);
	if (result)
		log_fatal_error(result, "cannot serve");
	make_handles();
	result = store_init();
	if (result)
		log_fatal_error(result, "cannot make the table of memory");
	session_start(&files.sessions, account);
	load();
	mount_volumes(argv + 1);
	make_changes();
	watching_start();
	locking_start(&files.tree.locks, &files.tree.slab);
	result = server_run(&server);
	log_fatal("server: %s", cap_error_text(result));
}
