/* SPDX-License-Identifier: MIT */
/*
 * Endpoints.  Notices to a server wait in one queue, in the order in which they happened; the nodes
 * lie in the calls and objects themselves, so queuing one cannot fail.  A call is in its endpoint's
 * queue until delivered, then among the calls of the process that received it until that answers; a
 * cancelled one stays there, without an operation, and is in the queue again until the server has
 * received that.
 *
 * Dropping a capability delivers nothing and ends nothing: it queues a notice or the endpoint's
 * work, which goes on from the kernel's queue of work in pieces.  So nothing here recurses,
 * whatever chain of objects in messages in endpoints a program builds.
 *
 * An endpoint outlives the process that receives on it as long as another holds a capability to it:
 * what is under way then fails, and so does every object which that process had minted, since its
 * state is gone; objects that others minted wait for the next process that receives.
 */
#include "object/call.h"
#include "kernel.h"
#include "process/process.h"
#include "memory/slab.h"
#include "memory/space.h"
#include "process/thread.h"
#include "object/transfer.h"
#include "work.h"

/* Notices that one piece of an endpoint's work delivers or frees: each copies up to 64 KiB. */
#define NOTICES_AT_ONCE 4u

ASSERT_HEADER_FIRST(struct endpoint);
ASSERT_HEADER_FIRST(struct object);

static struct slab endpoints = SLAB_INIT(struct endpoint);
static struct slab objects = SLAB_INIT(struct object);

static struct object *object_of_notice(struct notice *notice)
{
	assert(notice->kind == CAPOS_RECEIVED_RELEASE);
	return container_of(notice, struct object, notice);
}

static struct call *call_of_notice(struct notice *notice)
{
	assert(notice->kind != CAPOS_RECEIVED_RELEASE);
	return container_of(notice, struct call, notice);
}

/* ---- States ---- */

static bool endpoint_may_become(enum endpoint_state from, enum endpoint_state to)
{
	switch (from) {
	case ENDPOINT_UNSERVED:
		return to == ENDPOINT_SERVED || to == ENDPOINT_ENDING;
	case ENDPOINT_SERVED:
		return to == ENDPOINT_UNSERVED || to == ENDPOINT_ENDING;
	case ENDPOINT_ENDING:
		return to == ENDPOINT_DEAD;
	case ENDPOINT_DEAD:
		break;
	}
	return false;
}

static void endpoint_become(struct endpoint *e, enum endpoint_state state)
{
	assert(kernel_locked() && endpoint_may_become(e->state, state));
	assert(state != ENDPOINT_UNSERVED || !e->server);
	assert(state != ENDPOINT_ENDING || e->header.refs == 0);
	e->state = state;
}

#define STEPS_NOTICE 6u /* to take out of a queue what waits there, and answer it */

/* ---- Endpoints and objects ---- */

static void work_step(struct work *work);

void endpoint_schedule(struct endpoint *e)
{
	if (work_queued(&e->work))
		return;
	e->uses++;
	work_add(&e->work, work_step);
}

/* No process receives on the endpoint now: what was under way to it fails, and its server's objects
 * are gone. */
static void endpoint_unserve(struct endpoint *e)
{
	list_remove(&e->served.of_server);
	e->server = NULL;
	e->servers_ended++;
	if (e->state == ENDPOINT_SERVED)
		endpoint_become(e, ENDPOINT_UNSERVED);
	list_move_all(&e->notices, &e->lost);
	if (!list_empty(&e->lost))
		endpoint_schedule(e);
}

/* An endpoint that others hold too waits for the next process that receives on it. */
static void server_ends(struct served *served)
{
	endpoint_unserve(container_of(served, struct endpoint, served));
}

struct endpoint *endpoint_create(struct account *account)
{
	struct endpoint *e = account_alloc(account, &endpoints);
	if (!e)
		return NULL;
	e->account = account;
	e->header = (struct object_header){.refs = 1, .kind = KIND_ENDPOINT};
	e->uses = 1;
	list_init(&e->served.of_server);
	e->served.server_ends = server_ends;
	list_init(&e->notices);
	list_init(&e->lost);
	list_init(&e->receivers);
	return e;
}

void endpoint_unref(struct endpoint *e)
{
	assert(kernel_locked() && e->uses > 0);
	if (--e->uses == 0) {
		list_remove(&e->served.of_server);
		account_free(e->account, &endpoints, e);
	}
}

void endpoint_last(struct object_header *header)
{
	struct endpoint *e = endpoint_of(header);
	endpoint_become(e, ENDPOINT_ENDING);
	endpoint_schedule(e);
	endpoint_unref(e);
}

static void object_free(struct object *o)
{
	struct endpoint *e = o->endpoint;
	account_free(o->account, &objects, o);
	endpoint_unref(e);
}

/* Frees notices that will not be delivered, as far as the budget goes but at least one. */
static void free_lost(struct endpoint *e)
{
	struct list *node;
	while ((node = list_first(&e->lost))) {
		struct notice *notice = list_entry(node, struct notice, queue);
		list_remove(node);
		if (notice->kind == CAPOS_RECEIVED_CALL)
			call_finish(call_of_notice(notice), CAP_EGONE, 0, 0);
		else if (notice->kind == CAPOS_RECEIVED_RELEASE)
			object_free(object_of_notice(notice));
		steps_spend(STEPS_NOTICE);
		if (steps_over())
			break;
	}
}

/* Without holders no process can receive, nor mint: what waits for that fails. */
static void end_some(struct endpoint *e)
{
	struct list *node;
	if (e->state == ENDPOINT_ENDING) {
		endpoint_become(e, ENDPOINT_DEAD);
		endpoint_unserve(e);
	}
	while (!steps_over() && (node = list_first(&e->receivers))) {
		op_complete(list_entry(node, struct op, queue), CAP_EGONE, 0, 0, 0);
		endpoint_unref(e);
		steps_spend(STEPS_NOTICE);
	}
}

static bool deliver_some(struct endpoint *e);
static bool large_call_first(const struct endpoint *e);

/* A piece of what follows from the past: the end of the endpoint or of a server, or notices. */
static void work_step(struct work *work)
{
	struct endpoint *e = container_of(work, struct endpoint, work);
	bool more = false;
	switch (e->state) {
	case ENDPOINT_UNSERVED:
	case ENDPOINT_SERVED:
		more = (steps_begun() && large_call_first(e)) || deliver_some(e);
		break;
	case ENDPOINT_ENDING:
	case ENDPOINT_DEAD:
		end_some(e);
		break;
	}
	free_lost(e);
	more = more || !list_empty(&e->lost) ||
	       (e->state == ENDPOINT_DEAD && !list_empty(&e->receivers));
	if (more && !work_queued(work))
		work_add_rest(work, work_step);
	else
		endpoint_unref(e); /* queued again meanwhile, it has another reference */
}

/* ---- Delivery ---- */

enum delivery {
	DELIVERED,
	NOTICE_FAILED,   /* the call is at fault: it has been answered */
	RECEIVER_FAILED, /* the receiver's buffer is no memory: its RECV has completed */
	NO_MEMORY,       /* for the receiver's buffer: both wait on */
	UNFINISHED,      /* the copy took too long: it is made again, as work */
};

static enum delivery fail_receiver(struct op *op, int error)
{
	struct endpoint *e = op->target;
	op_complete(op, error, 0, 0, 0);
	endpoint_unref(e);
	return RECEIVER_FAILED;
}

static enum delivery fail_call(struct call *call, int error)
{
	call_finish(call, error, 0, 0);
	return NOTICE_FAILED;
}

/* A buffer that is not mapped is the receiver's error.  That there is no memory for it, or that the
 * message cannot be read, is the caller's, so that nothing a caller does can fail a RECV. */
static enum delivery fail_side(struct call *call, struct op *op, int error, enum copy_side side)
{
	if (side == COPY_TARGET && error == CAP_EFAULT)
		return fail_receiver(op, error);
	return fail_call(call, error);
}

static enum delivery deliver_call(struct call *call, struct op *op)
{
	assert(call->state == CALL_QUEUED && call->op);
	struct process *from = call->op->thread->process, *to = op->thread->process;
	struct capos_received head = {.kind = CAPOS_RECEIVED_CALL,
	                              .method = call->method,
	                              .ncaps = (uint16_t)call->transfer.count,
	                              .object = call->word,
	                              .call_id = call->id,
	                              .interface = call->interface,
	                              .caller = call->caller,
	                              .caller_label = call->label,
	                              .length = call->send_len,
	                              .recv_len = call->op->buffer.length};
	enum copy_side side = COPY_TARGET;
	if (call->send_len > op->buffer.length - sizeof(head) ||
	    call->transfer.count > op->buffer.ncaps)
		return fail_call(call, CAP_ETOOBIG);
	int error = transfer_check(&call->transfer, from, to);
	if (error)
		return fail_call(call, error);
	error = space_copy_out(&to->space, op->buffer.address, &head, sizeof(head));
	if (!error)
		error = space_copy_across(&to->space, op->buffer.address + sizeof(head),
		                          &from->space, call->send_addr, call->send_len, &side);
	if (error == WORK_AGAIN)
		return UNFINISHED;
	if (error)
		return fail_side(call, op, error, side);
	error = transfer_arrive(&call->transfer, from, to, op->buffer.caps);
	if (error)
		return fail_side(call, op, error, COPY_TARGET);
	call_become(call, CALL_DELIVERED);
	list_append(&to->calls[call->id % PROCESS_CALL_BUCKETS], &call->served.of_server);
	op_complete(op, CAP_OK, head.length, 0, head.ncaps);
	endpoint_unref(call->endpoint); /* the RECV's; the call's own remains */
	return DELIVERED;
}

/* A release or a cancelled call, which have no message. */
static enum delivery deliver_notice(struct notice *notice, struct op *op)
{
	struct capos_received head = {.kind = notice->kind};
	if (notice->kind == CAPOS_RECEIVED_RELEASE)
		head.object = object_of_notice(notice)->word;
	else
		head.call_id = call_of_notice(notice)->id;
	int error = space_copy_out(&op->thread->process->space, op->buffer.address, &head,
	                           sizeof(head));
	if (error == CAP_EFAULT)
		return fail_receiver(op, error);
	if (error)
		return NO_MEMORY;
	struct endpoint *e = op->target;
	struct thread *server = op->thread;
	bool hurries = sched_hurries(server);
	op_complete(op, CAP_OK, 0, 0, 0);
	if (notice->kind == CAPOS_RECEIVED_RELEASE) {
		if (!hurries)
			sched_put_off(server);
		object_free(object_of_notice(notice));
	}
	endpoint_unref(e);
	return DELIVERED;
}

/* Brings together the first notice and the first receiver. */
static enum delivery deliver_first(struct endpoint *e)
{
	struct list *node = list_first(&e->notices);
	struct notice *notice = list_entry(node, struct notice, queue);
	struct op *op = list_entry(list_first(&e->receivers), struct op, queue);
	enum delivery delivery;
	steps_spend(STEPS_OPERATION);
	list_remove(node);
	if (notice->kind == CAPOS_RECEIVED_CALL)
		delivery = deliver_call(call_of_notice(notice), op);
	else
		delivery = deliver_notice(notice, op);
	if (delivery == RECEIVER_FAILED || delivery == NO_MEMORY || delivery == UNFINISHED)
		list_prepend(&e->notices, node);
	return delivery;
}

static bool both_wait(const struct endpoint *e)
{
	return !list_empty(&e->notices) && !list_empty(&e->receivers);
}

static bool large_call_first(const struct endpoint *e)
{
	const struct list *node = list_first(&e->notices);
	const struct notice *notice = node ? list_entry(node, struct notice, queue) : NULL;
	return notice && notice->kind == CAPOS_RECEIVED_CALL &&
	       container_of(notice, const struct call, notice)->send_len > MESSAGE_LARGE;
}

/* Delivers a few notices; true: there are more.  What finds no memory waits for the next time. */
static bool deliver_some(struct endpoint *e)
{
	bool more = both_wait(e);
	e->uses++;
	for (unsigned i = 0; more && i < NOTICES_AT_ONCE; i++) {
		if (i > 0 && steps_over())
			break;
		enum delivery delivery = deliver_first(e);
		more = delivery != NO_MEMORY && both_wait(e);
	}
	endpoint_unref(e);
	return more;
}

/* After a notice or a receiver came: delivers at once what it can, and later the rest. */
void endpoint_pump(struct endpoint *e)
{
	if (deliver_some(e))
		endpoint_schedule(e);
}

/* ---- Operations ---- */

int endpoint_mint(struct endpoint *e, const struct thread *t, const struct capos_sqe *sqe,
                  struct object **out)
{
	if (e->state == ENDPOINT_DEAD)
		return CAP_EGONE;
	struct account *account = t->process->account;
	struct object *o = account_alloc(account, &objects);
	if (!o)
		return CAP_ENOMEM;
	list_init(&o->notice.queue);
	o->notice.kind = CAPOS_RECEIVED_RELEASE;
	o->header = (struct object_header){.refs = 1, .kind = KIND_OBJECT};
	o->account = account;
	o->word = sqe->arg;
	o->interface = sqe->interface;
	o->of_server = e->server == t->process;
	o->minted_at = e->servers_ended;
	o->endpoint = e;
	e->uses++;
	*out = o;
	return CAP_OK;
}

void object_last(struct object_header *header)
{
	struct object *o = object_of(header);
	assert(kernel_locked());
	if (object_gone(o)) {
		object_free(o);
		return;
	}
	list_append(&o->endpoint->notices, &o->notice.queue);
	endpoint_schedule(o->endpoint);
}

/* What is received comes in another process's time and must not fail then for lack of memory: the
 * header and the ids have theirs from the beginning. */
static int prepare_buffer(struct space *s, const struct capos_sqe *sqe)
{
	uint32_t ncaps =
	        sqe->recv_ncaps < CAPOS_MESSAGE_CAPS_MAX ? sqe->recv_ncaps : CAPOS_MESSAGE_CAPS_MAX;
	int error = space_prepare(s, sqe->recv_addr, sizeof(struct capos_received));
	return error || ncaps == 0 ? error
	                           : space_prepare(s, sqe->recv_caps, ncaps * sizeof(cap_t));
}

static void withdraw_receive(struct op *op)
{
	endpoint_unref(op->target);
}

int endpoint_recv(struct endpoint *e, struct thread *t, const struct capos_sqe *sqe)
{
	if (sqe->recv_len < sizeof(struct capos_received))
		return CAP_EINVAL;
	if (e->state == ENDPOINT_DEAD)
		return CAP_EGONE;
	int error = prepare_buffer(&t->process->space, sqe);
	if (error)
		return error;
	struct op *op = op_create(t, sqe, withdraw_receive);
	if (!op)
		return CAP_ENOMEM;
	if (e->server != t->process) {
		list_remove(&e->served.of_server);
		list_append(&t->process->endpoints, &e->served.of_server);
		e->server = t->process;
	}
	if (e->state != ENDPOINT_SERVED)
		endpoint_become(e, ENDPOINT_SERVED);
	e->uses++;
	op->target = e;
	list_append(&e->receivers, &op->queue);
	endpoint_pump(e);
	return OP_PENDING;
}

/* ---- For SystemStatus ---- */

const char *object_server_name(const struct object *o)
{
	return o->endpoint->server ? o->endpoint->server->name : "";
}

uint64_t object_interface(const struct object *o)
{
	return o->interface;
}

uint64_t object_word(const struct object *o)
{
	return o->word;
}
