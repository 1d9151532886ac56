/* SPDX-License-Identifier: MIT */
/*
 * Calls of objects that the kernel itself serves: what a handler sees, and the table of kinds and
 * methods (kinds.c).
 *
 * A handler runs with the parameters in the kernel's own memory.  It takes the capabilities it
 * keeps and gives those that go with the reply; whatever it does not take is dropped, whatever does
 * not reach the caller too.
 */
#ifndef KERNEL_KCALL_H
#define KERNEL_KCALL_H

#include "process/cap.h"
#include "process/thread.h"
#include "object/transfer.h"
#include <capos/msg.h>
#include <capos/schema/kernel_server.h>

struct method;

struct kcall {
	struct msg_call msg; /* first: a handler's struct msg_call is one of these */
	struct thread *caller;
	const struct capos_sqe *sqe;
	const struct method *method; /* called */
	uint32_t rights;             /* of the capability called */
	struct transfer in;
	struct cap out[CAPOS_MESSAGE_CAPS_MAX];
	uint32_t nout;
};

static inline struct kcall *kcall_of(struct msg_call *msg)
{
	return (struct kcall *)msg;
}

/* The capability sent at position index, of that kind and with those rights; still the call's.
 * CAP_OK, CAP_EBADCAP (none sent there), CAP_ETYPE, CAP_ERIGHTS. */
int kcall_arg(struct kcall *call, uint16_t index, enum cap_kind kind, uint32_t rights,
              struct cap *out);
/* Adds a capability with its count to the reply; its position. */
uint16_t kcall_give(struct kcall *call, enum cap_kind kind, struct object_header *object,
                    uint32_t rights);

/* Makes room for the reply: its memory is present and the caller's alone, its capabilities have
 * slots.  Every handler is called with it.  One that has shared pages of its caller since, with a
 * slice or a copy, may have shared those of the reply, and makes the room again before it does what
 * cannot be undone.  CAP_OK, OP_AGAIN, CAP_ETOOBIG, CAP_EFAULT, CAP_ENOMEM, CAP_ENOSLOT. */
int kcall_reply_room(struct kcall *call);

/* A slice that a method makes, in pieces when it is large.  The first call of the handler for a
 * submission says what of; what that was counts until it is done, whatever the message says
 * then. */
struct slice_request {
	struct memobj *from; /* borrowed; NULL: memory of zeroes */
	uint64_t offset, size;
	struct account *account;
	bool committed;
	bool makes_code; /* the capability on it has the right EXEC */
	/* When it is whole: the slice, the caller's, and whether makes_code was set. */
	struct memobj *copy;
	bool code;
};
/* CAP_OK, and there is room for the reply; OP_AGAIN; CAP_ENOMEM or what kcall_reply_room says. */
int kcall_slice(struct kcall *call, struct slice_request *what);

/* CALL on an object of the kernel: its result, or OP_PENDING. */
int kcall_submit(struct thread *t, const struct capos_sqe *sqe, struct cap target,
                 struct capos_cqe *cqe);

/* The words of an empty message: its root pointer. */
#define MESSAGE_ROOT 8u

/* What a call of a method needs before its handler acts. */
struct method {
	uint16_t rights; /* of the capability called, beside CALL */
	uint8_t words;   /* of the results, of fixed size */
	bool more;       /* text, data or lists come on top: as much as the buffer takes */
	uint8_t caps;    /* that come with the results */
	bool no_reply;   /* on success */
};

struct kind {
	uint64_t interface; /* 0: has no methods in the kernel */
	/* After the last reference has gone.  NULL: one exists, and is not counted. */
	void (*last)(struct object_header *header);
	int (*call)(struct object_header *object, struct msg_call *msg);
	void (*signal)(struct object_header *object, uint64_t bits); /* of events */
	/* For SystemStatus: the number by which its server knows it.  NULL: it has none. */
	uint64_t (*number)(const struct object_header *object);
	const struct method *methods; /* by ordinal */
	uint16_t nmethods;
};
extern const struct kind kinds[KIND_COUNT];

/* Handlers of kinds of which there is one. */
int code_maker_call(struct object_header *object, struct msg_call *msg);
int labeller_call(struct object_header *object, struct msg_call *msg);
int entropy_call(struct object_header *object, struct msg_call *msg);
int log_call(struct object_header *object, struct msg_call *msg);
int power_call(struct object_header *object, struct msg_call *msg);
int spawner_call(struct object_header *object, struct msg_call *msg);
int status_call(struct object_header *object, struct msg_call *msg);
int memory_call(struct object_header *header, struct msg_call *msg);
int account_call(struct object_header *header, struct msg_call *msg);

/* The rights of a capability on a new account. */
#define ACCOUNT_RIGHTS (CAP_RIGHT_CALL | CAP_RIGHT_WATCH | CAP_RIGHT_MANAGE | CAP_RIGHT_COPY)

#endif
