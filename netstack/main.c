/* SPDX-License-Identifier: MIT */
/*
 * The netstack process: what it holds ("nic", "entropy", "log", the endpoint "serve"), and the
 * start.  It holds no device, and no memory but its own, its clients' channels and the driver's
 * buffers.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/clock.h>
#include <capos/log.h>
#include <capos/schema/kernel.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/network.h>
#include <capos/server.h>
#include <capos/start.h>

#include "netstack/lwip/heap.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/random.h"
#include "netstack/lwip/stack.h"
#include "netstack/service/service.h"
#include "netstack/service/service_call.h"
#include "netstack/service/service_driver.h"
#include "netstack/socket/icmp.h"
#include "netstack/socket/policy.h"
#include "netstack/socket/resolver.h"
#include "netstack/socket/socket.h"

/* Channels together take at most this share of the machine's memory. */
#define CHANNEL_SHARE 4u

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

static uint64_t machine_memory(void)
{
	const struct capos_clock_page *page = (const void *)(uintptr_t)CAPOS_CLOCK_ADDR;

	return page->memory_pages * CAPOS_PAGE_SIZE;
}

static void start_heap(void)
{
	uint64_t size = heap_plan(machine_memory());
	void *memory;
	int result = memory_make((size + CAPOS_PAGE_SIZE - 1) & ~(CAPOS_PAGE_SIZE - 1ull), &memory);

	if (result)
		log_fatal_error(result, "cannot make the heap of %llu KiB",
		                (unsigned long long)size >> 10);
	heap_start(memory);
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
		log_fatal_error(result, "cannot serve");
	result = server_hold_start(&service);
	if (result)
		log_fatal_error(result, "cannot hold calls");
	platform_start();
	start_heap();
	seed_random();
	if (socket_start(memory_portion(SOCKETS_MAX, SOCKETS_LEAST)))
		log_fatal_error(CAP_ENOMEM, "cannot make the table of sockets");
	socket_set_budget(machine_memory() / CHANNEL_SHARE);
	service_start();
	resolver_on_answer(policy_learn);
	stack_init();
	if (icmp_init())
		log_fatal("out of memory at start");
	if (nic != CAP_NULL)
		driver_attach(nic, service.event);
	else
		log_line("no network interface was given");
	stack_configure(&config);
	result = server_run(&service);
	log_fatal("the endpoint has ended: %s", cap_error_text(result));
}
