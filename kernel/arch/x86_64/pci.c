/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space: the memory-mapped one where ACPI names it, else the two ports.
 */
#include "x86.h"

#define PORT_ADDRESS  0xcf8
#define PORT_DATA     0xcfc
#define PORT_ENABLE   0x80000000u
#define FUNCTION_SIZE 4096u /* of configuration space, memory-mapped */
#define PORTS_SIZE    256u  /* as much of it as the ports reach */
#define BUS_FUNCTIONS 256u

static volatile uint8_t *ecam; /* of function 0 of bus first_bus; NULL: by ports */

void pci_init(void)
{
	if (acpi_facts.ecam_base == 0)
		return;
	uint64_t buses = (uint64_t)acpi_facts.ecam_last_bus - acpi_facts.ecam_first_bus + 1;
	ecam = arch_map_device(acpi_facts.ecam_base, buses * BUS_FUNCTIONS * FUNCTION_SIZE);
}

static volatile void *ecam_register(uint16_t address, uint16_t offset)
{
	unsigned bus = address >> 8;

	if (!ecam || bus < acpi_facts.ecam_first_bus || bus > acpi_facts.ecam_last_bus)
		return NULL;
	return ecam + (uint64_t)(address - (acpi_facts.ecam_first_bus << 8)) * FUNCTION_SIZE +
	       offset;
}

static bool valid(uint16_t offset, unsigned width)
{
	return (width == 1 || width == 2 || width == 4) && offset % width == 0 &&
	       offset < FUNCTION_SIZE;
}

uint32_t arch_pci_read(uint16_t address, uint16_t offset, unsigned width)
{
	assert(valid(offset, width));
	volatile void *reg = ecam_register(address, offset);
	if (reg)
		return width == 1   ? *(volatile uint8_t *)reg
		       : width == 2 ? *(volatile uint16_t *)reg
		                    : *(volatile uint32_t *)reg;
	if (offset >= PORTS_SIZE)
		return UINT32_MAX >> (32 - 8 * width);
	outl(PORT_ADDRESS, PORT_ENABLE | (uint32_t)address << 8 | (offset & 0xfcu));
	uint16_t port = PORT_DATA + (offset & 3u);
	return width == 1 ? inb(port) : width == 2 ? inw(port) : inl(port);
}

void arch_pci_write(uint16_t address, uint16_t offset, unsigned width, uint32_t value)
{
	assert(valid(offset, width));
	volatile void *reg = ecam_register(address, offset);
	if (!reg && offset >= PORTS_SIZE)
		return;
	uint16_t port = PORT_DATA + (offset & 3u);
	if (!reg)
		outl(PORT_ADDRESS, PORT_ENABLE | (uint32_t)address << 8 | (offset & 0xfcu));
	switch (width) {
	case 1:
		if (reg)
			*(volatile uint8_t *)reg = (uint8_t)value;
		else
			outb(port, (uint8_t)value);
		break;
	case 2:
		if (reg)
			*(volatile uint16_t *)reg = (uint16_t)value;
		else
			outw(port, (uint16_t)value);
		break;
	default:
		if (reg)
			*(volatile uint32_t *)reg = value;
		else
			outl(port, value);
		break;
	}
}
