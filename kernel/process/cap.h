/* SPDX-License-Identifier: MIT */
/*
 * Capabilities and the tables that hold them: a slot is given up only together with its generation,
 * so an id never names a newer object than the one it was made for.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_CAP_H
#define KERNEL_CAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <capos/abi.h>
#include "memory/account.h"
#include "object_header.h"

/* Rights of a fresh MemoryObject's first holder.  No capability has WRITE or MANAGE of an object
 * that is code.  EXEC of one that is not says that its slices and private mappings are code: only a
 * CodeMaker gives that. */
#define MEMORY_DATA_RIGHTS (CAP_RIGHTS_ALL & ~CAP_RIGHT_EXEC)
#define MEMORY_CODE_RIGHTS (CAP_RIGHT_READ | CAP_RIGHT_EXEC | CAP_RIGHT_CALL | CAP_RIGHT_COPY)

/* Kernel's own, beside the CAP_RIGHT_* of abi.h: came by CAPOS_SEND_HANGUP. */
#define CAP_HANGUP 0x800u
_Static_assert((CAP_HANGUP & CAP_RIGHTS_ALL) == 0, "no right of abi.h");

/* A reference to an object with rights.  Its holder holds one count of the object. */
struct cap {
	struct object_header *object; /* NULL for kinds of which one exists (spawner, log, ...) */
	uint16_t kind;
	uint16_t rights;
};

/* Takes or drops one count of the object (kinds.c). */
void cap_get(struct cap cap);
void cap_put(struct cap cap);
void cap_signal(struct cap event, uint64_t bits); /* of KIND_EVENT */

/* Most capabilities in one table: what a process can make the kernel hold in its name stays about 2
 * MiB of slots.  The files service keeps one for each file that was written. */
#define CAP_TABLE_MAX 131072u

struct cap_slot {
	uint64_t object; /* pointer; in a free slot the index of the next free one, 0 for none */
	uint64_t generation : 44;
	uint64_t kind : 6; /* KIND_NONE: free */
	uint64_t rights : 14;
};

#define CAP_SLOTS_PER_PAGE (PAGE_SIZE / sizeof(struct cap_slot))
#define CAP_GENERATION_MAX ((1ull << (64 - CAP_INDEX_BITS)) - 1)

struct cap_table {
	struct cap_slot **pages; /* a page of pointers to pages of slots */
	struct account *account; /* pays for the pages; borrowed */
	uint32_t next_unused;    /* indices from here on were never used */
	uint32_t first_free;     /* 0: none */
	uint32_t live;           /* capabilities held */
	uint32_t free;           /* length of the free list */
};

int cap_table_init(struct cap_table *t, struct account *account); /* CAP_OK, CAP_ENOMEM */
/* Drops everything held, as far as the budget goes; true: all is gone. */
bool cap_table_destroy(struct cap_table *t);

/* In line, since each submission looks for one or two. */
static inline struct cap_slot *cap_slot_at(const struct cap_table *t, uint32_t index)
{
	if (!t->pages || index == 0 || index >= t->next_unused)
		return NULL;
	return &t->pages[index / CAP_SLOTS_PER_PAGE][index % CAP_SLOTS_PER_PAGE];
}

static inline struct cap_slot *cap_slot_of(const struct cap_table *t, cap_t id)
{
	struct cap_slot *slot = cap_slot_at(t, CAP_INDEX(id));
	if (!slot || slot->kind == KIND_NONE || slot->generation != CAP_GENERATION(id))
		return NULL;
	return slot;
}

static inline struct cap cap_of_slot(const struct cap_slot *slot)
{
	return (struct cap){.object = (struct object_header *)slot->object,
	                    .kind = (uint16_t)slot->kind,
	                    .rights = (uint16_t)slot->rights};
}

/* Looks id up without taking a count.  CAP_OK or CAP_EBADCAP. */
static inline int cap_lookup(const struct cap_table *t, cap_t id, struct cap *out)
{
	const struct cap_slot *slot = cap_slot_of(t, id);
	if (!slot)
		return CAP_EBADCAP;
	*out = cap_of_slot(slot);
	return CAP_OK;
}

/* Makes sure that count inserts will succeed.  CAP_OK, CAP_ENOSLOT, CAP_ENOMEM. */
int cap_room(struct cap_table *t, uint32_t count);
/* Puts the capability in, with the count that the caller holds.  CAP_OK, CAP_ENOSLOT, CAP_ENOMEM:
 * still the caller's. */
int cap_insert(struct cap_table *t, struct cap cap, cap_t *id);
/* Takes the capability out; its count is the caller's.  CAP_OK or CAP_EBADCAP. */
int cap_remove(struct cap_table *t, cap_t id, struct cap *out);
/* Fills a fresh table, in which only index 1 is in use, with copies of all capabilities of another
 * that have the right COPY, under the same ids; what is free there is free here, of the same
 * generation or a later one.  CAP_OK; WORK_AGAIN and CAP_ENOMEM: to be called again, or
 * destroyed. */
int cap_table_fork(struct cap_table *to, const struct cap_table *from);
/* The capability at an index: false when there is none. */
bool cap_at(const struct cap_table *t, uint32_t index, struct cap *out);

#endif
