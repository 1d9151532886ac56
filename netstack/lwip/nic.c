/* SPDX-License-Identifier: MIT */
/*
 * Frames in and out.  A received frame is copied once, whole, before a byte of it is looked at, and
 * its buffer goes back to the driver at once: what the device writes there afterwards changes
 * nothing that was checked, and no peer can stop reception by what it leaves unfinished (fragments,
 * segments out of order).
 */
#include <string.h>

#include <capos/nicqueue.h>
#include <capos/schema/status.h>

#include "netstack/lwip/checksum.h"
#include "netstack/lwip/handshake.h"
#include "netstack/lwip/heap.h"
#include "netstack/lwip/neighbour.h"
#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/timers.h"

#include "lwip/etharp.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"

#define ETHERNET_HEADER 14u
#define ETHERTYPE_IPV4  0x0800u
#define ETHERTYPE_ARP   0x0806u
#define MTU_MIN         576u
#define MTU_MAX         1500u
/* Ethernet, the longest IPv4 header, the longest TCP header. */
#define HEADERS_MOST (ETHERNET_HEADER + 60u + 60u)
/* Asked of the heap for each received frame, so that it comes from their class. */
#define FRAME_ROOM (HEAP_FRAME - 64u)
_Static_assert(FRAME_ROOM > 1664 && FRAME_ROOM >= ETHERNET_HEADER + MTU_MAX, "a class of its own");

static struct {
	bool attached;
	struct nicqueue queues;
	struct netif netif;
	uint32_t transmit_free[NICQUEUE_ENTRIES]; /* a stack */
	uint32_t ntransmit_free;
	bool transmit_ours[NICQUEUE_ENTRIES];
	bool starved, transmit_dirty, give_dirty;
	uint16_t mtu;
	uint64_t driver_event, driver_bits;
	struct nic_counters counters;
} nic;

struct netif *nic_netif(void)
{
	return nic.attached ? &nic.netif : NULL;
}

const struct nic_counters *nic_counters(void)
{
	return &nic.counters;
}

/* ---- Out ---- */

/* Takes back the buffers that the driver has sent. */
static void reclaim(void)
{
	struct nicqueue_descriptor d;

	while (queue_take(&nic.queues.transmit_free, &d, 1)) {
		if (d.buffer >= nic.queues.ntransmit || nic.transmit_ours[d.buffer]) {
			nic.counters.malformed++;
			continue;
		}
		nic.transmit_ours[d.buffer] = true;
		nic.transmit_free[nic.ntransmit_free++] = d.buffer;
	}
	/* The driver never waits for space there, but it must see the space. */
	queue_publish_take(&nic.queues.transmit_free);
}

unsigned nic_transmit_space(void)
{
	if (nic.attached)
		reclaim();
	return nic.ntransmit_free;
}

bool nic_transmit_short(unsigned frames)
{
	if (!nic.attached)
		return false;
	if (frames > nic.queues.ntransmit / 2)
		frames = nic.queues.ntransmit / 2;
	if (nic_transmit_space() >= frames)
		return false;
	nic.starved = true;
	return true;
}

bool nic_was_starved(void)
{
	if (!nic.starved || !nic_transmit_space())
		return false;
	nic.starved = false;
	return true;
}

/* lwIP: sends one frame, whose pbufs stay lwIP's. */
static err_t output_frame(struct netif *netif, struct pbuf *p)
{
	struct nicqueue_descriptor d = {.offset = NICQUEUE_HEADROOM, .length = p->tot_len};
	uint8_t *to;

	(void)netif;
	if (p->tot_len < ETHERNET_HEADER || p->tot_len > ETHERNET_HEADER + MTU_MAX)
		return ERR_IF;
	if (!nic.ntransmit_free)
		reclaim();
	if (!nic.ntransmit_free || !queue_writable(&nic.queues.transmit_ready)) {
		nic.starved = true;
		nic.counters.no_buffer++;
		return ERR_MEM;
	}
	d.buffer = nic.transmit_free[--nic.ntransmit_free];
	nic.transmit_ours[d.buffer] = false;
	to = nic.queues.transmit_buffers + (size_t)d.buffer * NICQUEUE_BUFFER_SIZE + d.offset;
	if (p->len >= ETHERNET_HEADER) {
		const uint8_t *header = p->payload;

		if ((header[12] << 8 | header[13]) == ETHERTYPE_ARP)
			timers_arp_sent();
	}
	for (; p; p = p->next) {
		port_copy(to, p->payload, p->len);
		to += p->len;
	}
	queue_put(&nic.queues.transmit_ready, &d, 1);
	nic.transmit_dirty = true;
	nic.counters.transmitted++;
	return ERR_OK;
}

/* lwIP: sends one IP packet. */
static err_t output_packet(struct netif *netif, struct pbuf *p, const ip4_addr_t *address)
{
	return handshake_is_silent() ? ERR_OK : neighbour_output(netif, p, address);
}

/* ---- In ---- */

static void give_back(uint32_t buffer)
{
	struct nicqueue_descriptor d = {.buffer = buffer};

	/* The queue has a place for every buffer, unless the driver's index is malformed; then
	 * the queue is marked broken. */
	queue_put(&nic.queues.receive_free, &d, 1);
	nic.give_dirty = true;
}

/* A pbuf of netstack's own memory; NULL: no memory. */
static struct pbuf *allocate(uint16_t length)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);

	/* Out-of-order segments may be forgotten at any time, the peer will send them again. */
	for (struct tcp_pcb *pcb = tcp_active_pcbs; !p && pcb; pcb = pcb->next) {
		if (!pcb->ooseq)
			continue;
		tcp_free_ooseq(pcb);
		p = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);
	}
	return p;
}

/*
 * The frame in private memory: the device may still write into its buffer, and lwIP reads headers
 * more than once.  A short frame is followed by zeros, because lwIP reads some headers before it
 * looks at the length.
 */
static struct pbuf *copy_frame(const uint8_t *frame, uint16_t length)
{
	uint16_t room = length < HEADERS_MOST ? HEADERS_MOST : length;
	struct pbuf *p = allocate(FRAME_ROOM);

	if (!p) {
		nic.counters.no_memory++;
		return NULL;
	}
	port_copy(p->payload, frame, length);
	memset((uint8_t *)p->payload + length, 0, room - length);
	pbuf_realloc(p, length);
	return p;
}

static unsigned ethertype(const struct pbuf *p)
{
	const uint8_t *frame = p->payload;

	return (unsigned)(frame[12] << 8 | frame[13]);
}

static bool is_fragment(const struct pbuf *p)
{
	const uint8_t *frame = p->payload;

	return ethertype(p) == ETHERTYPE_IPV4 &&
	       ((frame[ETHERNET_HEADER + 6] << 8 | frame[ETHERNET_HEADER + 7]) & 0x3fff) != 0;
}

/* RFC 1122, 3.2.1.3: a source address of this host never arrives on a link.  Programs
 * may trust their peers on loopback. */
static bool is_martian(const struct pbuf *p)
{
	const uint8_t *frame = p->payload;
	ip4_addr_t source;

	if (ethertype(p) != ETHERTYPE_IPV4)
		return false;
	memcpy(&source.addr, frame + ETHERNET_HEADER + 12, sizeof(source.addr));
	return ip4_addr_isloopback(&source) ||
	       (!ip4_addr_isany_val(source) && ip4_addr_eq(&source, netif_ip4_addr(&nic.netif)));
}

static void set_checks(bool good)
{
	uint16_t checked = NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
	uint16_t flags = NETIF_CHECKSUM_ENABLE_ALL;

	NETIF_SET_CHECKSUM_CTRL(&nic.netif, good ? flags & ~checked : flags);
}

static void input_frame(struct pbuf *p, bool checksum_good)
{
	bool fragment = is_fragment(p), arp = ethertype(p) == ETHERTYPE_ARP;

	nic.counters.received++;
	if (is_martian(p)) {
		nic.counters.martian++;
		pbuf_free(p);
		return;
	}
	if (fragment)
		timers_fragment_received();
	/* The device cannot check the checksum of a datagram in fragments. */
	set_checks(checksum_good && !fragment);
	if (nic.netif.input(p, &nic.netif) != ERR_OK)
		pbuf_free(p);
	set_checks(false);
	if (arp)
		neighbour_flush(&nic.netif);
	handshake_resume(&nic.netif);
}

static void receive_one(const struct nicqueue_descriptor *d)
{
	const uint8_t *buffer;
	struct pbuf *p;

	if (d->buffer >= nic.queues.nreceive) {
		nic.counters.malformed++;
		return;
	}
	if (d->length < ETHERNET_HEADER || (uint32_t)d->offset + d->length > NICQUEUE_BUFFER_SIZE) {
		nic.counters.malformed++;
		give_back(d->buffer);
		return;
	}
	buffer = nic.queues.receive_buffers + (size_t)d->buffer * NICQUEUE_BUFFER_SIZE;
	p = copy_frame(buffer + d->offset, d->length);
	give_back(d->buffer);
	if (p)
		input_frame(p, d->flags & NICQUEUE_CHECKSUM_GOOD);
}

unsigned nic_take_frames(unsigned most)
{
	struct nicqueue_descriptor d;
	unsigned count = 0;

	if (!nic.attached)
		return 0;
	while (count < most && queue_take(&nic.queues.receive_ready, &d, 1)) {
		receive_one(&d);
		count++;
	}
	if (count)
		queue_publish_take(&nic.queues.receive_ready);
	return count;
}

/* ---- The loop's end ---- */

void nic_flush(void)
{
	bool wake = false;

	if (!nic.attached)
		return;
	if (nic.give_dirty)
		wake |= queue_publish_put(&nic.queues.receive_free);
	if (nic.transmit_dirty)
		wake |= queue_publish_put(&nic.queues.transmit_ready);
	nic.give_dirty = nic.transmit_dirty = false;
	if (wake)
		platform_signal(nic.driver_event, nic.driver_bits);
}

bool nic_arm(void)
{
	if (!nic.attached)
		return false;
	if (nic.starved) {
		queue_want_data(&nic.queues.transmit_free);
		if (queue_readable(&nic.queues.transmit_free))
			return true;
	}
	queue_want_data(&nic.queues.receive_ready);
	return queue_readable(&nic.queues.receive_ready) != 0;
}

/* ---- Setting up ---- */

static err_t init_netif(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 'n';
	netif->mtu = nic.mtu; /* which lwIP has just cleared */
	netif->output = output_packet;
	netif->linkoutput = output_frame;
	netif->flags =
	        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
	return ERR_OK;
}

int nic_open(const struct nic_setup *setup)
{
	if (nic.attached || !setup->receive_buffers || setup->receive_buffers > NICQUEUE_ENTRIES ||
	    !setup->transmit_buffers || setup->transmit_buffers > NICQUEUE_ENTRIES ||
	    setup->mtu < MTU_MIN)
		return STATUS_INVALID_ARGUMENT;
	nicqueue_init(&nic.queues, setup->memory, setup->receive_buffers, setup->transmit_buffers);
	nic.driver_event = setup->driver_event;
	nic.driver_bits = setup->driver_bits;
	for (uint32_t i = 0; i < setup->transmit_buffers; i++) {
		nic.transmit_ours[i] = true;
		nic.transmit_free[nic.ntransmit_free++] = setup->transmit_buffers - 1 - i;
	}
	memcpy(nic.netif.hwaddr, setup->mac, sizeof(setup->mac));
	nic.netif.hwaddr_len = sizeof(setup->mac);
	nic.mtu = setup->mtu > MTU_MAX ? MTU_MAX : setup->mtu;
	if (!netif_add_noaddr(&nic.netif, NULL, init_netif, netif_input))
		return STATUS_INVALID_ARGUMENT;
	nic.attached = true;
	netif_set_default(&nic.netif);
	netif_set_up(&nic.netif);
	return STATUS_OK;
}
