/* SPDX-License-Identifier: MIT */
/*
 * What the methods that lock files do, and whose locks they are: a process is an owner while it has
 * a LockOwner, of which it has one at each service.
 */
#include "locking.h"

#include <capos/schema/status.h>

#include "owners.h"

/* ---- Owners ---- */

static struct owners owners;
static struct locks *all;
static struct slab **slab; /* that of the call being handled */

int locking_owner(struct msg_call *call, uint32_t session, struct directory_lock_owner_results *out)
{
	struct server_call *c = server_call_of(call);
	cap_t cap;
	int position, status = owner_add(&owners, c->caller, session);

	if (status)
		return status;
	if (cap_mint(c->server->endpoint, LOCK_OWNER_INTERFACE, LOCKING_OWNER_BIT | c->caller,
	             &cap)) {
		owner_remove(&owners, c->caller);
		return STATUS_NO_BUFFERS;
	}
	position = server_give(c, cap, CAP_RIGHTS_ALL & ~CAP_RIGHT_COPY, true);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	out->owner_index = (uint16_t)position;
	return STATUS_OK;
}

void locking_release(uint64_t word)
{
	uint64_t process = word & ~LOCKING_OWNER_BIT;

	owner_remove(&owners, process);
	locks_drop_process(all, *slab, process);
}

static int owner_drop(void *object, struct msg_call *call)
{
	(void)call;
	locks_drop_process(all, *slab, *(const uint64_t *)object & ~LOCKING_OWNER_BIT);
	return STATUS_OK;
}

const struct lock_owner_ops lock_owner_ops = {.drop = owner_drop};

/* ---- Files ---- */

static void signal_waiter(uint64_t event, uint64_t bits)
{
	if (bits)
		cap_signal(event, bits);
	else
		cap_release(event);
}

void locking_start(struct locks *locks, struct slab **of_call)
{
	all = locks;
	slab = of_call;
	all->signal = signal_waiter;
}

/* Whose lock it is.  Status: notPermitted. */
static int owner_of(struct msg_call *call, uint16_t kind, struct lock_request *what)
{
	const struct server_call *c = server_call_of(call);

	switch (kind) {
	case LOCK_KIND_PROCESS:
		what->kind = LOCK_OF_PROCESS;
		what->owner = c->caller;
		return owner_exists(&owners, c->caller) ? STATUS_OK : STATUS_NOT_PERMITTED;
	case LOCK_KIND_DESCRIPTION:
		what->kind = LOCK_OF_DESCRIPTION;
		what->owner = c->object;
		return STATUS_OK;
	case LOCK_KIND_WHOLE:
		what->kind = LOCK_OF_WHOLE;
		what->owner = c->object;
		return STATUS_OK;
	default:
		return STATUS_INVALID_ARGUMENT;
	}
}

static int request_of(struct msg_call *call, uint16_t kind, uint16_t type, uint64_t start,
                      uint64_t length, struct lock_request *what)
{
	*what = (struct lock_request){
	        .start = start, .end = LOCK_END_MAX, .write = type == LOCK_TYPE_WRITE};
	if (type > LOCK_TYPE_WRITE || start > LOCK_END_MAX ||
	    (length && length - 1 > LOCK_END_MAX - start) ||
	    (kind == LOCK_KIND_WHOLE && (start || length)))
		return STATUS_INVALID_ARGUMENT;
	if (length)
		what->end = start + length - 1;
	return owner_of(call, kind, what);
}

static int wait_for(struct msg_call *call, struct lock_list **file, const struct lock_request *what,
                    const struct file_lock_params *in)
{
	struct server_call *c = server_call_of(call);
	struct lock_waiter waiter = {.what = *what,
	                             .handle = c->object,
	                             .event = server_take(c, in->wake_index),
	                             .bits = in->wake_bits};
	int status;

	if (waiter.event == CAP_NULL || !waiter.bits) {
		cap_release(waiter.event);
		return STATUS_INVALID_ARGUMENT;
	}
	status = locks_wait(all, file, *slab, &waiter);
	if (status)
		cap_release(waiter.event);
	return status ? status : STATUS_WOULD_BLOCK;
}

/* What the handle must be open for: Linux's rules of fcntl and flock. */
static bool is_open_for(uint32_t opened, const struct file_lock_params *in)
{
	if (in->type == LOCK_TYPE_UNLOCK)
		return true;
	if (in->kind == LOCK_KIND_WHOLE)
		return opened & (OPEN_READ | OPEN_WRITE);
	return opened & (in->type == LOCK_TYPE_READ ? OPEN_READ : OPEN_WRITE);
}

int locking_lock(struct lock_list **list, uint32_t opened, struct msg_call *call,
                 const struct file_lock_params *in)
{
	struct lock_request what;
	int status = request_of(call, in->kind, in->type, in->start, in->length, &what);

	if (!status && !is_open_for(opened, in))
		status = STATUS_ACCESS_DENIED;
	if (status)
		return status;
	what.number = in->number;
	if (in->type == LOCK_TYPE_UNLOCK)
		return locks_give_up(all, list, *slab, &what);
	status = locks_take(all, list, *slab, &what, NULL);
	return status == STATUS_WOULD_BLOCK && in->wait ? wait_for(call, list, &what, in) : status;
}

int locking_find(const struct lock_list *list, struct msg_call *call,
                 const struct file_find_lock_params *in, struct file_find_lock_results *out)
{
	static const uint16_t kinds[] = {[LOCK_OF_PROCESS] = LOCK_KIND_PROCESS,
	                                 [LOCK_OF_DESCRIPTION] = LOCK_KIND_DESCRIPTION,
	                                 [LOCK_OF_WHOLE] = LOCK_KIND_WHOLE};
	struct lock_request what, conflict;
	int status = request_of(call, in->kind, in->type, in->start, in->length, &what);

	/* A process without an owner has no locks, and may ask. */
	if (status && status != STATUS_NOT_PERMITTED)
		return status;
	*out = (struct file_find_lock_results){.type = LOCK_TYPE_UNLOCK};
	if (!locks_find(list, &what, &conflict))
		return STATUS_OK;
	out->type = conflict.write ? LOCK_TYPE_WRITE : LOCK_TYPE_READ;
	out->start = conflict.start;
	out->length = conflict.end == LOCK_END_MAX ? 0 : conflict.end - conflict.start + 1;
	out->number = conflict.number;
	out->kind = kinds[conflict.kind];
	return STATUS_OK;
}

int locking_stop_waiting(struct lock_list **list, struct msg_call *call,
                         const struct file_stop_waiting_params *in)
{
	struct lock_request what = {.owner = 0};
	int status = owner_of(call, in->kind, &what);

	if (!status)
		locks_stop_waiting(all, list, *slab, what.kind, what.owner);
	return status;
}

int locking_drop(struct lock_list **list, struct msg_call *call)
{
	locks_drop(all, list, *slab, LOCK_OF_PROCESS, server_call_of(call)->caller);
	return STATUS_OK;
}

/* ---- Directories: as a whole, by the open one ---- */

int locking_lock_directory(struct lock_list **list, uint32_t opened, struct msg_call *call,
                           const struct directory_lock_whole_params *in)
{
	const struct file_lock_params lock = {.kind = LOCK_KIND_WHOLE,
	                                      .type = in->type,
	                                      .wait = in->wait,
	                                      .wake_index = in->wake_index,
	                                      .wake_bits = in->wake_bits};

	return list ? locking_lock(list, opened, call, &lock) : STATUS_NOT_SUPPORTED;
}

int locking_stop_waiting_directory(struct lock_list **list, struct msg_call *call)
{
	static const struct file_stop_waiting_params stop = {.kind = LOCK_KIND_WHOLE};

	return list ? locking_stop_waiting(list, call, &stop) : STATUS_NOT_SUPPORTED;
}
