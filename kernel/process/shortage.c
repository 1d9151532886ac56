/* SPDX-License-Identifier: MIT */
/*
 * When memory is out.  Programs may map more than there is; what they touch is charged to their
 * account.  The process to end is the largest of the account whose limit was reached or, when the
 * machine's memory is out, of the program's account that holds the most.  So a process of a small
 * account never ends for what another took, and a service never ends as long as a program can.
 */
#include "process/shortage.h"
#include "fault.h"
#include "kernel.h"
#include "process/process.h"
#include "process/thread.h"
#include "work.h"

/* A search that takes more pieces, since what it looks through keeps changing, is given up. */
#define PIECES_MAX 1024u

#define PROCESSES_PER_STEP 8u /* of the list, passed over */

static bool may_end(const struct process *p)
{
	return p->account->program && !p->service;
}

static const struct account *largest_account(void)
{
	const struct account *largest = NULL;
	unsigned passed = 0;
	for (struct list *node = all_processes.next; node != &all_processes; node = node->next) {
		const struct process *p = list_entry(node, struct process, of_all);
		passed++;
		if (may_end(p) && (!largest || account_used(p->account) > account_used(largest)))
			largest = p->account;
	}
	steps_spend(passed / PROCESSES_PER_STEP);
	return largest;
}

/* Looks for the largest process of the account; of several as large, the newest.  False: the budget
 * is spent. */
static bool search(struct shortage *s)
{
	unsigned passed = 0;
	for (struct list *node = all_processes.next; node != &all_processes; node = node->next) {
		struct process *p = list_entry(node, struct process, of_all);
		if (++passed % PROCESSES_PER_STEP == 0)
			steps_spend(1);
		if (p->id < s->process || p->account != s->account || !may_end(p))
			continue;
		if (p->id > s->process) {
			s->process = p->id;
			s->at = s->pages = 0;
		}
		if (!space_weigh(&p->space, &s->at, &s->pages))
			return false;
		if (s->pages >= s->largest_pages) {
			s->largest = p->id;
			s->largest_pages = s->pages;
		}
		s->process = p->id + 1;
		s->at = s->pages = 0;
	}
	return true;
}

static struct process *find(uint64_t id)
{
	for (struct list *node = all_processes.next; node != &all_processes; node = node->next) {
		struct process *p = list_entry(node, struct process, of_all);
		if (p->id == id)
			return p;
	}
	return NULL;
}

bool shortage_relieved(struct thread *t, uint64_t address)
{
	struct shortage *s = &t->shortage;
	char reason[PROCESS_REASON_MAX];
	const struct account *account = space_limit_reached(&t->process->space, address);
	if (!account)
		account = largest_account();
	if (!account || s->pieces >= PIECES_MAX)
		return false;
	if (s->account != account)
		*s = (struct shortage){.account = account, .pieces = s->pieces};
	s->pieces++;
	if (!search(s))
		return true;
	const struct shortage found = *s;
	*s = (struct shortage){0};
	struct process *p = find(found.largest);
	if (!p || p == t->process)
		return false;
	fmt_snprintf(reason, sizeof(reason), "out of memory: it had the most, %lu KiB",
	             (unsigned long)(found.largest_pages * (PAGE_SIZE / 1024)));
	process_end(p, CAPOS_EXIT_STATUS(0, DEATH_NO_MEMORY), reason);
	return true;
}
