/* SPDX-License-Identifier: MIT */
/*
 * Endpoints.  What a server is to hear waits in one queue, in the order in which it happened; the
 * nodes lie in the calls and objects themselves, so telling a server cannot fail.  A call is in its
 * endpoint's queue until delivered, then among the calls of the process that received it until that
 * answers; a cancelled one stays there, without an operation, and is in the queue again until the
 * server has heard of it.
 *
 * An endpoint outlives the process that receives on it as long as another holds a capability to it:
 * what is under way then fails, and so does every object which that process had minted, since its
 * state is gone; objects that others minted wait for the next process that receives.
 */
#include "object/endpoint.h"
#include "kernel.h"
#include "process/process.h"
#include "memory/slab.h"
#include "memory/space.h"
#include "process/thread.h"
#include "object/transfer.h"
#include "work.h"

struct endpoint {
	uint32_t refs;    /* holders, objects, calls and RECVs */
	uint32_t holders; /* capabilities */
	struct account *account;
	bool dead;
	bool unserving;         /* what was under way to its last server is failing */
	struct process *server; /* received here last; NULL: none, or it has ended */
	uint64_t servers_ended; /* how many have */
	struct list of_server;  /* server->endpoints */
	struct list notices;    /* struct notice */
	struct list receivers;  /* struct op */
	struct work work;       /* its end */
};

/* Something that a server is to hear. */
struct notice {
	struct list queue;
	enum capos_received_kind kind;
};

struct object {
	struct notice notice; /* first; its release */
	uint32_t refs;        /* capabilities */
	struct endpoint *endpoint;
	struct account *account; /* of the process that minted it */
	uint64_t word, interface;
	/* Minted by the process that received on the endpoint: ends with it.  Then servers_ended of
	 * that time. */
	bool of_server;
	uint64_t minted_at;
};

struct call {
	struct notice notice; /* first; its arrival, then its cancelling */
	struct op *op;        /* of the caller; NULL once that gave up */
	struct endpoint *endpoint;
	struct process *server;  /* whom it was delivered to; NULL before */
	struct list of_server;   /* server->calls */
	struct account *account; /* of the caller, which the call counts against */
	uint64_t id, caller, word, interface;
	uint64_t send_addr;
	uint32_t send_len;
	uint16_t method;
	struct transfer transfer;
};

static struct slab endpoints = SLAB_INIT(struct endpoint);
static struct slab objects = SLAB_INIT(struct object);
static struct slab calls = SLAB_INIT(struct call);

#define STEPS_NOTICE 6u /* to take out of a queue what waits there, and answer it */
static uint64_t last_call_id;

/* ---- Endpoints and objects ---- */

struct endpoint *endpoint_create(struct account *account)
{
	struct endpoint *e = account_alloc(account, &endpoints);
	if (!e)
		return NULL;
	e->account = account;
	e->refs = e->holders = 1;
	list_init(&e->of_server);
	list_init(&e->notices);
	list_init(&e->receivers);
	return e;
}

void endpoint_unref(struct endpoint *e)
{
	assert(kernel_locked() && e->refs > 0);
	if (--e->refs == 0) {
		list_remove(&e->of_server);
		account_free(e->account, &endpoints, e);
	}
}

void endpoint_get(void *endpoint)
{
	struct endpoint *e = endpoint;
	e->refs++;
	e->holders++;
}

static void end_unheld(struct work *work);

void endpoint_put(void *endpoint)
{
	struct endpoint *e = endpoint;
	assert(e->holders > 0);
	if (--e->holders == 0 && !e->dead && !work_queued(&e->work)) {
		e->refs++; /* the work's */
		work_add(&e->work, end_unheld);
	}
	endpoint_unref(e);
}

static void object_free(struct object *o)
{
	struct endpoint *e = o->endpoint;
	account_free(o->account, &objects, o);
	endpoint_unref(e);
}

/* Gives back what call_record took. */
static void free_record(struct account *account, struct call *call)
{
	account_uncount(account, ACCOUNT_CALLS);
	account_free(account, &calls, call);
}

static void call_free(struct call *call)
{
	struct endpoint *e = call->endpoint;
	list_remove(&call->notice.queue);
	list_remove(&call->of_server);
	transfer_drop(&call->transfer);
	free_record(call->account, call);
	endpoint_unref(e);
}

/* Answers the caller, if it still waits, and frees the call. */
static void call_finish(struct call *call, int32_t result, uint32_t length, uint32_t ncaps)
{
	struct op *op = call->op;
	call->op = NULL;
	if (op)
		op_complete(op, result, length, 0, ncaps);
	call_free(call);
}

bool object_gone(const struct object *o)
{
	return o->endpoint->dead || (o->of_server && o->minted_at != o->endpoint->servers_ended);
}

uint64_t object_era(const struct object *o)
{
	return o->endpoint->servers_ended + 1;
}

/* Nothing receives on the endpoint now: what was under way to it fails, and its server's objects
 * are gone.  As far as the budget goes; false: something is left. */
static bool endpoint_unserve(struct endpoint *e)
{
	struct list *node;
	if (!e->unserving)
		e->servers_ended++;
	e->unserving = true;
	e->server = NULL;
	while ((node = list_first(&e->notices))) {
		struct notice *notice = list_entry(node, struct notice, queue);
		if (steps_over())
			return false;
		list_remove(node);
		if (notice->kind == CAPOS_RECEIVED_CALL)
			call_finish((struct call *)notice, CAP_EGONE, 0, 0);
		else if (notice->kind == CAPOS_RECEIVED_RELEASE)
			object_free((struct object *)notice);
		steps_spend(STEPS_NOTICE);
	}
	e->unserving = false;
	list_remove(&e->of_server);
	return true;
}

/* After the last holder, as far as the budget goes; false: something is left. */
static bool endpoint_end(struct endpoint *e)
{
	struct list *node;
	e->dead = true;
	if (!endpoint_unserve(e))
		return false;
	while ((node = list_first(&e->receivers))) {
		if (steps_over())
			return false;
		op_complete(list_entry(node, struct op, queue), CAP_EGONE, 0, 0, 0);
		endpoint_unref(e);
		steps_spend(STEPS_NOTICE);
	}
	return true;
}

static void end_unheld(struct work *work)
{
	struct endpoint *e = container_of(work, struct endpoint, work);
	if (e->holders == 0 && !endpoint_end(e)) {
		work_add_rest(work, end_unheld);
		return;
	}
	endpoint_unref(e);
}

bool endpoint_server_ends(struct process *p)
{
	struct list *node;
	while ((node = list_first(&p->endpoints))) {
		struct endpoint *e = list_entry(node, struct endpoint, of_server);
		if (steps_over())
			return false;
		e->refs++;
		bool done = endpoint_unserve(e);
		endpoint_unref(e);
		if (!done)
			return false;
		steps_spend(STEPS_NOTICE);
	}
	for (unsigned i = 0; i < PROCESS_CALL_BUCKETS; i++) {
		while ((node = list_first(&p->calls[i]))) {
			if (steps_over())
				return false;
			call_finish(list_entry(node, struct call, of_server), CAP_EGONE, 0, 0);
			steps_spend(STEPS_NOTICE);
		}
	}
	return true;
}

/* ---- Delivery ---- */

enum delivery {
	DELIVERED,
	NOTICE_FAILED,   /* the call is at fault: it has been answered */
	RECEIVER_FAILED, /* the receiver is at fault: its RECV has completed */
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

static bool readable(struct space *s, uint64_t address, uint64_t length)
{
	bool no_memory = false;
	if (address >= CAPOS_USER_MAX || length > CAPOS_USER_MAX - address)
		return false;
	for (uint64_t at = address; at < address + length; at = (at | (PAGE_SIZE - 1)) + 1) {
		if (space_resolve(s, at, CAP_RIGHT_READ, &no_memory) == PADDR_NONE)
			return no_memory;
	}
	return true;
}

static enum delivery deliver_call(struct call *call, struct op *op)
{
	assert(call->op); /* or it would not be in the queue any more */
	struct process *from = call->op->thread->process, *to = op->thread->process;
	struct capos_received head = {.kind = CAPOS_RECEIVED_CALL,
	                              .method = call->method,
	                              .ncaps = (uint16_t)call->transfer.count,
	                              .object = call->word,
	                              .call_id = call->id,
	                              .interface = call->interface,
	                              .caller = call->caller,
	                              .length = call->send_len,
	                              .recv_len = call->op->buffer.length};
	if (call->send_len > op->buffer.length - sizeof(head) ||
	    call->transfer.count > op->buffer.ncaps)
		return fail_call(call, CAP_ETOOBIG);
	int error = transfer_check(&call->transfer, from, to);
	if (error)
		return fail_call(call, error);
	error = space_copy_out(&to->space, op->buffer.address, &head, sizeof(head));
	if (error == CAP_EFAULT)
		return fail_receiver(op, error);
	if (!error)
		error = space_copy_across(&to->space, op->buffer.address + sizeof(head),
		                          &from->space, call->send_addr, call->send_len);
	if (error == CAP_EFAULT && readable(&from->space, call->send_addr, call->send_len))
		return fail_receiver(op, error);
	if (error)
		return fail_call(call, error);
	error = transfer_arrive(&call->transfer, from, to, op->buffer.caps);
	if (error)
		return fail_receiver(op, error);
	call->server = to;
	list_append(&to->calls[call->id % PROCESS_CALL_BUCKETS], &call->of_server);
	op_complete(op, CAP_OK, head.length, 0, head.ncaps);
	endpoint_unref(call->endpoint); /* the RECV's; the call's own remains */
	return DELIVERED;
}

/* Tells of a release or a cancelled call, which have no message. */
static enum delivery deliver_notice(struct notice *notice, struct op *op)
{
	struct capos_received head = {.kind = notice->kind};
	if (notice->kind == CAPOS_RECEIVED_RELEASE)
		head.object = ((struct object *)notice)->word;
	else
		head.call_id = ((struct call *)notice)->id;
	int error = space_copy_out(&op->thread->process->space, op->buffer.address, &head,
	                           sizeof(head));
	if (error)
		return fail_receiver(op, error);
	struct endpoint *e = op->target;
	op_complete(op, CAP_OK, 0, 0, 0);
	if (notice->kind == CAPOS_RECEIVED_RELEASE)
		object_free((struct object *)notice);
	endpoint_unref(e);
	return DELIVERED;
}

/* Brings together what is to be heard and who listens.  A notice is out of the queue while it is
 * delivered: dropping a call's capabilities may come back here for the same endpoint. */
static void pump(struct endpoint *e)
{
	struct list *node, *receiver;
	e->refs++;
	while ((node = list_first(&e->notices)) && (receiver = list_first(&e->receivers))) {
		struct notice *notice = list_entry(node, struct notice, queue);
		struct op *op = list_entry(receiver, struct op, queue);
		enum delivery delivery;
		assert(op->thread);
		list_remove(node);
		if (notice->kind == CAPOS_RECEIVED_CALL)
			delivery = deliver_call((struct call *)notice, op);
		else
			delivery = deliver_notice(notice, op);
		if (delivery == RECEIVER_FAILED)
			list_prepend(&e->notices, node);
	}
	endpoint_unref(e);
}

/* ---- Operations ---- */

int endpoint_mint(struct endpoint *e, const struct thread *t, const struct capos_sqe *sqe,
                  struct object **out)
{
	if (e->dead)
		return CAP_EGONE;
	struct account *account = t->process->account;
	struct object *o = account_alloc(account, &objects);
	if (!o)
		return CAP_ENOMEM;
	list_init(&o->notice.queue);
	o->notice.kind = CAPOS_RECEIVED_RELEASE;
	o->refs = 1;
	o->account = account;
	o->word = sqe->arg;
	o->interface = sqe->interface;
	o->of_server = e->server == t->process;
	o->minted_at = e->servers_ended;
	o->endpoint = e;
	e->refs++;
	*out = o;
	return CAP_OK;
}

void object_get(void *object)
{
	((struct object *)object)->refs++;
}

void object_put(void *object)
{
	struct object *o = object;
	assert(kernel_locked() && o->refs > 0);
	if (--o->refs > 0)
		return;
	if (object_gone(o)) {
		object_free(o);
		return;
	}
	list_append(&o->endpoint->notices, &o->notice.queue);
	pump(o->endpoint);
}

int endpoint_recv(struct endpoint *e, struct thread *t, const struct capos_sqe *sqe)
{
	if (sqe->recv_len < sizeof(struct capos_received))
		return CAP_EINVAL;
	if (e->dead)
		return CAP_EGONE;
	struct op *op = op_create(t, sqe, OP_RECV);
	if (!op)
		return CAP_ENOMEM;
	if (e->server != t->process) {
		e->unserving = false;
		list_remove(&e->of_server);
		list_append(&t->process->endpoints, &e->of_server);
		e->server = t->process;
	}
	e->refs++;
	op->target = e;
	list_append(&e->receivers, &op->queue);
	pump(e);
	return OP_PENDING;
}

static int call_check(const struct object *o, const struct capos_sqe *sqe)
{
	if (sqe->interface != o->interface)
		return CAP_ETYPE;
	if (object_gone(o))
		return CAP_EGONE;
	if (sqe->send_len > CAPOS_MESSAGE_MAX || sqe->send_ncaps > CAPOS_MESSAGE_CAPS_MAX)
		return CAP_ETOOBIG;
	return CAP_OK;
}

/* An empty call that counts against the account.  CAP_OK, CAP_ENOMEM, CAP_EAGAIN: too many. */
static int call_record(struct account *account, struct call **out)
{
	if (!account_count(account, ACCOUNT_CALLS))
		return CAP_EAGAIN;
	*out = account_alloc(account, &calls);
	if (!*out)
		account_uncount(account, ACCOUNT_CALLS);
	return *out ? CAP_OK : CAP_ENOMEM;
}

int object_call(struct object *o, struct thread *t, const struct capos_sqe *sqe)
{
	int error = call_check(o, sqe);
	if (error)
		return error;
	struct account *account = t->process->account;
	struct call *call;
	error = call_record(account, &call);
	if (error)
		return error;
	struct op *op = op_create(t, sqe, OP_CALL);
	error = !op ? CAP_ENOMEM
	            : transfer_begin(&call->transfer, t->process, sqe->send_caps, sqe->send_ncaps);
	if (error) {
		if (op)
			op_free(op);
		free_record(account, call);
		return error;
	}
	struct endpoint *e = o->endpoint;
	op->target = call;
	call->op = op;
	call->endpoint = e;
	call->account = account;
	call->id = ++last_call_id;
	call->caller = t->process->id;
	call->word = o->word;
	call->interface = o->interface;
	call->method = sqe->method;
	call->send_addr = sqe->send_addr;
	call->send_len = sqe->send_len;
	e->refs++;
	call->notice.kind = CAPOS_RECEIVED_CALL;
	list_init(&call->of_server);
	list_append(&e->notices, &call->notice.queue);
	/* A server that was asleep and got the call runs next once the caller sleeps. */
	struct list *receiver = list_first(&e->receivers);
	struct thread *sleeper = receiver ? list_entry(receiver, struct op, queue)->thread : NULL;
	bool asleep = sleeper && sleeper->state == THREAD_WAITING;
	pump(e);
	if (asleep && sleeper->state == THREAD_RUNNABLE)
		sched_hand_over(sleeper);
	return OP_PENDING;
}

static struct call *find_call(struct process *p, uint64_t id)
{
	struct list *bucket = &p->calls[id % PROCESS_CALL_BUCKETS];
	for (struct list *node = bucket->next; node != bucket; node = node->next) {
		struct call *call = list_entry(node, struct call, of_server);
		if (call->id == id)
			return call;
	}
	return NULL;
}

/* Brings the reply to the caller: its result, and *keep set when the server is at fault and may
 * answer again. */
static int reply(struct call *call, struct process *server, const struct capos_sqe *sqe,
                 struct transfer *x, bool *keep)
{
	struct process *caller = call->op->thread->process;
	const struct receive_buffer *buffer = &call->op->buffer;
	if (sqe->send_len > buffer->length || x->count > buffer->ncaps)
		return CAP_ETOOBIG;
	int error = transfer_check(x, server, caller);
	if (error)
		return error;
	error = space_copy_across(&caller->space, buffer->address, &server->space, sqe->send_addr,
	                          sqe->send_len);
	if (error == CAP_EFAULT && !readable(&server->space, sqe->send_addr, sqe->send_len))
		*keep = true;
	if (error)
		return error;
	return transfer_arrive(x, server, caller, buffer->caps);
}

int call_return(struct thread *t, const struct capos_sqe *sqe)
{
	struct transfer x;
	struct call *call = find_call(t->process, sqe->arg);
	if (!call)
		return CAP_ENOENT;
	if (sqe->status < 0)
		return CAP_EINVAL;
	if (!call->op) {
		call_free(call);
		return CAP_ECANCELED;
	}
	int error = transfer_begin(&x, t->process, sqe->send_caps, sqe->send_ncaps);
	if (error)
		return error;
	bool keep = false;
	uint32_t ncaps = x.count;
	error = reply(call, t->process, sqe, &x, &keep);
	if (!error)
		call_finish(call, sqe->status, sqe->send_len, ncaps);
	else if (!keep)
		call_finish(call, error, 0, 0);
	transfer_drop(&x);
	return error == CAP_EFAULT && !keep ? CAP_ECANCELED : error;
}

void call_abandon(struct call *call)
{
	call->op = NULL;
	if (!call->server) {
		call_free(call);
		return;
	}
	if (call->endpoint->dead)
		return;
	call->notice.kind = CAPOS_RECEIVED_CANCEL;
	list_append(&call->endpoint->notices, &call->notice.queue);
	pump(call->endpoint);
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
