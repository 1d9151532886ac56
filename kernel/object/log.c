/* SPDX-License-Identifier: MIT */
/*
 * Log and PowerControl.  What a process writes appears line by line, each line under the process's
 * name, never in the middle of another's.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "logbuffer.h"
#include "process/log.h"
#include "process/process.h"
#include "work.h"
#include <capos/text.h>

#define WRITE_MAX 1024u /* bytes of one call; the serial port is slow */

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
	log_earn(p);
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
		log_line(p, prefix, prefix_length, line, length);
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
