/* SPDX-License-Identifier: MIT */
/*
 * Log lines to the process's Log capability: the one named "log" in its start block, or the one
 * that log_set named.  Without one, lines go nowhere: a process that was given no log has no other
 * place.
 */
#include <capos/cap.h>
#include <capos/log.h>
#include <capos/start.h>
#include <capos/schema/kernel.h>
#include <capos/schema/kernel_client.h>

#define LINE_MAX 480u /* bytes, longer ones are cut */

static cap_t log_cap; /* process-wide, set once before other threads run */

void log_set(cap_t log)
{
	log_cap = log;
}

/* error: its text goes behind; CAP_OK: nothing does. */
static void log_arguments(int error, const char *format, va_list args)
{
	cap_t log = log_cap != CAP_NULL ? log_cap : start_cap("log");
	_Alignas(8) uint8_t buffer[LINE_MAX + 64];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct log_write_params params;
	char line[LINE_MAX];
	int length;

	if (log == CAP_NULL)
		return;
	length = fmt_vsnprintf(line, sizeof(line), format, args);
	if (error && length < (int)sizeof(line))
		length += fmt_snprintf(line + length, sizeof(line) - (size_t)length, ": %s",
		                       cap_error_text(error));
	params.text.ptr = line;
	params.text.len =
	        length < (int)sizeof(line) ? (uint32_t)length : (uint32_t)sizeof(line) - 1;
	/* There is no second log to report it in. */
	(void)log_write(log, &params, &call);
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_arguments(CAP_OK, format, args);
	va_end(args);
}

void log_fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_arguments(CAP_OK, format, args);
	va_end(args);
	cap_exit(CAPOS_EXIT_STATUS(1, 0));
}

void log_fatal_error(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_arguments(error, format, args);
	va_end(args);
	cap_exit(CAPOS_EXIT_STATUS(error == CAP_ENOMEM ? LOG_EXIT_NO_MEMORY : 1, 0));
}
