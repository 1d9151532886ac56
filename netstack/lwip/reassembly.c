/* SPDX-License-Identifier: MIT */
/*
 * Fragments, before lwIP sees them (LWIP_HOOK_IP4_INPUT).  The fragments of a datagram are sorted
 * by their offset and never overlap, so it is complete when their lengths add up to its length.
 */
#include <stdbool.h>
#include <string.h>

#include "netstack/lwip/heap.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/port/hooks.h"
#include "netstack/lwip/reassembly.h"

#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip4.h"
#include "lwip/pbuf.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"

#define DATA_MAX (65535u - IP_HLEN) /* of a datagram, without its header */
/* An ICMP error (RFC 792): its header, the header of what it is about, and 8 bytes of data. */
#define ICMP_ERROR_HEADER 8u
#define ICMP_ERROR_SIZE   (ICMP_ERROR_HEADER + IP_HLEN + 8u)

struct fragment {
	struct fragment *next;
	struct pbuf *p; /* from its IP header on; NULL: free */
	uint32_t start, end;
};

struct datagram {
	struct fragment *first; /* NULL: free */
	uint32_t source, destination;
	uint16_t id;
	uint8_t protocol;
	uint32_t length;   /* 0: the last fragment has not arrived */
	uint32_t received; /* bytes */
	uint32_t nfragments;
	uint64_t touched;  /* order in which datagrams got fragments */
	uint64_t deadline; /* monotonic ns */
};

static struct fragment fragments[REASSEMBLY_FRAGMENTS];
static struct datagram datagrams[REASSEMBLY_DATAGRAMS];
static uint32_t nfragments;
static uint64_t touches;
static struct reassembly_counters counters;

const struct reassembly_counters *reassembly_counters(void)
{
	return &counters;
}

/* ---- Who gives way ---- */

static void drop(struct datagram *d)
{
	for (struct fragment *f = d->first; f; f = f->next) {
		pbuf_free(f->p);
		f->p = NULL;
	}
	nfragments -= d->nfragments;
	d->first = NULL;
}

static uint32_t holding(uint32_t source, bool of_fragments)
{
	uint32_t sum = 0;

	for (const struct datagram *d = datagrams; d < datagrams + REASSEMBLY_DATAGRAMS; d++)
		if (d->first && d->source == source)
			sum += of_fragments ? d->nfragments : 1;
	return sum;
}

/* Of the source with the most fragments (or datagrams) the datagram that made no progress for the
 * longest time. */
static void evict(bool for_fragment)
{
	struct datagram *victim = NULL;
	uint32_t most = 0;

	for (struct datagram *d = datagrams; d < datagrams + REASSEMBLY_DATAGRAMS; d++) {
		uint32_t held = d->first ? holding(d->source, for_fragment) : 0;

		if (held < most || !held ||
		    (victim && held == most && d->touched > victim->touched))
			continue;
		victim = d;
		most = held;
	}
	if (!victim)
		return;
	drop(victim);
	counters.evicted++;
}

/* NULL: all that fragments may take is used up. */
static struct fragment *free_fragment(void)
{
	if (nfragments >= heap_quota(HEAP_FRAME) / 3)
		return NULL;
	for (struct fragment *f = fragments; f < fragments + REASSEMBLY_FRAGMENTS; f++)
		if (!f->p)
			return f;
	return NULL;
}

static struct datagram *find(const struct ip_hdr *ip)
{
	for (struct datagram *d = datagrams; d < datagrams + REASSEMBLY_DATAGRAMS; d++)
		if (d->first && d->source == ip->src.addr && d->destination == ip->dest.addr &&
		    d->id == IPH_ID(ip) && d->protocol == IPH_PROTO(ip))
			return d;
	return NULL;
}

static struct datagram *free_datagram(void)
{
	for (struct datagram *d = datagrams; d < datagrams + REASSEMBLY_DATAGRAMS; d++)
		if (!d->first)
			return d;
	return NULL;
}

/* ---- A fragment ---- */

/* Checks everything that does not depend on other fragments. */
static bool read_fragment(struct pbuf *p, struct netif *netif, struct fragment *f, bool *last)
{
	const struct ip_hdr *ip = p->payload;
	uint32_t length;
	ip4_addr_t destination;

	if (p->len < IP_HLEN || IPH_HL_BYTES(ip) != IP_HLEN) /* options are refused */
		return false;
	length = lwip_ntohs(IPH_LEN(ip));
	if (length <= IP_HLEN || length > p->len || inet_chksum(ip, IP_HLEN) != 0)
		return false;
	destination.addr = ip->dest.addr;
	if (!ip4_addr_eq(&destination, netif_ip4_addr(netif)) &&
	    !ip4_addr_isbroadcast(&destination, netif))
		return false;
	pbuf_realloc(p, (u16_t)length);
	*last = !(IPH_OFFSET(ip) & PP_HTONS(IP_MF));
	f->start = IPH_OFFSET_BYTES(ip);
	f->end = f->start + length - IP_HLEN;
	return f->end <= DATA_MAX && (*last || (length - IP_HLEN) % 8 == 0);
}

/* Where it goes among those that arrived; NULL: it overlaps one of them, or the datagram's end. */
static struct fragment **place_of(struct datagram *d, const struct fragment *f, bool last)
{
	struct fragment **link = &d->first;

	if (d->length && (last ? f->end != d->length : f->end > d->length))
		return NULL;
	while (*link && (*link)->end <= f->start)
		link = &(*link)->next;
	if (*link && ((*link)->start < f->end || last))
		return NULL;
	return link;
}

/* ---- The whole ---- */

static struct pbuf *join(struct datagram *d)
{
	struct pbuf *whole = d->first->p;
	struct ip_hdr *ip = whole->payload;

	for (struct fragment *f = d->first; f; f = f->next) {
		if (f != d->first) {
			(void)pbuf_remove_header(f->p, IP_HLEN);
			pbuf_cat(whole, f->p);
		}
		f->p = NULL;
	}
	nfragments -= d->nfragments;
	IPH_LEN_SET(ip, lwip_htons((u16_t)(d->length + IP_HLEN)));
	IPH_OFFSET_SET(ip, 0);
	IPH_CHKSUM_SET(ip, 0);
	IPH_CHKSUM_SET(ip, inet_chksum(ip, IP_HLEN));
	d->first = NULL;
	counters.completed++;
	return whole;
}

static struct datagram *begin(const struct ip_hdr *ip)
{
	struct datagram *d = free_datagram();

	if (!d) {
		evict(false);
		d = free_datagram();
	}
	*d = (struct datagram){.source = ip->src.addr,
	                       .destination = ip->dest.addr,
	                       .id = IPH_ID(ip),
	                       .protocol = IPH_PROTO(ip),
	                       .deadline = platform_now() + REASSEMBLY_SECONDS * SECOND_NS};
	return d;
}

/* Takes the fragment over, unless it returns false.  *whole: the datagram that it completed. */
static bool add(struct pbuf *p, struct netif *netif, struct pbuf **whole)
{
	struct fragment read = {.p = p}, *f, **link;
	struct datagram *d;
	bool last;

	if (!read_fragment(p, netif, &read, &last)) {
		counters.refused++;
		return false;
	}
	f = free_fragment();
	if (!f) {
		evict(true); /* perhaps the datagram that this one belongs to */
		f = free_fragment();
	}
	if (!f)
		return false;
	d = find(p->payload);
	if (!d)
		d = begin(p->payload);
	link = place_of(d, &read, last);
	if (!link) {
		counters.refused++;
		return false;
	}
	*f = read;
	f->next = *link;
	*link = f;
	d->nfragments++;
	nfragments++;
	d->received += f->end - f->start;
	d->touched = ++touches;
	if (last)
		d->length = f->end;
	if (d->length && d->received == d->length)
		*whole = join(d);
	return true;
}

int reassembly_input(struct pbuf *p, struct netif *netif)
{
	const struct ip_hdr *ip = p->payload;
	struct pbuf *whole = NULL;

	if (!(IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)))
		return 0;
	if (!add(p, netif, &whole))
		pbuf_free(p);
	else if (whole)
		(void)ip4_input(whole, netif);
	return 1;
}

/* ---- Time ---- */

/* RFC 1122, 3.3.2: to the sender of a datagram of which the first fragment has arrived. */
static void send_time_exceeded(const struct datagram *d)
{
	ip4_addr_t source = {d->source}, destination = {d->destination};
	struct netif *netif = ip4_route(&source);
	struct pbuf *p;
	uint8_t *message;
	uint16_t checksum;

	if (d->first->start != 0 || !netif || ip4_addr_ismulticast(&source) ||
	    ip4_addr_isbroadcast(&source, netif) ||
	    !ip4_addr_eq(&destination, netif_ip4_addr(netif)))
		return;
	p = pbuf_alloc(PBUF_IP, ICMP_ERROR_SIZE, PBUF_RAM);
	if (!p)
		return;
	message = p->payload;
	memset(message, 0, ICMP_ERROR_HEADER);
	message[0] = ICMP_TE;
	message[1] = ICMP_TE_FRAG;
	memcpy(message + ICMP_ERROR_HEADER, d->first->p->payload,
	       ICMP_ERROR_SIZE - ICMP_ERROR_HEADER);
	checksum = inet_chksum(message, ICMP_ERROR_SIZE);
	memcpy(message + 2, &checksum, sizeof(checksum));
	(void)ip4_output_if(p, NULL, &source, ICMP_TTL, 0, IP_PROTO_ICMP, netif);
	pbuf_free(p);
}

void reassembly_expire(void)
{
	uint64_t now = platform_now();

	for (struct datagram *d = datagrams; d < datagrams + REASSEMBLY_DATAGRAMS; d++) {
		if (!d->first || d->deadline > now)
			continue;
		send_time_exceeded(d);
		drop(d);
		counters.timed_out++;
	}
}
