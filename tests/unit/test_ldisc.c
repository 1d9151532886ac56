/* SPDX-License-Identifier: MIT */
/*
 * The line discipline before a screen of one long row: what is erased of a line is erased on the
 * screen, and in a time that grows with what is erased alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "services/terminal/ldisc.h"

#define COLUMNS (8u * LDISC_LINE_MAX + 64)

#define KILL    21 /* Ctrl-U */
#define REPRINT 18 /* Ctrl-R */
#define WORD    23 /* Ctrl-W */
#define BACK    127

static char screen[COLUMNS];
static uint32_t cursor;
static bool full; /* the screen takes nothing */
static uint32_t refused;

static void deliver(void *context, uint8_t character, uint8_t flags)
{
	(void)context, (void)character, (void)flags;
}

static bool echo(void *context, const uint8_t *bytes, uint32_t length)
{
	(void)context;
	if (full) {
		refused++;
		return false;
	}
	for (uint32_t i = 0; i < length; i++) {
		assert_true(cursor < COLUMNS - 8);
		if (bytes[i] == '\b') {
			assert_true(cursor > 0);
			cursor--;
		} else if (bytes[i] == '\t') {
			cursor = (cursor | 7) + 1;
		} else if ((bytes[i] & 0xc0) != 0x80) {
			screen[cursor++] = (char)bytes[i];
		}
	}
	return true;
}

static void no_signal(void *context, int signal)
{
	(void)context, (void)signal;
}

static void no_flush(void *context)
{
	(void)context;
}

static const struct ldisc_ops ops = {
        .deliver = deliver, .echo = echo, .signal = no_signal, .flush = no_flush};

/* At a terminal on which a prompt was written. */
static void begin(struct ldisc *l, uint32_t prompt)
{
	uint32_t used;
	uint8_t out[64];
	static const uint8_t text[] = "0123456789";

	memset(screen, ' ', sizeof(screen));
	cursor = refused = 0;
	full = false;
	ldisc_init(l, &ops, NULL);
	(void)echo(NULL, out, ldisc_output(l, text, prompt, &used, out, sizeof(out)));
}

static void type(struct ldisc *l, const void *bytes, uint32_t length)
{
	assert_int_equal(ldisc_input(l, bytes, length, 2 * LDISC_LINE_MAX), length);
}

static void type_one(struct ldisc *l, uint8_t c)
{
	type(l, &c, 1);
}

static void type_random(struct ldisc *l, unsigned count)
{
	static const char *const characters[] = {"a",  "b",    " ",        "\t",
	                                         "\t", "\001", "\303\244", "\342\202\254"};

	for (unsigned i = 0; i < count; i++) {
		const char *c = characters[(unsigned)rand() % 8];

		type(l, c, (uint32_t)strlen(c));
		if (rand() % 4 == 0)
			type_one(l, BACK);
		if (rand() % 16 == 0)
			type_one(l, WORD);
	}
}

static void erasing_leaves_the_prompt_alone(void **state)
{
	static struct ldisc l;

	(void)state;
	srand(1);
	for (unsigned round = 0; round < 500; round++) {
		uint32_t prompt = (uint32_t)rand() % 11;

		begin(&l, prompt);
		type_random(&l, (unsigned)rand() % 60);
		if (rand() % 2)
			type_one(&l, KILL);
		while (l.length)
			type_one(&l, rand() % 2 ? BACK : WORD);
		assert_int_equal(cursor, prompt);
		assert_memory_equal(screen, "0123456789", prompt);
		for (uint32_t i = prompt; i < COLUMNS; i++)
			assert_int_equal(screen[i], ' ');
	}
}

/* Processor time to type and kill so many lines. */
static double time_of_killing(unsigned lines, unsigned length, const char *of)
{
	static struct ldisc l;
	clock_t begun = clock();

	for (unsigned i = 0; i < lines; i++) {
		begin(&l, 0);
		for (unsigned j = 0; j < length; j++)
			type(&l, of, (uint32_t)strlen(of));
		type_one(&l, KILL);
		assert_int_equal(l.length, 0);
	}
	return (double)(clock() - begun);
}

/* 4095 characters and Ctrl-U took 100 ms, in which no other terminal was served. */
static void killing_a_full_line_costs_what_killing_short_ones_does(void **state)
{
	static const char *const kinds[] = {"a", "\t", "\303\244"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		double many = time_of_killing(400, 20, kinds[i]),
		       one = time_of_killing(4, 2000, kinds[i]);

		printf("of %u bytes: %.0f us for 400 lines of 20, %.0f us for 4 of 2000\n",
		       (unsigned)strlen(kinds[i]), many, one);
		assert_true(one < 5 * many);
	}
}

/* Each of 8192 typed Ctrl-R went through the 4095 characters, also when the master read none. */
static void reprinting_ends_when_the_screen_is_full(void **state)
{
	static struct ldisc l;

	(void)state;
	begin(&l, 0);
	for (unsigned i = 0; i < 4000; i++)
		type_one(&l, 'a');
	full = true;
	type_one(&l, REPRINT);
	assert_true(refused < 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(erasing_leaves_the_prompt_alone),
	        cmocka_unit_test(reprinting_ends_when_the_screen_is_full),
	        cmocka_unit_test(killing_a_full_line_costs_what_killing_short_ones_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
