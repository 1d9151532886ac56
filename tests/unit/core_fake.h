/* SPDX-License-Identifier: MIT */
/*
 * The whole kernel core on the host: everything above the architecture is the real code, and what
 * would leave for user mode comes back to the test instead.  The test is the user: it writes
 * submissions into the rings and enters.
 */
#ifndef CORE_FAKE_H
#define CORE_FAKE_H

#include <capos/elf.h>
#include "kernel/cpu.h"
#include "kernel/process/process.h"
#include "kernel/process/thread.h"
#include "tests/unit/kernel_fake.h"

#define USER_MEMORY 0x10000000ull /* where a user's memory is mapped */
#define USER_SIZE   (64u * 1024u)

extern uint64_t fake_now; /* nanoseconds */

void core_start(void); /* once a program */
/* For cmocka: memory for one test, which has given everything back at its end. */
int core_setup(void **state);
int core_teardown(void **state);
/* A process with USER_MEMORY and one thread that is about to run. */
struct process *user_create(const char *name);
struct process *service_create(const char *name); /* the same, as a service */
struct thread *user_thread(struct process *p);
void user_end(struct process *p);                  /* kills it, from nowhere */
struct thread *thread_of(const struct process *p); /* its first */
/* cap_enter as that thread, which must not be asleep: its result, or USER_SLEEPS. */
#define USER_SLEEPS INT64_MIN
int64_t user_enter(struct thread *t, uint64_t min_complete, uint64_t timeout_ns);
void user_exit(struct thread *t, uint32_t status);
/* Queues a submission. */
void user_submit(struct thread *t, const struct capos_sqe *sqe);
/* Submits, enters without waiting, and takes the first completion; result INT32_MAX when there is
 * none. */
struct capos_cqe user_run(struct thread *t, const struct capos_sqe *sqe);
/* Takes the next completion; false: none. */
bool user_take(struct thread *t, struct capos_cqe *cqe);
/* The time comes for what is due. */
void core_timer(void);
/* How often the kernel let interrupts in, in the middle of something. */
extern uint64_t fake_windows;
extern uint32_t fake_most_steps;     /* that were spent before one of these */
extern void (*fake_on_window)(void); /* NULL, or called each time */
/* User memory. */
void user_write(struct process *p, uint64_t address, const void *bytes, uint64_t length);
void user_read(struct process *p, uint64_t address, void *bytes, uint64_t length);
/* Calls of a process on itself: the new capability. */
cap_t user_event(struct thread *t);
cap_t user_endpoint(struct thread *t);

/* The header of an image that is sound, followed by so many program headers. */
#define FAKE_ELF_HEADER(entry_point, segments)                                           \
	{                                                                                \
		.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1}, .type = ELF_TYPE_EXEC,          \
		.machine = ELF_MACHINE_X86_64, .version = 1, .entry = (entry_point),     \
		.phoff = sizeof(struct elf_header), .ehsize = sizeof(struct elf_header), \
		.phentsize = sizeof(struct elf_segment), .phnum = (segments)             \
	}

#endif
