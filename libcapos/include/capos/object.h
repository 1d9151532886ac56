/* SPDX-License-Identifier: MIT */
/*
 * The kernel's objects as plain functions over the generated stubs, which need a message's buffer
 * and, some of them, names that POSIX has too (process_wait, timer_create).  Results are CAP_OK or
 * an enum cap_error.
 */
#ifndef CAPOS_OBJECT_H
#define CAPOS_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/start.h>
#include <capos/abi.h>

struct cap_process {
	uint64_t id, memory_pages, memory_limit_pages, cpu_ns, mapped_pages;
	bool alive;
};

int cap_process_status(struct cap_process *out); /* of this process */

struct cap_mapping {
	uint64_t start, end, offset;
	uint32_t access;
	bool shared;
};
/* What this process has mapped from an address on: *count of them, at most CAP_MAPPINGS_MAX; *next:
 * where to go on, 0: that was all. */
#define CAP_MAPPINGS_MAX 32u
int cap_process_mappings(uint64_t from, struct cap_mapping out[CAP_MAPPINGS_MAX], uint32_t *count,
                         uint64_t *next);
int cap_memory_size(cap_t memory, uint64_t *size);
int cap_process_status_of(cap_t process, struct cap_process *out);
int cap_process_exit_status(cap_t process, uint32_t *status); /* waits for its end */
int cap_process_kill(cap_t process, uint32_t status);

/* A process like this one that starts at entry with that stack; the event is signalled at its
 * end. */
int cap_process_fork(uint64_t entry, uint64_t stack, cap_t event, uint64_t end_bits,
                     cap_t *process);
/* Another program in this process; comes back only when that is refused.  The image's capability
 * goes when it works. */
int cap_process_exec(cap_t image, const struct start_place *place, const void *block,
                     uint32_t length, const char *name);
/* A thread of this process that starts at entry with argument as a function's first; *id: its
 * number, as its ring says. */
int cap_thread_create(uint64_t entry, uint64_t stack, uint64_t argument, uint64_t fs_base,
                      uint64_t *id);
_Noreturn void cap_thread_exit(void); /* the calling thread */
int cap_threads_end(void);            /* all but the calling one */
/* How a thread of this process is scheduled; 0: the first.  set_policy leaves its nice value. */
int cap_thread_scheduling(uint64_t thread, struct capos_scheduling *out);
int cap_thread_set_policy(uint64_t thread, const struct capos_scheduling *wanted);
int cap_thread_set_nice(uint64_t thread, int nice);

/* *address 0: the kernel chooses; set to where it is.  private_copy: what is written there is this
 * process's own, and a child's copy after fork. */
int cap_memory_map_near(cap_t memory, uint64_t offset, uint64_t size, uint32_t access,
                        bool private_copy, uint64_t *address);
/* Process.mapZeroes: private pages; *address: where, or 0, and where they are then. */
int cap_memory_map_zeroes(uint64_t size, uint32_t access, uint64_t *address);
/* MemoryObject.showSize: what is mapped of it says the size of memory at any time. */
int cap_memory_show_size(cap_t memory, cap_t *shown);
int cap_memory_protect(uint64_t address, uint64_t size, uint32_t access);

/* Moves mapped memory and makes it longer (Process.remap); *address 0: to where there is room; set
 * to where it is. */
int cap_memory_remap(uint64_t from, uint64_t size, uint64_t new_size, uint64_t *address);
/* Anonymous private memory there reads as zeroes again (Process.discard). */
int cap_memory_discard(uint64_t address, uint64_t size);

/* Memory for the range, so that storing there does not fail for lack of it (prepare). */
int cap_memory_prepare(cap_t memory, uint64_t offset, uint64_t length);

struct cap_memory_status {
	uint64_t size, pages, changed_ns, loaded_ns; /* as MemoryObject.status has them */
};
/* One entry of the kernel.  CAP_EGONE: the witness's object is gone, or served in another era. */
int cap_memory_status(cap_t memory, cap_t witness, uint64_t era, struct cap_memory_status *out);

/* Bytes copied between a MemoryObject and the caller's memory (CAP_OP_LOAD, CAP_OP_STORE). */
struct cap_copied {
	uint64_t length; /* may be less than asked for */
	uint64_t end;    /* load: the object's size; store: the offset behind what was stored */
	bool marked;     /* the object is (MemoryObject.mark) */
};
/* witness: CAP_NULL, or CAP_EGONE is the result when its object is gone.  Zeroes after an error. */
int cap_memory_load(cap_t memory, cap_t witness, uint64_t offset, void *to, uint64_t length,
                    struct cap_copied *out);
/* append: at the object's end, whatever the offset. */
int cap_memory_store(cap_t memory, cap_t witness, bool append, uint64_t offset, const void *from,
                     uint64_t length, struct cap_copied *out);

int cap_event_bind_upcall(cap_t event, uint64_t entry);

int cap_timer_create(cap_t timer, cap_t *out);
int cap_timer_arm(cap_t timer, uint64_t deadline_ns, uint64_t interval_ns, cap_t event,
                  uint64_t bits);
int cap_timer_disarm(cap_t timer, uint64_t *remaining_ns, uint64_t *interval_ns);
int cap_timer_remaining(cap_t timer, uint64_t *remaining_ns, uint64_t *interval_ns);

#define CAP_ENTROPY_MAX 256u                                       /* bytes per call */
int cap_entropy_read(cap_t source, void *buffer, uint32_t length); /* length <= CAP_ENTROPY_MAX */

#endif
