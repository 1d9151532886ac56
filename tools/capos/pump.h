/* SPDX-License-Identifier: MIT */
/*
 * One direction of bytes from a descriptor to another, through a buffer; bytes come out as they
 * went in, none is lost, and nothing is read while the buffer is full (so whoever writes too fast
 * waits).
 */
#ifndef CAPOS_TOOLS_PUMP_H
#define CAPOS_TOOLS_PUMP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define PUMP_BUFFER (256u << 10)

struct pump {
	int from; /* -1: ended */
	int to;   /* -1: closed; what comes is then dropped */
	char *buffer;
	size_t start, end; /* of what is in the buffer */
	size_t chunk;      /* most bytes at one write */
	bool refused;      /* a write failed just now; `to` is -1 since */
	int error;         /* why: EPIPE, its reader has gone; 0: none has failed */
};

/* The descriptors stay the caller's.  chunk: see pump_output. */
void pump_init(struct pump *pump, int from, int to, size_t chunk);
void pump_free(struct pump *pump);

/*
 * A descriptor for the same pipe or terminal as fd on which writing never blocks, without a change
 * to fd itself, which other processes may share; *chunk is set to what may be written at once after
 * poll says so.  The caller closes it.
 */
int pump_output(int fd, size_t *chunk);

static inline bool pump_is_empty(const struct pump *pump)
{
	return pump->start == pump->end;
}

/* Both descriptors' wishes for poll; -1 where there is none. */
void pump_prepare(const struct pump *pump, struct pollfd *from, struct pollfd *to);

/* Reads once.  False at the end of the input: from is -1 then, and still the caller's to close. */
bool pump_read(struct pump *pump);
/* Writes what can be written now. */
void pump_write(struct pump *pump);

#endif
