/* SPDX-License-Identifier: MIT */
/*
 * semget, semop, semtimedop and semctl: the service does the operations, so that they are done
 * exactly when the call succeeds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

#include <capos/schema/process_client.h>

#include "core/core.h"
#include "process/sysv.h"
#include "process/world.h"

long sys_semget(long key, long n, long flags)
{
	return (int)n < 0 || n > SYSV_SET_MAX ? -EINVAL
	                                      : sysv_get(IPC_KIND_SET, key, (uint64_t)n, flags);
}

/* ---- Operations ---- */

static int try_operate(const struct process_member_operate_semaphores_params *params, void *buffer,
                       uint32_t size, uint64_t deadline)
{
	struct msg_builder builder;
	uint32_t length;
	int result;

	msg_builder_init(&builder, buffer, size);
	result = process_member_operate_semaphores_params_write(&builder, params);
	if (result)
		return result;
	length = msg_builder_length(&builder);
	return sysv_await(PROCESS_MEMBER_OPERATE_SEMAPHORES, buffer, size, &length, deadline);
}

static long operate(long id, long operations, uint32_t n, uint64_t deadline)
{
	uint32_t bytes = n * (uint32_t)sizeof(struct sembuf), size = bytes + SYSV_AROUND;
	uint8_t *memory = posix_alloc(bytes + size);
	struct process_member_operate_semaphores_params params = {.id = (int32_t)id};
	int result;

	if (!memory)
		return -ENOMEM;
	params.operations = MSG_DATA(memory + size, bytes);
	result = user_read(memory + size, operations, bytes);
	if (result) {
		posix_free(memory);
		return result;
	}
	do {
		result = try_operate(&params, memory, size, deadline);
	} while (world_again(result));
	posix_free(memory);
	return result == CAP_ETIMEDOUT ? -EAGAIN : errno_of(result);
}

long sys_semtimedop(long id, long operations, long n, long timeout)
{
	uint64_t deadline = UINT64_MAX, ns;
	struct timespec t;

	if (timeout && user_get(&t, timeout))
		return -EFAULT;
	if (n < 1)
		return -EINVAL;
	if (n > SYSV_OPERATIONS_MAX)
		return -E2BIG;
	if (timeout && timespec_to_ns(&t, &ns))
		return -EINVAL;
	if (timeout)
		deadline = deadline_after(ns);
	if (!world_exists())
		return -EACCES;
	return operate(id, operations, (uint32_t)n, deadline);
}

long sys_semop(long id, long operations, long n)
{
	return sys_semtimedop(id, operations, n, 0);
}

/* ---- Values ---- */

#define VALUES_MESSAGE (SYSV_SET_MAX * sizeof(uint16_t) + SYSV_AROUND)

static long read_value(long id, long number, uint32_t what, long to)
{
	_Alignas(8) uint8_t buffer[VALUES_MESSAGE];
	const struct process_member_read_semaphores_params params = {
	        .id = (int32_t)id, .what = (uint16_t)what, .number = (uint32_t)number};
	struct process_member_read_semaphores_results results;
	int result;

	if (!world_exists())
		return -EACCES;
	do {
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};

		result = process_member_read_semaphores(world_member(), &params, &results, &call);
	} while (world_again(result));
	if (result)
		return errno_of(result);
	if (what != PROCESS_MEMBER_WHAT_ALL)
		return (long)results.value;
	return user_write(to, results.values.ptr, results.values.len);
}

static long assign(long id, long number, const uint16_t *values, uint32_t n)
{
	_Alignas(8) uint8_t buffer[VALUES_MESSAGE];
	const struct process_member_assign_semaphores_params params = {
	        .id = (int32_t)id,
	        .number = (int32_t)number,
	        .values = MSG_DATA(values, n * (uint32_t)sizeof(*values))};
	int result;

	do {
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};

		result = process_member_assign_semaphores(world_member(), &params, &call);
	} while (world_again(result));
	return errno_of(result);
}

static long assign_one(long id, long number, long value)
{
	const uint16_t own = (uint16_t)value;

	if ((int)value < 0 || (int)value > SYSV_VALUE_MAX)
		return -ERANGE;
	if (!world_exists())
		return -EACCES;
	return number < 0 ? -EINVAL : assign(id, number, &own, 1);
}

static long assign_all(long id, long from)
{
	uint16_t values[SYSV_SET_MAX];
	struct ipc_stat stat;
	long result = sysv_stat(IPC_KIND_SET, id, false, &stat);

	if (result < 0)
		return result;
	if (stat.size > SYSV_SET_MAX)
		return -EIO;
	if (user_read(values, from, stat.size * sizeof(values[0])))
		return -EFAULT;
	return assign(id, -1, values, (uint32_t)stat.size);
}

/* ---- semctl ---- */

static long put_stat(long id, bool by_place, long to)
{
	struct ipc_stat stat;
	struct semid_ds out;
	long result = sysv_stat(IPC_KIND_SET, id, by_place, &stat);

	if (result < 0)
		return result;
	memset(&out, 0, sizeof(out));
	sysv_permissions(&stat, &out.sem_perm);
	out.sem_otime = stat.first_seconds;
	out.sem_ctime = stat.change_seconds;
	out.sem_nsems = (unsigned short)stat.size;
	return user_put(to, &out) ? -EFAULT : result;
}

static long put_limits(long to, bool use_too)
{
	struct process_member_ipc_use_results use;
	long result = sysv_use(IPC_KIND_SET, &use);
	struct seminfo out = {.semmap = SYSV_IDS * SYSV_SET_MAX,
	                      .semmni = SYSV_IDS,
	                      .semmns = SYSV_IDS * SYSV_SET_MAX,
	                      .semmnu = SYSV_IDS * SYSV_SET_MAX,
	                      .semmsl = SYSV_SET_MAX,
	                      .semopm = SYSV_OPERATIONS_MAX,
	                      .semume = SYSV_OPERATIONS_MAX,
	                      .semusz = sizeof(int16_t),
	                      .semvmx = SYSV_VALUE_MAX,
	                      .semaem = SYSV_VALUE_MAX};

	if (result < 0)
		return result;
	if (use_too) {
		out.semusz = (int)use.objects;
		out.semaem = (int)use.items;
	}
	return user_put(to, &out) ? -EFAULT : result;
}

long sys_semctl(long id, long number, long command, long argument)
{
	struct semid_ds given;

	number = (int)number;
	switch (command) {
	case IPC_STAT:
		return put_stat(id, false, argument);
	case SEM_STAT:
	case SEM_STAT_ANY:
		return put_stat(id, true, argument);
	case IPC_SET:
		if (user_get(&given, argument))
			return -EFAULT;
		return sysv_set(IPC_KIND_SET, id, &given.sem_perm, 0);
	case IPC_RMID:
		return sysv_remove(IPC_KIND_SET, id);
	case IPC_INFO:
	case SEM_INFO:
		return put_limits(argument, command == SEM_INFO);
	case GETVAL:
		return read_value(id, number, PROCESS_MEMBER_WHAT_VALUE, 0);
	case GETPID:
		return read_value(id, number, PROCESS_MEMBER_WHAT_PROCESS, 0);
	case GETNCNT:
		return read_value(id, number, PROCESS_MEMBER_WHAT_WAITING_TO_GROW, 0);
	case GETZCNT:
		return read_value(id, number, PROCESS_MEMBER_WHAT_WAITING_FOR_ZERO, 0);
	case GETALL:
		return read_value(id, 0, PROCESS_MEMBER_WHAT_ALL, argument);
	case SETVAL:
		return assign_one(id, number, argument);
	case SETALL:
		return assign_all(id, argument);
	default:
		return -EINVAL;
	}
}
