/* SPDX-License-Identifier: MIT */
/*
 * Terminals by name: tty, console, ptmx, pts/N.  A name gives no authority: each leads to a
 * capability that the process holds, or to nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <capos/format.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "terminal/tty.h"

#define MESSAGE 256u

void tty_name(const struct tty *t, char out[TTY_NAME_SIZE])
{
	if (t->number)
		fmt_snprintf(out, TTY_NAME_SIZE, "pts/%u", t->number);
	else
		fmt_snprintf(out, TTY_NAME_SIZE, "console");
}

size_t terminal_path(const struct file *f, char *out, size_t size)
{
	char name[TTY_NAME_SIZE] = "ptmx";

	if (f->ops != &tty_ops && f->ops != &tty_master_ops)
		return 0;
	if (f->ops == &tty_ops)
		tty_name(f->data, name);
	return (size_t)fmt_snprintf(out, size, "/dev/%s", name);
}

/* ---- Opening ---- */

int tty_create(const struct tty *from, int flags, struct file **out)
{
	struct tty *t = posix_alloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	*t = *from;
	t->chan.served = t->object;
	*out = file_create(t->is_master ? &tty_master_ops : &tty_ops, flags & ~O_NOCTTY, t);
	if (*out)
		return 0;
	posix_free(t);
	return -ENOMEM;
}

/* Takes over what came with the reply. */
static int begin(struct tty *t, const struct channel_ref *channel, uint16_t object,
                 struct capos_call *call)
{
	uint64_t era;
	int result;

	if (object >= call->ncaps)
		return CAP_EMESSAGE;
	t->object = call->caps[object];
	result = chan_open(&t->chan, channel, call);
	if (!result)
		result = cap_test(t->object, &era);
	if (result) {
		cap_release(t->object);
		return result;
	}
	t->chan.era = era;
	chan_make_common(&t->chan);
	chan_look(&t->chan); /* where others are */
	return CAP_OK;
}

static int finish(const struct tty *t, int flags, struct file **out)
{
	struct tty made = *t;
	int result = tty_create(t, flags, out);

	if (result) {
		chan_close(&made.chan);
		cap_release(made.object);
	}
	return result;
}

int tty_open_session(cap_t session, int flags, struct file **out)
{
	_Alignas(8) uint8_t buffer[MESSAGE];
	const struct capos_send_cap send = process_wake_cap();
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct terminal_session_open_params params = {.wake_bits = PROCESS_WAKE_BITS};
	struct terminal_session_open_results results;
	struct tty t = {.is_master = false};
	int result = terminal_session_open(session, &params, &results, &call);

	if (!result)
		result = begin(&t, &results.channel, results.terminal_index, &call);
	if (result)
		return errno_of(result);
	t.number = results.number;
	return finish(&t, flags, out);
}

static int open_master(int flags, struct file **out)
{
	_Alignas(8) uint8_t buffer[MESSAGE];
	struct capos_send_cap send[2] = {process_wake_cap()};
	struct capos_call call = {
	        .send_caps = send, .send_ncaps = 2, .buffer = buffer, .size = sizeof(buffer)};
	const struct terminal_maker_open_master_params params = {.wake_bits = PROCESS_WAKE_BITS,
	                                                         .account_index = 1};
	struct terminal_maker_open_master_results results;
	struct tty t = {.is_master = true};
	cap_t maker = start_cap("terminals"), account;
	int result;

	if (!maker)
		return -EACCES;
	result = cap_account(&account);
	if (result)
		return errno_of(result);
	send[1] = (struct capos_send_cap){.cap = account, .rights = CAP_RIGHT_CALL};
	result = terminal_maker_open_master(maker, &params, &results, &call);
	cap_release(account);
	if (!result)
		result = begin(&t, &results.channel, results.master_index, &call);
	if (result)
		return result == STATUS_NO_BUFFERS ? -ENOSPC : errno_of(result);
	t.number = results.number;
	return finish(&t, flags, out);
}

/* A session's leader that has none gets the first terminal that it opens. */
static void take_if_free(struct file *f, int flags)
{
	struct terminal_job job;
	uint32_t session;

	if (flags & O_NOCTTY || !terminal_world.job || terminal_world.job(&job) || job.controlled ||
	    terminal_world.session(&session) || session != process_id())
		return;
	(void)tty_take_control(f->data);
}

static int open_number(uint32_t number, int flags, struct file **out)
{
	_Alignas(8) uint8_t buffer[MESSAGE];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	const struct terminal_maker_find_params params = {.number = number};
	struct terminal_maker_find_results results;
	cap_t maker = start_cap("terminals");
	int result =
	        maker ? terminal_maker_find(maker, &params, &results, &call) : STATUS_ACCESS_DENIED;

	if (!result && results.terminal_index >= call.ncaps)
		result = CAP_EMESSAGE;
	if (result)
		return errno_of(result);
	result = tty_open_session(call.caps[results.terminal_index], flags, out);
	cap_release(call.caps[results.terminal_index]);
	if (!result)
		take_if_free(*out, flags);
	return result;
}

static int open_controlling(int flags, struct file **out)
{
	cap_t terminal;
	int result = terminal_world.find ? terminal_world.find(&terminal) : -ENXIO;

	if (result)
		return -ENXIO;
	result = tty_open_session(terminal, flags, out);
	cap_release(terminal);
	return result;
}

static int open_console(int flags, struct file **out)
{
	cap_t terminal = start_cap("terminal");
	int result = terminal ? tty_open_session(terminal, flags, out) : -EACCES;

	if (!result)
		take_if_free(*out, flags);
	return result;
}

/* ---- By a name ---- */

int terminal_open(const char *name, int flags, struct file **out)
{
	uint32_t number;

	switch (tty_parse(name, &number)) {
	case NAMED_TTY:
		return open_controlling(flags, out);
	case NAMED_CONSOLE:
		return open_console(flags, out);
	case NAMED_PTMX:
		return open_master(flags, out);
	case NAMED_NUMBER:
		return open_number(number, flags, out);
	case NAMED_NONE:
		break;
	}
	return 1;
}

/* ---- Start and exec ---- */

int terminal_create(cap_t session, struct file **out)
{
	int result = tty_open_session(session, O_RDWR, out);

	if (!result)
		take_if_free(*out, 0);
	return result;
}

int terminal_restore(const struct carried *in, struct file **out)
{
	struct tty t = {.object = in->object,
	                .number = in->detail & ~(1u << 31),
	                .is_master = in->detail >> 31};
	int result = chan_restore(&t.chan, &in->chan);

	return result ? errno_of(result) : tty_create(&t, in->flags, out);
}
