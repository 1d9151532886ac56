/* SPDX-License-Identifier: MIT */
/*
 * Process.exec: another program in the same process.  The new space and thread stand before
 * anything of the old ones goes.
 */
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"
#include "memory/slab.h"
#include "work.h"

/* Bytes of the start block that are copied before the budget is looked at. */
#define BLOCK_PIECE (16u << 10)

/* An exec under way; afterwards, what is left of the old space. */
struct exec_job {
	struct job job; /* first */
	struct work work;
	struct robust robust; /* of the thread that ran in the old space, once that is left */
	struct account *account;
	struct space space;
	struct elf *elf; /* NULL: the image is mapped */
	uint64_t entry, block, stack_top;
	uint32_t block_length, copied;
	uint8_t furnished; /* parts that process_furnish made */
};

static struct slab jobs = SLAB_INIT(struct exec_job);

static void drop_space(struct work *work)
{
	struct exec_job *j = container_of(work, struct exec_job, work);
	if (!robust_go_on(&j->robust, &j->space) || !space_destroy(&j->space)) {
		work_add_rest(work, drop_space);
		return;
	}
	account_free(j->account, &jobs, j);
}

static void abandon(struct job *job)
{
	struct exec_job *j = (struct exec_job *)job;
	if (j->elf)
		elf_end(j->elf);
	work_add(&j->work, drop_space);
}

static int begin(struct thread *caller, const struct exec *exec, struct exec_job **out)
{
	struct account *account = caller->process->account;
	struct exec_job *j = account_alloc(account, &jobs);
	int error = CAP_ENOMEM;
	if (!j)
		return error;
	j->job.abandon = abandon;
	j->account = account;
	j->stack_top = exec->stack_top ? exec->stack_top : CAPOS_STACK_TOP;
	j->block = exec->block;
	j->block_length = exec->block_length;
	if (!space_init(&j->space, account)) {
		account_free(account, &jobs, j);
		return error;
	}
	j->elf = elf_begin(account, exec->image, exec->load_bias, &error);
	if (error) {
		abandon(&j->job);
		return error;
	}
	caller->job = &j->job;
	*out = j;
	return CAP_OK;
}

static int copy_block(struct exec_job *j, struct space *old)
{
	uint64_t to = j->stack_top - j->block_length;
	while (j->copied < j->block_length) {
		uint32_t piece = j->block_length - j->copied;
		if (piece > BLOCK_PIECE)
			piece = BLOCK_PIECE;
		if (steps_over())
			return WORK_AGAIN;
		enum copy_side side;
		int error = space_copy_across(&j->space, to + j->copied, old, j->block + j->copied,
		                              piece, &side);
		if (error)
			return error;
		steps_spend((piece / PAGE_SIZE + 1) * STEPS_PAGE_COPY);
		j->copied += piece;
	}
	return CAP_OK;
}

/* The new space, as far as the budget goes. */
static int build(struct exec_job *j, struct space *old)
{
	if (j->elf) {
		int image_error = elf_go_on(j->elf, &j->space, &j->entry);
		if (image_error)
			return image_error;
		elf_end(j->elf);
		j->elf = NULL;
	}
	int error = process_furnish(&j->space, j->stack_top, &j->furnished);
	if (error == CAP_EEXIST || error == CAP_EINVAL)
		return CAP_ENOEXEC; /* an image where the stack is */
	return error ? error : copy_block(j, old);
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
	struct exec_job *j = (struct exec_job *)caller->job;
	struct thread *t;
	assert(kernel_locked() && p->nthreads == 1);
	int error = j ? CAP_OK : begin(caller, exec, &j);
	if (!error)
		error = build(j, &p->space);
	if (!error)
		error = make_thread(p, &j->space, j->entry, j->stack_top - j->block_length, &t);
	if (error)
		return error;
	caller->job = NULL;
	thread_schedule(t, caller->scheduling);
	robust_begin(&caller->robust, caller);
	j->robust = caller->robust; /* its locks are given up with the old space, piece by piece */
	caller->robust.stage = ROBUST_DONE;
	thread_end(caller); /* its ring is in the old space */
	space_swap(&p->space, &j->space);
	work_add(&j->work, drop_space);
	sched_wake(t);
	return CAP_OK;
}
