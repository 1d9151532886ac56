/* SPDX-License-Identifier: MIT */
/*
 * TAP on a Log.  Every result is one line, written before the next test begins, so that a crash
 * shows where it was.
 */
#include "tap.h"
#include <capos/cap.h>
#include <capos/log.h>
#include <capos/schema/kernel_client.h>

static cap_t log_cap;
static unsigned number, failures;

static void line(const char *text)
{
	struct log_write_params params = {
	        .text = {.ptr = text, .len = (uint32_t)__builtin_strlen(text)}};
	log_write(log_cap, &params, NULL);
}

void tap_start(cap_t log)
{
	log_cap = log;
	number = failures = 0;
}

void tap_note(const char *format, ...)
{
	char text[200];
	va_list args;
	text[0] = '#';
	text[1] = ' ';
	va_start(args, format);
	fmt_vsnprintf(text + 2, sizeof(text) - 2, format, args);
	va_end(args);
	line(text);
}

void tap_ok(bool passed, const char *what)
{
	char text[200];
	number++;
	failures += !passed;
	fmt_snprintf(text, sizeof(text), "%s %u - %s", passed ? "ok" : "not ok", number, what);
	line(text);
}

void tap_equal(int64_t got, int64_t expected, const char *what)
{
	tap_ok(got == expected, what);
	if (got != expected)
		tap_note("got %lld (0x%llx), expected %lld", (long long)got,
		         (unsigned long long)got, (long long)expected);
}

unsigned tap_finish(void)
{
	char text[32];
	fmt_snprintf(text, sizeof(text), "1..%u", number);
	line(text);
	return failures;
}
