/* SPDX-License-Identifier: MIT */
/*
 * What the calls for segments, semaphores and messages have in common.
 */
#include <errno.h>
#include <string.h>
#include <sys/ipc.h>

#include <capos/schema/process_client.h>

#include "core/core.h"
#include "process/sysv.h"
#include "process/world.h"

long sysv_get(uint32_t kind, long key, uint64_t size, long flags)
{
	const struct process_member_ipc_get_params params = {.kind = (uint16_t)kind,
	                                                     .key = (int32_t)key,
	                                                     .size = size,
	                                                     .flags = (uint32_t)flags};
	struct process_member_ipc_get_results results;
	int result;

	if (!world_exists())
		return -EACCES;
	do {
		result = process_member_ipc_get(world_member(), &params, &results, NULL);
	} while (world_again(result));
	return result ? errno_of(result) : results.id;
}

long sysv_stat(uint32_t kind, long id, bool by_place, struct ipc_stat *out)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	const struct process_member_ipc_stat_params params = {
	        .kind = (uint16_t)kind, .id = (int32_t)id, .by_place = by_place};
	struct process_member_ipc_stat_results results;
	int result;

	if (!world_exists())
		return -EACCES;
	do {
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};

		result = process_member_ipc_stat(world_member(), &params, &results, &call);
	} while (world_again(result));
	if (result)
		return errno_of(result);
	*out = results.stat;
	return by_place ? out->id : 0;
}

void sysv_permissions(const struct ipc_stat *stat, struct ipc_perm *out)
{
	memset(out, 0, sizeof(*out));
	out->__ipc_perm_key = stat->key;
	out->uid = stat->user;
	out->gid = stat->group;
	out->cuid = stat->creator_user;
	out->cgid = stat->creator_group;
	out->mode = stat->mode;
	out->__ipc_perm_seq = stat->id / SYSV_IDS;
}

long sysv_set(uint32_t kind, long id, const struct ipc_perm *permissions, uint64_t size)
{
	const struct process_member_ipc_set_params params = {.kind = (uint16_t)kind,
	                                                     .id = (int32_t)id,
	                                                     .user = permissions->uid,
	                                                     .group = permissions->gid,
	                                                     .mode = permissions->mode,
	                                                     .size = size};
	int result;

	if (!world_exists())
		return -EACCES;
	do {
		result = process_member_ipc_set(world_member(), &params, NULL);
	} while (world_again(result));
	return errno_of(result);
}

long sysv_remove(uint32_t kind, long id)
{
	const struct process_member_ipc_remove_params params = {.kind = (uint16_t)kind,
	                                                        .id = (int32_t)id};
	int result;

	if (!world_exists())
		return -EACCES;
	do {
		result = process_member_ipc_remove(world_member(), &params, NULL);
	} while (world_again(result));
	return errno_of(result);
}

long sysv_use(uint32_t kind, struct process_member_ipc_use_results *out)
{
	const struct process_member_ipc_use_params params = {.kind = (uint16_t)kind};
	int result;

	if (!world_exists())
		return -EACCES;
	do {
		result = process_member_ipc_use(world_member(), &params, out, NULL);
	} while (world_again(result));
	if (result)
		return errno_of(result);
	return out->places ? (long)out->places - 1 : 0;
}

int sysv_await(uint32_t method, void *buffer, uint32_t size, uint32_t *length, uint64_t deadline_ns)
{
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .method = (uint16_t)method,
	                        .cap = world_member(),
	                        .interface = PROCESS_MEMBER_INTERFACE,
	                        .send_addr = (uintptr_t)buffer,
	                        .send_len = *length,
	                        .recv_addr = (uintptr_t)buffer,
	                        .recv_len = size};
	struct cap_op op = {.done = false};
	int interrupted, result = cap_submit(&sqe, &op);

	if (result)
		return result;
	interrupted = wait_for_op(&op, deadline_ns);
	*length = op.cqe.length;
	if (op.cqe.result == CAP_ECANCELED)
		return interrupted == -ETIMEDOUT ? CAP_ETIMEDOUT : CAP_EINTR;
	return op.cqe.result;
}
