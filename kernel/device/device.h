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
#include "object_header.h"

struct msg_call;
struct device;

DEFINE_HEADER_ACCESS(device, KIND_DEVICE_MMIO)
void device_last(struct object_header *header);             /* the last reference has gone */
uint64_t device_number(const struct object_header *header); /* its PCI address */

int device_manager_call(struct object_header *header, struct msg_call *msg);
int device_mmio_call(struct object_header *header, struct msg_call *msg);
int interrupt_call(struct object_header *header, struct msg_call *msg);
int dma_pool_call(struct object_header *header, struct msg_call *msg);

#endif
