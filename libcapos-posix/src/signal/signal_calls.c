/* SPDX-License-Identifier: MIT */
/*
 * System calls that set what becomes of this process's own signals, and that send them to it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <capos/cap.h>

#include "signal/internal.h"

#define SIGSET_SIZE 8

static bool valid(long signal)
{
	return signal >= 1 && signal <= SIGNAL_MAX;
}

/* What waits and is ignored from now on is dropped, blocked or not. */
static void drop_ignored(int signal)
{
	if (signal_disposition(&signals, signal) == SIGNAL_IGNORE)
		signal_drop(SIGNAL_BIT(signal));
}

long sys_rt_sigaction(long signal, long action, long old, long size)
{
	struct signal_action previous, wanted;

	if (!valid(signal) || size != SIGSET_SIZE)
		return -EINVAL;
	if (action && user_get(&wanted, action))
		return -EFAULT;
	previous = signals.actions[signal];
	if (action && !signal_set_action(&signals, (int)signal, &wanted))
		return -EINVAL;
	if (action)
		drop_ignored((int)signal);
	if (action && signal == SIGCHLD)
		signal_child_action();
	return old ? user_put(old, &previous) : 0;
}

long sys_rt_sigprocmask(long how, long set, long old, long size)
{
	struct signal_thread *t = signal_here();
	uint64_t previous = t->blocked, bits;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (set) {
		if (user_get(&bits, set))
			return -EFAULT;
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
		t->blocked = bits & ~SIGNAL_UNBLOCKED;
		signal_pass_on(t->blocked & ~previous);
	}
	return old ? user_put(old, &previous) : 0;
}

long sys_rt_sigpending(long set, long size)
{
	uint64_t bits;

	if ((unsigned long)size > SIGSET_SIZE)
		return -EINVAL;
	bits = signal_pending_blocked();
	return user_write(set, &bits, (size_t)size);
}

/* Whether the caller runs on the alternate stack now. */
static bool runs_on(const struct signal_stack *stack)
{
	return signal_on_stack(stack, (uint64_t)__builtin_frame_address(0));
}

static long set_stack(struct signal_stack *stack, const stack_t *wanted)
{
	if (runs_on(stack))
		return -EPERM;
	if ((unsigned)wanted->ss_flags == (unsigned)SS_AUTODISARM)
		return absent(ABSENT_SIGNAL_STACK_AUTODISARM);
	if (wanted->ss_flags & ~(SS_DISABLE | SS_ONSTACK) ||
	    wanted->ss_flags == (SS_DISABLE | SS_ONSTACK))
		return -EINVAL;
	if (wanted->ss_flags & SS_DISABLE) {
		*stack = (struct signal_stack){.flags = SS_DISABLE};
		return 0;
	}
	if (wanted->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	*stack = (struct signal_stack){.base = wanted->ss_sp, .size = wanted->ss_size};
	return 0;
}

long sys_sigaltstack(long set, long old)
{
	struct signal_stack *stack = &signal_here()->stack;
	stack_t wanted, previous = {.ss_sp = stack->base,
	                            .ss_flags = runs_on(stack) ? SS_ONSTACK : stack->flags,
	                            .ss_size = stack->size};
	long result = 0;

	if (set && user_get(&wanted, set))
		return -EFAULT;
	if (set)
		result = set_stack(stack, &wanted);
	return !result && old ? user_put(old, &previous) : result;
}

/* ---- Sending to oneself ---- */

long signal_self(long signal, int code)
{
	struct signal_origin origin = {.code = code,
	                               .pid = (int)process_id(),
	                               .uid = (int)process_identity()->user.real,
	                               .own = true};

	if (signal != 0 && !valid(signal))
		return -EINVAL;
	if (!signal)
		return 0;
	return code == SI_TKILL ? signal_post_to(signal_here(), (int)signal, origin)
	                        : signal_post((int)signal, origin);
}

long sys_tkill(long thread, long signal)
{
	struct signal_origin origin = {.code = SI_TKILL,
	                               .pid = (int)process_id(),
	                               .uid = (int)process_identity()->user.real,
	                               .own = true};
	struct signal_thread *to = signal_thread_of(thread);

	if ((int)thread <= 0 || (signal && !valid(signal)))
		return -EINVAL;
	if (!to) /* another process's first thread has its number; no others are known */
		return signal_another((int)thread, (int)signal, SI_TKILL, 0);
	return signal ? signal_post_to(to, (int)signal, origin) : 0;
}

long sys_tgkill(long group, long thread, long signal)
{
	if ((int)group <= 0)
		return -EINVAL;
	if ((int)thread <= 0 || (signal && !valid(signal)))
		return -EINVAL;
	if ((int)group == (int)process_id())
		return signal_thread_of(thread) ? sys_tkill(thread, signal) : -ESRCH;
	return (int)group == (int)thread ? sys_tkill(thread, signal) : -ESRCH;
}

/* Of a siginfo that a program made, what reaches the receiver. */
long signal_given_origin(long signal, long info, struct signal_origin *origin)
{
	siginfo_t given;

	if (user_get(&given, info))
		return -EFAULT;
	if (signal != 0 && !valid(signal))
		return -EINVAL;
	*origin = (struct signal_origin){.code = given.si_code,
	                                 .pid = given.si_pid,
	                                 .uid = (int)given.si_uid,
	                                 .value = (uint64_t)given.si_value.sival_ptr};
	return 0;
}

long sys_rt_tgsigqueueinfo(long group, long thread, long signal, long info)
{
	struct signal_thread *to = signal_thread_of(thread);
	struct signal_origin origin;
	long result = signal_given_origin(signal, info, &origin);

	if ((int)group <= 0 || (int)thread <= 0)
		return -EINVAL;
	if (result)
		return result;
	if ((int)group != (int)process_id() && (int)group == (int)thread)
		return origin.code >= 0 || origin.code == SI_TKILL
		               ? -EPERM
		               : signal_another((int)thread, (int)signal, origin.code,
		                                origin.value);
	if ((int)group != (int)process_id() || !to)
		return -ESRCH;
	return signal ? signal_post_to(to, (int)signal, origin) : 0;
}
