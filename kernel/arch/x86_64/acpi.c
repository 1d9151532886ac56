/* SPDX-License-Identifier: MIT */
/*
 * The few facts that the kernel takes from ACPI's static tables.  No byte code is run; a table that
 * is not well formed is passed over, and what no table says stays 0.
 */
#include "x86.h"

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t length;
	uint8_t rest[28];
} __attribute__((packed));
_Static_assert(sizeof(struct header) == 36, "ACPI table header");

#define TABLE_SIZE_MAX (1u << 20) /* larger ones are a mistake */

/* Offsets in the FADT. */
#define FADT_DSDT         40u
#define FADT_PM1A_CONTROL 64u
#define FADT_PM1B_CONTROL 68u
#define FADT_PM_TIMER     76u
#define FADT_PM_TIMER_LEN 91u
#define FADT_CENTURY      108u
#define FADT_FLAGS        112u
#define FADT_SIZE         116u
#define FADT_TIMER_32BIT  (1u << 8)

struct mcfg_entry {
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved;
} __attribute__((packed));
#define MCFG_ENTRIES 44u /* offset of the first */

struct acpi_facts acpi_facts;

static const uint8_t *map_table(paddr_t at, uint32_t *length)
{
	const struct header *h = (const struct header *)arch_map_device(at, sizeof(*h));

	if (!h || h->length < sizeof(*h) || h->length > TABLE_SIZE_MAX)
		return NULL;
	*length = h->length;
	return (const uint8_t *)arch_map_device(at, *length);
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

static void read_fadt(const uint8_t *table, uint32_t length)
{
	if (length < FADT_SIZE)
		return;
	acpi_facts.dsdt = get32(table + FADT_DSDT);
	acpi_facts.pm1a_control_port = (uint16_t)get32(table + FADT_PM1A_CONTROL);
	acpi_facts.pm1b_control_port = (uint16_t)get32(table + FADT_PM1B_CONTROL);
	if (table[FADT_PM_TIMER_LEN] == 4)
		acpi_facts.pm_timer_port = (uint16_t)get32(table + FADT_PM_TIMER);
	acpi_facts.pm_timer_32bit = (get32(table + FADT_FLAGS) & FADT_TIMER_32BIT) != 0;
	acpi_facts.century_register = table[FADT_CENTURY];
}

static void read_mcfg(const uint8_t *table, uint32_t length)
{
	for (uint32_t at = MCFG_ENTRIES; at + sizeof(struct mcfg_entry) <= length;
	     at += sizeof(struct mcfg_entry)) {
		struct mcfg_entry e;
		memcpy(&e, table + at, sizeof(e));
		if (e.segment == 0 && e.first_bus <= e.last_bus && e.base % LARGE_PAGE_SIZE == 0) {
			acpi_facts.ecam_base = e.base;
			acpi_facts.ecam_first_bus = e.first_bus;
			acpi_facts.ecam_last_bus = e.last_bus;
			return;
		}
	}
}

static void read_table(paddr_t at)
{
	uint32_t length;
	const uint8_t *table = map_table(at, &length);

	if (!table)
		return;
	if (memcmp(table, "FACP", 4) == 0)
		read_fadt(table, length);
	else if (memcmp(table, "MCFG", 4) == 0)
		read_mcfg(table, length);
}

void acpi_init(paddr_t rsdp_at)
{
	const struct rsdp *rsdp =
	        rsdp_at != 0 ? (const struct rsdp *)arch_map_device(rsdp_at, sizeof(*rsdp)) : NULL;

	if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", 8) != 0)
		return;
	bool wide = rsdp->revision >= 2 && rsdp->xsdt != 0;
	uint32_t length, size = wide ? 8 : 4;
	const uint8_t *root = map_table(wide ? rsdp->xsdt : rsdp->rsdt, &length);
	for (uint32_t i = sizeof(struct header); root && i + size <= length; i += size) {
		uint64_t entry = 0;
		memcpy(&entry, root + i, size);
		read_table(entry);
	}
}

/* One small constant of the byte code at *at; moves on. */
static bool read_constant(const uint8_t *code, uint32_t length, uint32_t *at, uint16_t *value)
{
	if (*at + 2 > length)
		return false;
	if (code[*at] == 0x0a) { /* BytePrefix */
		*value = code[*at + 1];
		*at += 2;
		return true;
	}
	*value = code[(*at)++]; /* ZeroOp, OneOp */
	return *value <= 1;
}

bool acpi_find_s5(uint16_t *a, uint16_t *b)
{
	uint32_t length;
	const uint8_t *code = acpi_facts.dsdt != 0 ? map_table(acpi_facts.dsdt, &length) : NULL;

	for (uint32_t i = sizeof(struct header); code && i + 8 < length; i++) {
		/* Name (_S5, Package (...) { a, b, ... }): PackageOp, length (bits 6-7: more
		 * bytes), count. */
		if (memcmp(code + i, "_S5_\x12", 5) != 0)
			continue;
		uint32_t at = i + 5;
		at += 1 + (code[at] >> 6) + 1;
		return read_constant(code, length, &at, a) && read_constant(code, length, &at, b);
	}
	return false;
}
