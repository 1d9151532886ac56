/* SPDX-License-Identifier: MIT */
/*
 * The network interface: frames between the NIC driver's shared queues and lwIP, with one copy each
 * way.  Nothing in the shared memory is trusted: a descriptor is read once and dropped if its
 * buffer is out of range; a frame is copied out before it is parsed.
 */
#ifndef NETSTACK_NIC_H
#define NETSTACK_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/netif.h"

/* What Nic.attach answered. */
struct nic_setup {
	void *memory; /* NICQUEUE_MEMORY_SIZE(receive_buffers, transmit_buffers), stays mapped */
	uint32_t receive_buffers, transmit_buffers;
	uint16_t mtu;
	uint8_t mac[6];
	uint64_t driver_event, driver_bits; /* how to wake the driver */
};

/* Adds the interface to lwIP, up, without an address.  STATUS_OK or STATUS_INVALID_ARGUMENT. */
int nic_open(const struct nic_setup *setup);
/* NULL: not attached. */
struct netif *nic_netif(void);

/* Passes received frames to lwIP, at most `most`; returns their number. */
unsigned nic_take_frames(unsigned most);
/* Publishes what was sent and given back since the last time, and wakes the driver if it asked. */
void nic_flush(void);
/* Asks to be woken by the driver.  True: a frame has arrived meanwhile. */
bool nic_arm(void);

/* Transmit buffers that are free now. */
unsigned nic_transmit_space(void);
/* True when fewer transmit buffers are free than so many frames (or half of all buffers) need; the
 * sender then waits for nic_was_starved(). */
bool nic_transmit_short(unsigned frames);
/* True once when a sender found no transmit buffer and one is free again. */
bool nic_was_starved(void);

struct nic_counters {
	uint64_t received, transmitted;
	uint64_t malformed; /* descriptors out of range */
	uint64_t martian;   /* received packets with a source address of this host */
	uint64_t no_memory; /* received frames dropped for lack of memory */
	uint64_t no_buffer; /* frames not sent for lack of a transmit buffer */
};
const struct nic_counters *nic_counters(void);

#endif
