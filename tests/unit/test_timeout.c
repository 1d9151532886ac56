/* SPDX-License-Identifier: MIT */
/*
 * The queue of deadlines against a model, and ChaCha20 against the vectors of RFC 8439.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/arch.h"
#include "kernel/cpu.h"
#include "kernel/entropy.h"
#include "kernel/process/timeout.h"
#include "kernel/work.h"

#define COUNT 500u

struct cpu the_cpu = {.locked = true};
static struct timeout timeouts[COUNT];
static unsigned fired[COUNT], total;
static uint64_t last_deadline;

void panic(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

void arch_random_seed(uint8_t *buffer, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buffer[i] = (uint8_t)rand();
}

static void fire(struct timeout *t)
{
	assert_false(t->queued);
	assert_true(t->deadline >= last_deadline);
	last_deadline = t->deadline;
	fired[t - timeouts]++;
	total++;
}

/* As the timer's interrupt does it: again while something is due. */
static void run_all(uint64_t now)
{
	do {
		steps_spent = 0;
		timeout_run(now);
	} while (timeout_first() <= now);
}

/* All due together: one interrupt fires what its budget is for. */
static void fires_in_pieces(void **state)
{
	unsigned pieces = 0;
	(void)state;
	last_deadline = total = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		timeouts[i].fire = fire;
		timeout_set(&timeouts[i], 7);
	}
	while (timeout_first() <= 7) {
		unsigned before = total;
		steps_spent = 0;
		timeout_run(7);
		assert_true(total > before && total - before <= STEPS_BUDGET / 8);
		pieces++;
	}
	assert_int_equal(total, COUNT);
	assert_true(pieces > 1);
}

static void in_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		timeouts[i].fire = fire;
		timeout_set(&timeouts[i], (i * 7919) % COUNT);
	}
	assert_int_equal(timeout_first(), 0);
	last_deadline = total = 0;
	run_all(COUNT);
	assert_int_equal(total, COUNT);
	assert_int_equal(timeout_first(), UINT64_MAX);
}

static void random_use(void **state)
{
	static uint64_t model[COUNT]; /* 0: not set */
	uint64_t now = 0;
	(void)state;
	srand(4);
	for (unsigned step = 0; step < 300000; step++) {
		unsigned i = (unsigned)rand() % COUNT;
		if (rand() % 3) {
			model[i] = now + 1 + (uint64_t)(rand() % 1000);
			timeouts[i].fire = fire;
			timeout_set(&timeouts[i], model[i]);
		} else {
			model[i] = 0;
			timeout_cancel(&timeouts[i]);
		}
		if (step % 16)
			continue;
		now += (uint64_t)(rand() % 50);
		unsigned due = 0;
		uint64_t first = UINT64_MAX;
		for (i = 0; i < COUNT; i++) {
			if (model[i] != 0 && model[i] <= now)
				model[i] = 0, due++;
			else if (model[i] != 0 && model[i] < first)
				first = model[i];
		}
		last_deadline = total = 0;
		run_all(now);
		assert_int_equal(total, due);
		assert_int_equal(timeout_first(), first);
	}
	for (unsigned i = 0; i < COUNT; i++)
		timeout_cancel(&timeouts[i]);
	assert_int_equal(timeout_first(), UINT64_MAX);
}

/* RFC 8439, 2.3.2. */
static void chacha20(void **state)
{
	const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
	const uint32_t expected[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
	                               0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
	                               0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
	                               0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
	uint32_t key[8], out[16];
	uint8_t bytes[32];
	(void)state;
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	memcpy(key, bytes, sizeof(key));
	chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, expected, sizeof(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(in_order),
	        cmocka_unit_test(fires_in_pieces),
	        cmocka_unit_test(random_use),
	        cmocka_unit_test(chacha20),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
