/* SPDX-License-Identifier: MIT */
/*
 * Queries under way, the callers that wait for them, and the cache.  A question has a UDP socket
 * of its own, connected to the server it asks, so that an answer from anywhere else never reaches
 * it.  All tables are fixed.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/random.h"
#include "netstack/lwip/stack.h"
#include "netstack/socket/resolver.h"

#include "lwip/pbuf.h"
#include "lwip/udp.h"

#define QUERIES_MAX 32u /* names asked for at once */
#define WAITERS_MAX 128u
#define CACHE_MAX   64u
#define DNS_PORT    53u
#define PORT_TRIES  16u
/* A server that does not answer is asked again, or the next one, after so long. */
static const uint8_t attempt_seconds[] = {1, 1, 2, 2, 4};
#define ATTEMPTS (sizeof(attempt_seconds))
/* Answers are kept for their time to live, in seconds.  Least: one question serves the processes of
 * a pipeline that ask at once.  Most: what changed at the server is seen within the hour. */
#define TTL_LEAST 2u
#define TTL_MOST  3600u

struct query {
	bool used;
	bool asked; /* a question is on the wire */
	char name[DNS_NAME_MAX + 1];
	struct udp_pcb *pcb;
	uint16_t id;
	uint8_t attempt;
	uint8_t server;  /* number of the one that was asked last */
	uint8_t next;    /* whose turn it is then */
	uint8_t refused; /* bit for each server: its port is closed */
	uint64_t deadline;
};

struct waiter {
	resolver_done *done; /* NULL: free */
	void *context;
	struct query *query;
};

struct cached {
	char name[DNS_NAME_MAX + 1]; /* "": free */
	struct dns_answer answer;
	uint64_t expires;
};

static struct query queries[QUERIES_MAX];
static unsigned nqueries; /* used ones */
static struct waiter waiters[WAITERS_MAX];
static struct cached cache[CACHE_MAX];
static void (*on_answer)(const char *name, const struct dns_answer *answer);

void resolver_on_answer(void (*learn)(const char *name, const struct dns_answer *answer))
{
	on_answer = learn;
}

/* ---- Cache ---- */

/* Copies the answer, with the time that is left to it. */
static bool cache_find(const char *name, struct dns_answer *answer)
{
	uint64_t now = platform_now();

	for (struct cached *c = cache; c < cache + CACHE_MAX; c++) {
		if (!c->name[0] || c->expires <= now || strcmp(c->name, name) != 0)
			continue;
		*answer = c->answer;
		answer->ttl = (uint32_t)((c->expires - now) / SECOND_NS);
		return true;
	}
	return false;
}

static void cache_add(const char *name, const struct dns_answer *answer)
{
	struct cached *oldest = cache;
	uint32_t ttl = answer->ttl;

	for (struct cached *c = cache; c < cache + CACHE_MAX; c++) {
		if (strcmp(c->name, name) == 0) {
			oldest = c;
			break;
		}
		if (c->expires < oldest->expires)
			oldest = c;
	}
	ttl = ttl < TTL_LEAST ? TTL_LEAST : ttl > TTL_MOST ? TTL_MOST : ttl;
	memcpy(oldest->name, name, strlen(name) + 1);
	oldest->answer = *answer;
	oldest->expires = platform_now() + ttl * SECOND_NS;
}

/* ---- Questions ---- */

static void close_port(struct query *q)
{
	if (q->pcb)
		udp_remove(q->pcb);
	q->pcb = NULL;
	q->asked = false;
}

static void finish(struct query *q, int status, const struct dns_answer *answer)
{
	struct query
	        finished; /* its address marks the waiters; a callback may start another query */

	close_port(q);
	q->used = false;
	nqueries--;
	if (!status) {
		cache_add(q->name, answer);
		if (on_answer)
			on_answer(q->name, answer);
	}
	for (struct waiter *w = waiters; w < waiters + WAITERS_MAX; w++)
		if (w->done && w->query == q)
			w->query = &finished;
	for (struct waiter *w = waiters; w < waiters + WAITERS_MAX; w++) {
		struct waiter waiter = *w;

		if (!w->done || w->query != &finished)
			continue;
		*w = (struct waiter){0};
		waiter.done(waiter.context, status, status ? NULL : answer);
	}
}

/*
 * A name of the outside never means this machine, nor several: else the owner of a name that a
 * program may connect to could direct it to services that trust local clients (DNS rebinding).
 */
static bool acceptable(ip4_addr_t a)
{
	const struct netif *netif = nic_netif();
	uint32_t net = lwip_ntohl(ip4_addr_get_u32(&a)) >> 24;

	return net != 0 && net != IP_LOOPBACKNET &&
	       net < 224 && /* multicast, reserved, broadcast */
	       !stack_is_local(a) && !(netif && ip4_addr_isbroadcast(&a, netif));
}

/* Leaves out what is not acceptable; STATUS_OK when some are left. */
static int filter(struct dns_answer *answer)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < answer->count; i++)
		if (acceptable((ip4_addr_t){answer->addresses[i]}))
			answer->addresses[kept++] = answer->addresses[i];
	answer->count = kept;
	return kept ? STATUS_OK : STATUS_NO_DATA;
}

/* lwIP: a datagram from the server that was asked. */
static void received(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *address,
                     u16_t port)
{
	static uint8_t message[DNS_RESPONSE_MAX];
	struct query *q = arg;
	struct dns_answer answer;
	enum dns_result result;
	u16_t length;

	(void)pcb, (void)address, (void)port;
	length = pbuf_copy_partial(p, message, sizeof(message), 0);
	pbuf_free(p);
	if (!q->used || !q->asked)
		return;
	result = dns_parse_response(message, length, q->id, q->name, &answer);
	switch (result) {
	case DNS_ANSWERED:
		finish(q, filter(&answer), &answer);
		break;
	case DNS_NO_NAME:
		finish(q, STATUS_NAME_NOT_FOUND, NULL);
		break;
	case DNS_NO_DATA:
		finish(q, STATUS_NO_DATA, NULL);
		break;
	case DNS_FAILED: /* the next server, now */
		q->deadline = platform_now();
		break;
	case DNS_NOT_OURS:
		break;
	}
}

/* A fresh socket on a random port, connected to the server. */
static bool open_port(struct query *q, ip4_addr_t server)
{
	ip_addr_t address = server;

	close_port(q);
	q->pcb = udp_new();
	if (!q->pcb)
		return false;
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint16_t port = random_port();

		if (udp_bind(q->pcb, IP_ANY_TYPE, port) != ERR_OK)
			continue;
		if (udp_connect(q->pcb, &address, DNS_PORT) != ERR_OK)
			break;
		udp_recv(q->pcb, received, q);
		return true;
	}
	close_port(q);
	return false;
}

/* The next server that has not refused, into q->server; false: all have refused. */
static bool next_server(struct query *q, unsigned nservers)
{
	for (unsigned i = 0; i < nservers; i++) {
		unsigned server = (q->next + i) % nservers;

		if (q->refused & 1u << server)
			continue;
		q->server = (uint8_t)server;
		q->next = (uint8_t)(server + 1);
		return true;
	}
	return false;
}

/* Sends the question to the server whose turn it is. */
static void ask(struct query *q)
{
	ip4_addr_t servers[STACK_NAME_SERVERS];
	unsigned nservers = stack_name_servers(servers);
	struct pbuf *p;
	size_t length;

	if (q->attempt == ATTEMPTS || !next_server(q, nservers)) {
		finish(q, STATUS_TRY_AGAIN, NULL);
		return;
	}
	q->deadline = platform_now() + attempt_seconds[q->attempt++] * SECOND_NS;
	if (!open_port(q, servers[q->server]))
		return; /* as if the question was lost */
	q->id = (uint16_t)port_random();
	p = pbuf_alloc(PBUF_TRANSPORT, DNS_QUERY_MAX, PBUF_RAM);
	if (!p)
		return;
	length = dns_build_query(p->payload, DNS_QUERY_MAX, q->id, q->name);
	pbuf_realloc(p, (u16_t)length);
	q->asked = true;
	(void)udp_send(q->pcb, p); /* if it is lost, the deadline repeats it */
	pbuf_free(p);
}

/* Asks, or waits for a network to ask. */
static void start(struct query *q)
{
	switch (stack_state()) {
	case STACK_UP:
		ask(q);
		break;
	case STACK_WAITING:
		q->deadline = platform_now() + STACK_WAIT_NS;
		break;
	case STACK_ALONE:
		finish(q, STATUS_TRY_AGAIN, NULL);
		break;
	}
}

void resolver_run(void)
{
	uint64_t now = nqueries ? platform_now() : 0;

	for (struct query *q = queries; nqueries && q < queries + QUERIES_MAX; q++) {
		if (!q->used)
			continue;
		if (q->attempt == 0 && stack_state() == STACK_UP)
			ask(q);
		else if (q->deadline <= now)
			ask(q); /* fails when no server is known by then */
	}
}

uint64_t resolver_deadline(void)
{
	uint64_t deadline = UINT64_MAX;

	for (struct query *q = queries; nqueries && q < queries + QUERIES_MAX; q++)
		if (q->used && q->deadline < deadline)
			deadline = q->deadline;
	return deadline;
}

void resolver_icmp_error(uint16_t local_port, struct endpoint peer)
{
	for (struct query *q = queries; nqueries && q < queries + QUERIES_MAX; q++)
		if (q->used && q->asked && q->pcb->local_port == local_port &&
		    peer.port == DNS_PORT && q->pcb->remote_ip.addr == peer.address.addr) {
			q->refused |= (uint8_t)(1u << q->server);
			q->deadline = platform_now(); /* the next server, or the end, now */
		}
}

void resolver_forget(void)
{
	memset(cache, 0, sizeof(cache));
}

/* ---- Lookups ---- */

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* What needs no server: an address in text, this host (RFC 6761). */
static bool known(const char *name, struct dns_answer *answer)
{
	ip4_addr_t address;

	*answer = (struct dns_answer){.count = 1, .ttl = TTL_MOST};
	if (strcmp(name, "localhost") == 0 || ends_with(name, ".localhost")) {
		answer->addresses[0] = PP_HTONL(IPADDR_LOOPBACK);
		return true;
	}
	if (!ip4addr_aton(name, &address))
		return false;
	answer->addresses[0] = ip4_addr_get_u32(&address);
	return true;
}

static struct query *query_for(const char *name)
{
	struct query *free = NULL;

	for (struct query *q = queries; q < queries + QUERIES_MAX; q++) {
		if (q->used && strcmp(q->name, name) == 0)
			return q;
		if (!q->used && !free)
			free = q;
	}
	if (free) {
		*free = (struct query){0};
		memcpy(free->name, name, strlen(name) + 1);
	}
	return free;
}

int resolver_lookup(const char *name, size_t length, resolver_done *done, void *context)
{
	char canonical[DNS_NAME_MAX + 1];
	struct dns_answer answer; /* a copy: the callee may look something up in its turn */
	struct waiter *w = waiters;
	struct query *q;

	if (!dns_name_canonical(name, length, canonical))
		return STATUS_INVALID_ARGUMENT;
	if (cache_find(canonical, &answer) || known(canonical, &answer)) {
		if (on_answer)
			on_answer(canonical, &answer);
		done(context, STATUS_OK, &answer);
		return STATUS_OK;
	}
	while (w < waiters + WAITERS_MAX && w->done)
		w++;
	q = query_for(canonical);
	if (w == waiters + WAITERS_MAX || !q)
		return STATUS_NO_BUFFERS;
	*w = (struct waiter){.done = done, .context = context, .query = q};
	if (!q->used) {
		q->used = true;
		nqueries++;
		start(q);
	}
	return STATUS_OK;
}

/* Ends a query without waiters, so that a caller that looks up and cancels again and again takes no
 * place from others. */
static void forget(struct query *q)
{
	for (struct waiter *w = waiters; w < waiters + WAITERS_MAX; w++)
		if (w->done && w->query == q)
			return;
	close_port(q);
	q->used = false;
	nqueries--;
}

void resolver_cancel(const void *context)
{
	for (struct waiter *w = waiters; w < waiters + WAITERS_MAX; w++) {
		struct query *q = w->query;

		if (!w->done || w->context != context)
			continue;
		*w = (struct waiter){0};
		if (q >= queries && q < queries + QUERIES_MAX && q->used) /* else it has finished */
			forget(q);
	}
}
