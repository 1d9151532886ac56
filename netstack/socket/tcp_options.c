/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets: options.  s->options has the program's values; they are copied to lwIP's control
 * block whenever the socket has one.
 */
#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/socket/tcp_options.h"

#include "lwip/tcp.h"

#define KEEP_SECONDS_MAX 32767
#define KEEP_COUNT_MAX   127

void tcp_options_apply(struct socket *s)
{
	const struct socket_options *o = &s->options;
	struct tcp_pcb *pcb = s->tcp.pcb;

	if (!pcb)
		return;
	/* These a listening control block has too, and its connections inherit. */
	if (o->reuse_address)
		ip_set_option(pcb, SOF_REUSEADDR);
	else
		ip_reset_option(pcb, SOF_REUSEADDR);
	if (o->keep_alive)
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	pcb->ttl = o->time_to_live;
	pcb->tos = o->type_of_service;
	if (s->tcp.phase == TCP_LISTENING)
		return;
	if (o->no_delay)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	pcb->keep_idle = o->keep_idle * 1000u;
	pcb->keep_intvl = o->keep_interval * 1000u;
	pcb->keep_cnt = o->keep_count;
}

static int in_range(int32_t value, int32_t least, int32_t most)
{
	return value < least || value > most ? STATUS_INVALID_ARGUMENT : STATUS_OK;
}

int tcp_socket_set_option(struct socket *s, uint16_t option, int32_t value)
{
	struct socket_options *o = &s->options;
	int status = STATUS_OK;

	switch (option) {
	case SOCKET_OPTION_REUSE_ADDRESS:
		o->reuse_address = value != 0;
		break;
	case SOCKET_OPTION_KEEP_ALIVE:
		o->keep_alive = value != 0;
		break;
	case SOCKET_OPTION_NO_DELAY:
		o->no_delay = value != 0;
		socket_mark(s);
		break;
	case SOCKET_OPTION_LINGER:
		o->linger = value < 0 ? -1 : value;
		break;
	case SOCKET_OPTION_RECEIVE_BUFFER: /* from the next connection on */
		status = in_range(value, 1, INT32_MAX);
		if (!status)
			o->receive_buffer = value;
		break;
	case SOCKET_OPTION_SEND_BUFFER:
		status = in_range(value, 1, INT32_MAX);
		if (!status)
			o->send_buffer = value;
		break;
	case SOCKET_OPTION_BROADCAST:
		o->broadcast = value != 0;
		break;
	case SOCKET_OPTION_TIME_TO_LIVE:
		status = in_range(value, 1, 255);
		if (!status)
			o->time_to_live = (uint8_t)value;
		break;
	case SOCKET_OPTION_TYPE_OF_SERVICE:
		status = in_range(value, 0, 255);
		if (!status)
			o->type_of_service = (uint8_t)value;
		break;
	case SOCKET_OPTION_KEEP_IDLE:
		status = in_range(value, 1, KEEP_SECONDS_MAX);
		if (!status)
			o->keep_idle = (uint16_t)value;
		break;
	case SOCKET_OPTION_KEEP_INTERVAL:
		status = in_range(value, 1, KEEP_SECONDS_MAX);
		if (!status)
			o->keep_interval = (uint16_t)value;
		break;
	case SOCKET_OPTION_KEEP_COUNT:
		status = in_range(value, 1, KEEP_COUNT_MAX);
		if (!status)
			o->keep_count = (uint8_t)value;
		break;
	default:
		return STATUS_NOT_SUPPORTED;
	}
	if (!status)
		tcp_options_apply(s);
	return status;
}

static int32_t size_or(int32_t asked, uint32_t queue)
{
	return asked && (uint32_t)asked < queue ? asked : (int32_t)queue;
}

int tcp_socket_get_option(const struct socket *s, uint16_t option, int32_t *value)
{
	const struct socket_options *o = &s->options;

	switch (option) {
	case SOCKET_OPTION_REUSE_ADDRESS:
		*value = o->reuse_address;
		break;
	case SOCKET_OPTION_KEEP_ALIVE:
		*value = o->keep_alive;
		break;
	case SOCKET_OPTION_NO_DELAY:
		*value = o->no_delay;
		break;
	case SOCKET_OPTION_LINGER:
		*value = o->linger;
		break;
	case SOCKET_OPTION_RECEIVE_BUFFER:
		*value = size_or(o->receive_buffer, s->channel.receive.capacity);
		break;
	case SOCKET_OPTION_SEND_BUFFER:
		*value = size_or(o->send_buffer, s->channel.send.capacity);
		break;
	case SOCKET_OPTION_BROADCAST:
		*value = o->broadcast;
		break;
	case SOCKET_OPTION_TIME_TO_LIVE:
		*value = o->time_to_live;
		break;
	case SOCKET_OPTION_TYPE_OF_SERVICE:
		*value = o->type_of_service;
		break;
	case SOCKET_OPTION_KEEP_IDLE:
		*value = o->keep_idle;
		break;
	case SOCKET_OPTION_KEEP_INTERVAL:
		*value = o->keep_interval;
		break;
	case SOCKET_OPTION_KEEP_COUNT:
		*value = o->keep_count;
		break;
	default:
		return STATUS_NOT_SUPPORTED;
	}
	return STATUS_OK;
}
