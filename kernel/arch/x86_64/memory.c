/* SPDX-License-Identifier: MIT */
/*
 * Memory at boot: what the loader said becomes the kernel's mappings and the page allocator's
 * ranges.  The kernel half of every address space is fixed here: slots from 256 on are the direct
 * map's, 510 device registers, 511 the image, each where relocate.c put it; nothing in it is
 * writable and executable.
 */
#include "x86.h"

#define GIB4        (4ull << 30)
#define DEVICE_SLOT 510u
#define DEVICE_BASE 0xffffff0000000000ull
#define DEVICE_SIZE HUGE_PAGE_SIZE /* one page directory */
/* One slot of the top table; memory beyond it is left unused. */
#define DIRECT_MAP_SIZE (512ull << 30)
#define FIRMWARE_TOP \
	0xfe000000ull /* above this and below 4 GiB are interrupt controllers and flash */

#define RANGES_MAX  32u /* of the memory map that are kept; firmware gives around ten */
#define WINDOWS_MAX 64u /* mappings of device memory */

struct range {
	paddr_t start, end;
};
static struct range ram[RANGES_MAX];
static unsigned ram_count;

typedef uint64_t table[TABLE_ENTRIES] __attribute__((aligned(PAGE_SIZE)));
extern table kernel_pml4, boot_pd[4]; /* start.S */
static table image_pdpt, image_pd, image_pt, low_pt, device_pdpt, device_pd;
static table direct_pdpt[2]; /* the direct map may begin anywhere in the first one's reach */

paddr_t memory_kernel_root;
paddr_t memory_low_top;

paddr_t memory_image_paddr(const void *symbol)
{
	return (paddr_t)symbol - KERNEL_BASE - memory_image_offset;
}

static uint64_t round_down(uint64_t value, uint64_t unit)
{
	return value & ~(unit - 1);
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

/* ---- What the loader says ---- */

static void read_memory_map(const struct hvm_start_info *info)
{
	const struct hvm_memory *map = page_ptr(info->memmap);

	for (uint32_t i = 0; i < info->memmap_entries; i++) {
		paddr_t start = map[i].start, end = start + map[i].size;
		if (end <= start)
			continue;
		if (start < FIRMWARE_TOP && end > memory_low_top)
			memory_low_top = end < GIB4 ? end : GIB4;
		start = round_up(start, PAGE_SIZE);
		end = round_down(end < DIRECT_MAP_SIZE ? end : DIRECT_MAP_SIZE, PAGE_SIZE);
		if (map[i].type != MEMORY_TYPE_RAM || end <= start)
			continue;
		if (ram_count == RANGES_MAX)
			klog("kernel: memory map too long, range at 0x%lx unused", start);
		else
			ram[ram_count++] = (struct range){start, end};
	}
}

/* Everything in it is below 4 GiB, where the first page tables reach. */
static paddr_t read_start_info(paddr_t start_info)
{
	const struct hvm_start_info *info = page_ptr(start_info);

	if (info->magic != START_INFO_MAGIC || info->version < 1 || info->memmap_entries == 0)
		panic("not started by PVH with a memory map (magic 0x%x, version %u)", info->magic,
		      info->version);
	read_memory_map(info);
	if (info->nr_modules > 0) {
		const struct hvm_module *module = page_ptr(info->modlist);
		arch_boot.archive_start = module->start;
		arch_boot.archive_size = module->size;
	}
	if (info->cmdline != 0)
		fmt_snprintf(arch_boot.command_line, sizeof(arch_boot.command_line), "%s",
		             (const char *)page_ptr(info->cmdline));
	return info->rsdp;
}

/* ---- Mappings ---- */

static unsigned index_of(uint64_t address, uint64_t unit)
{
	return (unsigned)(address / unit % TABLE_ENTRIES);
}

/* The entry for the GiB at base of the direct map. */
static uint64_t *direct_entry(paddr_t base)
{
	uint64_t place = index_of(arch_direct_map, HUGE_PAGE_SIZE) + base / HUGE_PAGE_SIZE;

	return &direct_pdpt[place / TABLE_ENTRIES][place % TABLE_ENTRIES];
}

/* The first mappings at the chosen places, by large pages: the image's 2 MiB, and 4 GiB of the
 * direct map.  Symbols are still physical addresses. */
void memory_map_first(uint64_t image)
{
	unsigned slot = index_of(arch_direct_map, SLOT_SIZE);

	image_pd[index_of(image, LARGE_PAGE_SIZE)] = PTE_PRESENT | PTE_WRITE | PTE_LARGE;
	image_pdpt[index_of(image, HUGE_PAGE_SIZE)] = (paddr_t)image_pd | PTE_TABLE;
	kernel_pml4[index_of(image, SLOT_SIZE)] = (paddr_t)image_pdpt | PTE_TABLE;
	for (paddr_t base = 0; base < GIB4; base += HUGE_PAGE_SIZE)
		*direct_entry(base) = (paddr_t)boot_pd[base / HUGE_PAGE_SIZE] | PTE_TABLE;
	for (unsigned i = 0; i < 2; i++)
		kernel_pml4[slot + i] = (paddr_t)direct_pdpt[i] | PTE_TABLE;
}

static uint64_t image_protection(uint64_t address)
{
	if (address < (uint64_t)kernel_text_start || address == (uint64_t)kernel_stack_guard ||
	    address == (uint64_t)kernel_fault_stack_guard)
		return 0;
	if (address < (uint64_t)kernel_text_end)
		return PTE_KERNEL_CODE;
	if (address < (uint64_t)kernel_rodata_end)
		return PTE_KERNEL_RODATA;
	return PTE_KERNEL_DATA;
}

static void map_image(void)
{
	uint64_t at = (uint64_t)kernel_image_start;
	unsigned place = index_of(at, LARGE_PAGE_SIZE);

	for (; at < (uint64_t)kernel_image_end; at += PAGE_SIZE) {
		uint64_t protection = image_protection(at);
		if (protection != 0)
			image_pt[index_of(at, PAGE_SIZE)] =
			        memory_image_paddr((const void *)at) | protection;
	}
	image_pd[place] = memory_image_paddr(image_pt) | PTE_TABLE;
}

/* The first 2 MiB of the direct map: by small pages, because the image's constants are read-only
 * here too. */
static void map_low(paddr_t start, paddr_t end)
{
	for (paddr_t at = start; at < end && at < LARGE_PAGE_SIZE; at += PAGE_SIZE) {
		bool constant = at >= memory_image_paddr(kernel_text_start) &&
		                at < memory_image_paddr(kernel_rodata_end);
		low_pt[at / PAGE_SIZE] = at | (constant ? PTE_KERNEL_RODATA : PTE_KERNEL_DATA);
	}
}

static void map_direct_low(void)
{
	memset(boot_pd, 0, sizeof(boot_pd));
	boot_pd[0][0] = memory_image_paddr(low_pt) | PTE_TABLE;
	for (unsigned i = 0; i < ram_count; i++) {
		map_low(ram[i].start, ram[i].end);
		paddr_t at = round_down(ram[i].start, LARGE_PAGE_SIZE);
		for (; at < ram[i].end && at < GIB4; at += LARGE_PAGE_SIZE)
			if (at >= LARGE_PAGE_SIZE)
				boot_pd[at / HUGE_PAGE_SIZE][at / LARGE_PAGE_SIZE % TABLE_ENTRIES] =
				        at | PTE_KERNEL_DATA | PTE_LARGE;
	}
}

/* The part of one GiB at base that range covers. */
static void map_gib(paddr_t base, const struct range *range)
{
	uint64_t *entry = direct_entry(base);

	if (*entry == 0 && range->start <= base && range->end >= base + HUGE_PAGE_SIZE &&
	    cpu_has_huge_pages()) {
		*entry = base | PTE_KERNEL_DATA | PTE_LARGE;
		return;
	}
	if (*entry == 0) {
		paddr_t page = page_alloc(true);
		if (page == PADDR_NONE)
			panic("no memory for the page tables of memory at 0x%lx", base);
		*entry = page | PTE_TABLE;
	}
	uint64_t *directory = page_ptr(*entry & PTE_FRAME);
	paddr_t at = range->start > base ? round_down(range->start, LARGE_PAGE_SIZE) : base;
	for (; at < range->end && at < base + HUGE_PAGE_SIZE; at += LARGE_PAGE_SIZE)
		directory[at / LARGE_PAGE_SIZE % TABLE_ENTRIES] = at | PTE_KERNEL_DATA | PTE_LARGE;
}

static void map_direct_high(void)
{
	for (unsigned i = 0; i < ram_count; i++) {
		paddr_t base = round_down(ram[i].start, HUGE_PAGE_SIZE);
		for (base = base > GIB4 ? base : GIB4; base < ram[i].end; base += HUGE_PAGE_SIZE)
			map_gib(base, &ram[i]);
	}
}

static void load_kernel_tables(void)
{
	map_image();
	device_pdpt[0] = memory_image_paddr(device_pd) | PTE_TABLE;
	kernel_pml4[DEVICE_SLOT] = memory_image_paddr(device_pdpt) | PTE_TABLE;
	kernel_pml4[0] = 0;
	map_direct_low();
	memory_kernel_root = memory_image_paddr(kernel_pml4);
	table_init(memory_kernel_root);
}

/* ---- Free memory ---- */

/* Gives [start, end) to the page allocator but for what is in use; taken: ranges in use, from index
 * on. */
static void add_free(paddr_t start, paddr_t end, const struct range *taken, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (taken[i].end <= start || taken[i].start >= end)
			continue;
		if (taken[i].start > start)
			add_free(start, taken[i].start, taken + i + 1, count - i - 1);
		if (taken[i].end >= end)
			return;
		start = taken[i].end;
	}
	page_add_range(start, end);
}

static void add_memory(bool high)
{
	paddr_t archive_end = round_up(arch_boot.archive_start + arch_boot.archive_size, PAGE_SIZE);
	const struct range taken[] = {
	        {0, PAGE_SIZE}, /* PADDR_NONE */
	        {memory_image_paddr(kernel_text_start), memory_image_paddr(kernel_image_end)},
	        {round_down(arch_boot.archive_start, PAGE_SIZE), archive_end},
	};

	for (unsigned i = 0; i < ram_count; i++) {
		paddr_t start = ram[i].start, end = ram[i].end;
		if (high && start < GIB4)
			start = GIB4;
		if (!high && end > GIB4)
			end = GIB4;
		if (start < end)
			add_free(start, end, taken, sizeof(taken) / sizeof(taken[0]));
	}
}

paddr_t memory_init(paddr_t start_info)
{
	paddr_t rsdp = read_start_info(start_info);

	load_kernel_tables();
	add_memory(false);
	map_direct_high();
	add_memory(true);
	if (!protection_tables_sound())
		panic("a page of the kernel is writable and executable");
	return rsdp;
}

/* ---- Device memory ---- */

static struct window {
	paddr_t base;
	uint64_t size;
	uint64_t address;
} windows[WINDOWS_MAX];
static unsigned window_count;
static uint64_t device_next = DEVICE_BASE;

static bool map_device_page(uint64_t address, paddr_t frame)
{
	uint64_t *entry = &device_pd[address / LARGE_PAGE_SIZE % TABLE_ENTRIES];

	if (*entry == 0) {
		paddr_t page = page_alloc(true);
		if (page == PADDR_NONE)
			return false;
		*entry = page | PTE_TABLE;
	}
	uint64_t *directory = page_ptr(*entry & PTE_FRAME);
	directory[address / PAGE_SIZE % TABLE_ENTRIES] =
	        frame | PTE_KERNEL_DATA | PTE_UNCACHED | PTE_WRITE_THROUGH;
	return true;
}

/* Mappings stay for good: the same device memory asked for again is found here. */
volatile void *arch_map_device(paddr_t base, uint64_t size)
{
	paddr_t start = round_down(base, PAGE_SIZE);
	uint64_t length = round_up(base + size, PAGE_SIZE) - start;

	for (unsigned i = 0; i < window_count; i++) {
		struct window *w = &windows[i];
		if (start >= w->base && start - w->base + length <= w->size)
			return (volatile void *)(w->address + (base - w->base));
	}
	bool large = start % LARGE_PAGE_SIZE == 0 && length % LARGE_PAGE_SIZE == 0;
	uint64_t at = large ? round_up(device_next, LARGE_PAGE_SIZE) : device_next;
	if (size == 0 || length < size || window_count == WINDOWS_MAX ||
	    length > DEVICE_BASE + DEVICE_SIZE - at)
		return NULL;
	windows[window_count++] = (struct window){start, length, at};
	device_next = at + length;
	if (large) {
		for (uint64_t done = 0; done < length; done += LARGE_PAGE_SIZE)
			device_pd[(at + done) / LARGE_PAGE_SIZE % TABLE_ENTRIES] =
			        (start + done) | PTE_KERNEL_DATA | PTE_UNCACHED |
			        PTE_WRITE_THROUGH | PTE_LARGE;
	} else {
		for (uint64_t done = 0; done < length; done += PAGE_SIZE) {
			if (!map_device_page(at + done, start + done)) {
				window_count--;
				return NULL;
			}
		}
	}
	return (volatile void *)(at + (base - start));
}

/* Between memory and the interrupt controllers. */
void arch_pci_window(uint64_t *start, uint64_t *end)
{
	const uint64_t usual = 0xc0000000ull; /* below it q35 may have its configuration space */

	*start = round_up(memory_low_top > usual ? memory_low_top : usual, 16ull << 20);
	*end = 0xfec00000ull;
}
