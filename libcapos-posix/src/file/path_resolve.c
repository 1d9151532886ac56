/* SPDX-License-Identifier: MIT */
/*
 * Resolution of paths that leave the files service: it knows where links lead, and not what the
 * library has below /proc and /dev.  Asked for only when the service says that a path does so.
 */
#include <errno.h>
#include <string.h>

#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/file.h"

#define LINKS_MAX 40 /* as Linux: a path leads through no more */

struct resolving {
	char done[PATH_BYTES]; /* from the root, without links and without a slash at the end */
	char rest[PATH_BYTES]; /* what is still to be looked at */
	char next[PATH_BYTES];
	unsigned links;
};

/* Puts a link's target in front of the rest.  False: too long, or too many. */
static bool expand(struct resolving *r, const struct msg_text *target)
{
	size_t rest = strlen(r->rest);

	if (++r->links > LINKS_MAX || target->len + 1 + rest >= PATH_BYTES)
		return false;
	memcpy(r->next, target->ptr, target->len);
	r->next[target->len] = '/';
	memcpy(r->next + target->len + 1, r->rest, rest + 1);
	memcpy(r->rest, r->next, target->len + 1 + rest + 1);
	return true;
}

/* When what has been resolved so far is a link, the rest has its target now. */
static void follow(struct resolving *r, size_t before, bool *fits)
{
	struct directory_read_link_params params;
	struct directory_read_link_results results;
	struct path_walk w;
	int result;

	path_start_at(&w, path_root(), r->done);
	do {
		struct capos_call call = FILES_CALL();
		params.path = w.path;
		result = directory_read_link(w.base, &params, &results, &call);
	} while (path_goes_on(&w, false, &result));
	if (result)
		return;
	r->done[results.target.len && *results.target.ptr == '/' ? 0 : before] = 0;
	*fits = expand(r, &results.target);
}

static bool is(const char *text, size_t length, const char *name)
{
	return length == strlen(name) && !memcmp(text, name, length);
}

/* Without its last component, if it has one. */
static void go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = 0;
}

/* One component.  False: it is too long. */
static bool step(struct resolving *r)
{
	const size_t length = strcspn(r->rest, "/"), before = strlen(r->done);
	const size_t used = r->rest[length] ? length + 1 : length;
	const bool up = is(r->rest, length, ".."), here = !length || is(r->rest, length, ".");
	bool fits = true;

	if (up) {
		go_up(r->done);
	} else if (!here) {
		if (before + 1 + length >= PATH_BYTES)
			return false;
		r->done[before] = '/';
		memcpy(r->done + before + 1, r->rest, length);
		r->done[before + 1 + length] = 0;
	}
	memmove(r->rest, r->rest + used, strlen(r->rest + used) + 1);
	if (!up && !here)
		follow(r, before, &fits);
	return fits;
}

/* Where the path starts.  0 or -errno. */
static int begin(struct resolving *r, int directory_fd, const char *path)
{
	struct directory_path_results results;
	struct capos_call call = FILES_CALL();
	cap_t base;
	int result = path_place(directory_fd, &path, &base, r->next);

	if (result)
		return result;
	strcpy(r->rest, path);
	if (*path == '/')
		return 0;
	result = path_of_directory(base, &results, &call);
	if (result)
		return result;
	if (results.path.len >= PATH_BYTES)
		return -ENAMETOOLONG;
	memcpy(r->done, results.path.ptr, results.path.len);
	r->done[results.path.len == 1 ? 0 : results.path.len] = 0; /* the root's is one slash */
	return 0;
}

char *path_resolve(int directory_fd, const char *path)
{
	struct resolving *r = posix_alloc(sizeof(*r));
	bool fits;

	if (!r)
		return NULL;
	*r = (struct resolving){.links = 0};
	fits = !begin(r, directory_fd, path);
	while (fits && *r->rest)
		fits = step(r);
	if (fits)
		return r->done; /* the first member: all of it is freed by this */
	posix_free(r);
	return NULL;
}
