/* SPDX-License-Identifier: MIT */
/*
 * The network driver's process: attaching to it at start, and noticing its end.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/log.h>
#include <capos/nicqueue.h>
#include <capos/schema/network.h>
#include <capos/schema/network_client.h>

#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/service/service_driver.h"

/* A driver that does not answer for so long at start does not work. */
#define ATTACH_TIMEOUT_NS (10 * SECOND_NS)

/* Maps what the driver answered to attach. */
static int map_nic(const struct nic_attach_results *results, struct capos_call *call,
                   struct nic_setup *setup)
{
	uint64_t size;

	if (results->memory_index >= call->ncaps || results->event_index >= call->ncaps ||
	    results->buffer_size != NICQUEUE_BUFFER_SIZE ||
	    results->receive_buffers > NICQUEUE_ENTRIES ||
	    results->transmit_buffers > NICQUEUE_ENTRIES || results->mac_address.len != 6)
		return CAP_EMESSAGE;
	*setup = (struct nic_setup){.receive_buffers = results->receive_buffers,
	                            .transmit_buffers = results->transmit_buffers,
	                            .mtu = results->mtu,
	                            .driver_event = call->caps[results->event_index],
	                            .driver_bits = results->event_bits};
	memcpy(setup->mac, results->mac_address.ptr, 6);
	size = NICQUEUE_MEMORY_SIZE(results->receive_buffers, results->transmit_buffers);
	return cap_memory_map(call->caps[results->memory_index], 0, size,
	                      CAP_RIGHT_READ | CAP_RIGHT_WRITE, &setup->memory);
}

static cap_t nic_cap;
static uint64_t nic_era; /* of the driver's process, by cap_test */

/* The driver's end signals every bit of the event; a client may do that too.  The frames' memory
 * ends with the driver: netstack starts anew with the next one. */
void driver_check(uint64_t bits)
{
	uint64_t era;

	if (nic_era && bits == UINT64_MAX && (cap_test(nic_cap, &era) || era != nic_era))
		log_fatal("the network driver has ended");
}

void driver_attach(cap_t nic, cap_t event)
{
	_Alignas(8) uint8_t buffer[512];
	struct capos_send_cap wake = {.rights = CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY,
	                              .flags = CAPOS_SEND_HANGUP};
	struct capos_call call = {.send_caps = &wake,
	                          .send_ncaps = 1,
	                          .buffer = buffer,
	                          .size = sizeof(buffer),
	                          .timeout_ns = ATTACH_TIMEOUT_NS};
	struct nic_attach_params params = {.wake_index = 0, .wake_bits = DRIVER_BIT};
	struct nic_attach_results results;
	struct nic_setup setup;
	int result;

	wake.cap = event;
	nic_cap = nic;
	(void)cap_test(nic, &nic_era); /* first: a driver that ends meanwhile is noticed */
	result = nic_attach(nic, &params, &results, &call);
	if (!result)
		result = map_nic(&results, &call, &setup);
	if (result == CAP_EGONE)
		log_fatal("the network driver has ended");
	if (result) {
		log_line("no network interface: %s", cap_error_text(result));
		nic_era = 0;
		return;
	}
	if (nic_open(&setup))
		log_line("no network interface: the driver's answer is malformed");
}
