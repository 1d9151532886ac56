/* SPDX-License-Identifier: MIT */
/*
 * The order in which the machine comes up.  Each step may use what the ones before it made; boot
 * information is copied before the first frame of memory is handed out.
 */
#include "x86.h"

struct arch_boot arch_boot;

_Noreturn void boot_main(uint64_t start_info);

_Noreturn void boot_main(uint64_t start_info)
{
	wrmsr(MSR_GS_BASE, (uint64_t)&boot_cpu);
	serial_init();
	cpu_require_features();
	cpu_init();
	paddr_t rsdp = memory_init(start_info);
	acpi_init(rsdp);
	apic_init();
	clock_sample_early();
	pci_init();
	clock_init();
	kernel_main();
}
