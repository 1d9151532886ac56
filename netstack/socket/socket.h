/* SPDX-License-Identifier: MIT */
/*
 * A socket: one object that netstack serves, with the memory through which its data moves, of any
 * protocol.  The table is fixed; a slot's generation makes a word of its former object invalid.
 *
 * The other end of the channel belongs to a program (then wake_event wakes it), or, for
 * sockets that are used by message, to netstack itself (`client`).  What a program writes
 * there can harm its own socket only.
 */
#ifndef NETSTACK_SOCKET_H
#define NETSTACK_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/channel.h>

#include "netstack/socket/policy.h"

#include "lwip/ip4_addr.h"

/* heap.c has connections for all of them and some in TIME_WAIT. */
#define SOCKETS_MAX   512u /* in a machine with MEMORY_FULL */
#define SOCKETS_LEAST 48u

struct pbuf;
struct tcp_pcb;
struct udp_pcb;
struct raw_pcb;

enum socket_kind { SOCKET_FREE, SOCKET_TCP, SOCKET_UDP, SOCKET_ICMP };

/* Address and port, the address in network order, the port in host order. */
struct endpoint {
	ip4_addr_t address;
	uint16_t port;
};

/* What setOption sets, as its values are defined there: socket_option.h. */
struct socket_options {
	int32_t reuse_address, keep_alive, no_delay, broadcast;
	int32_t linger;                      /* -1: off */
	int32_t receive_buffer, send_buffer; /* 0: as large as the queue */
	int32_t time_to_live, type_of_service, multicast_time_to_live;
	int32_t keep_idle, keep_interval; /* seconds */
	int32_t keep_count;
};

enum tcp_phase {
	TCP_IDLE,
	TCP_RESOLVING,  /* connect waits for the network or a name */
	TCP_CONNECTING, /* SYN sent */
	TCP_OPEN,
	TCP_LISTENING,
	TCP_CLOSED, /* the connection has ended */
};

struct tcp_socket {
	enum tcp_phase phase;
	struct tcp_pcb *pcb;   /* lwIP's control block, or NULL */
	uint32_t receive_held; /* bytes in the queue for which the window was not updated yet */
	uint32_t send_taken;   /* bytes of the send queue that lwIP refers to */
	uint32_t buffers;      /* ... in so many pbufs, as counted against the account */
	bool send_shut;        /* a FIN follows what is in the queue */
	bool fin_sent, fin_received, receive_shut;
	bool acknowledge; /* when all frames are in: lwIP wanted to, or a sender may wait for it */
	bool answers;     /* the program has sent since data last came */
	/* bytes by which the announced window exceeds receive_buffer: not announced again */
	int32_t window_withheld;
	uint64_t deadline; /* closed, or connect under way: aborted then */
	uint64_t started;  /* connect */
	/* connect: where to, in this order */
	uint32_t candidates[DNS_ADDRESSES_MAX];
	unsigned ncandidates, candidate;
	unsigned asked; /* see policy_connect() */
	bool looking_up;
	int connect_status; /* of the last connect */
	/* before accept */
	struct socket *listener; /* whose pending connection this is */
	struct pbuf *early;      /* received so far */
	uint32_t early_buffers;  /* how many pbufs that are */
	/* listening */
	struct socket *pending, *pending_last, *pending_next;
	uint32_t npending, backlog;
};

struct datagram_socket {
	struct udp_pcb *udp;
	struct raw_pcb *raw;
	bool connected;
	uint64_t hold_until;     /* datagrams wait for the network up to then; 0: none waits */
	uint16_t identifiers[8]; /* ICMP: of the latest echo requests */
	unsigned nidentifiers;
	uint64_t dropped;
};

/* Calls that wait for something to happen to the socket; owned by the service. */
enum socket_wait { WAIT_CONNECT, WAIT_RECEIVE, WAIT_SEND, WAIT_ACCEPT, WAIT_CLOSE, WAIT_COUNT };
struct socket_call {
	bool waiting;
	uint64_t call_id;
	uint32_t reply_size;
	uint32_t argument;
	uint64_t deadline; /* of WAIT_CLOSE */
};

struct socket {
	enum socket_kind kind;
	uint32_t generation;
	bool closed;                        /* its object is gone: ends in the background */
	bool by_message;                    /* its channel's other end is `client` */
	bool listener_object, makes_object; /* TcpListener; connect answers with a capability */
	struct policy *policy;
	struct channel channel;
	struct channel client;
	uint64_t memory_handle;
	bool unaccounted; /* the memory is netstack's own */
	uint32_t status;  /* the channel's, by our own record */
	int error;        /* of a connection that has no channel yet */
	uint64_t wake_event, wake_bits;
	bool wake, publish_receive, publish_send, marked, flushing;
	struct socket *next_marked;
	struct endpoint local, peer;
	struct socket_options options;
	struct socket_call calls[WAIT_COUNT];
	union {
		struct tcp_socket tcp;
		struct datagram_socket datagram;
	};
};

/* ---- Table ---- */

/* How much memory the channels of no session may take together. */
/* Before any other: makes the table, for that many sockets. */
int socket_start(unsigned most);
void socket_set_budget(uint64_t bytes);

/* A new socket under policy, whose reference it takes of its own; charged to the policy's account.
 * STATUS_OK, STATUS_NO_BUFFERS or STATUS_NO_MEMORY. */
int socket_create(enum socket_kind kind, struct policy *policy, struct socket **out);
/* The same of a connection that waits to be accepted, without a channel: STATUS_NO_BUFFERS
 * alone. */
int socket_create_waiting(struct policy *policy, struct socket **out);
/* Gives it its channel, which says what became of the connection so far. */
int socket_make_channel(struct socket *s);
static inline bool socket_has_channel(const struct socket *s)
{
	return s->channel.shared;
}
/* Frees everything of it; its protocol's control block must be gone. */
void socket_destroy(struct socket *s);

/* The word of its object, and back: NULL for a word of none (any more). */
#define SOCKET_WORD_SHIFT 8
/* Bit 63 of a word is not for sockets (service.h). */
#define SOCKET_GENERATION_MAX 0x7fffffffu
uint64_t socket_word(const struct socket *s);
struct socket *socket_of_word(uint64_t word);
/* Over all sockets that exist: index from 0, NULL at the end; skips free slots. */
struct socket *socket_next(unsigned *index);

/* The program at the other end.  Without it the socket is used by message. */
void socket_set_wake(struct socket *s, uint64_t event, uint64_t bits);
/* The bits by which the program wakes netstack for this socket, and all sockets that share them. */
#define SOCKET_BITS_FIRST 4u
uint64_t socket_bits(const struct socket *s);
void socket_woken(uint64_t bits);

/* ---- Work ---- */

/* Something happened to it: it will be looked at in this turn. */
void socket_mark(struct socket *s);
/* Takes the next marked socket, or NULL. */
struct socket *socket_take_marked(void);
bool socket_any_marked(void);
/* Makes its indices visible to the other end, without a wake yet. */
void socket_publish(struct socket *s);
/* Publishes indices and wakes programs that asked: at the end of each turn. */
void socket_flush(void);

void socket_set_status(struct socket *s, uint32_t set, uint32_t clear);
void socket_set_error(struct socket *s, int status);

/* True when every call that waits may be looked at again: set by the service, called for marked
 * sockets. */
void socket_on_progress(void (*progress)(struct socket *s));
void socket_progress(struct socket *s);

bool socket_waits(const struct socket *s);

/* Until the next one of these, packets that wait for a neighbour are charged to the account of the
 * socket; NULL: to netstack. */
void socket_sends(const struct socket *s);

#endif
