/* SPDX-License-Identifier: MIT */
/*
 * Calls of objects: made, given up and answered.  A call is in its endpoint's queue until
 * delivered, then among the calls of the process that received it until that answers.
 */
#include "object/call.h"
#include "kernel.h"
#include "memory/slab.h"
#include "memory/space.h"
#include "process/thread.h"
#include "work.h"

static struct slab calls = SLAB_INIT(struct call);
static uint64_t last_call_id;

static bool call_may_become(enum call_state from, enum call_state to)
{
	switch (from) {
	case CALL_QUEUED:
		return to == CALL_DELIVERED;
	case CALL_DELIVERED:
		return to == CALL_CANCELLED;
	case CALL_CANCELLED:
		break;
	}
	return false; /* each may be freed */
}

void call_become(struct call *call, enum call_state state)
{
	assert(kernel_locked() && call_may_become(call->state, state));
	assert((state == CALL_CANCELLED) == !call->op);
	call->state = state;
}

/* ---- Its end ---- */

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
	list_remove(&call->served.of_server);
	transfer_drop(&call->transfer);
	free_record(call->account, call);
	endpoint_unref(e);
}

/* Answers the caller, if it still waits, and frees the call. */
void call_finish(struct call *call, int32_t result, uint32_t length, uint32_t ncaps)
{
	struct op *op = call->op;
	call->op = NULL;
	if (op)
		op_complete(op, result, length, 0, ncaps);
	call_free(call);
}

static void call_server_ends(struct served *served)
{
	call_finish(container_of(served, struct call, served), CAP_EGONE, 0, 0);
}

/* ---- CALL and RETURN ---- */

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

/* The caller gives up: the server receives that if it knows of the call, else the call is freed. */
static void withdraw_call(struct op *op)
{
	struct call *call = op->target;
	call->op = NULL;
	if (call->state == CALL_QUEUED) {
		call_free(call);
		return;
	}
	call_become(call, CALL_CANCELLED);
	if (call->endpoint->state == ENDPOINT_DEAD)
		return;
	call->notice.kind = CAPOS_RECEIVED_CANCEL;
	list_append(&call->endpoint->notices, &call->notice.queue);
	endpoint_schedule(call->endpoint);
}

/* A service has few threads. */
static void hurry_server(const struct process *p)
{
	for (struct list *node = p->threads.next; node != &p->threads; node = node->next)
		sched_hurry(list_entry(node, struct thread, of_process));
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
	struct op *op = op_create(t, sqe, withdraw_call);
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
	memcpy(&call->label, t->process->label, sizeof(call->label));
	call->word = o->word;
	call->interface = o->interface;
	call->method = sqe->method;
	call->send_addr = sqe->send_addr;
	call->send_len = sqe->send_len;
	e->uses++;
	call->notice.kind = CAPOS_RECEIVED_CALL;
	list_init(&call->served.of_server);
	call->served.server_ends = call_server_ends;
	list_append(&e->notices, &call->notice.queue);
	/* A server that was asleep and got the call runs next once the caller sleeps. */
	struct list *receiver = list_first(&e->receivers);
	struct thread *sleeper = receiver ? list_entry(receiver, struct op, queue)->thread : NULL;
	bool asleep = sleeper && sleeper->state == THREAD_WAITING;
	bool hurries = (sqe->flags & CAPOS_SQE_UNHURRIED) == 0;
	bool rests = sleeper && !sched_hurries(sleeper);
	if (hurries && !receiver && e->server && e->server->service)
		hurry_server(e->server);
	endpoint_pump(e);
	if (rests && !hurries)
		sched_put_off(sleeper);
	else if (asleep && sleeper->state == THREAD_RUNNABLE)
		sched_hand_over(sleeper);
	return OP_PENDING;
}

static struct call *find_call(struct process *p, uint64_t id)
{
	struct list *bucket = &p->calls[id % PROCESS_CALL_BUCKETS];
	for (struct list *node = bucket->next; node != bucket; node = node->next) {
		struct call *call = list_entry(node, struct call, served.of_server);
		if (call->id == id)
			return call;
	}
	return NULL;
}

const struct process *call_caller(struct process *server, uint64_t id)
{
	const struct call *call = find_call(server, id);
	return call && call->op ? call->op->thread->process : NULL;
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
	enum copy_side side;
	error = space_copy_across(&caller->space, buffer->address, &server->space, sqe->send_addr,
	                          sqe->send_len, &side);
	if (error) {
		*keep = side == COPY_SOURCE;
		return error;
	}
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
	if (call->state == CALL_CANCELLED) {
		call_free(call);
		return CAP_ECANCELED;
	}
	int error = transfer_begin(&x, t->process, sqe->send_caps, sqe->send_ncaps);
	if (error)
		return error;
	bool keep = false;
	uint32_t ncaps = x.count;
	error = reply(call, t->process, sqe, &x, &keep);
	if (error == WORK_AGAIN) {
		transfer_drop(&x);
		return OP_AGAIN;
	}
	if (!error)
		call_finish(call, sqe->status, sqe->send_len, ncaps);
	else if (!keep)
		call_finish(call, error, 0, 0);
	transfer_drop(&x);
	/* An error in the caller's memory says nothing to the server. */
	bool caller_failed = (error == CAP_EFAULT || error == CAP_ENOMEM) && !keep;
	return caller_failed ? CAP_ECANCELED : error;
}
