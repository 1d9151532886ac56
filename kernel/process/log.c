/* SPDX-License-Identifier: MIT */
/*
 * What processes may write to the log, and the kernel about their ends: a budget for each account,
 * so that no family of processes fills the log or keeps the kernel busy with it.
 */
#include "process/log.h"
#include "kernel.h"
#include "arch.h"
#include "logbuffer.h"
#include "process/process.h"
#include "work.h"

/* What the processes of one account may write, and the kernel about their ends: so many bytes a
 * second, and after a silence so many at once.  What is over it is dropped, and a line says how
 * many bytes were. */
#define RATE   16384u
#define BURST  32768u
#define RESUME (BURST / 2)

/* Of the line that says why a process ended, beside the name and the reason. */
#define END_LENGTH 40u

#define STEPS_LINE     6u
#define BYTES_PER_STEP 4u /* cleaned and copied */

void log_earn(const struct process *p)
{
	struct log_budget *b = &p->account->log;
	uint64_t now = arch_clock_ns(), most = (uint64_t)BURST * 1000000000 / RATE;
	uint64_t passed = now - b->at < most ? now - b->at : most;
	uint64_t earned = b->at == 0 ? BURST : passed * RATE / 1000000000;
	if (earned == 0)
		return;
	b->at = now;
	b->left = b->left + earned < BURST ? b->left + (uint32_t)earned : BURST;
}

void log_report_dropped(const struct process *p)
{
	struct log_budget *b = &p->account->log;
	if (b->dropped == 0)
		return;
	klog("kernel: %lu bytes of %s (process %lu) and its relatives were dropped from the log",
	     b->dropped, p->name, p->id);
	b->dropped = 0;
}

/* Takes a line of so many bytes from the budget; false: it is dropped.  Once something was, all is
 * until enough was earned to go on for a while: so that a line says of many bytes that they are
 * missing, and not of each. */
static bool may_write(const struct process *p, uint32_t length)
{
	struct log_budget *b = &p->account->log;
	if (b->left < (b->dropped ? RESUME : length)) {
		b->dropped += length;
		return false;
	}
	log_report_dropped(p);
	b->left -= length;
	return true;
}

void log_process_ends(const struct process *p, const char *reason)
{
	log_earn(p);
	if (reason && may_write(p, (uint32_t)(strlen(p->name) + strlen(reason)) + END_LENGTH))
		klog("kernel: %s (process %lu) ended: %s", p->name, p->id, reason);
	if (p->account->items[ACCOUNT_PROCESSES] == 1)
		log_report_dropped(p);
}

void log_line(const struct process *p, const char *prefix, uint32_t prefix_length, const char *line,
              uint32_t length)
{
	uint32_t all = prefix_length + length;
	steps_spend(STEPS_LINE + all / BYTES_PER_STEP);
	if (may_write(p, all) && !logbuffer_process(prefix, prefix_length, line, length))
		p->account->log.dropped += all;
}
