/* SPDX-License-Identifier: MIT */
/*
 * The start block: what stands at a new process's stack pointer.  It is Linux's layout (System V
 * ABI for x86-64, 3.4.1: argc, argv, NULL, envp, NULL, auxiliary vector, strings) so that musl's
 * start code runs on it, with one entry more: AT_CAPOS_START points to a StartInfo message of
 * schema/manifest.capnp.
 */
#ifndef CAPOS_START_H
#define CAPOS_START_H

#include <stdbool.h>

#include <capos/abi.h>

#define AT_CAPOS_START        0x43415030ul /* address of the StartInfo message */
#define AT_CAPOS_START_LENGTH 0x43415031ul /* its bytes */

struct start_cap {
	const char *name;
	uint64_t interface; /* type id, 0 for none */
	cap_t id;
};

struct start_image { /* facts of the ELF image, for the auxiliary vector */
	uint64_t phdr, phnum, phent, entry, base;
};

struct start_ids { /* of users and groups, for the same */
	uint32_t user, effective_user, group, effective_group;
};

struct start_params {
	const char *process_name;
	const char *executed;    /* AT_EXECFN: the path of the image; NULL: there is none */
	const char *const *args; /* NULL-terminated */
	const char *const *env;  /* NULL-terminated */
	const struct start_cap *caps;
	uint32_t ncaps;
	struct start_image image;
	struct start_ids ids;
	uint64_t stack_top; /* where the block will end; 0: CAPOS_STACK_TOP */
	uint8_t random[16]; /* AT_RANDOM */
};

/* Spawner: where the image and the stack go, by random numbers that no other process knows. */
struct start_place {
	uint64_t load_bias; /* 0 for an image that is linked for fixed addresses */
	uint64_t stack_top;
};
void start_choose_place(const void *file, uint64_t size, const uint64_t random[2],
                        struct start_place *out);
/* Spawner: reads what the auxiliary vector needs from an ELF file's bytes.  CAP_OK or
 * CAP_ENOEXEC. */
int start_image_facts(const void *file, uint64_t size, uint64_t load_bias, struct start_image *out);
/* Spawner: builds the block in buffer as it will stand when it ends at params->stack_top.  *length
 * is a multiple of 16. CAP_OK or CAP_ETOOBIG. */
int start_block_build(const struct start_params *params, void *buffer, uint32_t size,
                      uint32_t *length);

/* New process: finds a capability by name in its own start block; CAP_NULL when it was not given
 * one. start_init is called by the start code with the initial stack pointer. */
void start_init(const uint64_t *stack);
cap_t start_cap(const char *name);
/* A capability that a service expects, and its interface (0: none, or any). */
struct start_expected {
	const char *name; /* NULL ends a list */
	uint64_t interface;
	bool optional; /* the service runs without it, too */
};
/* Ends the process, with a line in the log that names it, when a capability of the list is missing
 * or one was given that is not on it: what a process holds is what it was written for. */
void start_check(const struct start_expected *expected);
/* Makes all of the process's own data present, and as much of its stack as a service needs: pages
 * appear when first touched, and a process that touches one when the machine has no memory left is
 * ended.  A service calls it at its start, when a failure harms no client. */
void memory_commit(void);
/* Committed memory of a service's own, mapped for good; size: whole pages.  CAP_OK or an error. */
int memory_make(uint64_t size, void **out);
/* A machine with less memory than this has less of what services keep ready: buffers, tables. */
#define MEMORY_FULL (64ull << 20)
/* How much this machine has of what a machine with MEMORY_FULL has `full` of; at least `least`. */
uint32_t memory_portion(uint32_t full, uint32_t least);
/* The index-th, for listing; false past the end. */
bool start_cap_at(uint32_t index, struct start_cap *out);

#endif
