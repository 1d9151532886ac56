/* SPDX-License-Identifier: MIT */
/*
 * Log and PowerControl.  What a process writes appears line by line, each line under the process's
 * name, never in the middle of another's.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "logbuffer.h"
#include "process/process.h"
#include "work.h"
#include <capos/text.h>

#define WRITE_MAX 1024u /* bytes of one call; the serial port is slow */

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

/* Fills the budget up. */
static void earn(struct log_budget *b)
{
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
	earn(&p->account->log);
	if (reason && may_write(p, (uint32_t)(strlen(p->name) + strlen(reason)) + END_LENGTH))
		klog("kernel: %s (process %lu) ended: %s", p->name, p->id, reason);
	if (p->account->items[ACCOUNT_PROCESSES] == 1)
		log_report_dropped(p);
}

/* One line, cleaned, with a newline at its end. */
static void write_line(const struct process *p, const char *prefix, uint32_t prefix_length,
                       const char *line, uint32_t length)
{
	uint32_t all = prefix_length + length;
	steps_spend(STEPS_LINE + all / BYTES_PER_STEP);
	if (may_write(p, all) && !logbuffer_process(prefix, prefix_length, line, length))
		p->account->log.dropped += all;
}

/* A line without text says nothing, and is not written.  Goes on where it stood when the budget was
 * spent. */
static int write(void *object, struct msg_call *msg, const struct log_write_params *params)
{
	struct thread *caller = kcall_of(msg)->caller;
	const struct process *p = caller->process;
	uint64_t *at = &caller->progress[0];
	uint32_t end = params->text.len < WRITE_MAX ? params->text.len : WRITE_MAX;
	char prefix[PROCESS_NAME_MAX + 2], line[WRITE_MAX + 1];
	uint32_t prefix_length = (uint32_t)fmt_snprintf(prefix, sizeof(prefix), "%s: ", p->name);
	(void)object;
	earn(&p->account->log);
	while (*at < end) {
		if (steps_over())
			return OP_AGAIN;
		const char *text = params->text.ptr + *at;
		uint32_t length = 0;
		while (*at + length < end && text[length] != '\n')
			length++;
		*at += length + 1;
		steps_spend(1);
		length = text_clean(line, sizeof(line), text, length);
		if (length == 0)
			continue;
		line[length++] = '\n';
		write_line(p, prefix, prefix_length, line, length);
	}
	return CAP_OK;
}

int log_call(struct object_header *object, struct msg_call *msg)
{
	static const struct log_ops ops = {.write = write};
	return log_dispatch(&ops, object, msg);
}

static int shutdown(void *object, struct msg_call *msg)
{
	(void)object;
	(void)msg;
	arch_shutdown();
}

/* progress: the place up to which the log is written, and 1 once that is set. */
static int flush_log(void *object, struct msg_call *msg)
{
	uint64_t *progress = kcall_of(msg)->caller->progress;
	(void)object;
	if (progress[1] == 0) {
		progress[0] = logbuffer_end();
		progress[1] = 1;
	}
	return logbuffer_write_to((uint32_t)progress[0]) ? CAP_OK : OP_AGAIN;
}

int power_call(struct object_header *object, struct msg_call *msg)
{
	static const struct power_control_ops ops = {.shutdown = shutdown, .flush_log = flush_log};
	return power_control_dispatch(&ops, object, msg);
}
