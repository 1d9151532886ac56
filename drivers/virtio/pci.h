/* SPDX-License-Identifier: MIT */
/*
 * Where a virtio PCI function keeps its registers (virtio 1.2, section 4.1.4): found in its vendor
 * capabilities, each checked against the regions that the driver may map.  Nothing found here
 * reaches outside one of those.  Pure: configuration space is read through a function.
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_PCI_VENDOR 0x1af4u

/* More than any function offers: six BARs, each cut in two by an MSI-X table. */
#define VIRTIO_REGIONS_MAX 12u

struct virtio_region { /* of a BAR; what DeviceMmio.info returns */
	uint8_t bar;
	uint64_t offset; /* in the BAR */
	uint64_t size;
};

struct virtio_window { /* one structure's place */
	bool found;
	uint16_t region;
	uint64_t offset; /* in the region */
	uint32_t length; /* bytes */
};

struct virtio_layout {
	struct virtio_window common, notify, isr, device;
	uint32_t notify_multiplier;
};

struct virtio_config_space {
	/* CAP_OK or the error that the whole search then ends with. */
	int (*read)(void *context, uint16_t offset, uint8_t width, uint32_t *value);
	void *context;
};

/* Bytes of the common configuration up to queue_device: what every modern device has. */
#define VIRTIO_COMMON_SIZE 56u

/* CAP_OK; CAP_ENOENT (not a modern virtio device: common or notify is missing or out of bounds),
 * CAP_EINVAL (a capability list that loops), or an error of read; *why says it in words. */
int virtio_pci_find(const struct virtio_config_space *space, const struct virtio_region *regions,
                    uint32_t nregions, struct virtio_layout *out, const char **why);

#endif
