/* SPDX-License-Identifier: MIT */
/*
 * TCP sockets: how they get bound and connected.  Nothing leaves for the wire before the
 * policy has allowed it.
 *
 * A connect goes through: policy (which may have to look a name up), network (which may have to
 * wait for an address), SYN; with several addresses, one after the other.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "netstack/lwip/neighbour.h"
#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/random.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/resolver.h"
#include "netstack/socket/tcp_open.h"
#include "netstack/socket/tcp_stream.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define PORT_TRIES 128u
/* A neighbour that did not answer for so long does not exist; as long as Linux waits. */
#define NEIGHBOUR_NS (3 * SECOND_NS)

static void connect_step(struct socket *s);

/* ---- Binding ---- */

static int ensure_pcb(struct socket *s)
{
	struct tcp_pcb *pcb;

	if (s->tcp.pcb)
		return STATUS_OK;
	pcb = tcp_new();
	if (!pcb)
		return STATUS_NO_BUFFERS;
	tcp_stream_adopt(s, pcb);
	return STATUS_OK;
}

static int bind_to(struct socket *s, struct endpoint to)
{
	ip_addr_t address = to.address;
	unsigned tries = to.port ? 1 : PORT_TRIES;

	while (tries--) {
		uint16_t port = to.port ? to.port : next_port(s->peer.address.addr, s->peer.port);

		if (tcp_bind(s->tcp.pcb, &address, port) == ERR_OK) {
			s->local = (struct endpoint){to.address, port};
			return STATUS_OK;
		}
	}
	return STATUS_ADDRESS_IN_USE;
}

int tcp_socket_bind_any(struct socket *s)
{
	int status = ensure_pcb(s);

	if (!status && s->local.port == 0)
		status = bind_to(s, (struct endpoint){0});
	return status;
}

int tcp_socket_bind(struct socket *s, struct endpoint to)
{
	int status;

	if (s->tcp.phase != TCP_IDLE || s->local.port)
		return STATUS_INVALID_ARGUMENT;
	if (!policy_bind(s->policy, to.port))
		return STATUS_ACCESS_DENIED;
	if (!stack_is_local(to.address))
		return STATUS_ADDRESS_NOT_AVAILABLE;
	status = ensure_pcb(s);
	return status ? status : bind_to(s, to);
}

/* ---- Connecting ---- */

static void drop_pcb(struct socket *s)
{
	struct tcp_pcb *pcb = s->tcp.pcb;

	if (!pcb)
		return;
	tcp_stream_disown(pcb);
	s->tcp.pcb = NULL;
	tcp_close(pcb); /* SYN sent or less: freed without a segment */
}

static void connect_ended(struct socket *s, int status)
{
	struct tcp_socket *t = &s->tcp;

	t->connect_status = status;
	if (status) {
		drop_pcb(s);
		t->phase = TCP_IDLE;
		s->local = s->peer = (struct endpoint){0};
		socket_set_error(s, status);
		socket_set_status(s, 0, CHANNEL_CONNECTING);
	}
	socket_mark(s);
}

void tcp_socket_end_connect(struct socket *s, int status)
{
	resolver_cancel(s);
	connect_ended(s, status);
}

/* The attempt under way has failed (pcb is gone or unused): the next address, or the end. */
static void connect_failed(struct socket *s, int status)
{
	struct tcp_socket *t = &s->tcp;

	if (s->closed || t->candidate + 1 >= t->ncandidates) {
		connect_ended(s, status);
		return;
	}
	drop_pcb(s);
	t->candidate++;
	t->asked = 0;
	connect_step(s);
}

/* lwIP: the peer has answered our SYN. */
static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
	struct socket *s = arg;

	(void)pcb, (void)error;
	tcp_stream_established(s);
	connect_ended(s, STATUS_OK);
	return ERR_OK;
}

/* lwIP: the attempt has failed and its control block is gone. */
static void on_connect_error(void *arg, err_t error)
{
	struct socket *s = arg;

	s->tcp.pcb = NULL;
	connect_failed(s, error == ERR_RST ? STATUS_CONNECTION_REFUSED : STATUS_TIMED_OUT);
}

/* lwIP, each half second until the peer has answered. */
static err_t on_connect_poll(void *arg, struct tcp_pcb *pcb)
{
	struct socket *s = arg;

	/* RFC 6298: each SYN waits twice as long as the last one, which lwIP leaves out. */
	pcb->rto = (s16_t)((LWIP_TCP_RTO_TIME << pcb->nrtx) / TCP_SLOW_INTERVAL);
	if (platform_now() - s->tcp.started >= NEIGHBOUR_NS && !neighbour_known(s->peer.address)) {
		/* Freed here, which only a callback that returns ERR_ABRT may do. */
		tcp_stream_disown(pcb);
		s->tcp.pcb = NULL;
		tcp_abort(pcb);
		connect_failed(s, STATUS_HOST_UNREACHABLE);
		return ERR_ABRT;
	}
	socket_mark(s);
	return ERR_OK;
}

static int send_syn(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;
	ip_addr_t address = s->peer.address;
	bool bound = s->local.port != 0;
	int status = ensure_pcb(s);

	if (!status && t->pcb->local_port == 0)
		status = bind_to(s, bound ? s->local : (struct endpoint){0});
	if (status)
		return status;
	t->phase = TCP_CONNECTING;
	t->started = platform_now();
	tcp_err(t->pcb, on_connect_error);
	tcp_poll(t->pcb, on_connect_poll, 1);
	switch (tcp_connect(t->pcb, &address, s->peer.port, on_connected)) {
	case ERR_OK:
		s->local = (struct endpoint){*ip_2_ip4(&t->pcb->local_ip), t->pcb->local_port};
		return STATUS_OK;
	case ERR_RTE:
		return STATUS_NETWORK_UNREACHABLE;
	case ERR_USE:
		return STATUS_ADDRESS_NOT_AVAILABLE;
	default:
		return STATUS_NO_BUFFERS;
	}
}

/* The resolver, about a name that a grant of the policy has (which learned its addresses before
 * this). */
static void name_found(void *context, int status, const struct dns_answer *answer)
{
	struct socket *s = context;

	(void)status, (void)answer; /* not found: no address of it, and the policy denies */
	s->tcp.looking_up = false;
	if (s->tcp.phase == TCP_RESOLVING)
		socket_mark(s);
	tcp_socket_network_changed(s);
}

/* True when allowed; otherwise the connect has failed, or a name is being looked up. */
static bool allowed(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;
	const char *name;
	int status;

	if (t->looking_up)
		return false;
	switch (policy_connect(s->policy, ip4_addr_get_u32(&s->peer.address), s->peer.port,
	                       &t->asked, &name)) {
	case POLICY_ALLOW:
		return true;
	case POLICY_DENY:
		connect_failed(s, STATUS_ACCESS_DENIED);
		return false;
	case POLICY_ASK:
		break;
	}
	t->looking_up = true;
	status = resolver_lookup(name, strlen(name), name_found, s);
	if (status) {
		t->looking_up = false;
		connect_failed(s, STATUS_NO_BUFFERS);
	}
	return false;
}

/* RFC 1122, 4.2.3.10: never to a broadcast or multicast address. */
static bool reachable_address(ip4_addr_t a)
{
	const struct netif *netif = nic_netif();

	return !ip4_addr_ismulticast(&a) && a.addr != IPADDR_BROADCAST &&
	       !(netif && ip4_addr_isbroadcast(&a, netif));
}

static void connect_step(struct socket *s)
{
	struct tcp_socket *t = &s->tcp;
	int status;

	t->phase = TCP_RESOLVING;
	s->peer.address.addr = t->candidates[t->candidate];
	if (!allowed(s))
		return;
	if (!address_is_loopback(s->peer.address) && stack_state() == STACK_WAITING)
		return; /* until tcp_socket_network_changed() or tcp_socket_timeout() */
	if (!reachable_address(s->peer.address)) {
		connect_failed(s, STATUS_NETWORK_UNREACHABLE);
		return;
	}
	status = send_syn(s);
	if (status)
		connect_failed(s, status);
}

static int may_connect(const struct socket *s)
{
	switch (s->tcp.phase) {
	case TCP_IDLE:
		return STATUS_OK;
	case TCP_RESOLVING:
	case TCP_CONNECTING:
		return STATUS_IN_PROGRESS;
	case TCP_LISTENING:
		return STATUS_INVALID_ARGUMENT;
	default:
		return STATUS_ALREADY_CONNECTED;
	}
}

static void connect_begins(struct socket *s, uint16_t port)
{
	struct tcp_socket *t = &s->tcp;

	t->connect_status = TCP_PENDING;
	t->phase = TCP_RESOLVING;
	t->candidate = t->asked = 0;
	t->deadline = platform_now() + STACK_WAIT_NS;
	s->peer.port = port;
	socket_set_status(s, CHANNEL_CONNECTING, 0);
}

int tcp_socket_connect(struct socket *s, const uint32_t *addresses, unsigned count, uint16_t port)
{
	struct tcp_socket *t = &s->tcp;
	int status = may_connect(s);

	if (status)
		return status;
	memcpy(t->candidates, addresses, count * sizeof(addresses[0]));
	t->ncandidates = count;
	connect_begins(s, port);
	connect_step(s);
	return STATUS_OK;
}

/* The resolver, about the host to connect to. */
static void host_found(void *context, int status, const struct dns_answer *answer)
{
	struct socket *s = context;
	struct tcp_socket *t = &s->tcp;

	t->looking_up = false;
	if (status) {
		connect_ended(s, status);
		return;
	}
	t->ncandidates = answer->count;
	memcpy(t->candidates, answer->addresses, answer->count * sizeof(answer->addresses[0]));
	connect_step(s);
}

int tcp_socket_connect_name(struct socket *s, const char *host, uint16_t port)
{
	ip4_addr_t numeric;
	int status = may_connect(s);

	if (status)
		return status;
	if (ip4addr_aton(host, &numeric))
		return tcp_socket_connect(s, &numeric.addr, 1, port);
	if (!policy_may_look_up(s->policy, host, port))
		return STATUS_ACCESS_DENIED;
	s->tcp.ncandidates = 0;
	connect_begins(s, port);
	s->tcp.looking_up = true;
	status = resolver_lookup(host, strlen(host), host_found, s);
	if (status)
		connect_ended(s, status);
	return STATUS_OK;
}

void tcp_socket_network_changed(struct socket *s)
{
	if (s->kind == SOCKET_TCP && s->tcp.phase == TCP_RESOLVING && !s->tcp.looking_up)
		connect_step(s);
}

uint64_t tcp_socket_deadline(const struct socket *s)
{
	return s->tcp.phase == TCP_RESOLVING && !s->tcp.looking_up ? s->tcp.deadline : UINT64_MAX;
}

void tcp_socket_timeout(struct socket *s)
{
	connect_ended(s, STATUS_NETWORK_DOWN);
}

void tcp_socket_icmp_error(uint16_t local_port, struct endpoint peer, uint32_t sequence, int status)
{
	struct socket *s;

	for (unsigned i = 0; (s = socket_next(&i));) {
		struct tcp_pcb *pcb;

		if (s->kind != SOCKET_TCP || s->tcp.phase != TCP_CONNECTING || !s->tcp.pcb)
			continue;
		pcb = s->tcp.pcb;
		if (pcb->local_port != local_port || s->peer.port != peer.port ||
		    !ip4_addr_eq(&s->peer.address, &peer.address) || sequence != pcb->lastack)
			continue;
		drop_pcb(s);
		connect_failed(s, status);
		return;
	}
}
