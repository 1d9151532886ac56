/* SPDX-License-Identifier: MIT */
/*
 * shmget, shmat, shmdt and shmctl.  What is attached is counted by the service; where, is known
 * here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include <capos/schema/process_client.h>

#include "core/core.h"
#include "memory/memory.h"
#include "process/sysv.h"
#include "process/world.h"

#define SEGMENT_BYTES_MAX 0xffffffffff000ul

struct attachment {
	struct attachment *next;
	uint64_t address;
	size_t size;
	int32_t id;
};

static struct attachment *attachments;

long sys_shmget(long key, long size, long flags)
{
	if (flags & SHM_HUGETLB)
		return absent(ABSENT_HUGE_SEGMENT);
	return sysv_get(IPC_KIND_SEGMENT, key, (uint64_t)size, flags);
}

/* ---- Attaching ---- */

static int ask_to_attach(long id, bool write, cap_t *memory, uint64_t *size)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	const struct process_member_attach_segment_params params = {.id = (int32_t)id,
	                                                            .write = write};
	struct process_member_attach_segment_results results;
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	int result = process_member_attach_segment(world_member(), &params, &results, &call);

	if (result)
		return result;
	if (results.memory_index >= call.ncaps)
		return CAP_EMESSAGE;
	*memory = call.caps[results.memory_index];
	*size = results.size;
	return CAP_OK;
}

static long detach(int32_t id)
{
	const struct process_member_detach_segment_params params = {.id = id};
	int result;

	do {
		result = process_member_detach_segment(world_member(), &params, NULL);
	} while (world_again(result));
	return errno_of(result);
}

/* Where Linux would map it; -EINVAL. */
static long check_place(long *address, long flags)
{
	if (*address & (SHMLBA - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		*address &= ~(long)(SHMLBA - 1);
		if (!*address)
			return -EINVAL;
	}
	return !*address && flags & SHM_REMAP ? -EINVAL : 0;
}

static long map(long id, long address, long flags, struct attachment *a)
{
	bool write = !(flags & SHM_RDONLY);
	cap_t memory;
	uint64_t size;
	long result;

	do {
		result = ask_to_attach(id, write, &memory, &size);
	} while (world_again((int)result));
	if (result)
		return errno_of((int)result);
	*a = (struct attachment){.id = (int32_t)id, .size = PAGES_SIZE(size)};
	result = memory_map_shared(memory, address, a->size, write, flags & SHM_REMAP);
	if (result < 0 && result > -4096) {
		detach(a->id);
		return result == -EEXIST ? -EINVAL : result;
	}
	a->address = (uint64_t)result;
	return result;
}

long sys_shmat(long id, long address, long flags)
{
	struct attachment *a;
	long result = check_place(&address, flags);

	if (result)
		return result;
	if (flags & SHM_EXEC)
		return absent(ABSENT_SEGMENT_CODE);
	if (!world_exists())
		return -EACCES;
	a = posix_alloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	result = map(id, address, flags, a);
	if (result < 0 && result > -4096) {
		posix_free(a);
		return result;
	}
	a->next = attachments;
	attachments = a;
	return result;
}

long sys_shmdt(long address)
{
	struct attachment **at = &attachments, *a;
	bool mapped;

	while (*at && (*at)->address != (uint64_t)address)
		at = &(*at)->next;
	a = *at;
	if (!a)
		return -EINVAL;
	*at = a->next;
	/* The program may have mapped something else there. */
	mapped = memory_is_shared(a->address, a->address + a->size);
	if (mapped)
		sys_munmap((long)a->address, (long)a->size);
	detach(a->id); /* a service that was started since knows nothing of it */
	posix_free(a);
	return mapped ? 0 : -EINVAL;
}

/* ---- shmctl ---- */

static long put_stat(long id, bool by_place, long to)
{
	struct ipc_stat stat;
	struct shmid_ds out;
	long result = sysv_stat(IPC_KIND_SEGMENT, id, by_place, &stat);

	if (result < 0)
		return result;
	memset(&out, 0, sizeof(out));
	sysv_permissions(&stat, &out.shm_perm);
	out.shm_segsz = stat.size;
	out.shm_atime = stat.first_seconds;
	out.shm_dtime = stat.second_seconds;
	out.shm_ctime = stat.change_seconds;
	out.shm_cpid = (pid_t)stat.creator;
	out.shm_lpid = (pid_t)stat.last;
	out.shm_nattch = stat.count;
	return user_put(to, &out) ? -EFAULT : result;
}

static long put_limits(long to)
{
	struct process_member_ipc_use_results use;
	struct shminfo out;
	long result = sysv_use(IPC_KIND_SEGMENT, &use);

	if (result < 0)
		return result;
	memset(&out, 0, sizeof(out));
	out.shmmax = SEGMENT_BYTES_MAX;
	out.shmmin = 1;
	out.shmmni = out.shmseg = SYSV_IDS;
	out.shmall = SEGMENT_BYTES_MAX / PAGE_BYTES;
	return user_put(to, &out) ? -EFAULT : result;
}

static long put_use(long to)
{
	struct process_member_ipc_use_results use;
	struct shm_info out;
	long result = sysv_use(IPC_KIND_SEGMENT, &use);

	if (result < 0)
		return result;
	memset(&out, 0, sizeof(out));
	out.used_ids = (int)use.objects;
	out.shm_tot = out.shm_rss = use.items; /* all of it is there */
	return user_put(to, &out) ? -EFAULT : result;
}

static long lock(long id, bool lock)
{
	const struct process_member_lock_segment_params params = {.id = (int32_t)id, .lock = lock};
	int result;

	if (!world_exists())
		return -EACCES;
	do {
		result = process_member_lock_segment(world_member(), &params, NULL);
	} while (world_again(result));
	return errno_of(result);
}

long sys_shmctl(long id, long command, long argument)
{
	struct shmid_ds given;

	switch (command) {
	case IPC_STAT:
		return put_stat(id, false, argument);
	case SHM_STAT:
	case SHM_STAT_ANY:
		return put_stat(id, true, argument);
	case IPC_SET:
		if (user_get(&given, argument))
			return -EFAULT;
		return sysv_set(IPC_KIND_SEGMENT, id, &given.shm_perm, 0);
	case IPC_RMID:
		return sysv_remove(IPC_KIND_SEGMENT, id);
	case IPC_INFO:
		return put_limits(argument);
	case SHM_INFO:
		return put_use(argument);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return lock(id, command == SHM_LOCK);
	default:
		return -EINVAL;
	}
}
