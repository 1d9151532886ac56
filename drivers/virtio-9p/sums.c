/* SPDX-License-Identifier: MIT */
/*
 * Sums of the pages of shared memory: a page whose sum is what it was when the host had the same
 * bytes is not written back, so that what the host has put there since stays.  Files that are
 * larger than there is room for are compared with the host's bytes instead.  Who stores bytes that
 * have the sum of those before loses them, and nobody else does.
 *
 * Programs may store at any time.  So a sum is of a copy that went to the host or came from there,
 * never of what the memory has afterwards.
 */
#include <string.h>

#include "drivers/virtio-9p/volume_inside.h"

#define PAGE  4096u
#define PIECE (P9_DATA_MAX / PAGE * PAGE)

uint64_t sum_of(const uint8_t *page, uint32_t length)
{
	uint64_t sum = 0x9e3779b97f4a7c15ull;

	for (uint32_t at = 0; at < PAGE; at += 8) {
		uint64_t word = 0;

		if (at < length)
			memcpy(&word, page + at, length - at < 8 ? length - at : 8);
		sum = (sum ^ word) * 0xff51afd7ed558ccdull;
		sum ^= sum >> 32;
	}
	return sum;
}

uint64_t *sums_at(struct volume *v, const struct volume_share *s, uint64_t page)
{
	return page < s->summed ? &v->sums[s->first_sum + page] : NULL;
}

/* The end of the share that has sums from `at` on, or holds them; 0: none does. */
static uint32_t taken_to(const struct volume *v, uint32_t at)
{
	for (uint32_t i = 0; i < VOLUME_SHARES; i++) {
		const struct volume_share *s = &v->shares[i];

		if (s->users && s->summed && at >= s->first_sum && at - s->first_sum < s->summed)
			return s->first_sum + s->summed;
	}
	return 0;
}

/* Where the next share's sums begin, from `at` on. */
static uint32_t free_to(const struct volume *v, uint32_t at)
{
	uint32_t end = VOLUME_SUMS;

	for (uint32_t i = 0; i < VOLUME_SHARES; i++) {
		const struct volume_share *s = &v->shares[i];

		if (s->users && s->summed && s->first_sum >= at && s->first_sum < end)
			end = s->first_sum;
	}
	return end;
}

void sums_start(struct volume *v, struct volume_share *s)
{
	const uint64_t pages = s->size / PAGE + !!(s->size % PAGE);
	uint32_t at = 0, end;

	s->summed = 0;
	while (at < VOLUME_SUMS) {
		end = taken_to(v, at);
		if (end) {
			at = end;
			continue;
		}
		end = free_to(v, at);
		if (end - at >= pages) {
			s->first_sum = at;
			s->summed = (uint32_t)pages;
			break;
		}
		at = end;
	}
	for (uint32_t i = 0; i < s->summed; i++)
		*sums_at(v, s, i) = sum_of(NULL, 0);
}

void sums_take(struct volume *v, const struct volume_share *s)
{
	static uint8_t piece[PIECE];

	for (uint64_t page = 0; page < s->summed; page += PIECE / PAGE) {
		uint32_t loaded = 0;

		if (v->memory->load(s->memory, page * PAGE, piece, PIECE, &loaded))
			return;
		for (uint32_t at = 0; at < loaded; at += PAGE)
			*sums_at(v, s, page + at / PAGE) =
			        sum_of(piece + at, loaded - at < PAGE ? loaded - at : PAGE);
	}
}

/* A copy of the page; whether it is as the host has it. */
static bool copy_page(struct volume *v, const struct volume_share *s, uint64_t page, uint8_t *copy)
{
	const uint64_t *sum = sums_at(v, s, page);
	uint32_t loaded = 0;

	if (!sum || page * PAGE >= s->size ||
	    v->memory->load(s->memory, page * PAGE, copy, PAGE, &loaded))
		return false;
	memset(copy + loaded, 0, PAGE - loaded);
	return *sum == sum_of(copy, PAGE);
}

/* Pages that a write changes in part: copies of those that are as the host has them. */
static struct {
	uint64_t page;
	bool clean;
	uint8_t copy[PAGE];
} edges[2];

void sums_before_write(struct volume *v, const struct volume_share *s, uint64_t offset,
                       uint32_t length)
{
	edges[0].page = offset / PAGE;
	edges[1].page = (offset + length) / PAGE;
	for (uint32_t i = 0; i < 2; i++)
		edges[i].clean = copy_page(v, s, edges[i].page, edges[i].copy);
}

void sums_written(struct volume *v, const struct volume_share *s, uint64_t offset,
                  const uint8_t *data, uint32_t written)
{
	const uint64_t end = offset + written;

	for (uint64_t at = offset, next; at < end; at = next) {
		uint64_t *sum = sums_at(v, s, at / PAGE);
		uint32_t i = at / PAGE == edges[0].page ? 0 : 1;

		next = at - at % PAGE + PAGE < end ? at - at % PAGE + PAGE : end;
		if (sum && next - at == PAGE) {
			*sum = sum_of(data + (at - offset), PAGE);
		} else if (sum && edges[i].clean && at / PAGE == edges[i].page) {
			memcpy(edges[i].copy + at % PAGE, data + (at - offset), next - at);
			*sum = sum_of(edges[i].copy, PAGE);
		}
	}
}

void sums_cut(struct volume *v, const struct volume_share *s, uint64_t size)
{
	static uint8_t copy[PAGE];

	if (size % PAGE && copy_page(v, s, size / PAGE, copy))
		*sums_at(v, s, size / PAGE) = sum_of(copy, size % PAGE);
	for (uint64_t page = size / PAGE + !!(size % PAGE); page < s->summed; page++)
		*sums_at(v, s, page) = sum_of(NULL, 0);
}
