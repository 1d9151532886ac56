/* SPDX-License-Identifier: MIT */
/*
 * The locks of a volume's files, which are locks among the programs of this machine: the host
 * learns nothing of them.  A file has a list as long as one of its handles has been used to lock.
 */
#include "drivers/virtio-9p/volume_inside.h"

/* For all files together: a page holds some forty locks. */
#define LOCK_PAGES 32u

static struct {
	_Alignas(PAGE_SIZE) uint8_t bytes[PAGE_SIZE];
} pages[LOCK_PAGES];
static uint32_t taken; /* bits: pages */
_Static_assert(LOCK_PAGES <= 32, "a bit for each");

static void *get_page(void *context)
{
	(void)context;
	for (uint32_t i = 0; i < LOCK_PAGES; i++) {
		if (taken & 1u << i)
			continue;
		taken |= 1u << i;
		__builtin_memset(pages[i].bytes, 0, PAGE_SIZE);
		return pages[i].bytes;
	}
	return NULL;
}

static void put_page(void *context, void *page)
{
	(void)context;
	taken &= ~(1u << (uint32_t)(((uint8_t *)page - pages[0].bytes) / PAGE_SIZE));
}

static struct page_source source = {.get = get_page, .put = put_page};

void volume_locks_start(struct volume *v)
{
	slab_init(&v->lock_slab, &source);
	v->slab = &v->lock_slab;
}

struct lock_list **volume_locks(struct volume *v, struct volume_handle *file)
{
	struct volume_file_locks *of = NULL;

	if (file->locks)
		return &v->file_locks[file->locks - 1].list;
	for (uint32_t i = 0; i < VOLUME_HANDLES; i++) {
		struct volume_file_locks *f = &v->file_locks[i];

		if (f->users && f->path == file->qid.path) {
			of = f;
			break;
		}
		if (!f->users && !of)
			of = f;
	}
	/* There is one: each in use has a handle. */
	if (!of->users)
		*of = (struct volume_file_locks){.path = file->qid.path};
	of->users++;
	file->locks = (uint32_t)(of - v->file_locks) + 1;
	return &of->list;
}

void volume_locks_close(struct volume *v, struct volume_handle *file, uint64_t word)
{
	struct volume_file_locks *of;

	if (!file->locks)
		return;
	of = &v->file_locks[file->locks - 1];
	locks_close(&v->locks, &of->list, v->slab, word);
	if (--of->users == 0)
		locks_free(&v->locks, &of->list, v->slab);
	file->locks = 0;
}
