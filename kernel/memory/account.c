/* SPDX-License-Identifier: MIT */
/*
 * The bookkeeping of accounts: every charge is given back exactly once, and the last one to go of
 * an account that is not held frees it.
 */
#include "memory/account.h"
#include "kernel.h"
#include "memory/slab.h"
#include "memory/page.h"

ASSERT_HEADER_FIRST(struct account);

static struct slab accounts = SLAB_INIT(struct account);

/* How many times the limits above the machine's memory is worth. */
static uint32_t limit_times(void)
{
	uint64_t times = (page_total() + ACCOUNT_LIMIT_PAGES - 1) / ACCOUNT_LIMIT_PAGES;
	return times < 1 ? 1 : times > ACCOUNT_LIMIT_TIMES ? ACCOUNT_LIMIT_TIMES : (uint32_t)times;
}

struct account *account_create(const struct account_limits *limits, bool program)
{
	static const uint32_t most[ACCOUNT_ITEMS] = {
	        [ACCOUNT_PROCESSES] = ACCOUNT_PROCESSES_MAX,
	        [ACCOUNT_THREADS] = ACCOUNT_THREADS_MAX,
	        [ACCOUNT_TIMERS] = ACCOUNT_TIMERS_MAX,
	        [ACCOUNT_OPERATIONS] = ACCOUNT_OPERATIONS_MAX,
	        [ACCOUNT_CALLS] = ACCOUNT_CALLS_MAX,
	};
	struct account *a = slab_alloc(&accounts);
	if (!a)
		return NULL;
	*a = (struct account){
	        .header = {.refs = 1, .kind = KIND_ACCOUNT}, .program = program, .limits = *limits};
	share_init(&a->share);
	for (unsigned i = 0; i < ACCOUNT_ITEMS; i++) {
		if (a->limits.items[i] == 0)
			a->limits.items[i] = most[i] * limit_times();
	}
	return a;
}

void account_get(struct account *a)
{
	if (a)
		header_get(&a->header);
}

/* Frees an account that is neither held nor charged. */
static void free_unused(struct account *a)
{
	if (a->header.refs == 0 && a->pages == 0 && a->bytes == 0)
		slab_free(&accounts, a);
}

void account_put(struct account *a)
{
	if (a && header_put(&a->header))
		account_last(&a->header);
}

void account_last(struct object_header *header)
{
	free_unused(account_of(header));
}

/* ---- Pages ---- */

/* Whether the machine has so many frames for the account. */
static bool available(const struct account *a, uint64_t pages)
{
	uint64_t left = a && a->program ? page_total() / SERVICE_SHARE : 0;
	return page_available() >= pages + left;
}

bool account_may_fill(const struct account *a)
{
	return !a || !a->program || available(a, 1 + FILES_LEAVE);
}

static bool within_limit(const struct account *a, uint64_t pages)
{
	return a->limits.pages == 0 || pages <= a->limits.pages - account_used(a);
}

bool account_at_limit(const struct account *a, uint64_t pages)
{
	return a && !within_limit(a, pages);
}

bool account_charge(struct account *a, uint64_t pages)
{
	if (!a)
		return true;
	if (!within_limit(a, pages) || !available(a, pages))
		return false;
	a->pages += pages;
	return true;
}

void account_release(struct account *a, uint64_t pages)
{
	if (!a || pages == 0)
		return;
	assert(a->pages >= pages);
	a->pages -= pages;
	free_unused(a);
}

paddr_t account_frame(const struct account *a, bool zero)
{
	return available(a, 1) ? page_alloc(zero) : PADDR_NONE;
}

paddr_t account_page(struct account *a, bool zero)
{
	if (!account_charge(a, 1))
		return PADDR_NONE;
	paddr_t page = page_alloc(zero);
	if (page == PADDR_NONE)
		account_release(a, 1);
	return page;
}

bool account_reserve(const struct account *a)
{
	return available(a, 1) && page_reserve();
}

/* ---- Kernel objects ---- */

/* A page that emptied stays charged until a second one has: an account that is at its limit can
 * make again what it just freed, so that its calls do not fail by chance. */
static void charge_bytes(struct account *a, uint64_t bytes)
{
	a->bytes += bytes;
	if (a->bytes > a->byte_pages * PAGE_SIZE)
		a->byte_pages++;
}

static bool bytes_fit(const struct account *a, uint64_t bytes)
{
	if (a->bytes + bytes <= a->byte_pages * PAGE_SIZE)
		return true;
	return within_limit(a, 1) && available(a, 1);
}

void *account_alloc(struct account *a, struct slab *slab)
{
	if (!a)
		return slab_alloc(slab);
	if (!bytes_fit(a, slab->size) || (slab_full(slab) && !available(a, 1)))
		return NULL;
	void *object = slab_alloc(slab);
	if (object)
		charge_bytes(a, slab->size);
	return object;
}

void account_free(struct account *a, struct slab *slab, void *object)
{
	slab_free(slab, object);
	if (!a)
		return;
	assert(a->bytes >= slab->size);
	a->bytes -= slab->size;
	if (a->byte_pages * PAGE_SIZE >= a->bytes + 2 * PAGE_SIZE)
		a->byte_pages--;
	free_unused(a);
}

/* ---- Items ---- */

bool account_count(struct account *a, enum account_item item)
{
	if (!a)
		return true;
	if (a->items[item] >= a->limits.items[item])
		return false;
	a->items[item]++;
	return true;
}

void account_uncount(struct account *a, enum account_item item)
{
	if (!a)
		return;
	assert(a->items[item] > 0);
	a->items[item]--;
}
