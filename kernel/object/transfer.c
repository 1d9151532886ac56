/* SPDX-License-Identifier: MIT */
/*
 * Transfers: counts are taken when the message is submitted, so what was sent stays alive on its
 * way; tables change only when nothing can fail any more.
 */
#include "object/transfer.h"
#include "kernel.h"
#include "cpu.h"
#include "process/process.h"
#include "memory/space.h"

static int decode(struct transfer *x, const struct process *from, const struct capos_send_cap *sent,
                  uint32_t i)
{
	struct cap *cap = &x->caps[i];
	int error = cap_lookup(&from->caps, sent->cap, cap);
	if (error)
		return error;
	x->moved[i] = CAP_NULL;
	if (sent->flags & CAPOS_SEND_MOVE) {
		for (uint32_t j = 0; j < i; j++) {
			if (x->moved[j] == sent->cap)
				return CAP_EINVAL;
		}
		x->moved[i] = sent->cap;
	} else if (!(cap->rights & CAP_RIGHT_COPY)) {
		return CAP_ERIGHTS;
	}
	if (sent->flags & ~(CAPOS_SEND_MOVE | CAPOS_SEND_HANGUP))
		return CAP_EINVAL;
	cap->rights &= (uint16_t)(sent->rights & CAP_RIGHTS_ALL);
	if (!(sent->flags & CAPOS_SEND_HANGUP))
		return CAP_OK;
	if (cap->kind != KIND_EVENT)
		return CAP_ETYPE;
	if (!(cap->rights & CAP_RIGHT_SIGNAL))
		return CAP_ERIGHTS;
	cap->rights |= CAP_HANGUP;
	return CAP_OK;
}

int transfer_begin(struct transfer *x, struct process *from, uint64_t address, uint32_t count)
{
	struct capos_send_cap sent[CAPOS_MESSAGE_CAPS_MAX];
	assert(kernel_locked());
	x->count = 0;
	if (count == 0)
		return CAP_OK;
	if (count > CAPOS_MESSAGE_CAPS_MAX)
		return CAP_EINVAL;
	int error = space_copy_in(&from->space, sent, address, count * sizeof(sent[0]));
	for (uint32_t i = 0; i < count && !error; i++)
		error = decode(x, from, &sent[i], i);
	if (error)
		return error;
	x->count = count;
	for (uint32_t i = 0; i < count; i++)
		cap_get(x->caps[i]);
	return CAP_OK;
}

int transfer_check(const struct transfer *x, const struct process *from, struct process *to)
{
	struct cap cap;
	for (uint32_t i = 0; i < x->count; i++) {
		if (x->moved[i] != CAP_NULL && cap_lookup(&from->caps, x->moved[i], &cap) != CAP_OK)
			return CAP_EBADCAP;
	}
	return x->count == 0 ? CAP_OK : cap_room(&to->caps, x->count);
}

void transfer_unmove(const struct transfer *x, struct process *from)
{
	struct cap cap;
	for (uint32_t i = 0; i < x->count; i++) {
		if (x->moved[i] != CAP_NULL && cap_remove(&from->caps, x->moved[i], &cap) == CAP_OK)
			cap_put(cap);
	}
}

int transfer_arrive(struct transfer *x, struct process *from, struct process *to, uint64_t address)
{
	cap_t ids[CAPOS_MESSAGE_CAPS_MAX];
	struct cap cap;
	if (x->count == 0)
		return CAP_OK;
	for (uint32_t i = 0; i < x->count; i++) {
		int inserted = cap_insert(&to->caps, x->caps[i], &ids[i]);
		assert(!inserted); /* transfer_check made room */
	}
	int error = space_copy_out(&to->space, address, ids, x->count * sizeof(ids[0]));
	if (error) {
		for (uint32_t i = 0; i < x->count; i++)
			cap_remove(&to->caps, ids[i], &cap);
		return error;
	}
	transfer_unmove(x, from);
	x->count = 0;
	return CAP_OK;
}

void transfer_drop(struct transfer *x)
{
	uint32_t count = x->count;
	x->count = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (x->caps[i].kind != KIND_NONE)
			cap_put(x->caps[i]);
	}
}
