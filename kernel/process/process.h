/* SPDX-License-Identifier: MIT */
/*
 * Processes: an address space, a capability table, threads, and an account that pays for memory.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <capos/abi.h>
#include "process/cap.h"
#include "list.h"
#include "memory/space.h"
#include "work.h"

struct msg_call;
struct thread;

#define PROCESS_NAME_MAX     32u /* bytes, final NUL included */
#define PROCESS_REASON_MAX   128u
#define PROCESS_CALL_BUCKETS 64u
/* Most bytes of a start block that exec reads. */
#define PROCESS_START_BLOCK_MAX ((2u << 20) + (128u << 10))

enum process_state {
	PROCESS_ALIVE,
	PROCESS_ENDING, /* none of its threads runs any more; what it held is given up as work */
	PROCESS_ENDED,  /* it holds nothing */
};

/* What a process serves: an endpoint on which it receives, a call that it has not answered. */
struct served {
	struct list of_server;                      /* process->endpoints, or one of its calls */
	void (*server_ends)(struct served *served); /* takes it out */
};

struct process {
	struct object_header header; /* references: capabilities, operations, one while alive */
	uint64_t id;                 /* never used again */
	char name[PROCESS_NAME_MAX];
	bool service; /* scheduled before programs */
	uint8_t label_length;
	uint8_t label[CAPOS_LABEL_MAX]; /* zeroes behind its end */
	/* How far it raises threads, its own or others'. */
	uint8_t priority_most;
	int8_t nice_least;
	enum process_state state;
	struct work work;        /* its end */
	struct account *account; /* one reference */
	struct space space;
	struct cap_table caps;
	struct list threads; /* struct thread.of_process */
	struct tree by_id;   /* the same */
	uint32_t nthreads;
	struct list endpoints; /* struct served: those it serves */
	/* struct served: those it was given and has not answered, by id */
	struct list calls[PROCESS_CALL_BUCKETS];
	struct list waiters; /* struct op */
	struct list of_all, of_services;
	uint64_t cpu_ns;
	struct cap end_event; /* one count; signalled end_bits when it ends; or no object */
	uint64_t end_bits;
	uint32_t status; /* CAPOS_EXIT_STATUS, once it ended */
	char reason[PROCESS_REASON_MAX];
};

DEFINE_HEADER_ACCESS(process, KIND_PROCESS)

extern struct list all_processes;
extern struct process *init_process; /* whose end ends the machine */

void process_init(void); /* boot, once */
/* An empty process that draws on the account, its own Process capability at CAP_SELF.  CAP_OK with
 * the count of its being alive, CAP_ENOMEM, CAP_EAGAIN: the account has too many. */
int process_create(const char *name, uint32_t name_length, struct account *account, bool service,
                   struct process **out);
/* What spawning a process needs. */
struct spawn {
	const char *name;
	uint32_t name_length;
	struct memobj *image;
	uint64_t load_bias;
	uint64_t stack_top;      /* 0: CAPOS_STACK_TOP */
	const void *start_block; /* ends up directly below the stack's top */
	uint32_t start_length;   /* a multiple of 16 */
	struct account *account; /* borrowed */
	bool service;
	const struct cap *caps; /* CAP_GIVEN(0), ...: their counts pass to the process on success */
	uint32_t ncaps;
};
struct job;
/* spawn.c: starts it, in pieces; *job, NULL at first, is what was made so far, the caller's to give
 * up after an error.  CAP_OK with one count in *out; WORK_AGAIN; CAP_ENOMEM or CAP_EAGAIN, and it
 * may be tried again; CAP_ENOEXEC, CAP_ENOSLOT. */
int process_spawn(struct job **job, const struct spawn *spawn, struct process **out);
/* What every space of a process has: stack and clock page; *parts, 0 at first: how many it has.
 * CAP_OK; CAP_ENOMEM, and it may be tried again; CAP_EINVAL, CAP_EEXIST. */
int process_furnish(struct space *space, uint64_t stack_top, uint8_t *parts);
int process_map_clock(struct space *space);

/* fork.c: a process like the caller's, with one thread that runs on from its registers given
 * here. */
struct fork {
	uint64_t entry, stack, argument;
	struct cap end_event; /* borrowed; or no object */
	uint64_t end_bits;
};
/* Copies the caller's memory and capabilities: CAP_OK, WORK_AGAIN, CAP_ENOMEM, CAP_EAGAIN.  The
 * caller's private pages are shared then, and a store to one takes a frame. */
int process_fork_copy(struct thread *caller);
/* Lets the copy run.  CAP_OK with one count in *out; CAP_ENOMEM, CAP_EAGAIN, and none runs. */
int process_fork_start(struct thread *caller, const struct fork *fork, struct process **out);

/* exec.c: the caller's process, whose one thread it is, becomes another program's. */
struct exec {
	struct memobj *image;
	uint64_t load_bias;
	uint64_t stack_top; /* 0: CAPOS_STACK_TOP */
	uint64_t block;     /* the start block, in the caller's space */
	uint32_t block_length;
};
/* CAP_OK, and the caller has ended; WORK_AGAIN; or CAP_ENOEXEC, CAP_ENOMEM, CAP_EFAULT, and nothing
 * has changed. */
int process_exec(struct thread *caller, const struct exec *exec);

/* Ends it: none of its threads runs any more.  What it held is given up as work, and then those
 * that wait for its end are answered.  reason NULL: it ended by itself. */
void process_end(struct process *p, uint32_t status, const char *reason);
void process_set_name(struct process *p, const char *name, uint32_t length);
void process_get(struct process *p);
void process_put(struct process *p);
void process_last(struct object_header *header); /* the last reference has gone */
int process_call(struct object_header *header, struct msg_call *msg);

/* elf.c: maps the image's segments in pieces, as far as the budget goes: CAP_OK with the address to
 * start at, WORK_AGAIN, CAP_ENOEXEC, or CAP_ENOMEM, and it may be tried again. */
struct elf;
struct elf *elf_begin(struct account *account, struct memobj *image, uint64_t bias, int *error);
int elf_go_on(struct elf *elf, struct space *space, uint64_t *entry);
void elf_end(struct elf *elf); /* when it is done, or given up */

#endif
