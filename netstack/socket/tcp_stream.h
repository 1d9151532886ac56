/* SPDX-License-Identifier: MIT */
/*
 * An established connection between a channel and lwIP.  Data to send stays in the channel's queue,
 * where lwIP refers to it until it is acknowledged; received data is copied into the other queue at
 * once, which always has room for the window that was announced.
 */
#ifndef NETSTACK_TCP_STREAM_H
#define NETSTACK_TCP_STREAM_H

#include "netstack/socket/socket.h"

/* A closed connection that still sends and makes no progress is aborted after this. */
#define TCP_ORPHAN_NS (60 * 1000000000ull)

/* From now on pcb is the socket's, with the callbacks of a stream. */
void tcp_stream_adopt(struct socket *s, struct tcp_pcb *pcb);
/* lwIP makes no further callback for it. */
void tcp_stream_disown(struct tcp_pcb *pcb);
/* The handshake is done. */
void tcp_stream_established(struct socket *s);
/* The program takes the connection: data goes to its new channel, and the window opens. */
void tcp_stream_accepted(struct socket *s);

/* Moves what can be moved, and asks to be woken for more. */
void tcp_stream_work(struct socket *s);
/* The half of it that sends. */
void tcp_stream_send(struct socket *s);

/* True when all data and the FIN are sent, and the data is acknowledged. */
bool tcp_stream_flushed(const struct socket *s);
/* True when the program has not read all that arrived. */
bool tcp_stream_unread(struct socket *s);

/* Sends a RST.  Not in lwIP's callbacks for this connection. */
void tcp_stream_abort(struct socket *s);
/* The same, and an error for the program, which wrote false indices into the channel. */
void tcp_stream_break(struct socket *s);
/* Leaves the control block to lwIP, which ends the connection as its state demands. */
void tcp_stream_release(struct socket *s);

#endif
