/* SPDX-License-Identifier: MIT */
/*
 * A channel: the shared memory behind a socket or a stream.  One page of header, then the receive
 * queue's bytes (server to client), then the send queue's (client to server).  The server makes it
 * and writes `status`, `error`, `pending` and the sizes; the client copies the sizes once and
 * checks them.
 *
 * Streams and TCP carry bytes.  Datagram sockets carry records in the same byte queues: a struct
 * channel_datagram, then its payload, padded to 8 bytes; a record is written whole or not at all.
 */
#ifndef CAPOS_CHANNEL_H
#define CAPOS_CHANNEL_H

#include <capos/queue.h>

enum channel_status {
	CHANNEL_CONNECTED = 1u << 0, /* TCP: the connection stands (stays set after it ended) */
	CHANNEL_EOF =
	        1u << 1, /* nothing will be added to the receive queue: FIN, or the stream's end */
	CHANNEL_CLOSED = 1u << 2, /* the send side takes nothing more: RST, shut down, host gone */
	CHANNEL_ERROR = 1u << 3,  /* `error` holds a Status not yet returned (SO_ERROR); the client
	                           * clears it by  remembering error_count */
	CHANNEL_LISTENING = 1u << 4,  /* `pending` counts connections to accept */
	CHANNEL_CONNECTING = 1u << 5, /* connect is under way */
};

struct channel_shared {
	_Atomic uint32_t status; /* server */
	_Atomic uint32_t error;  /* server: Status of the last error */
	/* server: errors so far; the client has reported the first N of them */
	_Atomic uint32_t error_count;
	_Atomic uint32_t pending; /* server: connections to accept */
	uint32_t receive_size;    /* bytes, power of two */
	uint32_t send_size;
	/* client asks to be woken when status, error or pending change; server clears */
	_Atomic uint32_t client_wants_status;
	/* of the client's processes among themselves; nothing to the server */
	_Atomic uint32_t client_lock;
	/* one of these has taken over what the server, which ended, had not */
	_Atomic uint32_t client_moved;
	struct queue_shared receive; /* server produces */
	struct queue_shared send;    /* client produces */
};

#define CHANNEL_HEADER_SIZE 4096u
#define CHANNEL_QUEUE_MAX   (4u << 20)
#define CHANNEL_MEMORY_SIZE(receive, send) \
	(CHANNEL_HEADER_SIZE + (uint64_t)(receive) + (uint64_t)(send))

struct channel_datagram {
	uint16_t length; /* payload bytes */
	uint16_t port;   /* peer's, host order; sending: 0 with address_length 0 means the connected
	                    peer */
	uint8_t address_length; /* 0, 4 or 16 */
	uint8_t time_to_live;   /* received */
	uint8_t reserved[2];
	uint8_t address[16];
};
_Static_assert(sizeof(struct channel_datagram) == 24, "datagram header layout");
#define CHANNEL_RECORD_SIZE(payload) \
	((sizeof(struct channel_datagram) + (uint32_t)(payload) + 7u) & ~7u)

/* One side's view of a channel. */
struct channel {
	struct channel_shared *shared;
	struct queue receive;
	struct queue send;
	uint64_t memory_size;
};

/* Server: lays out zeroed memory of CHANNEL_MEMORY_SIZE; sizes are powers of two or 0. */
void channel_create(struct channel *c, void *memory, uint32_t receive_size, uint32_t send_size);
/* Client: checks the header against memory_size; CAP_OK or CAP_EMESSAGE. */
int channel_open(struct channel *c, void *memory, uint64_t memory_size);
/* Server: sets and clears status bits; true when the client asked to be woken for that. */
bool channel_set_status(struct channel *c, uint32_t set, uint32_t clear);
bool channel_set_error(struct channel *c, uint32_t status);

/* Datagrams.  put: CAP_OK or CAP_EAGAIN (no space) or CAP_ETOOBIG (never fits).  take: payload
 * bytes copied (at most size; the rest is dropped, header->length tells), CAP_EAGAIN when empty,
 * CAP_EMESSAGE when the record is malformed. */
int channel_put_datagram(struct queue *q, const struct channel_datagram *header,
                         const void *payload);
int channel_take_datagram(struct queue *q, struct channel_datagram *header, void *payload,
                          uint32_t size, bool peek);

#endif
