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

void virtio_driver_main(const struct virtio_driver *driver)
{
	int result;

	start_check(expected);
	driver->set_up();
	result = server_init(driver->server, driver->ops, start_cap("serve"), NULL);
	if (!result)
		result = virtio_bind_interrupt(driver->device, driver->server->event,
		                               driver->interrupt_bit);
	if (result)
		log_fatal_error(result, "cannot serve");
	driver->start();
	driver->started();
	result = server_run(driver->server);
	log_fatal("the server has ended: %s", cap_error_text(result));
}
