/* SPDX-License-Identifier: MIT */
/*
 * Process.exec: another program in the same process.  The new space and thread stand before
 * anything of the old ones goes.
 */
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"

static int build(struct space *fresh, struct space *old, const struct exec *exec,
                 uint64_t stack_top, uint64_t *entry)
{
	int error = elf_load(fresh, exec->image, exec->load_bias, entry);
	if (!error)
		error = process_furnish(fresh, stack_top);
	if (error == CAP_EEXIST || error == CAP_EINVAL)
		return CAP_ENOEXEC; /* an image where the stack is */
	if (error)
		return error;
	return space_copy_across(fresh, stack_top - exec->block_length, old, exec->block,
	                         exec->block_length);
}

/* A thread that runs in the fresh space; the process has its old one again afterwards. */
static int make_thread(struct process *p, struct space *fresh, uint64_t entry, uint64_t stack,
                       struct thread **out)
{
	space_swap(&p->space, fresh);
	int error = thread_create(p, entry, stack, 0, 0, out);
	space_swap(&p->space, fresh);
	return error;
}

int process_exec(struct thread *caller, const struct exec *exec)
{
	struct process *p = caller->process;
	struct space fresh;
	struct thread *t;
	uint64_t entry, stack_top = exec->stack_top ? exec->stack_top : CAPOS_STACK_TOP;
	assert(kernel_locked() && p->nthreads == 1);
	if (!space_init(&fresh, p->account))
		return CAP_ENOMEM;
	int error = build(&fresh, &p->space, exec, stack_top, &entry);
	if (!error)
		error = make_thread(p, &fresh, entry, stack_top - exec->block_length, &t);
	if (error) {
		space_destroy(&fresh);
		return error;
	}
	thread_end(caller); /* its ring is in the old space */
	space_swap(&p->space, &fresh);
	process_leave_space();
	space_destroy(&fresh);
	sched_wake(t);
	return CAP_OK;
}
