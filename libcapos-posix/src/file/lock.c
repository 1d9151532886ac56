/* SPDX-License-Identifier: MIT */
/*
 * Locks on files and directories: the files service keeps them.  What is in the way is waited for
 * as everything is, by the process's event, and then tried again.  A process that has used record
 * locks has a LockOwner, which ends with it and which a fork does not copy.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <capos/schema/service_client.h>
#include <capos/schema/status.h>

#include "core/core.h"
#include "file/contents.h"
#include "file/file.h"

static uint64_t owner_process; /* that has the LockOwner; 0: none */

bool file_locks_used(void)
{
	return owner_process && owner_process == process_id();
}

void file_locks_restore(void)
{
	owner_process = process_id();
}

/* Makes this process an owner where the file is: 0 or -errno. */
static int become_owner(cap_t file)
{
	struct directory_lock_owner_results results;
	struct file_stat_results where = {.stat.volume = 0};
	struct capos_call call = FILES_CALL();
	cap_t volume = CAP_NULL;
	int result = file_stat(file, &where, &call);

	if (!result && where.stat.volume)
		result = volume_directory(where.stat.volume, &volume);
	else if (!result && !path_root())
		result = STATUS_NO_BUFFERS;
	call = FILES_CALL();
	if (!result)
		result = directory_lock_owner(volume ? volume : path_root(), &results, &call);
	cap_release(volume);
	/* The capability stays in the process's table, and goes with that. */
	if (result && result != STATUS_EXISTS)
		return -ENOLCK;
	owner_process = process_id();
	return 0;
}

static cap_t file_of(const struct file *f)
{
	return ((const struct contents *)f->data)->file;
}

/* ---- One lock ---- */

struct request {
	cap_t file; /* or a directory, with flock */
	bool is_directory;
	struct file_lock_params params;
};

static int try_lock(const struct request *r)
{
	struct capos_send_cap wake = process_wake_cap();
	struct capos_call call = FILES_CALL(.send_caps = &wake, .send_ncaps = r->params.wait);
	const struct directory_lock_whole_params whole = {.type = r->params.type,
	                                                  .wait = r->params.wait,
	                                                  .wake_index = r->params.wake_index,
	                                                  .wake_bits = r->params.wake_bits};

	if (r->is_directory)
		return directory_lock_whole(r->file, &whole, &call);
	return file_lock(r->file, &r->params, &call);
}

static void stop_waiting(const struct request *r)
{
	const struct file_stop_waiting_params stop = {.kind = r->params.kind};

	if (r->is_directory)
		(void)directory_stop_waiting(r->file, NULL);
	else
		(void)file_stop_waiting(r->file, &stop, NULL);
}

static ssize_t attempt(void *context)
{
	struct request *r = context;
	int result = try_lock(r);

	if (result == STATUS_NOT_PERMITTED) {
		int error = become_owner(r->file);
		if (error)
			return error;
		result = try_lock(r);
	}
	if (r->is_directory && result == STATUS_NOT_SUPPORTED)
		return (ssize_t)absent(ABSENT_LOCK_OF_KIND); /* a volume's */
	if (result == STATUS_WOULD_BLOCK)
		return WAIT_NOTHING;
	return result == STATUS_NO_BUFFERS ? -ENOLCK : errno_of(result);
}

static long change(struct request *r, bool wait)
{
	const struct waiting w = {.attempt = attempt, .context = r, .nonblocking = !wait};
	ssize_t result;

	r->params.number = (uint32_t)process_id();
	r->params.wait = wait;
	r->params.wake_bits = wait ? PROCESS_WAKE_BITS : 0;
	if (r->params.kind == LOCK_KIND_PROCESS && !file_locks_used()) {
		result = become_owner(r->file);
		if (result)
			return result;
	}
	result = wait_for(&w);
	if (wait && result)
		stop_waiting(r);
	return result;
}

/* ---- fcntl ---- */

/* The range that a struct flock means: 0 or -errno. */
static int range_of(struct file *f, const struct flock *in, uint64_t *start, uint64_t *length)
{
	uint64_t size = 0;
	off_t from;
	struct stat st;

	if (in->l_whence == SEEK_END) {
		int result = f->ops->stat(f, &st);
		if (result)
			return result;
		size = (uint64_t)st.st_size;
	} else if (in->l_whence != SEEK_SET && in->l_whence != SEEK_CUR) {
		return -EINVAL;
	}
	from = in->l_whence == SEEK_CUR ? *file_offset(f) : (off_t)size;
	if (__builtin_add_overflow(from, in->l_start, &from))
		return -EOVERFLOW;
	if (in->l_len < 0 && __builtin_add_overflow(from, in->l_len, &from))
		return -EINVAL;
	if (from < 0)
		return -EINVAL;
	*start = (uint64_t)from;
	*length = in->l_len < 0 ? -(uint64_t)in->l_len : (uint64_t)in->l_len;
	return *length && *length - 1 > (uint64_t)INT64_MAX - *start ? -EOVERFLOW : 0;
}

static int type_of(const struct file *f, short type, bool changes, uint16_t *out)
{
	switch (type) {
	case F_RDLCK:
		*out = LOCK_TYPE_READ;
		return changes && !file_reads(f) ? -EBADF : 0;
	case F_WRLCK:
		*out = LOCK_TYPE_WRITE;
		return changes && !file_writes(f) ? -EBADF : 0;
	case F_UNLCK:
		*out = LOCK_TYPE_UNLOCK;
		return changes ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static long find(struct file *f, const struct file_lock_params *wanted, struct flock *lock)
{
	const struct file_find_lock_params params = {.kind = wanted->kind,
	                                             .type = wanted->type,
	                                             .start = wanted->start,
	                                             .length = wanted->length};
	struct file_find_lock_results results;
	struct capos_call call = FILES_CALL();
	int result = file_find_lock(file_of(f), &params, &results, &call);

	if (result)
		return errno_of(result);
	if (results.type == LOCK_TYPE_UNLOCK) {
		lock->l_type = F_UNLCK;
		return 0;
	}
	*lock = (struct flock){.l_type = results.type == LOCK_TYPE_WRITE ? F_WRLCK : F_RDLCK,
	                       .l_whence = SEEK_SET,
	                       .l_start = (off_t)results.start,
	                       .l_len = (off_t)results.length,
	                       .l_pid = results.kind == LOCK_KIND_PROCESS ? (pid_t)results.number
	                                                                  : -1};
	return 0;
}

long file_record_lock(struct file *f, int command, long argument)
{
	bool of_description =
	        command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
	bool finds = command == F_GETLK || command == F_OFD_GETLK;
	struct request r = {.file = file_of(f)};
	struct flock lock;
	long result;

	if (user_get(&lock, argument))
		return -EFAULT;
	if (of_description && lock.l_pid != 0)
		return -EINVAL;
	if (of_description)
		file_note_lock(f);
	r.params.kind = of_description ? LOCK_KIND_DESCRIPTION : LOCK_KIND_PROCESS;
	result = type_of(f, lock.l_type, !finds, &r.params.type);
	if (!result)
		result = range_of(f, &lock, &r.params.start, &r.params.length);
	if (result)
		return result;
	if (!finds)
		return change(&r, command == F_SETLKW || command == F_OFD_SETLKW);
	result = find(f, &r.params, &lock);
	if (!result && user_put(argument, &lock))
		result = -EFAULT;
	return result;
}

/* ---- flock ---- */

/* Another lock than the one that is held is got after that was given up: so of two who share one
 * and want it alone, one gets it. */
static long change_whole(struct request *r, bool wait)
{
	struct request none = *r;
	long result = change(r, false);

	if (result != -EAGAIN)
		return result;
	none.params.type = LOCK_TYPE_UNLOCK;
	(void)change(&none, false);
	return wait ? change(r, true) : result;
}

long sys_flock(long fd, long operation)
{
	struct file *f = fd_file((int)fd);
	struct request r = {.params = {.kind = LOCK_KIND_WHOLE}};

	if (!f || f->flags & O_PATH)
		return -EBADF;
	switch (operation & ~LOCK_NB) {
	case LOCK_SH:
		r.params.type = LOCK_TYPE_READ;
		break;
	case LOCK_EX:
		r.params.type = LOCK_TYPE_WRITE;
		break;
	case LOCK_UN:
		r.params.type = LOCK_TYPE_UNLOCK;
		break;
	default:
		return -EINVAL;
	}
	r.file = file_directory(f);
	r.is_directory = r.file;
	if (!r.is_directory && !f->ops->lock)
		return absent(ABSENT_LOCK_OF_KIND);
	if (!r.is_directory)
		r.file = file_of(f);
	file_note_lock(f);
	return change_whole(&r, !(operation & LOCK_NB));
}

/* As POSIX wants, with any of its descriptors all of the process's record locks on a file go. */
void file_closing(struct file *f)
{
	if (file_locks_used())
		(void)file_drop_locks(file_of(f), NULL);
}
