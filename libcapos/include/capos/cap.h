/* SPDX-License-Identifier: MIT */
/*
 * The ring client: operations on capabilities, one at a time or many in flight.  All functions work
 * on the calling thread's own ring, allocate nothing and may be used before any library is set up;
 * they are not to be called from an upcall that interrupted one of them (libcapos-posix masks
 * upcalls meanwhile).
 *
 * The last three words of the ring's user_word are the library's; the others are free for who links
 * it.
 *
 * Results: CAP_OK, a negative enum cap_error, or a positive Status of the server.
 */
#ifndef CAPOS_CAP_H
#define CAPOS_CAP_H

#include <stdbool.h>
#include <capos/abi.h>
#include <capos/msg.h>

/* The two system calls. */
int64_t cap_enter(uint64_t min_complete, uint64_t timeout_ns);
_Noreturn void cap_exit(uint32_t status);

/* The calling thread's ring. */
static inline struct capos_ring *cap_ring(void)
{
	struct capos_ring *ring;
	/* volatile: the thread keeps its ring, but code that forked goes on in another one's. */
	__asm__ volatile("movq %%gs:0, %0" : "=r"(ring));
	return ring;
}

/* Monotonic and Unix time from the clock page, in nanoseconds; no kernel entry. */
uint64_t cap_now(void);
int64_t cap_realtime(void);

/* ---- Asynchronous ---- */

/*
 * An operation in flight.  The caller owns it and keeps it, and every buffer named in the
 * submission, until it is done.  user_data of the submission is overwritten with its address.
 */
struct cap_op {
	bool done;
	bool abandoned; /* cap_cancel was called for it */
	struct capos_cqe cqe;
	/* may be NULL; called by the thread that reaps; may submit, must not wait */
	void (*complete)(struct cap_op *op);
	void *context;
};

/* Queues a submission (enters the kernel only when the queue is full).  CAP_OK or CAP_EAGAIN: too
 * much in flight.  With CAPOS_SQE_QUIET in its flags the op becomes done only by failing. */
int cap_submit(struct capos_sqe *sqe, struct cap_op *op);
/* Queues a QUIET submission that needs no completion; failures are counted, not returned. */
int cap_submit_quiet(struct capos_sqe *sqe);
/* Enters once: submits what is queued, waits for at least one completion (or wait=false: none) up
 * to timeout_ns, and reaps all there are.  CAP_OK, CAP_ETIMEDOUT, CAP_EINTR (signals pending), each
 * after reaping. */
int cap_poll(bool wait, uint64_t timeout_ns);
/* Waits until op is done: its result; or CAP_ETIMEDOUT, CAP_EINTR with op still in flight.
 * uninterruptible: signals are left pending and waiting goes on without using the processor up. */
int cap_await(struct cap_op *op, uint64_t timeout_ns);
int cap_await_uninterruptible(struct cap_op *op);
/* Cancels op and waits until it is done (cancelled, or completed in the meantime). */
void cap_cancel(struct cap_op *op);

/* ---- Synchronous ---- */

/* What goes with a generated client stub. */
struct capos_call {
	const struct capos_send_cap *send_caps;
	uint32_t send_ncaps;
	void *buffer;  /* 8-byte aligned: first the parameters' message, then the results'; results
	                  point into it */
	uint32_t size; /* of buffer */
	bool interruptible;  /* CAP_EINTR by a signal cancels the call */
	uint64_t timeout_ns; /* 0: none; else the call is cancelled then: CAP_ETIMEDOUT */
	/* set on return */
	cap_t caps[CAPOS_MESSAGE_CAPS_MAX]; /* received, the caller's now */
	uint32_t ncaps;
	/* of the results: their lists refer to it as long as they are in use */
	struct msg_reader reader;
};

/* Used by the stubs: calls with the message of params_length bytes in call->buffer; *reply_length
 * bytes come back there. */
int cap_call(cap_t cap, uint64_t interface, uint16_t method, uint32_t params_length,
             struct capos_call *call, uint32_t *reply_length);
/* A buffer for stubs called with call == NULL: enough for scalars; capabilities received are
 * released. */
#define CAP_STUB_BUFFER 1024u

int cap_release(cap_t cap);
/* Two in one entry of the kernel; the second's result. */
int cap_release_both(cap_t first, cap_t second);
/* With what this thread submits next, or its end: for what nobody waits to be gone. */
void cap_release_later(cap_t cap);
/* The same by who submits something soon, however many there are. */
void cap_release_with_next(cap_t cap);
int cap_copy(cap_t cap, uint32_t rights, cap_t *out);
int cap_mint(cap_t endpoint, uint64_t interface, uint64_t object, cap_t *out);
/* Several with one entry of the kernel; those that fail are CAP_NULL. */
#define CAP_MINT_MOST 8u
void cap_mint_some(cap_t endpoint, uint64_t interface, const uint64_t *objects, uint32_t n,
                   cap_t *out);
/* Whether the capability leads to something: CAP_OK, CAP_EBADCAP, CAP_EGONE.  *era: for an object,
 * a number that changes when the process that serves it ends (may be NULL). */
int cap_test(cap_t cap, uint64_t *era);
/* Whether the kernel itself serves it.  A server asks this of what a client handed over before it
 * calls it: a program's object may never answer. */
bool cap_is_kernels(cap_t cap);
int cap_signal(cap_t event, uint64_t bits);
/* Takes bits of mask, waiting up to timeout_ns for one. */
int cap_wait(cap_t event, uint64_t mask, uint64_t timeout_ns, uint64_t *bits);
int cap_sleep(uint64_t timeout_ns); /* CAP_OK or CAP_EINTR */

/* Of the process itself (CAP_SELF). */
int cap_event_create(cap_t *out);
int cap_endpoint_create(cap_t *out);
int cap_memory_create(uint64_t size, cap_t *out);
int cap_memory_map(cap_t memory, uint64_t offset, uint64_t size, uint32_t access, void **address);
int cap_memory_map_at(cap_t memory, uint64_t offset, uint64_t size, uint32_t access,
                      bool private_copy, uint64_t address);
/* As cap_memory_map, of a copy for this mapping alone, which a fork copies too. */
int cap_memory_map_private(cap_t memory, uint64_t offset, uint64_t size, uint32_t access,
                           void **address);
int cap_memory_unmap(void *address, uint64_t size);

/* ---- Accounts ---- */

/*
 * A program hands its account, with the right CALL alone, to a server when it opens a session; what
 * the server makes for the program it draws from there.  What is drawn is committed: using it never
 * fails.  CAP_ENOMEM: the account has no more, which is that program's error and not the server's.
 */

/* The process's own account (rights CALL, WATCH, COPY). */
int cap_account(cap_t *out);
/* Zeroed memory of size bytes, charged to the account. */
int cap_account_create_memory(cap_t account, uint64_t size, cap_t *out);
/* The same of the process's own account: memory that is all there, also when the machine has none
 * left later. */
int cap_memory_create_committed(uint64_t size, cap_t *out);
/* A copy of part of a MemoryObject (right READ), shared until stored to, charged to the account.
 * offset: a multiple of the page size. */
int cap_account_slice(cap_t account, cap_t memory, uint64_t offset, uint64_t size, cap_t *out);

/* Text for an error or Status, e.g. "access denied". */
const char *cap_error_text(int result);

#endif
