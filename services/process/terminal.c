/* SPDX-License-Identifier: MIT */
/*
 * A session's controlling terminal: kept at the member that leads the session, from when it asks
 * for it until it ends.  The terminal gets a ProcessSession, by which it signals the session's
 * foreground group and does nothing else.
 */
#include <capos/schema/status.h>

#include "process.h"

static struct member *leader_of(const struct member *m)
{
	struct member *leader = world_find(m->world, m->session);

	return leader && leader->state != MEMBER_ENDED ? leader : NULL;
}

static void give_up(struct member *leader)
{
	if (leader->terminal)
		(void)cap_release(leader->terminal);
	leader->terminal = CAP_NULL;
}

int terminal_take(struct member *m, struct server_call *call, uint16_t terminal_index,
                  uint32_t number, uint16_t *session_index)
{
	int at;

	if (m->session != m->number || m->terminal)
		return STATUS_NOT_PERMITTED;
	at = server_give_object(call, PROCESS_SESSION_INTERFACE, word_of(m, WORD_LEADER));
	if (at < 0)
		return STATUS_NO_MEMORY;
	m->terminal = server_take(call, terminal_index);
	if (!m->terminal)
		return STATUS_INVALID_ARGUMENT;
	m->terminal_number = number;
	*session_index = (uint16_t)at;
	return STATUS_OK;
}

int terminal_give(const struct member *m, struct server_call *call, uint16_t *index,
                  uint32_t *number)
{
	const struct member *leader = leader_of(m);
	int at;

	if (!leader || !leader->terminal)
		return STATUS_NO_ENTRY;
	at = server_give(call, leader->terminal, CAP_RIGHTS_ALL, false);
	if (at < 0)
		return STATUS_NO_MEMORY;
	*index = (uint16_t)at;
	*number = leader->terminal_number;
	return STATUS_OK;
}

static int signal_foreground(struct member *leader, uint32_t signal)
{
	const struct signal_note note = {.signal = signal, .code = 0x80 /* SI_KERNEL */};

	return world_send_group(leader->world, world_foreground(leader), &note) ? STATUS_OK
	                                                                        : STATUS_NO_ENTRY;
}

int terminal_leave(struct member *m)
{
	if (m->session != m->number || !m->terminal)
		return STATUS_NO_ENTRY;
	(void)signal_foreground(m, WORLD_SIGHUP);
	(void)signal_foreground(m, WORLD_SIGCONT);
	give_up(m);
	return STATUS_OK;
}

void terminal_leader_ended(struct member *m)
{
	if (m->terminal)
		(void)terminal_leave(m);
}

void terminal_job(const struct member *m, struct process_member_job_results *out)
{
	const struct member *leader = leader_of(m);

	out->controlled = leader && leader->terminal;
	out->terminal = out->controlled ? leader->terminal_number : 0;
	out->foreground = world_foreground(m) == m->group;
	out->orphaned = world_is_orphaned(m);
}

/* What a keyboard, a window and the end of a line are known to send.  The leader has the session,
 * too, and may be of another user than those in front. */
static bool is_of_terminals(uint32_t signal)
{
	switch (signal) {
	case 0:
	case WORLD_SIGHUP:
	case WORLD_SIGINT:
	case WORLD_SIGQUIT:
	case WORLD_SIGCONT:
	case WORLD_SIGTSTP:
	case WORLD_SIGWINCH:
		return true;
	default:
		return false;
	}
}

static int session_signal(void *object, struct msg_call *msg,
                          const struct process_session_signal_params *in)
{
	struct member *leader = object;

	(void)msg;
	if (!leader->terminal || leader->state == MEMBER_ENDED)
		return STATUS_NO_ENTRY;
	if (!is_of_terminals(in->signal))
		return STATUS_INVALID_ARGUMENT;
	if (in->signal)
		(void)signal_foreground(leader, in->signal); /* the group may be empty */
	return STATUS_OK;
}

static int session_identity(void *object, struct msg_call *msg,
                            struct process_session_identity_results *out)
{
	const struct member *leader = object;

	(void)msg;
	if (!leader->terminal || leader->state == MEMBER_ENDED)
		return STATUS_NO_ENTRY;
	out->session = leader->number;
	out->foreground = world_foreground(leader);
	return STATUS_OK;
}

const struct process_session_ops session_ops = {.signal = session_signal,
                                                .identity = session_identity};
