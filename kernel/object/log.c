/* SPDX-License-Identifier: MIT */
/*
 * Log and PowerControl.  What a process writes appears line by line, each line under the process's
 * name, never in the middle of another's.
 */
#include "kcall.h"
#include "kernel.h"
#include "logbuffer.h"
#include "process/process.h"
#include "work.h"
#include <capos/text.h>

#define WRITE_MAX 1024u /* bytes of one call; the serial port is slow */

/* What one process may write: so many bytes a second, and after a silence so many at once.  What is
 * over it is dropped, and a line says how many bytes were. */
#define RATE   16384u
#define BURST  32768u
#define RESUME (BURST / 2)

#define STEPS_LINE     6u
#define BYTES_PER_STEP 4u /* cleaned and copied */

/* Fills the process's budget up. */
static void earn(struct process *p)
{
	uint64_t now = arch_clock_ns(), most = (uint64_t)BURST * 1000000000 / RATE;
	uint64_t passed = now - p->log.at < most ? now - p->log.at : most;
	uint64_t earned = p->log.at == 0 ? BURST : passed * RATE / 1000000000;
	if (earned == 0)
		return;
	p->log.at = now;
	p->log.left = p->log.left + earned < BURST ? p->log.left + (uint32_t)earned : BURST;
}

void log_report_dropped(struct process *p)
{
	if (p->log.dropped == 0)
		return;
	klog("kernel: %lu bytes that %s (process %lu) wrote to the log were dropped",
	     p->log.dropped, p->name, p->id);
	p->log.dropped = 0;
}

/* One line, cleaned, with a newline at its end. */
static void write_line(struct process *p, const char *prefix, uint32_t prefix_length,
                       const char *line, uint32_t length)
{
	uint32_t all = prefix_length + length;
	steps_spend(STEPS_LINE + all / BYTES_PER_STEP);
	/* Once something was dropped, all is until it has earned enough to go on for a while: so
	 * that a line says of many bytes that they are missing, and not of each. */
	if (p->log.left < (p->log.dropped ? RESUME : all)) {
		p->log.dropped += all;
		return;
	}
	log_report_dropped(p);
	p->log.left -= all;
	if (!logbuffer_process(prefix, prefix_length, line, length))
		p->log.dropped += all;
}

/* A line without text says nothing, and is not written.  Goes on where it stood when the budget was
 * spent. */
static int write(void *object, struct msg_call *msg, const struct log_write_params *params)
{
	struct thread *caller = kcall_of(msg)->caller;
	struct process *p = caller->process;
	uint64_t *at = &caller->progress[0];
	uint32_t end = params->text.len < WRITE_MAX ? params->text.len : WRITE_MAX;
	char prefix[PROCESS_NAME_MAX + 2], line[WRITE_MAX + 1];
	uint32_t prefix_length = (uint32_t)fmt_snprintf(prefix, sizeof(prefix), "%s: ", p->name);
	(void)object;
	earn(p);
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
