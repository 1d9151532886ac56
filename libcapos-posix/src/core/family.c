/* SPDX-License-Identifier: MIT */
/*
 * The shared memory of a family.  A place among the members is taken by writing a fresh token into
 * it and given up by taking that same token out, so that a member never gives up another's place;
 * what a place's last holder left behind is cleared before the next one gets it.
 */
#include <errno.h>

#include <capos/cap.h>

#include "core/family.h"
#include "core/fd.h"
#include "core/pages.h"
#include "core/self.h"
#include "core/wait.h"

#define OFFSETS_MAX \
	1024u /* descriptions that a family can share; as many as one process can have */

struct family_offset {
	off_t offset; /* POSIX asks for no more than that it is one and the same */
	_Atomic uint64_t users;
};

struct family {
	_Atomic uint64_t tokens[FAMILY_MEMBERS]; /* 0: free */
	_Atomic uint64_t last_token;
	struct family_offset offsets[OFFSETS_MAX];
};
#define FAMILY_SIZE PAGES_SIZE(sizeof(struct family))

static struct family *family; /* NULL: this process never forked and came from none */
static cap_t memory;
static struct membership self = {.member = 0, .token = 1};

static int map_family(void)
{
	void *address;
	int result =
	        cap_memory_map(memory, 0, FAMILY_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address);

	if (!result)
		family = address;
	return errno_of(result);
}

int family_ensure(void)
{
	int result;

	if (family)
		return 0;
	if (!process_event())
		return -ENOMEM;
	result = errno_of(cap_memory_create(FAMILY_SIZE, &memory));
	if (result)
		return result;
	result = map_family();
	if (result) {
		cap_release(memory);
		return result;
	}
	atomic_store(&family->last_token, self.token);
	atomic_store(&family->tokens[self.member], self.token);
	return 0;
}

bool family_exists(void)
{
	return family;
}

struct membership family_self(void)
{
	return self;
}

uint64_t family_wait_bit(void)
{
	return 1ull << self.member;
}

void family_wake(void)
{
	if (!family)
		return;
	cap_signal(process_event(), ~family_wait_bit());
}

/* ---- Members ---- */

static void clear_place(uint32_t member)
{
	for (uint32_t i = 0; i < OFFSETS_MAX; i++) {
		if (atomic_load_explicit(&family->offsets[i].users, memory_order_relaxed))
			atomic_fetch_and(&family->offsets[i].users, ~(1ull << member));
	}
}

int family_join(struct membership *child)
{
	child->token = atomic_fetch_add(&family->last_token, 1) + 1;
	for (child->member = 0; child->member < FAMILY_MEMBERS; child->member++) {
		uint64_t expected = 0;

		if (!atomic_compare_exchange_strong(&family->tokens[child->member], &expected,
		                                    child->token))
			continue;
		clear_place(child->member);
		return 0;
	}
	return -EAGAIN;
}

void family_leave(struct membership m)
{
	if (family)
		atomic_compare_exchange_strong(&family->tokens[m.member % FAMILY_MEMBERS], &m.token,
		                               0);
}

bool family_alive(struct membership m)
{
	if (!family)
		return m.token == self.token;
	return m.token && atomic_load(&family->tokens[m.member % FAMILY_MEMBERS]) == m.token;
}

void family_become(struct membership m)
{
	self = m;
}

/* ---- Offsets ---- */

/* The bits of members that are there. */
static uint64_t living(void)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < FAMILY_MEMBERS; i++) {
		if (atomic_load_explicit(&family->tokens[i], memory_order_relaxed))
			bits |= 1ull << i;
	}
	return bits;
}

int family_share_offset(struct family_offset **slot, off_t offset, struct membership child)
{
	uint64_t both = family_wait_bit() | 1ull << child.member, live;

	if (*slot) {
		atomic_fetch_or(&(*slot)->users, both);
		return 0;
	}
	live = living();
	for (uint32_t i = 0; i < OFFSETS_MAX; i++) {
		struct family_offset *free_one = &family->offsets[i];
		uint64_t users = atomic_load(&free_one->users);

		if (users & live || !atomic_compare_exchange_strong(&free_one->users, &users, both))
			continue;
		free_one->offset = offset;
		*slot = free_one;
		return 0;
	}
	return -ENFILE;
}

off_t *family_offset_of(struct family_offset *slot)
{
	return &slot->offset;
}

void family_drop_offset(struct family_offset *slot)
{
	if (slot)
		atomic_fetch_and(&slot->users, ~family_wait_bit());
}

uint32_t family_offset_number(const struct family_offset *slot)
{
	return (uint32_t)(slot - family->offsets);
}

struct family_offset *family_offset_at(uint32_t number)
{
	return family && number < OFFSETS_MAX ? &family->offsets[number] : NULL;
}

/* ---- Locks ---- */

#define LOCK_WAITED \
	0x80000000u /* a member sleeps for it; below: the holder's member number + 1 \
	             */

/* Sleeps until the word is no longer what was seen, or the deadline. */
static void sleep_on(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline)
{
	struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAIT, .send_addr = (uintptr_t)word, .arg = seen};
	struct cap_op op = {0};

	if (cap_submit(&sqe, &op))
		return;
	while (!op.done) {
		uint64_t now = cap_now();

		if (now >= deadline)
			break;
		/* Signals are taken out of the ring, else waiting would end at once again. */
		if (cap_await(&op, deadline - now) == CAP_EINTR && !op.done)
			core_hooks.signal_waiting();
	}
	if (!op.done)
		cap_cancel(&op);
}

void family_lock(_Atomic uint32_t *word)
{
	const uint32_t mine = self.member + 1;
	uint64_t deadline = 0;
	uint32_t seen = 0;

	while (!atomic_compare_exchange_strong(word, &seen, mine)) {
		uint32_t waited = seen | LOCK_WAITED;

		if (!deadline)
			deadline = deadline_after(FAMILY_LOCK_NS);
		if (cap_now() >= deadline) {
			if (atomic_compare_exchange_strong(word, &seen, mine | LOCK_WAITED))
				return;
		} else if (seen == waited || atomic_compare_exchange_strong(word, &seen, waited)) {
			sleep_on(word, waited, deadline);
		}
		seen = 0;
	}
}

void family_unlock(_Atomic uint32_t *word)
{
	if (atomic_exchange(word, 0) & LOCK_WAITED) {
		struct capos_sqe sqe = {.op = CAP_OP_FUTEX_WAKE,
		                        .send_addr = (uintptr_t)word,
		                        .arg = FAMILY_MEMBERS};
		struct cap_op op = {0};

		if (!cap_submit(&sqe, &op))
			cap_await_uninterruptible(&op);
	}
}

/* ---- exec ---- */

struct family_state family_save(void)
{
	return (struct family_state){.memory = memory, .self = self};
}

int family_restore(const struct family_state *state)
{
	self = state->self;
	memory = state->memory;
	if (self.member >= FAMILY_MEMBERS)
		return -EINVAL;
	return memory ? map_family() : 0;
}
