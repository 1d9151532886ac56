/* SPDX-License-Identifier: MIT */
/*
 * What endpoint.c and call.c share: endpoints, the objects served on them, calls, and the notices
 * of these to a server; of no interest to others.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_CALL_H
#define KERNEL_CALL_H

#include "object/endpoint.h"
#include "object/transfer.h"
#include "process/process.h"
#include "work.h"

/* What each means, and what leads from one to the next: doc/kernel.md. */
enum endpoint_state { ENDPOINT_UNSERVED, ENDPOINT_SERVED, ENDPOINT_ENDING, ENDPOINT_DEAD };

struct endpoint {
	struct object_header header; /* its references are the capabilities */
	/* Objects, calls, RECVs and queued work; and one for all capabilities together. */
	uint32_t uses;
	struct account *account;
	enum endpoint_state state;
	struct process *server; /* received here last; NULL: none, or it has ended */
	uint64_t servers_ended; /* how many have */
	struct served served;   /* server->endpoints */
	struct list notices;    /* struct notice, to be delivered */
	struct list lost;       /* struct notice, of servers that have ended: to be freed */
	struct list receivers;  /* struct op */
	struct work work;       /* queued: it holds a reference */
};

/* A call that arrives, a call cancelled, or an object released. */
struct notice {
	struct list queue;
	enum capos_received_kind kind;
};

struct object {
	struct object_header header;
	struct notice notice; /* its release */
	struct endpoint *endpoint;
	struct account *account; /* of the process that minted it */
	uint64_t word, interface;
	/* Minted by the process that received on the endpoint: ends with it.  Then servers_ended of
	 * that time. */
	bool of_server;
	uint64_t minted_at;
};

/* Whether nothing can serve the object any more. */
static inline bool object_gone(const struct object *o)
{
	return o->endpoint->state == ENDPOINT_DEAD ||
	       (o->of_server && o->minted_at != o->endpoint->servers_ended);
}

/* Changes, and never comes back, when the process that serves it ends.  Not 0. */
static inline uint64_t object_era(const struct object *o)
{
	return o->endpoint->servers_ended + 1;
}

enum call_state { CALL_QUEUED, CALL_DELIVERED, CALL_CANCELLED };

struct call {
	struct notice notice; /* its arrival, then its cancelling */
	enum call_state state;
	struct op *op; /* of the caller; NULL: CALL_CANCELLED, or about to be freed */
	struct endpoint *endpoint;
	struct served served;    /* process->calls of the one that it was delivered to */
	struct account *account; /* of the caller, which the call counts against */
	uint64_t id, caller, label, word, interface;
	uint64_t send_addr;
	uint32_t send_len;
	uint16_t method;
	struct transfer transfer;
};

/* endpoint.c: what waits is delivered as work, or at once. */
void endpoint_schedule(struct endpoint *e);
void endpoint_pump(struct endpoint *e);

/* call.c */
void call_become(struct call *call, enum call_state state);
/* Answers the caller, if it still waits, and frees the call. */
void call_finish(struct call *call, int32_t result, uint32_t length, uint32_t ncaps);

#endif
