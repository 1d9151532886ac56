/* SPDX-License-Identifier: MIT */
/*
 * Lines of the log that are about processes or from them, within the budget of their account.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_PROCESS_LOG_H
#define KERNEL_PROCESS_LOG_H

#include <stdint.h>

struct process;

void log_earn(const struct process *p); /* fills the budget up */
/* Writes one line, cleaned, with a newline at its end, or drops it. */
void log_line(const struct process *p, const char *prefix, uint32_t prefix_length, const char *line,
              uint32_t length);
/* Writes why the process ends, unless reason is NULL or its account's budget is spent; with the
 * account's last one also how much was dropped. */
void log_process_ends(const struct process *p, const char *reason);
void log_report_dropped(const struct process *p); /* of its account, if anything was */

#endif
