/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel begins once the architecture stands: checks the boot archive and starts
 * sbin/init from it, with everything there is to be given.  From then on the kernel only answers.
 */
#include "arch.h"
#include "process/cap.h"
#include "cpu.h"
#include "entropy.h"
#include "kernel.h"
#include "memory/memobj.h"
#include "device/pci.h"
#include "process/process.h"
#include "object/timer.h"
#include <capos/archive.h>
#include <capos/layout.h>

#define INIT_NAME   "sbin/init"
#define ENTRIES_MAX 65536u /* of the archive; its table is 16 MiB then */

/* Auxiliary vector of the System V ABI. */
#define AT_NULL   0
#define AT_PAGESZ 6
#define AT_RANDOM 25

static uint32_t crc32(const uint8_t *bytes, size_t length)
{
	uint32_t crc = ~0u;
	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* The archive's header, its entries known to lie within it. */
static struct capos_archive_header *find_archive(void)
{
	uint64_t size = arch_boot.archive_size;
	if (arch_boot.archive_start == 0 || size < sizeof(struct capos_archive_header))
		panic("no boot archive");
	if (arch_boot.archive_start % PAGE_SIZE != 0)
		panic("the boot archive does not start on a page");
	struct capos_archive_header *h = page_ptr(arch_boot.archive_start);
	if (h->magic != CAPOS_ARCHIVE_MAGIC || h->version != CAPOS_ARCHIVE_VERSION)
		panic("the boot archive is not one of this version");
	if (h->total_size < sizeof(*h) || h->total_size > size || h->total_size % PAGE_SIZE != 0)
		panic("the boot archive is cut short");
	if (h->count > ENTRIES_MAX ||
	    h->count * sizeof(struct capos_archive_entry) > h->total_size - sizeof(*h))
		panic("the boot archive's table does not fit it");
	if (crc32((const uint8_t *)(h + 1), h->count * sizeof(struct capos_archive_entry)) !=
	    h->checksum)
		panic("the boot archive's table is damaged");
	return h;
}

static const struct capos_archive_entry *find_init(const struct capos_archive_header *h)
{
	const struct capos_archive_entry *entries = (const struct capos_archive_entry *)(h + 1);
	for (uint32_t i = 0; i < h->count; i++) {
		const struct capos_archive_entry *e = &entries[i];
		if (e->name[CAPOS_ARCHIVE_NAME - 1] != '\0' || strcmp(e->name, INIT_NAME) != 0)
			continue;
		if (e->type != CAPOS_ARCHIVE_FILE || e->offset % PAGE_SIZE != 0 ||
		    e->offset > h->total_size || e->size == 0 ||
		    e->size > h->total_size - e->offset)
			panic("the boot archive's entry %s is damaged", INIT_NAME);
		if (crc32((const uint8_t *)h + e->offset, e->size) != e->crc)
			panic("%s is damaged", INIT_NAME);
		return e;
	}
	panic("the boot archive has no %s", INIT_NAME);
}

static void start_entropy(struct capos_archive_header *h)
{
	uint8_t seed[64];
	entropy_mix(h->seed, sizeof(h->seed));
	memset(h->seed, 0, sizeof(h->seed));
	arch_random_seed(seed, sizeof(seed));
	entropy_mix(seed, sizeof(seed));
	memset(seed, 0, sizeof(seed));
}

/* init's stack as start.h describes it: argc, argv, envp, auxiliary vector, strings. */
struct init_block {
	uint64_t argc, argv[2], envp[1], auxv[6];
	uint8_t random[16];
	char name[16];
};
_Static_assert(sizeof(struct init_block) % 16 == 0, "the stack pointer stays aligned");

static void fill_block(struct init_block *b, uint64_t stack_top)
{
	uint64_t at = stack_top - sizeof(*b);
	*b = (struct init_block){.argc = 1,
	                         .argv = {at + offsetof(struct init_block, name), 0},
	                         .auxv = {AT_PAGESZ, PAGE_SIZE, AT_RANDOM,
	                                  at + offsetof(struct init_block, random), AT_NULL, 0},
	                         .name = "init"};
	entropy_read(b->random, sizeof(b->random));
}

static void start_init(struct capos_archive_header *h)
{
	const struct capos_archive_entry *e = find_init(h);
	uint64_t offset = e->offset, size = e->size;
	uint64_t random[2], stack_top;
	struct init_block block;
	entropy_read(random, sizeof(random));
	stack_top = capos_layout_choose(CAPOS_STACK_FIRST, random[0]);
	fill_block(&block, stack_top);
	struct memobj *archive = memobj_adopt(arch_boot.archive_start, h->total_size);
	struct memobj *image = archive ? memobj_slice(archive, offset, size, NULL) : NULL;
	struct account *account = account_create(&(struct account_limits){.pages = 0}, false);
	struct timer *timer;
	if (!image || !account || timer_create(account, &timer))
		panic("no memory to start %s", INIT_NAME);
	memobj_make_code(image);
	const uint16_t call = CAP_RIGHT_CALL | CAP_RIGHT_COPY;
	const struct cap caps[] = {
	        {&archive->header, KIND_MEMORY, MEMORY_CODE_RIGHTS},
	        {NULL, KIND_SPAWNER, call},
	        {NULL, KIND_LOG, call},
	        {timer_header(timer), KIND_TIMER, call},
	        {NULL, KIND_ENTROPY, call},
	        {NULL, KIND_POWER, call},
	        {NULL, KIND_SYSTEM_STATUS, call},
	        {NULL, KIND_CODE_MAKER, call},
	        {NULL, KIND_LABELLER, call},
	        {NULL, KIND_DEVICE_MANAGER, call},
	};
	const struct spawn spawn = {.name = "init",
	                            .name_length = 4,
	                            .image = image,
	                            .load_bias = capos_layout_choose(CAPOS_IMAGE_FIRST, random[1]),
	                            .stack_top = stack_top,
	                            .start_block = &block,
	                            .start_length = sizeof(block),
	                            .account = account,
	                            .service = true,
	                            .caps = caps,
	                            .ncaps = sizeof(caps) / sizeof(caps[0])};
	struct job *job = NULL;
	int error;
	while ((error = process_spawn(&job, &spawn, &init_process)) == WORK_AGAIN)
		steps_renew();
	if (error)
		panic("%s cannot be started: error %d", INIT_NAME, error);
	memobj_put(image);
	account_put(account);
}

_Noreturn void kernel_main(void)
{
	sched_init();
	process_init();
	struct capos_archive_header *h = find_archive();
	start_entropy(h);
	pci_discover();
	klog("kernel: %lu KiB of memory, %u PCI functions, boot archive of %lu KiB with %u entries",
	     (unsigned long)(page_total() * PAGE_SIZE / 1024), pci_count, h->total_size / 1024,
	     h->count);
	start_init(h);
	sched_leave();
}
