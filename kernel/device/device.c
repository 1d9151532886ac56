/* SPDX-License-Identifier: MIT */
/*
 * An opened PCI function.  As long as one of its capabilities is held it may reach the memory of
 * its pool; when the last is given up, bus mastering goes off before any of that memory can become
 * another process's, and its registers vanish from wherever they were mapped.  Opened again, it is
 * still set up as the last driver left it, with addresses of memory that others have now: so bus
 * mastering goes on only with the first memory of the new pool, and the driver resets the device
 * before it asks for any.
 */
#include "device/device.h"
#include "object/event.h"
#include "object/kcall.h"
#include "kernel.h"
#include "device/pci.h"
#include "process/process.h"
#include "memory/slab.h"
#include "work.h"

#define ALLOCATE_MAX \
	512u /* pages a call: their addresses fill the page that the reply is made from */

/* Bytes of the reply beside the addresses: root, a word of data, the list's pointer. */
#define ALLOCATE_REPLY 24u

#define ADDRESSES_PER_STEP 2u /* of pages, looked up for the reply */

/* Memory of the pool. */
struct dma_block {
	struct dma_block *next;
	struct account *account;
	struct memobj *object; /* one count */
};

struct device {
	struct object_header header; /* references: capabilities of the three kinds */
	struct account *account;
	struct pci_function *function;
	unsigned nregions;
	struct pci_region regions[PCI_REGIONS_MAX];
	struct memobj *mapped[PCI_REGIONS_MAX]; /* made when first mapped; one count each */
	struct event *event;                    /* NULL: none is bound; else one count */
	uint64_t bits;
	uint64_t delivered;
	struct dma_block *blocks;
	uint64_t dma_pages, dma_limit; /* limit 0: none */
};

ASSERT_HEADER_FIRST(struct device);

static struct slab devices = SLAB_INIT(struct device);
static struct slab blocks = SLAB_INIT(struct dma_block);

uint64_t device_number(const struct object_header *header)
{
	return device_of((struct object_header *)header)->function->address;
}

static void bind(struct device *d, struct event *event, uint64_t bits)
{
	if (event)
		event_get(event);
	if (d->event)
		event_put(d->event);
	d->event = event;
	d->bits = bits;
}

/* A process that mapped it faults when it touches it from now on. */
static void revoke(struct memobj *m)
{
	space_forget_frames(m, 0, m->npages);
	m->size = m->npages = 0;
	memobj_put(m);
}

static void free_block(struct dma_block *block)
{
	if (block->object)
		memobj_put(block->object);
	account_free(block->account, &blocks, block);
}

void device_last(struct object_header *header)
{
	struct device *d = device_of(header);
	assert(kernel_locked());
	pci_mask(d->function);
	pci_set_active(d->function, false, false);
	bind(d, NULL, 0);
	for (unsigned i = 0; i < d->nregions; i++) {
		if (d->mapped[i])
			revoke(d->mapped[i]);
	}
	while (d->blocks) {
		struct dma_block *block = d->blocks;
		d->blocks = block->next;
		free_block(block);
	}
	d->function->open = NULL;
	account_free(d->account, &devices, d);
}

_Noreturn void kernel_interrupt(unsigned vector)
{
	kernel_enter(ENTRY_INTERRUPT);
	this_cpu()->interrupts++;
	unsigned index = vector - ARCH_VECTOR_FIRST;
	struct device *d = index < pci_count ? pci_functions[index].open : NULL;
	if (d) {
		d->delivered++;
		if (d->event)
			event_signal(d->event, d->bits);
	}
	sched_leave();
}

/* ---- DeviceManager ---- */

static int list(void *object, struct msg_call *msg, struct device_manager_list_results *results)
{
	struct pci_device *out = (struct pci_device *)this_cpu()->data;
	_Static_assert(PCI_FUNCTIONS_MAX * sizeof(*out) <= sizeof(this_cpu()->data),
	               "the list fits");
	(void)object;
	(void)msg;
	for (unsigned i = 0; i < pci_count; i++) {
		const struct pci_function *f = &pci_functions[i];
		out[i] = (struct pci_device){.address = f->address,
		                             .vendor = f->vendor,
		                             .device = f->device,
		                             .class_code = f->class_code,
		                             .subsystem_vendor = f->subsystem_vendor,
		                             .subsystem = f->subsystem};
	}
	results->devices = (struct msg_list){.count = pci_count, .items = out};
	return CAP_OK;
}

static int open(void *object, struct msg_call *msg, const struct device_manager_open_params *params,
                struct device_manager_open_results *results)
{
	struct kcall *call = kcall_of(msg);
	struct pci_function *f = pci_find(params->address);
	(void)object;
	if (!f)
		return CAP_ENOENT;
	if (f->open)
		return CAP_EBUSY;
	if (f->msix == 0)
		return CAP_ETYPE; /* its interrupts cannot be distinguished from others' */
	struct account *account = call->caller->process->account;
	struct device *d = account_alloc(account, &devices);
	if (!d)
		return CAP_ENOMEM;
	d->account = account;
	d->function = f;
	d->dma_limit = params->dma_limit_pages;
	d->nregions = pci_regions(f, d->regions);
	pci_set_active(f, true, false);
	if (!pci_route(f, ARCH_VECTOR_FIRST + (unsigned)(f - pci_functions))) {
		pci_set_active(f, false, false);
		account_free(d->account, &devices, d);
		return CAP_ENOMEM;
	}
	f->open = d;
	d->header = (struct object_header){.refs = 3, .kind = KIND_DEVICE_MMIO};
	uint32_t rights = CAP_RIGHT_CALL | CAP_RIGHT_COPY;
	results->mmio_index = kcall_give(call, KIND_DEVICE_MMIO, &d->header, rights);
	results->interrupt_index = kcall_give(call, KIND_INTERRUPT, &d->header, rights);
	results->dma_index = kcall_give(call, KIND_DMA_POOL, &d->header, rights);
	return CAP_OK;
}

int device_manager_call(struct object_header *header, struct msg_call *msg)
{
	static const struct device_manager_ops ops = {.list = list, .open = open};
	return device_manager_dispatch(&ops, header, msg);
}

/* ---- DeviceMmio ---- */

static int mmio_info(void *device, struct msg_call *msg, struct device_mmio_info_results *results)
{
	const struct device *d = device;
	struct mmio_region *out = (struct mmio_region *)this_cpu()->data;
	(void)msg;
	for (unsigned i = 0; i < d->nregions; i++)
		out[i] = (struct mmio_region){.bar = d->regions[i].bar,
		                              .offset = d->regions[i].offset,
		                              .size = d->regions[i].size};
	results->vendor = d->function->vendor;
	results->device = d->function->device;
	results->regions = (struct msg_list){.count = d->nregions, .items = out};
	return CAP_OK;
}

static int mmio_map(void *device, struct msg_call *msg, const struct device_mmio_map_params *params,
                    struct device_mmio_map_results *results)
{
	struct device *d = device;
	if (params->region >= d->nregions)
		return CAP_ENOENT;
	const struct pci_region *region = &d->regions[params->region];
	struct memobj **m = &d->mapped[params->region];
	if (!*m)
		*m = memobj_create_device(d->function->bars[region->bar].base + region->offset,
		                          region->size);
	if (!*m)
		return CAP_ENOMEM;
	results->size = region->size;
	return space_map(&kcall_of(msg)->caller->process->space, *m, 0, region->size,
	                 CAP_RIGHT_READ | CAP_RIGHT_WRITE, false, false, &results->address);
}

static int mmio_read_config(void *device, struct msg_call *msg,
                            const struct device_mmio_read_config_params *params,
                            struct device_mmio_read_config_results *results)
{
	const struct device *d = device;
	(void)msg;
	if ((params->width != 1 && params->width != 2 && params->width != 4) ||
	    params->offset >= 256 || params->offset % params->width != 0)
		return CAP_EINVAL;
	results->value = arch_pci_read(d->function->address, params->offset, params->width);
	return CAP_OK;
}

int device_mmio_call(struct object_header *header, struct msg_call *msg)
{
	static const struct device_mmio_ops ops = {
	        .info = mmio_info,
	        .map = mmio_map,
	        .read_config = mmio_read_config,
	};
	return device_mmio_dispatch(&ops, device_of(header), msg);
}

/* ---- Interrupt ---- */

static int interrupt_bind_method(void *device, struct msg_call *msg,
                                 const struct interrupt_bind_params *params)
{
	struct cap event;
	int error =
	        kcall_arg(kcall_of(msg), params->event_index, KIND_EVENT, CAP_RIGHT_SIGNAL, &event);
	if (!error)
		bind(device, event_of(event.object), params->bits);
	return error;
}

static int interrupt_unbind_method(void *device, struct msg_call *msg)
{
	(void)msg;
	bind(device, NULL, 0);
	return CAP_OK;
}

static int interrupt_count_method(void *device, struct msg_call *msg,
                                  struct interrupt_count_results *results)
{
	(void)msg;
	results->delivered = ((struct device *)device)->delivered;
	return CAP_OK;
}

int interrupt_call(struct object_header *header, struct msg_call *msg)
{
	static const struct interrupt_ops ops = {
	        .bind = interrupt_bind_method,
	        .unbind = interrupt_unbind_method,
	        .count = interrupt_count_method,
	};
	return interrupt_dispatch(&ops, device_of(header), msg);
}

/* ---- DMAPool ---- */

/* Memory that is being made for the pool. */
struct allocation {
	struct job job; /* first */
	struct dma_block *block;
	uint64_t present; /* pages */
};

static struct slab allocations = SLAB_INIT(struct allocation);

static void abandon(struct job *job)
{
	struct allocation *a = (struct allocation *)job;
	struct account *account = a->block->account;
	free_block(a->block);
	account_free(account, &allocations, a);
}

/* The first look decides how many pages it is about. */
static int begin(struct thread *t, uint32_t pages, struct allocation **out)
{
	struct account *account = t->process->account;
	if (pages == 0 || pages > ALLOCATE_MAX)
		return CAP_EINVAL;
	struct allocation *a = account_alloc(account, &allocations);
	if (!a)
		return CAP_ENOMEM;
	a->job.abandon = abandon;
	a->block = account_alloc(account, &blocks);
	if (!a->block) {
		account_free(account, &allocations, a);
		return CAP_ENOMEM;
	}
	a->block->account = account;
	a->block->object = memobj_create_dma(pages, account);
	if (!a->block->object) {
		abandon(&a->job);
		return CAP_ENOMEM;
	}
	t->job = &a->job;
	*out = a;
	return CAP_OK;
}

/* The block is whole: the pool's from now on. */
static void add_block(struct device *d, struct thread *t, struct dma_block *block)
{
	struct allocation *a = (struct allocation *)t->job;
	t->job = NULL;
	account_free(block->account, &allocations, a);
	if (!d->blocks)
		pci_set_active(d->function, true, true);
	block->next = d->blocks;
	d->blocks = block;
	d->dma_pages += block->object->npages;
}

static int allocate(void *device, struct msg_call *msg,
                    const struct dma_pool_allocate_params *params,
                    struct dma_pool_allocate_results *results)
{
	struct device *d = device;
	struct kcall *call = kcall_of(msg);
	struct allocation *a = (struct allocation *)call->caller->job;
	uint64_t *addresses = (uint64_t *)this_cpu()->data;
	_Static_assert(ALLOCATE_MAX * sizeof(*addresses) <= sizeof(this_cpu()->data),
	               "addresses fit");
	int error = a ? CAP_OK : begin(call->caller, params->pages, &a);
	if (error)
		return error;
	struct dma_block *block = a->block;
	uint32_t pages = (uint32_t)block->object->npages;
	if (msg->out_size < ALLOCATE_REPLY + pages * sizeof(*addresses))
		return CAP_ETOOBIG;
	if (d->dma_limit != 0 && pages > d->dma_limit - d->dma_pages)
		return CAP_ENOMEM;
	error = memobj_commit_some(block->object, &a->present);
	if (error)
		return error;
	add_block(d, call->caller, block);
	for (uint32_t i = 0; i < pages; i++)
		addresses[i] = memobj_peek(block->object, i);
	steps_spend(pages / ADDRESSES_PER_STEP);
	memobj_get(block->object);
	results->memory_index =
	        kcall_give(call, KIND_MEMORY, &block->object->header,
	                   CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_CALL | CAP_RIGHT_COPY);
	results->device_addresses = (struct msg_list){.count = pages, .items = addresses};
	return CAP_OK;
}

int dma_pool_call(struct object_header *header, struct msg_call *msg)
{
	static const struct dma_pool_ops ops = {.allocate = allocate};
	return dma_pool_dispatch(&ops, device_of(header), msg);
}
