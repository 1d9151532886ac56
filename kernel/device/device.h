/* SPDX-License-Identifier: MIT */
/*
 * Device access: DeviceManager, and DeviceMmio, Interrupt and DMAPool of an opened function, which
 * are one struct device under three kinds of capability.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_DEVICE_H
#define KERNEL_DEVICE_H

#include <stdint.h>

struct msg_call;
struct device;

void device_get(void *device);
void device_put(void *device);
uint16_t device_address(const struct device *d); /* PCI address */

int device_manager_call(void *object, struct msg_call *msg);
int device_mmio_call(void *device, struct msg_call *msg);
int interrupt_call(void *device, struct msg_call *msg);
int dma_pool_call(void *device, struct msg_call *msg);

#endif
