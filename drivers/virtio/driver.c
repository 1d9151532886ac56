/* SPDX-License-Identifier: MIT */
/*
 * The start of a driver: the endpoint receives from the first moment, but no call is handled before
 * the device runs.
 */
#include <capos/log.h>
#include <capos/schema/kernel.h>
#include <capos/start.h>

#include "drivers/virtio/driver.h"

/* The device to drive, the endpoint to serve, the log for what goes wrong. */
static const struct start_expected expected[] = {
        {"serve", 0, false},
        {"device.mmio", DEVICE_MMIO_INTERFACE, false},
        {"device.interrupt", INTERRUPT_INTERFACE, false},
        {"device.dma", DMA_POOL_INTERFACE, false},
        {"log", LOG_INTERFACE, false},
        {NULL, 0, false},
};

struct virtio_device device;
struct server server;

/* ---- Interrupts ---- */

static bool interrupted; /* since the last round */
static uint64_t interrupts;

void driver_event(struct server *s, uint64_t bits)
{
	(void)s;
	if (!(bits & BIT_INTERRUPT))
		return;
	interrupts++;
	interrupted = true;
}

bool driver_interrupted(void)
{
	bool was = interrupted;

	interrupted = false;
	return was;
}

uint64_t driver_interrupts(void)
{
	return interrupts;
}

/* ---- Faults ---- */

/* A device that fails more often than this is not worth a driver. */
#define RESETS_MAX 16u

void driver_reset(const char *why)
{
	log_line("%s: %s", why, virtio_driver.after_reset);
	virtio_driver.start();
}

void driver_reset_after_fault(const char *why)
{
	static uint32_t resets;

	if (++resets > RESETS_MAX) {
		virtio_fail(&device);
		log_fatal("%s, and after %u resets: given up", why, RESETS_MAX);
	}
	driver_reset(why);
}

/* ---- Start ---- */

int main(void)
{
	int result;

	start_check(expected);
	virtio_driver.set_up();
	result = server_init(&server, &virtio_driver.ops, start_cap("serve"), NULL);
	if (!result)
		result = virtio_bind_interrupt(&device, server.event, BIT_INTERRUPT);
	if (result)
		log_fatal_error(result, "cannot serve");
	virtio_driver.start();
	virtio_driver.started();
	result = server_run(&server);
	log_fatal("the server has ended: %s", cap_error_text(result));
}
