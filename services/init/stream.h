/* SPDX-License-Identifier: MIT */
/*
 * init's end of a console stream.  It follows the console: when that ends and is started again, the
 * stream is attached to the new process, and what the host was not sent yet goes with it.
 */
#ifndef INIT_STREAM_H
#define INIT_STREAM_H

#include "init.h"

struct stream {
	/* Set once. */
	const char *name;   /* the console's export */
	uint64_t wake_bits; /* of init's event: signalled when the channel changes */

	bool attached;
	uint32_t instance; /* of the console: the one attached, or asked */
	bool asking;       /* attach is under way */
	struct init_call attach;
	void *memory; /* the mapping of channel; NULL: none yet */
	uint64_t size;
	cap_t event; /* the console's; which bits to signal */
	uint64_t bits;
	struct channel channel;
};

/* Attaches to the console when there is a new instance of it; does not wait. */
void stream_follow(struct stream *s);
/* Waits until it is attached.  False: there is no console, or its end was final. */
bool stream_ready(struct stream *s);
/* The host has closed its end. */
bool stream_takes_nothing(const struct stream *s);
/* Sends all of it, waiting for space as often as needed.  False: the stream takes nothing more. */
bool stream_send(struct stream *s, const void *bytes, uint32_t length);
/* Waits until the host has taken everything.  CAP_OK or an error. */
int stream_drain(struct stream *s);

#endif
