/* SPDX-License-Identifier: MIT */
/*
 * The entry of every system call that musl makes: one C function instead of an instruction. Upcalls
 * are masked from its first to its last line, so nothing it calls is ever interrupted by a handler;
 * signals are delivered at the end.
 */
#include <errno.h>
#include <sys/syscall.h>

#include <capos/cap.h>
#include <capos/log.h>

#include "core/internal.h"
#include "core/syscalls.h"

#define SYSCALL_NUMBERS 512 /* above every x86-64 number; larger ones share the last bit */

static uint64_t missing_calls;
static uint64_t missing_named[SYSCALL_NUMBERS / 64];

static const char *const syscall_names[SYSCALL_NUMBERS] = {
#define SYSCALL_NAME(name) [SYS_##name] = #name,
#include "syscall_names.h" /* made by musl.mk from musl's list of numbers */
#undef SYSCALL_NAME
};

/* Counts it, and names it in the log the first time. */
static long missing(long number)
{
	unsigned slot =
	        number >= 0 && number < SYSCALL_NUMBERS ? (unsigned)number : SYSCALL_NUMBERS - 1;
	const char *name = syscall_names[slot];

	missing_calls++;
	if (missing_named[slot / 64] & 1ull << slot % 64)
		return -ENOSYS;
	missing_named[slot / 64] |= 1ull << slot % 64;
	log_line("posix: system call %s (%ld) is not implemented: ENOSYS, number %llu of this "
	         "process",
	         name ? name : "without a name", number, (unsigned long long)missing_calls);
	return -ENOSYS;
}

#define ARGUMENTS_0
#define ARGUMENTS_1 a[0]
#define ARGUMENTS_2 a[0], a[1]
#define ARGUMENTS_3 a[0], a[1], a[2]
#define ARGUMENTS_4 a[0], a[1], a[2], a[3]
#define ARGUMENTS_5 a[0], a[1], a[2], a[3], a[4]
#define ARGUMENTS_6 a[0], a[1], a[2], a[3], a[4], a[5]

#define RESTART true
#define ONCE    false

static long perform(long number, const long a[6], bool *restart)
{
	switch (number) {
#define CASE(name, arguments, restarts, subject) \
	case SYS_##name:                         \
		*restart = restarts;             \
		return sys_##name(ARGUMENTS_##arguments);
		POSIX_SYSCALLS(CASE)
#undef CASE
	default:
		*restart = false;
		return missing(number);
	}
}

void posix_syscall(struct capos_upcall_frame *frame)
{
	const long number = (long)frame->rdi;
	const long arguments[6] = {(long)frame->rsi, (long)frame->rdx, (long)frame->rcx,
	                           (long)frame->r8,  (long)frame->r9,  *(const long *)frame->rsp};
	bool restart;

	do {
		signal_call_begin();
		posix_start();
		frame->rax = (uint64_t)perform(number, arguments, &restart);
	} while (signal_call_end(frame, restart));
}
