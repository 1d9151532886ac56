/* SPDX-License-Identifier: MIT */
/*
 * A shared mapping of a volume's file holds the File, by which the volume's driver knows that the
 * bytes are still in use.  They go to the host with msync, when they are unmapped, and when the
 * process ends; when it is killed, the driver sees the File go and does the same.
 */
#include "memory/shared.h"

#include <capos/cap.h>
#include <capos/object.h>
#include <capos/schema/service_client.h>

#include "core/core.h"
#include "memory/memory.h"

struct range {
	struct range *next;
	uint64_t start, end;
	cap_t file;      /* CAP_NULL: nothing is to be written back */
	uint64_t offset; /* of start, in the file */
	bool inherited;  /* the parent has it too, and writes it back */
};

static struct range *ranges;

bool memory_is_shared(uint64_t start, uint64_t end)
{
	const struct range *r = ranges;

	while (r && (r->end <= start || end <= r->start))
		r = r->next;
	return r;
}

bool shared_mapped(uint64_t start, uint64_t end, cap_t file, uint64_t offset)
{
	struct range *r = posix_alloc(sizeof(*r));

	if (!r) {
		cap_release(file);
		return false;
	}
	*r = (struct range){
	        .next = ranges, .start = start, .end = end, .file = file, .offset = offset};
	ranges = r;
	return true;
}

/* The part of the range between them. */
static int write_back(const struct range *r, uint64_t start, uint64_t end, bool wait_for_disk)
{
	const struct file_sync_params sync = {.data_only = true};
	struct file_write_back_params params;
	int result;

	if (start < r->start)
		start = r->start;
	if (end > r->end)
		end = r->end;
	if (!r->file || start >= end)
		return 0;
	params.offset = r->offset + (start - r->start);
	params.length = end - start;
	result = errno_of(file_write_back(r->file, &params, NULL));
	if (!result && wait_for_disk)
		result = errno_of(file_sync(r->file, &sync, NULL));
	return result;
}

/* Protecting it anew as it is takes a mapping out of the page tables. */
static void protect_anew(const struct cap_mapping *m, uint64_t start, uint64_t end)
{
	if (start < m->start)
		start = m->start;
	if (end > m->end)
		end = m->end;
	if (start < end && m->shared && m->access & CAP_RIGHT_WRITE)
		(void)cap_memory_protect(start, end - start, m->access);
}

void shared_note_stores(uint64_t start, uint64_t end)
{
	struct cap_mapping list[CAP_MAPPINGS_MAX];
	uint64_t next = start;
	uint32_t count;

	if (!memory_is_shared(start, end))
		return;
	do {
		if (cap_process_mappings(next, list, &count, &next))
			return;
		for (uint32_t i = 0; i < count; i++)
			protect_anew(&list[i], start, end);
	} while (next && next < end);
}

int shared_write_back(uint64_t start, uint64_t end, bool wait_for_disk)
{
	int result = 0;

	for (const struct range *r = ranges; r && !result; r = r->next)
		result = write_back(r, start, end, wait_for_disk);
	return result;
}

static void drop(struct range *r)
{
	cap_release(r->file);
	posix_free(r);
}

void shared_unmapped(uint64_t start, uint64_t end)
{
	for (struct range **at = &ranges, *r; (r = *at);) {
		(void)write_back(r, start, end, false);
		if (r->start >= start && r->start < end) {
			uint64_t cut = end < r->end ? end : r->end;

			r->offset += cut - r->start;
			r->start = cut;
		} else if (r->end > start && r->end <= end) {
			r->end = start;
		}
		if (r->start < r->end) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		drop(r);
	}
}

/* Without memory for the note they count as private. */
void shared_moved(uint64_t from, uint64_t size, uint64_t to, uint64_t new_size)
{
	const struct range *r = ranges;
	uint64_t offset = 0;
	cap_t file = CAP_NULL;
	bool shared;

	while (r && (from < r->start || from >= r->end))
		r = r->next;
	shared = r && (!r->file || !cap_copy(r->file, CAP_RIGHTS_ALL, &file));
	if (shared)
		offset = r->offset + (from - r->start);
	if (size)
		shared_unmapped(from, from + size);
	shared_unmapped(to, to + new_size);
	if (shared)
		(void)shared_mapped(to, to + new_size, file, offset);
}

void shared_forked(void)
{
	for (struct range *r = ranges; r; r = r->next)
		r->inherited = true;
}

/* A process that executes another program keeps its capabilities, so they are given up here. */
void memory_leave(void)
{
	while (ranges) {
		struct range *r = ranges;

		ranges = r->next;
		if (!r->inherited)
			(void)write_back(r, r->start, r->end, false);
		drop(r);
	}
}
