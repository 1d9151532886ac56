/* SPDX-License-Identifier: MIT */
/*
 * Capability tables: pages of slots that appear as they are needed, free slots in a list through
 * themselves. A slot whose generation would wrap is retired: it stays empty and out of the list for
 * ever.
 */
#include "process/cap.h"
#include "kernel.h"
#include "work.h"

_Static_assert(sizeof(struct cap_slot) == 16, "slots fill a page evenly");
_Static_assert(CAP_TABLE_MAX / CAP_SLOTS_PER_PAGE <= PAGE_SIZE / sizeof(void *),
               "directory is one page");
_Static_assert(CAP_RIGHTS_ALL < (1u << 14) && KIND_COUNT <= (1u << 6), "slot fields");

int cap_table_init(struct cap_table *t, struct account *account)
{
	*t = (struct cap_table){.account = account, .next_unused = 1};
	paddr_t page = account_page(account, true);
	if (page == PADDR_NONE)
		return CAP_ENOMEM;
	t->pages = page_ptr(page);
	return CAP_OK;
}

bool cap_at(const struct cap_table *t, uint32_t index, struct cap *out)
{
	const struct cap_slot *slot = cap_slot_at(t, index);
	if (!slot || slot->kind == KIND_NONE)
		return false;
	*out = cap_of_slot(slot);
	return true;
}

static int add_page(struct cap_table *t, uint32_t number)
{
	paddr_t page = account_page(t->account, true);
	if (page == PADDR_NONE)
		return CAP_ENOMEM;
	t->pages[number] = page_ptr(page);
	return CAP_OK;
}

int cap_room(struct cap_table *t, uint32_t count)
{
	if (!t->pages)
		return CAP_ENOSLOT;
	if (count <= t->free)
		return CAP_OK;
	uint32_t fresh = count - t->free;
	if (fresh > CAP_TABLE_MAX - t->next_unused)
		return CAP_ENOSLOT;
	uint32_t last = (t->next_unused + fresh - 1) / CAP_SLOTS_PER_PAGE;
	for (uint32_t page = t->next_unused / CAP_SLOTS_PER_PAGE; page <= last; page++) {
		if (!t->pages[page]) {
			int error = add_page(t, page);
			if (error)
				return error;
		}
	}
	return CAP_OK;
}

int cap_insert(struct cap_table *t, struct cap cap, cap_t *id)
{
	assert(cap.kind != KIND_NONE);
	int error = cap_room(t, 1);
	if (error)
		return error;
	uint32_t index = t->first_free;
	struct cap_slot *slot;
	if (index != 0) {
		slot = cap_slot_at(t, index);
		t->first_free = (uint32_t)slot->object;
		t->free--;
	} else {
		index = t->next_unused++;
		slot = cap_slot_at(t, index);
		slot->generation = 1;
	}
	slot->object = (uint64_t)cap.object;
	slot->kind = cap.kind;
	slot->rights = cap.rights;
	t->live++;
	*id = CAP_ID(index, slot->generation);
	return CAP_OK;
}

static void put_in_free_list(struct cap_table *t, uint32_t index, struct cap_slot *slot)
{
	slot->object = t->first_free;
	t->first_free = index;
	t->free++;
}

int cap_remove(struct cap_table *t, cap_t id, struct cap *out)
{
	struct cap_slot *slot = cap_slot_of(t, id);
	if (!slot)
		return CAP_EBADCAP;
	*out = cap_of_slot(slot);
	slot->kind = KIND_NONE;
	slot->rights = 0;
	slot->object = 0;
	t->live--;
	if (slot->generation < CAP_GENERATION_MAX) {
		slot->generation++;
		put_in_free_list(t, CAP_INDEX(id), slot);
	}
	return CAP_OK;
}

/* The source's slot as the copy has it. */
static void fork_slot(struct cap_table *to, uint32_t index, const struct cap_slot *source)
{
	struct cap_slot *slot = cap_slot_at(to, index);
	*slot = *source;
	if (slot->kind != KIND_NONE && (slot->rights & CAP_RIGHT_COPY)) {
		cap_get(cap_of_slot(slot));
		to->live++;
		return;
	}
	if (slot->kind != KIND_NONE && slot->generation < CAP_GENERATION_MAX)
		slot->generation++;
	slot->kind = KIND_NONE;
	slot->rights = 0;
	slot->object = 0;
	if (slot->generation < CAP_GENERATION_MAX)
		put_in_free_list(to, index, slot);
}

#define STEPS_SLOT 3u /* to copy one */
#define STEPS_DROP 8u /* a capability, with what it may be the last of */

int cap_table_fork(struct cap_table *to, const struct cap_table *from)
{
	const uint32_t first = 2;
	assert(to->next_unused >= first);
	while (to->next_unused < from->next_unused) {
		uint32_t index = to->next_unused;
		if (steps_over())
			return WORK_AGAIN;
		if (index % CAP_SLOTS_PER_PAGE == 0 || index == first) {
			int error = to->pages[index / CAP_SLOTS_PER_PAGE]
			                    ? CAP_OK
			                    : add_page(to, index / CAP_SLOTS_PER_PAGE);
			if (error)
				return error;
			steps_spend(STEPS_PAGE_COPY);
		}
		to->next_unused++;
		fork_slot(to, index, cap_slot_at(from, index));
		steps_spend(STEPS_SLOT);
	}
	return CAP_OK;
}

bool cap_table_destroy(struct cap_table *t)
{
	if (!t->pages)
		return true;
	while (t->next_unused > 1) {
		struct cap_slot *slot = cap_slot_at(t, t->next_unused - 1);
		struct cap cap = cap_of_slot(slot);
		if (steps_over())
			return false;
		slot->kind = KIND_NONE;
		t->next_unused--;
		steps_spend(1);
		if (cap.kind == KIND_NONE)
			continue;
		steps_spend(STEPS_DROP);
		if (cap.rights & CAP_HANGUP)
			cap_signal(cap, UINT64_MAX);
		cap_put(cap);
	}
	t->first_free = t->free = t->live = 0;
	for (uint32_t page = 0; page < CAP_TABLE_MAX / CAP_SLOTS_PER_PAGE; page++) {
		if (t->pages[page]) {
			page_put(page_of_ptr(t->pages[page]));
			account_release(t->account, 1);
		}
	}
	page_put(page_of_ptr(t->pages));
	account_release(t->account, 1);
	*t = (struct cap_table){.next_unused = 1};
	return true;
}
