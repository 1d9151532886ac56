/* SPDX-License-Identifier: MIT */
/*
 * Registers of a modern virtio PCI device (virtio 1.2, sections 3.1 and 4.1).  Used only by the
 * driver's one thread: register pairs (select, then value) are not locked.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/start.h>

#include "drivers/virtio/device.h"

/* Offsets in the common configuration. */
enum {
	COMMON_DEVICE_FEATURE_SELECT = 0,
	COMMON_DEVICE_FEATURE = 4,
	COMMON_DRIVER_FEATURE_SELECT = 8,
	COMMON_DRIVER_FEATURE = 12,
	COMMON_CONFIG_VECTOR = 16,
	COMMON_STATUS = 20,
	COMMON_GENERATION = 21,
	COMMON_QUEUE_SELECT = 22,
	COMMON_QUEUE_SIZE = 24,
	COMMON_QUEUE_VECTOR = 26,
	COMMON_QUEUE_ENABLE = 28,
	COMMON_QUEUE_NOTIFY_OFFSET = 30,
	COMMON_QUEUE_DESCRIPTORS = 32,
	COMMON_QUEUE_AVAILABLE = 40,
	COMMON_QUEUE_USED = 48,
};

enum {
	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_DEVICE_NEEDS_RESET = 64,
	STATUS_FAILED = 128,
};

#define RESET_TRIES      1000 /* a millisecond each */
#define RESET_PAUSE_NS   1000000ull
#define GENERATION_TRIES 16
#define NAME_MAX_BYTES   48u

/* Replies of 512 device addresses, or of all regions, fit. */
static uint64_t call_buffer[CAPOS_KERNEL_MESSAGE_MAX / 8];

static struct capos_call big_call(void)
{
	return (struct capos_call){.buffer = call_buffer, .size = sizeof(call_buffer)};
}

static uint8_t get8(const volatile uint8_t *base, uint32_t offset)
{
	return base[offset];
}

static uint16_t get16(const volatile uint8_t *base, uint32_t offset)
{
	return *(const volatile uint16_t *)(base + offset);
}

static uint32_t get32(const volatile uint8_t *base, uint32_t offset)
{
	return *(const volatile uint32_t *)(base + offset);
}

static void put8(volatile uint8_t *base, uint32_t offset, uint8_t value)
{
	base[offset] = value;
}

static void put16(volatile uint8_t *base, uint32_t offset, uint16_t value)
{
	*(volatile uint16_t *)(base + offset) = value;
}

static void put32(volatile uint8_t *base, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(base + offset) = value;
}

/* 64-bit registers are written by halves, as every device must take them. */
static void put64(volatile uint8_t *base, uint32_t offset, uint64_t value)
{
	put32(base, offset, (uint32_t)value);
	put32(base, offset + 4, (uint32_t)(value >> 32));
}

/* ---- Finding the registers ---- */

static int read_config_space(void *context, uint16_t offset, uint8_t width, uint32_t *value)
{
	struct virtio_device *d = context;
	struct device_mmio_read_config_params in = {.offset = offset, .width = width};
	struct device_mmio_read_config_results out;
	struct capos_call call = big_call();
	int result = device_mmio_read_config(d->mmio, &in, &out, &call);

	if (!result)
		*value = out.value;
	return result;
}

static int read_regions(struct virtio_device *d, struct virtio_region *regions, uint32_t *count)
{
	struct device_mmio_info_results out;
	struct capos_call call = big_call();
	int result = device_mmio_info(d->mmio, &out, &call);

	if (result)
		return result;
	*count = out.regions.count < VIRTIO_REGIONS_MAX ? out.regions.count : VIRTIO_REGIONS_MAX;
	for (uint32_t i = 0; i < *count; i++) {
		struct mmio_region r;

		result = mmio_region_get(&out.regions, i, &r);
		if (result)
			return result;
		regions[i] = (struct virtio_region){r.bar, r.offset, r.size};
	}
	return CAP_OK;
}

/* Maps the window's region, unless another window did. */
static int map_window(struct virtio_device *d, const struct virtio_region *regions,
                      const struct virtio_window *w, uint64_t *mapped, volatile uint8_t **out)
{
	*out = NULL;
	if (!w->found)
		return CAP_OK;
	if (mapped[w->region] == 0) {
		struct device_mmio_map_params in = {.region = w->region};
		struct device_mmio_map_results map;
		struct capos_call call = big_call();
		int result = device_mmio_map(d->mmio, &in, &map, &call);

		if (result)
			return result;
		if (map.size < regions[w->region].size)
			return CAP_EINVAL;
		mapped[w->region] = map.address;
	}
	*out = (volatile uint8_t *)(mapped[w->region] + w->offset);
	return CAP_OK;
}

static cap_t device_cap(const char *name, const char *part)
{
	char full[NAME_MAX_BYTES];
	cap_t cap;

	fmt_snprintf(full, sizeof(full), "%s.%s", name, part);
	cap = start_cap(full);
	if (cap == CAP_NULL)
		log_line("no capability %s", full);
	return cap;
}

int virtio_open(struct virtio_device *d, const char *name)
{
	struct virtio_config_space space = {.read = read_config_space, .context = d};
	struct virtio_region regions[VIRTIO_REGIONS_MAX];
	uint64_t mapped[VIRTIO_REGIONS_MAX] = {0};
	uint32_t nregions = 0;
	const char *why = "its regions cannot be listed";

	*d = (struct virtio_device){
	        .mmio = device_cap(name, "mmio"),
	        .interrupt = device_cap(name, "interrupt"),
	        .dma = device_cap(name, "dma"),
	};
	if (d->mmio == CAP_NULL || d->interrupt == CAP_NULL || d->dma == CAP_NULL)
		return CAP_ENOENT;

	int result = read_regions(d, regions, &nregions);

	if (!result)
		result = virtio_pci_find(&space, regions, nregions, &d->layout, &why);
	if (!result) {
		why = "its registers cannot be mapped";
		result = map_window(d, regions, &d->layout.common, mapped, &d->common);
	}
	if (!result)
		result = map_window(d, regions, &d->layout.notify, mapped, &d->notify);
	if (!result)
		result = map_window(d, regions, &d->layout.device, mapped, &d->config);
	if (!result && (!d->common || !d->notify))
		result = CAP_ENOENT;
	if (!result) { /* the driver before this one may have left it running */
		why = "it cannot be reset";
		result = virtio_reset(d);
	}
	if (result)
		log_line("device %s is not usable: %s (%s)", name, why, cap_error_text(result));
	return result;
}

/* ---- Status and features ---- */

static void add_status(struct virtio_device *d, uint8_t bits)
{
	put8(d->common, COMMON_STATUS, get8(d->common, COMMON_STATUS) | bits);
}

void virtio_fail(struct virtio_device *d)
{
	add_status(d, STATUS_FAILED);
}

int virtio_reset(struct virtio_device *d)
{
	put8(d->common, COMMON_STATUS, 0);
	for (int i = 0; i < RESET_TRIES; i++) {
		if (get8(d->common, COMMON_STATUS) == 0)
			return CAP_OK;
		(void)cap_sleep(RESET_PAUSE_NS);
	}
	log_line("the device does not finish its reset");
	return CAP_ETIMEDOUT;
}

bool virtio_needs_reset(struct virtio_device *d)
{
	return get8(d->common, COMMON_STATUS) & STATUS_DEVICE_NEEDS_RESET;
}

void virtio_run(struct virtio_device *d)
{
	add_status(d, STATUS_DRIVER_OK);
}

static uint64_t offered_features(struct virtio_device *d)
{
	uint64_t low, high;

	put32(d->common, COMMON_DEVICE_FEATURE_SELECT, 0);
	low = get32(d->common, COMMON_DEVICE_FEATURE);
	put32(d->common, COMMON_DEVICE_FEATURE_SELECT, 1);
	high = get32(d->common, COMMON_DEVICE_FEATURE);
	return low | high << 32;
}

static int give_up(struct virtio_device *d, const char *why)
{
	log_line("the device cannot be driven: %s", why);
	virtio_fail(d);
	return CAP_EINVAL;
}

int virtio_negotiate(struct virtio_device *d, uint64_t wanted, uint64_t required)
{
	int result = virtio_reset(d);

	if (result) {
		virtio_fail(d);
		return result;
	}
	required |= VIRTIO_F_VERSION_1;
	add_status(d, STATUS_ACKNOWLEDGE);
	add_status(d, STATUS_DRIVER);

	uint64_t offered = offered_features(d);

	if ((offered & required) != required) {
		log_line("features offered %llx, required %llx", (unsigned long long)offered,
		         (unsigned long long)required);
		return give_up(d, "it lacks a feature that this driver needs");
	}
	d->features = offered & (wanted | required);
	put32(d->common, COMMON_DRIVER_FEATURE_SELECT, 0);
	put32(d->common, COMMON_DRIVER_FEATURE, (uint32_t)d->features);
	put32(d->common, COMMON_DRIVER_FEATURE_SELECT, 1);
	put32(d->common, COMMON_DRIVER_FEATURE, (uint32_t)(d->features >> 32));
	add_status(d, STATUS_FEATURES_OK);
	if (!(get8(d->common, COMMON_STATUS) & STATUS_FEATURES_OK))
		return give_up(d, "it refuses the features it offered");
	put16(d->common, COMMON_CONFIG_VECTOR, VIRTIO_VECTOR);
	if (get16(d->common, COMMON_CONFIG_VECTOR) != VIRTIO_VECTOR)
		return give_up(d, "it has no interrupt vector for its configuration");
	return CAP_OK;
}

/* ---- Queues ---- */

uint16_t virtio_queue_size(struct virtio_device *d, uint16_t index)
{
	put16(d->common, COMMON_QUEUE_SELECT, index);

	uint16_t size = get16(d->common, COMMON_QUEUE_SIZE);

	/* Round down to a power of two: any smaller size may be chosen. */
	while (size & (size - 1))
		size &= (uint16_t)(size - 1);
	return size;
}

/* What the device calls the byte at `offset` of memory whose pages are these. */
static uint64_t device_address(const uint64_t *pages, uint32_t offset)
{
	return pages[offset / CAPOS_PAGE_SIZE] + offset % CAPOS_PAGE_SIZE;
}

int virtio_queue_setup(struct virtio_device *d, struct virtqueue *q, uint16_t index, uint16_t size,
                       void *memory, const uint64_t *pages, uint32_t offset,
                       struct virtqueue_slot *slots)
{
	put16(d->common, COMMON_QUEUE_SELECT, index);

	uint64_t doorbell = (uint64_t)get16(d->common, COMMON_QUEUE_NOTIFY_OFFSET) *
	                    d->layout.notify_multiplier;

	if (doorbell + sizeof(uint16_t) > d->layout.notify.length)
		return give_up(d, "a queue's doorbell is outside its registers");
	virtqueue_init(q, memory, size, slots, index, d->features & VIRTIO_F_EVENT_IDX,
	               (volatile uint16_t *)(d->notify + doorbell));
	put16(d->common, COMMON_QUEUE_SIZE, size);
	put64(d->common, COMMON_QUEUE_DESCRIPTORS, device_address(pages, offset));
	put64(d->common, COMMON_QUEUE_AVAILABLE,
	      device_address(pages, offset + VIRTQUEUE_AVAILABLE_OFFSET(size)));
	put64(d->common, COMMON_QUEUE_USED,
	      device_address(pages, offset + VIRTQUEUE_USED_OFFSET(size)));
	put16(d->common, COMMON_QUEUE_VECTOR, VIRTIO_VECTOR);
	if (get16(d->common, COMMON_QUEUE_VECTOR) != VIRTIO_VECTOR)
		return give_up(d, "it has no interrupt vector for a queue");
	put16(d->common, COMMON_QUEUE_ENABLE, 1);
	return CAP_OK;
}

/* ---- Device configuration, interrupt, memory ---- */

/* By the field's own width, as the standard asks; anything else is an array of bytes. */
static void read_field(const volatile uint8_t *from, uint8_t *to, uint32_t length)
{
	if (length == 2 || length == 4) {
		uint32_t value = length == 2 ? get16(from, 0) : get32(from, 0);

		memcpy(to, &value, length);
		return;
	}
	for (uint32_t i = 0; i < length; i++)
		to[i] = get8(from, i);
}

int virtio_read_config(struct virtio_device *d, uint32_t offset, void *out, uint32_t length)
{
	if (!d->config || length > d->layout.device.length ||
	    offset > d->layout.device.length - length)
		return CAP_EINVAL;
	for (int i = 0; i < GENERATION_TRIES; i++) {
		uint8_t before = get8(d->common, COMMON_GENERATION);

		read_field(d->config + offset, out, length);
		if (get8(d->common, COMMON_GENERATION) == before)
			return CAP_OK;
	}
	return CAP_EAGAIN;
}

int virtio_bind_interrupt(struct virtio_device *d, cap_t event, uint64_t bits)
{
	struct interrupt_bind_params in = {.event_index = 0, .bits = bits};
	struct capos_send_cap send = {.cap = event, .rights = CAP_RIGHT_SIGNAL};
	struct capos_call call = big_call();

	call.send_caps = &send;
	call.send_ncaps = 1;
	return interrupt_bind(d->interrupt, &in, &call);
}

int virtio_dma_allocate(struct virtio_device *d, uint32_t npages, uint64_t *pages, void **base,
                        cap_t *memory)
{
	struct dma_pool_allocate_params in = {.pages = npages};
	struct dma_pool_allocate_results out;
	struct capos_call call = big_call();
	int result = dma_pool_allocate(d->dma, &in, &out, &call);

	if (result)
		return result;
	if (out.memory_index >= call.ncaps || out.device_addresses.count != npages)
		result = CAP_EMESSAGE;
	for (uint32_t i = 0; i < npages && !result; i++)
		result = msg_list_u64(&out.device_addresses, i, &pages[i]);

	/* One capability is expected; any other is given back. */
	cap_t object = !result ? call.caps[out.memory_index] : CAP_NULL;

	for (uint32_t i = 0; i < call.ncaps; i++)
		if (call.caps[i] != object)
			(void)cap_release(call.caps[i]);
	if (result)
		return result;
	result = cap_memory_map(object, 0, (uint64_t)npages * CAPOS_PAGE_SIZE,
	                        CAP_RIGHT_READ | CAP_RIGHT_WRITE, base);
	if (!result && memory)
		*memory = object;
	else
		(void)cap_release(object); /* the mapping, if there is one, keeps the pages */
	return result;
}
