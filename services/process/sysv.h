/* SPDX-License-Identifier: MIT */
/*
 * System V objects of a world, as data: segments, sets of semaphores and queues of messages, what
 * members have attached and are to have undone, and calls that wait.  All of it is the world's:
 * what a member holds goes with it, before anyone learns that it has ended.
 *
 * An object is found by its number, whose low bits are its place, until it is removed.  A segment
 * that is removed stays while a member has it attached.
 */
#ifndef PROCESS_SYSV_H
#define PROCESS_SYSV_H

#include <stdbool.h>
#include <stdint.h>

#include "services/files/pages.h"

/* Objects of one kind: one page of pointers to them. */
#define SYSV_IDS        512u
#define SYSV_KEY_NONE   0                  /* IPC_PRIVATE */
#define SYSV_GENERATION 0x3fffffu          /* times SYSV_IDS it is a positive int */
#define SYSV_SHM_MAX    0xffffffffff000ull /* bytes; the account has less */
/* Semaphores of a set: one page of them. */
#define SYSV_SET_MAX 512u
/* Operations of a call, and the largest value, as Linux has them. */
#define SYSV_OPERATIONS_MAX 500u
#define SYSV_VALUE_MAX      32767
/* Of Linux: bytes of a message, and of all in a queue unless its owner wants it otherwise. */
#define SYSV_MESSAGE_MAX 8192u
#define SYSV_QUEUE_BYTES 16384u
/* Messages of one queue, those without bytes included: bounds how long one call takes. */
#define SYSV_MESSAGES_MAX 4096u
/* Calls of one world that wait, and operations of theirs: a change of an object tries them, and
 * again as often as one of them changes it. */
#define SYSV_WAITERS_MAX            1024u
#define SYSV_WAITING_OPERATIONS_MAX 4096u

/* Flags of Linux. */
#define SYSV_CREATE    01000u
#define SYSV_EXCLUSIVE 02000u
#define SYSV_NOWAIT    04000u
#define SYSV_UNDO      0x1000u
#define SYSV_NOERROR   010000u /* of receiving: what is too long is cut */
#define SYSV_EXCEPT    020000u
#define SYSV_COPY      040000u
#define SYSV_DEST      01000u /* of a segment's mode: it is removed */
#define SYSV_LOCKED    02000u

enum sysv_kind { SYSV_SEGMENT, SYSV_SET, SYSV_QUEUE, SYSV_KINDS };

struct member;
struct world;

struct sysv_semaphore {
	uint32_t value;
	uint32_t last; /* number of the process that changed it */
};

struct sysv_message {
	struct sysv_message *next, *before;
	uint64_t serial; /* so many came to its queue until it did */
	int64_t type;
	uint32_t size;
	uint8_t *parts[SYSV_MESSAGE_MAX / PAGE_SIZE]; /* full ones, and the rest */
};

struct sysv_object {
	enum sysv_kind kind;
	int32_t key, id;
	uint32_t user, group, creator_user, creator_group, mode;
	uint32_t creator, last, last_receiver; /* numbers of processes */
	int64_t first_s, second_s, change_s;   /* attached, operated, sent; detached, received */
	uint64_t size; /* bytes of a segment; semaphores; most bytes of a queue */
	/* segments */
	uint64_t memory; /* a capability */
	uint32_t attached;
	bool removed;
	/* sets */
	struct sysv_semaphore *semaphores;
	struct sysv_undo *undos;
	/* queues */
	struct sysv_message *first, *last_message;
	uint64_t serial;
	uint32_t messages;
	uint64_t bytes;
};

/* What a member has attached. */
struct sysv_hold {
	struct sysv_hold *next; /* of the member */
	struct sysv_object *object;
	uint32_t times;
};

/* What is added to a set's semaphores when the member ends. */
struct sysv_undo {
	struct sysv_undo *of_member, *of_set; /* the next ones */
	struct member *member;
	struct sysv_object *object;
	int16_t *changes;
};

struct sysv_operation { /* struct sembuf */
	uint16_t number;
	int16_t change;
	uint16_t flags;
};

enum sysv_call { SYSV_OPERATE, SYSV_SEND, SYSV_RECEIVE };
struct sysv_waiter {
	struct sysv_waiter *next;
	struct member *member;
	struct sysv_object *object;
	uint64_t token; /* the service's: which call it is */
	enum sysv_call call;
	uint32_t flags; /* of messages */
	struct sysv_operation *operations;
	uint32_t noperations, blocked; /* blocked: which of them waits */
	struct sysv_undo *undo;        /* NULL: none of them asks for it */
	struct sysv_message *message;  /* to be sent */
	int64_t type;                  /* to be received */
	uint64_t size;
	uint64_t seen; /* messages up to this serial number are not what it wants */
};

struct sysv {
	struct sysv_object **objects[SYSV_KINDS]; /* NULL: none yet */
	uint32_t used[SYSV_KINDS], generation[SYSV_KINDS];
	struct sysv_waiter *waiters, **end; /* in the order that they came */
	uint32_t nwaiters, noperations;
};

/* NULL: none has that number. */
struct sysv_object *sysv_find(const struct world *world, enum sysv_kind kind, int32_t id);
/* Of that place; NULL: it is free. */
struct sysv_object *sysv_at(const struct world *world, enum sysv_kind kind, uint32_t place);
/* As shmget and its kin.  Status. */
int sysv_get(struct member *m, enum sysv_kind kind, int32_t key, uint64_t size, uint32_t flags,
             struct sysv_object **out);
/* Who waits for it is answered with removed. */
void sysv_remove(struct world *world, struct sysv_object *object);
void sysv_changed(const struct world *world, struct sysv_object *object);

/* ---- Access (sysv_access.c) ---- */
#define SYSV_MAY_READ  4u
#define SYSV_MAY_WRITE 2u /* a semaphore is altered, a message sent */
bool sysv_allows(const struct member *m, const struct sysv_object *o, uint32_t access);
bool sysv_owns(const struct member *m, const struct sysv_object *o); /* or has made it */

/* ---- Segments ---- */
int sysv_attach(struct member *m, struct sysv_object *segment);
int sysv_detach(struct member *m, int32_t id);

/* ---- Semaphores (sysv_set.c) ---- */
/* ok: it is answered, now or later. */
int sysv_operate(struct member *m, int32_t id, const void *operations, uint32_t length,
                 uint64_t token);
/* number -1: all of them.  Status. */
int sysv_assign(struct member *m, struct sysv_object *set, int32_t number, const uint16_t *values,
                uint32_t n);
/* Calls that wait for a semaphore to become 0, or to grow. */
uint32_t sysv_waiting(const struct world *world, const struct sysv_object *set, uint32_t number,
                      bool for_zero);

/* ---- Messages (sysv_queue.c) ---- */
int sysv_send(struct member *m, int32_t id, int64_t type, const void *bytes, uint32_t size,
              bool wait, uint64_t token);
int sysv_receive(struct member *m, int32_t id, int64_t type, uint64_t size, uint32_t flags,
                 uint64_t token);

/* ---- Waiting ---- */
/* What an attempt came to; but for the first it was answered. */
enum sysv_outcome { SYSV_WAITS, SYSV_DONE, SYSV_CHANGED };
/* Of each kind of call. */
enum sysv_outcome sysv_try_operate(struct sysv_waiter *w);
enum sysv_outcome sysv_try_send(struct sysv_waiter *w);
enum sysv_outcome sysv_try_receive(struct sysv_waiter *w);
/* Tries at once, or keeps what a waiter has (which it takes over in any case) for later. */
int sysv_begin(const struct sysv_waiter *like);
/* The object has changed: others may go on. */
void sysv_settle(struct world *world, struct sysv_object *object);
/* The caller of that one gave up.  True: there was one. */
bool sysv_cancel(struct world *world, uint64_t token);

/* ---- Members ---- */
/* A child has attached what its parent has.  Status. */
int sysv_fork(const struct member *parent, struct member *child);
void sysv_executed(struct member *m);
void sysv_drop_member(struct member *m);
void sysv_close(struct world *world);

/* ---- Of each kind, for sysv.c ---- */
void sysv_drop_undos(struct sysv_object *set);
void sysv_undo_member(struct member *m);
void sysv_drop_message(struct slab *slab, struct sysv_message *message);
void sysv_drop_messages(struct slab *slab, struct sysv_object *queue);

#endif
