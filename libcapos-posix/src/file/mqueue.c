/* SPDX-License-Identifier: MIT */
/*
 * Sending to message queues, receiving from them, and what is told of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/format.h>

#include "core/core.h"
#include "file/file.h"
#include "file/mqueue.h"
#include "signal/signal.h"

struct message_queue *mqueue_of(const struct file *f)
{
	return f && f->ops == &mqueue_ops ? f->data : NULL;
}

static struct mqueue_slot *slot_at(const struct message_queue *q, uint32_t i)
{
	return (struct mqueue_slot *)(q->shared->slots + (size_t)i * q->stride);
}

/* A holder that ended may have changed a slot and not the count. */
int mqueue_lock(const struct message_queue *q)
{
	int result = shared_lock_until(&q->shared->lock, cap_now() + MQUEUE_LOCK_NS);
	uint32_t n = 0;

	if (result != SHARED_LOCK_DIED)
		return result == -ETIMEDOUT ? -EIO : result;
	for (uint32_t i = 0; i < q->messages; i++)
		n += slot_at(q, i)->order != 0;
	atomic_store(&q->shared->count, n);
	return 0;
}

void mqueue_unlock(const struct message_queue *q, bool has_changed)
{
	bool wake = has_changed && atomic_exchange(&q->shared->wants, 0);

	shared_unlock(&q->shared->lock);
	if (wake)
		family_wake();
}

/* The message that is received next; NULL: none waits. */
static struct mqueue_slot *first(const struct message_queue *q)
{
	struct mqueue_slot *best = NULL;

	for (uint32_t i = 0; i < q->messages; i++) {
		struct mqueue_slot *s = slot_at(q, i);

		if (s->order && (!best || s->priority > best->priority ||
		                 (s->priority == best->priority && s->order < best->order)))
			best = s;
	}
	return best;
}

static struct mqueue_slot *free_slot(const struct message_queue *q)
{
	for (uint32_t i = 0; i < q->messages; i++) {
		if (!slot_at(q, i)->order)
			return slot_at(q, i);
	}
	return NULL;
}

/* ---- Notices ---- */

static bool is_received(const struct message_queue *q)
{
	for (uint32_t i = 0; i < MQUEUE_OPENS; i++) {
		const struct mqueue_open *open = &q->shared->opens[i];

		if (atomic_load(&open->receivers) && ends_held(open->word))
			return true;
	}
	return false;
}

/* Whether a process is registered that still exists. */
static bool has_notice(const struct mqueue_notice *n)
{
	return n->pid && ends_held(n->word) && sys_kill(n->pid, 0) != -ESRCH;
}

/* A process that wants a signal of its own gets it before the call returns. */
static void give_notice(struct message_queue *q, const struct mqueue_notice *n)
{
	siginfo_t info = {.si_signo = q->asked.signal, .si_code = SI_MESGQ};

	if (!n->pid || !n->key)
		return;
	if (q->asked.pid != process_id() || q->asked.key != n->key) {
		(void)core_hooks.notice_give(n->pid, n->key);
		return;
	}
	(void)core_hooks.notice_ask(q->asked.key, 0, 0);
	info.si_pid = (pid_t)process_id();
	info.si_uid = (uid_t)sys_getuid();
	info.si_value.sival_ptr = (void *)q->asked.value;
	q->asked.pid = 0;
	(void)sys_rt_sigqueueinfo((long)process_id(), info.si_signo, (long)&info);
}

static int ask_notice(const struct sigevent *e, struct mqueue_asked *out)
{
	long got;
	int result;

	*out = (struct mqueue_asked){.pid = 0};
	if (e->sigev_notify != SIGEV_SIGNAL || !e->sigev_signo)
		return 0;
	got = sys_getrandom((long)&out->key, sizeof(out->key), 0);
	if (got < 0)
		return (int)got;
	out->key |= 1; /* 0 is no key */
	out->signal = e->sigev_signo;
	out->value = (uint64_t)e->sigev_value.sival_ptr;
	result = core_hooks.notice_ask(out->key, out->signal, out->value);
	if (!result)
		out->pid = process_id();
	return result == -EAGAIN ? -ENOMEM : result;
}

/* It was given, or is not wanted any more. */
static void take_back(struct mqueue_asked *asked)
{
	if (asked->pid == process_id())
		(void)core_hooks.notice_ask(asked->key, 0, 0);
	asked->pid = 0;
}

static void forget_own_notice(struct message_queue *q)
{
	struct mqueue_notice *n = &q->shared->notice;
	bool own;

	take_back(&q->asked);
	if (mqueue_lock(q))
		return; /* with the description's end it counts no more */
	own = n->pid == (int32_t)process_id();
	if (own) {
		mqueue_withdrawn(n);
		n->pid = 0;
	}
	mqueue_unlock(q, own);
}

/* ---- Moving ---- */

struct moving {
	struct message_queue *queue;
	long buffer; /* of the program */
	uint32_t length, priority;
	struct mqueue_notice notice; /* to be sent */
};

static ssize_t try_send(void *context)
{
	struct moving *m = context;
	struct message_queue *q = m->queue;
	struct mqueue_slot *slot;
	ssize_t result = mqueue_lock(q);

	if (result)
		return result;
	slot = free_slot(q);
	if (!slot) {
		atomic_store(&q->shared->wants, 1);
		result = WAIT_NOTHING;
	} else if (user_read(slot->bytes, m->buffer, m->length)) {
		result = -EFAULT;
	} else {
		slot->length = m->length;
		slot->priority = m->priority;
		slot->order = ++q->shared->sent;
		if (atomic_fetch_add(&q->shared->count, 1) == 0 && q->shared->notice.pid &&
		    !is_received(q)) {
			m->notice = q->shared->notice;
			q->shared->notice.pid = 0;
		}
	}
	mqueue_unlock(q, !result);
	return result;
}

static ssize_t try_receive(void *context)
{
	struct moving *m = context;
	const struct message_queue *q = m->queue;
	const struct mqueue_slot *found;
	struct mqueue_slot *slot;
	ssize_t result = mqueue_lock(q);

	if (result)
		return result;
	slot = first(q);
	found = slot;
	if (!found) {
		atomic_store(&q->shared->wants, 1);
		result = WAIT_NOTHING;
	} else {
		uint32_t length = *(const volatile uint32_t *)&found->length;

		length = length < q->bytes ? length : q->bytes;
		m->priority = found->priority;
		result = user_write(m->buffer, found->bytes, length) ? -EFAULT : (ssize_t)length;
		slot->order = 0;
		atomic_fetch_sub(&q->shared->count, 1);
	}
	mqueue_unlock(q, found);
	return result;
}

/* Counted as a receiver while it waits, so that the notice is kept for a time when none does. */
static ssize_t receive(struct moving *m, const struct waiting *w)
{
	struct message_queue *q = m->queue;
	ssize_t result = try_receive(m);

	if (result != WAIT_NOTHING || w->nonblocking)
		return result;
	if (q->place >= 0)
		atomic_fetch_add(&q->shared->opens[q->place].receivers, 1);
	result = wait_for(w);
	if (q->place >= 0)
		atomic_fetch_sub(&q->shared->opens[q->place].receivers, 1);
	return result;
}

/* Its absolute time of day as monotonic time; UINT64_MAX: none is given.  0, -EFAULT, -EINVAL. */
static int deadline_of(long timeout, uint64_t *deadline)
{
	struct timespec t;
	int64_t now;
	uint64_t ns;

	*deadline = UINT64_MAX;
	if (!timeout)
		return 0;
	if (user_get(&t, timeout))
		return -EFAULT;
	if (timespec_to_ns(&t, &ns))
		return -EINVAL;
	now = cap_realtime();
	*deadline = deadline_after(now < 0 || ns > (uint64_t)now ? ns - (uint64_t)now : 0);
	return 0;
}

/* The queue of a descriptor that was opened for that; 0 or -EBADF. */
static int find(long fd, int not_mode, struct file **out)
{
	*out = fd_file((int)fd);
	return *out && (*out)->ops == &mqueue_ops && ((*out)->flags & O_ACCMODE) != not_mode
	               ? 0
	               : -EBADF;
}

long sys_mq_timedsend(long fd, long message, long length, long priority, long timeout)
{
	struct moving m = {
	        .buffer = message, .length = (uint32_t)length, .priority = (uint32_t)priority};
	struct waiting w = {.attempt = try_send, .context = &m};
	struct file *f;
	long result;

	if ((uint32_t)priority >= MQUEUE_PRIORITIES)
		return -EINVAL;
	result = deadline_of(timeout, &w.deadline_ns);
	if (!result)
		result = find(fd, O_RDONLY, &f);
	if (result)
		return result;
	m.queue = mqueue_of(f);
	if ((size_t)length > m.queue->bytes)
		return -EMSGSIZE;
	w.nonblocking = file_flags(f) & O_NONBLOCK;
	file_get(f);
	result = wait_for(&w);
	file_put(f);
	if (!result)
		give_notice(m.queue, &m.notice);
	return result;
}

long sys_mq_timedreceive(long fd, long message, long length, long priority, long timeout)
{
	struct moving m = {.buffer = message};
	struct waiting w = {.attempt = try_receive, .context = &m};
	struct file *f;
	long result = deadline_of(timeout, &w.deadline_ns);

	if (!result)
		result = find(fd, O_WRONLY, &f);
	if (result)
		return result;
	m.queue = mqueue_of(f);
	if ((size_t)length < m.queue->bytes)
		return -EMSGSIZE;
	w.nonblocking = file_flags(f) & O_NONBLOCK;
	file_get(f);
	result = receive(&m, &w);
	file_put(f);
	if (result >= 0 && priority && user_put(priority, &m.priority))
		return -EFAULT;
	return result;
}

/* ---- Attributes and notices ---- */

/* How many are there, which more than places are not. */
static uint32_t waiting_messages(const struct message_queue *q)
{
	uint32_t count = atomic_load(&q->shared->count);

	return count < q->messages ? count : q->messages;
}

long sys_mq_getsetattr(long fd, long attributes, long before)
{
	struct mq_attr new, old = {0};
	struct file *f;
	long result;

	if (attributes && user_get(&new, attributes))
		return -EFAULT;
	if (attributes && new.mq_flags & ~(long)O_NONBLOCK)
		return -EINVAL;
	result = find(fd, -1, &f);
	if (result)
		return result;
	old.mq_flags = file_flags(f) & O_NONBLOCK;
	old.mq_maxmsg = mqueue_of(f)->messages;
	old.mq_msgsize = mqueue_of(f)->bytes;
	old.mq_curmsgs = waiting_messages(mqueue_of(f));
	if (attributes)
		file_set_flags(f, O_NONBLOCK, (int)new.mq_flags);
	return before && user_put(before, &old) ? -EFAULT : 0;
}

int mqueue_register(const struct message_queue *q, const struct sigevent *event, uint64_t key)
{
	struct mqueue_notice *n = &q->shared->notice;

	if (has_notice(n))
		return -EBUSY;
	*n = (struct mqueue_notice){.pid = (int32_t)process_id(),
	                            .method = event->sigev_notify,
	                            .signal = event->sigev_signo,
	                            .key = key,
	                            .word = q->held.word,
	                            .number = ++q->shared->asked};
	return 0;
}

static int ask(struct message_queue *q, const struct sigevent *event)
{
	struct mqueue_asked asked;
	int result = ask_notice(event, &asked);

	if (!result)
		result = mqueue_lock(q);
	if (!result) {
		result = mqueue_register(q, event, asked.key);
		mqueue_unlock(q, false);
	}
	if (result) {
		take_back(&asked);
		return result;
	}
	take_back(&q->asked);
	q->asked = asked;
	return 0;
}

long sys_mq_notify(long fd, long event)
{
	struct sigevent e;
	struct file *f;
	long result;

	if (event && user_get(&e, event))
		return -EFAULT;
	/* Linux wants a netlink socket with it; the library asks by mq_notice. */
	if (event && e.sigev_notify == SIGEV_THREAD)
		return fd_file(e.sigev_signo) ? -EINVAL : -EBADF;
	if (event && e.sigev_notify != SIGEV_NONE && e.sigev_notify != SIGEV_SIGNAL)
		return -EINVAL;
	if (event && e.sigev_notify == SIGEV_SIGNAL &&
	    (e.sigev_signo < 0 || e.sigev_signo > SIGNAL_MAX))
		return -EINVAL;
	result = find(fd, -1, &f);
	if (result)
		return result;
	file_get(f);
	if (event)
		result = ask(mqueue_of(f), &e);
	else
		forget_own_notice(mqueue_of(f));
	file_put(f);
	return result;
}

/* ---- As a description ---- */

static unsigned mqueue_poll(struct file *f, unsigned wanted, bool arm)
{
	struct message_queue *q = mqueue_of(f);
	uint32_t count;

	(void)wanted;
	if (arm)
		atomic_store(&q->shared->wants, 1);
	count = waiting_messages(q);
	return (count ? POLLIN | POLLRDNORM : 0) | (count < q->messages ? POLLOUT | POLLWRNORM : 0);
}

/* What Linux says of a queue; bytes. */
static size_t describe(const struct message_queue *q, char out[MQUEUE_TEXT_BYTES])
{
	const struct mqueue_notice n = q->shared->notice;
	const bool registered = has_notice(&n);
	unsigned long bytes = 0;

	for (uint32_t i = 0; i < q->messages; i++) {
		const volatile struct mqueue_slot *slot = slot_at(q, i);
		uint32_t length = slot->order ? slot->length : 0;

		bytes += length < q->bytes ? length : q->bytes;
	}
	fmt_snprintf(out, MQUEUE_TEXT_BYTES,
	             "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", bytes,
	             registered ? n.method : 0,
	             registered && n.method == SIGEV_SIGNAL ? n.signal : 0, registered ? n.pid : 0);
	return strlen(out);
}

static ssize_t mqueue_pread(struct file *f, const struct iovec *iov, int n, off_t offset)
{
	char text[MQUEUE_TEXT_BYTES];
	size_t length = describe(mqueue_of(f), text);

	if (offset < 0)
		return -EINVAL;
	return (size_t)offset < length
	               ? vector_scatter(iov, n, text + offset, length - (size_t)offset)
	               : 0;
}

static ssize_t mqueue_read(struct file *f, const struct iovec *iov, int n)
{
	ssize_t done = mqueue_pread(f, iov, n, *file_offset(f));

	if (done > 0)
		*file_offset(f) += done;
	return done;
}

static off_t mqueue_seek(struct file *f, off_t offset, int whence)
{
	off_t from = whence == SEEK_CUR ? *file_offset(f) : MQUEUE_TEXT_BYTES;

	if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
		return -EINVAL;
	if (whence != SEEK_SET && __builtin_add_overflow(from, offset, &offset))
		return -EOVERFLOW;
	if (offset < 0)
		return -EINVAL;
	*file_offset(f) = offset;
	return offset;
}

static int mqueue_stat(struct file *f, struct stat *st)
{
	struct file *file = mqueue_of(f)->file;

	return file->ops->stat(file, st);
}

static int mqueue_chmod(struct file *f, unsigned mode)
{
	struct file *file = mqueue_of(f)->file;

	return file->ops->chmod(file, mode);
}

static int mqueue_chown(struct file *f, unsigned user, unsigned group)
{
	struct file *file = mqueue_of(f)->file;

	return file->ops->chown(file, user, group);
}

static int mqueue_utimens(struct file *f, const struct file_times *times)
{
	struct file *file = mqueue_of(f)->file;

	return file->ops->utimens(file, times);
}

static void mqueue_leave(struct file *f)
{
	forget_own_notice(mqueue_of(f));
}

static void mqueue_close(struct file *f)
{
	mqueue_drop(mqueue_of(f));
}

/* Also of those that exec closes: the next image does it. */
static int mqueue_carry(struct file *f, struct carried *out)
{
	const struct message_queue *q = mqueue_of(f);
	int result = q->file->ops->carry(q->file, out);

	out->kind = CARRY_QUEUE;
	out->end = q->held.ends[0];
	out->more[0] = q->memory;
	out->detail = (uint32_t)q->size;
	return result;
}

const struct file_ops mqueue_ops = {
        .read = mqueue_read,
        .pread = mqueue_pread,
        .seek = mqueue_seek,
        .poll = mqueue_poll,
        .stat = mqueue_stat,
        .chmod = mqueue_chmod,
        .chown = mqueue_chown,
        .utimens = mqueue_utimens,
        .closing = mqueue_leave,
        .leave = mqueue_leave,
        .close = mqueue_close,
        .carry = mqueue_carry,
};
