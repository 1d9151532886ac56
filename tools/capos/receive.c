/* SPDX-License-Identifier: MIT */
/*
 * --output on the host.  Everything below a path of the user is reached by openat and its kin with
 * one component, which is never "." or "..", and never through a symbolic link (O_NOFOLLOW). Set-id
 * and sticky bits of the guest are dropped: the host's files are owned by another user.
 */
#include "tools/capos/receive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#define MODE_KEPT 0777u

/* ---- Reports ---- */

static const struct host_file *current(const struct receive *r)
{
	return &r->outputs[r->index];
}

static void report(struct receive *r, const char *problem)
{
	if (r->errors++ < RECEIVE_REPORTS_MAX)
		complain("--output %s:%s: %s%s%s", current(r)->guest_path, current(r)->host_path,
		         r->name, r->name[0] != '\0' ? ": " : "", problem);
}

/* Nothing more is taken of the stream. */
static bool stop(struct receive *r, const char *problem)
{
	r->name[0] = '\0';
	report(r, problem);
	r->stopped = true;
	return false;
}

static bool stop_malformed(struct receive *r)
{
	if (r->index == r->noutputs)
		r->index--; /* for the message */
	return stop(r, "what the guest sent makes no sense");
}

/* ---- Where an entry goes ---- */

/* The path is followed as any other, since the user chose it. */
static void open_place(struct output_place *place, const char *host_path)
{
	char *path = must(strdup(host_path));
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		path[--length] = '\0';
	char *slash = strrchr(path, '/');
	place->name = must(strdup(slash ? slash + 1 : path));
	place->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->inside = place->directory >= 0;
	if (slash)
		slash[slash == path] = '\0';
	if (!place->inside)
		place->directory = open(slash ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	place->error = errno;
	free(path);
}

static void close_place(struct output_place *place)
{
	if (place->directory >= 0)
		close(place->directory);
	free(place->name);
}

/* Where the first entry of an output goes: the name that the user chose, or the directory. */
static struct entry_place first_place(struct receive *r)
{
	const struct output_place *named = &r->places[r->index];
	struct entry_place place = {.directory = -1, .name = must(strdup(named->name))};

	if (named->directory >= 0)
		place.directory = fcntl(named->directory, F_DUPFD_CLOEXEC, 0);
	if (place.directory < 0)
		report(r, strerror(named->directory < 0 ? named->error : errno));
	return place;
}

/* A file that goes to a directory keeps its name.  The directory may be one that an earlier output
 * of the same place made. */
static void go_inside(const struct receive *r, struct entry_place *place)
{
	int directory = place->directory;

	if (directory < 0)
		return;
	if (!r->places[r->index].inside) {
		int made = openat(directory, place->name,
		                  O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (made < 0)
			return;
		close(directory);
		place->directory = made;
	}
	free(place->name);
	place->name = must(strdup(strrchr(current(r)->guest_path, '/') + 1));
}

/* Where an entry that is no directory goes. */
static struct entry_place place_of(struct receive *r)
{
	struct entry_place place;

	if (r->depth > 0)
		return (struct entry_place){.directory = r->directories[r->depth - 1],
		                            .name = must(strdup(r->name))};
	place = first_place(r);
	go_inside(r, &place);
	return place;
}

static void place_free(const struct receive *r, struct entry_place *place)
{
	if (r->depth == 0 && place->directory >= 0)
		close(place->directory);
	free(place->name);
}

/* ---- Entries ---- */

/* A file system without modes or times still has the bytes. */
static void set_attributes(int fd, const struct capos_output_record *record)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	int64_t ns = record->modify_ns;

	times[1].tv_sec = ns / 1000000000 - (ns % 1000000000 < 0);
	times[1].tv_nsec = (ns % 1000000000 + 1000000000) % 1000000000;
	(void)!fchmod(fd, record->mode & MODE_KEPT);
	(void)!futimens(fd, times);
}

/* A file has no name until all of it has arrived, so that a full disk, or a machine that ends,
 * leaves what was there; where the file system has no such files, a name beside it. */
static int open_unnamed(struct receive *r, int directory)
{
	int fd = openat(directory, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

	r->file_named = false;
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	fd = openat(directory, r->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	            0600);
	r->file_named = fd >= 0;
	return fd;
}

/* Gives an open file without a name the temporary one. */
static bool give_name(struct receive *r)
{
	char self[40];

	if (r->file_named)
		return true;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", r->file);
	r->file_named =
	        !linkat(AT_FDCWD, self, r->file_place.directory, r->temporary, AT_SYMLINK_FOLLOW);
	return r->file_named;
}

/* whole: it takes its place; else it was never there. */
static void close_file(struct receive *r, bool whole)
{
	const struct entry_place *place = &r->file_place;

	if (r->file >= 0) {
		set_attributes(r->file, &r->file_record);
		bool good = whole && give_name(r);
		/* Some file systems report only at close that there was no room. */
		good = close(r->file) == 0 && good;
		/* Replaced, not overwritten: what is there may be a link, or another's file. */
		if (good)
			good = !renameat(place->directory, r->temporary, place->directory,
			                 place->name);
		if (whole && !good)
			report(r, strerror(errno));
		if (!good && r->file_named)
			unlinkat(place->directory, r->temporary, 0);
	}
	if (r->file_open)
		place_free(r, &r->file_place);
	r->file = -1;
	r->file_open = false;
}

static void open_file(struct receive *r, const struct capos_output_record *record)
{
	r->file_place = place_of(r);
	r->file_open = true;
	r->file_record = *record;
	if (r->file_place.directory < 0)
		return;
	r->file = open_unnamed(r, r->file_place.directory);
	if (r->file < 0)
		report(r, strerror(errno));
}

static bool add_data(struct receive *r, const unsigned char *data, size_t size)
{
	if (!r->file_open)
		return stop_malformed(r);
	if (size > r->limit - r->bytes) {
		close_file(r, true); /* as far as it goes: that is said */
		r->errors = 0;       /* this one is always reported */
		return stop(r, "cut: more than --file-limit allows");
	}
	r->bytes += size;
	while (size > 0 && r->file >= 0) {
		ssize_t n = write(r->file, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return stop(r, strerror(errno));
		data += n;
		size -= (size_t)n;
	}
	return true;
}

static bool make_link(struct receive *r, const unsigned char *target, size_t size)
{
	char text[4096];

	/* Never in the place that the user named: the next run would follow it. */
	if (r->depth == 0 || size == 0 || size >= sizeof(text) || memchr(target, '\0', size))
		return stop_malformed(r);
	memcpy(text, target, size);
	text[size] = '\0';
	struct entry_place place = place_of(r);
	if (place.directory >= 0) {
		unlinkat(place.directory, place.name, 0);
		if (symlinkat(text, place.directory, place.name) != 0)
			report(r, strerror(errno));
	}
	place_free(r, &place);
	return true;
}

/* Opens the directory, made unless it exists; -1 after a report. */
static int make_directory(struct receive *r, int parent, const char *name, bool *made)
{
	*made = mkdirat(parent, name, 0700) == 0;
	if (!*made && errno != EEXIST) {
		report(r, strerror(errno));
		return -1;
	}
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		report(r, errno == ELOOP || errno == ENOTDIR ? "exists and is no directory"
		                                             : strerror(errno));
	return fd;
}

static bool enter(struct receive *r)
{
	int fd = -1;
	bool made = false;

	if (r->depth == CAPOS_OUTPUT_DEPTH)
		return stop_malformed(r);
	if (r->depth == 0 && r->places[r->index].inside) {
		fd = fcntl(r->places[r->index].directory, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			report(r, strerror(errno));
	} else {
		struct entry_place place = r->depth == 0 ? first_place(r) : place_of(r);
		if (place.directory >= 0)
			fd = make_directory(r, place.directory, place.name, &made);
		place_free(r, &place);
	}
	r->made[r->depth] = made;
	r->directories[r->depth++] = fd;
	return true;
}

static bool leave(struct receive *r, const struct capos_output_record *record)
{
	if (r->depth == 0)
		return stop_malformed(r);
	r->depth--;
	if (r->directories[r->depth] < 0)
		return true;
	if (r->made[r->depth])
		set_attributes(r->directories[r->depth], record);
	close(r->directories[r->depth]);
	return true;
}

/* ---- Records ---- */

static bool name_is_valid(const char *name, size_t length)
{
	return length > 0 && !memchr(name, '/', length) && !memchr(name, '\0', length) &&
	       !(length == 1 && name[0] == '.') &&
	       !(length == 2 && name[0] == '.' && name[1] == '.');
}

/* A FILE, SYMLINK or ENTER: whether it may come now, under that name. */
static bool entry_is_valid(struct receive *r, const char *name, size_t length)
{
	bool first = r->depth == 0;

	if (!r->begun || (first ? r->arrived || length != 0 : !name_is_valid(name, length)))
		return stop_malformed(r);
	if (++r->entries > RECEIVE_ENTRIES_MAX)
		return stop(r, "cut: too many files");
	r->arrived = true;
	memcpy(r->name, name, length);
	r->name[length] = '\0';
	return true;
}

static bool begin_or_end(struct receive *r, bool begin)
{
	if (r->begun == begin || r->depth != 0 || r->index == r->noutputs)
		return stop_malformed(r);
	r->begun = begin;
	r->name[0] = '\0';
	if (begin) {
		r->arrived = false;
		return true;
	}
	if (!r->arrived && r->errors == 0)
		return stop_malformed(r);
	r->index++;
	return true;
}

static bool take_error(struct receive *r, const unsigned char *text, size_t size)
{
	char line[512];

	if (!r->begun)
		return stop_malformed(r);
	snprintf(line, sizeof(line), "%.*s", (int)(size < sizeof(line) ? size : sizeof(line) - 1),
	         (const char *)text);
	r->name[0] = '\0';
	report(r, line);
	return true;
}

static bool handle(struct receive *r, const struct capos_output_record *record)
{
	const char *name = (const char *)r->record + sizeof(*record);
	const unsigned char *payload = (const unsigned char *)name + record->name_length;

	/* An ERROR behind a file says that it is not whole. */
	if (record->kind != CAPOS_OUTPUT_DATA && r->file_open)
		close_file(r, record->kind != CAPOS_OUTPUT_ERROR);
	switch (record->kind) {
	case CAPOS_OUTPUT_BEGIN:
	case CAPOS_OUTPUT_END:
		return begin_or_end(r, record->kind == CAPOS_OUTPUT_BEGIN);
	case CAPOS_OUTPUT_FILE:
		if (!entry_is_valid(r, name, record->name_length))
			return false;
		open_file(r, record);
		return true;
	case CAPOS_OUTPUT_DATA:
		return add_data(r, payload, record->length);
	case CAPOS_OUTPUT_SYMLINK:
		return entry_is_valid(r, name, record->name_length) &&
		       make_link(r, payload, record->length);
	case CAPOS_OUTPUT_ENTER:
		return entry_is_valid(r, name, record->name_length) && enter(r);
	case CAPOS_OUTPUT_LEAVE:
		return leave(r, record);
	case CAPOS_OUTPUT_ERROR:
		return take_error(r, payload, record->length);
	}
	return stop_malformed(r);
}

/* Bytes of the record that has begun; 0: its header is not whole yet, or makes no sense. */
static size_t record_length(struct receive *r, struct capos_output_record *record)
{
	if (r->have < sizeof(*record))
		return 0;
	memcpy(record, r->record, sizeof(*record));
	if (record->magic != CAPOS_OUTPUT_MAGIC || record->name_length > CAPOS_OUTPUT_NAME ||
	    record->length > CAPOS_OUTPUT_PAYLOAD) {
		stop_malformed(r);
		return 0;
	}
	return sizeof(*record) + record->name_length + record->length;
}

void receive_init(struct receive *r, const struct host_file *outputs, size_t noutputs,
                  uint64_t limit)
{
	memset(r, 0, sizeof(*r));
	r->outputs = outputs;
	r->noutputs = noutputs;
	r->limit = limit;
	r->file = -1;
	snprintf(r->temporary, sizeof(r->temporary), ".capos.%ld.new", (long)getpid());
	for (size_t i = 0; i < noutputs; i++)
		open_place(&r->places[i], outputs[i].host_path);
}

bool receive_add(struct receive *r, const void *bytes, size_t size)
{
	const unsigned char *in = bytes;
	struct capos_output_record record;

	while (!r->stopped && size > 0) {
		size_t length = record_length(r, &record);
		if (r->stopped)
			break;
		size_t wanted = (length != 0 ? length : sizeof(record)) - r->have;
		size_t n = size < wanted ? size : wanted;
		memcpy(r->record + r->have, in, n);
		r->have += n;
		in += n;
		size -= n;
		length = record_length(r, &record);
		if (length != 0 && r->have == length) {
			r->have = 0;
			handle(r, &record);
		}
	}
	return !r->stopped;
}

bool receive_finish(struct receive *r)
{
	if (r->file_open)
		close_file(r, false);
	while (r->depth > 0) {
		r->depth--;
		if (r->directories[r->depth] >= 0)
			close(r->directories[r->depth]);
	}
	for (size_t i = 0; i < r->noutputs; i++)
		close_place(&r->places[i]);
	r->name[0] = '\0';
	if (r->errors > RECEIVE_REPORTS_MAX)
		complain("--output: %u more failures", r->errors - RECEIVE_REPORTS_MAX);
	for (; !r->stopped && r->index < r->noutputs; r->index++) {
		r->errors = 0; /* each is reported */
		report(r, "not copied: the guest did not send all of it");
		r->errors = 1;
	}
	return r->errors == 0 && !r->stopped;
}
