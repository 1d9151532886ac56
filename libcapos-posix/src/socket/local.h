/* SPDX-License-Identifier: MIT */
/*
 * Pairs of connected AF_UNIX sockets (unix(7)): two flows of bytes in memory that is common to all
 * processes that have one of the ends.  It is changed under its lock, and nothing in it is trusted
 * as an index.
 */
#ifndef POSIX_SOCKET_LOCAL_H
#define POSIX_SOCKET_LOCAL_H

#include <stdatomic.h>
#include <sys/socket.h>

#include "core/core.h"

#define LOCAL_ENDS     2
#define LOCAL_CAPACITY (256u << 10) /* bytes of a flow, a power of two */
/* A flow that is filled so far or less is writable for poll: any message fits then. */
#define LOCAL_WRITABLE    (LOCAL_CAPACITY / 4)
#define LOCAL_MESSAGE_MAX (LOCAL_CAPACITY - LOCAL_WRITABLE - (uint32_t)sizeof(uint32_t))

/* What the end with the same number reads. */
struct local_flow {
	uint32_t head, tail; /* taken and put so far; run freely */
};

struct local_end {
	uint64_t word;               /* of its ProcessEnd */
	_Atomic uint32_t processes;  /* that have it, killed ones included */
	_Atomic uint32_t read_shut;  /* by this end */
	_Atomic uint32_t write_shut; /* by this end */
	_Atomic uint32_t noticed;    /* it was told that the other went: once */
};

struct local_shared {
	_Atomic uint32_t lock;
	_Atomic uint32_t wants; /* a process sleeps until something changes */
	struct local_flow flows[LOCAL_ENDS];
	struct local_end ends[LOCAL_ENDS];
	_Alignas(4096) uint8_t data[LOCAL_ENDS][LOCAL_CAPACITY];
};

/* What options are about. */
struct local_options {
	int type;                               /* SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET */
	uint64_t receive_timeout, send_timeout; /* nanoseconds, 0: none */
	struct ucred peer;                      /* who made the pair */
};

/* One description. */
struct local {
	struct local_shared *shared;
	cap_t memory;
	cap_t held; /* the ProcessEnd */
	int side;   /* which end it is: 0 or 1 */
	uint64_t number;
	struct local_options options;
};

static inline struct local *local_of(struct file *f)
{
	return f->data;
}

extern const struct socket_ops local_ops;

/* ---- local.c ---- */
bool local_is_there(const struct local_end *end);
/* 0 or -EINTR. */
int local_lock(struct local_shared *p);
/* Gives the pair to the others, and wakes those that wait for what was changed. */
void local_unlock(struct local_shared *p, bool has_changed);
uint32_t local_filled(const struct local_flow *flow);

static inline struct local_end *local_mine(const struct local *s)
{
	return &s->shared->ends[s->side];
}

static inline struct local_end *local_other(const struct local *s)
{
	return &s->shared->ends[!s->side];
}

/* Whether nothing more comes or goes.  Datagram sockets know only what was shut here. */
bool local_reads_end(const struct local *s);
bool local_writes_end(const struct local *s);
/* The other end is gone and has left unread what this one sent: the next call says so, once. */
bool local_is_reset(const struct local *s);

/* Type and protocol as AF_UNIX has them: 0 or -errno. */
int local_check_type(int *type, int protocol);
uint64_t local_number(void); /* st_ino of a new socket */

/* ---- local_move.c ---- */
ssize_t local_sendmsg(struct file *f, const struct msghdr *message, int flags);
ssize_t local_recvmsg(struct file *f, struct msghdr *message, int flags);

/* ---- local_option.c ---- */
int local_option_set(struct local_options *options, int level, int option, const void *value,
                     unsigned length);
/* error: what SO_ERROR answers. */
int local_option_get(const struct local_options *options, int error, int level, int option,
                     void *value, unsigned *length);

#endif
