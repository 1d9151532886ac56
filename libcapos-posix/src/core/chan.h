/* SPDX-License-Identifier: MIT */
/*
 * The client's end of a channel (capos/channel.h), for streams and sockets: opened from a reply,
 * read and written straight from and to the program's buffers.  The server is woken only when it
 * asked, once per call.
 */
#ifndef POSIX_CHAN_H
#define POSIX_CHAN_H

#include <sys/types.h>
#include <sys/uio.h>

#include <capos/cap.h>
#include <capos/channel.h>
#include <capos/schema/network.h>

struct chan {
	struct channel channel;
	void *memory;    /* the mapping; NULL: not open */
	uint64_t mapped; /* bytes */
	cap_t object;    /* of the memory */
	cap_t event;     /* the server's */
	uint64_t event_bits;
	uint32_t taken;        /* bytes taken out but not yet published */
	uint32_t errors_taken; /* of channel's error_count */
	/* The object that the channel belongs to, borrowed from the channel's owner, and the test
	 * whether its server still runs: done only when it does not. */
	cap_t served;
	/* Of an object that outlives its server: which server it was (cap_test); else 0. */
	uint64_t era;
	struct cap_op test;
	bool common; /* other processes use it too */
};

/* Takes memory and event out of a reply's capabilities (they become CAP_NULL there) and opens the
 * channel in them. CAP_OK or enum cap_error; then everything is released. */
int chan_open(struct chan *c, const struct channel_ref *ref, struct capos_call *reply);
void chan_close(struct chan *c);

static inline uint32_t chan_status(struct chan *c)
{
	return atomic_load_explicit(&c->channel.shared->status, memory_order_acquire);
}
/* The Status of the last error that was not returned before; 0: none. */
uint32_t chan_take_error(struct chan *c);
bool chan_has_error(struct chan *c);
/* The same as chan_gone, asked of the kernel now. */
bool chan_gone_now(struct chan *c);

/* Whether the server has ended; known at the latest when sleeping for the channel has ended. */
static inline bool chan_gone(const struct chan *c)
{
	return c->test.done;
}
/* Whether nothing can come of the channel any more: the server has ended or wrote nonsense. */
static inline bool chan_broken(const struct chan *c)
{
	return chan_gone(c) || c->channel.receive.broken || c->channel.send.broken;
}

/* Bytes moved, 0 when there are none or no space, -EFAULT, or -EINTR.  skip: bytes of iov that are
 * done already. */
ssize_t chan_read(struct chan *c, const struct iovec *iov, int n, size_t skip, bool peek);
ssize_t chan_write(struct chan *c, const struct iovec *iov, int n, size_t skip);
/* Between a queue of a channel and the program's vector, from `offset` on behind what the queue has
 * been used up to; nothing is taken or put before queue_advance. */
ssize_t chan_copy_out(struct queue *q, uint32_t offset, const struct iovec *iov, int n,
                      size_t skip);
ssize_t chan_copy_in(struct queue *q, uint32_t offset, const struct iovec *iov, int n, size_t skip);
/*
 * Around queue operations of one's own.  A channel that is common to processes made by fork is
 * theirs one at a time, and its queues' own indices are read back from the shared memory; for
 * others both are nothing.  begin: 0, or -EINTR (as shared_lock), then there is no end.
 */
__attribute__((warn_unused_result)) int chan_begin(struct chan *c);
void chan_end(struct chan *c);
/* Before merely looking at how much there is. */
void chan_look(struct chan *c);

/* Puts into `to`, of the next server, what the server of `from` had not taken when it ended. */
void chan_resend(struct chan *to, struct chan *from);

/* For fork and exec. */
void chan_make_common(struct chan *c);
struct chan_state { /* of 8 bytes each: travels as words */
	uint64_t object, event, event_bits, errors_taken, common, era, size;
};
struct chan_state chan_save(struct chan *c);
int chan_restore(struct chan *c, const struct chan_state *state); /* CAP_OK or enum cap_error */

/* After queue operations of one's own. */
void chan_taken(struct chan *c, uint32_t bytes);
void chan_put(struct chan *c);

/* Asks to be woken for data, for space, for a change of status; the caller looks again
 * afterwards. */
void chan_arm_read(struct chan *c);
void chan_arm_write(struct chan *c);
void chan_arm_status(struct chan *c);

#endif
