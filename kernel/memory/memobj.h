/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: a growable array of page frames with copy-on-write between objects.
 *
 * A frame whose reference count is above 1 is shared between objects and never written; the writer
 * gets a copy of its own first.  A committed object has all its pages from the beginning, and a
 * frame is set aside for the copy of each that is shared: storing to it never fails.  An absent
 * page reads as zeroes, or as the page of a code object behind it, the object's backing, whose
 * bytes never change: so a slice of code shares nothing and takes no time.  It gets a frame of its
 * own when it is stored to; of an object that is neither sparse nor backed also when it is read.
 * Device memory and DMA memory are objects too: their frames never change and are never copied on
 * write in place (a private mapping copies).
 */
#ifndef KERNEL_MEMOBJ_H
#define KERNEL_MEMOBJ_H

#include <stdbool.h>
#include <stdint.h>
#include <capos/abi.h>
#include "memory/account.h"
#include "memory/page.h"
#include "object_header.h"
#include "work.h"

struct mapping;

#define MEMOBJ_PAGES_MAX (1ull << 35) /* as much as user addresses can reach */

/* A store to a shared frame goes through all mappings of the object, and one operation may store to
 * some pages.  An object that has more mappings shares no frames: its slices are copied at once. */
#define SHARING_MAPPINGS_MAX 128u

enum memobj_kind { MEMOBJ_ANON, MEMOBJ_DMA, MEMOBJ_DEVICE };

struct memobj {
	struct object_header header;
	enum memobj_kind kind;
	/* Its bytes may be executed and never change; no other object is executed. */
	bool code;
	/* Reading it makes no frames: as a file's holes. */
	bool sparse;
	bool marked;     /* load and store return it; nothing else depends on it */
	uint64_t size;   /* bytes as asked for */
	uint64_t npages; /* size in pages, rounded up; at most MEMOBJ_PAGES_MAX */
	bool committed;
	/* A frame of it may be another object's too, and is replaced when it is stored to. */
	bool shares;
	struct account *account; /* pays for frames, tree and this */
	uint64_t limit;          /* bytes: memobj_store may make it so long */
	uint64_t present;        /* frames of its own */
	uint64_t changed_ns;     /* when a store or a new size last changed it: memobj_store, or the
	                          * first store to a page of a mapping (sparse objects) */
	uint64_t loaded_ns;      /* when memobj_load last copied of it */
	/* Code, which has none itself; one reference.  Its pages from backing_first on stand behind
	 * the first backing_count pages. */
	struct memobj *backing;
	uint64_t backing_first, backing_count;
	/* A page of size and marked, always, for programs; NULL: none asked for it. */
	struct memobj *shown_size;
	struct mapping *mappings; /* every mapping of it, linked by mapping.next_of_object */
	uint32_t nmappings;       /* of them; OBJECT_MAPPINGS_MAX, if frames may change */
	uint32_t nstoring;        /* of them, through which it may be stored to */
	paddr_t device_base;      /* MEMOBJ_DEVICE: physical address of page 0 */
	void *frames;             /* private: radix tree of paddr_t */
	unsigned height;          /* private: of that tree */
	struct work work;         /* private: after the last reference, while frames are left */
};

DEFINE_HEADER_ACCESS(memobj, KIND_MEMORY)

/* Whether its pages will be the same frames as long as it exists: then nothing ever goes through
 * its mappings, and there may be any number of them. */
static inline bool frames_stay(const struct memobj *m)
{
	return m->committed && !m->shares;
}

struct memobj *memobj_create(uint64_t size, struct account *account); /* refs 1; NULL: no memory */
/* A committed one; NULL: no memory, and nothing was charged. */
struct memobj *memobj_create_committed(uint64_t size, struct account *account);
/* A sparse one, which shows of `code` (NULL: none) what lies from offset on.  NULL: no memory. */
struct memobj *memobj_create_sparse(uint64_t size, struct memobj *code, uint64_t offset,
                                    struct account *account);
struct memobj *memobj_create_device(paddr_t base, uint64_t size);
/* Its frames are absent until it is committed, which is before a device or a program has it. */
struct memobj *memobj_create_dma(uint32_t npages, struct account *account);
/* Makes the pages of an anonymous or DMA object present, zeroed, as far as the budget goes;
 * *present, 0 at first: how many are.  CAP_OK: it is committed; WORK_AGAIN; CAP_ENOMEM, and it may
 * be tried again. */
int memobj_commit_some(struct memobj *m, uint64_t *present);
/* The boot archive, which is code: takes over its frames. */
struct memobj *memobj_adopt(paddr_t start, uint64_t size);
void memobj_get(struct memobj *m);
void memobj_put(struct memobj *m);
void memobj_last(struct object_header *header); /* the last reference has gone */
/* New object sharing frames copy-on-write; offset page-aligned; zero-filled past the source's
 * end. */
struct memobj *memobj_slice(struct memobj *m, uint64_t offset, uint64_t size,
                            struct account *account);
/* Makes code of an anonymous object that the caller alone knows: not mapped, one reference. */
void memobj_make_code(struct memobj *m);
/* As memobj_slice, a committed one. */
struct memobj *memobj_slice_committed(struct memobj *m, uint64_t offset, uint64_t size,
                                      struct account *account);
/* A slice that is being made in pieces. */
struct slice {
	struct memobj *from; /* one reference; NULL: nothing is shared, or all is */
	struct memobj *copy; /* owned until slice_go_on says that it is whole */
	uint64_t first;      /* page of from that is the copy's first */
	uint64_t index, end; /* pages of from that are still to be shared */
	uint64_t present;    /* pages of a committed copy that are present */
	bool committed;
};
/* m NULL: a fresh object, which makes sense when it is committed.  False: no memory, or m is a
 * device's memory. */
bool slice_begin(struct slice *s, struct memobj *m, uint64_t offset, uint64_t size,
                 struct account *account, bool committed);
/* CAP_OK: s->copy is whole and the caller's; WORK_AGAIN; CAP_ENOMEM, and it may be tried again. */
int slice_go_on(struct slice *s);
void slice_abandon(struct slice *s);
/* Whether a slice may be asked for: offset whole pages, both within user addresses, size not 0. */
static inline bool memobj_range_valid(uint64_t offset, uint64_t size)
{
	return offset % PAGE_SIZE == 0 && offset <= CAPOS_USER_MAX && size != 0 &&
	       size <= CAPOS_USER_MAX;
}
/* What a private mapping of that range has pages for, in bytes: up to where the object ends now. */
uint64_t memobj_covers(const struct memobj *m, uint64_t offset, uint64_t size);
/* False: no memory, or the object is committed (or a device's) and has the size it has. */
bool memobj_resize(struct memobj *m, uint64_t size);
/* The same in pieces: CAP_OK, WORK_AGAIN, CAP_ENOMEM.  While it shrinks, its last pages go
 * first. */
int memobj_resize_some(struct memobj *m, uint64_t size);
/* The frame of page index, present (allocated or copied as write needs), or PADDR_NONE when out of
 * range or memory. */
paddr_t memobj_frame(struct memobj *m, uint64_t index, bool write);
/* The frame without making it present: PADDR_NONE when absent; what stands behind it counts. */
paddr_t memobj_peek(struct memobj *m, uint64_t index);
/* As memobj_frame for a store that may fail: PADDR_NONE too when the page is a file's, has no frame
 * yet, and files are to leave what memory there is. */
paddr_t memobj_fill(struct memobj *m, uint64_t index);
/* Whether the page shows a frame that is not the object's: then it is mapped read-only. */
bool memobj_borrows(const struct memobj *m, uint64_t index);
/* The only way to change either. */
void memobj_set_size(struct memobj *m, uint64_t size, uint64_t npages);
void memobj_mark(struct memobj *m, bool marked);
/* False: no memory for m->shown_size, which the account would pay. */
bool memobj_show_size(struct memobj *m, struct account *account);
/* Gives up the frames of a range of an anonymous object, which read as zeroes again, as far as the
 * budget goes: the first page that may still be present. */
uint64_t memobj_discard_some(struct memobj *m, uint64_t index, uint64_t end);
/* The object's bytes, for the kernel; false when they are out of range. */
bool memobj_read(struct memobj *m, uint64_t offset, void *to, uint64_t length);

/* Copies between an object and a program's memory, as far as the budget goes: to be called again
 * with the same copy.  They stop at the object's end; memobj_store at m->limit, up to which it
 * makes the object longer.  A page that it makes is zero elsewhere. */
struct space;
struct memobj_copy {
	struct space *space;
	uint64_t address;
	uint64_t offset, length; /* bytes, of the object */
	uint64_t done;
};
/* CAP_OK with *done; WORK_AGAIN; CAP_EFAULT, CAP_ENOMEM when nothing was copied. */
int memobj_load(struct memobj *m, struct memobj_copy *copy);
int memobj_store(struct memobj *m, struct memobj_copy *copy);
/* What is appended takes its place whole before it is stored: false: it does not fit. */
bool memobj_append_begin(struct memobj *m, uint64_t offset, uint64_t length);

#endif
