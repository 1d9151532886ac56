/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of one thread's ring: takes submissions, posts completions.  It keeps its own
 * indices and reads of the shared memory only what the user alone writes, once each; nothing in
 * there can make it write outside the ring's three pages.  Knows nothing of what an operation
 * means.
 */
#ifndef KERNEL_RING_H
#define KERNEL_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <capos/abi.h>

struct ring {
	/* only the first page of it is here: the three pages may be anywhere */
	struct capos_ring *header;
	struct capos_sqe *sq;      /* CAPOS_SQ_ENTRIES */
	struct capos_cqe *cq;      /* CAPOS_CQ_ENTRIES */
	uint32_t sq_head, sq_tail; /* tail: as last read */
	uint32_t cq_tail, cq_head; /* head: as last read */
	uint32_t pending;          /* operations that hold a completion's place */
};

void ring_init(struct ring *r, void *header, void *sq, void *cq, uint64_t user_address,
               uint64_t thread_id);
/* Reads the user's indices.  CAP_OK, or CAP_EINVAL when they make no sense. */
static inline int ring_refresh(struct ring *r)
{
	uint32_t sq_tail = __atomic_load_n(&r->header->sq_tail, __ATOMIC_ACQUIRE);
	uint32_t cq_head = __atomic_load_n(&r->header->cq_head, __ATOMIC_ACQUIRE);
	if (sq_tail - r->sq_head > CAPOS_SQ_ENTRIES || r->cq_tail - cq_head > CAPOS_CQ_ENTRIES)
		return CAP_EINVAL;
	r->sq_tail = sq_tail;
	r->cq_head = cq_head;
	return CAP_OK;
}
static inline bool ring_has_next(const struct ring *r)
{
	return r->sq_head != r->sq_tail;
}
/* Takes the next submission, holding a completion's place for it; false: none left, or no place. */
bool ring_take(struct ring *r, struct capos_sqe *out);
/* Gives the place of a submission back without a completion. */
void ring_drop(struct ring *r);
/* Posts the completion of a submission taken before. */
void ring_complete(struct ring *r, const struct capos_cqe *cqe);
static inline uint32_t ring_unread(const struct ring *r)
{
	return r->cq_tail - r->cq_head;
}

#endif
