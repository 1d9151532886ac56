/* SPDX-License-Identifier: MIT */
/*
 * What an open terminal's channel has besides (schema/terminal.capnp).  Its receive queue carries
 * pairs of bytes: a character and TERMINAL_* flags; its send queue plain bytes.  Behind the
 * channel's header are words that the service writes and clients read: what a read has to know
 * without asking.
 *
 * All who have the terminal open use the one channel, one at a time under its client_lock.
 */
#ifndef CAPOS_TERMINAL_H
#define CAPOS_TERMINAL_H

#include <capos/channel.h>

#define TERMINAL_PAIR 2u /* bytes of the receive queue for a character */
enum terminal_flag {
	TERMINAL_END = 1, /* a line ends behind it: a read goes no further */
	TERMINAL_EOF = 2  /* it is no character: the read ends before it */
};

struct terminal_shared {
	_Atomic uint32_t local;   /* c_lflag */
	_Atomic uint32_t minimum; /* VMIN, VTIME */
	_Atomic uint32_t time;
	_Atomic uint32_t dropped; /* index of the receive queue: what is before it counts as read */
	/* Of a master's channel: the client writes whether it wants news, and takes them. */
	_Atomic uint32_t packets;
	_Atomic uint32_t news; /* TERMINAL_NEWS_* */
};

/* What has happened to a pseudo-terminal, as Linux numbers it. */
enum terminal_news {
	TERMINAL_NEWS_FLUSH_READ = 1,
	TERMINAL_NEWS_FLUSH_WRITE = 2,
	TERMINAL_NEWS_STOP = 4,
	TERMINAL_NEWS_START = 8,
	TERMINAL_NEWS_NO_STOP = 16, /* ^S and ^Q are characters like others */
	TERMINAL_NEWS_DO_STOP = 32
};

#define TERMINAL_SHARED_OFFSET 2048u
_Static_assert(sizeof(struct channel_shared) <= TERMINAL_SHARED_OFFSET, "they do not overlap");

static inline struct terminal_shared *terminal_shared(struct channel_shared *channel)
{
	return (struct terminal_shared *)((char *)channel + TERMINAL_SHARED_OFFSET);
}

#endif
