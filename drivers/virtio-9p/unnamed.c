/* SPDX-License-Identifier: MIT */
/*
 * Names that the driver makes for itself, since the protocol has no files without one and moves one
 * name at a time.  Whoever looks from outside sees them for as long; who is served here does not.
 */
#include <string.h>

#include "drivers/virtio-9p/volume_inside.h"

#define UNNAMED   ".capos-unnamed-"
#define EXCHANGE  ".capos-exchange-"
#define NAME_ROOM 40u
/* Names of another machine that has the directory too may be in the way. */
#define TRIES 1000u

static struct p9_text name_of(char text[NAME_ROOM], const char *prefix, uint64_t number)
{
	size_t length = 0;

	while (*prefix)
		text[length++] = *prefix++;
	for (int shift = 60; shift >= 0; shift -= 4)
		text[length++] = "0123456789abcdef"[number >> shift & 15];
	return (struct p9_text){text, (uint32_t)length};
}

/* ---- Files without a name ---- */

/* Takes the name away; what is told of the file is kept from then on. */
static int lose_name(struct volume *v, struct volume_handle *h)
{
	char text[NAME_ROOM];
	struct file_stat stat;
	int result = volume_get(v, h->fid, &stat);

	if (!result)
		result = p9_remove(&v->p9, h->home, name_of(text, UNNAMED, h->hidden), false);
	if (result)
		return result;
	h->stat = stat;
	h->stat.links = 0;
	h->stored = stat.size;
	h->nameless = true;
	h->unnamed = false;
	v->unnamed--;
	volume_shares_nameless(v, h->qid.path);
	p9_clunk(&v->p9, h->home);
	return 0;
}

/* In the directory h->home. */
static int make(struct volume *v, struct volume_handle *h, uint32_t mode)
{
	const uint32_t flags = h->flags == OPEN_WRITE ? P9_OPEN_WRITE : P9_OPEN_BOTH;
	char text[NAME_ROOM];
	int result = -P9_EEXIST;

	for (uint32_t i = 0; i < TRIES && result == -P9_EEXIST; i++) {
		h->hidden = v->next_hidden++;
		result = volume_copy_fid(v, h->home, &h->fid);
		if (result)
			return result;
		result = p9_create(&v->p9, h->fid, name_of(text, UNNAMED, h->hidden),
		                   flags | P9_OPEN_EXCLUSIVE, mode & 07777, &h->qid);
		if (result)
			p9_clunk(&v->p9, h->fid);
	}
	return result;
}

int unnamed_make(struct volume *v, struct volume_handle *h, uint32_t flags, uint32_t mode)
{
	int result;

	h->home_path = v->walk.qid.path;
	result = walk_keep(&v->walk, &h->home);
	if (result)
		return result;
	mode = allowed_mode(v, mode & 07777);
	result = make(v, h, mode);
	if (result) {
		p9_clunk(&v->p9, h->home);
		return result;
	}
	give_to_caller(v, h->fid, mode);
	h->unnamed = h->opened = true;
	v->unnamed++;
	h->stat = (struct file_stat){.inode = h->qid.path,
	                             .type = FILE_TYPE_REGULAR,
	                             .mode = mode & 07777,
	                             .volume = v->number};
	if (flags & OPEN_EXCLUSIVE)
		result = lose_name(v, h);
	if (result) {
		unnamed_close(v, h);
		p9_clunk(&v->p9, h->fid);
	}
	return result;
}

/* A link says whether the name is there; and a move, which does nothing to two names of one file,
 * tells QEMU by which of them it has the file from now on. */
int unnamed_link(struct volume *v, struct volume_handle *h, uint32_t directory, struct p9_text name)
{
	char text[NAME_ROOM];
	const struct p9_text hidden = name_of(text, UNNAMED, h->hidden);
	int result = p9_link(&v->p9, directory, h->fid, name);

	if (!result)
		result = p9_rename(&v->p9, h->home, hidden, directory, name);
	if (result)
		return result;
	/* It is gone where a move does take the old name. */
	(void)p9_remove(&v->p9, h->home, hidden, false);
	p9_clunk(&v->p9, h->home);
	h->unnamed = false;
	v->unnamed--;
	return 0;
}

void unnamed_close(struct volume *v, struct volume_handle *h)
{
	char text[NAME_ROOM];

	if (!h->unnamed)
		return;
	(void)p9_remove(&v->p9, h->home, name_of(text, UNNAMED, h->hidden), false);
	p9_clunk(&v->p9, h->home);
	h->unnamed = false;
	v->unnamed--;
}

bool unnamed_leave(struct volume *v, uint64_t directory)
{
	bool any = false;

	for (uint32_t i = 0; v->unnamed && i < v->used; i++) {
		struct volume_handle *h = &v->handles[i];

		if (h->used && h->unnamed && h->home_path == directory && !lose_name(v, h))
			any = true;
	}
	return any;
}

bool unnamed_hides(const struct volume *v, const struct p9_entry *e)
{
	if (!v->unnamed || e->name.len < sizeof(UNNAMED) ||
	    memcmp(e->name.ptr, UNNAMED, sizeof(UNNAMED) - 1))
		return false;
	for (uint32_t i = 0; i < v->used; i++)
		if (v->handles[i].used && v->handles[i].unnamed &&
		    v->handles[i].qid.path == e->qid.path)
			return true;
	return false;
}

/* ---- Exchange ---- */

/* Nobody who is served here sees what is between: a call is answered before the next is looked
 * at. */
int names_exchange(struct volume *v, const struct walk *a, const struct walk *b)
{
	char text[NAME_ROOM];
	const struct p9_text aside = name_of(text, EXCHANGE, a->qid.path);
	int result;

	if (a->qid.path == b->qid.path)
		return 0;
	result = p9_rename(&v->p9, a->parent, a->name, a->parent, aside);
	if (result)
		return result;
	result = p9_rename(&v->p9, b->parent, b->name, a->parent, a->name);
	if (!result) {
		result = p9_rename(&v->p9, a->parent, aside, b->parent, b->name);
		if (result)
			(void)p9_rename(&v->p9, a->parent, a->name, b->parent, b->name);
	}
	if (result)
		(void)p9_rename(&v->p9, a->parent, aside, a->parent, a->name);
	return result;
}
