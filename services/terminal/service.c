/* SPDX-License-Identifier: MIT */
/*
 * The terminal service.  It holds the console's stdin and stdout, a log and its endpoint; it is
 * handed an account for each pseudo-terminal, by those who open a terminal their event, and by the
 * leader of a session the ProcessSession that a terminal's signals go to.
 *
 * A call names an object by its word: the maker, the console, a terminal by number, an open one, or
 * a master.
 */
#include <capos/identity.h>
#include <capos/log.h>
#include <capos/schema/kernel.h>
#include <capos/schema/service.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "terminal.h"

/* Words that the manifest has. */
#define WORD_CONSOLE 1u
#define WORD_MAKER   2u

#define FILE_MODE 0620u /* of a new pseudo-terminal */

enum word_kind { WORD_OPEN = 1, WORD_TERMINAL = 2, WORD_MASTER = 3 };

struct terminal *terminals;
uint32_t terminals_most;
struct open_terminal opens[OPENS_MAX];
struct server server;

/* ---- Words: kind, generation, place ---- */

/* A place is used again no more often than the generation counts, which takes centuries: a word of
 * an older terminal never names a newer one. */
#define GENERATION_SHIFT 16u
#define GENERATIONS      (1ull << 40)
_Static_assert(OPENS_MAX <= 1u << GENERATION_SHIFT, "a place's number leaves the generation alone");

static uint64_t make_word(enum word_kind kind, uint64_t generation, uint64_t place)
{
	return (uint64_t)kind << 56 | generation % GENERATIONS << GENERATION_SHIFT | place;
}

static struct terminal *word_terminal(uint64_t word, enum word_kind kind)
{
	const uint64_t place = word % (1u << GENERATION_SHIFT);
	struct terminal *t;

	if (word == WORD_CONSOLE && kind == WORD_TERMINAL)
		return &terminals[CONSOLE];
	if (!terminals || place >= terminals_most)
		return NULL;
	t = &terminals[place];
	return t->used && word == make_word(kind, t->generation, t->number) ? t : NULL;
}

static struct open_terminal *word_open(uint64_t word)
{
	struct open_terminal *o = &opens[word % OPENS_MAX];

	return o->terminal && word == make_word(WORD_OPEN, o->generation, (uint64_t)(o - opens))
	               ? o
	               : NULL;
}

/* ---- Opening ---- */

static int give_channel(struct server_call *call, cap_t memory, struct channel_ref *out)
{
	int memory_at = server_give(
	        call, memory, CAP_RIGHT_READ | CAP_RIGHT_WRITE | CAP_RIGHT_CALL | CAP_RIGHT_COPY,
	        false);
	int event_at = server_give(call, server.event, CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY, false);

	if (memory_at < 0 || event_at < 0)
		return STATUS_NO_MEMORY;
	*out = (struct channel_ref){.memory_index = (uint16_t)memory_at,
	                            .event_index = (uint16_t)event_at,
	                            .event_bits = BIT_CLIENT};
	return STATUS_OK;
}

/* As with a terminal's file of mode 0620. */
static bool is_owner(const struct server_call *call, const struct terminal *t)
{
	const uint32_t user = cap_label_user(call->caller_label);

	return !user || user == t->owner;
}

/* Init, which has the console and never opens it, says how large the user's window is. */
static bool may_call_closed(const struct server_call *call, const struct terminal *t)
{
	return call->msg.method == TERMINAL_SESSION_OPEN ||
	       (call->msg.method == TERMINAL_SESSION_SET_WINDOW && is_owner(call, t));
}

static int may_open(struct terminal *t, const struct server_call *call)
{
	/* All programs hold the console, to whomever they belong now.  Of others the maker's find
	 * has asked. */
	if (call->object == WORD_CONSOLE && !is_owner(call, t))
		return STATUS_ACCESS_DENIED;

	if (t == &terminals[CONSOLE])
		return console_open(t);
	if (t->hung)
		return STATUS_IO_ERROR;
	return t->locked ? STATUS_IO_ERROR : STATUS_OK;
}

static int open_at(struct open_terminal *o, struct terminal *t, struct server_call *call,
                   struct terminal_session_open_results *out)
{
	const uint64_t generation = o->generation + 1;
	int status = give_channel(call, t->memory, &out->channel);
	int at = status ? -1
	                : server_give_object(
	                          call, TERMINAL_SESSION_INTERFACE,
	                          make_word(WORD_OPEN, generation, (uint64_t)(o - opens)));

	if (at < 0)
		return STATUS_NO_MEMORY;
	*o = (struct open_terminal){.terminal = t, .generation = generation};
	out->terminal_index = (uint16_t)at;
	out->number = t->number;
	if (t->opens++ == 0 && t->held)
		pty_opens_changed(t);
	return STATUS_OK;
}

static int serve_open(void *object, struct msg_call *msg,
                      const struct terminal_session_open_params *in,
                      struct terminal_session_open_results *out)
{
	struct server_call *call = server_call_of(msg);
	struct terminal *t = object;
	struct open_terminal *o = opens;
	int status = may_open(t, call);
	cap_t wake;

	while (o < opens + OPENS_MAX && o->terminal)
		o++;
	if (!status && o == opens + OPENS_MAX)
		status = STATUS_NO_BUFFERS;
	wake = status ? CAP_NULL : server_take(call, in->wake_index);
	if (!status && (wake == CAP_NULL || !in->wake_bits))
		status = STATUS_INVALID_ARGUMENT;
	if (!status)
		status = open_at(o, t, call, out);
	if (status) {
		if (wake != CAP_NULL)
			(void)cap_release(wake);
		return status;
	}
	o->wake = wake;
	o->wake_bits = in->wake_bits;
	return STATUS_OK;
}

/* ---- Calls that wait for output to be taken ---- */

static struct drain {
	struct server_pending call;
	struct terminal *terminal;
	bool set, flush;
	struct terminal_attributes attributes;
	uint8_t characters[LDISC_CHARACTERS];
} drains[DRAINS_MAX];
static uint32_t ndrains;

static int wait_drained(struct terminal *t, struct msg_call *msg, struct drain **out)
{
	terminal_run(t);
	if (terminal_is_drained(t))
		return STATUS_OK;
	if (ndrains == DRAINS_MAX)
		return STATUS_NO_BUFFERS;
	*out = &drains[ndrains++];
	**out = (struct drain){.call = server_defer(server_call_of(msg)), .terminal = t};
	return MSG_DEFERRED;
}

static int set_now(struct terminal *t, const struct terminal_attributes *in, bool flush)
{
	if (flush) {
		terminal_flush(t, true, false);
		terminal_news(t, TERMINAL_NEWS_FLUSH_READ, 0);
	}
	return terminal_set(t, in);
}

static void answer_drains(void)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < ndrains; i++) {
		struct drain *d = &drains[i];
		int status = STATUS_OK;

		if (d->terminal->used && !terminal_is_drained(d->terminal)) {
			drains[kept++] = *d;
			continue;
		}
		if (d->set && d->terminal->used) {
			d->attributes.characters = MSG_DATA(d->characters, LDISC_CHARACTERS);
			status = set_now(d->terminal, &d->attributes, d->flush);
		}
		server_answer(&server, d->call, status, NULL, 0, NULL, 0);
	}
	ndrains = kept;
}

static bool is_draining(const struct terminal *t)
{
	for (uint32_t i = 0; i < ndrains; i++)
		if (drains[i].terminal == t)
			return true;
	return false;
}

static void serve_cancel(struct server *unused, uint64_t call_id)
{
	uint32_t kept = 0;

	(void)unused;
	if (session_cancelled(call_id))
		return;
	for (uint32_t i = 0; i < ndrains; i++)
		if (drains[i].call.call_id != call_id)
			drains[kept++] = drains[i];
	ndrains = kept;
}

/* ---- An open terminal ---- */

static int serve_set_attributes(void *object, struct msg_call *msg,
                                const struct terminal_session_set_attributes_params *in)
{
	struct terminal *t = object;
	bool flush = in->when == TERMINAL_SESSION_WHEN_FLUSHED;
	struct drain *drain;
	int status = STATUS_OK;

	if (in->attributes.characters.len != LDISC_CHARACTERS)
		return STATUS_INVALID_ARGUMENT;
	if (in->when == TERMINAL_SESSION_WHEN_NOW)
		terminal_run(t); /* what was written before is processed as it was */
	else
		status = wait_drained(t, msg, &drain);
	if (!status)
		return set_now(t, &in->attributes, flush);
	if (status != MSG_DEFERRED)
		return status;
	drain->set = true;
	drain->flush = flush;
	drain->attributes = in->attributes;
	__builtin_memcpy(drain->characters, in->attributes.characters.ptr, LDISC_CHARACTERS);
	return status;
}

static int serve_attributes(void *object, struct msg_call *msg,
                            struct terminal_session_attributes_results *out)
{
	(void)msg;
	terminal_get(object, &out->attributes);
	return STATUS_OK;
}

static int serve_set_window(void *object, struct msg_call *msg,
                            const struct terminal_session_set_window_params *in)
{
	(void)msg;
	terminal_resize(object, &in->window);
	return STATUS_OK;
}

static int serve_window(void *object, struct msg_call *msg,
                        struct terminal_session_window_results *out)
{
	(void)msg;
	out->window = ((struct terminal *)object)->window;
	return STATUS_OK;
}

static int serve_drain(void *object, struct msg_call *msg)
{
	struct drain *drain;

	return wait_drained(object, msg, &drain);
}

static int serve_flush(void *object, struct msg_call *msg,
                       const struct terminal_session_flush_params *in)
{
	(void)msg;
	terminal_flush(object, in->input, in->output);
	terminal_news(object,
	              (in->input ? TERMINAL_NEWS_FLUSH_READ : 0u) |
	                      (in->output ? TERMINAL_NEWS_FLUSH_WRITE : 0u),
	              0);
	return STATUS_OK;
}

static int serve_flow(void *object, struct msg_call *msg,
                      const struct terminal_session_flow_params *in)
{
	(void)msg;
	((struct terminal *)object)->ldisc.stopped = in->stop;
	return STATUS_OK;
}

static int serve_control(void *object, struct msg_call *msg,
                         const struct terminal_session_control_params *in)
{
	struct server_call *call = server_call_of(msg);
	cap_t session = server_take(call, in->session_index);

	return session == CAP_NULL ? STATUS_INVALID_ARGUMENT
	                           : session_control(object, call, session);
}

static int serve_push(void *object, struct msg_call *msg,
                      const struct terminal_session_push_params *in)
{
	struct terminal *t = object;
	const uint8_t byte = in->byte;

	(void)msg;
	return ldisc_input(&t->ldisc, &byte, 1, queue_writable(&t->channel.receive) / TERMINAL_PAIR)
	               ? STATUS_OK
	               : STATUS_WOULD_BLOCK;
}

static const struct terminal_session_ops session_ops = {
        .open = serve_open,
        .set_attributes = serve_set_attributes,
        .attributes = serve_attributes,
        .set_window = serve_set_window,
        .window = serve_window,
        .drain = serve_drain,
        .flush = serve_flush,
        .flow = serve_flow,
        .control = serve_control,
        .push = serve_push,
};

/* ---- Masters ---- */

static int master_unlock(void *object, struct msg_call *msg,
                         const struct terminal_master_unlock_params *in)
{
	(void)msg;
	((struct terminal *)object)->locked = in->locked;
	return STATUS_OK;
}

static int give_terminal(struct server_call *call, const struct terminal *t, uint16_t *index)
{
	int at = server_give_object(call, TERMINAL_SESSION_INTERFACE,
	                            make_word(WORD_TERMINAL, t->generation, t->number));

	*index = (uint16_t)at;
	return at < 0 ? STATUS_NO_MEMORY : STATUS_OK;
}

static int master_session(void *object, struct msg_call *msg,
                          struct terminal_master_session_results *out)
{
	return give_terminal(server_call_of(msg), object, &out->terminal_index);
}

static int master_set_window(void *object, struct msg_call *msg,
                             const struct terminal_master_set_window_params *in)
{
	(void)msg;
	terminal_resize(object, &in->window);
	return STATUS_OK;
}

static int master_window(void *object, struct msg_call *msg,
                         struct terminal_master_window_results *out)
{
	(void)msg;
	out->window = ((struct terminal *)object)->window;
	return STATUS_OK;
}

static int master_set_attributes(void *object, struct msg_call *msg,
                                 const struct terminal_master_set_attributes_params *in)
{
	(void)msg;
	return terminal_set(object, &in->attributes);
}

static int master_attributes(void *object, struct msg_call *msg,
                             struct terminal_master_attributes_results *out)
{
	(void)msg;
	terminal_get(object, &out->attributes);
	return STATUS_OK;
}

/* Seen from the master, what programs wrote is input. */
static int master_flush(void *object, struct msg_call *msg,
                        const struct terminal_master_flush_params *in)
{
	(void)msg;
	terminal_flush(object, in->output, in->input);
	return STATUS_OK;
}

static int master_signal(void *object, struct msg_call *msg,
                         const struct terminal_master_signal_params *in)
{
	(void)msg;
	return session_signal(object, in->signal);
}

static const struct terminal_master_ops master_ops = {
        .unlock = master_unlock,
        .session = master_session,
        .set_window = master_set_window,
        .window = master_window,
        .set_attributes = master_set_attributes,
        .attributes = master_attributes,
        .flush = master_flush,
        .signal = master_signal,
};

/* ---- The maker ---- */

static struct terminal *free_terminal(void)
{
	for (struct terminal *t = &terminals[CONSOLE + 1]; t < terminals + terminals_most; t++)
		if (!t->used && session_is_over(t))
			return t;
	return NULL;
}

static int open_master(void *object, struct msg_call *msg,
                       const struct terminal_maker_open_master_params *in,
                       struct terminal_maker_open_master_results *out)
{
	struct server_call *call = server_call_of(msg);
	struct terminal *t = free_terminal();
	cap_t wake = server_take(call, in->wake_index);
	cap_t account = server_take(call, in->account_index);
	int status = t ? STATUS_OK : STATUS_NO_BUFFERS, at;

	(void)object;
	if (wake == CAP_NULL || !cap_is_kernels(account) || !in->wake_bits)
		status = STATUS_INVALID_ARGUMENT;
	if (!status)
		status = pty_begin(t, account, wake, in->wake_bits);
	if (account != CAP_NULL)
		(void)cap_release(account);
	if (status) {
		if (wake != CAP_NULL)
			(void)cap_release(wake);
		return status;
	}
	status = give_channel(call, t->master_memory, &out->channel);
	at = status ? -1
	            : server_give_object(call, TERMINAL_MASTER_INTERFACE,
	                                 make_word(WORD_MASTER, t->generation, t->number));
	if (at < 0) {
		terminal_end(t);
		return STATUS_NO_MEMORY;
	}
	out->master_index = (uint16_t)at;
	t->owner = cap_label_user(call->caller_label);
	t->group = cap_label_group(call->caller_label);
	t->mode = FILE_MODE;
	out->number = t->number;
	return STATUS_OK;
}

/* A pseudo-terminal; NULL: there is none of that number. */
static struct terminal *numbered(uint32_t number)
{
	struct terminal *t = number < terminals_most ? &terminals[number] : NULL;

	return t && t != &terminals[CONSOLE] && t->used && t->held ? t : NULL;
}

static int find(void *object, struct msg_call *msg, const struct terminal_maker_find_params *in,
                struct terminal_maker_find_results *out)
{
	struct terminal *t = numbered(in->number);

	(void)object;
	if (!t)
		return STATUS_NO_ENTRY;
	if (!is_owner(server_call_of(msg), t))
		return STATUS_ACCESS_DENIED;
	return give_terminal(server_call_of(msg), t, &out->terminal_index);
}

static int list(void *object, struct msg_call *msg, struct terminal_maker_list_results *out)
{
	static struct terminal_file files[TERMINALS_MAX];
	uint32_t n = 0;

	(void)object, (void)msg;
	for (uint32_t i = CONSOLE + 1; i < terminals_most; i++) {
		const struct terminal *t = numbered(i);

		if (t)
			files[n++] = (struct terminal_file){
			        .number = i, .user = t->owner, .group = t->group, .mode = t->mode};
	}
	out->files = (struct msg_list){.items = files, .count = n};
	return STATUS_OK;
}

static int change(void *object, struct msg_call *msg, const struct terminal_maker_change_params *in)
{
	const uint32_t user = cap_label_user(server_call_of(msg)->caller_label);
	const struct terminal_file *file = &in->file;
	struct terminal *t = numbered(file->number);

	(void)object;
	if (!t)
		return STATUS_NO_ENTRY;
	if (user &&
	    (user != t->owner || file->user != TERMINAL_KEEP || file->group != TERMINAL_KEEP))
		return STATUS_NOT_PERMITTED;
	if (file->user != TERMINAL_KEEP)
		t->owner = file->user;
	if (file->group != TERMINAL_KEEP)
		t->group = file->group;
	if (file->mode != TERMINAL_KEEP)
		t->mode = file->mode & 07777;
	return STATUS_OK;
}

static const struct terminal_maker_ops maker_ops = {
        .open_master = open_master, .find = find, .list = list, .change = change};

/* ---- Calls ---- */

static int service_call(struct server *unused, struct server_call *call)
{
	struct open_terminal *o = word_open(call->object);
	struct terminal *t = o ? o->terminal : word_terminal(call->object, WORD_TERMINAL);

	(void)unused;
	if (t && call->interface == TERMINAL_SESSION_INTERFACE) {
		int status;

		if (!o && !may_call_closed(call, t))
			return STATUS_NOT_PERMITTED;
		status = t->used ? STATUS_OK : terminal_begin(t, CAP_NULL); /* the console */
		return status ? status : terminal_session_dispatch(&session_ops, t, &call->msg);
	}
	if (call->object == WORD_MAKER && call->interface == TERMINAL_MAKER_INTERFACE)
		return terminal_maker_dispatch(&maker_ops, NULL, &call->msg);
	t = word_terminal(call->object, WORD_MASTER);
	if (t && call->interface == TERMINAL_MASTER_INTERFACE)
		return terminal_master_dispatch(&master_ops, t, &call->msg);
	return STATUS_NO_ENTRY;
}

static void service_release(struct server *unused, uint64_t object)
{
	struct open_terminal *o = word_open(object);
	struct terminal *t = word_terminal(object, WORD_MASTER);

	(void)unused;
	if (o) {
		t = o->terminal;
		(void)cap_release(o->wake);
		o->terminal = NULL;
		if (--t->opens == 0 && t != &terminals[CONSOLE])
			pty_opens_changed(t);
	} else if (t) {
		pty_released(t);
	}
}

static void service_event(struct server *unused, uint64_t bits)
{
	(void)unused, (void)bits;
	console_follow(&terminals[CONSOLE]);
}

static uint64_t service_idle(struct server *unused)
{
	bool more = false;
	uint64_t timeout;

	(void)unused;
	for (struct terminal *t = terminals; t < terminals + terminals_most; t++)
		if (t->used)
			terminal_run(t);
	answer_drains();
	timeout = session_step();
	for (struct terminal *t = terminals; t < terminals + terminals_most; t++) {
		if (!t->used)
			continue;
		terminal_wake(t);
		more |= terminal_prepare_sleep(t, is_draining(t));
	}
	return more ? 0 : timeout;
}

static const struct server_ops server_ops = {
        .call = service_call,
        .release = service_release,
        .cancel = serve_cancel,
        .event = service_event,
        .idle = service_idle,
        .message_max = 4096,
};

/* Why each: see the head of this file. */
static const struct start_expected expected[] = {
        {"serve", 0, false},
        {"log", LOG_INTERFACE, false},
        {"stdin", BYTE_STREAM_INTERFACE, true},
        {"stdout", BYTE_STREAM_INTERFACE, true},
        {NULL, 0, false},
};

static int make_terminals(void)
{
	void *memory;
	uint64_t size;
	int result;

	terminals_most = memory_portion(TERMINALS_MAX, TERMINALS_LEAST);
	size = (terminals_most * sizeof(struct terminal) + CAPOS_PAGE_SIZE - 1) &
	       ~(CAPOS_PAGE_SIZE - 1);
	result = memory_make(size, &memory);
	terminals = memory;
	return result;
}

int main(void)
{
	int result;

	start_check(expected);
	result = make_terminals();
	if (!result)
		result = server_init(&server, &server_ops, start_cap("serve"), NULL);
	if (result)
		log_fatal("cannot serve: %s", cap_error_text(result));
	result = server_run(&server);
	log_fatal("server: %s", cap_error_text(result));
}
