/* SPDX-License-Identifier: MIT */
/*
 * Submissions are copied out before they are looked at, so that the user cannot change them under
 * the kernel's eyes; a place among the completions is counted from then until the completion has
 * been posted and read.
 */
#include "ring.h"
#include "kernel.h"

void ring_init(struct ring *r, void *header, void *sq, void *cq, uint64_t user_address,
               uint64_t thread_id)
{
	*r = (struct ring){.header = header, .sq = sq, .cq = cq};
	r->header->self = user_address;
	r->header->thread_id = thread_id;
}

bool ring_take(struct ring *r, struct capos_sqe *out)
{
	if (r->sq_head == r->sq_tail || ring_unread(r) + r->pending >= CAPOS_CQ_ENTRIES)
		return false;
	*out = r->sq[r->sq_head % CAPOS_SQ_ENTRIES];
	__asm__ volatile("" ::: "memory"); /* from here on only the copy is looked at */
	r->sq_head++;
	r->pending++;
	__atomic_store_n(&r->header->sq_head, r->sq_head, __ATOMIC_RELEASE);
	return true;
}

void ring_drop(struct ring *r)
{
	assert(r->pending > 0);
	r->pending--;
}

void ring_complete(struct ring *r, const struct capos_cqe *cqe)
{
	ring_drop(r);
	r->cq[r->cq_tail % CAPOS_CQ_ENTRIES] = *cqe;
	r->cq_tail++;
	__atomic_store_n(&r->header->cq_tail, r->cq_tail, __ATOMIC_RELEASE);
}
