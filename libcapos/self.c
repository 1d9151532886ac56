/* SPDX-License-Identifier: MIT */
/*
 * What a process asks of itself, through its own Process capability: new objects and mappings; and
 * of accounts.
 * Every message is small, so its buffer is on the stack.
 */
#include <stddef.h>

#include <capos/cap.h>
#include <capos/object.h>
#include <capos/schema/kernel.h>
#include <capos/schema/kernel_client.h>

#define SELF_BUFFER 128u /* holds any of these methods' messages */

/* The capability at index of a reply; what the kernel promised but did not send is CAP_EMESSAGE. */
static int received(const struct capos_call *call, uint16_t index, cap_t *out)
{
	*out = index < call->ncaps ? call->caps[index] : CAP_NULL;
	return *out == CAP_NULL ? CAP_EMESSAGE : CAP_OK;
}

int cap_event_create(cap_t *out)
{
	_Alignas(8) uint8_t buffer[SELF_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_create_event_results results;
	int result = process_create_event(CAP_SELF, &results, &call);

	*out = CAP_NULL;
	return result ? result : received(&call, results.event_index, out);
}

int cap_endpoint_create(cap_t *out)
{
	_Alignas(8) uint8_t buffer[SELF_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_create_endpoint_results results;
	int result = process_create_endpoint(CAP_SELF, &results, &call);

	*out = CAP_NULL;
	return result ? result : received(&call, results.endpoint_index, out);
}

int cap_memory_create(uint64_t size, cap_t *out)
{
	_Alignas(8) uint8_t buffer[SELF_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_create_memory_params params = {.size = size};
	struct process_create_memory_results results;
	int result = process_create_memory(CAP_SELF, &params, &results, &call);

	*out = CAP_NULL;
	return result ? result : received(&call, results.memory_index, out);
}

int cap_memory_map(cap_t memory, uint64_t offset, uint64_t size, uint32_t access, void **address)
{
	uint64_t where = 0;
	int result = cap_memory_map_near(memory, offset, size, access, false, &where);

	*address = result ? NULL : (void *)(uintptr_t)where;
	return result;
}

int cap_memory_map_private(cap_t memory, uint64_t offset, uint64_t size, uint32_t access,
                           void **address)
{
	uint64_t where = 0;
	int result = cap_memory_map_near(memory, offset, size, access, true, &where);

	*address = result ? NULL : (void *)(uintptr_t)where;
	return result;
}

int cap_memory_map_at(cap_t memory, uint64_t offset, uint64_t size, uint32_t access,
                      bool private_copy, uint64_t address)
{
	return cap_memory_map_near(memory, offset, size, access, private_copy, &address);
}

int cap_memory_unmap(void *address, uint64_t size)
{
	_Alignas(8) uint8_t buffer[SELF_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_unmap_params params = {.address = (uintptr_t)address, .size = size};

	return process_unmap(CAP_SELF, &params, &call);
}

/* ---- Accounts ---- */

int cap_account(cap_t *out)
{
	_Alignas(8) uint8_t buffer[SELF_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_account_results results;
	int result = process_account(CAP_SELF, &results, &call);

	*out = CAP_NULL;
	return result ? result : received(&call, results.account_index, out);
}

int cap_account_create_memory(cap_t account, uint64_t size, cap_t *out)
{
	_Alignas(8) uint8_t buffer[SELF_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct account_create_memory_params params = {.size = size};
	struct account_create_memory_results results;
	int result = account_create_memory(account, &params, &results, &call);

	*out = CAP_NULL;
	return result ? result : received(&call, results.memory_index, out);
}

int cap_memory_create_committed(uint64_t size, cap_t *out)
{
	cap_t account;
	int result = cap_account(&account);

	*out = CAP_NULL;
	if (result)
		return result;
	result = cap_account_create_memory(account, size, out);
	(void)cap_release(account);
	return result;
}

int cap_account_slice(cap_t account, cap_t memory, uint64_t offset, uint64_t size, cap_t *out)
{
	_Alignas(8) uint8_t buffer[SELF_BUFFER];
	struct capos_send_cap send = {.cap = memory, .rights = CAP_RIGHT_READ};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	struct account_slice_params params = {.offset = offset, .size = size};
	struct account_slice_results results;
	int result = account_slice(account, &params, &results, &call);

	*out = CAP_NULL;
	return result ? result : received(&call, results.memory_index, out);
}
