/* SPDX-License-Identifier: MIT */
/*
 * This process as the kernel knows it.
 */
#include <capos/cap.h>
#include <capos/identity.h>
#include <capos/object.h>

#include "core/fd.h"
#include "core/ends.h"
#include "core/self.h"

static uint64_t id; /* 0: not known yet */

static bool none(void)
{
	return false;
}

static void ignore_signal(int signal)
{
	(void)signal;
}

static void ignore(void)
{
}

static int no_ends(struct shared_ends *out)
{
	*out = (struct shared_ends){.word = 0};
	return 0;
}

static bool held(uint64_t word)
{
	(void)word;
	return true;
}

static void ignore_file(const struct file *f)
{
	(void)f;
}

int ends_open(struct shared_ends *out)
{
	return core_hooks.ends_open(out);
}

bool ends_held(uint64_t word)
{
	return core_hooks.ends_held(word);
}

struct core_hooks core_hooks = {.signal_waiting = none,
                                .signal_raise = ignore_signal,
                                .signal_no_restart = ignore,
                                .ends_open = no_ends,
                                .ends_held = held,
                                .streams_settle = ignore,
                                .resting = ignore,
                                .leaving = ignore,
                                .closed = ignore_file};

void core_set_hooks(const struct core_hooks *hooks)
{
	core_hooks = *hooks;
}

void process_set_id(uint64_t number)
{
	id = number;
}

uint64_t process_id(void)
{
	struct cap_process process;

	if (!id && !cap_process_status(&process))
		id = process.id;
	return id;
}

static struct cap_identity own_identity;

const struct cap_identity *process_identity(void)
{
	return &own_identity;
}

void process_set_identity(const struct cap_identity *identity)
{
	own_identity = *identity;
}

/* Once for each description, however many descriptors it has: as fork counted it. */
static int leave_file(int fd, struct file *f, bool close_on_exec, void *context)
{
	(void)fd, (void)close_on_exec, (void)context;
	if (f->ops->leave && f->refs)
		f->ops->leave(f);
	f->refs = 0; /* nothing is closed any more */
	return 0;
}

_Noreturn void posix_exit(int code, int signal)
{
	core_hooks.leaving();
	(void)fd_each(leave_file, NULL);
	core_hooks.streams_settle();
	cap_poll(false, 0); /* quiet signals to servers may still be queued */
	cap_exit(CAPOS_EXIT_STATUS(code, signal));
}
