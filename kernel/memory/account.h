/* SPDX-License-Identifier: MIT */
/*
 * Accounts: what the machine keeps in the name of a family of processes, and how much it may be.
 *
 * A process that asks pays: frames, and the kernel objects made in its name, are charged to its
 * account until they are freed.  An account lives as long as it is held or something is charged to
 * it, so what is charged keeps no reference of its own.  Account NULL is the kernel itself, which
 * has no limits.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_ACCOUNT_H
#define KERNEL_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include "memory/page.h"
#include "object_header.h"
#include "share.h"

struct slab;

/* What is counted one by one beside the memory that it takes: the kernel goes through lists of
 * these, so their length must be bounded. */
enum account_item {
	ACCOUNT_PROCESSES,
	ACCOUNT_THREADS,
	ACCOUNT_TIMERS,
	ACCOUNT_OPERATIONS, /* submissions in flight: waiters, receivers, callers */
	ACCOUNT_CALLS,      /* made and not answered by their server, cancelled ones included */
	ACCOUNT_ITEMS,
};

/* The limits of an account that is given none, for each 256 MiB of the machine (or part of it): as
 * many processes as its memory holds, which takes 120 to 240 KiB for each; with a few operations in
 * flight each; a web server holds some thousand calls. */
#define ACCOUNT_PROCESSES_MAX  1024u
#define ACCOUNT_THREADS_MAX    1024u
#define ACCOUNT_TIMERS_MAX     1024u
#define ACCOUNT_OPERATIONS_MAX 8192u
#define ACCOUNT_CALLS_MAX      4096u
#define ACCOUNT_LIMIT_PAGES    (256u << (20 - 12))
#define ACCOUNT_LIMIT_TIMES    32u /* at most, however large the machine is */

/* This part of the machine's memory only services get.  A service that finds none when it touches a
 * page of its own ends, and with it what all programs have of it: so programs run out first. */
#define SERVICE_SHARE 32u

struct account_limits {
	uint64_t pages;                /* 0: the machine's memory alone */
	uint32_t items[ACCOUNT_ITEMS]; /* 0: the constants above */
};

/* What the processes of an account may still have in the log, together: each of its own would be
 * no bound for one that forks. */
struct log_budget {
	uint64_t at;      /* when it was last filled up */
	uint64_t dropped; /* bytes, since a line said so */
	uint32_t left;    /* bytes */
};

struct account {
	struct object_header header; /* references: processes and capabilities */
	bool program;                /* leaves the last of the memory to services */
	struct account_limits limits;
	uint64_t pages;      /* frames charged one by one */
	uint64_t bytes;      /* of kernel objects smaller than a page */
	uint64_t byte_pages; /* pages that these fill, rounded up, and at most one more */
	uint32_t items[ACCOUNT_ITEMS];
	struct log_budget log;
	struct share share; /* of the processor, of its processes that are no services */
};

DEFINE_HEADER_ACCESS(account, KIND_ACCOUNT)

/* One reference.  NULL: no memory.  The account itself is charged to no account: only a process
 * that may start processes makes one. */
struct account *account_create(const struct account_limits *limits, bool program);
void account_get(struct account *a);
void account_put(struct account *a);
void account_last(struct object_header *header); /* the last reference has gone */

/* All pages that count against the limit. */
static inline uint64_t account_used(const struct account *a)
{
	return a->pages + a->byte_pages;
}

/* Whether the account's own limit forbids so many more. */
bool account_at_limit(const struct account *a, uint64_t pages);
/* Charges frames that the caller allocates itself; false: the limit, or the share of services. */
bool account_charge(struct account *a, uint64_t pages);
void account_release(struct account *a, uint64_t pages);

/* What is written to files leaves so many frames besides, which a program and one that it starts
 * take: a program that fills the machine with files gets an error, and goes on. */
#define FILES_LEAVE 64u
/* Whether the machine has a frame for a file of the account. */
bool account_may_fill(const struct account *a);

/* A frame that leaves services their share, and is not charged; PADDR_NONE: none. */
paddr_t account_frame(const struct account *a, bool zero);
/* A frame that is charged; PADDR_NONE: none.  Give it back by page_put and account_release. */
paddr_t account_page(struct account *a, bool zero);
/* Sets a frame aside for a copy that must not fail (page_reserve), with services' share left. */
bool account_reserve(const struct account *a);

/* A kernel object, zeroed and charged; NULL: no memory, or the limit. */
void *account_alloc(struct account *a, struct slab *slab);
void account_free(struct account *a, struct slab *slab, void *object);

/* One more of these, or one less.  False: it has as many as it may. */
bool account_count(struct account *a, enum account_item item);
void account_uncount(struct account *a, enum account_item item);

#endif
