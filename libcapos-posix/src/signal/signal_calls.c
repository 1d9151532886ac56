/* SPDX-License-Identifier: MIT */
/*
 * System calls about this process's own signals.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <capos/cap.h>

#include "core/core.h"
#include "signal/signal.h"

#define SIGSET_SIZE 8

static bool valid(long signal)
{
	return signal >= 1 && signal <= SIGNAL_MAX;
}

/* A fault ends the process without a signal, so a handler for one runs only when it is sent. */
static void note_fault_handler(int signal, const struct signal_action *action)
{
	const uint64_t faults = SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) |
	                        SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP);

	if (faults & SIGNAL_BIT(signal) && action->handler != SIG_DFL && action->handler != SIG_IGN)
		absent(ABSENT_FAULT_HANDLER);
}

long sys_rt_sigaction(long signal, long action, long old, long size)
{
	struct signal_action previous;

	if (!valid(signal) || size != SIGSET_SIZE)
		return -EINVAL;
	previous = signals.actions[signal];
	if (action &&
	    !signal_state_set_action(&signals, (int)signal, (const struct signal_action *)action))
		return -EINVAL;
	if (action)
		note_fault_handler((int)signal, (const struct signal_action *)action);
	if (action && signal == SIGCHLD)
		signal_child_action();
	if (old)
		memcpy((void *)old, &previous, sizeof(previous));
	return 0;
}

long sys_rt_sigprocmask(long how, long set, long old, long size)
{
	uint64_t previous = signals.blocked, bits;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (set) {
		memcpy(&bits, (const void *)set, sizeof(bits));
		switch (how) {
		case SIG_BLOCK:
			bits |= previous;
			break;
		case SIG_UNBLOCK:
			bits = previous & ~bits;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signals.blocked = bits & ~SIGNAL_UNBLOCKED;
	}
	if (old)
		memcpy((void *)old, &previous, sizeof(previous));
	return 0;
}

long sys_rt_sigpending(long set, long size)
{
	uint64_t bits;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	signal_collect();
	bits = signals.pending & signals.blocked;
	memcpy((void *)set, &bits, sizeof(bits));
	return 0;
}

long sys_rt_sigsuspend(long set, long size)
{
	uint64_t bits;
	int result;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	memcpy(&bits, (const void *)set, sizeof(bits));
	result = signal_mask_for_call(&bits, SIGSET_SIZE);
	while (!result)
		result = process_wait(UINT64_MAX);
	return result;
}

long sys_pause(void)
{
	int result;

	do {
		result = process_wait(UINT64_MAX);
	} while (!result);
	return result;
}

long sys_rt_sigtimedwait(long set, long info, long timeout, long size)
{
	uint64_t wanted, deadline = UINT64_MAX, ns;
	int result, signal;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	memcpy(&wanted, (const void *)set, sizeof(wanted));
	if (timeout) {
		result = timespec_to_ns((const struct timespec *)timeout, &ns);
		if (result)
			return result;
		deadline = deadline_after(ns);
	}
	for (;;) {
		signal_collect();
		if (signals.pending & wanted)
			break;
		result = process_wait(deadline);
		if (result)
			return result == -ETIMEDOUT ? -EAGAIN : result;
	}
	signal = __builtin_ctzll(signals.pending & wanted) + 1;
	signals.pending &= ~SIGNAL_BIT(signal);
	if (info)
		signal_fill_info(signal, (siginfo_t *)info);
	return signal;
}

/* Whether the caller runs on the alternate stack now. */
static bool on_signal_stack(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	return !(signal_stack.flags & SS_DISABLE) &&
	       here - (uint64_t)signal_stack.base < signal_stack.size;
}

long sys_sigaltstack(long set, long old)
{
	struct signal_stack previous = signal_stack;
	bool active = on_signal_stack();

	if (set) {
		const stack_t *new = (const stack_t *)set;

		if (active)
			return -EPERM;
		if ((unsigned)new->ss_flags == (unsigned)SS_AUTODISARM)
			return absent(ABSENT_SIGNAL_STACK_AUTODISARM);
		if (new->ss_flags & ~SS_DISABLE)
			return -EINVAL;
		if (!(new->ss_flags &SS_DISABLE) && new->ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		signal_stack = (struct signal_stack){
		        .base = new->ss_sp, .flags = new->ss_flags, .size = new->ss_size};
	}
	if (old)
		*(stack_t *)old = (stack_t){.ss_sp = previous.base,
		                            .ss_flags = active ? SS_ONSTACK : previous.flags,
		                            .ss_size = previous.size};
	return 0;
}

long signal_self(long signal, int code)
{
	if (signal != 0 && !valid(signal))
		return -EINVAL;
	if (signal)
		signal_state_add(&signals, (int)signal,
		                 (struct signal_origin){
		                         .code = code, .pid = (int)process_id(), .own = true});
	return 0;
}

long sys_tkill(long thread, long signal)
{
	return thread == (long)process_id() ? signal_self(signal, SI_TKILL) : -ESRCH;
}

long sys_tgkill(long group, long thread, long signal)
{
	return group == (long)process_id() ? sys_tkill(thread, signal) : -ESRCH;
}
