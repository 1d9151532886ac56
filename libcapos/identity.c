/* SPDX-License-Identifier: MIT */
/*
 * Identities as labels of processes: what is read of one is checked before it is believed.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/identity.h>
#include <capos/schema/kernel_client.h>

#define IDENTITY_BUFFER (sizeof(struct cap_identity) + 128u)

bool cap_identity_read(struct cap_identity *out, const void *bytes, size_t length)
{
	*out = (struct cap_identity){.ngroups = 0};
	if (!length) /* no label: user 0 */
		return true;
	if (length < offsetof(struct cap_identity, groups) || length > sizeof(*out))
		return false;
	memcpy(out, bytes, length);
	return out->ngroups <= CAP_GROUPS_MAX && length == cap_identity_size(out);
}

int cap_identity_set(cap_t labeller, cap_t process, const struct cap_identity *identity)
{
	_Alignas(8) uint8_t buffer[IDENTITY_BUFFER];
	const struct capos_send_cap send = {.cap = process, .rights = CAP_RIGHT_WATCH};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct labeller_set_params params = {
	        .label = {(const void *)identity, (uint32_t)cap_identity_size(identity)}};

	return labeller_set(labeller, &params, &call);
}

int cap_identity_get(cap_t labeller, cap_t process, struct cap_identity *out, uint64_t *id)
{
	_Alignas(8) uint8_t buffer[IDENTITY_BUFFER];
	const struct capos_send_cap send = {.cap = process, .rights = CAP_RIGHT_WATCH};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct labeller_get_params params = {.process_index = 0};
	struct labeller_get_results results;
	int result = labeller_get(labeller, &params, &results, &call);

	if (result)
		return result;
	*id = results.id;
	return cap_identity_read(out, results.label.ptr, results.label.len) ? 0 : CAP_EINVAL;
}

int cap_identity_bound(cap_t labeller, cap_t process, uint16_t priority, int32_t nice)
{
	_Alignas(8) uint8_t buffer[128];
	const struct capos_send_cap send = {.cap = process, .rights = CAP_RIGHT_WATCH};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct labeller_bound_params params = {.priority = priority, .nice = nice};

	return labeller_bound(labeller, &params, &call);
}

bool cap_caller_in_group(uint64_t call_id, uint32_t group)
{
	_Alignas(8) uint8_t buffer[IDENTITY_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	const struct process_caller_label_params params = {.call = call_id};
	struct process_caller_label_results results;
	struct cap_identity identity;

	if (process_caller_label(CAP_SELF, &params, &results, &call) ||
	    !cap_identity_read(&identity, results.label.ptr, results.label.len))
		return false;
	for (uint32_t i = 0; i < identity.ngroups; i++)
		if (identity.groups[i] == group)
			return true;
	return false;
}
