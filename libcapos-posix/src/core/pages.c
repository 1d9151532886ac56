/* SPDX-License-Identifier: MIT */
/*
 * Pages of the library's own: private to this process and copied by fork, or common to those that
 * map them.
 */
#include <capos/cap.h>
#include <capos/object.h>

#include "core/fd.h"
#include "core/pages.h"

void *pages_map(size_t size)
{
	uint64_t address = 0;

	return cap_memory_map_zeroes(size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address)
	               ? NULL
	               : (void *)address;
}

void pages_unmap(void *pages, size_t size)
{
	cap_memory_unmap(pages, size);
}

/* A page is there from the beginning: then any number of processes may have it mapped.  More would
 * take memory that may never be used. */
static int create(size_t size, cap_t *memory)
{
	cap_t account;
	int result;

	if (size > CAPOS_PAGE_SIZE)
		return cap_memory_create(PAGES_SIZE(size), memory);
	result = cap_account(&account);
	if (result)
		return result;
	result = cap_account_create_memory(account, CAPOS_PAGE_SIZE, memory);
	cap_release(account);
	return result;
}

int pages_create_common(size_t size, cap_t *memory)
{
	struct capos_sqe release = {.op = CAP_OP_RELEASE};
	cap_t all;
	int result = create(size, &all);

	if (result)
		return result;
	result = cap_copy(all, CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_CALL | CAP_RIGHT_COPY,
	                  memory);
	release.cap = all; /* with the next call: it costs none of its own */
	(void)cap_submit_quiet(&release);
	return result;
}

int pages_share(size_t size, cap_t *memory, void **address)
{
	int result = *memory ? CAP_OK : pages_create_common(size, memory);

	if (result)
		return errno_of(result);
	result = cap_memory_map(*memory, 0, PAGES_SIZE(size), CAP_RIGHT_READ | CAP_RIGHT_WRITE,
	                        address);
	if (result)
		cap_release(*memory);
	return errno_of(result);
}

void pages_release_shared(void *address, size_t size, cap_t memory)
{
	cap_memory_unmap(address, PAGES_SIZE(size));
	cap_release(memory);
}
