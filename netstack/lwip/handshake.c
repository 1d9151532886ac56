/* SPDX-License-Identifier: MIT */
/*
 * Segments for listeners, before lwIP sees them.  lwIP cannot be entered from its own hook, so an
 * acknowledged cookie is noted there and handled by handshake_resume().
 */
#include <string.h>

#include "netstack/lwip/checksum.h"
#include "netstack/lwip/handshake.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/random.h"
#include "netstack/lwip/syn_cookie.h"

#include "lwip/inet_chksum.h"
#include "lwip/ip4.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"

#define HEADERS     (IP_HLEN + TCP_HLEN)
#define SEGMENT_MAX 1460u

/* A segment to be made. */
struct segment_out {
	uint32_t source, destination; /* network order */
	uint16_t source_port, destination_port;
	uint32_t sequence, acknowledgement;
	uint8_t flags;
	uint16_t window;
	const uint8_t *options;
	uint32_t options_length; /* a multiple of 4 */
	const uint8_t *data;
	uint32_t length;
};

/* The segment that acknowledged a cookie. */
static struct {
	bool waiting;
	struct syn syn;
	uint32_t cookie;
	uint8_t flags;
	uint16_t window;
	uint32_t length;
	uint8_t data[SEGMENT_MAX];
} resumed;

static bool (*listener_full)(const void *listener);
static bool resuming, silent;
static uint64_t last_cookie; /* when it was sent; 0: never */
static struct handshake_counters counters;

void handshake_on_full(bool (*full)(const void *listener))
{
	listener_full = full;
}

bool handshake_is_silent(void)
{
	return silent;
}

const struct handshake_counters *handshake_counters(void)
{
	return &counters;
}

/* ---- Segments of our own ---- */

/* An IP packet, with `room` bytes in front; NULL: no memory. */
static struct pbuf *make_segment(const struct segment_out *s, uint32_t room)
{
	uint32_t length = HEADERS + s->options_length + s->length;
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(room + length), PBUF_RAM);
	ip4_addr_t source = {s->source}, destination = {s->destination};
	struct ip_hdr *ip;
	struct tcp_hdr *tcp;

	if (!p)
		return NULL;
	memset(p->payload, 0, room + HEADERS);
	(void)pbuf_remove_header(p, room);
	ip = p->payload;
	tcp = (struct tcp_hdr *)((uint8_t *)p->payload + IP_HLEN);
	IPH_VHL_SET(ip, 4, IP_HLEN / 4);
	IPH_LEN_SET(ip, lwip_htons((u16_t)length));
	IPH_OFFSET_SET(ip, PP_HTONS(IP_DF));
	IPH_TTL_SET(ip, TCP_TTL);
	IPH_PROTO_SET(ip, IP_PROTO_TCP);
	ip->src.addr = s->source;
	ip->dest.addr = s->destination;
	IPH_CHKSUM_SET(ip, inet_chksum(ip, IP_HLEN));
	tcp->src = lwip_htons(s->source_port);
	tcp->dest = lwip_htons(s->destination_port);
	tcp->seqno = lwip_htonl(s->sequence);
	tcp->ackno = lwip_htonl(s->acknowledgement);
	TCPH_HDRLEN_FLAGS_SET(tcp, (TCP_HLEN + s->options_length) / 4, s->flags);
	tcp->wnd = lwip_htons(s->window);
	if (s->options_length)
		memcpy(tcp + 1, s->options, s->options_length);
	if (s->length)
		memcpy((uint8_t *)(tcp + 1) + s->options_length, s->data, s->length);
	(void)pbuf_remove_header(p, IP_HLEN);
	tcp->chksum = inet_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, &source, &destination);
	(void)pbuf_add_header(p, IP_HLEN);
	return p;
}

/* What lwIP would answer, with the cookie for a sequence number, to the station that the SYN came
 * from: asking the link for a forged address would cost its neighbours their place in the table. */
static void send_cookie(struct netif *netif, const struct syn *syn, const struct eth_addr *station)
{
	struct syn ours = {.mss = TCP_MSS,
	                   .window_scale = syn->window_scale < 0 ? -1 : TCP_RCV_SCALE,
	                   .sack = syn->sack};
	uint8_t options[SYN_OPTIONS_MAX];
	struct segment_out s = {.source = syn->local_address,
	                        .destination = syn->remote_address,
	                        .source_port = syn->local_port,
	                        .destination_port = syn->remote_port,
	                        .sequence = syn_cookie_make(syn, platform_now()),
	                        .acknowledgement = syn->sequence + 1,
	                        .flags = TCP_SYN | TCP_ACK,
	                        .window = EARLY_WINDOW,
	                        .options = options,
	                        .options_length = syn_write_options(&ours, options)};
	struct pbuf *p = make_segment(&s, SIZEOF_ETH_HDR);
	struct eth_hdr *ethernet;

	if (!p)
		return;
	(void)pbuf_add_header(p, SIZEOF_ETH_HDR);
	ethernet = p->payload;
	ethernet->dest = *station;
	memcpy(&ethernet->src, netif->hwaddr, sizeof(ethernet->src));
	ethernet->type = PP_HTONS(ETHTYPE_IP);
	(void)netif->linkoutput(netif, p);
	pbuf_free(p);
	last_cookie = platform_now();
	counters.cookies_sent++;
}

/* ---- Segments for listeners ---- */

static uint32_t half_open(void)
{
	uint32_t count = 0;

	for (const struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l; l = l->next)
		count += l->accepts_pending;
	return count;
}

static bool is_full(const void *listener)
{
	return listener_full && listener && listener_full(listener);
}

static struct syn syn_of(const struct tcp_hdr *tcp)
{
	return (struct syn){.local_address = ip4_current_dest_addr()->addr,
	                    .remote_address = ip4_current_src_addr()->addr,
	                    .local_port = tcp->dest,
	                    .remote_port = tcp->src,
	                    .sequence = tcp->seqno,
	                    .window_scale = -1};
}

/* The sender's link address: the Ethernet header precedes the IP header in the same copy of the
 * frame.  NULL: a group address, or another kind of link. */
static const struct eth_addr *station_of(struct netif *netif, const struct pbuf *p)
{
	const struct eth_hdr *ethernet =
	        (const void *)((const uint8_t *)ip4_current_header() - SIZEOF_ETH_HDR);

	if (!(netif->flags & NETIF_FLAG_ETHERNET) || p->next || (ethernet->src.addr[0] & 1))
		return NULL;
	return &ethernet->src;
}

static err_t listener_syn(const struct tcp_pcb *listener, const struct tcp_hdr *tcp,
                          uint32_t options, const struct pbuf *p)
{
	struct netif *netif = ip_current_input_netif();
	const struct eth_addr *station;
	struct syn syn;

	if (is_full(listener->callback_arg)) {
		counters.dropped++;
		return ERR_ABRT;
	}
	if (resuming || half_open() < HALF_OPEN_MAX)
		return ERR_OK;
	station = station_of(netif, p);
	if (!station)
		return ERR_ABRT;
	syn = syn_of(tcp);
	syn_read_options(&syn, (const uint8_t *)(tcp + 1), options);
	send_cookie(netif, &syn, station);
	return ERR_ABRT;
}

/* An acknowledgement that belongs to no connection: of a cookie, or lwIP answers with a RST. */
static err_t listener_ack(const struct tcp_pcb *listener, const struct tcp_hdr *tcp,
                          const struct pbuf *p)
{
	uint64_t now = platform_now();
	struct syn syn = syn_of(tcp);

	syn.sequence--;
	if (resuming || !last_cookie || now - last_cookie > SYN_COOKIE_LIFE_NS ||
	    !syn_cookie_check(&syn, tcp->ackno - 1, now))
		return ERR_OK;
	if (is_full(listener->callback_arg) || p->tot_len > SEGMENT_MAX) {
		counters.dropped++;
		return ERR_ABRT;
	}
	resumed.waiting = true;
	resumed.syn = syn;
	resumed.cookie = tcp->ackno - 1;
	resumed.flags = TCPH_FLAGS(tcp);
	resumed.window = tcp->wnd;
	resumed.length = pbuf_copy_partial(p, resumed.data, SEGMENT_MAX, 0);
	return ERR_ABRT;
}

/* A SYN for a connection that is half open: the SYN-ACK again, if it is the same SYN.  lwIP would
 * read its options again, and asserts that the window is still the initial one. */
static err_t repeated_syn(struct tcp_pcb *pcb, const struct tcp_hdr *tcp)
{
	if (tcp->seqno == pcb->rcv_nxt - 1 && tcp_rexmit(pcb) == ERR_OK)
		(void)tcp_output(pcb);
	return ERR_ABRT;
}

err_t handshake_input(struct tcp_pcb *pcb, const struct tcp_hdr *tcp, uint32_t options,
                      uint32_t options_here, const struct pbuf *p)
{
	uint8_t flags = TCPH_FLAGS(tcp);

	if (flags & TCP_RST)
		return ERR_OK;
	if (pcb->state == LISTEN && (flags & TCP_ACK))
		return flags & TCP_SYN ? ERR_OK : listener_ack(pcb, tcp, p);
	if (pcb->state == LISTEN && (flags & TCP_SYN))
		return listener_syn(pcb, tcp, options < options_here ? options : options_here, p);
	if (pcb->state == SYN_RCVD && (flags & TCP_SYN))
		return repeated_syn(pcb, tcp);
	if (pcb->state == SYN_RCVD && (flags & TCP_ACK) && pcb->listener &&
	    is_full(pcb->listener->callback_arg)) {
		counters.dropped++;
		return ERR_ABRT; /* lwIP repeats its SYN-ACK, the peer its acknowledgement */
	}
	return ERR_OK;
}

uint32_t handshake_sequence(uint32_t local_address, uint16_t local_port, uint32_t remote_address,
                            uint16_t remote_port)
{
	if (resuming)
		return resumed.cookie;
	return port_initial_sequence(local_address, local_port, remote_address, remote_port);
}

/* ---- Completing what a cookie began ---- */

static void input_segment(struct netif *netif, const struct segment_out *s)
{
	struct pbuf *p = make_segment(s, 0);

	if (p && ip4_input(p, netif) != ERR_OK)
		pbuf_free(p);
}

void handshake_resume(struct netif *netif)
{
	const struct syn *syn = &resumed.syn;
	uint8_t options[SYN_OPTIONS_MAX];
	struct segment_out s = {.source = syn->remote_address,
	                        .destination = syn->local_address,
	                        .source_port = syn->remote_port,
	                        .destination_port = syn->local_port,
	                        .sequence = syn->sequence,
	                        .flags = TCP_SYN,
	                        .window = resumed.window,
	                        .options = options};

	if (!resumed.waiting)
		return;
	resumed.waiting = false;
	s.options_length = syn_write_options(syn, options);
	resuming = silent = true;
	input_segment(netif, &s);
	silent = false;
	s.options_length = 0;
	s.sequence++;
	s.acknowledgement = resumed.cookie + 1;
	s.flags = resumed.flags;
	s.data = resumed.data;
	s.length = resumed.length;
	input_segment(netif, &s);
	resuming = false;
	counters.cookies_accepted++;
}
