/* SPDX-License-Identifier: MIT */
/*
 * The table of sockets, their memory, and the list of those with work to do.  A slot is used from
 * socket_create() to socket_destroy(); `closed` ones have no object any more but finish sending.
 */
#include <string.h>

#include <capos/abi.h>
#include <capos/schema/status.h>

#include "netstack/lwip/neighbour.h"
#include "netstack/lwip/platform.h"
#include "netstack/socket/socket.h"

/* Queue sizes of a session's first sockets, and when they have LARGE_UP_TO bytes already (or memory
 * is short): the memory is all there from the start, used or not.  A datagram's record fits the
 * queue whole: that of 65507 bytes takes 64 KiB. */
#define LARGE_UP_TO       (8u << 20) /* some twenty fast connections */
#define TCP_RECEIVE_LARGE (256u << 10)
#define TCP_SEND_LARGE    (128u << 10)
#define TCP_RECEIVE_SMALL (64u << 10) /* no less: it is the window that every SYN announces */
#define TCP_SEND_SMALL    (32u << 10)
#define UDP_RECEIVE_LARGE (128u << 10)
#define DATAGRAM_QUEUE    (64u << 10)

#define BIT_CLASSES (64u - SOCKET_BITS_FIRST)
#define DEFAULT_TTL 64u

static struct socket *sockets;
static unsigned sockets_most; /* slots */
static unsigned nsockets;     /* slots ever used: the others' memory is never touched */
static struct socket *first_marked, *last_marked;
static struct socket *to_flush[SOCKETS_MAX];
static unsigned nto_flush;
static uint64_t budget = UINT64_MAX, charged;
static void (*on_progress)(struct socket *s);

int socket_start(unsigned most)
{
	uint64_t handle, size = (most * sizeof(struct socket) + 4095) & ~4095ull;

	sockets = platform_memory_create(0, size, &handle);
	if (!sockets)
		return STATUS_NO_MEMORY;
	memset(sockets, 0, size);
	sockets_most = most;
	nsockets = 0;
	return STATUS_OK;
}

void socket_set_budget(uint64_t bytes)
{
	budget = bytes;
}

/* ---- Table ---- */

static uint32_t receive_size(const struct socket *s, bool large)
{
	switch (s->kind) {
	case SOCKET_TCP:
		return large ? TCP_RECEIVE_LARGE : TCP_RECEIVE_SMALL;
	case SOCKET_UDP:
		return large ? UDP_RECEIVE_LARGE : DATAGRAM_QUEUE;
	default:
		return DATAGRAM_QUEUE;
	}
}

static uint32_t send_size(const struct socket *s, bool large)
{
	if (s->kind != SOCKET_TCP)
		return DATAGRAM_QUEUE;
	return large ? TCP_SEND_LARGE : TCP_SEND_SMALL;
}

static int make_channel(struct socket *s, bool large)
{
	uint64_t account = policy_memory_account(s->policy);
	uint32_t receive = receive_size(s, large), send = send_size(s, large);
	uint64_t size = CHANNEL_MEMORY_SIZE(receive, send);
	void *memory;

	if (!account && size > budget - charged)
		return STATUS_NO_BUFFERS;
	memory = platform_memory_create(account, size, &s->memory_handle);
	if (!memory)
		return STATUS_NO_MEMORY;
	s->unaccounted = !account;
	if (s->unaccounted)
		charged += size;
	policy_count_memory(s->policy, (int64_t)size);
	channel_create(&s->channel, memory, receive, send);
	(void)channel_set_status(&s->channel, s->status, 0);
	if (s->error)
		(void)channel_set_error(&s->channel, (uint32_t)s->error);
	return STATUS_OK;
}

int socket_make_channel(struct socket *s)
{
	bool large = policy_memory(s->policy) < LARGE_UP_TO;
	int status = make_channel(s, large);

	return status && large ? make_channel(s, false) : status;
}

static void free_channel(struct socket *s)
{
	uint64_t size = s->channel.memory_size;

	if (!socket_has_channel(s))
		return;
	platform_memory_destroy(s->channel.shared, size, s->memory_handle);
	policy_count_memory(s->policy, -(int64_t)size);
	if (s->unaccounted)
		charged -= size;
}

static int take_slot(enum socket_kind kind, struct policy *policy, struct socket **out)
{
	struct socket *s = sockets;

	while (s < sockets + sockets_most && s->kind != SOCKET_FREE)
		s++;
	if (s == sockets + sockets_most || !policy_charge(policy))
		return STATUS_NO_BUFFERS;
	if (s >= sockets + nsockets)
		nsockets = (unsigned)(s - sockets) + 1;
	*s = (struct socket){.kind = kind,
	                     .generation = (s->generation + 1) & SOCKET_GENERATION_MAX};
	s->options = (struct socket_options){.linger = -1,
	                                     .time_to_live = DEFAULT_TTL,
	                                     .multicast_time_to_live = 1,
	                                     .keep_idle = 7200,
	                                     .keep_interval = 75,
	                                     .keep_count = 9};
	s->policy = policy_get(policy);
	*out = s;
	return STATUS_OK;
}

int socket_create_waiting(struct policy *policy, struct socket **out)
{
	return take_slot(SOCKET_TCP, policy, out);
}

int socket_create(enum socket_kind kind, struct policy *policy, struct socket **out)
{
	struct socket *s;
	int status = take_slot(kind, policy, &s);

	if (status)
		return status;
	status = socket_make_channel(s);
	if (status)
		socket_destroy(s);
	else
		*out = s;
	return status;
}

static void forget_work(struct socket *s)
{
	struct socket **link = &first_marked, *before = NULL;

	for (; *link; before = *link, link = &(*link)->next_marked) {
		if (*link != s)
			continue;
		*link = s->next_marked;
		if (last_marked == s)
			last_marked = before;
		break;
	}
	for (unsigned i = 0; i < nto_flush; i++) {
		if (to_flush[i] != s)
			continue;
		to_flush[i] = to_flush[--nto_flush];
		break;
	}
}

void socket_destroy(struct socket *s)
{
	forget_work(s);
	free_channel(s);
	if (s->wake_event)
		platform_release(s->wake_event);
	policy_discharge(s->policy);
	policy_put(s->policy);
	s->kind = SOCKET_FREE;
}

uint64_t socket_word(const struct socket *s)
{
	return (uint64_t)s->generation << 32 | (uint64_t)(s - sockets) << SOCKET_WORD_SHIFT;
}

struct socket *socket_of_word(uint64_t word)
{
	uint64_t slot = (word & UINT32_MAX) >> SOCKET_WORD_SHIFT;
	struct socket *s = &sockets[slot];

	if (slot >= sockets_most || s->kind == SOCKET_FREE || s->closed ||
	    s->generation != word >> 32)
		return NULL;
	return s;
}

struct socket *socket_next(unsigned *index)
{
	while (*index < nsockets) {
		struct socket *s = &sockets[(*index)++];

		if (s->kind != SOCKET_FREE)
			return s;
	}
	return NULL;
}

void socket_set_wake(struct socket *s, uint64_t event, uint64_t bits)
{
	s->wake_event = event;
	s->wake_bits = bits;
}

static unsigned bit_class(const struct socket *s)
{
	return (unsigned)(s - sockets) % BIT_CLASSES;
}

uint64_t socket_bits(const struct socket *s)
{
	return 1ull << (SOCKET_BITS_FIRST + bit_class(s));
}

void socket_woken(uint64_t bits)
{
	for (bits >>= SOCKET_BITS_FIRST; bits; bits &= bits - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(bits);

		for (; slot < nsockets; slot += BIT_CLASSES)
			if (sockets[slot].kind != SOCKET_FREE)
				socket_mark(&sockets[slot]);
	}
}

/* ---- Work ---- */

void socket_mark(struct socket *s)
{
	if (s->marked)
		return;
	s->marked = true;
	s->next_marked = NULL;
	if (first_marked)
		last_marked->next_marked = s;
	else
		first_marked = s;
	last_marked = s;
}

struct socket *socket_take_marked(void)
{
	struct socket *s = first_marked;

	if (!s)
		return NULL;
	first_marked = s->next_marked;
	s->marked = false;
	if (!s->flushing)
		to_flush[nto_flush++] = s;
	s->flushing = true;
	return s;
}

bool socket_any_marked(void)
{
	return first_marked;
}

void socket_publish(struct socket *s)
{
	if (s->publish_receive)
		s->wake |= queue_publish_put(&s->channel.receive);
	if (s->publish_send)
		s->wake |= queue_publish_take(&s->channel.send);
	s->publish_receive = s->publish_send = false;
}

void socket_flush(void)
{
	for (unsigned i = 0; i < nto_flush; i++) {
		struct socket *s = to_flush[i];

		socket_publish(s);
		if (s->wake && s->wake_event)
			platform_signal(s->wake_event, s->wake_bits);
		s->wake = s->flushing = false;
	}
	nto_flush = 0;
}

void socket_set_status(struct socket *s, uint32_t set, uint32_t clear)
{
	uint32_t status = (s->status & ~clear) | set;

	if (status == s->status) /* by our own record: the program may write into the shared one */
		return;
	s->status = status;
	if (socket_has_channel(s))
		s->wake |= channel_set_status(&s->channel, set, clear);
	socket_mark(s);
}

void socket_set_error(struct socket *s, int status)
{
	if (socket_has_channel(s))
		s->wake |= channel_set_error(&s->channel, (uint32_t)status);
	else
		s->error = status;
	socket_mark(s);
}

void socket_on_progress(void (*progress)(struct socket *s))
{
	on_progress = progress;
}

bool socket_waits(const struct socket *s)
{
	for (int i = 0; i < WAIT_COUNT; i++)
		if (s->calls[i].waiting)
			return true;
	return false;
}

void socket_progress(struct socket *s)
{
	if (on_progress && socket_waits(s))
		on_progress(s);
}

void socket_sends(const struct socket *s)
{
	neighbour_set_sender(s ? policy_account(s->policy) : NULL);
}
