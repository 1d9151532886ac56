/* SPDX-License-Identifier: MIT */
/*
 * epoll: a list of descriptions and of what is wanted of each, at which epoll_wait looks as poll
 * does.  The list is the process's own: a child of fork has a copy.  It holds no reference: what is
 * closed goes from all lists.  EPOLLET goes by what counts the bytes that come and go: what has
 * not gone on since it was reported is not reported again.  What has no such number is reported as
 * without EPOLLET, so that nothing is missed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>

#include <capos/cap.h>

#include "core/core.h"
#include "poll/poll.h"
#include "signal/signal.h"

#define ALWAYS (EPOLLERR | EPOLLHUP) /* reported whether asked for or not */
/* No events but how they are reported. */
#define INPUT_FLAGS (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
/* What goes with EPOLLEXCLUSIVE. */
#define EXCLUSIVE_EVENTS \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define DEPTH_MAX   5u /* lists that watch lists, as on Linux */
#define ENTRIES_MIN 16u
#define EVENTS_MAX  (INT_MAX / (long)sizeof(struct epoll_event))

/* What was there when an entry was looked at. */
struct sight {
	unsigned events; /* wanted or not */
	bool edges;      /* EPOLLET, and it is known when there is something new */
	uint64_t progress;
};

struct entry {
	struct file *file; /* NULL: found by its number, at the end of execve */
	int fd;
	bool spent; /* EPOLLONESHOT, and it was reported */
	struct epoll_event event;
	struct sight
	        reported; /* when it was reported last; zeroed: it was not, since it was changed */
};

/* In the order in which they are looked at. */
struct list {
	struct list *next; /* of all lists */
	struct entry *entries;
	uint32_t count, room;
	bool waited;   /* a thread sleeps until something is ready */
	int depth;     /* of the lists below it, and its own; 0: it was not looked at */
	cap_t written; /* for the next image, which execve did not start */
};

static struct list *lists;

static const struct file_ops list_ops;

static struct list *list_of(const struct file *f)
{
	return f->data;
}

static bool is_list(const struct file *f)
{
	return f->ops == &list_ops;
}

static void remove_at(struct list *l, uint32_t i)
{
	l->count--;
	memmove(&l->entries[i], &l->entries[i + 1], (l->count - i) * sizeof(l->entries[0]));
}

void epoll_forget(const struct file *f)
{
	for (struct list *l = lists; l; l = l->next) {
		for (uint32_t i = l->count; i > 0; i--) {
			if (l->entries[i - 1].file == f)
				remove_at(l, i - 1);
		}
	}
}

/* ---- Looking ---- */

static bool is_old(const struct sight *now, const struct sight *reported)
{
	return now->edges && reported->edges && now->progress == reported->progress &&
	       !(now->events & ~reported->events);
}

/* What is to be reported of an entry.  Its progress is asked for first: what comes in between is
 * rather reported twice than never. */
static unsigned ready_of(struct entry *e, bool arm, struct sight *now)
{
	const unsigned wanted = e->event.events & ~INPUT_FLAGS;
	const struct file_ops *ops = e->file->ops;

	*now = (struct sight){.events = 0};
	if (e->spent)
		return 0;
	now->edges = e->event.events & EPOLLET && ops->progress &&
	             ops->progress(e->file, &now->progress);
	now->events = ops->poll(e->file, wanted, arm);
	return is_old(now, &e->reported) ? 0 : now->events & (wanted | ALWAYS);
}

static unsigned list_poll(struct file *f, unsigned wanted, bool arm)
{
	struct list *l = list_of(f);
	struct sight sight;
	bool ready = false;

	(void)wanted;
	if (arm)
		l->waited = true;
	for (uint32_t i = 0; i < l->count && !ready; i++)
		ready = ready_of(&l->entries[i], arm, &sight);
	return ready ? POLLIN | POLLRDNORM : 0;
}

/* ---- The description ---- */

static int list_stat(struct file *f, struct stat *st)
{
	(void)f;
	*st = (struct stat){.st_mode = 0600, .st_nlink = 1, .st_blksize = 4096};
	return 0;
}

static void list_close(struct file *f)
{
	struct list **at = &lists;

	while (*at != list_of(f))
		at = &(*at)->next;
	*at = list_of(f)->next;
	if (list_of(f)->written)
		cap_release(list_of(f)->written);
	posix_free(list_of(f)->entries);
	posix_free(list_of(f));
}

/* The entries in memory of their own: CAP_NULL, there are none.  0 or -errno. */
static int write_entries(const struct list *l, cap_t *out)
{
	const size_t bytes = l->count * sizeof(l->entries[0]);
	struct entry *copy;
	void *address;
	int result;

	*out = CAP_NULL;
	if (!bytes)
		return 0;
	result = errno_of(cap_memory_create(PAGES_SIZE(bytes), out));
	if (result)
		return result;
	result = errno_of(cap_memory_map(*out, 0, PAGES_SIZE(bytes),
	                                 CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address));
	if (result) {
		cap_release(*out);
		*out = CAP_NULL;
		return result;
	}
	copy = memcpy(address, l->entries, bytes);
	for (uint32_t i = 0; i < l->count; i++) {
		if (fd_file(copy[i].fd) != copy[i].file)
			copy[i].fd = -1; /* open by another number alone */
	}
	cap_memory_unmap(address, PAGES_SIZE(bytes));
	return 0;
}

static int list_carry(struct file *f, struct carried *out)
{
	struct list *l = list_of(f);
	int result;

	if (l->written)
		cap_release(l->written);
	result = write_entries(l, &l->written);
	out->kind = CARRY_EPOLL;
	out->object = l->written;
	out->detail = l->count;
	return result;
}

static const struct file_ops list_ops = {.seek = file_seek_nowhere,
                                         .poll = list_poll,
                                         .stat = list_stat,
                                         .close = list_close,
                                         .carry = list_carry};

static int create(int flags, struct file **out)
{
	struct list *l = posix_alloc(sizeof(*l));

	*out = l ? file_create(&list_ops, flags, l) : NULL;
	if (!*out) {
		posix_free(l);
		return -ENOMEM;
	}
	*l = (struct list){.next = lists};
	lists = l;
	return 0;
}

static int make_room(struct list *l, uint32_t wanted)
{
	const uint32_t room = wanted < ENTRIES_MIN ? ENTRIES_MIN : 2 * wanted;
	struct entry *entries;

	if (wanted <= l->room)
		return 0;
	entries = posix_alloc(room * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	if (l->count)
		memcpy(entries, l->entries, l->count * sizeof(*entries));
	posix_free(l->entries);
	l->entries = entries;
	l->room = room;
	return 0;
}

static int take_up(struct list *l, cap_t memory, uint32_t count)
{
	const size_t bytes = count * sizeof(l->entries[0]);
	void *address;
	int result = make_room(l, count);

	if (!result)
		result = errno_of(
		        cap_memory_map(memory, 0, PAGES_SIZE(bytes), CAP_RIGHT_READ, &address));
	if (result)
		return result;
	memcpy(l->entries, address, bytes);
	cap_memory_unmap(address, PAGES_SIZE(bytes));
	l->count = count;
	for (uint32_t i = 0; i < count; i++) {
		l->entries[i].file = NULL;
		l->entries[i].reported = (struct sight){.events = 0};
	}
	return 0;
}

int epoll_restore(const struct carried *in, struct file **out)
{
	int result = create(in->flags, out);

	if (result || !in->detail)
		return result;
	result = take_up(list_of(*out), in->object, in->detail);
	if (result)
		file_put(*out);
	else
		cap_release(in->object);
	return result;
}

void epoll_restored(void)
{
	for (struct list *l = lists; l; l = l->next) {
		for (uint32_t i = l->count; i > 0; i--) {
			struct entry *e = &l->entries[i - 1];

			e->file = fd_file(e->fd);
			if (!e->file || !e->file->ops->poll) /* it was closed */
				remove_at(l, i - 1);
		}
	}
}

long sys_epoll_create1(long flags)
{
	struct file *f;
	long result;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	result = create(O_RDWR, &f);
	if (result)
		return result;
	result = fd_install(f, 0, flags & EPOLL_CLOEXEC);
	if (result < 0)
		file_put(f);
	return result;
}

long sys_epoll_create(long size)
{
	return (int)size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* ---- Changing the list ---- */

static struct entry *find(struct list *l, int fd, const struct file *f)
{
	for (uint32_t i = 0; i < l->count; i++) {
		if (l->entries[i].fd == fd && l->entries[i].file == f)
			return &l->entries[i];
	}
	return NULL;
}

static void unmark(void)
{
	for (struct list *l = lists; l; l = l->next)
		l->depth = 0;
}

/* How many lists stand above each other from this one down, which must not lead to `never`:
 * -ELOOP. */
static int depth_of(struct list *l, const struct list *never)
{
	int deepest = 0;

	if (l == never)
		return -ELOOP;
	if (l->depth)
		return l->depth;
	for (uint32_t i = 0; i < l->count; i++) {
		int depth = is_list(l->entries[i].file)
		                    ? depth_of(list_of(l->entries[i].file), never)
		                    : 0;

		if (depth < 0)
			return depth;
		deepest = depth > deepest ? depth : deepest;
	}
	l->depth = deepest + 1;
	return l->depth;
}

/* The same upwards: how many lists stand above this one. */
static int height_of(const struct list *l, unsigned levels)
{
	int highest = 0;

	for (struct list *above = lists; above && levels; above = above->next) {
		for (uint32_t i = 0; i < above->count; i++) {
			const struct file *f = above->entries[i].file;

			if (f && is_list(f) && list_of(f) == l) {
				int height = 1 + height_of(above, levels - 1);

				highest = height > highest ? height : highest;
			}
		}
	}
	return highest;
}

static int check_nesting(struct list *l, const struct file *f)
{
	int depth;

	if (!is_list(f))
		return 0;
	unmark();
	depth = depth_of(list_of(f), l);
	if (depth < 0)
		return depth;
	return depth + height_of(l, DEPTH_MAX) >= (int)DEPTH_MAX ? -ELOOP : 0;
}

static int add(struct list *l, int fd, struct file *f, const struct epoll_event *event)
{
	int result;

	if (event->events & EPOLLEXCLUSIVE && (event->events & ~EXCLUSIVE_EVENTS || is_list(f)))
		return -EINVAL;
	result = check_nesting(l, f);
	if (result)
		return result;
	if (find(l, fd, f))
		return -EEXIST;
	result = make_room(l, l->count + 1);
	if (!result)
		l->entries[l->count++] = (struct entry){.file = f, .fd = fd, .event = *event};
	return result;
}

static int modify(struct entry *e, const struct epoll_event *event)
{
	if (event->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	if (!e)
		return -ENOENT;
	if (e->event.events & EPOLLEXCLUSIVE)
		return -EINVAL;
	e->event = *event;
	e->spent = false;
	e->reported = (struct sight){.events = 0};
	return 0;
}

static int change(struct list *l, long op, int fd, struct file *f, const struct epoll_event *event)
{
	struct entry *e = find(l, fd, f);

	if (op == EPOLL_CTL_ADD)
		return add(l, fd, f, event);
	if (op == EPOLL_CTL_MOD)
		return modify(e, event);
	if (op != EPOLL_CTL_DEL)
		return -EINVAL;
	if (!e)
		return -ENOENT;
	remove_at(l, (uint32_t)(e - l->entries));
	return 0;
}

long sys_epoll_ctl(long epoll, long op, long fd, long event)
{
	struct file *set = fd_file((int)epoll), *f = fd_file((int)fd);
	struct epoll_event wanted = {.events = 0};
	long result;

	if (op != EPOLL_CTL_DEL && user_get(&wanted, event))
		return -EFAULT;
	if (!set || !f || (set->flags | f->flags) & O_PATH)
		return -EBADF;
	if (!f->ops->poll)
		return -EPERM;
	if (set == f || !is_list(set))
		return -EINVAL;
	result = change(list_of(set), op, (int)fd, f, &wanted);
	if (!result && list_of(set)->waited) {
		list_of(set)->waited = false;
		family_wake();
	}
	return result;
}

/* ---- Waiting ---- */

struct wanted {
	struct file *list;
	long to; /* of the program */
	long most;
};

/* What was reported goes behind the others, so that all have their turn. */
static ssize_t tell(struct list *l, const struct wanted *w)
{
	struct entry reported;
	struct sight sight;
	long n = 0;

	for (uint32_t i = 0, left = l->count; left > 0 && n < w->most; left--) {
		struct epoll_event event = l->entries[i].event;

		event.events = ready_of(&l->entries[i], false, &sight);
		if (!event.events) {
			i++;
			continue;
		}
		if (user_put(w->to + n * (long)sizeof(event), &event))
			return n ? n : -EFAULT;
		n++;
		reported = l->entries[i];
		reported.spent = reported.event.events & EPOLLONESHOT;
		reported.reported = sight;
		remove_at(l, i);
		l->entries[l->count++] = reported;
	}
	return n ? n : WAIT_NOTHING;
}

static ssize_t attempt(void *wanted)
{
	const struct wanted *w = wanted;

	return tell(list_of(w->list), w);
}

static void arm(void *wanted)
{
	(void)list_poll(((struct wanted *)wanted)->list, POLLIN, true);
}

/* ns: 0 does not wait, UINT64_MAX has no end. */
static long wait_events(long epoll, long events, long most, uint64_t ns)
{
	struct wanted wanted = {.list = fd_file((int)epoll), .to = events, .most = (int)most};
	const struct waiting w = {.attempt = attempt,
	                          .arm = arm,
	                          .context = &wanted,
	                          .nonblocking = !ns,
	                          .deadline_ns = ns == UINT64_MAX ? 0 : deadline_after(ns)};
	ssize_t result;

	if (wanted.most <= 0 || wanted.most > EVENTS_MAX)
		return -EINVAL;
	if (!wanted.list || wanted.list->flags & O_PATH)
		return -EBADF;
	if (!is_list(wanted.list))
		return -EINVAL;
	file_get(wanted.list); /* another thread may close it meanwhile */
	result = wait_for(&w);
	file_put(wanted.list);
	return result == -EAGAIN || result == -ETIMEDOUT ? 0 : result;
}

static uint64_t ns_of_ms(long ms)
{
	return (int)ms < 0 ? UINT64_MAX : (uint64_t)(int)ms * 1000000u;
}

long sys_epoll_wait(long epoll, long events, long most, long timeout_ms)
{
	return wait_events(epoll, events, most, ns_of_ms(timeout_ms));
}

long sys_epoll_pwait(long epoll, long events, long most, long timeout_ms, long mask, long size)
{
	long result = signal_mask_for_call(mask, (uint64_t)size);

	return result ? result : wait_events(epoll, events, most, ns_of_ms(timeout_ms));
}

long sys_epoll_pwait2(long epoll, long events, long most, long timeout, long mask, long size)
{
	struct timespec t;
	uint64_t ns = UINT64_MAX;
	long result;

	if (timeout && user_get(&t, timeout))
		return -EFAULT;
	if (timeout && timespec_to_ns(&t, &ns))
		return -EINVAL;
	result = signal_mask_for_call(mask, (uint64_t)size);
	return result ? result : wait_events(epoll, events, most, ns);
}
