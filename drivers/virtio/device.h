/* SPDX-License-Identifier: MIT */
/*
 * A modern virtio PCI device as its driver process holds it: the three device capabilities, the
 * registers they lead to, and memory that the device may reach.  Everything the device says is
 * read once and checked here; nothing waits for the device without a bound.
 *
 * Functions answer CAP_OK or an enum cap_error.
 */
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include <capos/abi.h>

#include "drivers/virtio/pci.h"
#include "drivers/virtio/virtqueue.h"

/* Feature bits that belong to no device type (virtio 1.2, section 6). */
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

/* Vector of everything; the kernel routes MSI-X entry 0 and masks all others. */
#define VIRTIO_VECTOR 0u

/* Most pages of one DMA allocation (DMAPool.allocate). */
#define VIRTIO_DMA_PAGES_MAX 512u

struct virtio_device {
	cap_t mmio, interrupt, dma; /* the process's for its whole life */
	struct virtio_layout layout;
	volatile uint8_t *common, *notify, *config; /* config: NULL when the device has none */
	uint64_t features;                          /* negotiated */
};

/* Finds the capabilities NAME.mmio, NAME.interrupt, NAME.dma in the start block, maps the
 * registers and resets the device.  Logs what is wrong. */
int virtio_open(struct virtio_device *d, const char *name);
/* Resets the device and negotiates: of what it offers, `wanted` is taken; it must offer
 * VIRTIO_F_VERSION_1 and `required`.  On failure the device is marked FAILED, with a line in the
 * log. */
int virtio_negotiate(struct virtio_device *d, uint64_t wanted, uint64_t required);
/* Largest size of queue `index`; 0 when there is no such queue. */
uint16_t virtio_queue_size(struct virtio_device *d, uint16_t index);
/* Between negotiation and virtio_run: initialises q over memory (VIRTQUEUE_MEMORY_SIZE(size) bytes,
 * whose pages the device knows by `pages`; memory starts at byte `offset` of the first page) and
 * hands it to the device.  size: at most virtio_queue_size. */
int virtio_queue_setup(struct virtio_device *d, struct virtqueue *q, uint16_t index, uint16_t size,
                       void *memory, const uint64_t *pages, uint32_t offset,
                       struct virtqueue_slot *slots);
void virtio_run(struct virtio_device *d); /* DRIVER_OK */
void virtio_fail(struct virtio_device *d);
/* Stops the device: when this has succeeded it touches no memory any more. */
int virtio_reset(struct virtio_device *d);
/* The device says that it cannot go on without a reset. */
bool virtio_needs_reset(struct virtio_device *d);
/* One field of the device configuration, or an array of bytes.  CAP_EINVAL when the device has
 * less. */
int virtio_read_config(struct virtio_device *d, uint32_t offset, void *out, uint32_t length);

/* Makes the device's interrupt set bits of event. */
int virtio_bind_interrupt(struct virtio_device *d, cap_t event, uint64_t bits);
/* Zeroed memory that the device may reach, mapped: pages[0..npages) is what it calls each page.
 * *memory (may be NULL) is the caller's. */
int virtio_dma_allocate(struct virtio_device *d, uint32_t npages, uint64_t *pages, void **base,
                        cap_t *memory);

#endif
