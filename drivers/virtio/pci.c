/* SPDX-License-Identifier: MIT */
/*
 * Walks a PCI function's capability list for virtio's structures.  The first usable capability of
 * each kind counts, as the standard asks; one outside every region is passed over.
 */
#include <capos/abi.h>

#include "drivers/virtio/pci.h"

#define PCI_STATUS              0x06u
#define PCI_STATUS_CAPABILITIES 0x10u
#define PCI_CAPABILITIES        0x34u
#define PCI_CAPABILITY_VENDOR   0x09u
#define PCI_CONFIG_SIZE         256u
#define PCI_HEADER_SIZE         64u
/* As many capabilities as fit behind the header; a longer list loops. */
#define PCI_CAPABILITIES_MAX ((PCI_CONFIG_SIZE - PCI_HEADER_SIZE) / 4)

/* Offsets in a virtio capability, and its kinds. */
#define VIRTIO_CAP_LENGTH     2u
#define VIRTIO_CAP_TYPE       3u
#define VIRTIO_CAP_BAR        4u
#define VIRTIO_CAP_OFFSET     8u
#define VIRTIO_CAP_SIZE       12u
#define VIRTIO_CAP_MULTIPLIER 16u
#define VIRTIO_CAP_BYTES      16u

enum virtio_cap_type {
	VIRTIO_CAP_COMMON = 1,
	VIRTIO_CAP_NOTIFY = 2,
	VIRTIO_CAP_ISR = 3,
	VIRTIO_CAP_DEVICE = 4,
};

static int get(const struct virtio_config_space *space, uint32_t offset, uint8_t width,
               uint32_t *value)
{
	if (offset + width > PCI_CONFIG_SIZE)
		return CAP_EINVAL;
	return space->read(space->context, (uint16_t)offset, width, value);
}

/* Which region holds [offset, offset + length) of the BAR. */
static bool place(const struct virtio_region *regions, uint32_t nregions, uint32_t bar,
                  uint32_t offset, uint32_t length, struct virtio_window *out)
{
	for (uint32_t i = 0; i < nregions; i++) {
		const struct virtio_region *r = &regions[i];

		if (r->bar != bar || offset < r->offset || length > r->size ||
		    offset - r->offset > r->size - length)
			continue;
		*out = (struct virtio_window){true, (uint16_t)i, offset - r->offset, length};
		return true;
	}
	return false;
}

static struct virtio_window *window_of(struct virtio_layout *layout, uint32_t type, uint32_t *least,
                                       uint32_t *alignment)
{
	switch (type) {
	case VIRTIO_CAP_COMMON:
		*least = VIRTIO_COMMON_SIZE;
		*alignment = 4;
		return &layout->common;
	case VIRTIO_CAP_NOTIFY:
		*least = 2;
		*alignment = 2;
		return &layout->notify;
	case VIRTIO_CAP_ISR:
		*least = 1;
		*alignment = 1;
		return &layout->isr;
	case VIRTIO_CAP_DEVICE:
		*least = 1;
		*alignment = 4;
		return &layout->device;
	default:
		return NULL;
	}
}

static int consider(const struct virtio_config_space *space, uint32_t at,
                    const struct virtio_region *regions, uint32_t nregions,
                    struct virtio_layout *out)
{
	uint32_t length, type, bar, offset, size, multiplier = 0;
	uint32_t least, alignment;
	int result;

	if ((result = get(space, at + VIRTIO_CAP_LENGTH, 1, &length)) != CAP_OK ||
	    (result = get(space, at + VIRTIO_CAP_TYPE, 1, &type)) != CAP_OK)
		return result;

	struct virtio_window *window = window_of(out, type, &least, &alignment);

	if (!window || window->found || length < VIRTIO_CAP_BYTES)
		return CAP_OK;
	if ((result = get(space, at + VIRTIO_CAP_BAR, 1, &bar)) != CAP_OK ||
	    (result = get(space, at + VIRTIO_CAP_OFFSET, 4, &offset)) != CAP_OK ||
	    (result = get(space, at + VIRTIO_CAP_SIZE, 4, &size)) != CAP_OK)
		return result;
	if (type == VIRTIO_CAP_NOTIFY) {
		if (length < VIRTIO_CAP_BYTES + 4)
			return CAP_OK;
		if ((result = get(space, at + VIRTIO_CAP_MULTIPLIER, 4, &multiplier)) != CAP_OK)
			return result;
		if (multiplier % 2 != 0)
			return CAP_OK;
	}
	if (size < least || offset % alignment != 0)
		return CAP_OK;
	if (place(regions, nregions, bar, offset, size, window) && type == VIRTIO_CAP_NOTIFY)
		out->notify_multiplier = multiplier;
	return CAP_OK;
}

int virtio_pci_find(const struct virtio_config_space *space, const struct virtio_region *regions,
                    uint32_t nregions, struct virtio_layout *out, const char **why)
{
	uint32_t status, at;
	int result;

	*out = (struct virtio_layout){0};
	*why = "its configuration space cannot be read";
	if ((result = get(space, PCI_STATUS, 2, &status)) != CAP_OK ||
	    (result = get(space, PCI_CAPABILITIES, 1, &at)) != CAP_OK)
		return result;
	if (!(status & PCI_STATUS_CAPABILITIES))
		at = 0;
	for (uint32_t n = 0; (at &= ~3u) != 0; n++) {
		uint32_t id, next;

		*why = "its capability list does not end";
		if (n == PCI_CAPABILITIES_MAX || at < PCI_HEADER_SIZE)
			return CAP_EINVAL;
		*why = "a capability cannot be read";
		if ((result = get(space, at, 1, &id)) != CAP_OK ||
		    (result = get(space, at + 1, 1, &next)) != CAP_OK)
			return result;
		if (id == PCI_CAPABILITY_VENDOR) {
			result = consider(space, at, regions, nregions, out);
			if (result)
				return result;
		}
		at = next;
	}
	*why = "it has no modern virtio registers within its regions";
	return out->common.found && out->notify.found ? CAP_OK : CAP_ENOENT;
}
