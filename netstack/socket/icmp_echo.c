/* SPDX-License-Identifier: MIT */
/*
 * ICMP sockets: echo requests of programs.  What arrives is delivered to the ICMP sockets of the
 * account that it is about: a reply by the identifier of a request that one of them sent, an error
 * by what it quotes.  So a program sees the answers to what it sent, through any of its sockets (as
 * traceroute needs), and nothing of other programs.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "netstack/socket/datagram_queue.h"
#include "netstack/socket/icmp_echo.h"

#include "lwip/ip4.h"
#include "lwip/pbuf.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

#define IDENTIFIERS (sizeof(((struct datagram_socket *)0)->identifiers) / sizeof(uint16_t))

static bool sent_identifier(const struct socket *s, uint16_t identifier)
{
	unsigned n =
	        s->datagram.nidentifiers < IDENTIFIERS ? s->datagram.nidentifiers : IDENTIFIERS;

	for (unsigned i = 0; i < n; i++)
		if (s->datagram.identifiers[i] == identifier)
			return true;
	return false;
}

int icmp_send_one(struct socket *s, const struct channel_datagram *header, const void *bytes)
{
	struct datagram_socket *d = &s->datagram;
	const uint8_t *message = bytes;
	struct endpoint to;
	ip_addr_t address;
	struct pbuf *p;
	int status = datagram_destination(s, header, &to);

	if (!status &&
	    (header->length < ICMP_HEADER || message[0] != ICMP_REQUEST || message[1] != 0))
		status = STATUS_ACCESS_DENIED;
	if (status)
		return status;
	address = to.address;
	p = pbuf_alloc_reference((void *)(uintptr_t)bytes, header->length, PBUF_REF);
	if (!p)
		return STATUS_NO_BUFFERS;
	if (!sent_identifier(s, icmp_read16(message + 4)))
		d->identifiers[d->nidentifiers++ % IDENTIFIERS] = icmp_read16(message + 4);
	status = datagram_status(raw_sendto(d->raw, p, &address));
	pbuf_free(p);
	return status;
}

/* ---- Delivery ---- */

/* The accounts whose sockets a packet is about: each program's, and netstack's own. */
#define ACCOUNTS_MAX 64u
struct accounts {
	const struct policy *of[ACCOUNTS_MAX];
	unsigned n;
};

static bool has_account(const struct accounts *accounts, const struct socket *s)
{
	const struct policy *account = policy_account(s->policy);

	for (unsigned i = 0; i < accounts->n; i++)
		if (accounts->of[i] == account)
			return true;
	return false;
}

static void add_account(struct accounts *accounts, const struct socket *s)
{
	if (accounts->n < ACCOUNTS_MAX && !has_account(accounts, s))
		accounts->of[accounts->n++] = policy_account(s->policy);
}

/* Delivers the IP packet that lwIP is looking at; from_peer: to connected sockets only if it comes
 * from their peer. */
static void deliver(const struct pbuf *p, const struct accounts *accounts, bool from_peer)
{
	struct channel_datagram header = {.address_length = 4};
	struct socket *s;

	header.time_to_live = IPH_TTL(ip4_current_header());
	memcpy(header.address, &ip_current_src_addr()->addr, 4);
	for (unsigned i = 0; accounts->n && (s = socket_next(&i));) {
		if (s->kind != SOCKET_ICMP || !has_account(accounts, s))
			continue;
		if (from_peer && s->datagram.connected &&
		    memcmp(&s->peer.address, header.address, 4) != 0)
			continue;
		datagram_deliver(s, &header, p);
	}
}

void icmp_echo_deliver(const struct pbuf *p, uint16_t identifier, bool from_peer)
{
	struct accounts accounts = {.n = 0};
	struct socket *s;

	for (unsigned i = 0; (s = socket_next(&i));)
		if (s->kind == SOCKET_ICMP && sent_identifier(s, identifier))
			add_account(&accounts, s);
	deliver(p, &accounts, from_peer);
}

static bool sends_from(const struct socket *s, enum socket_kind kind, uint16_t port)
{
	if (s->kind != kind)
		return false;
	return kind == SOCKET_UDP ? s->datagram.udp->local_port == port : s->local.port == port;
}

void icmp_error_deliver(const struct pbuf *p, enum socket_kind kind, uint16_t local_port)
{
	struct accounts accounts = {.n = 0};
	struct socket *s;

	for (unsigned i = 0; (s = socket_next(&i));)
		if (sends_from(s, kind, local_port))
			add_account(&accounts, s);
	deliver(p, &accounts, false);
}
