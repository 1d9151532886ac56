/* SPDX-License-Identifier: MIT */
/*
 * Log and PowerControl.  What a process writes appears line by line, each line under the process's
 * name, never in the middle of another's.
 */
#include "kcall.h"
#include "kernel.h"
#include "process/process.h"
#include <capos/text.h>

#define WRITE_MAX 1024u /* bytes of one call; the serial port is slow */

static int write(void *object, struct msg_call *msg, const struct log_write_params *params)
{
	const struct process *p = kcall_of(msg)->caller->process;
	const char *at = params->text.ptr;
	const char *end = at + (params->text.len < WRITE_MAX ? params->text.len : WRITE_MAX);
	char line[WRITE_MAX + 1];
	(void)object;
	while (at < end) {
		const char *start = at;
		while (at < end && *at != '\n')
			at++;
		uint32_t length = text_clean(line, sizeof(line), start, (uint32_t)(at - start));
		at++; /* the newline */
		arch_serial_write(p->name, strlen(p->name));
		arch_serial_write(": ", 2);
		line[length++] = '\n';
		arch_serial_write(line, length);
	}
	return CAP_OK;
}

int log_call(void *object, struct msg_call *msg)
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

int power_call(void *object, struct msg_call *msg)
{
	static const struct power_control_ops ops = {.shutdown = shutdown};
	return power_control_dispatch(&ops, object, msg);
}
