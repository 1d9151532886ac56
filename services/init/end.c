/* SPDX-License-Identifier: MIT */
/*
 * The end of the machine.  The host hears why before the power goes.
 */
#include <stdarg.h>

#include <capos/archive.h>
#include <capos/clock.h>
#include <capos/log.h>
#include <capos/schema/kernel_client.h>

#include "init.h"

void init_power_off(void)
{
	struct capos_call call = INIT_CALL();

	for (;;) {
		int result = power_control_shutdown(INIT_CAP(POWER), &call);

		if (result)
			log_line("shutdown: %s", cap_error_text(result));
		cap_sleep(CAPOS_FOREVER);
	}
}

void init_flush_log(void)
{
	struct capos_call call = INIT_CALL();

	/* On an error the end of the log is lost, and that cannot be logged either. */
	(void)power_control_flush_log(INIT_CAP(POWER), &call);
}

/* kind: "fail", or "refuse" for what the text explains and the host's user can mend. */
static _Noreturn void fail(const char *kind, int code, const char *text)
{
	log_line("%s", text);
	init_flush_log();
	if (control_ready())
		control_send("%s %d %s", kind, code, text);
	(void)control_drain(); /* there may be no host */
	init_power_off();
}

void init_fail(int code, const char *format, ...)
{
	char text[320];
	va_list args;

	va_start(args, format);
	fmt_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fail("fail", code, text);
}

void init_refuse(int code, const char *format, ...)
{
	char text[320];
	va_list args;

	va_start(args, format);
	fmt_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fail("refuse", code, text);
}

void init_fail_memory(const char *what)
{
	const struct capos_clock_page *clock = (const void *)(uintptr_t)CAPOS_CLOCK_ADDR;
	uint32_t present = (uint32_t)(clock->memory_pages * CAPOS_PAGE_SIZE >> 20);
	uint32_t needed = capos_memory_needed(init.archive.size);

	/* What is added to the standard system may need more than that. */
	if (needed <= present)
		needed = present + present / 4 + 1;
	init_refuse(EXIT_SYSTEM, "no memory for %s: the machine needs more, try --memory %u", what,
	            needed);
}
