/* SPDX-License-Identifier: MIT */
/*
 * What pipes and FIFOs are made of.  A pipe's memory is common to all processes that have an end of
 * it; it is changed under its lock, and nothing in it is trusted as an index.
 */
#ifndef POSIX_PIPE_H
#define POSIX_PIPE_H

#include <stdatomic.h>

#include <capos/schema/service.h>

#include "core/core.h"

#define PIPE_CAPACITY 65536u /* bytes, a power of two; as Linux has it */
#define PIPE_OPENS    64u    /* of each end of a FIFO at a time; a pipe has one of each */

enum pipe_side { PIPE_READS, PIPE_WRITES, PIPE_SIDES };

/* One opening of an end: it is held while a process counts itself and the process service knows of
 * one that has it (ends.h), so neither a close nor a kill is missed. */
struct pipe_open {
	uint64_t word;
	_Atomic uint32_t processes; /* that have it, killed ones included */
	uint32_t reserved;
};

struct pipe_shared {
	_Atomic uint32_t lock;
	uint32_t head, tail;                 /* taken and put so far; run freely */
	_Atomic uint32_t wants;              /* a process sleeps until something changes */
	_Atomic uint32_t opened[PIPE_SIDES]; /* how often each end was opened */
	_Atomic uint32_t nopens[PIPE_SIDES]; /* places of opens that were ever in use */
	_Atomic uint32_t size;               /* bytes that writers fill; 0: all of data */
	struct pipe_open opens[PIPE_SIDES][PIPE_OPENS];
	_Alignas(4096) uint8_t data[PIPE_CAPACITY];
};
_Static_assert(sizeof(struct pipe_shared) == FIFO_BYTES, "the files service makes it as long");

/* The mapping of one pipe in this process. */
struct pipe {
	struct pipe_shared *shared;
	cap_t memory;
	unsigned ends; /* descriptions here */
	struct pipe *next;
};

/* One description: what a file's data points to. */
struct pipe_end {
	struct pipe *pipe;
	cap_t held;             /* the ProcessEnd */
	cap_t file;             /* of a FIFO: its File; CAP_NULL: it is a pipe */
	int place[PIPE_SIDES];  /* in opens; -1: it does not have that end */
	uint32_t writers_since; /* opened[PIPE_WRITES] when it was opened: before one came nothing
	                           has hung up */
};

bool pipe_has(struct pipe_shared *p, enum pipe_side side);
/* 0 or -EINTR. */
int pipe_lock(struct pipe_shared *p);
/* Gives the pipe to the others, and wakes those that wait for what was changed. */
void pipe_unlock(struct pipe_shared *p, bool has_changed);

/* A mapping with no ends yet: that of memory which this process has mapped already, or a new one.
 * Takes the capability over, also when it fails.  NULL: no memory. */
struct pipe *pipe_map(cap_t memory);
/* Unmaps it when it has no ends. */
void pipe_settle(struct pipe *p);

/* A new open of the sides whose bits are set, under the lock.  0, -ENFILE: no place is free. */
int pipe_enter(struct pipe_end *end, uint64_t word, unsigned sides);
/* The description, with the operations of its mode; takes over the end's capabilities when it
 * succeeds.  0 or -ENOMEM. */
int pipe_describe(const struct pipe_end *end, int flags, struct file **out);

/* ---- For splice and tee: of ends that were opened for it ---- */

/* read and write, which may sleep or not; write takes what fits at once. */
ssize_t pipe_take(struct file *f, const struct iovec *iov, int n, bool nonblocking);
ssize_t pipe_fill(struct file *f, const struct iovec *iov, int n, bool nonblocking);
/* Waits until there is something to take, or room: how much; 0: the end; -EAGAIN, -EINTR,
 * -EPIPE. */
ssize_t pipe_wait(struct file *f, bool nonblocking);
ssize_t pipe_room(struct file *f, bool nonblocking);
/* Bytes that stay. */
ssize_t pipe_peek(struct file *f, uint8_t *to, size_t length);
/* What was taken last comes before all others again.  False: writers have filled its place. */
bool pipe_give_back(struct file *f, const uint8_t *bytes, size_t length);
bool pipe_same(const struct file *a, const struct file *b);

#endif
