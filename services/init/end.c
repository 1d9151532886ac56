/* SPDX-License-Identifier: MIT */
/*
 * The end of the machine.  The host hears why before the power goes.
 */
#include <stdarg.h>

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

void init_fail(int code, const char *format, ...)
{
	char text[320];
	va_list args;

	va_start(args, format);
	fmt_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_line("%s", text);
	init_flush_log();
	if (control_ready())
		control_send("fail %d %s", code, text);
	(void)control_drain(); /* there may be no host */
	init_power_off();
}
