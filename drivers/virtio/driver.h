/* SPDX-License-Identifier: MIT */
/*
 * The main of a virtio driver's process, which holds one device (three capabilities), the endpoint
 * that it serves, and a log: how it starts, what an interrupt and a fault of the device lead to.
 */
#ifndef VIRTIO_DRIVER_H
#define VIRTIO_DRIVER_H

#include <capos/server.h>

#include "drivers/virtio/device.h"

extern struct virtio_device device;
extern struct server server;

/* Bits of the server's event. */
#define BIT_INTERRUPT 0x1u
#define BIT_CLIENT    0x2u

/* Each driver defines this one. */
extern const struct virtio_driver {
	/* Its event is driver_event: what clients have is found out by looking, in idle. */
	struct server_ops ops;
	const char *after_reset; /* what a reset of the device means: a clause for the log */
	/* Each ends the process when it fails.  In this order: opens the device and takes its
	 * memory; from reset to running, also after a fault; once the device runs. */
	void (*set_up)(void);
	void (*start)(void);
	void (*started)(void);
} virtio_driver;

/* Takes note of an interrupt. */
void driver_event(struct server *s, uint64_t bits);
/* Whether the device has interrupted since this was last asked. */
bool driver_interrupted(void);
uint64_t driver_interrupts(void); /* how often it did */
/* From reset to running again. */
void driver_reset(const char *why);
/* The same, for a fault of the device: one that fails too often is given up. */
void driver_reset_after_fault(const char *why);

#endif
