/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX datagram sockets with names in the file tree (unix(7)).  A name's memory is common to the
 * socket that is bound to it and to all that send there; it is changed under its lock, and nothing
 * in it is trusted as a length or an index.
 */
#ifndef POSIX_SOCKET_LOCAL_NAME_H
#define POSIX_SOCKET_LOCAL_NAME_H

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <capos/schema/service.h>

#include "core/core.h"
#include "socket/local.h"

#define NAMED_CAPACITY (64u << 10) /* bytes, a power of two */
#define NAMED_PATH     sizeof(((struct sockaddr_un *)0)->sun_path)

/* Before each message. */
struct named_header {
	uint32_t length;
	uint32_t path_length; /* of the sender's name, which comes first; 0: it has none */
};

/* What is filled so far or less is writable for poll: any message fits then. */
#define NAMED_WRITABLE (NAMED_CAPACITY / 4)
#define NAMED_MESSAGE_MAX \
	(NAMED_CAPACITY - NAMED_WRITABLE - (uint32_t)(sizeof(struct named_header) + NAMED_PATH))

struct named_shared {
	_Atomic uint32_t lock;
	_Atomic uint32_t wants;     /* a process sleeps until something changes */
	uint32_t head, tail;        /* taken and put so far; run freely */
	uint64_t word;              /* of the receiver's ProcessEnd */
	_Atomic uint32_t processes; /* that have the receiver, killed ones included */
	_Atomic uint32_t read_shut;
	uint32_t path_length; /* of the receiver's name */
	char path[NAMED_PATH];
	_Alignas(4096) uint8_t data[NAMED_CAPACITY];
};
_Static_assert(sizeof(struct named_shared) == FIFO_BYTES, "the files service makes it as long");

/* A name that is open here. */
struct named_node {
	struct named_shared *shared; /* NULL: none is */
	cap_t file, memory;
	char path[NAMED_PATH]; /* as the program gave it, with a 0 if there is room */
	uint32_t path_length;
};

struct named {
	struct named_node own, peer; /* bound to; connected to */
	cap_t held;                  /* the ProcessEnd of own */
	struct local_options options;
	bool read_shut, write_shut;
	uint64_t number;
};

static inline struct named *named_of(struct file *f)
{
	return f->data;
}

extern const struct socket_ops named_ops;

/* ---- local_name.c ---- */
uint32_t named_filled(const struct named_shared *p);
bool named_is_there(const struct named_shared *p);
int named_lock(struct named_shared *p); /* 0 or -EINTR */
void named_unlock(struct named_shared *p, bool has_changed);
/* The path of an address that the program gave: 0 or -errno. */
int named_parse(const struct sockaddr *address, unsigned length, struct named_node *out);
/* Opens the name: 0, -ECONNREFUSED: it is no socket; -errno. */
int named_open(struct named_node *node);
void named_close(struct named_node *node);
/* The address of a name, as much as fits; *length becomes the whole's length. */
void named_store(const struct named_node *node, struct sockaddr *address, unsigned *length);

/* ---- local_name_move.c ---- */
ssize_t named_sendmsg(struct file *f, const struct msghdr *message, int flags);
ssize_t named_recvmsg(struct file *f, struct msghdr *message, int flags);

#endif
