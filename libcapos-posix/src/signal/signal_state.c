/* SPDX-License-Identifier: MIT */
/*
 * Which signal is delivered next, and what a signal does when it has no handler.  Pure: no ring, no
 * frames.
 */
#include <signal.h>
#include <stddef.h>

#include "signal/signal.h"
#include "signal/signal_state.h"

enum signal_disposition signal_disposition(const struct signal_state *s, int signal)
{
	void (*handler)(int) = s->actions[signal].handler;

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

#define STOPS \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))

void signal_state_add(struct signal_state *s, int signal, struct signal_origin origin)
{
	uint64_t bit = SIGNAL_BIT(signal);

	/* Stopping and going on take each other back, also where they are ignored. */
	if (bit & STOPS)
		s->pending &= ~SIGNAL_BIT(SIGCONT);
	if (signal == SIGCONT)
		s->pending &= ~STOPS;
	if (!(s->blocked & bit) && signal_disposition(s, signal) == SIGNAL_IGNORE)
		return;
	if (!(s->pending & bit))
		s->origins[signal] = origin;
	s->pending |= bit;
}

int signal_state_next(struct signal_state *s, uint64_t among)
{
	uint64_t candidates;

	while ((candidates = s->pending & ~s->blocked & among) != 0) {
		int signal = __builtin_ctzll(candidates) + 1;

		if (signal_disposition(s, signal) != SIGNAL_IGNORE)
			return signal;
		s->pending &= ~SIGNAL_BIT(signal);
	}
	return 0;
}

bool signal_state_set_action(struct signal_state *s, int signal, const struct signal_action *action)
{
	if (SIGNAL_BIT(signal) & SIGNAL_UNBLOCKED)
		return false;
	s->actions[signal] = *action;
	s->actions[signal].mask &= ~SIGNAL_UNBLOCKED;
	if (signal_disposition(s, signal) == SIGNAL_IGNORE)
		s->pending &= ~SIGNAL_BIT(signal);
	return true;
}
