/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: a sorted set of mappings of memory objects, and the page tables that cache them.
 * Page tables can be dropped at any time; a fault fills them again from the mappings.
 *
 * Data is not code.  Shared mappings of code objects are never writable, of others never
 * executable.  A private copy of a code object may become either, whichever it is first, and keeps
 * to that: what was ever writable in a mapping is never executable there.
 */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include <stdbool.h>
#include <stdint.h>
#include "memory/memobj.h"
#include "tree.h"

struct mapping {
	uint64_t start, end; /* user addresses, page-aligned */
	struct memobj *object;
	uint64_t offset;   /* in the object, of start */
	uint32_t access;   /* CAP_RIGHT_READ|WRITE|EXEC */
	uint32_t limit;    /* most that space_protect may make of it; never WRITE with EXEC once it
	                    * had either */
	bool private_copy; /* object belongs to this mapping alone (a slice made for it) */
	bool anonymous;    /* private: what it was made from had nothing in it but zeroes */
	bool stores;       /* counted in object->nstoring */
	bool kernel_owned; /* ring, clock page: user cannot unmap, protect or replace it */
	uint64_t held_by;  /* the remap that moves it, during which it gives no access; or 0 */
	paddr_t root;      /* of the space's page tables */
	struct tree_node node;           /* in the space, by start */
	struct mapping *next_of_object;  /* in the object */
	struct mapping **link_of_object; /* what points to this one there */
};

struct space {
	paddr_t root; /* page table root (CR3) */
	struct tree mappings;
	struct account *account;
	struct mapping *last_hit; /* cache of the last lookup */
	uint64_t chosen_top;      /* addresses are chosen below this */
	uint64_t chosen_low;      /* the lowest that was */
	uint32_t count;           /* of mappings, at most SPACE_MAPPINGS_MAX */
	uint32_t tables;          /* page-table frames, charged to account */
	uint64_t mapped;          /* bytes, of all mappings */
};

/* What a process can make the kernel hold; large programs have some hundreds. */
#define SPACE_MAPPINGS_MAX 8192u
/* All mappings of an object are gone through when one of its frames goes, with interrupts off.  The
 * kernel's own (the clock page) do not count: those frames never change. */
#define OBJECT_MAPPINGS_MAX 1024u

bool space_init(struct space *s, struct account *account);
/* Drops every mapping and the tables, as far as the budget goes; true: all is gone. */
bool space_destroy(struct space *s);

/* All return CAP_OK or a negative cap_error; nothing is changed on error.  Addresses are checked
 * against CAPOS_USER_MIN/MAX.  space_map takes its own reference to object.  *address 0: chosen
 * (top down from where layout.h says, a random page).  private_copy: maps a slice.  access may
 * carry SPACE_LIMIT(rights): what space_protect may later make of the mapping; without it that is
 * access itself, or anything for a private copy. */
#define SPACE_LIMIT(rights) (((rights)&7u) << 8)
int space_map(struct space *s, struct memobj *object, uint64_t offset, uint64_t size,
              uint32_t access, bool private_copy, bool kernel_owned, uint64_t *address);
/* For a slice that takes long: what space_map would check of it; and then to map the slice, whose
 * reference passes to the mapping on success.  It has what memobj_covers says of the size.  code:
 * the object that it is made from is, or the capability on it makes code of its slices. */
int space_check_map(const struct memobj *object, uint64_t offset, uint64_t size, uint32_t access,
                    bool private_copy, bool code);
int space_map_copy(struct space *s, bool code, struct memobj *copy, uint64_t size, uint32_t access,
                   uint64_t *address);
/* An empty space that is being filled with the mappings of another but the kernel's: private copies
 * as copies of their own, all others of the same objects. */
struct space_fork {
	struct space *to;
	const struct space *from;
	uint64_t at; /* mappings that start below are done; private: as is all that follows */
	struct slice slice;
	struct mapping copied; /* what slice is to be mapped like */
};
/* CAP_OK, WORK_AGAIN, or CAP_ENOMEM, and it may be called again; to is to be destroyed when it is
 * not.  What others do to from meanwhile is seen or not. */
int space_fork(struct space_fork *f);
void space_fork_abandon(struct space_fork *f);
void space_swap(struct space *a, struct space *b);
/* These go as far as the budget goes: WORK_AGAIN, to be called again with the same progress, {0, 0}
 * at first.  The range is checked whole before anything is changed; each piece of it is changed at
 * once. */
int space_unmap(struct space *s, uint64_t address, uint64_t size, uint64_t progress[2]);
int space_protect(struct space *s, uint64_t address, uint64_t size, uint32_t access,
                  uint64_t progress[2]);
/* Moves the mappings of a range to *address, or (0) where there is room, or leaves them there; and
 * makes what the last one shows longer.  They become one range in *address.  size 0: another
 * mapping of what a shared one shows from there on.  Nothing is changed on error: CAP_EFAULT: not
 * all of it is mapped, or it is to be longer and is not alike; CAP_EEXIST: something is there;
 * CAP_ETYPE: a private mapping of memory that had something in it does not become longer;
 * CAP_EINVAL: the same, without a size; CAP_ETOOBIG: too many mappings.  WORK_AGAIN: as above. */
struct remap {
	uint64_t from, size, new_size; /* whole pages; new_size at least size */
};
int space_remap(struct space *s, const struct remap *r, uint64_t *address, uint64_t progress[2]);
/* Forgets what was stored to anonymous private mappings.  Also CAP_EFAULT, CAP_ETYPE: the range
 * before is done. */
int space_discard(struct space *s, uint64_t address, uint64_t size, uint64_t progress[2]);
/* Takes a kernel-owned mapping out, whole: address is its start. */
void space_unmap_kernel(struct space *s, uint64_t address);

/* Resolves a fault or prepares kernel access: makes the page of address present with that access
 * (one of CAP_RIGHT_READ/WRITE/EXEC) and returns its frame; PADDR_NONE when it is not mapped so (or
 * no memory: *no_memory). */
paddr_t space_resolve(struct space *s, uint64_t address, uint32_t access, bool *no_memory);

/* Why space_resolve found nothing there: CAPOS_FAULT_UNMAPPED, ACCESS or BEYOND. */
uint32_t space_fault_cause(struct space *s, uint64_t address, uint32_t access);

/* Checked copies through the direct map, page by page; any space, not only the current one. CAP_OK,
 * CAP_EFAULT or CAP_ENOMEM.  On error a part may have been copied. */
int space_copy_in(struct space *s, void *to, uint64_t from, uint64_t length);
int space_copy_out(struct space *s, uint64_t to, const void *from, uint64_t length);
/* On error *side says which range could not be reached.  WORK_AGAIN: it took too long; pages that
 * were replaced need not be again, so it comes further each time that it is called, from the
 * start. */
enum copy_side { COPY_TARGET, COPY_SOURCE };
int space_copy_across(struct space *to_space, uint64_t to, struct space *from_space, uint64_t from,
                      uint64_t length, enum copy_side *side);
/* Makes a range present and writable, so that a copy to it does not fail as long as it stays
 * mapped and is not shared.  CAP_OK, CAP_EFAULT, CAP_ENOMEM; WORK_AGAIN: a page is present that was
 * not, and it is to be called again. */
int space_prepare(struct space *s, uint64_t address, uint64_t length);
/* The first mapping that ends behind the address; NULL: none. */
const struct mapping *space_mapping_from(const struct space *s, uint64_t address);
/* Adds up what of its account's memory the space shows, tables included, each object's divided
 * among its mappings; *at, 0 at first: how far it came.  False: the budget is spent, but it came
 * further. */
bool space_weigh(const struct space *s, uint64_t *at, uint64_t *pages);
/* Adds up what is in memory of what the mappings show, in the same way. */
bool space_count_resident(const struct space *s, uint64_t *at, uint64_t *pages);
/* The account, if any, whose own limit leaves no memory for the page at address. */
const struct account *space_limit_reached(struct space *s, uint64_t address);
/* A user word for futexes: identity (object and offset) and value.  4-byte aligned. */
int space_futex_key(struct space *s, uint64_t address, struct memobj **object, uint64_t *offset,
                    uint32_t *value);
/* The word itself, present and writable, with its identity: good until something else of the space
 * is touched.  NULL: it cannot be reached. */
uint32_t *space_futex_word(struct space *s, uint64_t address, struct memobj **object,
                           uint64_t *offset);

/* memobj.c calls these when frames of an object change under its mappings. */
void space_forget_frame(struct memobj *object, uint64_t index); /* unmap that page everywhere */
void space_forget_frames(struct memobj *object, uint64_t index, uint64_t count);
/* The page behind the last one that any mapping shows. */
uint64_t space_shown_end(const struct memobj *object);
void space_write_protect(struct memobj *object, uint64_t index,
                         uint64_t count); /* before sharing its frames */

#endif
