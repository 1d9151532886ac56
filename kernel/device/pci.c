/* SPDX-License-Identifier: MIT */
/*
 * Finds PCI functions and places their BARs.  Firmware may have placed them or not; what it has not
 * is placed here, in the window that the architecture names.
 */
#include "device/pci.h"
#include "arch.h"
#include "kernel.h"

#define CONFIG_VENDOR       0x00
#define CONFIG_COMMAND      0x04
#define CONFIG_STATUS       0x06
#define CONFIG_CLASS        0x08
#define CONFIG_HEADER       0x0e
#define CONFIG_BAR          0x10
#define CONFIG_BRIDGE_BUSES 0x18
#define CONFIG_SUBSYSTEM    0x2c
#define CONFIG_CAPABILITIES 0x34

#define COMMAND_IO          0x0001u
#define COMMAND_MEMORY      0x0002u
#define COMMAND_MASTER      0x0004u
#define COMMAND_NO_INTX     0x0400u
#define STATUS_CAPABILITIES 0x0010u
#define CAPABILITY_MSIX     0x11
#define MSIX_ENABLE         0x8000u
#define MSIX_MASK_ALL       0x4000u
#define MSIX_ENTRY_MASKED   1u

#define CLASS_BRIDGE_PCI 0x0604u

struct pci_function pci_functions[PCI_FUNCTIONS_MAX];
unsigned pci_count;
static uint64_t window, window_end; /* what is left for BARs without a place */

static uint32_t get(const struct pci_function *f, uint16_t offset, unsigned width)
{
	return arch_pci_read(f->address, offset, width);
}

static void set(const struct pci_function *f, uint16_t offset, unsigned width, uint32_t value)
{
	arch_pci_write(f->address, offset, width, value);
}

/* ---- BARs ---- */

static void place_bar(const struct pci_function *f, unsigned i, struct pci_bar *bar, bool wide)
{
	uint64_t base = (window + bar->size - 1) & ~(bar->size - 1);
	if (base < window || base > window_end || bar->size > window_end - base ||
	    (!wide && base + bar->size > UINT32_MAX)) {
		klog("kernel: pci %04x: no room for BAR %u", f->address, i);
		bar->size = 0;
		return;
	}
	bar->base = base;
	window = base + bar->size;
	set(f, (uint16_t)(CONFIG_BAR + 4 * i), 4, (uint32_t)base);
	if (wide)
		set(f, (uint16_t)(CONFIG_BAR + 4 * i + 4), 4, (uint32_t)(base >> 32));
}

/* Reads BAR i; how many registers it takes. */
static unsigned size_bar(struct pci_function *f, unsigned i)
{
	uint16_t at = (uint16_t)(CONFIG_BAR + 4 * i);
	uint32_t low = get(f, at, 4);
	if (low & 1)
		return 1;
	bool wide = (low & 6) == 4 && i + 1 < PCI_BARS;
	uint32_t high = wide ? get(f, at + 4, 4) : 0;
	set(f, at, 4, UINT32_MAX);
	if (wide)
		set(f, at + 4, 4, UINT32_MAX);
	uint64_t mask = (get(f, at, 4) & ~0xfu) | (uint64_t)(wide ? get(f, at + 4, 4) : UINT32_MAX)
	                                                  << 32;
	set(f, at, 4, low);
	if (wide)
		set(f, at + 4, 4, high);
	struct pci_bar *bar = &f->bars[i];
	if ((uint32_t)mask != 0 || (wide && mask >> 32 != 0))
		bar->size = ~mask + 1;
	bar->base = (low & ~0xfu) | (uint64_t)high << 32;
	if (bar->size != 0 && bar->base == 0)
		place_bar(f, i, bar, wide);
	return wide ? 2 : 1;
}

static void read_msix(struct pci_function *f)
{
	if (!(get(f, CONFIG_STATUS, 2) & STATUS_CAPABILITIES))
		return;
	uint8_t at = get(f, CONFIG_CAPABILITIES, 1) & 0xfc;
	for (unsigned most = 48; at != 0 && most > 0; most--, at = get(f, at + 1, 1) & 0xfc) {
		if (get(f, at, 1) != CAPABILITY_MSIX)
			continue;
		uint32_t table = get(f, at + 4, 4), pending = get(f, at + 8, 4);
		f->vectors = (get(f, at + 2, 2) & 0x7ff) + 1;
		f->table_bar = table & 7;
		f->table_offset = table & ~7u;
		f->pending_bar = pending & 7;
		f->pending_offset = pending & ~7u;
		uint64_t end = f->table_offset + 16ull * f->vectors;
		if (f->table_bar < PCI_BARS && f->pending_bar < PCI_BARS &&
		    end <= f->bars[f->table_bar].size)
			f->msix = at;
		return;
	}
}

/* ---- Finding ---- */

static void add_function(uint16_t address, uint32_t id)
{
	if (pci_count == PCI_FUNCTIONS_MAX) {
		klog("kernel: pci %04x: more functions than the kernel has vectors for", address);
		return;
	}
	struct pci_function *f = &pci_functions[pci_count++];
	f->address = address;
	f->vendor = (uint16_t)id;
	f->device = (uint16_t)(id >> 16);
	f->class_code = get(f, CONFIG_CLASS, 4) >> 8;
	if ((get(f, CONFIG_HEADER, 1) & 0x7f) != 0)
		return; /* a bridge: no device to hand out */
	uint32_t subsystem = get(f, CONFIG_SUBSYSTEM, 4);
	f->subsystem_vendor = (uint16_t)subsystem;
	f->subsystem = (uint16_t)(subsystem >> 16);
	uint32_t command = get(f, CONFIG_COMMAND, 2);
	set(f, CONFIG_COMMAND, 2, command & ~(COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER));
	for (unsigned i = 0; i < PCI_BARS;)
		i += size_bar(f, i);
	set(f, CONFIG_COMMAND, 2, command & ~COMMAND_MASTER);
	read_msix(f);
}

static void scan_bus(uint8_t bus)
{
	for (unsigned slot = 0; slot < 32 * 8; slot++) {
		uint16_t address = (uint16_t)(bus << 8 | slot);
		uint32_t id = arch_pci_read(address, CONFIG_VENDOR, 4);
		if ((id & 0xffff) == 0xffff) {
			if (slot % 8 == 0)
				slot += 7; /* without function 0 there is no other */
			continue;
		}
		add_function(address, id);
		uint32_t header = arch_pci_read(address, CONFIG_HEADER, 1);
		if (slot % 8 == 0 && !(header & 0x80))
			slot += 7;
		if (arch_pci_read(address, CONFIG_CLASS, 4) >> 16 != CLASS_BRIDGE_PCI)
			continue;
		uint8_t below = arch_pci_read(address, CONFIG_BRIDGE_BUSES + 1, 1);
		if (below > bus) /* bus numbers grow downwards, so this ends */
			scan_bus(below);
	}
}

void pci_discover(void)
{
	arch_pci_window(&window, &window_end);
	scan_bus(0);
}

struct pci_function *pci_find(uint16_t address)
{
	for (unsigned i = 0; i < pci_count; i++) {
		if (pci_functions[i].address == address)
			return &pci_functions[i];
	}
	return NULL;
}

/* ---- Regions ---- */

struct interval {
	uint64_t start, end; /* physical, whole pages */
};

/* Takes every page that [start, end) touches out of the intervals. */
static unsigned subtract(struct interval *list, unsigned count, uint64_t start, uint64_t end)
{
	start &= ~(PAGE_SIZE - 1);
	end = (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	for (unsigned i = 0; i < count; i++) {
		struct interval had = list[i];
		if (end <= had.start || had.end <= start)
			continue;
		bool before = had.start < start, after = end < had.end;
		if (before)
			list[i].end = start;
		if (after && before && count < PCI_REGIONS_MAX)
			list[count++] = (struct interval){end, had.end};
		else if (after && !before)
			list[i].start = end;
		if (!before && !after)
			list[i--] = list[--count];
	}
	return count;
}

static unsigned subtract_others(const struct pci_function *f, unsigned bar, struct interval *list,
                                unsigned count)
{
	for (unsigned i = 0; i < pci_count; i++) {
		for (unsigned j = 0; j < PCI_BARS; j++) {
			const struct pci_bar *other = &pci_functions[i].bars[j];
			if (other->size != 0 && !(&pci_functions[i] == f && j == bar))
				count = subtract(list, count, other->base,
				                 other->base + other->size);
		}
	}
	return count;
}

unsigned pci_regions(const struct pci_function *f, struct pci_region regions[PCI_REGIONS_MAX])
{
	unsigned found = 0;
	for (unsigned bar = 0; bar < PCI_BARS; bar++) {
		const struct pci_bar *b = &f->bars[bar];
		struct interval list[PCI_REGIONS_MAX] = {{b->base, b->base + b->size}};
		unsigned count = 1;
		if (b->size < PAGE_SIZE)
			continue;
		count = subtract_others(f, bar, list, count);
		if (f->msix != 0 && f->table_bar == bar)
			count = subtract(list, count, b->base + f->table_offset,
			                 b->base + f->table_offset + 16ull * f->vectors);
		if (f->msix != 0 && f->pending_bar == bar)
			count = subtract(list, count, b->base + f->pending_offset,
			                 b->base + f->pending_offset +
			                         (f->vectors + 63ull) / 64 * 8);
		for (unsigned i = 0; i < count && found < PCI_REGIONS_MAX; i++)
			regions[found++] = (struct pci_region){.bar = (uint8_t)bar,
			                                       .offset = list[i].start - b->base,
			                                       .size = list[i].end - list[i].start};
	}
	return found;
}

/* ---- Switching on and off ---- */

/*
 * A device may go on where it stopped as soon as bus mastering is back.  Only its driver knows how
 * to reset it, and does so first of all; until then a driver that crashed may have left it
 * addresses of memory that has another owner now.
 */
void pci_set_active(const struct pci_function *f, bool registers, bool master)
{
	uint32_t command = get(f, CONFIG_COMMAND, 2) | COMMAND_NO_INTX;
	command &= ~(COMMAND_MEMORY | COMMAND_MASTER);
	command |= (registers ? COMMAND_MEMORY : 0) | (master ? COMMAND_MASTER : 0);
	set(f, CONFIG_COMMAND, 2, command);
	(void)get(f, CONFIG_COMMAND, 2); /* it has arrived when this answers */
}

bool pci_route(struct pci_function *f, unsigned vector)
{
	uint64_t address;
	uint32_t data;
	if (!f->table) {
		uint64_t base = f->bars[f->table_bar].base + f->table_offset;
		f->table = arch_map_device(base, 16ull * f->vectors);
	}
	if (!f->table)
		return false;
	set(f, f->msix + 2, 2, MSIX_ENABLE | MSIX_MASK_ALL);
	for (unsigned i = 0; i < f->vectors; i++)
		f->table[4 * i + 3] = MSIX_ENTRY_MASKED;
	arch_msi_message(vector, &address, &data);
	f->table[0] = (uint32_t)address;
	f->table[1] = (uint32_t)(address >> 32);
	f->table[2] = data;
	f->table[3] = 0;
	set(f, f->msix + 2, 2, MSIX_ENABLE);
	return true;
}

void pci_mask(const struct pci_function *f)
{
	set(f, f->msix + 2, 2, MSIX_MASK_ALL);
}
