/* SPDX-License-Identifier: MIT */
/*
 * Where directories were seen last: in which directory, by which name.  The host may have moved
 * them since, so it is to be checked again before it is used.
 */
#ifndef VIRTIO_9P_PLACES_H
#define VIRTIO_9P_PLACES_H

#include "drivers/virtio-9p/p9.h"

#define PLACES     1024u /* a power of two */
#define PLACE_NAME 47u   /* longer names are not noted */

struct place {
	uint64_t path, above; /* the directory's number, and that of the one it is in */
	uint8_t length;       /* 0: free */
	char name[PLACE_NAME];
};

#define PLACES_LEVELS 2048u /* of a directory's path, which has 4095 bytes */

struct places {
	struct place slots[PLACES];
	uint32_t turn;
	const struct place *way[PLACES_LEVELS]; /* see places_way */
};

void places_note(struct places *places, struct p9_qid above, struct p9_text name,
                 struct p9_qid directory);
/* NULL: nothing is known. */
const struct place *places_find(const struct places *places, uint64_t path);
/* How the directory `path` is reached from the directory `root`: into places->way, the last name
 * first.  Whether all of it is known. */
bool places_way(struct places *places, uint64_t path, uint64_t root, uint32_t *count);

#endif
