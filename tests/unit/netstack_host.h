/* SPDX-License-Identifier: MIT */
/*
 * netstack on the host: a clock that tests move, memory from malloc so that the sanitizers see
 * every byte, and the driver's side of the NIC, whose frames tests write and read by hand.
 */
#ifndef NETSTACK_HOST_H
#define NETSTACK_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/channel.h>
#include <capos/nicqueue.h>

#include "netstack/socket/socket.h"

#define HOST_RECEIVE_BUFFERS  64u
#define HOST_TRANSMIT_BUFFERS 64u

/* As text "10.0.2.15" in network order. */
uint32_t host_address(const char *text);
#define HOST_OWN     host_address("10.0.2.15")
#define HOST_GATEWAY host_address("10.0.2.2")

extern uint64_t host_now;
extern const uint8_t host_mac[6], peer_mac[6];
extern struct nicqueue host_driver; /* the driver's view */
extern uint32_t host_allocations;   /* blocks of the heap that are in use */
extern uint32_t host_heap_limit;    /* 0: none */
extern uint64_t host_released;      /* the last capability that was given up */
extern uint32_t host_heap_quota;    /* of each class */
#define HOST_EMPTY_ACCOUNT 99u      /* an account that has nothing left */
extern uint32_t host_memory_left;   /* 0: none for channels */

/* Starts everything with a NIC; dhcp: without an address. */
void host_start(bool dhcp);
/* Lets netstack work until it would sleep; frames it sent are kept for host_sent(). */
void host_run(void);
/* Moves the clock, running what is due on the way. */
void host_advance(uint64_t ns);
/* How often the program with that event was woken since the last look. */
unsigned host_wakes(uint64_t event);

struct frame {
	uint8_t bytes[1600];
	size_t length;
};
/* The oldest frame that netstack sent; false: none. */
bool host_sent(struct frame *out);
unsigned host_sent_count(void);
void host_drop_sent(void);
/* A frame from the wire. */
void host_receive(const struct frame *f);
void host_receive_flags(const struct frame *f, uint32_t flags);
/* Receive buffers that the driver owns. */
unsigned host_driver_buffers(void);

/* ---- Building frames: Ethernet, IPv4 and transport headers around a payload, sums right ---- */

struct segment {
	uint32_t source, destination; /* addresses; 0: the gateway, netstack */
	uint16_t source_port, destination_port;
	uint32_t sequence, acknowledgement;
	uint8_t flags; /* TCP */
	uint16_t window;
	const uint8_t *options;
	size_t noptions; /* multiple of 4 */
	const void *payload;
	size_t length;
};
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
void build_tcp(struct frame *f, const struct segment *s);
void build_udp(struct frame *f, const struct segment *s);
void build_icmp(struct frame *f, uint32_t source, uint8_t type, uint8_t code, uint32_t rest,
                const void *payload, size_t length);
/* The same of any protocol. */
void build_ip(struct frame *f, uint32_t source, uint32_t destination, uint8_t protocol,
              uint16_t fragment, const void *payload, size_t length);
/* Sets the sums of what was changed by hand. */
void fix_sums(struct frame *f);

/* Reads a frame that netstack sent; false: it is none of that protocol. */
bool read_tcp(const struct frame *f, struct segment *out);
bool read_udp(const struct frame *f, struct segment *out);
/* ICMP message in payload, type and code in flags and window. */
bool read_icmp(const struct frame *f, struct segment *out);
/* The next segment or datagram sent to that port (0: any), answering ARP on the way; false:
 * none. */
bool next_tcp(struct segment *out, uint16_t port);
bool next_udp(struct segment *out, uint16_t port);
bool next_icmp(struct segment *out);

/* A socket as a program opens it: its own view of the channel. */
struct program {
	struct socket *socket;
	struct channel channel;
	uint64_t event;
};
int program_open(struct program *p, enum socket_kind kind, struct policy *policy);
void program_accepted(struct program *p, struct socket *s);
uint32_t program_status(const struct program *p);
size_t program_send(struct program *p, const void *bytes, size_t length);
size_t program_receive(struct program *p, void *bytes, size_t length);
/* As the program's death: the object's last capability goes. */
void program_close(struct program *p);

#endif
