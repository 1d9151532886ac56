/* SPDX-License-Identifier: MIT */
/*
 * The entry of every system call that musl makes: one C function instead of an instruction. Upcalls
 * are masked from its first to its last line, so nothing it calls is ever interrupted by a handler;
 * signals are delivered at the end.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "core/core.h"
#include "entry/entry.h"
#include "signal/signal.h"

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
		return absent_call(number);
	}
}

void posix_syscall(struct capos_upcall_frame *frame)
{
	const bool cancels = frame->rdi >> 32 == 1; /* syscall_cp.s marks cancellation points */
	const long number = (int)frame->rdi;
	const long arguments[6] = {(long)frame->rsi, (long)frame->rdx, (long)frame->rcx,
	                           (long)frame->r8,  (long)frame->r9,  *(const long *)frame->rsp};
	bool restart = false;

	do {
		signal_call_begin();
		posix_start();
		if (cancels && number != SYS_close && signal_cancels())
			frame->rax = (uint64_t)-EINTR;
		else
			frame->rax = (uint64_t)perform(number, arguments, &restart);
	} while (signal_call_end(frame, restart));
}
