/* SPDX-License-Identifier: MIT */
/*
 * Contents as the kernel's memory objects.  The kernel answers each of these calls at once, but for
 * cutting and preparing ranges, which take time by the page.
 */
#include "contents.h"

#include <capos/cap.h>
#include <capos/object.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/status.h>

#include "files.h"

static int status_of(int result)
{
	return result == CAP_ENOMEM ? STATUS_NO_SPACE : result ? STATUS_IO_ERROR : STATUS_OK;
}

int contents_make(struct page_source *payer, const uint8_t *base, uint64_t size, uint64_t *object)
{
	struct store *store = payer->context;
	const struct capos_send_cap send = {.cap = files.boot, .rights = CAP_RIGHT_READ};
	const struct account_create_sparse_params in = {
	        .size = base ? size : 0,
	        .backed = base,
	        .offset = base ? (uint64_t)(base - files.archive) : 0};
	struct account_create_sparse_results out;
	uint64_t buffer[CAP_STUB_BUFFER / 8];
	struct capos_call call = {.send_caps = &send,
	                          .send_ncaps = base ? 1 : 0,
	                          .buffer = buffer,
	                          .size = sizeof(buffer)};

	if (store->account == CAP_NULL || store->objects >= STORE_OBJECTS_MAX)
		return STATUS_NO_SPACE;
	if (account_create_sparse(store->account, &in, &out, &call) || !call.ncaps)
		return STATUS_NO_SPACE;
	*object = call.caps[0];
	store->objects++;
	return STATUS_OK;
}

void contents_drop(struct page_source *payer, uint64_t object)
{
	cap_release(object);
	((struct store *)payer->context)->objects--;
}

int contents_load(uint64_t object, uint64_t offset, void *buffer, uint32_t length, uint32_t *loaded)
{
	struct cap_copied copied;
	int result = cap_memory_load(object, CAP_NULL, offset, buffer, length, &copied);

	*loaded = (uint32_t)copied.length;
	return status_of(result);
}

int contents_store(uint64_t object, bool append, uint64_t offset, const void *buffer,
                   uint32_t length, uint32_t *stored)
{
	struct cap_copied copied;
	int result = cap_memory_store(object, CAP_NULL, append, offset, buffer, length, &copied);

	*stored = (uint32_t)copied.length;
	return status_of(result);
}

int contents_resize(uint64_t object, uint64_t size)
{
	const struct memory_object_resize_params in = {.size = size};

	return status_of(memory_object_resize(object, &in, NULL));
}

int contents_set_limit(uint64_t object, uint64_t size)
{
	const struct memory_object_set_limit_params in = {.size = size};

	return status_of(memory_object_set_limit(object, &in, NULL));
}

int contents_get_status(uint64_t object, struct contents_status *status)
{
	struct memory_object_status_results out;
	int result = memory_object_status(object, &out, NULL);

	if (result)
		return STATUS_IO_ERROR;
	*status = (struct contents_status){.size = out.size,
	                                   .pages = out.pages,
	                                   .changed = out.changed_ns,
	                                   .loaded = out.loaded_ns,
	                                   .mapped = out.mappings > 0};
	return STATUS_OK;
}

int64_t contents_time(uint64_t changed)
{
	return cap_realtime() - (int64_t)(cap_now() - changed);
}

int contents_discard(uint64_t object, uint64_t offset, uint64_t length)
{
	const struct memory_object_discard_params in = {.offset = offset, .length = length};
	int result = memory_object_discard(object, &in, NULL);

	return result == CAP_ETYPE ? STATUS_NOT_SUPPORTED : status_of(result);
}
