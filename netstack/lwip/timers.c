/* SPDX-License-Identifier: MIT */
/*
 * Each timer of lwIP counts ticks of its own interval.  Here a timer has the time of its last tick
 * and an `until`: up to then its ticks are run on time, after that all at once, before
 * any packet is processed.
 */
#include <stdbool.h>

#include "netstack/lwip/neighbour.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/reassembly.h"
#include "netstack/lwip/timers.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/prot/dhcp.h"
#include "lwip/priv/tcp_priv.h"

#define ARP_INTERVAL    (ARP_TMR_INTERVAL * MS_NS)
#define REASS_INTERVAL  SECOND_NS
#define TCP_INTERVAL    (TCP_TMR_INTERVAL * MS_NS)
#define FINE_INTERVAL   (DHCP_FINE_TIMER_MSECS * MS_NS)
#define COARSE_INTERVAL (DHCP_COARSE_TIMER_SECS * SECOND_NS)

/* A neighbour is asked again for this long, and a datagram's fragments are kept for that long. */
#define ARP_ACTIVE   (10 * SECOND_NS)
#define REASS_ACTIVE ((REASSEMBLY_SECONDS + 1) * SECOND_NS)
/* Late ticks that are run at most: more would find empty tables (the longest life is ARP's, 300
 * s). */
#define CATCH_UP_MOST 400u

struct timer {
	uint64_t last, until;
};

static struct timer tcp, arp, reassembly, fine, coarse;
static bool tcp_running;

void timers_init(void)
{
	uint64_t now = platform_now();

	tcp = arp = reassembly = fine = coarse = (struct timer){.last = now};
	tcp_running = false;
}

/* lwIP: a connection exists, or one in TIME_WAIT. */
void tcp_timer_needed(void)
{
	if (tcp_running)
		return;
	tcp_running = true;
	tcp.last = platform_now();
}

void timers_arp_sent(void)
{
	arp.until = platform_now() + ARP_ACTIVE;
}

void timers_fragment_received(void)
{
	reassembly.until = platform_now() + REASS_ACTIVE;
}

static void tick(struct timer *t, uint64_t now, uint64_t interval, void (*run)(void))
{
	uint64_t due = (now - t->last) / interval;

	t->last += due * interval;
	if (due > CATCH_UP_MOST)
		due = CATCH_UP_MOST;
	while (due--)
		run();
}

static void arp_tick(void)
{
	etharp_tmr();
	neighbour_expire();
}

static struct dhcp *dhcp_of_nic(void)
{
	/* The default interface is the NIC, if the machine has one (nic.c). */
	return netif_default ? netif_dhcp_data(netif_default) : NULL;
}

/* Coarse ticks until DHCP has to do something; 0: never. */
static uint32_t coarse_ticks(const struct dhcp *dhcp)
{
	uint32_t ticks = 0;

	if (dhcp->state == DHCP_STATE_OFF)
		return 0;
	if (dhcp->t0_timeout)
		ticks = dhcp->t0_timeout - dhcp->lease_used;
	/* lwIP counts one of these two down at a time. */
	if (dhcp->t2_rebind_time && (!ticks || dhcp->t2_rebind_time < ticks))
		ticks = dhcp->t2_rebind_time;
	if (dhcp->t1_renew_time && (!ticks || dhcp->t1_renew_time < ticks))
		ticks = dhcp->t1_renew_time;
	return ticks;
}

void timers_run(void)
{
	uint64_t now = platform_now();

	if (tcp_running && now - tcp.last >= TCP_INTERVAL) {
		tick(&tcp, now, TCP_INTERVAL, tcp_tmr);
		tcp_running = tcp_active_pcbs || tcp_tw_pcbs;
	}
	if (now - arp.last >= ARP_INTERVAL)
		tick(&arp, now, ARP_INTERVAL, arp_tick);
	if (now - reassembly.last >= REASS_INTERVAL) {
		if (reassembly.last < reassembly.until)
			tick(&reassembly, now, REASS_INTERVAL, reassembly_expire);
		else
			reassembly.last = now;
	}
	if (now - fine.last >= FINE_INTERVAL) {
		struct dhcp *dhcp = dhcp_of_nic();

		if (dhcp && dhcp->request_timeout)
			tick(&fine, now, FINE_INTERVAL, dhcp_fine_tmr);
		else
			fine.last = now;
	}
	if (now - coarse.last >= COARSE_INTERVAL)
		tick(&coarse, now, COARSE_INTERVAL, dhcp_coarse_tmr);
}

static void earlier(uint64_t *deadline, uint64_t other)
{
	if (other < *deadline)
		*deadline = other;
}

uint64_t timers_deadline(void)
{
	uint64_t deadline = UINT64_MAX;
	struct dhcp *dhcp = dhcp_of_nic();

	if (tcp_running)
		earlier(&deadline, tcp.last + TCP_INTERVAL);
	if (arp.last < arp.until)
		earlier(&deadline, arp.last + ARP_INTERVAL);
	if (reassembly.last < reassembly.until)
		earlier(&deadline, reassembly.last + REASS_INTERVAL);
	if (dhcp && dhcp->request_timeout)
		earlier(&deadline, fine.last + FINE_INTERVAL);
	if (dhcp && coarse_ticks(dhcp))
		earlier(&deadline, coarse.last + coarse_ticks(dhcp) * COARSE_INTERVAL);
	return deadline;
}
