/* SPDX-License-Identifier: MIT */
/*
 * A server's loop: receives on one endpoint with several buffers, dispatches, answers at once or
 * later. Single-threaded: handlers and event callbacks never run at the same time.
 */
#ifndef CAPOS_SERVER_H
#define CAPOS_SERVER_H

#include <capos/cap.h>

#define SERVER_RECEIVE_BUFFERS 4 /* in a machine with MEMORY_FULL; at least one */
#define SERVER_MESSAGE_MAX     CAPOS_MESSAGE_MAX

struct server;

/* A call being handled.  `msg` is first, so that a handler's struct msg_call * is one of these. */
struct server_call {
	struct msg_call msg;
	struct server *server;
	uint64_t object; /* word */
	uint64_t interface;
	uint64_t call_id;
	uint64_t caller;
	uint64_t caller_label;              /* identity.h */
	cap_t caps[CAPOS_MESSAGE_CAPS_MAX]; /* received; released after the handler unless taken */
	uint32_t ncaps;
	bool held; /* it was held before, and is handled now for the last time */
	struct capos_send_cap reply_caps[CAPOS_MESSAGE_CAPS_MAX];
	uint32_t reply_ncaps;
};

static inline struct server_call *server_call_of(struct msg_call *msg)
{
	return (struct server_call *)msg;
}

/* Takes received capability number index; CAP_NULL when there is none.  The caller owns it then. */
cap_t server_take(struct server_call *call, uint16_t index);
/* Adds a capability to the reply, moved or copied; its position, or -1 when there is no place (then
 * a moved one is released). */
int server_give(struct server_call *call, cap_t cap, uint32_t rights, bool move);
/* Mints an object of this server and gives it; position or -1. */
int server_give_object(struct server_call *call, uint64_t interface, uint64_t object);

/* A call that was answered with MSG_DEFERRED, to be answered later exactly once.  Copy what is
 * needed. */
struct server_pending {
	uint64_t call_id;
	uint32_t recv_len; /* size of the caller's reply buffer */
};
struct server_pending server_defer(const struct server_call *call);
/* status 0 and a message built by foo_bar_results_write, or a positive Status without one. */
void server_answer(struct server *server, struct server_pending pending, int status,
                   const void *message, uint32_t length, const struct capos_send_cap *caps,
                   uint32_t ncaps);

/*
 * Calls that arrive too early.  A process that owns the endpoint may mint an object there and then
 * say to the server what it is.  When the server is started anew, calls of that object may wait at
 * the endpoint before this.  The server holds them, some at a time, and handles them when it knows
 * the object.
 */
/* Takes the memory for it; to be called after server_init. */
int server_hold_start(struct server *server);
/* For a handler to return: MSG_DEFERRED, and the call will be handled again when its object is
 * resumed or when it was held for 10 seconds; or Status.tryAgain, when it was held already or too
 * many are.  The capabilities that came with the call are kept with it. */
int server_hold(struct server_call *call);
/* The object is known now: its held calls are handled next, in their order. */
void server_resume(struct server *server, uint64_t object);
/* Of that held call alone, if it still waits. */
void server_resume_call(struct server *server, uint64_t call_id);

struct server_ops {
	/* Dispatches by call->interface and call->object with a generated foo_dispatch.  Answers as
	 * that does; negative results other than MSG_DEFERRED reach the caller as
	 * Status.invalidArgument, CAP_EMETHOD as notSupported. */
	int (*call)(struct server *server, struct server_call *call);
	void (*release)(struct server *server,
	                uint64_t object); /* no capability to it is left; may be NULL */
	void (*cancel)(struct server *server,
	               /* a deferred call's caller gave up: forget it (no server_answer needed);
	                * may be NULL */
	               uint64_t call_id);
	/* The server's event was signalled. bits: those set.  May be NULL. */
	void (*event)(struct server *server, uint64_t bits);
	/* Before it sleeps: last look at shared queues.  Returns how long to sleep at most in
	 * nanoseconds (CAPOS_FOREVER), 0 when there is more to do.  May be NULL. */
	uint64_t (*idle)(struct server *server);
	/* Bytes of the largest message that it takes or answers with; longer ones fail with
	 * CAP_ETOOBIG for who sent them.  0: SERVER_MESSAGE_MAX. */
	uint32_t message_max;
};

struct server {
	const struct server_ops *ops;
	cap_t endpoint; /* CAP_NULL: only the event */
	cap_t event;    /* made by server_init; hand out copies with CAP_RIGHT_SIGNAL */
	void *context;
	/* private */
	struct server_buffer *buffers;
	struct server_held *held; /* NULL: it holds no calls */
	struct cap_op event_op;
	uint64_t event_bits;
	bool event_waiting;
};

/* Also takes the memory that the process has of its own (memory_commit), so to be called before
 * other threads exist. */
int server_init(struct server *server, const struct server_ops *ops, cap_t endpoint, void *context);
/* Runs for ever; returns an error only when the ring or the endpoint is gone. */
int server_run(struct server *server);

#endif
