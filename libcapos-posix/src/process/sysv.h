/* SPDX-License-Identifier: MIT */
/*
 * System V objects, which the process service keeps for the world: what the calls of each kind have
 * in common.  A process without a world has none: -EACCES.
 */
#ifndef POSIX_SYSV_H
#define POSIX_SYSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/schema/process.h>

/* Limits of the service, as IPC_INFO and its kin say them. */
#define SYSV_IDS            512
#define SYSV_SET_MAX        512
#define SYSV_OPERATIONS_MAX 500
#define SYSV_VALUE_MAX      32767
#define SYSV_MESSAGE_MAX    8192
#define SYSV_QUEUE_BYTES    16384
/* A message of data is so much longer than the data. */
#define SYSV_AROUND 192u

struct ipc_perm;

/* Each: a result >= 0 or -errno. */
long sysv_get(uint32_t kind, long key, uint64_t size, long flags);
/* IPC_STAT, and those that go by the object's place.  The id of the object, or 0. */
long sysv_stat(uint32_t kind, long id, bool by_place, struct ipc_stat *out);
void sysv_permissions(const struct ipc_stat *stat, struct ipc_perm *out);
long sysv_set(uint32_t kind, long id, const struct ipc_perm *permissions, uint64_t size);
long sysv_remove(uint32_t kind, long id);
/* The highest place in use, or 0. */
long sysv_use(uint32_t kind, struct process_member_ipc_use_results *out);

/* A call that may wait, of the message in the buffer, where the answer is after it; size: of the
 * buffer; *length: of either message.  A result of the call; CAP_EINTR, CAP_ETIMEDOUT. */
int sysv_await(uint32_t method, void *buffer, uint32_t size, uint32_t *length,
               uint64_t deadline_ns);

#endif
