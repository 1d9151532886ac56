/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets: options.  s->options has the program's values; they are copied to lwIP's control
 * block whenever the socket has one.
 */
#include <capos/schema/network.h>
#include <capos/schema/status.h>

#include "netstack/socket/socket_option.h"
#include "netstack/socket/tcp_options.h"

#include "lwip/tcp.h"

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
	pcb->ttl = (u8_t)o->time_to_live;
	pcb->tos = (u8_t)o->type_of_service;
	if (s->tcp.phase == TCP_LISTENING)
		return;
	if (o->no_delay)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	pcb->keep_idle = (u32_t)o->keep_idle * 1000u;
	pcb->keep_intvl = (u32_t)o->keep_interval * 1000u;
	pcb->keep_cnt = (u32_t)o->keep_count;
}

int tcp_socket_set_option(struct socket *s, uint16_t option, int32_t value)
{
	int status = socket_set_option(s, option, value);

	if (status)
		return status;
	tcp_options_apply(s);
	if (option == SOCKET_OPTION_NO_DELAY)
		socket_mark(s);
	return STATUS_OK;
}
