/* SPDX-License-Identifier: MIT */
/*
 * The kernel's objects as the core of libcapos-posix uses them: plain functions over the generated
 * stubs, whose names (process_wait, timer_create) would clash with fd.h's and POSIX's.  Results are
 * CAP_OK or an enum cap_error.
 */
#ifndef POSIX_OBJECTS_H
#define POSIX_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/start.h>
#include <capos/abi.h>

struct object_process {
	uint64_t id, memory_pages, memory_limit_pages, cpu_ns;
	bool alive;
};

int object_process_status(struct object_process *out); /* of this process */
int object_memory_size(cap_t memory, uint64_t *size);
int object_status_of(cap_t process, struct object_process *out);
int object_exit_status(cap_t process, uint32_t *status); /* waits for its end */
int object_kill(cap_t process, uint32_t status);

/* A process like this one that starts at entry with that stack; the event is signalled at its end. */
int object_fork(uint64_t entry, uint64_t stack, cap_t event, uint64_t end_bits, cap_t *process);
/* Another program in this process; comes back only when that is refused.  The image's capability
 * goes when it works. */
int object_exec(cap_t image, const struct start_place *place, const void *block, uint32_t length,
                const char *name);
/* *address 0: the kernel chooses; set to where it is.  private_copy: what is written there is this
 * process's own, and a child's copy after fork. */
int object_map(cap_t memory, uint64_t offset, uint64_t size, uint32_t access, bool private_copy,
               uint64_t *address);
int object_protect(uint64_t address, uint64_t size, uint32_t access);

int object_bind_upcall(cap_t event, uint64_t entry);

int object_timer_create(cap_t timer, cap_t *out);
int object_timer_arm(cap_t timer, uint64_t deadline_ns, uint64_t interval_ns, cap_t event,
                     uint64_t bits);
int object_timer_disarm(cap_t timer, uint64_t *remaining_ns, uint64_t *interval_ns);
int object_timer_remaining(cap_t timer, uint64_t *remaining_ns, uint64_t *interval_ns);

#define OBJECT_ENTROPY_MAX 256u                                  /* bytes per call */
int object_entropy(cap_t source, void *buffer, uint32_t length); /* length <= OBJECT_ENTROPY_MAX */

#endif
