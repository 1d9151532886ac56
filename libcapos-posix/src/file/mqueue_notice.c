/* SPDX-License-Identifier: MIT */
/*
 * Notices of message queues that a thread waits for: a description that is read when the message
 * has come.  It keeps the queue open, and ends with what the queue's descriptor ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>

#include <capos/cap.h>

#include "core/core.h"
#include "file/file.h"
#include "file/mqueue.h"

struct notice {
	struct notice *next;
	struct file *queue; /* held */
	uint64_t word, number;
	bool withdrawn;
};

/* Of this process, until they are closed. */
static struct notice *notices;

void mqueue_withdrawn(const struct mqueue_notice *n)
{
	for (struct notice *notice = notices; notice; notice = notice->next) {
		if (notice->word == n->word && notice->number == n->number)
			notice->withdrawn = true;
	}
}

/* Whether it still waits (1); if so, it is told of what changes.  0, 1, or -EIO. */
static int is_registered(const struct notice *notice)
{
	const struct message_queue *q = mqueue_of(notice->queue);
	const struct mqueue_notice *n = &q->shared->notice;
	int result = mqueue_lock(q);
	bool registered;

	if (result)
		return result == -EINTR ? 1 : result; /* a signal came first */
	registered = n->pid && n->word == notice->word && n->number == notice->number;
	if (registered)
		atomic_store(&q->shared->wants, 1);
	mqueue_unlock(q, false);
	return registered;
}

static ssize_t attempt(void *context)
{
	const struct notice *notice = context;
	int registered = notice->withdrawn ? 0 : is_registered(notice);

	if (notice->withdrawn || registered < 0)
		return registered;
	return registered ? WAIT_NOTHING : 1;
}

static ssize_t notice_read(struct file *f, const struct iovec *iov, int n)
{
	const struct waiting w = {
	        .attempt = attempt, .context = f->data, .nonblocking = file_flags(f) & O_NONBLOCK};
	ssize_t result = wait_for(&w);
	int failed = result > 0 ? vector_put(iov, n, 0, "\1", 1) : 0;

	return failed ? failed : result;
}

static unsigned notice_poll(struct file *f, unsigned wanted, bool arm)
{
	const struct notice *notice = f->data;

	(void)wanted, (void)arm; /* it always is */
	return notice->withdrawn || is_registered(notice) <= 0 ? POLLIN | POLLRDNORM : 0;
}

static void unregister(const struct notice *notice)
{
	const struct message_queue *q = mqueue_of(notice->queue);
	struct mqueue_notice *n = &q->shared->notice;

	if (mqueue_lock(q)) {
		file_put(notice->queue);
		return; /* with the description's end it counts no more */
	}
	if (n->pid == (int32_t)process_id() && n->word == notice->word &&
	    n->number == notice->number)
		n->pid = 0;
	mqueue_unlock(q, false);
	file_put(notice->queue);
}

static void notice_close(struct file *f)
{
	struct notice *notice = f->data, **link = &notices;

	while (*link != notice)
		link = &(*link)->next;
	*link = notice->next;
	if (notice->queue)
		unregister(notice);
	posix_free(notice);
}

/* The thread that reads it ends with the image. */
static int notice_carry(struct file *f, struct carried *out)
{
	(void)f;
	out->kind = CARRY_NOTICE;
	return 0;
}

static const struct file_ops notice_ops = {
        .read = notice_read,
        .poll = notice_poll,
        .close = notice_close,
        .carry = notice_carry,
};

/* *out has the notice as its data, and is not in the list yet.  0 or -ENOMEM. */
static int create(int flags, struct file **out)
{
	struct notice *notice = posix_alloc(sizeof(*notice));

	*out = notice ? file_create(&notice_ops, flags, notice) : NULL;
	if (*out)
		return 0;
	posix_free(notice);
	return -ENOMEM;
}

static void enlist(struct notice *notice)
{
	notice->next = notices;
	notices = notice;
}

int mqueue_restore_notice(const struct carried *in, struct file **out)
{
	struct notice *notice;
	int result = create(in->flags, out);

	if (result)
		return result;
	notice = (*out)->data;
	notice->withdrawn = true;
	enlist(notice);
	return 0;
}

/* Registers, and has what a thread will read.  0 or -errno. */
static int ask(struct file *queue, struct file **out)
{
	const struct sigevent event = {.sigev_notify = SIGEV_THREAD};
	const struct message_queue *q = mqueue_of(queue);
	struct notice *notice;
	int result = create(O_RDONLY, out);

	if (result)
		return result;
	notice = (*out)->data;
	file_get(queue);
	result = mqueue_lock(q);
	if (!result) {
		result = mqueue_register(q, &event, 0);
		notice->word = q->held.word;
		notice->number = q->shared->notice.number;
		mqueue_unlock(q, false);
	}
	if (!result)
		notice->queue = queue;
	else
		file_put(queue);
	enlist(notice);
	if (result)
		file_put(*out);
	return result;
}

long sys_mq_notice(long fd)
{
	struct file *queue = fd_file((int)fd), *f;
	int result = mqueue_of(queue) ? ask(queue, &f) : -EBADF;

	if (result)
		return result;
	result = fd_install(f, 0, true);
	if (result < 0)
		file_put(f);
	return result;
}
