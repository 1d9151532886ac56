/* SPDX-License-Identifier: MIT */
/*
 * The process service.  It holds a log, a Labeller (so that servers know whose a member is) and its
 * endpoint; it is handed an account for each session,
 * and draws on that what it keeps for the session's world, and by each member its process (to see
 * its end and to end it) and the event for its signals.
 *
 * A call names an object by its word: the root, a session's world, or a member, running or being
 * made.
 */
#include <capos/log.h>
#include <capos/schema/kernel.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "process.h"

struct session sessions[SESSIONS_MAX];
struct server server;

/* ---- Words: kind, generation of the place, place, number ---- */

#define GENERATIONS 0xffffu

uint64_t word_in(const struct session *s, enum word_kind kind, uint32_t number)
{
	return (uint64_t)kind << 56 | (uint64_t)(s->generation & GENERATIONS) << 40 |
	       (uint64_t)(s - sessions) << 32 | number;
}

uint64_t word_of(const struct member *m, enum word_kind kind)
{
	return word_in(session_of(m), kind, m->number);
}

struct session *word_session(uint64_t word, enum word_kind kind)
{
	struct session *s = &sessions[(word >> 32 & 0xff) % SESSIONS_MAX];

	if (word >> 56 != kind || !s->open ||
	    (word >> 40 & GENERATIONS) != (s->generation & GENERATIONS))
		return NULL;
	return s;
}

struct member *word_member(uint64_t word, enum word_kind kind)
{
	const struct session *s = word_session(word, kind);

	return s ? world_find(&s->world, (uint32_t)word) : NULL;
}

struct session *session_of(const struct member *m)
{
	return (struct session *)((char *)m->world - offsetof(struct session, world));
}

/* ---- Sessions ---- */

static struct session *find_session(uint64_t word)
{
	for (struct session *s = sessions; s < sessions + SESSIONS_MAX; s++)
		if (word && s->word == word)
			return s;
	return NULL;
}

static int open_world(struct session *s, uint64_t word, cap_t account)
{
	int status;

	store_open(&s->store, account, 0);
	slab_init(&s->slab, &s->store.source);
	status = world_open(&s->world, &world_effects, &s->slab);
	if (status) {
		s->store.account = CAP_NULL; /* the caller's again */
		store_close(&s->store);
		return status;
	}
	s->world.load.at_ns = cap_now();
	s->word = word;
	s->first = 0;
	s->open = true;
	return STATUS_OK;
}

/* A world ends with its last member, once nothing else leads to it. */
static void settle_session(struct session *s)
{
	if (!s->open || s->word || s->world.nmembers)
		return;
	ends_close(s);
	world_close(&s->world);
	store_close(&s->store);
	s->open = false;
	s->generation++;
}

static int open_session(void *object, struct msg_call *msg,
                        const struct process_world_open_session_params *in)
{
	struct server_call *call = server_call_of(msg);
	cap_t account;
	int status = STATUS_NO_BUFFERS;

	if (object)
		return STATUS_NOT_PERMITTED;
	if (!(in->word & WORD_SESSION_BIT))
		return STATUS_INVALID_ARGUMENT;
	if (find_session(in->word))
		return STATUS_EXISTS;
	account = server_take(call, in->account_index);
	if (account == CAP_NULL)
		return STATUS_INVALID_ARGUMENT;
	for (struct session *s = sessions; s < sessions + SESSIONS_MAX; s++) {
		if (s->open || !store_is_gone(&s->store))
			continue;
		status = open_world(s, in->word, account);
		break;
	}
	if (status)
		cap_release(account);
	else
		server_resume(call->server, in->word);
	return status;
}

static int enroll(void *object, struct msg_call *msg, const struct process_world_enroll_params *in,
                  struct process_world_enroll_results *out)
{
	struct session *s = object;
	struct member *m;
	int status;

	if (!s)
		return STATUS_NOT_PERMITTED;
	if (world_has_process(&s->world, server_call_of(msg)->caller))
		return STATUS_EXISTS;
	status = world_enroll(&s->world, in->number, &m);
	if (status)
		return status;
	status = member_begin(m, server_call_of(msg), in->process_index, in->signals_index,
	                      &out->member_index);
	if (status) {
		world_forget(m);
		return status;
	}
	if (!s->first || m->number < s->first)
		s->first = m->number;
	out->number = m->number;
	out->identity.ptr = (const void *)&m->identity;
	out->identity.len = (uint32_t)cap_identity_size(&m->identity);
	return STATUS_OK;
}

static int signal_world(void *object, struct msg_call *msg,
                        const struct process_world_signal_params *in)
{
	struct session *s = object;
	const struct signal_note note = {.signal = in->signal, .code = 0x80 /* SI_KERNEL */};
	struct member *first = s ? world_find(&s->world, s->first) : NULL;

	/* Members hold the world, too. */
	if (!s || cap_label_user(server_call_of(msg)->caller_label))
		return STATUS_NOT_PERMITTED;
	if (!in->signal || in->signal > WORLD_SIGNAL_MAX)
		return STATUS_INVALID_ARGUMENT;
	if (!in->foreground)
		return first ? world_send(first, &note) : STATUS_NO_ENTRY;
	if (!first)
		return STATUS_NO_ENTRY;
	return world_send_group(&s->world, world_foreground(first), &note) ? STATUS_OK
	                                                                   : STATUS_NO_ENTRY;
}

static const struct process_world_ops world_ops = {
        .open_session = open_session, .enroll = enroll, .signal = signal_world};

/* ---- Calls ---- */

static int call_world(struct server_call *call, struct session *s)
{
	if (call->interface != PROCESS_WORLD_INTERFACE)
		return STATUS_NOT_SUPPORTED;
	return process_world_dispatch(&world_ops, s, &call->msg);
}

static int service_call(struct server *unused, struct server_call *call)
{
	struct session *s = find_session(call->object);
	struct member *m;

	(void)unused;
	if (call->object == WORD_ROOT || s)
		return call_world(call, s);
	/* A session's object outlives this process, and init opens it again. */
	if (call->object & WORD_SESSION_BIT)
		return server_hold(call);
	m = word_member(call->object, WORD_MEMBER);
	if (m && call->interface == PROCESS_MEMBER_INTERFACE)
		return process_member_dispatch(&member_ops, m, &call->msg);
	m = word_member(call->object, WORD_BIRTH);
	if (m && call->interface == PROCESS_BIRTH_INTERFACE)
		return process_birth_dispatch(&birth_ops, m, &call->msg);
	m = word_member(call->object, WORD_LEADER);
	if (m && call->interface == PROCESS_SESSION_INTERFACE)
		return process_session_dispatch(&session_ops, m, &call->msg);
	if (word_session(call->object, WORD_END) && call->interface == PROCESS_END_INTERFACE)
		return process_end_dispatch(&end_ops, (void *)(uintptr_t)(uint32_t)call->object,
		                            &call->msg);
	return STATUS_NO_ENTRY;
}

static void service_release(struct server *unused, uint64_t object)
{
	struct session *s = find_session(object);
	struct member *m = word_member(object, WORD_MEMBER);

	(void)unused;
	if (s) {
		s->word = 0;
	} else if (m) {
		s = session_of(m);
		member_gone(m);
	} else if ((s = word_session(object, WORD_END))) {
		ends_released(s, (uint32_t)object);
		return;
	} else {
		m = word_member(object, WORD_BIRTH);
		if (!m || m->state != MEMBER_PREPARED)
			return;
		s = session_of(m);
		member_gone(m);
	}
	settle_session(s);
}

/* A stop that its member gave up: it goes on. */
static bool cancel_stop(struct session *s, uint64_t call_id)
{
	for (struct member *m = s->world.first; m; m = m->after) {
		if (m->stop_call[0] != call_id)
			continue;
		m->stop_call[0] = 0;
		m->state = MEMBER_RUNNING;
		m->stopped_by = 0;
		return true;
	}
	return false;
}

static void service_cancel(struct server *unused, uint64_t call_id)
{
	(void)unused;
	for (struct session *s = sessions; s < sessions + SESSIONS_MAX; s++)
		if (s->open &&
		    (world_cancel_wait(&s->world, call_id) || cancel_stop(s, call_id) ||
		     report_cancel(&s->world, call_id) || sysv_cancel(&s->world, call_id)))
			return;
}

static uint64_t service_idle(struct server *unused)
{
	(void)unused;
	return watch_cpu_limits();
}

/* Of a System V message with what goes beside it; lists come in parts. */
#define MESSAGE_MAX 8704u
_Static_assert(WORLD_COMMAND_MAX + 512 <= MESSAGE_MAX, "a command line fits");
_Static_assert(REPORT_MAX + 512 <= MESSAGE_MAX, "a report fits");
_Static_assert(SYSV_MESSAGE_MAX + 512 <= MESSAGE_MAX, "so does a message");

static const struct server_ops server_ops = {.message_max = MESSAGE_MAX,
                                             .call = service_call,
                                             .release = service_release,
                                             .cancel = service_cancel,
                                             .idle = service_idle};

/* Why each: see the head of this file. */
static const struct start_expected expected[] = {
        {"serve", 0, false},
        {"log", LOG_INTERFACE, false},
        {"labels", LABELLER_INTERFACE, false},
        {NULL, 0, false},
};

int main(void)
{
	int result;

	start_check(expected);
	result = server_init(&server, &server_ops, start_cap("serve"), NULL);
	if (!result)
		result = server_hold_start(&server);
	if (result)
		log_fatal("cannot serve: %s", cap_error_text(result));
	store_init();
	result = server_run(&server);
	log_fatal("server: %s", cap_error_text(result));
}
