/* SPDX-License-Identifier: MIT */
/*
 * Snapshots for File.memory: pages of the boot archive in place where they hold the file and
 * nothing else, otherwise a copy that the client's account pays for.  Either is code: a process
 * that executes a file cannot write what it executes.
 */
#include <capos/schema/kernel_client.h>

#include "files.h"

/* Whether the archive's own pages hold the file and, behind its end, nothing but zeros. */
static bool mappable_in_place(const struct data *data)
{
	if (data->root || !data->base_size || data->base_size != data->size)
		return false;
	const uint8_t *end = files.archive + files.archive_size;
	for (const uint8_t *p = data->base + data->size; p < end && (uintptr_t)p % PAGE_SIZE; p++) {
		if (*p)
			return false;
	}
	return true;
}

static int snapshot_in_place(const struct data *data, cap_t *memory)
{
	const struct memory_object_slice_params in = {
	        .offset = (uint64_t)(data->base - files.archive), .size = data->size};
	struct memory_object_slice_results out;
	uint64_t buffer[CAP_STUB_BUFFER / 8];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	int result = memory_object_slice(files.boot, &in, &out, &call);

	*memory = !result && call.ncaps ? call.caps[0] : CAP_NULL;
	return !result && !call.ncaps ? CAP_EMESSAGE : result;
}

/* The copy as code: a process that executes the file cannot write what it executes, and a later
 * write to the file does not reach it. */
static int make_code(cap_t data, cap_t *code)
{
	const struct code_maker_make_params in = {.memory_index = 0};
	struct code_maker_make_results out;
	const struct capos_send_cap send = {.cap = data, .rights = CAP_RIGHTS_ALL};
	uint64_t buffer[CAP_STUB_BUFFER / 8];
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	int result = code_maker_make(files.code, &in, &out, &call);

	*code = !result && call.ncaps ? call.caps[0] : CAP_NULL;
	return !result && !call.ncaps ? CAP_EMESSAGE : result;
}

static int snapshot_copy(const struct data *data, cap_t *memory)
{
	/* As much is copied at a time as a read carries. */
	void *address;
	int result = cap_account_create_memory(files.sessions.of[files.session].store.account,
	                                       data->size, memory);

	if (result)
		return result;
	result = cap_memory_map(*memory, 0, data->size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address);
	if (result) {
		cap_release(*memory);
		return result;
	}
	for (uint64_t done = 0; done < data->size; done += READ_MAX)
		data_read(data, done, (uint8_t *)address + done, READ_MAX);
	cap_memory_unmap(address, data->size);
	cap_t copy = *memory;
	result = make_code(copy, memory);
	cap_release(copy);
	return result;
}

int snapshot_make(const struct data *data, cap_t *memory)
{
	return mappable_in_place(data) ? snapshot_in_place(data, memory)
	                               : snapshot_copy(data, memory);
}
