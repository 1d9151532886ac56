/* SPDX-License-Identifier: MIT */
/*
 * The table of options.  A value in s->options is always in its option's range.
 */
#include <stddef.h>

#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/socket/socket_option.h"

#define KEEP_SECONDS_MAX 32767
#define KEEP_COUNT_MAX   127

#define TCP      (1u << SOCKET_TCP)
#define DATAGRAM (1u << SOCKET_UDP | 1u << SOCKET_ICMP)

struct option {
	size_t field; /* offset in struct socket_options, of an int32_t */
	unsigned kinds;
	int32_t least, most;
};

#define FIELD(name) offsetof(struct socket_options, name)

/* Flags have the range 0 to 1, and any other value means 1. */
static const struct option options[] = {
        [SOCKET_OPTION_REUSE_ADDRESS] = {FIELD(reuse_address), TCP | DATAGRAM, 0, 1},
        [SOCKET_OPTION_KEEP_ALIVE] = {FIELD(keep_alive), TCP, 0, 1},
        [SOCKET_OPTION_NO_DELAY] = {FIELD(no_delay), TCP, 0, 1},
        [SOCKET_OPTION_LINGER] = {FIELD(linger), TCP, -1, INT32_MAX},
        /* Of TCP from the next connection on; datagram queues keep their size. */
        [SOCKET_OPTION_RECEIVE_BUFFER] = {FIELD(receive_buffer), TCP | DATAGRAM, 1, INT32_MAX},
        [SOCKET_OPTION_SEND_BUFFER] = {FIELD(send_buffer), TCP | DATAGRAM, 1, INT32_MAX},
        [SOCKET_OPTION_BROADCAST] = {FIELD(broadcast), TCP | DATAGRAM, 0, 1},
        [SOCKET_OPTION_TIME_TO_LIVE] = {FIELD(time_to_live), TCP | DATAGRAM, 1, 255},
        [SOCKET_OPTION_TYPE_OF_SERVICE] = {FIELD(type_of_service), TCP | DATAGRAM, 0, 255},
        [SOCKET_OPTION_KEEP_IDLE] = {FIELD(keep_idle), TCP, 1, KEEP_SECONDS_MAX},
        [SOCKET_OPTION_KEEP_INTERVAL] = {FIELD(keep_interval), TCP, 1, KEEP_SECONDS_MAX},
        [SOCKET_OPTION_KEEP_COUNT] = {FIELD(keep_count), TCP, 1, KEEP_COUNT_MAX},
        [SOCKET_OPTION_MULTICAST_TIME_TO_LIVE] = {FIELD(multicast_time_to_live), DATAGRAM, 0, 255},
};

static const struct option *find(const struct socket *s, uint16_t option)
{
	if (option >= sizeof(options) / sizeof(options[0]) ||
	    !(options[option].kinds & 1u << s->kind))
		return NULL;
	return &options[option];
}

int socket_set_option(struct socket *s, uint16_t option, int32_t value)
{
	const struct option *o = find(s, option);

	if (!o)
		return STATUS_NOT_SUPPORTED;
	if (o->most == 1)
		value = value != 0;
	if (option == SOCKET_OPTION_LINGER && value < 0)
		value = -1;
	if (value < o->least || value > o->most)
		return STATUS_INVALID_ARGUMENT;
	*(int32_t *)((uint8_t *)&s->options + o->field) = value;
	return STATUS_OK;
}

/* A buffer's size: of datagrams the queue's, of TCP at most as large. */
static int32_t buffer_size(const struct socket *s, int32_t asked, const struct queue *q)
{
	if (s->kind == SOCKET_TCP && asked && (uint32_t)asked < q->capacity)
		return asked;
	return (int32_t)q->capacity;
}

int socket_get_option(const struct socket *s, uint16_t option, int32_t *value)
{
	const struct option *o = find(s, option);

	if (!o)
		return STATUS_NOT_SUPPORTED;
	*value = *(const int32_t *)((const uint8_t *)&s->options + o->field);
	if (option == SOCKET_OPTION_RECEIVE_BUFFER)
		*value = buffer_size(s, *value, &s->channel.receive);
	if (option == SOCKET_OPTION_SEND_BUFFER)
		*value = buffer_size(s, *value, &s->channel.send);
	return STATUS_OK;
}
