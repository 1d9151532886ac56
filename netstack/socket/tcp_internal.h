/* SPDX-License-Identifier: MIT */
/*
 * Between tcp.c (data and endings), tcp_open.c (bind, connect), tcp_listen.c (listen, accept) and
 * tcp_options.c.
 */
#ifndef NETSTACK_TCP_INTERNAL_H
#define NETSTACK_TCP_INTERNAL_H

#include "netstack/socket/socket.h"

/* From now on pcb is the socket's, with all callbacks. */
void tcp_internal_adopt(struct socket *s, struct tcp_pcb *pcb);
/* lwIP will not call about it again. */
void tcp_internal_disown(struct tcp_pcb *pcb);
/* A control block with a port, netstack's choice if the program has made none. */
int tcp_internal_bind_any(struct socket *s);
/* A RST, now.  Not in lwIP's callbacks for this connection. */
void tcp_internal_abort(struct socket *s);
/* Frees what arrived before accept. */
void tcp_internal_drop_early(struct socket *s);
/* The program takes the connection: data goes to its new channel, and the window opens. */
void tcp_internal_accepted(struct socket *s);
/* Ends the listener and all connections that wait. */
void tcp_internal_close_listener(struct socket *s);
/* As Linux does for shutdown: the socket may listen or connect again; processes that wait to accept
 * are woken. */
void tcp_internal_stop_listening(struct socket *s);
/* The handshake is done. */
void tcp_internal_established(struct socket *s);
/* The attempt under way has failed (pcb is gone): the next address, or the end. */
void tcp_internal_connect_failed(struct socket *s, int status);
/* Ends a connect that is under way, with no further address tried. */
void tcp_internal_end_connect(struct socket *s, int status);
/* The program wrote nonsense into the channel: a RST for the peer, an error for the program. */
void tcp_internal_break(struct socket *s);
/* Brings lwIP's control block in line with s->options. */
void tcp_internal_apply_options(struct socket *s);

#endif
