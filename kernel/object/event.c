/* SPDX-License-Identifier: MIT */
/*
 * Events.  A bit is in one place at a time: in the event's word until an operation waits for it,
 * or, once the event is bound, in the thread's upcall_bits.  Operations that watch take nothing:
 * they compare how many times the event was signalled.
 */
#include "object/event.h"
#include "object/kcall.h"
#include "kernel.h"
#include "memory/slab.h"
#include "process/thread.h"
#include "work.h"

#define STEPS_WAKE 4u /* to complete an operation that waited */

struct event {
	struct object_header header;
	struct account *account;
	uint64_t bits;
	uint64_t signals;     /* how many times it was signalled */
	struct list waiters;  /* struct op, in order of arrival: of WAIT and of WATCH */
	uint32_t watching;    /* those of WATCH */
	struct thread *bound; /* it holds one count of this */
	/* While bits are offered to the waiters, piece by piece: work, which holds one count, and
	 * a node among the waiters, before it those that have been asked. */
	struct work work;
	struct list asked;
	bool again; /* bits were set since the first of them was asked */
};

ASSERT_HEADER_FIRST(struct event);

static struct slab events = SLAB_INIT(struct event);

struct event *event_create(struct account *account)
{
	struct event *e = account_alloc(account, &events);
	if (e) {
		e->header = (struct object_header){.refs = 1, .kind = KIND_EVENT};
		e->account = account;
		list_init(&e->waiters);
		list_init(&e->asked);
	}
	return e;
}

void event_get(struct event *e)
{
	header_get(&e->header);
}

void event_put(struct event *e)
{
	if (header_put(&e->header))
		event_last(&e->header);
}

void event_last(struct object_header *header)
{
	struct event *e = event_of(header);
	assert(kernel_locked());
	assert(list_empty(&e->waiters) && !e->bound);
	account_free(e->account, &events, e);
}

static void offer_on(struct work *work);

static void withdraw(struct op *op)
{
	event_put(op->target);
}

static void withdraw_watch(struct op *op)
{
	struct event *e = op->target;
	e->watching--;
	event_put(e);
}

/* Whether anything that waits may be served. */
static bool may_serve(const struct event *e)
{
	return e->bits != 0 || e->watching > 0;
}

/* Completes the operation if it waits for what there is. */
static bool serve(struct event *e, struct op *op)
{
	bool watch = op->withdraw == withdraw_watch;
	uint64_t taken = e->bits & op->arg;
	if (watch ? op->arg == e->signals : taken == 0)
		return false;
	if (watch)
		e->watching--;
	else
		e->bits &= ~taken;
	op_complete(op, CAP_OK, 0, watch ? e->signals : taken, 0);
	event_put(e);
	return true;
}

/* Offers the bits to those waiters that were not asked, as far as the budget goes. */
static void offer(struct event *e)
{
	while (may_serve(e) && e->asked.next != &e->waiters) {
		if (steps_over()) {
			work_add_rest(&e->work, offer_on);
			return;
		}
		struct op *op = list_entry(e->asked.next, struct op, queue);
		steps_spend(1);
		if (serve(e, op)) {
			steps_spend(STEPS_WAKE);
			continue;
		}
		list_remove(&e->asked);
		list_prepend(&op->queue, &e->asked);
	}
	list_remove(&e->asked);
	if (e->again && may_serve(e)) {
		e->again = false;
		list_prepend(&e->waiters, &e->asked);
		work_add_rest(&e->work, offer_on);
		return;
	}
	event_put(e);
}

static void offer_on(struct work *work)
{
	offer(container_of(work, struct event, work));
}

void event_signal(struct event *e, uint64_t bits)
{
	assert(kernel_locked());
	e->signals++;
	if (e->bound) {
		thread_signal(e->bound, bits);
		return;
	}
	e->bits |= bits;
	if (work_queued(&e->work)) {
		e->again = true;
		return;
	}
	if (list_empty(&e->waiters))
		return;
	event_get(e); /* the last waiter's count may be the last */
	e->again = false;
	list_prepend(&e->waiters, &e->asked);
	offer(e);
}

int event_wait(struct event *e, struct thread *t, const struct capos_sqe *sqe, uint64_t *bits)
{
	if (sqe->arg == 0)
		return CAP_EINVAL;
	uint64_t taken = e->bits & sqe->arg;
	if (taken != 0) {
		e->bits &= ~taken;
		*bits = taken;
		return CAP_OK;
	}
	struct op *op = op_create(t, sqe, withdraw);
	if (!op)
		return CAP_ENOMEM;
	event_get(e);
	op->target = e;
	list_append(&e->waiters, &op->queue);
	return OP_PENDING;
}

int event_watch(struct event *e, struct thread *t, const struct capos_sqe *sqe, uint64_t *signals)
{
	*signals = e->signals;
	if (sqe->arg != e->signals)
		return CAP_OK;
	struct op *op = op_create(t, sqe, withdraw_watch);
	if (!op)
		return CAP_ENOMEM;
	event_get(e);
	op->target = e;
	e->watching++;
	list_append(&e->waiters, &op->queue);
	return OP_PENDING;
}

/* From its thread, giving the thread's count back. */
static void unbind(struct event *e)
{
	struct thread *t = e->bound;
	t->upcall_event = NULL;
	t->upcall_entry = 0;
	e->bound = NULL;
	e->bits |= __atomic_exchange_n(&t->ring.header->upcall_bits, 0, __ATOMIC_ACQUIRE);
	event_put(e);
}

/* Binding again to the same thread changes the entry alone. */
static int bind_upcall(void *event, struct msg_call *msg,
                       const struct event_bind_upcall_params *params)
{
	struct event *e = event;
	struct kcall *call = kcall_of(msg);
	struct thread *t = call->caller;
	if ((e->bound && e->bound != t) || (t->upcall_event && t->upcall_event != e))
		return CAP_EBUSY;
	if (params->entry != 0 &&
	    (params->entry < CAPOS_USER_MIN || params->entry >= CAPOS_USER_MAX))
		return CAP_EINVAL;
	t->upcall_entry = params->entry;
	if (e->bound)
		return CAP_OK;
	event_get(e);
	e->bound = t;
	t->upcall_event = e;
	t->unbind = unbind;
	uint64_t bits = e->bits;
	e->bits = 0;
	if (bits != 0)
		thread_signal(t, bits);
	return CAP_OK;
}

int event_call(struct object_header *header, struct msg_call *msg)
{
	static const struct event_ops ops = {.bind_upcall = bind_upcall};
	return event_dispatch(&ops, event_of(header), msg);
}
