/* SPDX-License-Identifier: MIT */
/*
 * Puts files and directories of the host into a boot archive.  Names are sorted, so that the same
 * tree gives the same archive.  Only sizes and names are read here; the bytes are read when the
 * archive is written.
 */
#include "tools/capos/put.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "tools/capos/complain.h"

static void check_added(int error, const char *host_path, const char *guest_path)
{
	if (error == EINVAL)
		die("%s is no path for a file of the guest (absolute, without . and .., at most "
		    "%u bytes)",
		    guest_path, CAPOS_ARCHIVE_NAME - 1);
	if (error == EMFILE)
		die("cannot put %s into the guest: there are too many files", host_path);
	if (error != 0)
		die("cannot put %s into the guest: %s", host_path, strerror(error));
}

static void put_file(struct archive_writer *writer, const char *host_path, const char *guest_path,
                     const struct stat *st)
{
	if (access(host_path, R_OK) != 0)
		die("cannot put %s into the guest: %s", host_path, strerror(errno));
	check_added(archive_writer_add_path(writer, guest_path, st->st_mode & 07777, st->st_mtime,
	                                    must(strdup(host_path)), (uint64_t)st->st_size),
	            host_path, guest_path);
}

static void put_link(struct archive_writer *writer, const char *host_path, const char *guest_path,
                     const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t length = readlink(host_path, target, sizeof(target));

	if (length <= 0 || length == (ssize_t)sizeof(target))
		die("cannot put %s into the guest: %s", host_path,
		    length < 0 ? strerror(errno) : "the target of this link is too long");
	char *kept = must(malloc((size_t)length));
	memcpy(kept, target, (size_t)length);
	check_added(archive_writer_add(writer, guest_path, CAPOS_ARCHIVE_SYMLINK, 0777,
	                               st->st_mtime, kept, (uint64_t)length),
	            host_path, guest_path);
}

static void put_directory(struct archive_writer *writer, const char *host_path,
                          const char *guest_path, const struct stat *st)
{
	if (guest_path[strspn(guest_path, "/")] == '\0')
		return; /* the root needs no entry */
	check_added(archive_writer_add(writer, guest_path, CAPOS_ARCHIVE_DIRECTORY,
	                               st->st_mode & 07777, st->st_mtime, "", 0),
	            host_path, guest_path);
}

static void put_entry(struct archive_writer *writer, FTSENT *entry, const char *guest_path)
{
	switch (entry->fts_info) {
	case FTS_F:
		put_file(writer, entry->fts_accpath, guest_path, entry->fts_statp);
		break;
	case FTS_SL:
	case FTS_SLNONE:
		put_link(writer, entry->fts_accpath, guest_path, entry->fts_statp);
		break;
	case FTS_DP: /* on the way back: what is made in a directory later would change its time */
		put_directory(writer, entry->fts_path, guest_path, entry->fts_statp);
		break;
	case FTS_D:
		break;
	case FTS_DC:
		die("cannot put %s into the guest: the directory contains itself", entry->fts_path);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		die("cannot put %s into the guest: %s", entry->fts_path,
		    strerror(entry->fts_errno));
	default:
		die("cannot put %s into the guest: it is neither a file, a directory nor a "
		    "symbolic link",
		    entry->fts_path);
	}
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void put_tree(struct archive_writer *writer, const char *host_path, const char *guest_path)
{
	/* fts follows a link that is given to it when that ends in a slash. */
	char *roots[] = {must_format("%s/", host_path), NULL};
	size_t root_length = strlen(roots[0]);
	size_t guest_length = strlen(guest_path);
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *entry;

	if (!tree)
		die("cannot put %s into the guest: %s", host_path, strerror(errno));
	while (guest_length > 0 && guest_path[guest_length - 1] == '/')
		guest_length--;
	while (errno = 0, entry = fts_read(tree)) {
		const char *below =
		        entry->fts_pathlen > root_length ? entry->fts_path + root_length : "";
		char *name = must_format("%.*s%s%s", (int)guest_length, guest_path,
		                         *below != '\0' ? "/" : "", below);
		put_entry(writer, entry, name);
		free(name);
	}
	if (errno != 0)
		die("cannot put %s into the guest: %s", host_path, strerror(errno));
	fts_close(tree);
	free(roots[0]);
}

/* Where a file goes: below a path that ends in a slash, under its own name. */
static char *put_name(const char *host_path, const char *guest_path)
{
	const char *slash = strrchr(host_path, '/');
	size_t length = strlen(guest_path);
	bool below = length > 0 && guest_path[length - 1] == '/';

	return must_format("%s%s", guest_path, !below ? "" : slash ? slash + 1 : host_path);
}

void put_into_guest(struct archive_writer *writer, const char *host_path, const char *guest_path)
{
	struct stat st;

	if (stat(host_path, &st) != 0)
		die("cannot put %s into the guest: %s", host_path, strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		put_tree(writer, host_path, guest_path);
	} else if (S_ISREG(st.st_mode)) {
		char *name = put_name(host_path, guest_path);
		put_file(writer, host_path, name, &st);
		free(name);
	} else {
		die("cannot put %s into the guest: it is neither a file nor a directory",
		    host_path);
	}
}
