/* SPDX-License-Identifier: MIT */
/*
 * System calls, and what each operation of the ring does.  A handler answers with the operation's
 * result, or with OP_PENDING when it has made a struct op that completes later; nothing in a
 * submission can do more than fail.
 */
#include "process/cap.h"
#include "object/bytes.h"
#include "object/call.h"
#include "object/endpoint.h"
#include "object/event.h"
#include "fault.h"
#include "process/futex.h"
#include "object/kcall.h"
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"
#include "work.h"

/* The capability named, if it is of that kind with that right. */
static int find(struct thread *t, cap_t id, enum cap_kind kind, uint32_t right, struct cap *out)
{
	int error = cap_lookup(&t->process->caps, id, out);
	if (error)
		return error;
	if (out->kind != kind)
		return CAP_ETYPE;
	return (out->rights & right) == right ? CAP_OK : CAP_ERIGHTS;
}

/* *era: 0 of what is not served by a program. */
static int look(struct thread *t, cap_t id, uint64_t *era)
{
	struct cap cap;
	*era = 0;
	if (id == CAP_NULL)
		return CAP_OK;
	int error = cap_lookup(&t->process->caps, id, &cap);
	if (error || cap.kind != KIND_OBJECT)
		return error;
	*era = object_era(object_of(cap.object));
	return object_gone(object_of(cap.object)) ? CAP_EGONE : CAP_OK;
}

static int op_nop(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	int error = look(t, sqe->cap, &cqe->value);
	if (!error && cqe->value != 0 && sqe->arg != 0 && sqe->arg != cqe->value)
		return CAP_EGONE;
	return error;
}

static int op_call(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	int error = cap_lookup(&t->process->caps, sqe->cap, &cap);
	if (error)
		return error;
	if (!(cap.rights & CAP_RIGHT_CALL))
		return CAP_ERIGHTS;
	if (cap.kind == KIND_OBJECT)
		return object_call(object_of(cap.object), t, sqe);
	return kcall_submit(t, sqe, cap, cqe);
}

static int op_recv(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	(void)cqe;
	int error = find(t, sqe->cap, KIND_ENDPOINT, CAP_RIGHT_RECV, &cap);
	return error ? error : endpoint_recv(endpoint_of(cap.object), t, sqe);
}

static int op_return(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	(void)cqe;
	return call_return(t, sqe);
}

static int op_release(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	(void)cqe;
	int error = cap_remove(&t->process->caps, sqe->cap, &cap);
	if (!error)
		cap_put(cap);
	return error;
}

static int op_cancel_other(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	(void)cqe;
	return op_cancel(t, sqe->arg);
}

/* Puts a capability, whose count is passed, into the process's table and its id into the
 * completion. */
static int install(struct thread *t, struct cap cap, struct capos_cqe *cqe)
{
	int error = cap_insert(&t->process->caps, cap, &cqe->value);
	if (error)
		cap_put(cap);
	return error;
}

static int op_mint(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	struct object *object;
	int error = find(t, sqe->cap, KIND_ENDPOINT, CAP_RIGHT_RECV, &cap);
	if (!error)
		error = cap_room(&t->process->caps,
		                 1); /* a failure must not look like a release to the server */
	if (!error)
		error = endpoint_mint(endpoint_of(cap.object), t, sqe, &object);
	if (error)
		return error;
	struct cap minted = {object_header(object), KIND_OBJECT, CAP_RIGHT_CALL | CAP_RIGHT_COPY};
	return install(t, minted, cqe);
}

static int op_copy(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	int error = cap_lookup(&t->process->caps, sqe->cap, &cap);
	if (error)
		return error;
	if (!(cap.rights & CAP_RIGHT_COPY))
		return CAP_ERIGHTS;
	cap.rights &= sqe->arg & CAP_RIGHTS_ALL;
	cap_get(cap);
	return install(t, cap, cqe);
}

static int op_signal(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	(void)cqe;
	int error = find(t, sqe->cap, KIND_EVENT, CAP_RIGHT_SIGNAL, &cap);
	if (!error)
		event_signal(event_of(cap.object), sqe->arg);
	return error;
}

static int op_wait(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	int error = find(t, sqe->cap, KIND_EVENT, CAP_RIGHT_WAIT, &cap);
	return error ? error : event_wait(event_of(cap.object), t, sqe, &cqe->value);
}

static int op_futex_wait(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	(void)cqe;
	return futex_wait(t, sqe);
}

static int op_futex_wake(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	return futex_wake(t, sqe, &cqe->value);
}

static int op_watch(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	int error = find(t, sqe->cap, KIND_EVENT, CAP_RIGHT_WAIT, &cap);
	return error ? error : event_watch(event_of(cap.object), t, sqe, &cqe->value);
}

static int op_futex_requeue(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	return futex_requeue(t, sqe, &cqe->value);
}

static int op_load(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	uint64_t era;
	int error = look(t, sqe->witness, &era);
	if (!error)
		error = find(t, sqe->cap, KIND_MEMORY, CAP_RIGHT_READ, &cap);
	return error ? error : bytes_load(memobj_of(cap.object), t, sqe, cqe);
}

static int op_store(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	struct cap cap;
	uint64_t era;
	int error = look(t, sqe->witness, &era);
	if (!error)
		error = find(t, sqe->cap, KIND_MEMORY, CAP_RIGHT_WRITE, &cap);
	return error ? error : bytes_store(memobj_of(cap.object), t, sqe, cqe);
}

static int (*const handlers[CAP_OP_COUNT])(struct thread *, const struct capos_sqe *,
                                           struct capos_cqe *) = {
        [CAP_OP_NOP] = op_nop,
        [CAP_OP_CALL] = op_call,
        [CAP_OP_RECV] = op_recv,
        [CAP_OP_RETURN] = op_return,
        [CAP_OP_RELEASE] = op_release,
        [CAP_OP_CANCEL] = op_cancel_other,
        [CAP_OP_MINT] = op_mint,
        [CAP_OP_COPY] = op_copy,
        [CAP_OP_SIGNAL] = op_signal,
        [CAP_OP_WAIT] = op_wait,
        [CAP_OP_FUTEX_WAIT] = op_futex_wait,
        [CAP_OP_FUTEX_WAKE] = op_futex_wake,
        [CAP_OP_WATCH] = op_watch,
        [CAP_OP_FUTEX_REQUEUE] = op_futex_requeue,
        [CAP_OP_LOAD] = op_load,
        [CAP_OP_STORE] = op_store,
};

/* What no operation looks at is zero, so that it may come to mean something. */
static bool well_formed(const struct capos_sqe *sqe)
{
	bool copies = sqe->op == CAP_OP_LOAD || sqe->op == CAP_OP_STORE;
	unsigned flags = CAPOS_SQE_QUIET;
	uint64_t rest = copies ? 0 : sqe->witness;
	if (sqe->op == CAP_OP_STORE)
		flags |= CAPOS_SQE_APPEND;
	if (sqe->op == CAP_OP_FUTEX_REQUEUE)
		flags |= CAPOS_SQE_COMPARE;
	if (sqe->op == CAP_OP_CALL)
		flags |= CAPOS_SQE_UNHURRIED;
	for (unsigned i = 0; i < sizeof(sqe->reserved) / sizeof(sqe->reserved[0]); i++)
		rest |= sqe->reserved[i];
	return rest == 0 && (sqe->flags & ~flags) == 0;
}

static int perform(struct thread *t, const struct capos_sqe *sqe, struct capos_cqe *cqe)
{
	if (sqe->op >= CAP_OP_COUNT)
		return CAP_EOPCODE;
	if (!well_formed(sqe))
		return CAP_EINVAL;
	return handlers[sqe->op](t, sqe, cqe);
}

/* ---- Taking submissions ---- */

static void name_entry(const struct capos_sqe *sqe)
{
	this_cpu()->entry = (struct entry){.kind = ENTRY_SUBMIT,
	                                   .op = sqe->op,
	                                   .method = sqe->method,
	                                   .interface = sqe->interface};
}

static void complete(struct thread *t, const struct capos_cqe *cqe)
{
	t->holds = false;
	if (t->job) {
		t->job->abandon(t->job);
		t->job = NULL;
	}
	if (cqe->result == OP_PENDING)
		return;
	if (!cqe->result && (t->sqe.flags & CAPOS_SQE_QUIET))
		ring_drop(&t->ring);
	else
		ring_complete(&t->ring, cqe);
}

/* Frames that the work of one budget frees at least, whatever the attempt before it spent. */
#define FRAMES_PER_TRY 32u
#define TRIES_MIN      64u

/* What programs that ended had is free as soon as it is needed: a submission that finds no memory
 * waits for the work that is pending.  Each attempt may add work of its own by what it gives up, so
 * there are no more of them than it takes to free all the memory that there is. */
static bool may_try_again(struct thread *t)
{
	return work_pending() && t->tries++ < TRIES_MIN + page_total() / FRAMES_PER_TRY;
}

/* Takes and performs submissions.  true: all that can be taken; false: the budget is spent, or the
 * thread ended. */
static bool submit_some(struct thread *t)
{
	while (t->holds || (ring_has_next(&t->ring) && ring_take(&t->ring, &t->sqe))) {
		if (!t->holds)
			t->progress[0] = t->progress[1] = t->progress[2] = t->tries = 0;
		t->holds = true;
		bool large = t->sqe.send_len > MESSAGE_LARGE || t->sqe.recv_len > MESSAGE_LARGE;
		if (steps_over() || (large && steps_begun()))
			return false;
		if (this_cpu()->measures)
			name_entry(&t->sqe);
		struct capos_cqe cqe = {.user_data = t->sqe.user_data};
		cqe.result = perform(t, &t->sqe, &cqe);
		if (current_thread() != t)
			return false;
		steps_spend(STEPS_OPERATION);
		if (cqe.result == OP_AGAIN)
			continue;
		if (cqe.result == CAP_ENOMEM && may_try_again(t))
			work_run();
		else
			complete(t, &cqe);
	}
	return true;
}

void submit_go_on(struct thread *t)
{
	if (!submit_some(t))
		return;
	t->enter = t->timeout_ns == 0 ? ENTER_TIMED_OUT : ENTER_WAITING;
	if (t->enter == ENTER_TIMED_OUT || thread_may_go_on(t))
		return;
	sched_block(t);
	thread_become(t, THREAD_WAITING);
	if (t->timeout_ns == CAPOS_FOREVER)
		return;
	uint64_t now = arch_clock_ns();
	timeout_set(&t->timeout,
	            t->timeout_ns < UINT64_MAX - 1 - now ? now + t->timeout_ns : UINT64_MAX - 1);
}

/* ---- System calls ---- */

static void enter(struct thread *t, uint64_t min_complete, uint64_t timeout_ns)
{
	if (min_complete > CAPOS_CQ_ENTRIES || ring_refresh(&t->ring) != CAP_OK) {
		arch_set_result(&t->arch, CAP_EINVAL);
		return;
	}
	bool yields = timeout_ns == 0 && t->ring.sq_head == t->ring.sq_tail;
	t->wanted = (uint32_t)min_complete;
	t->timeout_ns = timeout_ns;
	t->enter = ENTER_SUBMITTING;
	submit_go_on(t);
	if (yields && current_thread() == t && t->enter == ENTER_TIMED_OUT)
		sched_pass(t);
}

_Noreturn void kernel_syscall(uint64_t number, uint64_t a, uint64_t b)
{
	kernel_enter(ENTRY_SUBMIT);
	struct thread *t = current_thread();
	if (number == CAPOS_SYS_CAP_ENTER)
		enter(t, a, b);
	else if (number == CAPOS_SYS_EXIT)
		process_end(t->process, a & 0xffff, NULL);
	else
		process_end(t->process, CAPOS_EXIT_STATUS(0, DEATH_SYSTEM_CALL), "bad system call");
	sched_leave();
}
