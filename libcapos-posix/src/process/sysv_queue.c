/* SPDX-License-Identifier: MIT */
/*
 * msgget, msgsnd, msgrcv and msgctl.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include <capos/schema/process_client.h>

#include "core/core.h"
#include "process/sysv.h"
#include "process/world.h"

long sys_msgget(long key, long flags)
{
	return sysv_get(IPC_KIND_QUEUE, key, 0, flags);
}

/* ---- Sending ---- */

static int try_send(const struct process_member_send_message_params *params, void *buffer,
                    uint32_t size)
{
	struct msg_builder builder;
	uint32_t length;
	int result;

	msg_builder_init(&builder, buffer, size);
	result = process_member_send_message_params_write(&builder, params);
	if (result)
		return result;
	length = msg_builder_length(&builder);
	return sysv_await(PROCESS_MEMBER_SEND_MESSAGE, buffer, size, &length, UINT64_MAX);
}

static long send_message(struct process_member_send_message_params *params, long text,
                         uint32_t bytes)
{
	uint32_t size = bytes + SYSV_AROUND;
	uint8_t *memory = posix_alloc(bytes + size);
	int result;

	if (!memory)
		return -ENOMEM;
	params->data = MSG_DATA(memory + size, bytes);
	result = user_read(memory + size, text, bytes);
	if (result) {
		posix_free(memory);
		return result;
	}
	do {
		result = try_send(params, memory, size);
	} while (world_again(result));
	posix_free(memory);
	return errno_of(result);
}

long sys_msgsnd(long id, long message, long bytes, long flags)
{
	struct process_member_send_message_params params = {.id = (int32_t)id,
	                                                    .wait = !(flags & IPC_NOWAIT)};
	long type;

	if (user_get(&type, message))
		return -EFAULT;
	if (bytes < 0 || bytes > SYSV_MESSAGE_MAX || (int)id < 0 || type < 1)
		return -EINVAL;
	if (!world_exists())
		return -EACCES;
	params.type = type;
	return send_message(&params, message + (long)sizeof(type), (uint32_t)bytes);
}

/* ---- Receiving ---- */

static int try_receive(const struct process_member_receive_message_params *params, void *buffer,
                       uint32_t size, struct process_member_receive_message_results *out)
{
	struct msg_builder builder;
	struct msg_reader reader;
	uint32_t length;
	int result;

	msg_builder_init(&builder, buffer, size);
	result = process_member_receive_message_params_write(&builder, params);
	if (result)
		return result;
	length = msg_builder_length(&builder);
	result = sysv_await(PROCESS_MEMBER_RECEIVE_MESSAGE, buffer, size, &length, UINT64_MAX);
	if (result)
		return result;
	msg_reader_init(&reader, buffer, length);
	return process_member_receive_message_results_read(&reader, out);
}

/* What came, into the program's memory: bytes of its text. */
static long put_message(const struct process_member_receive_message_results *r, long to, long room)
{
	const long type = r->type;

	if (r->data.len > (uint64_t)room)
		return -EIO;
	if (user_put(to, &type) || user_write(to + (long)sizeof(type), r->data.ptr, r->data.len))
		return -EFAULT;
	return (long)r->data.len;
}

long sys_msgrcv(long id, long to, long bytes, long type, long flags)
{
	const struct process_member_receive_message_params params = {
	        .id = (int32_t)id, .type = type, .size = (uint64_t)bytes, .flags = (uint32_t)flags};
	uint32_t size =
	        (bytes < SYSV_MESSAGE_MAX ? (uint32_t)bytes : SYSV_MESSAGE_MAX) + SYSV_AROUND;
	struct process_member_receive_message_results results;
	uint8_t *memory;
	long result;

	if (bytes < 0 || (int)id < 0)
		return -EINVAL;
	if (!world_exists())
		return -EACCES;
	memory = posix_alloc(size);
	if (!memory)
		return -ENOMEM;
	do {
		result = try_receive(&params, memory, size, &results);
	} while (world_again((int)result));
	result = result ? errno_of((int)result) : put_message(&results, to, bytes);
	posix_free(memory);
	return result;
}

/* ---- msgctl ---- */

static long put_stat(long id, bool by_place, long to)
{
	struct ipc_stat stat;
	struct msqid_ds out;
	long result = sysv_stat(IPC_KIND_QUEUE, id, by_place, &stat);

	if (result < 0)
		return result;
	memset(&out, 0, sizeof(out));
	sysv_permissions(&stat, &out.msg_perm);
	out.msg_stime = stat.first_seconds;
	out.msg_rtime = stat.second_seconds;
	out.msg_ctime = stat.change_seconds;
	out.msg_cbytes = stat.bytes;
	out.msg_qnum = stat.count;
	out.msg_qbytes = stat.size;
	out.msg_lspid = (pid_t)stat.last;
	out.msg_lrpid = (pid_t)stat.last_receiver;
	return user_put(to, &out) ? -EFAULT : result;
}

static long put_limits(long to, bool use_too)
{
	struct process_member_ipc_use_results use;
	long result = sysv_use(IPC_KIND_QUEUE, &use);
	struct msginfo out = {.msgpool = SYSV_IDS * SYSV_QUEUE_BYTES / 1024,
	                      .msgmap = SYSV_QUEUE_BYTES,
	                      .msgmax = SYSV_MESSAGE_MAX,
	                      .msgmnb = SYSV_QUEUE_BYTES,
	                      .msgmni = SYSV_IDS,
	                      .msgssz = 16,
	                      .msgtql = SYSV_QUEUE_BYTES,
	                      .msgseg = 0xffff};

	if (result < 0)
		return result;
	if (use_too) {
		out.msgpool = (int)use.objects;
		out.msgmap = (int)use.items;
		out.msgtql = (int)use.bytes;
	}
	return user_put(to, &out) ? -EFAULT : result;
}

long sys_msgctl(long id, long command, long argument)
{
	struct msqid_ds given;

	switch (command) {
	case IPC_STAT:
		return put_stat(id, false, argument);
	case MSG_STAT:
	case MSG_STAT_ANY:
		return put_stat(id, true, argument);
	case IPC_SET:
		if (user_get(&given, argument))
			return -EFAULT;
		return sysv_set(IPC_KIND_QUEUE, id, &given.msg_perm, given.msg_qbytes);
	case IPC_RMID:
		return sysv_remove(IPC_KIND_QUEUE, id);
	case IPC_INFO:
	case MSG_INFO:
		return put_limits(argument, command == MSG_INFO);
	default:
		return -EINVAL;
	}
}
