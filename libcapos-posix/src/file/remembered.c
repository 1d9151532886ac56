/* SPDX-License-Identifier: MIT */
/*
 * Remembered attributes: those of the entries that were listed last, which a program that goes
 * through a directory asks for next, and those of open files.  Every answer is checked with the
 * counters, of which one says whether their server still lives, so none is older than the call.
 */
#include "file/remembered.h"

#include <string.h>

#include <capos/cap.h>
#include <capos/object.h>
#include <capos/schema/service_client.h>

#include "core/core.h"
#include "file/ahead.h"
#include "file/file.h"

#define PATH_MOST    128u /* of a directory whose entries are remembered */
#define PLACES       8u   /* directories: as deep as a walk through a tree is followed */
#define ENTRIES_MOST 128u
#define NAMES_MOST   4096u
/* Calls that the counters would have spared, before they are asked for: that is a message too. */
#define WORTH_IT 8u

/* ---- Counters ---- */

static const uint64_t *counters;
static uint64_t counters_era; /* of the service whose they are */
static bool refused;          /* the process's root is not that of all files */
static unsigned missed;

static void forget_counters(void)
{
	if (counters)
		cap_memory_unmap((void *)counters, CHANGES_COUNTERS * sizeof(uint64_t));
	counters = NULL;
}

static bool have_counters(void)
{
	struct directory_changes_results results;
	struct capos_call call = FILES_CALL();
	void *address;

	if (counters || refused)
		return counters;
	refused = true;
	if (!path_files() || cap_test(path_files(), &counters_era) ||
	    directory_changes(path_files(), &results, &call) || !call.ncaps)
		return false;
	if (!cap_memory_map(call.caps[0], 0, CHANGES_COUNTERS * sizeof(uint64_t), CAP_RIGHT_READ,
	                    &address))
		counters = address;
	cap_release(call.caps[0]);
	refused = !counters;
	return counters;
}

static bool says(uint32_t counter, uint64_t version)
{
	return version && counter < CHANGES_COUNTERS &&
	       __atomic_load_n(&counters[counter], __ATOMIC_ACQUIRE) == version;
}

/* ---- Directories ---- */

struct place {
	cap_t directory; /* CAP_NULL: nothing is known */
	cap_t base;
	uint64_t moved; /* what the counter of moves said when the path led there */
	uint32_t length;
	char path[PATH_MOST]; /* without slashes at its end */
};

static struct place places[PLACES];
static unsigned next_place;

static struct place *place_of(cap_t directory)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (places[i].directory == directory)
			return &places[i];
	return NULL;
}

void remembered_opened(cap_t directory, cap_t base, const struct msg_text *path,
                       const struct directory_open_results *results)
{
	struct place *p = &places[next_place];
	uint32_t length = path->len;

	while (length > 1 && path->ptr[length - 1] == '/')
		length--;
	if (!results->moved || length > PATH_MOST)
		return;
	*p = (struct place){
	        .directory = directory, .base = base, .moved = results->moved, .length = length};
	memcpy(p->path, path->ptr, length);
	next_place = (next_place + 1) % PLACES;
}

bool remembered_wants(cap_t directory)
{
	return place_of(directory) && have_counters();
}

/* ---- Entries ---- */

static struct {
	const struct place *place;
	cap_t directory; /* the place's, when it was listed */
	uint16_t counter;
	uint64_t version;
	unsigned count;
	unsigned last; /* that was asked for: the next is probably the same or the one behind it */
	uint32_t names_used;
	struct remembered_entry entries[ENTRIES_MOST];
	char names[NAMES_MOST];
} listed;

static bool is_dots(const char *name, size_t length)
{
	return name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));
}

static void forget_entries(cap_t directory, const struct directory_list_results *results)
{
	ahead_relisted();
	listed.place = place_of(directory);
	listed.directory = directory;
	listed.counter = results->counter;
	listed.version = results->version;
	listed.count = listed.last = 0;
	listed.names_used = 0;
}

/* False: there is no room for more. */
static bool add_entry(const struct directory_entry *named, const struct file_stat *stat)
{
	struct remembered_entry *entry = &listed.entries[listed.count];
	const struct msg_text *name = &named->name;

	if (listed.count == ENTRIES_MOST || name->len > NAMES_MOST - listed.names_used)
		return false;
	*entry = (struct remembered_entry){.stat = *stat,
	                                   .position = named->position,
	                                   .name = (uint16_t)listed.names_used,
	                                   .length = (uint8_t)name->len};
	memcpy(listed.names + entry->name, name->ptr, name->len);
	listed.names_used += name->len;
	listed.count++;
	return true;
}

void remembered_listed(cap_t directory, bool from_start,
                       const struct directory_list_results *results)
{
	const uint32_t n = results->entries.count;
	struct directory_entry named;
	struct file_stat stat;

	/* What follows is kept beside what came before, as far as there is room. */
	if (from_start || listed.directory != directory || listed.version != results->version ||
	    listed.count + n > ENTRIES_MOST)
		forget_entries(directory, results);
	if (!counters || results->stats.count != n)
		listed.place = NULL;
	for (uint32_t i = 0; listed.place && i < n; i++) {
		if (directory_entry_get(&results->entries, i, &named) ||
		    file_stat_get(&results->stats, i, &stat) || !named.name.len ||
		    named.name.len > 255)
			break;
		if (!is_dots(named.name.ptr, named.name.len) && !add_entry(&named, &stat))
			break;
	}
}

/* Whether the text is the name of something in the place that was listed: *name is its last
 * component. */
static bool is_in(const struct place *place, cap_t base, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 1;

	*name = slash ? slash + 1 : path;
	if (!slash && base == place->directory)
		return true;
	if (base != place->base)
		return false;
	if (!slash)
		path = ".";
	else if (!length)
		length = 1; /* "/" */
	return length == place->length && !memcmp(path, place->path, length);
}

static struct remembered_entry *entry_of(const char *name)
{
	size_t length = strlen(name);

	for (unsigned i = 0; i < listed.count; i++) {
		unsigned at = (listed.last + i) % listed.count;
		struct remembered_entry *entry = &listed.entries[at];

		if (entry->length == length && !memcmp(listed.names + entry->name, name, length)) {
			listed.last = at;
			return entry;
		}
	}
	return NULL;
}

/* Whether the server of what was listed lives; otherwise all of it is forgotten. */
static bool is_served(void)
{
	const uint64_t lock = __atomic_load_n(&counters[CHANGES_SERVER], __ATOMIC_ACQUIRE);

	if (lock & CAPOS_LOCK_OWNER)
		return true;
	listed.place = NULL;
	forget_counters();
	return false;
}

struct remembered_entry *remembered_find(cap_t base, const char *path)
{
	const struct place *place = listed.place;
	struct remembered_entry *entry;
	const char *name;

	/* Who may not search a directory on the way is to be told so, by the service. */
	if (!place || !counters || process_identity()->file_user ||
	    place->directory != listed.directory || !is_in(place, base, path, &name) ||
	    !is_served())
		return NULL;
	if (!says(CHANGES_MOVED, place->moved) || !says(listed.counter, listed.version))
		return NULL;
	entry = entry_of(name);
	return entry && says(entry->stat.counter, entry->stat.version) ? entry : NULL;
}

struct remembered_entry *remembered_next(struct remembered_entry *from,
                                         const struct directory_entry *named)
{
	for (; from < listed.entries + listed.count; from++) {
		if (from->position == named->position)
			return from;
	}
	return NULL;
}

unsigned remembered_number(const struct remembered_entry *entry)
{
	return (unsigned)(entry - listed.entries);
}

struct msg_text remembered_name(const struct remembered_entry *entry)
{
	return (struct msg_text){listed.names + entry->name, entry->length};
}

cap_t remembered_directory(void)
{
	return listed.directory;
}

bool remembered_stat(cap_t base, const char *path, bool follow, struct file_stat *out)
{
	const struct remembered_entry *entry = remembered_find(base, path);

	if (!entry || entry->stat.open || (follow && entry->stat.type == FILE_TYPE_SYMLINK))
		return false;
	*out = entry->stat;
	return true;
}

/* ---- Open files ---- */

/* Asks for the counters when they would have spared enough calls. */
static bool counters_are_worth_it(void)
{
	return counters || (++missed >= WORTH_IT && have_counters());
}

bool remembered_unwatched(void)
{
	return counters_are_worth_it() &&
	       !__atomic_load_n(&counters[CHANGES_WATCHERS], __ATOMIC_ACQUIRE);
}

bool remembered_open_stat(const struct file_stat *stat, cap_t file, cap_t contents)
{
	struct cap_memory_status now;

	if (!stat->version || !stat->open || !contents)
		return false;
	if (!counters_are_worth_it())
		return false;
	return says(stat->counter, stat->version) &&
	       !cap_memory_status(contents, file, counters_era, &now) && now.size == stat->size &&
	       now.pages == stat->pages && now.changed_ns == stat->changed_ns &&
	       now.loaded_ns == stat->loaded_ns;
}
