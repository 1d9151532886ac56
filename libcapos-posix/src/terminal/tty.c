/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing terminals.  The service has edited lines and processed characters already; a
 * read takes at most one line, or without lines what VMIN and VTIME want.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "signal/signal.h"
#include "terminal/tty.h"

#include <termios.h>

#define TENTH_NS 100000000ull /* of VTIME */

struct terminal_world terminal_world;

void terminal_set_world(const struct terminal_world *world)
{
	terminal_world = *world;
}

static struct terminal_shared *shared_of(const struct tty *t)
{
	return terminal_shared(t->chan.channel.shared);
}

bool tty_is_hung_up(struct tty *t)
{
	return !t->is_master && chan_status(&t->chan) & CHANNEL_EOF;
}

/* A background process that goes on after the signal is looked at again: it may be in the
 * foreground now, or is to stop once more. */
int tty_may_use(const struct tty *t, int signal)
{
	struct terminal_job job;

	if (t->is_master || !terminal_world.job)
		return 0;
	do {
		if (terminal_world.job(&job) || !job.controlled || job.terminal != t->number ||
		    job.foreground)
			return 0;
		if (signals.actions[signal].handler == SIG_IGN ||
		    signal_here()->blocked & SIGNAL_BIT(signal))
			return signal == SIGTTIN ? -EIO : 0;
		if (job.orphaned || terminal_world.signal_group(signal))
			return -EIO;
		/* Its notice is there by now; a stop happens in here. */
	} while (!signal_waiting());
	return -EINTR;
}

/* ---- Reading ---- */

/* What was flushed counts as read. */
static void skip_dropped(struct tty *t)
{
	struct queue *q = &t->chan.channel.receive;
	uint32_t ahead = atomic_load(&shared_of(t)->dropped) - q->local;

	if (ahead && ahead <= queue_readable(q))
		queue_advance(q, ahead);
}

uint32_t tty_readable(struct tty *t)
{
	uint32_t n;

	if (t->is_master) {
		chan_look(&t->chan);
		return queue_readable(&t->chan.channel.receive);
	}
	if (chan_begin(&t->chan))
		return 0;
	skip_dropped(t);
	n = queue_readable(&t->chan.channel.receive) / TERMINAL_PAIR;
	chan_end(&t->chan);
	return n;
}

struct reading {
	struct tty *tty;
	const struct iovec *iov;
	int n;
	size_t length, done;
	size_t least; /* bytes that end it */
	bool ended;   /* a line did */
};

/* Takes what is there, up to a line's end. */
static ssize_t take(struct reading *r)
{
	struct queue *q = &r->tty->chan.channel.receive;
	uint8_t pair[TERMINAL_PAIR];

	while (!r->ended && queue_peek(q, 0, pair, TERMINAL_PAIR) == TERMINAL_PAIR) {
		if (pair[1] & TERMINAL_EOF) {
			r->ended = true;
		} else {
			if (r->done == r->length)
				break;
			if (vector_put(r->iov, r->n, r->done, pair, 1))
				return -EFAULT;
			r->done++;
			r->ended = pair[1] & TERMINAL_END;
		}
		queue_advance(q, TERMINAL_PAIR);
		chan_taken(&r->tty->chan, TERMINAL_PAIR);
	}
	return 0;
}

static ssize_t attempt_read(void *context)
{
	struct reading *r = context;
	struct chan *c = &r->tty->chan;
	uint32_t status = chan_status(c);
	ssize_t result;

	if (chan_broken(c))
		return -EIO;
	if (status & CHANNEL_EOF)
		return 0; /* hung up: what was typed before is gone, as on Linux */
	result = chan_begin(c);
	if (result)
		return r->done ? (ssize_t)r->done : result;
	skip_dropped(r->tty);
	result = take(r);
	chan_end(c);
	if (result)
		return r->done ? (ssize_t)r->done : result;
	if (r->ended || r->done >= r->least)
		return (ssize_t)r->done;
	return WAIT_NOTHING;
}

static void arm_read(void *context)
{
	chan_arm_read(&((struct reading *)context)->tty->chan);
}

/* Without lines: VMIN bytes, and VTIME tenths of a second, before the first byte when VMIN is 0 and
 * between bytes when it is not. */
static ssize_t read_characters(struct reading *r, struct waiting *w)
{
	const size_t minimum = atomic_load(&shared_of(r->tty)->minimum);
	const uint64_t time_ns = atomic_load(&shared_of(r->tty)->time) * TENTH_NS;
	ssize_t result;

	r->least = minimum;
	if (minimum == 0) {
		w->timeout_ns = time_ns;
		r->least = time_ns ? 1 : 0;
	} else if (time_ns || r->least > r->length) {
		r->least = time_ns ? 1 : r->length;
	}
	result = wait_for(w);
	if (minimum == 0)
		return result == -EAGAIN && !w->nonblocking ? 0 : result;
	w->timeout_ns = time_ns;
	while (time_ns && result > 0 && !r->ended && r->done < minimum && r->done < r->length) {
		r->least = r->done + 1;
		if (wait_for(w) < 0)
			break;
	}
	return r->done ? (ssize_t)r->done : result;
}

static ssize_t tty_read(struct file *f, const struct iovec *iov, int n)
{
	struct tty *t = f->data;
	struct reading r = {
	        .tty = t, .iov = iov, .n = n, .length = vector_length(iov, n), .least = 1};
	struct waiting w = {.attempt = attempt_read,
	                    .arm = arm_read,
	                    .context = &r,
	                    .nonblocking = file_flags(f) & O_NONBLOCK};
	ssize_t result;

	if (!r.length || tty_is_hung_up(t))
		return 0;
	result = tty_may_use(t, SIGTTIN);
	if (result)
		return result;
	if (atomic_load(&shared_of(t)->local) & ICANON)
		return wait_for(&w);
	return read_characters(&r, &w);
}

/* ---- Writing, and the master's reading ---- */

struct transfer {
	struct tty *tty;
	const struct iovec *iov;
	int n;
	size_t length, done;
};

static ssize_t attempt_write(void *context)
{
	struct transfer *t = context;
	struct chan *c = &t->tty->chan;
	ssize_t put;

	if (chan_broken(c) || chan_status(c) & CHANNEL_CLOSED)
		return -EIO;
	put = chan_write(c, t->iov, t->n, t->done);
	if (put < 0)
		return put;
	t->done += (size_t)put;
	if (t->done == t->length)
		return (ssize_t)t->done;
	return put ? WAIT_SOME : WAIT_NOTHING;
}

static void arm_write(void *context)
{
	chan_arm_write(&((struct transfer *)context)->tty->chan);
}

static ssize_t tty_write(struct file *f, const struct iovec *iov, int n)
{
	struct transfer t = {.tty = f->data, .iov = iov, .n = n, .length = vector_length(iov, n)};
	const struct waiting w = {.attempt = attempt_write,
	                          .arm = arm_write,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK};
	ssize_t result = 0;

	if (tty_is_hung_up(t.tty))
		return -EIO;
	if (!t.tty->is_master && atomic_load(&shared_of(t.tty)->local) & TOSTOP)
		result = tty_may_use(t.tty, SIGTTOU);
	if (!result && t.length)
		result = wait_for(&w);
	return t.done ? (ssize_t)t.done : result;
}

/* In packet mode (TIOCPKT) a read gives one byte that says what has happened to the terminal, or a
 * 0 and then what programs wrote. */
static ssize_t read_packet(struct transfer *t)
{
	const uint8_t news = (uint8_t)atomic_exchange(&shared_of(t->tty)->news, 0);
	bool there = news || tty_readable(t->tty);
	ssize_t got = 0;

	if (there && vector_put(t->iov, t->n, 0, &news, 1))
		return -EFAULT;
	if (there && !news && t->length > 1)
		got = chan_read(&t->tty->chan, t->iov, t->n, 1, false);
	return got < 0 ? got : got + there;
}

static ssize_t attempt_master_read(void *context)
{
	struct transfer *t = context;
	struct chan *c = &t->tty->chan;
	uint32_t status = chan_status(c);
	ssize_t done;

	if (chan_broken(c))
		done = -EIO;
	else if (atomic_load(&shared_of(t->tty)->packets))
		done = read_packet(t);
	else
		done = chan_read(c, t->iov, t->n, 0, false);
	if (done)
		return done;
	return status & CHANNEL_EOF ? -EIO : WAIT_NOTHING; /* as Linux says that nobody has it */
}

static void arm_master_read(void *context)
{
	chan_arm_read(&((struct transfer *)context)->tty->chan);
}

static ssize_t master_read(struct file *f, const struct iovec *iov, int n)
{
	struct transfer t = {.tty = f->data, .iov = iov, .n = n, .length = vector_length(iov, n)};
	const struct waiting w = {.attempt = attempt_master_read,
	                          .arm = arm_master_read,
	                          .context = &t,
	                          .nonblocking = file_flags(f) & O_NONBLOCK};

	return t.length ? wait_for(&w) : 0;
}

/* ---- Readiness ---- */

static bool has_news(const struct tty *t)
{
	const struct terminal_shared *shared = shared_of(t);

	return t->is_master && atomic_load(&shared->packets) && atomic_load(&shared->news);
}

static uint32_t enough_to_read(const struct tty *t)
{
	const struct terminal_shared *shared = shared_of(t);

	if (t->is_master || atomic_load(&shared->local) & ICANON || atomic_load(&shared->time))
		return 1;
	return atomic_load(&shared->minimum) ? atomic_load(&shared->minimum) : 1;
}

static unsigned events_now(struct tty *t)
{
	uint32_t status = chan_status(&t->chan);
	unsigned events = 0;

	if (chan_broken(&t->chan))
		return POLLERR | POLLHUP;
	if (tty_is_hung_up(t))
		return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
	if (tty_readable(t) >= enough_to_read(t))
		events |= POLLIN | POLLRDNORM;
	if (has_news(t))
		events |= POLLIN | POLLRDNORM | POLLPRI;
	chan_look(&t->chan);
	if (queue_writable(&t->chan.channel.send))
		events |= POLLOUT | POLLWRNORM;
	if (status & CHANNEL_EOF)
		events |= POLLHUP;
	return events;
}

static unsigned tty_poll(struct file *f, unsigned wanted, bool arm)
{
	struct tty *t = f->data;

	if (arm) {
		if (wanted & (POLLIN | POLLRDNORM))
			chan_arm_read(&t->chan);
		if (wanted & (POLLOUT | POLLWRNORM))
			chan_arm_write(&t->chan);
		chan_arm_status(&t->chan);
	}
	return events_now(t);
}

/* ---- The rest ---- */

static void tty_close(struct file *f)
{
	struct tty *t = f->data;

	chan_close(&t->chan);
	cap_release(t->object);
	posix_free(t);
}

static int tty_carry(struct file *f, struct carried *out)
{
	struct tty *t = f->data;

	out->kind = CARRY_TERMINAL;
	out->object = t->object;
	out->detail = t->number | (t->is_master ? 1u << 31 : 0);
	out->chan = chan_save(&t->chan);
	return 0;
}

/* Who has the other end finds it hung up when close returns: a call that the service answers comes
 * behind the release. */
static void master_close(struct file *f)
{
	const struct terminal_maker_find_params params = {.number = UINT32_MAX};
	struct terminal_maker_find_results results;
	_Alignas(8) uint8_t buffer[CAP_STUB_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};

	tty_close(f);
	(void)terminal_maker_find(start_cap("terminals"), &params, &results, &call);
}

const struct file_ops tty_ops = {.read = tty_read,
                                 .write = tty_write,
                                 .poll = tty_poll,
                                 .stat = tty_stat,
                                 .chmod = tty_chmod,
                                 .chown = tty_chown,
                                 .ioctl = tty_ioctl,
                                 .close = tty_close,
                                 .carry = tty_carry};
const struct file_ops tty_master_ops = {.read = master_read,
                                        .write = tty_write,
                                        .poll = tty_poll,
                                        .stat = tty_stat,
                                        .ioctl = tty_ioctl,
                                        .close = master_close,
                                        .carry = tty_carry};
