/* SPDX-License-Identifier: MIT */
/*
 * Datagram sockets: records out of the send queue into lwIP, and back.  A record is copied out of
 * the shared memory before it is parsed; a datagram that finds no room in the receive queue is
 * dropped, as the network would.
 */
#include <string.h>

#include <capos/abi.h>
#include <capos/schema/status.h>

#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/random.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/datagram_queue.h"
#include "netstack/socket/icmp_echo.h"
#include "netstack/socket/socket_option.h"

#include "lwip/ip4.h"
#include "lwip/pbuf.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

#define PORT_TRIES 128u
/* Datagrams that one socket sends before others have their turn. */
#define BURST 64u
/* Room in the transmit queue for the pieces of the largest datagram. */
#define PIECES_MAX 45u

static uint8_t payload[UDP_PAYLOAD_MAX]; /* of the datagram that is being sent */

/* ---- Receiving ---- */

/* lwIP: a datagram to the socket's port. */
static void on_receive(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *address,
                       u16_t port)
{
	struct channel_datagram header = {.port = port, .address_length = 4};

	(void)pcb;
	header.time_to_live = IPH_TTL(ip4_current_header());
	memcpy(header.address, &address->addr, 4);
	datagram_deliver(arg, &header, p);
	pbuf_free(p);
}

/* ---- Sending ---- */

static int ensure_port(struct socket *s)
{
	struct udp_pcb *pcb = s->datagram.udp;

	for (unsigned tries = PORT_TRIES; !pcb->local_port; tries--) {
		if (!tries)
			return STATUS_NO_BUFFERS;
		(void)udp_bind(pcb, &pcb->local_ip, random_port());
	}
	return STATUS_OK;
}

int udp_send_one(struct socket *s, const struct channel_datagram *header, const void *bytes)
{
	struct udp_pcb *pcb = s->datagram.udp;
	struct endpoint to;
	ip_addr_t address;
	struct pbuf *p;
	int status = datagram_destination(s, header, &to);

	if (!status && !to.port)
		status = STATUS_INVALID_ARGUMENT;
	if (!status && header->length > UDP_PAYLOAD_MAX)
		status = STATUS_MESSAGE_TOO_LONG;
	if (!status)
		status = ensure_port(s);
	if (status)
		return status;
	p = pbuf_alloc_reference((void *)(uintptr_t)bytes, header->length, PBUF_REF);
	if (!p)
		return STATUS_NO_BUFFERS;
	address = to.address;
	status = datagram_status(udp_sendto(pcb, p, &address, to.port));
	pbuf_free(p);
	return status;
}

/* Must this one wait?  Until the host has an address, only loopback works. */
static bool must_hold(struct socket *s, const struct channel_datagram *header)
{
	struct endpoint to;

	if (stack_state() != STACK_WAITING || datagram_destination(s, header, &to) != STATUS_OK ||
	    address_is_loopback(to.address)) {
		s->datagram.hold_until = 0;
		return false;
	}
	if (!s->datagram.hold_until)
		s->datagram.hold_until = platform_now() + STACK_WAIT_NS;
	return s->datagram.hold_until > platform_now();
}

/* Sends one record of the queue.  False: the queue is empty, or the record has to wait. */
static bool send_next(struct socket *s)
{
	struct channel_datagram header;
	int status =
	        channel_take_datagram(&s->channel.send, &header, payload, sizeof(payload), true);

	if (status < 0 || must_hold(s, &header))
		return false;
	if (nic_transmit_short(PIECES_MAX))
		return false; /* until the driver has sent what it has */
	queue_advance(&s->channel.send, CHANNEL_RECORD_SIZE(header.length));
	s->publish_send = true;
	if (stack_state() == STACK_WAITING && s->datagram.hold_until) {
		status = STATUS_NETWORK_DOWN;
		s->datagram.hold_until = 0;
	} else if (s->kind == SOCKET_UDP) {
		status = udp_send_one(s, &header, payload);
	} else {
		status = icmp_send_one(s, &header, payload);
	}
	if (status)
		socket_set_error(s, status);
	return true;
}

void datagram_work(struct socket *s)
{
	struct queue *q = &s->channel.send;
	unsigned sent = 0;

	do {
		while (sent < BURST && send_next(s))
			sent++;
		if (sent == BURST) {
			socket_mark(s);
			break;
		}
		if (s->datagram.hold_until || queue_readable(q))
			break; /* woken by time, by the network, or by the driver */
		queue_want_data(q);
	} while (queue_readable(q)); /* the second look */
	if (q->broken || s->channel.receive.broken)
		socket_set_status(s, CHANNEL_CLOSED | CHANNEL_EOF, 0);
	if (s->by_message)
		socket_publish(s);
	socket_progress(s);
}

uint64_t datagram_deadline(const struct socket *s)
{
	return s->datagram.hold_until ? s->datagram.hold_until : UINT64_MAX;
}

void datagram_icmp_error(uint16_t local_port, struct endpoint peer, int status)
{
	struct socket *s;

	for (unsigned i = 0; (s = socket_next(&i));) {
		if (s->kind == SOCKET_UDP && s->datagram.connected &&
		    s->datagram.udp->local_port == local_port && s->peer.port == peer.port &&
		    ip4_addr_eq(&s->peer.address, &peer.address))
			socket_set_error(s, status);
	}
}

/* ---- Opening, binding ---- */

int datagram_open(struct socket *s)
{
	struct datagram_socket *d = &s->datagram;

	if (s->kind == SOCKET_ICMP) {
		d->raw = raw_new(IP_PROTO_ICMP);
		return d->raw ? STATUS_OK : STATUS_NO_BUFFERS;
	}
	d->udp = udp_new();
	if (!d->udp)
		return STATUS_NO_BUFFERS;
	udp_recv(d->udp, on_receive, s);
	return STATUS_OK;
}

void datagram_close(struct socket *s)
{
	/* What was written before the program closed still goes out. */
	for (unsigned i = 0; i < BURST && send_next(s); i++)
		;
	if (s->datagram.udp)
		udp_remove(s->datagram.udp);
	if (s->datagram.raw)
		raw_remove(s->datagram.raw);
	socket_destroy(s);
}

int datagram_bind(struct socket *s, struct endpoint to)
{
	ip_addr_t address = to.address;

	if (!stack_is_local(to.address))
		return STATUS_ADDRESS_NOT_AVAILABLE;
	if (s->kind == SOCKET_ICMP) {
		raw_bind(s->datagram.raw, &address);
		return STATUS_OK;
	}
	if (s->datagram.udp->local_port)
		return STATUS_INVALID_ARGUMENT;
	ip_addr_set(&s->datagram.udp->local_ip, &address);
	if (!to.port)
		return ensure_port(s);
	return udp_bind(s->datagram.udp, &address, to.port) == ERR_OK ? STATUS_OK
	                                                              : STATUS_ADDRESS_IN_USE;
}

int datagram_connect(struct socket *s, struct endpoint to)
{
	struct datagram_socket *d = &s->datagram;
	ip_addr_t address;
	int status;

	if (ip4_addr_isany_val(to.address) && !to.port) {
		d->connected = false;
		s->peer = to;
		if (d->udp)
			udp_disconnect(d->udp);
		return STATUS_OK;
	}
	if (ip4_addr_isany_val(to.address))
		to.address.addr = PP_HTONL(IPADDR_LOOPBACK);
	address = to.address;
	if (d->udp) {
		status = ensure_port(s);
		if (status)
			return status;
		if (udp_connect(d->udp, &address, to.port) != ERR_OK)
			return STATUS_NETWORK_UNREACHABLE;
	}
	d->connected = true;
	s->peer = to;
	return STATUS_OK;
}

struct endpoint datagram_local(const struct socket *s)
{
	const struct datagram_socket *d = &s->datagram;
	struct endpoint local = {0};

	if (d->udp)
		local = (struct endpoint){*ip_2_ip4(&d->udp->local_ip), d->udp->local_port};
	else
		local.address = *ip_2_ip4(&d->raw->local_ip);
	if (ip4_addr_isany_val(local.address) && d->connected)
		local.address = stack_source_for(s->peer.address);
	return local;
}

/* ---- Options ---- */

/* Of UDP's and raw control blocks, which both begin with those of IP. */
static void apply_option(struct ip_pcb *pcb, u8_t flag, int32_t set)
{
	if (set)
		ip_set_option(pcb, flag);
	else
		ip_reset_option(pcb, flag);
}

static void apply_options(struct socket *s)
{
	const struct socket_options *o = &s->options;
	struct ip_pcb *pcb = s->datagram.raw ? (struct ip_pcb *)s->datagram.raw
	                                     : (struct ip_pcb *)s->datagram.udp;

	pcb->ttl = (u8_t)o->time_to_live;
	pcb->tos = (u8_t)o->type_of_service;
	apply_option(pcb, SOF_BROADCAST, o->broadcast);
	apply_option(pcb, SOF_REUSEADDR, o->reuse_address);
	if (s->datagram.raw)
		raw_set_multicast_ttl(s->datagram.raw, (u8_t)o->multicast_time_to_live);
	else
		udp_set_multicast_ttl(s->datagram.udp, (u8_t)o->multicast_time_to_live);
}

int datagram_set_option(struct socket *s, uint16_t option, int32_t value)
{
	int status = socket_set_option(s, option, value);

	if (!status)
		apply_options(s);
	return status;
}
