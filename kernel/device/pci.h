/* SPDX-License-Identifier: MIT */
/*
 * PCI functions: found once at boot, with the places of their memory.  Nothing here knows what a
 * device does.
 */
#ifndef KERNEL_PCI_H
#define KERNEL_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_FUNCTIONS_MAX 64u /* a vector each */
#define PCI_BARS          6u
#define PCI_REGIONS_MAX   12u

struct device;

struct pci_bar {
	uint64_t base, size; /* of a memory BAR; size 0: none, or I/O ports */
};

/* Whole pages of a BAR that hold nothing else. */
struct pci_region {
	uint8_t bar;
	uint64_t offset, size; /* bytes, in the BAR */
};

struct pci_function {
	uint16_t address; /* bus << 8 | device << 3 | function */
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code;
	struct pci_bar bars[PCI_BARS];
	/* MSI-X */
	uint16_t msix; /* offset of the capability; 0: has none that can be used */
	uint16_t vectors;
	uint8_t table_bar, pending_bar;
	uint32_t table_offset, pending_offset;
	volatile uint32_t *table; /* mapped when first opened, for good */
	struct device *open;      /* while its capabilities are held; NULL: not open */
};

extern struct pci_function pci_functions[PCI_FUNCTIONS_MAX];
extern unsigned pci_count;

void pci_discover(void);
struct pci_function *pci_find(uint16_t address); /* NULL: none */
/* Regions of the function's BARs without MSI-X table, pending bits and pages that another BAR has a
 * part of. */
unsigned pci_regions(const struct pci_function *f, struct pci_region regions[PCI_REGIONS_MAX]);
/* Memory decoding (registers) and bus mastering on or off; INTx stays off. */
void pci_set_active(const struct pci_function *f, bool registers, bool master);
/* Routes MSI-X entry 0 to what arch_msi_message says of vector, masks the others.  false: the table
 * cannot be mapped. */
bool pci_route(struct pci_function *f, unsigned vector);
void pci_mask(const struct pci_function *f); /* all of MSI-X */

#endif
