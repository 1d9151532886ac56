/* SPDX-License-Identifier: MIT */
/*
 * Paths across volumes: a path that leads into one or out of one is followed here, from Directory
 * to Directory, so that no server has to wait for another.
 */
#include "file/volume.h"

#include <errno.h>
#include <string.h>

#include <capos/object.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>

#include "core/core.h"
#include "file/file.h"

/* Into a volume and out of it, by symlinks: as many as Linux follows. */
#define HOPS_MAX 40u

void path_start_at(struct path_walk *w, cap_t base, const char *path)
{
	*w = (struct path_walk){.base = base, .path = path_text(path)};
}

int path_start(struct path_walk *w, int directory_fd, const char *path)
{
	const char *given = path;
	char *own = NULL;
	cap_t base;
	int result = path_base(directory_fd, &path, &base);

	if (!result && path_is_made(directory_fd, given)) {
		own = posix_alloc(PATH_BYTES);
		result = own ? path_place(directory_fd, &path, &base, own) : -ENOMEM;
	}
	if (result) {
		posix_free(own);
		return result;
	}
	path_start_at(w, base, path);
	w->own = own;
	return 0;
}

void path_end(struct path_walk *w)
{
	cap_release(w->held);
	posix_free(w->own);
	w->held = CAP_NULL;
	w->own = NULL;
}

static void release_all(const struct capos_call *call)
{
	for (uint32_t i = 0; i < call->ncaps; i++)
		cap_release(call->caps[i]);
}

static void move_to(struct path_walk *w, cap_t base, bool held)
{
	cap_release(w->held);
	w->base = base;
	w->held = held ? base : CAP_NULL;
}

/* One step: 0 or -errno.  *here: the Directory knows the path. */
static int step(struct path_walk *w, bool follow, bool *here, uint32_t *volume)
{
	const struct directory_follow_params params = {.path = w->path, .follow_link = follow};
	struct directory_follow_results on;
	struct capos_call call = FILES_CALL();
	int result = ++w->hops > HOPS_MAX
	                     ? -ELOOP
	                     : errno_of(directory_follow(w->base, &params, &on, &call));

	if (result)
		return result;
	*here = on.end == FOLLOW_END_HERE;
	*volume = on.volume;
	if (call.ncaps != (on.end == FOLLOW_END_VOLUME) || on.path.len >= PATH_BYTES) {
		release_all(&call);
		return -EIO;
	}
	if (*here)
		return 0;
	if (!w->own)
		w->own = posix_alloc(PATH_BYTES);
	if (!w->own) {
		release_all(&call);
		return -ENOMEM;
	}
	memcpy(w->own, on.path.ptr, on.path.len);
	w->path = (struct msg_text){w->own, on.path.len};
	w->own[on.path.len] = 0;
	if (on.end == FOLLOW_END_VOLUME)
		move_to(w, call.caps[0], true);
	else
		move_to(w, path_root(), false);
	return w->base ? 0 : -EACCES;
}

bool path_goes_on(struct path_walk *w, bool follow, int *result)
{
	uint32_t volume;
	bool here;

	if (*result == STATUS_ELSEWHERE) {
		*result = step(w, follow, &here, &volume);
		if (!*result)
			return true;
	} else {
		*result = errno_of(*result);
	}
	path_end(w);
	return false;
}

int path_locate(struct path_walk *w, bool follow, uint32_t *volume)
{
	bool here = false;
	int result = 0;

	while (!here && !result)
		result = step(w, follow, &here, volume);
	if (result)
		path_end(w);
	return result;
}

/* ---- Copies ---- */

/* A file without a name, to be filled: its File, and its contents. */
static int make_file(cap_t *file, cap_t *contents)
{
	const struct directory_open_params params = {
	        .path = MSG_TEXT("/"),
	        .flags = OPEN_READ | OPEN_WRITE | OPEN_ANONYMOUS | OPEN_EXCLUSIVE | OPEN_CONTENTS,
	        .mode = 0700};
	struct directory_open_results results;
	struct capos_call call = FILES_CALL();
	cap_t files = path_files();
	int result = files ? errno_of(directory_open(files, &params, &results, &call)) : -EACCES;

	if (result)
		return result;
	if (!results.has_contents || call.ncaps != 2) {
		release_all(&call);
		return -ENOMEM;
	}
	*file = call.caps[0];
	*contents = call.caps[1];
	return 0;
}

static int fill(cap_t from, cap_t contents, uint64_t size)
{
	uint64_t done = 0;

	while (done < size) {
		const struct file_read_params params = {.offset = done,
		                                        .length = size - done < FILES_CHUNK
		                                                          ? (uint32_t)(size - done)
		                                                          : FILES_CHUNK};
		struct file_read_results results;
		struct capos_call call = FILES_CALL();
		struct cap_copied stored;
		int result = errno_of(file_read(from, &params, &results, &call));

		if (result)
			return result;
		if (!results.data.len)
			return 0; /* it has become shorter: the rest reads as zeroes */
		if (results.data.len > params.length)
			return -EIO;
		result = errno_of(cap_memory_store(contents, CAP_NULL, false, done,
		                                   results.data.ptr, results.data.len, &stored));
		if (result || stored.length < results.data.len)
			return result ? result : -ENOMEM;
		done += stored.length;
	}
	return 0;
}

/* What File.memory gives: 0 or -errno. */
static int ask_memory(cap_t file, cap_t *memory, uint64_t *size)
{
	struct file_memory_results results;
	struct capos_call call = FILES_CALL();
	int result = errno_of(file_memory(file, &results, &call));

	if (result)
		return result;
	if (call.ncaps != 1) {
		release_all(&call);
		return -EIO;
	}
	*memory = call.caps[0];
	*size = results.size;
	return 0;
}

int volume_memory(cap_t file, cap_t *memory, uint64_t *size)
{
	struct file_stat_results stat;
	struct file_grow_params grow = {.offset = 0};
	struct capos_call call = FILES_CALL();
	cap_t copy, contents;
	int result = ask_memory(file, memory, size);

	if (result != -EOPNOTSUPP)
		return result;
	result = errno_of(file_stat(file, &stat, &call));
	grow.length = result ? 0 : stat.stat.size;
	if (!result)
		result = make_file(&copy, &contents);
	if (result)
		return result;
	if (!grow.length) {
		cap_release(copy);
		*memory = contents;
		*size = 0;
		return 0;
	}
	result = errno_of(file_grow(copy, &grow, NULL));
	if (!result)
		result = fill(file, contents, grow.length);
	if (!result)
		result = ask_memory(copy, memory, size);
	cap_release(contents);
	cap_release(copy);
	return result == -ENOSPC ? -ENOMEM : result;
}

/* ---- Shared memory ---- */

/* One call; sent: a MemoryObject of our own, or CAP_NULL. */
static int ask_shared(cap_t file, cap_t sent, cap_t *memory)
{
	const struct capos_send_cap send = {.cap = sent, .rights = CAP_RIGHTS_ALL};
	const struct file_share_params params = {.memory_index = 0};
	struct file_share_results results;
	struct capos_call call = FILES_CALL(.send_caps = &send, .send_ncaps = sent ? 1 : 0);
	int result = errno_of(file_share(file, &params, &results, &call));

	if (result)
		return result;
	if (call.ncaps != 1) {
		release_all(&call);
		return -EIO;
	}
	*memory = call.caps[0];
	return 0;
}

int volume_shared_memory(cap_t file, bool offered, uint64_t buffer, cap_t *memory)
{
	int result = ask_shared(file, CAP_NULL, memory);
	cap_t own;

	if (result != -ENOENT || !offered)
		return result;
	/* A file's size is the driver's business. */
	result = errno_of(buffer ? cap_memory_create_committed(buffer, &own)
	                         : cap_memory_create(PAGE_BYTES, &own));
	if (result)
		return result;
	result = ask_shared(file, own, memory);
	cap_release(own);
	return result;
}

/* ---- Volumes by number ---- */

/* call: the results are read through it. */
static int list_volumes(struct directory_volumes_results *results, struct capos_call *call)
{
	return path_root() ? errno_of(directory_volumes(path_root(), results, call)) : -EACCES;
}

uint32_t volumes_count(void)
{
	struct directory_volumes_results results;
	struct capos_call call = FILES_CALL();

	return list_volumes(&results, &call) ? 0 : results.volumes.count;
}

int volume_at(uint32_t index, char path[PATH_BYTES], uint32_t *number)
{
	struct directory_volumes_results results;
	struct mounted_volume volume;
	struct capos_call call = FILES_CALL();
	int result = list_volumes(&results, &call);

	if (result)
		return result;
	if (mounted_volume_get(&results.volumes, index, &volume))
		return -ENOENT;
	if (volume.path.len >= PATH_BYTES)
		return -EIO;
	memcpy(path, volume.path.ptr, volume.path.len);
	path[volume.path.len] = 0;
	*number = volume.number;
	return 0;
}

int volume_directory(uint32_t number, cap_t *directory)
{
	struct path_walk w;
	char path[PATH_BYTES];
	uint32_t at = 0;
	int result;

	for (uint32_t i = 0; at != number; i++) {
		result = volume_at(i, path, &at);
		if (result)
			return result;
	}
	path_start_at(&w, path_root(), path);
	result = path_locate(&w, true, &at);
	if (!result)
		result = at == number ? errno_of(cap_copy(w.base, CAP_RIGHTS_ALL, directory))
		                      : -ENOENT;
	path_end(&w);
	return result;
}
