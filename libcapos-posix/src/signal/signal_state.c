/* SPDX-License-Identifier: MIT */
/*
 * Which signal is delivered next, and what a signal does when it has no handler.  Pure: no ring, no
 * frames.
 */
#include <signal.h>
#include <stddef.h>

#include "signal/signal_state.h"

#define SYNCHRONOUS                                                                            \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | \
	 SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

enum signal_disposition signal_disposition(const struct signal_process *p, int signal)
{
	void (*handler)(int) = p->actions[signal].handler;

	if (handler == SIG_IGN)
		return SIGNAL_IGNORE;
	if (handler != SIG_DFL)
		return SIGNAL_HANDLE;
	switch (signal) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
	case SIGCONT:
		return SIGNAL_IGNORE;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return SIGNAL_STOP;
	default:
		return SIGNAL_TERMINATE;
	}
}

bool signal_pending_add(struct signal_pending *pending, int signal, struct signal_entry *entry)
{
	struct signal_entry **last = &pending->last[signal];
	bool waits = pending->set & SIGNAL_BIT(signal);

	if (waits && !entry)
		return false;
	pending->set |= SIGNAL_BIT(signal);
	if (!entry)
		return true;
	entry->next = *last ? (*last)->next : entry;
	if (*last)
		(*last)->next = entry;
	*last = entry;
	return true;
}

struct signal_entry *signal_pending_take(struct signal_pending *pending, int signal)
{
	struct signal_entry **last = &pending->last[signal], *first;

	first = *last ? (*last)->next : NULL;
	if (first && first != *last) {
		(*last)->next = first->next;
	} else {
		*last = NULL;
		pending->set &= ~SIGNAL_BIT(signal);
	}
	return first;
}

int signal_first(uint64_t candidates)
{
	if (candidates & SYNCHRONOUS)
		candidates &= SYNCHRONOUS;
	return candidates ? __builtin_ctzll(candidates) + 1 : 0;
}

bool signal_set_action(struct signal_process *p, int signal, const struct signal_action *action)
{
	if (SIGNAL_BIT(signal) & SIGNAL_UNBLOCKED)
		return false;
	p->actions[signal] = *action;
	p->actions[signal].mask &= ~SIGNAL_UNBLOCKED;
	return true;
}
