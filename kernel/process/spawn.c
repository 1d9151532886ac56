/* SPDX-License-Identifier: MIT */
/*
 * A new process with a program of its own.  It is made in pieces, whole, before any of it runs;
 * what was asked for first counts, whatever a later look at the message finds.
 */
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"
#include "memory/slab.h"
#include "work.h"

/* A spawn under way. */
struct spawn_job {
	struct job job;          /* first */
	struct account *account; /* the child's, one reference */
	struct process *child;   /* one count: its being alive */
	struct elf *elf;         /* NULL: the image is mapped */
	uint64_t entry, stack_top;
	uint32_t start_length;
	uint8_t furnished; /* parts that process_furnish made */
	bool block_copied;
};

static struct slab jobs = SLAB_INIT(struct spawn_job);

static void free_job(struct spawn_job *j)
{
	struct account *account = j->account;
	account_free(account, &jobs, j);
	account_put(account);
}

static void abandon(struct job *job)
{
	struct spawn_job *j = (struct spawn_job *)job;
	if (j->elf)
		elf_end(j->elf);
	process_end(j->child, 0, NULL);
	free_job(j);
}

static int begin(const struct spawn *spawn, struct job **job)
{
	struct spawn_job *j = account_alloc(spawn->account, &jobs);
	if (!j)
		return CAP_ENOMEM;
	account_get(spawn->account);
	j->job.abandon = abandon;
	j->account = spawn->account;
	j->stack_top = spawn->stack_top ? spawn->stack_top : CAPOS_STACK_TOP;
	j->start_length = spawn->start_length;
	int error;
	j->elf = elf_begin(spawn->account, spawn->image, spawn->load_bias, &error);
	if (!error)
		error = process_create(spawn->name, spawn->name_length, spawn->account,
		                       spawn->service, &j->child);
	if (error) {
		if (j->elf)
			elf_end(j->elf);
		free_job(j);
		return error;
	}
	*job = &j->job;
	return CAP_OK;
}

static int copy_block(struct spawn_job *j, const struct spawn *spawn)
{
	if (spawn->start_length != j->start_length)
		return CAP_EINVAL;
	int error = space_copy_out(&j->child->space, j->stack_top - j->start_length,
	                           spawn->start_block, j->start_length);
	j->block_copied = !error;
	return error;
}

/* The child's space, as far as the budget goes. */
static int build(struct spawn_job *j, const struct spawn *spawn)
{
	struct space *space = &j->child->space;
	int error = j->elf ? elf_go_on(j->elf, space, &j->entry) : CAP_OK;
	if (error)
		return error;
	if (j->elf)
		elf_end(j->elf);
	j->elf = NULL;
	if (steps_over())
		return WORK_AGAIN;
	error = process_furnish(space, j->stack_top, &j->furnished);
	if (!error && !j->block_copied)
		error = copy_block(j, spawn);
	return error ? error : cap_room(&j->child->caps, spawn->ncaps);
}

static void give_caps(struct process *child, const struct spawn *spawn)
{
	for (uint32_t i = 0; i < spawn->ncaps; i++) {
		cap_t id;
		int inserted = cap_insert(&child->caps, spawn->caps[i], &id);
		assert(!inserted && id == CAP_GIVEN(i)); /* build made room */
	}
}

int process_spawn(struct job **job, const struct spawn *spawn, struct process **out)
{
	struct thread *t;
	int error = *job ? CAP_OK : begin(spawn, job);
	struct spawn_job *j = (struct spawn_job *)*job;
	if (!error)
		error = build(j, spawn);
	if (!error)
		error = thread_create(j->child, j->entry, j->stack_top - j->start_length, 0, 0, &t);
	if (error)
		return error == CAP_EEXIST || error == CAP_EINVAL ? CAP_ENOEXEC : error;
	*out = j->child;
	give_caps(*out, spawn);
	sched_wake(t);
	process_get(*out);
	*job = NULL;
	free_job(j);
	return CAP_OK;
}
