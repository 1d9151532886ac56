/* SPDX-License-Identifier: MIT */
/*
 * The ring client.  A submission's user_data is the address of its struct cap_op, with bit 0 set
 * when the submission was quiet (it then completes only by failing, and was never counted as in
 * flight).
 *
 * All state is in the ring of the calling thread, so nothing here is locked and nothing allocated.
 * What is not in the ring is in the caller's struct cap_op, which the caller keeps until it is
 * done.
 */

#include <capos/cap.h>
#include <capos/object.h>

#include "ring.h"

/* Releases that wait for the next entry of the kernel: enough for an entry to cost little beside
 * them, few enough to leave the ring room for what is submitted with them. */
#define RELEASES_LATER_MAX (CAPOS_SQ_ENTRIES / 4)

#define USER_DATA_QUIET 1ull

static uint64_t deadline_of(uint64_t timeout_ns)
{
	uint64_t now, deadline;

	if (timeout_ns == CAPOS_FOREVER)
		return CAPOS_FOREVER;
	now = cap_now();
	deadline = now + timeout_ns;
	return deadline < now ? CAPOS_FOREVER : deadline;
}

/* What is left until deadline; 0 when it has passed. */
static uint64_t time_left(uint64_t deadline)
{
	uint64_t now;

	if (deadline == CAPOS_FOREVER)
		return CAPOS_FOREVER;
	now = cap_now();
	return now >= deadline ? 0 : deadline - now;
}

static uint32_t submissions_queued(struct capos_ring *ring)
{
	return ring->sq_tail - __atomic_load_n(&ring->sq_head, __ATOMIC_ACQUIRE);
}

static inline void complete_one(struct capos_ring *ring, const struct capos_cqe *cqe)
{
	struct cap_op *op = (struct cap_op *)(uintptr_t)(cqe->user_data & ~USER_DATA_QUIET);

	if (cqe->user_data & USER_DATA_QUIET)
		ring->user_word[RING_WORD_QUIET_FAILURES]++;
	else
		ring->user_word[RING_WORD_IN_FLIGHT]--;
	if (!op)
		return;
	op->cqe = *cqe;
	op->done = true;
	if (op->complete)
		op->complete(op);
}

/* Takes every completion there is.  Callbacks may submit, but do not reap themselves (REAPING), so
 * that their depth does not grow. */
static void reap(struct capos_ring *ring)
{
	if (ring->user_word[RING_WORD_REAPING])
		return;
	ring->user_word[RING_WORD_REAPING] = 1;
	while (ring->cq_head != __atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE)) {
		struct capos_cqe cqe = ring->cq[ring->cq_head % CAPOS_CQ_ENTRIES];

		__atomic_store_n(&ring->cq_head, ring->cq_head + 1, __ATOMIC_RELEASE);
		complete_one(ring, &cqe);
	}
	ring->user_word[RING_WORD_REAPING] = 0;
}

static inline int queue_submission(struct capos_ring *ring, const struct capos_sqe *sqe)
{
	if (submissions_queued(ring) >= CAPOS_SQ_ENTRIES) {
		int64_t result = cap_enter(0, 0);

		if (result < 0 && result != CAP_EINTR)
			return (int)result;
		reap(ring);
		if (submissions_queued(ring) >= CAPOS_SQ_ENTRIES)
			return CAP_EAGAIN;
	}
	ring->sq[ring->sq_tail % CAPOS_SQ_ENTRIES] = *sqe;
	__atomic_store_n(&ring->sq_tail, ring->sq_tail + 1, __ATOMIC_RELEASE);
	return CAP_OK;
}

static inline int submit_limited(struct capos_sqe *sqe, struct cap_op *op, uint64_t limit)
{
	struct capos_ring *ring = cap_ring();
	bool quiet = sqe->flags & CAPOS_SQE_QUIET;
	int result;

	if (!quiet && ring->user_word[RING_WORD_IN_FLIGHT] >= limit)
		return CAP_EAGAIN;
	sqe->user_data = (uintptr_t)op | (quiet ? USER_DATA_QUIET : 0);
	if (op) {
		op->done = false;
		op->abandoned = false;
	}
	result = queue_submission(ring, sqe);
	if (!result && !quiet)
		ring->user_word[RING_WORD_IN_FLIGHT]++;
	return result;
}

int cap_submit(struct capos_sqe *sqe, struct cap_op *op)
{
	return submit_limited(sqe, op, RING_IN_FLIGHT_MAX);
}

int cap_submit_quiet(struct capos_sqe *sqe)
{
	sqe->flags |= CAPOS_SQE_QUIET;
	return submit_limited(sqe, NULL, 0);
}

int cap_poll(bool wait, uint64_t timeout_ns)
{
	struct capos_ring *ring = cap_ring();
	int64_t result = 0;

	if (wait || submissions_queued(ring))
		result = cap_enter(wait ? 1 : 0, wait ? timeout_ns : 0);
	reap(ring);
	if (result < 0)
		return (int)result;
	return wait && result == 0 ? CAP_ETIMEDOUT : CAP_OK;
}

int cap_await(struct cap_op *op, uint64_t timeout_ns)
{
	uint64_t deadline = deadline_of(timeout_ns);

	reap(cap_ring());
	while (!op->done) {
		uint64_t left = time_left(deadline);
		int result = cap_poll(true, left);

		if (op->done)
			break;
		if (result && result != CAP_ETIMEDOUT)
			return result;
		if (!left)
			return CAP_ETIMEDOUT;
	}
	return op->cqe.result;
}

/*
 * While signals are pending cap_enter does not sleep, so they are taken out of the ring for as long
 * as the wait lasts and put back afterwards.  Those that arrive meanwhile cost one more round each.
 */
int cap_await_uninterruptible(struct cap_op *op)
{
	struct capos_ring *ring = cap_ring();
	uint64_t signals = 0;
	int result;

	while ((result = cap_await(op, CAPOS_FOREVER)) == CAP_EINTR && !op->done)
		signals |= __atomic_exchange_n(&ring->upcall_bits, 0, __ATOMIC_ACQ_REL);
	if (signals)
		__atomic_fetch_or(&ring->upcall_bits, signals, __ATOMIC_ACQ_REL);
	/* The kernel refuses the ring itself: its owner has overwritten it, and op may still be
	 * written to. */
	if (!op->done)
		__builtin_trap();
	return result;
}

/* An operation that the kernel completes at once, or that waits without giving up. */
static int run(struct capos_sqe *sqe, struct cap_op *op)
{
	int result;

	op->complete = NULL;
	result = submit_limited(sqe, op, CAPOS_CQ_ENTRIES);
	if (result)
		return result;
	/* Nearly all are done by the first entry, whatever else is said about it. */
	(void)cap_enter(1, CAPOS_FOREVER);
	reap(cap_ring());
	return op->done ? op->cqe.result : cap_await_uninterruptible(op);
}

void cap_cancel(struct cap_op *op)
{
	struct capos_sqe sqe = {.op = CAP_OP_CANCEL, .arg = (uintptr_t)op};
	struct cap_op cancel;

	if (op->done)
		return;
	op->abandoned = true;
	while (run(&sqe, &cancel) == CAP_EAGAIN && !op->done)
		cap_poll(true, CAPOS_FOREVER);
	cap_await_uninterruptible(op);
}

/* Submits and waits for an operation that may be given up: it is cancelled then, and what ended the
 * wait is the result, unless it completed in the meantime. */
static int run_bounded(struct capos_sqe *sqe, struct cap_op *op, uint64_t timeout_ns)
{
	int result;

	*op = (struct cap_op){0};
	result = submit_limited(sqe, op, CAPOS_CQ_ENTRIES - CAPOS_SQ_ENTRIES / 2);
	if (result)
		return result;
	result = cap_await(op, timeout_ns);
	if (op->done)
		return result;
	cap_cancel(op);
	return op->cqe.result == CAP_ECANCELED ? result : op->cqe.result;
}

/* As run_bounded, but signals are left pending. */
static int run_bounded_quietly(struct capos_sqe *sqe, struct cap_op *op, uint64_t timeout_ns)
{
	struct capos_ring *ring = cap_ring();
	uint64_t deadline = deadline_of(timeout_ns), signals = 0;
	int result;

	*op = (struct cap_op){0};
	result = submit_limited(sqe, op, CAPOS_CQ_ENTRIES - CAPOS_SQ_ENTRIES / 2);
	if (result)
		return result;
	while ((result = cap_await(op, time_left(deadline))) == CAP_EINTR && !op->done)
		signals |= __atomic_exchange_n(&ring->upcall_bits, 0, __ATOMIC_ACQ_REL);
	if (signals)
		__atomic_fetch_or(&ring->upcall_bits, signals, __ATOMIC_ACQ_REL);
	if (op->done)
		return result;
	cap_cancel(op);
	return op->cqe.result == CAP_ECANCELED ? result : op->cqe.result;
}

int cap_call(cap_t cap, uint64_t interface, uint16_t method, uint32_t params_length,
             struct capos_call *call, uint32_t *reply_length)
{
	struct cap_op op;
	struct capos_sqe sqe = {
	        .op = CAP_OP_CALL,
	        .method = method,
	        .cap = cap,
	        .interface = interface,
	        .send_addr = (uintptr_t)call->buffer,
	        .send_len = params_length,
	        .send_caps = (uintptr_t)call->send_caps,
	        .send_ncaps = call->send_ncaps,
	        .recv_addr = (uintptr_t)call->buffer,
	        .recv_len = call->size,
	        .recv_caps = (uintptr_t)call->caps,
	        .recv_ncaps = CAPOS_MESSAGE_CAPS_MAX,
	};
	uint64_t timeout = call->timeout_ns ? call->timeout_ns : CAPOS_FOREVER;
	int result;

	call->ncaps = 0;
	*reply_length = 0;
	result = call->interruptible ? run_bounded(&sqe, &op, timeout)
	                             : run_bounded_quietly(&sqe, &op, timeout);
	if (result)
		return result;
	call->ncaps = op.cqe.ncaps;
	*reply_length = op.cqe.length;
	return CAP_OK;
}

int cap_release(cap_t cap)
{
	struct capos_sqe sqe = {.op = CAP_OP_RELEASE, .cap = cap};
	struct cap_op op;

	return cap == CAP_NULL ? CAP_OK : run(&sqe, &op);
}

int cap_release_both(cap_t first, cap_t second)
{
	struct capos_sqe sqe = {.op = CAP_OP_RELEASE, .cap = first};

	if (second == CAP_NULL || first == CAP_NULL || cap_submit_quiet(&sqe))
		(void)cap_release(first);
	return cap_release(second);
}

void cap_release_later(cap_t cap)
{
	struct capos_sqe sqe = {.op = CAP_OP_RELEASE, .cap = cap};

	if (cap == CAP_NULL)
		return;
	if (cap_submit_quiet(&sqe))
		(void)cap_release(cap);
	else if (submissions_queued(cap_ring()) >= RELEASES_LATER_MAX)
		(void)cap_poll(false, 0);
}

void cap_release_with_next(cap_t cap)
{
	struct capos_sqe sqe = {.op = CAP_OP_RELEASE, .cap = cap};

	if (cap != CAP_NULL && cap_submit_quiet(&sqe))
		(void)cap_release(cap);
}

/* Operations that complete with a value. */
static int run_value(struct capos_sqe *sqe, uint64_t *value)
{
	struct cap_op op;
	int result = run(sqe, &op);

	*value = result ? 0 : op.cqe.value;
	return result;
}

/* Whole pages, so that a copy that goes on is aligned. */
#define COPY_MAX 0x7ffff000u

static uint32_t copy_length(uint64_t length)
{
	return length < COPY_MAX ? (uint32_t)length : COPY_MAX;
}

static int run_copy(struct capos_sqe *sqe, struct cap_copied *out)
{
	struct cap_op op;
	int result = run(sqe, &op);

	*out = (struct cap_copied){0};
	if (!result)
		*out = (struct cap_copied){
		        .length = op.cqe.length, .end = op.cqe.value, .marked = op.cqe.ncaps != 0};
	return result;
}

int cap_memory_load(cap_t memory, cap_t witness, uint64_t offset, void *to, uint64_t length,
                    struct cap_copied *out)
{
	struct capos_sqe sqe = {.op = CAP_OP_LOAD,
	                        .cap = memory,
	                        .witness = witness,
	                        .arg = offset,
	                        .recv_addr = (uintptr_t)to,
	                        .recv_len = copy_length(length)};

	return run_copy(&sqe, out);
}

int cap_memory_store(cap_t memory, cap_t witness, bool append, uint64_t offset, const void *from,
                     uint64_t length, struct cap_copied *out)
{
	struct capos_sqe sqe = {.op = CAP_OP_STORE,
	                        .flags = append ? CAPOS_SQE_APPEND : 0,
	                        .cap = memory,
	                        .witness = witness,
	                        .arg = offset,
	                        .send_addr = (uintptr_t)from,
	                        .send_len = copy_length(length)};

	return run_copy(&sqe, out);
}

int cap_copy(cap_t cap, uint32_t rights, cap_t *out)
{
	struct capos_sqe sqe = {.op = CAP_OP_COPY, .cap = cap, .arg = rights};

	return run_value(&sqe, out);
}

int cap_mint(cap_t endpoint, uint64_t interface, uint64_t object, cap_t *out)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_MINT, .cap = endpoint, .interface = interface, .arg = object};

	return run_value(&sqe, out);
}

void cap_mint_some(cap_t endpoint, uint64_t interface, const uint64_t *objects, uint32_t n,
                   cap_t *out)
{
	struct cap_op ops[CAP_MINT_MOST];
	uint32_t submitted = 0;

	for (uint32_t i = 0; i < n; i++)
		out[i] = CAP_NULL;
	while (submitted < n && submitted < CAP_MINT_MOST) {
		struct capos_sqe sqe = {.op = CAP_OP_MINT,
		                        .cap = endpoint,
		                        .interface = interface,
		                        .arg = objects[submitted]};

		ops[submitted].complete = NULL;
		if (submit_limited(&sqe, &ops[submitted], CAPOS_CQ_ENTRIES))
			break;
		submitted++;
	}
	for (uint32_t i = 0; i < submitted; i++) {
		if (!cap_await_uninterruptible(&ops[i]))
			out[i] = ops[i].cqe.value;
	}
}

int cap_test(cap_t cap, uint64_t *era)
{
	struct capos_sqe sqe = {.op = CAP_OP_NOP, .cap = cap};
	uint64_t value;
	int result = run_value(&sqe, &value);

	if (era)
		*era = value;
	return result;
}

bool cap_is_kernels(cap_t cap)
{
	uint64_t era;

	/* Objects of programs have a number that the kernel's have not. */
	return cap != CAP_NULL && !cap_test(cap, &era) && era == 0;
}

int cap_signal(cap_t event, uint64_t bits)
{
	struct capos_sqe sqe = {.op = CAP_OP_SIGNAL, .cap = event, .arg = bits};
	struct cap_op op;

	return run(&sqe, &op);
}

int cap_wait(cap_t event, uint64_t mask, uint64_t timeout_ns, uint64_t *bits)
{
	struct capos_sqe sqe = {.op = CAP_OP_WAIT, .cap = event, .arg = mask};
	struct cap_op op;
	int result = run_bounded(&sqe, &op, timeout_ns);

	*bits = result ? 0 : op.cqe.value;
	return result;
}

int cap_sleep(uint64_t timeout_ns)
{
	uint64_t deadline = deadline_of(timeout_ns), left;

	while ((left = time_left(deadline)) > 0) {
		int result = cap_poll(true, left);

		if (result && result != CAP_ETIMEDOUT)
			return result;
	}
	return CAP_OK;
}
