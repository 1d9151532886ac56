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
#include <time.h>

#include <capos/cap.h>

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
	int result = shared_lock(&q->shared->lock);
	uint32_t n = 0;

	if (result != SHARED_LOCK_DIED)
		return result;
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

static void send_notice(const struct mqueue_notice *n)
{
	siginfo_t info = {.si_signo = n->signal, .si_code = SI_MESGQ};

	if (!n->pid || n->method != SIGEV_SIGNAL || !n->signal)
		return;
	info.si_pid = (pid_t)process_id();
	info.si_uid = (uid_t)sys_getuid();
	info.si_value.sival_ptr = (void *)n->value;
	(void)sys_rt_sigqueueinfo(n->pid, n->signal, (long)&info);
}

static void forget_own_notice(const struct message_queue *q)
{
	struct mqueue_notice *n = &q->shared->notice;
	bool own;

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
		send_notice(&m.notice);
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
	old.mq_curmsgs = atomic_load(&mqueue_of(f)->shared->count);
	if (attributes)
		file_set_flags(f, O_NONBLOCK, (int)new.mq_flags);
	return before && user_put(before, &old) ? -EFAULT : 0;
}

int mqueue_register(const struct message_queue *q, const struct sigevent *event)
{
	struct mqueue_notice *n = &q->shared->notice;

	if (has_notice(n))
		return -EBUSY;
	*n = (struct mqueue_notice){.pid = (int32_t)process_id(),
	                            .method = event->sigev_notify,
	                            .signal = event->sigev_signo,
	                            .value = (uint64_t)event->sigev_value.sival_ptr,
	                            .word = q->held.word,
	                            .number = ++q->shared->asked};
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
	if (!event) {
		forget_own_notice(mqueue_of(f));
	} else {
		result = mqueue_lock(mqueue_of(f));
		if (!result) {
			result = mqueue_register(mqueue_of(f), &e);
			mqueue_unlock(mqueue_of(f), false);
		}
	}
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
	count = atomic_load(&q->shared->count);
	return (count ? POLLIN | POLLRDNORM : 0) | (count < q->messages ? POLLOUT | POLLWRNORM : 0);
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
	return result;
}

const struct file_ops mqueue_ops = {
        .poll = mqueue_poll,
        .stat = mqueue_stat,
        .chmod = mqueue_chmod,
        .closing = mqueue_leave,
        .leave = mqueue_leave,
        .close = mqueue_close,
        .carry = mqueue_carry,
};
