/* SPDX-License-Identifier: MIT */
/*
 * A table of places, in which a directory has a few slots to be in; the newest take the others'.
 */
#include "drivers/virtio-9p/places.h"

#include <string.h>

#define SLOTS 4u /* of one directory */

static uint32_t slot_of(uint64_t path, uint32_t i)
{
	return ((uint32_t)((path * 0x9e3779b97f4a7c15ull) >> 32) + i) & (PLACES - 1);
}

const struct place *places_find(const struct places *places, uint64_t path)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct place *p = &places->slots[slot_of(path, i)];

		if (p->length && p->path == path)
			return p;
	}
	return NULL;
}

bool places_way(struct places *places, uint64_t path, uint64_t root, uint32_t *count)
{
	for (*count = 0; path != root; ++*count) {
		const struct place *p = *count < PLACES_LEVELS ? places_find(places, path) : NULL;

		if (!p)
			return false;
		places->way[*count] = p;
		path = p->above;
	}
	return true;
}

void places_note(struct places *places, struct p9_qid above, struct p9_text name,
                 struct p9_qid directory)
{
	struct place *p = (struct place *)places_find(places, directory.path);

	if (!p9_is_directory(directory) || !name.len || name.len > PLACE_NAME ||
	    (name.ptr[0] == '.' && (name.len == 1 || (name.len == 2 && name.ptr[1] == '.'))))
		return;
	for (uint32_t i = 0; !p && i < SLOTS; i++)
		if (!places->slots[slot_of(directory.path, i)].length)
			p = &places->slots[slot_of(directory.path, i)];
	if (!p)
		p = &places->slots[slot_of(directory.path, places->turn++ % SLOTS)];
	*p = (struct place){
	        .path = directory.path, .above = above.path, .length = (uint8_t)name.len};
	memcpy(p->name, name.ptr, name.len);
}
