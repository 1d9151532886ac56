/* SPDX-License-Identifier: MIT */
/*
 * What a program's exception leads to.  The architecture says what happened; whether the program
 * goes on or its process ends is decided in fault.c and nowhere else.
 */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* The signal number in the status of a process that the kernel ended (abi.h, "An exit status"). */
enum death {
	DEATH_INSTRUCTION = 4,
	DEATH_TRAP = 5,
	DEATH_MEMORY = 7, /* what was mapped is gone, or the access was not aligned */
	DEATH_ARITHMETIC = 8,
	DEATH_NO_MEMORY = 9,
	DEATH_ADDRESS = 11,
	DEATH_SYSTEM_CALL = 31,
};

struct page_fault {
	uint64_t address;
	uint32_t access; /* CAP_RIGHT_READ, WRITE or EXEC: what was tried */
	/* Whether the access was made with the program's rights.  False: the processor made it with
	 * the kernel's, and what space_resolve enters for the program does not allow that. */
	bool by_program;
	uint32_t vector;
	uint64_t error; /* the processor's code */
};

/* An exception that is not a page fault. */
struct exception {
	const char *name;
	enum death death;
	uint32_t cause; /* enum capos_fault_cause */
	uint32_t vector;
	uint64_t error;
};

/* Both of the current thread, in user mode, registers saved. Each ends by resuming a thread. */
_Noreturn void fault_page(const struct page_fault *fault);
_Noreturn void fault_exception(const struct exception *exception);

#endif
