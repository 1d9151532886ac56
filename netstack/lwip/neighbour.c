/* SPDX-License-Identifier: MIT */
/*
 * The queue before lwIP's ARP table.  lwIP gets a packet only when it has the neighbour's address,
 * so its own queue is never used.  A packet waits only while its neighbour is among those asked.
 */
#include "netstack/lwip/heap.h"
#include "netstack/lwip/neighbour.h"
#include "netstack/lwip/platform.h"

#include "lwip/etharp.h"
#include "lwip/ip4.h"
#include "lwip/pbuf.h"

/* lwIP repeats its question each second for as long. */
#define ANSWER_NS (5 * SECOND_NS)

struct asked {
	bool used;
	ip4_addr_t address;
	const void *account;
	uint64_t until; /* monotonic ns */
};

struct waiting {
	struct waiting *next; /* in the order of sending */
	struct pbuf *p;       /* a copy; NULL: free */
	const struct asked *neighbour;
	const void *account;
};

struct tally {
	const void *account;
	uint32_t count;
};

static struct asked asked[NEIGHBOUR_ASKED];
static struct waiting packets[NEIGHBOUR_PACKETS];
static struct waiting *first, *last;
static uint32_t npackets;
static const void *sender;

_Static_assert(NEIGHBOUR_ASKED <= ARP_TABLE_SIZE / 2 + 1, "neighbours that answered stay known");

void neighbour_set_sender(const void *account)
{
	sender = account;
}

static ip4_addr_t next_hop(const struct netif *netif, ip4_addr_t destination)
{
	if (ip4_addr_net_eq(&destination, netif_ip4_addr(netif), netif_ip4_netmask(netif)) ||
	    ip4_addr_islinklocal(&destination))
		return destination;
	return *netif_ip4_gw(netif);
}

static bool is_known(struct netif *netif, const ip4_addr_t *hop)
{
	struct eth_addr *ethernet;
	const ip4_addr_t *found;

	return etharp_find_addr(netif, hop, &ethernet, &found) >= 0;
}

bool neighbour_known(ip4_addr_t destination)
{
	struct netif *netif = ip4_route(&destination);
	ip4_addr_t hop;

	if (!netif || !(netif->flags & NETIF_FLAG_ETHARP) ||
	    ip4_addr_eq(&destination, netif_ip4_addr(netif)))
		return true;
	hop = next_hop(netif, destination);
	return is_known(netif, &hop);
}

/* ---- Who gives way ---- */

/* Counts one more of the account; tallies has room for all, *n are used. */
static void count(struct tally *tallies, uint32_t *n, const void *account)
{
	uint32_t i = 0;

	while (i < *n && tallies[i].account != account)
		i++;
	if (i == *n)
		tallies[(*n)++] = (struct tally){.account = account};
	tallies[i].count++;
}

static const struct tally *largest(const struct tally *tallies, uint32_t n)
{
	const struct tally *most = tallies;

	for (uint32_t i = 1; i < n; i++)
		if (tallies[i].count > most->count)
			most = &tallies[i];
	return most;
}

static void unlink_packet(struct waiting **link, struct waiting *before)
{
	struct waiting *w = *link;

	*link = w->next;
	if (last == w)
		last = before;
	w->p = NULL;
	npackets--;
}

/* Drops the packets that wait for that neighbour. */
static void forget(struct asked *a)
{
	struct waiting **link = &first, *before = NULL;

	while (*link) {
		if ((*link)->neighbour != a) {
			before = *link;
			link = &before->next;
			continue;
		}
		pbuf_free((*link)->p);
		unlink_packet(link, before);
	}
	a->used = false;
}

/* Of the account with the most packets the one that waits for the longest time. */
static void drop_packet(void)
{
	static struct tally tallies[NEIGHBOUR_PACKETS];
	struct waiting **link = &first, *before = NULL;
	uint32_t n = 0;

	for (const struct waiting *w = first; w; w = w->next)
		count(tallies, &n, w->account);
	while (*link && (*link)->account != largest(tallies, n)->account) {
		before = *link;
		link = &before->next;
	}
	if (!*link)
		return;
	pbuf_free((*link)->p);
	unlink_packet(link, before);
}

/* A free place; NULL: the sender asks for as many as it may, or no account for more than it. */
static struct asked *place_to_ask(void)
{
	static struct tally tallies[NEIGHBOUR_ASKED];
	struct asked *place = NULL, *oldest = NULL;
	const struct tally *most;
	uint32_t n = 0, own = 0;

	for (struct asked *a = asked; a < asked + NEIGHBOUR_ASKED; a++) {
		if (a->used)
			count(tallies, &n, a->account);
		else if (!place)
			place = a;
		own += a->used && a->account == sender;
	}
	if (own == NEIGHBOUR_ASKED_ONE)
		return NULL;
	if (place)
		return place;
	most = largest(tallies, n);
	if (most->count <= own)
		return NULL;
	for (struct asked *a = asked; a < asked + NEIGHBOUR_ASKED; a++)
		if (a->account == most->account && (!oldest || a->until < oldest->until))
			oldest = a;
	forget(oldest);
	return oldest;
}

/* ---- Packets ---- */

static struct asked *ask(struct netif *netif, const ip4_addr_t *hop)
{
	struct asked *a = asked;

	while (a < asked + NEIGHBOUR_ASKED && !(a->used && ip4_addr_eq(&a->address, hop)))
		a++;
	if (a < asked + NEIGHBOUR_ASKED)
		return a;
	a = place_to_ask();
	if (!a)
		return NULL;
	*a = (struct asked){.used = true,
	                    .address = *hop,
	                    .account = sender,
	                    .until = platform_now() + ANSWER_NS};
	(void)etharp_query(netif, hop, NULL); /* lost or not, lwIP asks again */
	return a;
}

static struct waiting *free_packet(void)
{
	if (npackets >= heap_quota(HEAP_SEND) / 2)
		return NULL;
	for (struct waiting *w = packets; w < packets + NEIGHBOUR_PACKETS; w++)
		if (!w->p)
			return w;
	return NULL;
}

/*
 * Keeps a copy: data of a TCP segment is referenced where the program put it, and goes away with
 * the socket; a frame that is answered is one of those that netstack receives into.
 */
static err_t wait_for(struct netif *netif, const ip4_addr_t *hop, struct pbuf *p)
{
	const struct asked *a = ask(netif, hop);
	struct waiting *w = a ? free_packet() : NULL;

	if (!a)
		return ERR_MEM;
	if (!w) {
		drop_packet();
		w = free_packet();
	}
	if (!w)
		return ERR_MEM;
	w->p = pbuf_clone(PBUF_LINK, PBUF_RAM, p);
	if (!w->p)
		return ERR_MEM;
	npackets++;
	w->next = NULL;
	w->neighbour = a;
	w->account = sender;
	if (first)
		last->next = w;
	else
		first = w;
	last = w;
	return ERR_OK;
}

err_t neighbour_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *destination)
{
	ip4_addr_t hop = next_hop(netif, *destination);

	if (ip4_addr_isbroadcast(destination, netif) || ip4_addr_ismulticast(destination) ||
	    ip4_addr_isany_val(hop) || is_known(netif, &hop))
		return etharp_output(netif, p, destination);
	return wait_for(netif, &hop, p);
}

void neighbour_flush(struct netif *netif)
{
	struct waiting **link = &first, *before = NULL;

	while (*link) {
		struct pbuf *p = (*link)->p;
		const ip4_addr_t *hop = &(*link)->neighbour->address;

		if (!is_known(netif, hop)) {
			before = *link;
			link = &before->next;
			continue;
		}
		(void)etharp_output(netif, p, hop);
		unlink_packet(link, before);
		pbuf_free(p);
	}
	for (struct asked *a = asked; a < asked + NEIGHBOUR_ASKED; a++)
		if (a->used && is_known(netif, &a->address))
			a->used = false;
}

void neighbour_expire(void)
{
	uint64_t now = platform_now();

	for (struct asked *a = asked; a < asked + NEIGHBOUR_ASKED; a++)
		if (a->used && a->until <= now)
			forget(a);
}
