/* SPDX-License-Identifier: MIT */
/*
 * POSIX message queues (mq_overview(7)): each is a file of the type queue below MQUEUE_DIRECTORY,
 * whose pages are common to all processes that have it open, and never get fewer.  They are changed
 * under the queue's lock.  Processes of other users may have it open, too, and store there what
 * they like: what is read there is checked before it is used as a length or an index, and sends no
 * signal but who wants it has told the process service so.
 */
#ifndef POSIX_MQUEUE_H
#define POSIX_MQUEUE_H

#include <stdatomic.h>

#include "core/core.h"

/* As Linux has them: what mq_open without attributes makes; what the number and the size of
 * messages can be for root; RLIMIT_MSGQUEUE's bytes; priorities are below MQ_PRIO_MAX. */
#define MQUEUE_DEFAULT_MESSAGES 10u
#define MQUEUE_DEFAULT_BYTES    8192u
#define MQUEUE_MESSAGES_MAX     65536u
#define MQUEUE_BYTES_MAX        819200u
#define MQUEUE_PRIORITIES       32768u
#define MQUEUE_OPENS            64u /* of a queue whose waiting receivers are counted */
#define MQUEUE_DIRECTORY        "/dev/mqueue/"
#define MQUEUE_TEXT_BYTES       80 /* what stat says of a queue's size */
/* A queue whose lock is not given up for so long is not used as one. */
#define MQUEUE_LOCK_NS 10000000000ull

/* A message's place; its bytes follow. */
struct mqueue_slot {
	uint32_t length;
	uint32_t priority;
	uint64_t order; /* of its sending; 0: the place is free */
	uint8_t bytes[];
};

/* Who is told that a message came to an empty queue that none waits for; once. */
struct mqueue_notice {
	int32_t pid; /* 0: none is */
	int32_t method, signal;
	uint32_t reserved;
	uint64_t key;    /* by which the process service knows it; 0: no signal is wanted */
	uint64_t word;   /* of the registered description's end */
	uint64_t number; /* of all that were ever registered with the queue */
};

/* One description's waiting receivers; they count while a process has the description (ends.h). */
struct mqueue_open {
	uint64_t word;
	_Atomic uint32_t receivers;
	uint32_t reserved;
};

struct mqueue_shared {
	_Atomic uint32_t lock;
	_Atomic uint32_t wants; /* a process sleeps until something changes */
	uint32_t messages;      /* places for them */
	uint32_t bytes;         /* of the longest message */
	_Atomic uint32_t count; /* messages that wait */
	uint32_t reserved;
	uint64_t sent;  /* so far */
	uint64_t asked; /* how many notices were ever asked for */
	struct mqueue_notice notice;
	struct mqueue_open opens[MQUEUE_OPENS];
	_Alignas(64) uint8_t slots[];
};

/* What this process wants to be told by a signal. */
struct mqueue_asked {
	uint64_t pid; /* 0: nothing */
	uint64_t key, value;
	int signal;
};

/* One description. */
struct message_queue {
	struct file *file; /* below MQUEUE_DIRECTORY */
	struct mqueue_shared *shared;
	size_t size;              /* of the mapping */
	uint32_t messages, bytes; /* checked against the size once; the shared ones are not used */
	uint32_t stride;          /* from slot to slot */
	cap_t memory;
	struct shared_ends held; /* the first: ProcessEnd */
	int place;               /* in opens; -1: none */
	struct mqueue_asked asked;
};

extern const struct file_ops mqueue_ops;

/* Bytes from slot to slot, and of a whole queue. */
uint32_t mqueue_stride(uint32_t bytes);
size_t mqueue_size(uint32_t messages, uint32_t bytes);
void mqueue_drop(struct message_queue *q);

/* Of an open queue: NULL: it is none. */
struct message_queue *mqueue_of(const struct file *f);
/* 0, -EINTR, or -EIO: its lock is not given up. */
int mqueue_lock(const struct message_queue *q);
/* has_changed: those who wait for the queue look again. */
void mqueue_unlock(const struct message_queue *q, bool has_changed);
/* A description of an open file of that type and size; takes the reference over, also when it
 * fails.  0 or -errno. */
int mqueue_describe(struct file *file, size_t size, int flags, struct file **out);
/* Registers this process, with the queue locked; key 0: it wants no signal.  0 or -EBUSY. */
struct sigevent;
int mqueue_register(const struct message_queue *q, const struct sigevent *event, uint64_t key);
/* This process takes its notice back before it was told (mqueue_notice.c); the queue is locked. */
void mqueue_withdrawn(const struct mqueue_notice *n);

#endif
