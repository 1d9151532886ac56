/* SPDX-License-Identifier: MIT */
/*
 * The main of a virtio driver's process, which holds one device (three capabilities), the endpoint
 * that it serves, and a log.
 */
#ifndef VIRTIO_DRIVER_H
#define VIRTIO_DRIVER_H

#include <capos/server.h>

#include "drivers/virtio/device.h"

struct virtio_driver {
	struct virtio_device *device;
	struct server *server;
	const struct server_ops *ops;
	uint64_t interrupt_bit; /* of the server's event */
	/* Each ends the process when it fails.  In this order: opens the device and takes its
	 * memory; from reset to running; once the device runs. */
	void (*set_up)(void);
	void (*start)(void);
	void (*started)(void);
};

/* Checks what the process was given, starts the driver and serves for ever. */
_Noreturn void virtio_driver_main(const struct virtio_driver *driver);

#endif
