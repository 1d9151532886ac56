/* SPDX-License-Identifier: MIT */
/*
 * Both halves of what crosses execve: writing it down changes nothing, so that a failed execve goes
 * on as before; what the new image cannot take up ends it, since the old one is gone.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include <capos/cap.h>
#include <capos/log.h>

#include "core/core.h"
#include "file/file.h"
#include "process/children.h"
#include "poll/poll.h"
#include "process/exec_state.h"
#include "process/process.h"
#include "signal/signal.h"
#include "socket/socket.h"
#include "terminal/terminal.h"
#include "time/time.h"

/* ---- Writing ---- */

struct writer {
	struct exec_state *state;
	struct carried *files;
	struct carried_descriptor *descriptors;
	struct file *seen[]; /* the descriptions written, in order */
};

static int count_descriptor(int fd, struct file *f, bool close_on_exec, void *count)
{
	(void)fd, (void)f, (void)close_on_exec;
	++*(uint32_t *)count;
	return 0;
}

static int write_file(struct writer *w, int fd, struct file *f)
{
	struct carried *out = &w->files[w->state->nfiles];
	int result = -ENOSYS;

	*out = (struct carried){.flags = f->flags, .offset = f->offset};
	if (f->shared.at)
		out->shared = f->shared.memory;
	if (f->ops->carry)
		result = f->ops->carry(f, out);
	if (result) {
		log_line("posix: execve: descriptor %d cannot be carried over: error %d", fd,
		         -result);
		return -ENOSYS;
	}
	w->seen[w->state->nfiles++] = f;
	return 0;
}

static int write_descriptor(int fd, struct file *f, bool close_on_exec, void *context)
{
	struct writer *w = context;
	uint32_t file = 0;
	int result = 0;

	while (file < w->state->nfiles && w->seen[file] != f)
		file++;
	if (file == w->state->nfiles)
		result = write_file(w, fd, f);
	if (!result && !close_on_exec)
		w->descriptors[w->state->ndescriptors++] =
		        (struct carried_descriptor){.fd = (uint32_t)fd, .file = file};
	return result;
}

static int write_state(struct exec_state *state, uint32_t descriptors)
{
	struct writer *w = posix_alloc(sizeof(*w) + (size_t)fd_end() * sizeof(struct file *));
	int result;

	if (!w)
		return -ENOMEM;
	w->state = state;
	w->files = (struct carried *)(state + 1);
	w->descriptors = (struct carried_descriptor *)(w->files + descriptors);
	result = fd_each(write_descriptor, w);
	/* The reader finds the descriptors right behind as many descriptions as there are. */
	memmove(w->files + state->nfiles, w->descriptors,
	        state->ndescriptors * sizeof(*w->descriptors));
	posix_free(w);
	state->magic = EXEC_STATE_MAGIC;
	state->event = process_event();
	timers_save(&state->timers);
	world_save(&state->world);
	state->identity = *process_identity();
	limits_save(state->limits);
	state->timer_slack_ns[0] = thread_self()->timer_slack_ns;
	state->timer_slack_ns[1] = thread_self()->timer_slack_usual_ns;
	path_state(&state->paths);
	state->image_secret = exec_image_secret();
	signal_save(&state->signals);
	return result;
}

/* ---- The image's path ---- */

static char own_path[PATH_BYTES];

void exec_own_path(char path[PATH_BYTES])
{
	const size_t *aux = __capos_auxv();

	while (!own_path[0] && aux && aux[0] && aux[0] != AT_EXECFN)
		aux += 2;
	if (!own_path[0] && aux && aux[0] && aux[1])
		path_absolute((const char *)aux[1], own_path);
	memcpy(path, own_path, sizeof(own_path));
}

int exec_state_write(const char *path, cap_t *out)
{
	uint32_t descriptors = 0;
	uint64_t size;
	void *address;
	int result;

	fd_each(count_descriptor, &descriptors);
	size = sizeof(struct exec_state) +
	       descriptors * (sizeof(struct carried) + sizeof(struct carried_descriptor));
	result = errno_of(cap_memory_create(size, out));
	if (result)
		return result;
	result =
	        errno_of(cap_memory_map(*out, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address));
	if (!result) {
		result = write_state(address, descriptors);
		path_absolute(path, ((struct exec_state *)address)->path);
		cap_memory_unmap(address, size);
	}
	if (result)
		cap_release(*out);
	return result;
}

/* ---- Reading ---- */

static int make_file(const struct carried *in, struct file **out)
{
	switch ((enum carried_kind)in->kind) {
	case CARRY_DENIED:
		return denied_restore(in, out);
	case CARRY_STREAM:
		return stream_restore(in, out);
	case CARRY_REGULAR:
		return file_restore_regular(in, out);
	case CARRY_DIRECTORY:
		return file_open_directory(in->object, in->flags, out);
	case CARRY_DEVICE:
		return device_restore(in, out);
	case CARRY_SOCKET:
		return socket_restore(in, out);
	case CARRY_MADE:
		return made_restore(in, out);
	case CARRY_PIPE:
		return pipe_restore(in, out);
	case CARRY_EVENTFD:
		return eventfd_restore(in, out);
	case CARRY_EPOLL:
		return epoll_restore(in, out);
	case CARRY_TIMERFD:
		return timerfd_restore(in, out);
	case CARRY_SIGNALFD:
		return signalfd_restore(in, out);
	case CARRY_LOCAL:
		return local_restore(in, out);
	case CARRY_NAMED:
		return named_restore(in, out);
	case CARRY_QUEUE:
		return mqueue_restore(in, out);
	case CARRY_NOTICE:
		return mqueue_restore_notice(in, out);
	case CARRY_WATCHER:
		return inotify_restore(in, out);
	case CARRY_TERMINAL:
		return terminal_restore(in, out);
	}
	return -EINVAL;
}

static void restore_files(const struct exec_state *state)
{
	const struct carried *files = (const struct carried *)(state + 1);
	const struct carried_descriptor *d =
	        (const struct carried_descriptor *)(files + state->nfiles);
	struct file **made = posix_alloc((state->nfiles + 1) * sizeof(*made));
	int result = made ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < state->nfiles && !result; i++) {
		result = make_file(&files[i], &made[i]);
		if (result)
			break;
		made[i]->offset = files[i].offset;
		made[i]->shared.memory = files[i].shared;
		if (files[i].shared)
			result = description_restore(&made[i]->shared);
	}
	for (uint32_t i = 0; i < state->ndescriptors && !result; i++) {
		file_get(made[d[i].file]);
		if (fd_install(made[d[i].file], (int)d[i].fd, false) != (int)d[i].fd)
			result = -EBADF;
	}
	if (result)
		log_fatal("posix: execve: descriptors are lost: error %d", -result);
	for (uint32_t i = 0; i < state->nfiles; i++)
		file_put(made[i]); /* closes what was to be closed on exec */
	epoll_restored();
	posix_free(made);
}

void exec_restore(cap_t memory)
{
	uint64_t size = 0;
	void *address = NULL;
	const struct exec_state *state;
	int result = cap_memory_size(memory, &size);

	if (!result && size >= sizeof(*state))
		result = cap_memory_map(memory, 0, size, CAP_RIGHT_READ, &address);
	state = address;
	if (result || !state || state->magic != EXEC_STATE_MAGIC ||
	    sizeof(*state) + state->nfiles * sizeof(struct carried) +
	                    state->ndescriptors * sizeof(struct carried_descriptor) >
	            size)
		log_fatal("posix: execve: the old image's state cannot be read: %s",
		          cap_error_text(result));
	wait_restore(state->event);
	world_restore(&state->world);
	process_set_identity(&state->identity);
	users_executed();
	limits_restore(state->limits);
	thread_self()->timer_slack_ns = state->timer_slack_ns[0];
	thread_self()->timer_slack_usual_ns = state->timer_slack_ns[1];
	path_restore(&state->paths);
	exec_set_image_secret(state->image_secret);
	memcpy(own_path, state->path, sizeof(own_path));
	own_path[sizeof(own_path) - 1] = 0;
	signal_restore(&state->signals);
	timers_restore(&state->timers);
	world_child_action();
	restore_files(state);
	cap_memory_unmap(address, size);
	cap_release(memory);
}
