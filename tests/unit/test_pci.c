/* SPDX-License-Identifier: MIT */
/*
 * PCI functions on a fake bus: sizes and places of BARs, MSI-X, and above all that no region shows
 * what is another's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/arch.h"
#include "kernel/kernel.h"
#include "kernel/device/pci.h"

#define DEVICES 4

static struct fake {
	uint8_t config[256];
	uint32_t size[6]; /* of each BAR register; 0: not there */
} fakes[DEVICES];
static uint32_t table[64];

void panic(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

void klog(const char *format, ...)
{
	(void)format;
}

uint32_t arch_pci_read(uint16_t address, uint16_t offset, unsigned width)
{
	uint32_t value = UINT32_MAX;
	if (address % 8 == 0 && address / 8 < DEVICES)
		value = 0, memcpy(&value, fakes[address / 8].config + offset, width);
	return width == 1 ? (uint8_t)value : width == 2 ? (uint16_t)value : value;
}

void arch_pci_write(uint16_t address, uint16_t offset, unsigned width, uint32_t value)
{
	struct fake *f = &fakes[address / 8];
	if (offset >= 0x10 && offset < 0x28) {
		uint32_t old, size = f->size[(offset - 0x10) / 4];
		memcpy(&old, f->config + offset, 4);
		value = (value & ~(size - 1)) | (old & 0xf);
		if (size == 0)
			value = 0;
	}
	memcpy(f->config + offset, &value, width);
}

void arch_pci_window(uint64_t *start, uint64_t *end)
{
	*start = 0xe0000000;
	*end = 0xf0000000;
}

void arch_msi_message(unsigned vector, uint64_t *address, uint32_t *data)
{
	*address = 0xfee00000;
	*data = vector;
}

volatile void *arch_map_device(paddr_t base, uint64_t size)
{
	(void)base;
	assert_true(size <= sizeof(table));
	return table;
}

static void put32(struct fake *f, unsigned offset, uint32_t value)
{
	memcpy(f->config + offset, &value, 4);
}

static void device(unsigned i, uint32_t id)
{
	put32(&fakes[i], 0, id);
	put32(&fakes[i], 8, 0x02000000);
}

/* As QEMU's virtio devices: BAR 1 with MSI-X, BAR 4 of 64 bits; and neighbours that share pages. */
static void build(void)
{
	device(0, 0x10411af4);
	fakes[0].size[1] = 4096;
	put32(&fakes[0], 0x14, 0xfebd1000);
	fakes[0].size[4] = 16384;
	put32(&fakes[0], 0x20, 0xfe00000c);
	fakes[0].size[5] = 1;
	put32(&fakes[0], 0x24, 0);
	fakes[0].config[6] = 0x10;
	fakes[0].config[0x34] = 0x40;
	put32(&fakes[0], 0x40, 0x00020011); /* three vectors */
	put32(&fakes[0], 0x44, 0x00000001); /* table in BAR 1 at 0 */
	put32(&fakes[0], 0x48, 0x00000801);
	/* MSI-X in the middle of its only BAR, which firmware has not placed. */
	device(1, 0x00011234);
	fakes[1].size[0] = 32768;
	fakes[1].config[6] = 0x10;
	fakes[1].config[0x34] = 0x50;
	put32(&fakes[1], 0x50, 0x00000011);
	put32(&fakes[1], 0x54, 0x00003000);
	put32(&fakes[1], 0x58, 0x00005000);
	/* Small BARs within one page of a larger one. */
	device(2, 0x00021234);
	fakes[2].size[0] = 8192;
	put32(&fakes[2], 0x10, 0xfd000000);
	fakes[2].size[1] = 256;
	put32(&fakes[2], 0x14, 0xfd001100);
	device(3, 0x00031234);
	fakes[3].config[6] = 0x10;
	fakes[3].config[0x34] = 0x40;
	put32(&fakes[3], 0x40, 0x00004005); /* capabilities in a circle */
	pci_discover();
}

static void found(void **state)
{
	(void)state;
	assert_int_equal(pci_count, 4);
	const struct pci_function *f = pci_find(0);
	assert_int_equal(f->vendor, 0x1af4);
	assert_int_equal(f->device, 0x1041);
	assert_int_equal(f->bars[1].size, 4096);
	assert_int_equal(f->bars[4].base, 0xfe000000);
	assert_int_equal(f->bars[4].size, 16384);
	assert_int_equal(f->vectors, 3);
	assert_int_not_equal(f->msix, 0);
	f = pci_find(8);
	assert_int_equal(f->bars[0].base, 0xe0000000); /* placed */
	assert_null(pci_find(0x1234));
	assert_int_equal(pci_find(24)->msix, 0);
}

static void regions(void **state)
{
	struct pci_region r[PCI_REGIONS_MAX];
	(void)state;
	assert_int_equal(pci_regions(pci_find(0), r), 1); /* BAR 1 is MSI-X alone */
	assert_int_equal(r[0].bar, 4);
	assert_int_equal(r[0].offset, 0);
	assert_int_equal(r[0].size, 16384);
	assert_int_equal(pci_regions(pci_find(8), r), 3); /* around table and pending bits */
	uint64_t seen = 0;
	for (unsigned i = 0; i < 3; i++) {
		for (uint64_t at = r[i].offset; at < r[i].offset + r[i].size; at += 4096)
			seen |= 1ull << at / 4096;
	}
	assert_int_equal(seen, 0xff & ~(1 << 3 | 1 << 5));
	assert_int_equal(pci_regions(pci_find(16), r),
	                 1); /* the page that holds the small BAR is out */
	assert_int_equal(r[0].offset, 0);
	assert_int_equal(r[0].size, 4096);
}

static void routed(void **state)
{
	struct pci_function *f = pci_find(0);
	(void)state;
	assert_true(pci_route(f, 50));
	assert_int_equal(table[0], 0xfee00000);
	assert_int_equal(table[2], 50);
	assert_int_equal(table[3], 0);
	assert_int_equal(table[7], 1);
	assert_int_equal(table[11], 1);
	assert_int_equal(fakes[0].config[0x43] & 0xc0, 0x80); /* on, not masked */
	pci_set_active(f, true, true);
	assert_int_equal(fakes[0].config[4] & 6, 6);
	assert_int_equal(fakes[0].config[5] & 4, 4); /* no INTx */
	pci_mask(f);
	pci_set_active(f, false, false);
	assert_int_equal(fakes[0].config[4] & 6, 0);
	assert_int_equal(fakes[0].config[0x43] & 0xc0, 0x40);
}

int main(void)
{
	build();
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(found),
	        cmocka_unit_test(regions),
	        cmocka_unit_test(routed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
