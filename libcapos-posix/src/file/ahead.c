/* SPDX-License-Identifier: MIT */
/*
 * Files opened ahead, of the directory that was listed last.  The service has checked that the
 * program may read them; as long as the counters say that nothing has changed, opening them now
 * would give the same.  What is kept here others could take notice of, as of a file that is open:
 * so none of it is kept while this process sleeps.
 */
#include "file/ahead.h"

#include <string.h>

#include <capos/cap.h>
#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/contents.h"
#include "file/file.h"
#include "file/remembered.h"

#define IN_TURN   2  /* files that were opened one after the other, before more are */
#define NOT_AGAIN 64 /* as many, after some were given back unused */
#define GAP_MOST  8u /* entries between two such files: directories, say */

/* ---- What is closed ---- */

struct pair {
	cap_t object, file;
};

static struct pair closed[OPEN_FOLLOWING_MAX];
static unsigned nclosed;

void files_settle_closed(void)
{
	for (unsigned i = 0; i < nclosed; i++) {
		cap_release_with_next(closed[i].object);
		cap_release_with_next(closed[i].file);
	}
	nclosed = 0;
}

void ahead_close(cap_t object, cap_t file)
{
	if (nclosed == OPEN_FOLLOWING_MAX)
		files_settle_closed();
	closed[nclosed++] = (struct pair){object, file};
}

/* ---- What is opened ---- */

static struct {
	struct remembered_entry *entry; /* NULL: it was opened */
	struct pair caps;
} kept[OPEN_FOLLOWING_MAX];
static unsigned nkept, nopened; /* of those, how many were opened */
static unsigned behind_last;    /* the entry behind the one that was opened last */
static int in_turn;

/* Gives back what the program did not open. */
static void drop(void)
{
	for (unsigned i = 0; i < nkept; i++) {
		if (kept[i].entry)
			ahead_close(kept[i].caps.object, kept[i].caps.file);
	}
	if (nopened < nkept)
		in_turn = IN_TURN - NOT_AGAIN;
	nkept = nopened = 0;
}

void ahead_relisted(void)
{
	drop();
	behind_last = 0;
}

void files_settle(void)
{
	drop();
	files_settle_closed();
}

/* Whether the program seems to go through the entries. */
static bool is_next(const struct remembered_entry *entry)
{
	const unsigned number = remembered_number(entry);
	const bool next = number >= behind_last && number < behind_last + GAP_MOST;

	behind_last = number + 1;
	in_turn = next ? in_turn + (in_turn < IN_TURN) : in_turn < 0 ? in_turn : 0;
	return in_turn >= IN_TURN;
}

/* The i-th of the answer is kept, if it is the file that was listed. */
static bool keep(const struct directory_open_following_results *results, uint32_t i,
                 struct remembered_entry **at, const struct pair *caps)
{
	struct remembered_entry *entry;
	struct directory_entry named;
	struct file_stat stat;

	if (directory_entry_get(&results->entries, i, &named) ||
	    file_stat_get(&results->stats, i, &stat))
		return false;
	entry = remembered_next(*at, &named);
	if (!entry || entry->stat.inode != stat.inode)
		return false;
	entry->stat = stat;
	kept[nkept].entry = entry;
	kept[nkept++].caps = *caps;
	*at = entry + 1;
	return true;
}

static void open_following(struct remembered_entry *entry)
{
	const struct directory_open_following_params params = {.name = remembered_name(entry)};
	struct directory_open_following_results results;
	struct capos_call call = FILES_CALL();
	uint32_t i = 0;

	drop();
	if (directory_open_following(remembered_directory(), &params, &results, &call))
		return;
	while (2 * i + 1 < call.ncaps && nkept < OPEN_FOLLOWING_MAX) {
		const struct pair caps = {.file = call.caps[2 * i], .object = call.caps[2 * i + 1]};

		if (!keep(&results, i, &entry, &caps))
			break;
		i++;
	}
	for (i *= 2; i < call.ncaps; i++)
		cap_release_later(call.caps[i]);
}

static bool take(struct remembered_entry *entry, struct contents *out)
{
	unsigned i = 0;

	while (i < nkept && kept[i].entry != entry)
		i++;
	if (i == nkept)
		return false;
	entry->stat.open = true;
	*out = (struct contents){.file = kept[i].caps.file,
	                         .object = kept[i].caps.object,
	                         .asked = true,
	                         .untold = true,
	                         .stat = entry->stat};
	kept[i].entry = NULL;
	nopened++;
	return true;
}

bool ahead_open(cap_t base, const char *path, struct contents *out)
{
	struct remembered_entry *entry = remembered_find(base, path);
	bool goes_on;

	if (!entry || entry->stat.type != FILE_TYPE_REGULAR)
		return false;
	goes_on = is_next(entry);
	if (!remembered_unwatched()) {
		drop();
		return false;
	}
	if (take(entry, out))
		return true;
	if (!goes_on)
		return false;
	open_following(entry);
	entry = remembered_find(base, path); /* what was listed may have changed meanwhile */
	return entry && take(entry, out);
}
