/* SPDX-License-Identifier: MIT */
/*
 * Moves bytes through one terminal.  What is typed is taken from the far end only as far as readers
 * have room, what programs write only as far as the far end has: so each holds back the other, and
 * nothing is lost but echo.
 */
#include "terminal.h"

#include <string.h>

#include <capos/schema/status.h>

#define PIECE    512u
#define SIGHUP   1u
#define SIGCONT  18u
#define SIGWINCH 28u

/* ---- What the line discipline asks for ---- */

static void deliver(void *context, uint8_t c, uint8_t flags)
{
	struct terminal *t = context;
	const uint8_t pair[TERMINAL_PAIR] = {c, flags};

	(void)queue_put(&t->channel.receive, pair, TERMINAL_PAIR);
}

static bool echo(void *context, const uint8_t *bytes, uint32_t length)
{
	struct terminal *t = context;

	if (!t->far.out || queue_writable(t->far.out) < length)
		return false;
	(void)queue_put(t->far.out, bytes, length);
	return true;
}

static void signal_typed(void *context, int signal)
{
	(void)session_signal(context, (uint32_t)signal);
}

void terminal_news(struct terminal *t, uint32_t news, uint32_t instead)
{
	struct terminal_shared *shared;
	uint32_t before;

	if (!t->master.shared)
		return;
	shared = terminal_shared(t->master.shared);
	if (!news || !atomic_load(&shared->packets))
		return;
	before = atomic_load(&shared->news);
	while (!atomic_compare_exchange_weak(&shared->news, &before, (before & ~instead) | news))
		;
	t->wake_far = true;
}

static void tell_flow(struct terminal *t)
{
	const uint32_t both = TERMINAL_NEWS_STOP | TERMINAL_NEWS_START;

	if (t->was_stopped == t->ldisc.stopped)
		return;
	t->was_stopped = t->ldisc.stopped;
	terminal_news(t, t->was_stopped ? TERMINAL_NEWS_STOP : TERMINAL_NEWS_START, both);
}

/* What readers have not read; what is typed behind the signal's character stays. */
static void drop_read(struct terminal *t)
{
	atomic_store(&terminal_shared(t->channel.shared)->dropped, t->channel.receive.local);
	t->wake = true;
}

static void drop_all(struct queue *q)
{
	queue_advance(q, queue_readable(q));
}

static void flush_typed(void *context)
{
	struct terminal *t = context;

	drop_read(t);
	drop_all(&t->channel.send);
	terminal_news(t, TERMINAL_NEWS_FLUSH_READ | TERMINAL_NEWS_FLUSH_WRITE, 0);
}

static const struct ldisc_ops ldisc_ops = {
        .deliver = deliver, .echo = echo, .signal = signal_typed, .flush = flush_typed};

/* ---- Attributes ---- */

static void publish_attributes(struct terminal *t)
{
	struct terminal_shared *shared = terminal_shared(t->channel.shared);

	atomic_store(&shared->local, t->ldisc.attributes.local);
	atomic_store(&shared->minimum, t->ldisc.attributes.characters[LDISC_VMIN]);
	atomic_store(&shared->time, t->ldisc.attributes.characters[LDISC_VTIME]);
}

static uint32_t room(struct terminal *t)
{
	return queue_writable(&t->channel.receive) / TERMINAL_PAIR;
}

/* Whether ^S stops the output and ^Q lets it go on. */
static bool flows(const struct ldisc_attributes *a)
{
	return a->input & LDISC_IXON && a->characters[LDISC_VSTOP] == 'S' - '@' &&
	       a->characters[LDISC_VSTART] == 'Q' - '@';
}

int terminal_set(struct terminal *t, const struct terminal_attributes *in)
{
	struct ldisc_attributes a = {.input = in->input,
	                             .output = in->output,
	                             .control = in->control,
	                             .local = in->local,
	                             .input_speed = in->input_speed,
	                             .output_speed = in->output_speed};

	if (in->characters.len != sizeof(a.characters))
		return STATUS_INVALID_ARGUMENT;
	memcpy(a.characters, in->characters.ptr, sizeof(a.characters));
	if (flows(&a) != flows(&t->ldisc.attributes))
		terminal_news(t, flows(&a) ? TERMINAL_NEWS_DO_STOP : TERMINAL_NEWS_NO_STOP,
		              TERMINAL_NEWS_DO_STOP | TERMINAL_NEWS_NO_STOP);
	ldisc_set(&t->ldisc, &a, room(t));
	publish_attributes(t);
	t->wake = true; /* what is enough for a read has changed */
	return STATUS_OK;
}

void terminal_get(struct terminal *t, struct terminal_attributes *out)
{
	const struct ldisc_attributes *a = &t->ldisc.attributes;

	*out = (struct terminal_attributes){.input = a->input,
	                                    .output = a->output,
	                                    .control = a->control,
	                                    .local = a->local,
	                                    .input_speed = a->input_speed,
	                                    .output_speed = a->output_speed,
	                                    .characters =
	                                            MSG_DATA(a->characters, sizeof(a->characters))};
}

void terminal_resize(struct terminal *t, const struct terminal_window *window)
{
	if (!memcmp(&t->window, window, sizeof(*window)))
		return;
	t->window = *window;
	(void)session_signal(t, SIGWINCH);
}

/* ---- Beginning and end ---- */

void terminal_hang_up(struct terminal *t)
{
	if (t->hung)
		return;
	t->hung = true;
	t->far = (struct far_end){.in = NULL};
	(void)channel_set_status(&t->channel, CHANNEL_EOF | CHANNEL_CLOSED, 0);
	(void)session_signal(t, SIGHUP);
	(void)session_signal(t, SIGCONT);
	t->wake = true;
}

int terminal_begin(struct terminal *t, cap_t account)
{
	const uint64_t generation = t->generation + 1;
	int status;

	memset(t, 0, sizeof(*t));
	t->generation = generation;
	t->number = (uint32_t)(t - terminals);
	status = terminal_memory(account, RECEIVE_BYTES, SEND_BYTES, &t->channel, &t->memory);
	if (status)
		return status;
	ldisc_init(&t->ldisc, &ldisc_ops, t);
	publish_attributes(t);
	t->used = true;
	return STATUS_OK;
}

void terminal_end(struct terminal *t)
{
	terminal_memory_end(&t->channel, &t->memory);
	terminal_memory_end(&t->master, &t->master_memory);
	session_close(t);
	if (t->master_wake != CAP_NULL)
		(void)cap_release(t->master_wake);
	t->master_wake = CAP_NULL;
	t->used = false;
}

/* ---- Moving ---- */

static void run_output(struct terminal *t)
{
	struct queue *send = &t->channel.send, *out = t->far.out;
	uint8_t processed[PIECE];

	for (;;) {
		uint32_t length, used, space = out ? queue_writable(out) : 0;
		const uint8_t *run = queue_read_run(send, 0, &length);
		uint32_t n;

		if (!length)
			return;
		if (!out && t->hung) {
			queue_advance(send, length);
			continue;
		}
		if (space > sizeof(processed))
			space = sizeof(processed);
		if (!space)
			return;
		n = ldisc_output(&t->ldisc, run, length, &used, processed, space);
		if (!used)
			return;
		(void)queue_put(out, processed, n);
		queue_advance(send, used);
	}
}

static void run_input(struct terminal *t)
{
	uint8_t typed[PIECE];

	while (t->far.in) {
		uint32_t length = queue_peek(t->far.in, 0, typed, sizeof(typed));
		uint32_t used = ldisc_input(&t->ldisc, typed, length, room(t));

		queue_advance(t->far.in, used);
		if (!used || used < length)
			return;
	}
}

void terminal_run(struct terminal *t)
{
	run_output(t);
	run_input(t);
	run_output(t); /* VSTART may have let it go on */
	tell_flow(t);
	t->wake |= queue_publish_take(&t->channel.send);
	t->wake |= queue_publish_put(&t->channel.receive);
	if (t->far.in)
		t->wake_far |= queue_publish_take(t->far.in);
	if (t->far.out)
		t->wake_far |= queue_publish_put(t->far.out);
	terminal_wake(t);
}

static void signal_quietly(cap_t event, uint64_t bits)
{
	struct capos_sqe sqe = {.op = CAP_OP_SIGNAL, .cap = event, .arg = bits};

	if (event != CAP_NULL)
		(void)cap_submit_quiet(&sqe);
}

void terminal_wake(struct terminal *t)
{
	if (t->wake) {
		for (struct open_terminal *o = opens; o < opens + OPENS_MAX; o++)
			if (o->terminal == t)
				signal_quietly(o->wake, o->wake_bits);
		t->wake = false;
	}
	if (t->wake_far)
		signal_quietly(t->far.event, t->far.bits);
	t->wake_far = false;
}

bool terminal_prepare_sleep(struct terminal *t, bool draining)
{
	struct queue *send = &t->channel.send, *receive = &t->channel.receive;
	uint32_t typed = t->far.in ? queue_readable(t->far.in) : 0;
	uint32_t had = room(t), written, space;
	bool more = false;

	if (t->far.in) {
		queue_want_data(t->far.in);
		queue_want_space(receive); /* what was typed may wait for that */
		more |= queue_readable(t->far.in) != typed || (typed && room(t) != had);
	}
	written = queue_readable(send);
	space = t->far.out ? queue_writable(t->far.out) : 0;
	queue_want_data(send);
	more |= queue_readable(send) != written;
	/* Space is wanted by what is still to be sent, and by a call that waits until the last of
	 * it is taken. */
	if (t->far.out && (draining || (written && !t->ldisc.stopped))) {
		queue_want_space(t->far.out);
		more |= queue_writable(t->far.out) != space;
	}
	return more;
}

/* ---- Flush and drain ---- */

void terminal_flush(struct terminal *t, bool input, bool output)
{
	if (input) {
		if (t->far.in)
			drop_all(t->far.in);
		ldisc_flush_input(&t->ldisc);
		drop_read(t);
	}
	if (output)
		drop_all(&t->channel.send);
}

bool terminal_is_drained(struct terminal *t)
{
	/* What a pseudo-terminal's master has not read yet counts as sent, as on Linux: or a
	 * program that holds both ends would wait for itself. */
	if (t->hung || t->master.shared)
		return true;
	return !queue_readable(&t->channel.send) &&
	       (!t->far.out || queue_writable(t->far.out) == t->far.out->capacity);
}
