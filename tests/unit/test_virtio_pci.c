/* SPDX-License-Identifier: MIT */
/*
 * Finding virtio's registers in PCI configuration space: a device as QEMU makes it, and
 * capabilities that loop, are cut short or point outside the regions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <capos/abi.h>

#include "drivers/virtio/pci.h"

static uint8_t space[256];
static int fail_at; /* configuration reads from this offset on fail */

static int read_space(void *context, uint16_t offset, uint8_t width, uint32_t *value)
{
	(void)context;
	assert_true(offset + width <= 256);
	if (fail_at && offset >= fail_at)
		return CAP_EFAULT;
	*value = 0;
	memcpy(value, space + offset, width);
	return CAP_OK;
}

static void put_cap(uint32_t at, uint8_t next, uint8_t type, uint8_t bar, uint32_t offset,
                    uint32_t length, uint32_t multiplier)
{
	space[at] = 0x09;
	space[at + 1] = next;
	space[at + 2] = type == 2 ? 20 : 16;
	space[at + 3] = type;
	space[at + 4] = bar;
	memcpy(space + at + 8, &offset, 4);
	memcpy(space + at + 12, &length, 4);
	if (type == 2)
		memcpy(space + at + 16, &multiplier, 4);
}

static const struct virtio_region regions[] = {{1, 0, 0}, {4, 0, 0x4000}};

static void qemu_device(void)
{
	memset(space, 0, sizeof(space));
	fail_at = 0;
	space[6] = 0x10;
	space[0x34] = 0xdc;
	space[0xdc] = 0x11; /* MSI-X */
	space[0xdd] = 0x40;
	put_cap(0x40, 0x54, 1, 4, 0, 0x1000, 0);
	put_cap(0x54, 0x64, 3, 4, 0x1000, 0x1000, 0);
	put_cap(0x64, 0x74, 4, 4, 0x2000, 0x1000, 0);
	put_cap(0x74, 0x88, 2, 4, 0x3000, 0x1000, 4);
	put_cap(0x88, 0, 5, 0, 0, 0, 0); /* access through configuration space: not used */
}

static int find(struct virtio_layout *layout)
{
	struct virtio_config_space s = {.read = read_space};
	const char *why = NULL;
	int result = virtio_pci_find(&s, regions, 2, layout, &why);

	assert_non_null(why);
	return result;
}

static void well_formed(void **state)
{
	struct virtio_layout l;

	(void)state;
	qemu_device();
	assert_int_equal(find(&l), CAP_OK);
	assert_true(l.common.found && l.notify.found && l.isr.found && l.device.found);
	assert_int_equal(l.common.region, 1);
	assert_int_equal(l.notify.offset, 0x3000);
	assert_int_equal(l.notify.length, 0x1000);
	assert_int_equal(l.notify_multiplier, 4);
	assert_int_equal(l.device.offset, 0x2000);
}

static void first_usable_counts(void **state)
{
	struct virtio_layout l;

	(void)state;
	qemu_device();
	put_cap(0x88, 0, 1, 4, 0x2000, 0x100, 0); /* a second common */
	assert_int_equal(find(&l), CAP_OK);
	assert_int_equal(l.common.offset, 0);
	/* The first is in a BAR that is not ours: the second counts. */
	space[0x40 + 4] = 2;
	assert_int_equal(find(&l), CAP_OK);
	assert_int_equal(l.common.offset, 0x2000);
}

static void outside(void **state)
{
	static const uint32_t bad[][2] = {
	        {0, 55}, /* too small for the registers */
	        {0x4000, 0x1000},
	        {0x3ffc, 0x1000},
	        {0, 0x4001},
	        {0xfffff000, 0x1000},
	        {0x1000, 0xfffff000},
	        {0xffffffff, 0xffffffff},
	        {2, 0x1000}, /* not aligned */
	};
	struct virtio_layout l;

	(void)state;
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		qemu_device();
		put_cap(0x40, 0x54, 1, 4, bad[i][0], bad[i][1], 0);
		assert_int_equal(find(&l), CAP_ENOENT);
	}
	qemu_device();
	put_cap(0x74, 0, 2, 4, 0x3000, 0x1000, 3); /* doorbells at odd addresses */
	assert_int_equal(find(&l), CAP_ENOENT);
	qemu_device();
	space[0x74 + 2] = 16; /* no room for the multiplier */
	assert_int_equal(find(&l), CAP_ENOENT);
	qemu_device();
	space[0x40 + 2] = 8;
	assert_int_equal(find(&l), CAP_ENOENT);
}

static void broken_lists(void **state)
{
	struct virtio_layout l;

	(void)state;
	qemu_device();
	space[0x89] = 0x40; /* back to the start */
	assert_int_equal(find(&l), CAP_EINVAL);
	qemu_device();
	space[0x34] = 0x20; /* into the header */
	assert_int_equal(find(&l), CAP_EINVAL);
	qemu_device();
	put_cap(0x74, 0xfc, 2, 4, 0x3000, 0x1000, 4);
	space[0xfc] = 0x09; /* a capability that would end outside the space */
	space[0xfd] = 0;
	space[0xfe] = 16;
	space[0xff] = 3;
	assert_int_equal(find(&l), CAP_OK); /* isr was found before: not looked at */
	space[0x54 + 3] = 9;
	assert_int_equal(find(&l), CAP_EINVAL);
	qemu_device();
	space[6] = 0; /* no list */
	assert_int_equal(find(&l), CAP_ENOENT);
	for (int at = 1; at < 256; at++) {
		qemu_device();
		fail_at = at;
		/* Whichever read fails, the search ends with that. */
		assert_int_equal(find(&l), at <= 0xdd ? CAP_EFAULT : CAP_OK);
	}
}

static void random_space(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (uint32_t round = 0; round < 20000; round++) {
		struct virtio_layout l;

		qemu_device();
		for (uint32_t i = 0; i < 6; i++) {
			seed = seed * 1664525u + 1013904223u;
			space[(seed >> 8) & 0xff] = (uint8_t)(seed >> 24);
		}
		if (find(&l) != CAP_OK)
			continue;
		assert_true(l.common.offset + l.common.length <= regions[l.common.region].size);
		assert_true(l.notify.offset + l.notify.length <= regions[l.notify.region].size);
		assert_true(l.common.length >= VIRTIO_COMMON_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(well_formed),  cmocka_unit_test(first_usable_counts),
	        cmocka_unit_test(outside),      cmocka_unit_test(broken_lists),
	        cmocka_unit_test(random_space),
	};

	return cmocka_run_group_tests_name("virtio-pci", tests, NULL, NULL);
}
