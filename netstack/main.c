/* SPDX-License-Identifier: MIT */
/*
 * The netstack process: what it holds ("nic", "entropy", "log", the endpoint "serve"), what the
 * pure files need of the system, and the start.  It holds no device and no memory but its own, its
 * clients' channels and the driver's buffers.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/clock.h>
#include <capos/log.h>
#include <capos/nicqueue.h>
#include <capos/schema/kernel.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/network.h>
#include <capos/schema/network_client.h>
#include <capos/server.h>
#include <capos/start.h>

#include "netstack/socket/datagram.h"
#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/socket/policy.h"
#include "netstack/lwip/random.h"
#include "netstack/socket/resolver.h"
#include "netstack/socket/socket.h"
#include "netstack/lwip/stack.h"

#define BIT_NIC 0x1u /* as in service.h */
/* A driver that does not answer for so long at start is not there. */
#define ATTACH_TIMEOUT_NS (10 * SECOND_NS)
/* Channels together take at most this share of the machine's memory. */
#define CHANNEL_SHARE 4u

extern struct server service;
extern const struct server_ops service_ops;
void service_start(void);

/* The endpoint to serve, random numbers for what must not be guessed, the log, and the network
 * interface, if the machine has one. */
static const struct start_expected expected[] = {
        {"serve", 0, false},
        {"entropy", ENTROPY_SOURCE_INTERFACE, false},
        {"log", LOG_INTERFACE, false},
        {"nic", NIC_INTERFACE, true},
        {NULL, 0, false},
};

/* ---- Start ---- */

static void seed_random(void)
{
	_Alignas(8) uint8_t buffer[256];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct entropy_source_read_params params = {.length = RANDOM_SEED_SIZE};
	struct entropy_source_read_results results;
	int result = entropy_source_read(start_cap("entropy"), &params, &results, &call);

	if (result)
		log_fatal("no entropy: %s", cap_error_text(result));
	if (results.data.len != RANDOM_SEED_SIZE)
		log_fatal("no entropy: too few bytes");
	random_seed(results.data.ptr);
	memset(buffer, 0, sizeof(buffer));
}

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

/* The driver's end signals every bit of the event; a client may do that too.  With the driver the
 * frames' memory lost its meaning: netstack starts anew beside the next driver. */
void platform_check_driver(uint64_t bits)
{
	uint64_t era;

	if (nic_era && bits == UINT64_MAX && (cap_test(nic_cap, &era) || era != nic_era))
		log_fatal("the network driver has ended");
}

static void attach_nic(cap_t nic)
{
	_Alignas(8) uint8_t buffer[512];
	struct capos_send_cap wake = {.rights = CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY,
	                              .flags = CAPOS_SEND_HANGUP};
	struct capos_call call = {.send_caps = &wake,
	                          .send_ncaps = 1,
	                          .buffer = buffer,
	                          .size = sizeof(buffer),
	                          .timeout_ns = ATTACH_TIMEOUT_NS};
	struct nic_attach_params params = {.wake_index = 0, .wake_bits = BIT_NIC};
	struct nic_attach_results results;
	struct nic_setup setup;
	int result;

	wake.cap = service.event;
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
		log_line("no network interface: the driver's answer makes no sense");
}

static uint64_t machine_memory(void)
{
	const struct capos_clock_page *page = (const void *)(uintptr_t)CAPOS_CLOCK_ADDR;

	return page->memory_pages * CAPOS_PAGE_SIZE;
}

int main(int argc, char **argv)
{
	struct stack_config config;
	const char *wrong;
	cap_t nic = start_cap("nic");
	int result;

	start_check(expected);
	if (!stack_parse_arguments(argc, (const char *const *)argv, &config, &wrong))
		log_fatal("unknown or malformed argument: %s", wrong);
	result = server_init(&service, &service_ops, start_cap("serve"), NULL);
	if (result)
		log_fatal("cannot serve: %s", cap_error_text(result));
	result = server_hold_start(&service);
	if (result)
		log_fatal("cannot hold calls: %s", cap_error_text(result));
	platform_start();
	seed_random();
	socket_set_budget(machine_memory() / CHANNEL_SHARE);
	service_start();
	resolver_on_answer(policy_learn);
	stack_init();
	if (icmp_init())
		log_fatal("out of memory at start");
	if (nic != CAP_NULL)
		attach_nic(nic);
	else
		log_line("no network interface was given");
	stack_configure(&config);
	result = server_run(&service);
	log_fatal("the endpoint is gone: %s", cap_error_text(result));
}
