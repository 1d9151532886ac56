/* SPDX-License-Identifier: MIT */
/*
 * A socket of this process: the capability of the socket object that netstack serves, the channel
 * in which its data moves, and what POSIX wants remembered on this side.  Shared by socket*.c and
 * inet*.c.
 */
#ifndef POSIX_SOCKET_INTERNAL_H
#define POSIX_SOCKET_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <capos/schema/network.h>

#include "core/core.h"

enum socket_kind {
	SOCKET_TCP,
	SOCKET_UDP,
	SOCKET_RAW_ICMP, /* whole IP packets in, ICMP messages out */
	SOCKET_PING,     /* SOCK_DGRAM with IPPROTO_ICMP: echo messages without IP header, of this
	                    socket's identifier */
	SOCKET_KINDS,
};

enum socket_state {
	SOCKET_FRESH,
	SOCKET_CONNECTING, /* TCP: connect began; the channel's status says how it goes */
	SOCKET_CONNECTED,  /* TCP: it stood once; others: they have a fixed peer */
	SOCKET_LISTENING,
};

struct socket {
	enum socket_kind kind;
	enum socket_state state;
	cap_t object;
	struct chan chan;
	int error; /* errno of SO_ERROR besides the channel's, 0: none */
	bool read_shut, write_shut;
	bool broadcast;                         /* SO_BROADCAST, of datagram kinds */
	uint64_t receive_timeout, send_timeout; /* nanoseconds, 0: none */
	struct sockaddr_in peer;                /* datagram kinds: the fixed peer */
	uint16_t ping_id;                       /* SOCKET_PING; network order */
	uint64_t number;                        /* st_ino */
};

static inline struct socket *socket_of(struct file *f)
{
	return f->data;
}

extern const struct socket_ops socket_tcp_ops, socket_datagram_ops;
unsigned socket_tcp_poll(struct file *f, unsigned wanted, bool arm);
unsigned socket_datagram_poll(struct file *f, unsigned wanted, bool arm);

/* A description for a socket whose object and channel stand; takes both over, also when it
 * fails. */
int socket_file(enum socket_kind kind, enum socket_state state, cap_t object,
                const struct chan *chan, int flags, struct file **out);
/* Gives a new description a descriptor; flags: SOCK_CLOEXEC.  The descriptor, or -errno, and then
 * the description is closed. */
int socket_install(struct file *f, int flags);
/* Takes the object out of a reply and opens its channel.  CAP_OK or enum cap_error; nothing is left
 * then. */
int socket_take(struct capos_call *reply, uint16_t index, const struct channel_ref *ref,
                cap_t *object, struct chan *chan);

/* errno_of(), but that netstack has ended is -ENETDOWN: a new socket may work again. */
int socket_errno(int result);
/* The error that the next call returns, taken so that no other call returns it; 0: none. */
int socket_take_error(struct socket *s);
bool socket_has_error(struct socket *s);

/* Stores an address where the program wants it, as far as it has room, and its length.  0 or
 * -EFAULT. */
long socket_address_out(const struct sockaddr_storage *from, unsigned length, long address,
                        unsigned room, long length_address);

/* The open file of a socket's descriptor: 0, -EBADF or -ENOTSOCK. */
int socket_fd(long fd, struct file **f);

/* inet_address.c */
/* sockaddr to the four (or, for INADDR_ANY when that is allowed, no) bytes of an address.  0 or
 * -errno. */
int inet_parse(const struct sockaddr *address, unsigned length, struct sockaddr_in *out);
struct msg_data inet_data(const struct in_addr *address, bool any_is_unspecified);
/* Fills in what fits; *length becomes the whole's length. */
void inet_store(const struct sockaddr_in *in, struct sockaddr *address, unsigned *length);
int inet_from(const struct socket_address *in, struct sockaddr_in *out); /* -EIO: malformed */

/* inet_interface.c: ioctl's SIOC requests; -ENOTTY: another request. */
int inet_ioctl(unsigned long request, long argument);

/* local_name.c: socket(AF_UNIX): the descriptor or -errno. */
long local_socket(int type, int flags, int protocol);

/* socket_option.c */
int socket_setopt(struct file *f, int level, int option, const void *value, unsigned length);
int socket_getopt(struct file *f, int level, int option, void *value, unsigned *length);
/* SO_RCVTIMEO and SO_SNDTIMEO, in nanoseconds; 0 or -errno. */
int socket_set_timeout(uint64_t *timeout, const void *value, unsigned length);
int socket_get_timeout(uint64_t timeout, void *value, unsigned *length);
/* An option's value, as much as there is room for. */
int socket_store(const void *from, unsigned size, void *value, unsigned *length);

#endif
