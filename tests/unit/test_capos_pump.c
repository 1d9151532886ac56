/* SPDX-License-Identifier: MIT */
/*
 * The host command's pumps (bytes come out as they went in, also past a slow reader) and its log
 * (the last part is kept, a panic is found).
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tools/capos/capos.h"
#include "tools/capos/log.h"
#include "tools/capos/pump.h"

/* What main.c has for the command. */
void complain(const char *format, ...)
{
	(void)format;
}

void die(const char *format, ...)
{
	(void)format;
	fail_msg("died: %s", format);
	abort();
}

void *must(void *allocated)
{
	assert_non_null(allocated);
	return allocated;
}

#define TOTAL (3u << 20)

static char byte_at(size_t i)
{
	return (char)(i * 7 + i / 256);
}

static void make_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

/* Fills a pipe from `done` on; what is done then. */
static size_t feed(int fd, size_t done)
{
	char bytes[5000];

	while (done < TOTAL) {
		size_t size = TOTAL - done < sizeof(bytes) ? TOTAL - done : sizeof(bytes);
		for (size_t i = 0; i < size; i++)
			bytes[i] = byte_at(done + i);
		ssize_t n = write(fd, bytes, size);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static void bytes_stay_in_order(void **state)
{
	int in[2], out[2];
	struct pump pump;
	size_t fed = 0, taken = 0;

	(void)state;
	make_pipe(in);
	make_pipe(out);
	pump_init(&pump, in[0], out[1], PUMP_BUFFER);
	for (int round = 0; taken < TOTAL && round < 100000; round++) {
		char bytes[3001];
		fed = feed(in[1], fed);
		pump_read(&pump);
		pump_write(&pump);
		ssize_t n = read(out[0], bytes, sizeof(bytes));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(bytes[i], byte_at(taken + (size_t)i));
		taken += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(taken, TOTAL);
	close(in[1]);
	assert_false(pump_read(&pump));
	assert_int_equal(pump.from, -1);
	pump_free(&pump);
	close(in[0]);
	close(out[0]);
	close(out[1]);
}

static void full_buffer_stops_reading(void **state)
{
	int in[2], out[2];
	struct pump pump;
	struct pollfd from, to;

	(void)state;
	make_pipe(in);
	make_pipe(out);
	pump_init(&pump, in[0], out[1], PUMP_BUFFER);
	for (size_t fed = 0, before = 1; fed != before;) {
		before = fed;
		fed = feed(in[1], fed);
		pump_read(&pump);
	}
	assert_int_equal(pump.end - pump.start, PUMP_BUFFER);
	pump_prepare(&pump, &from, &to);
	assert_int_equal(from.fd, -1);
	assert_int_equal(to.fd, out[1]);
	pump_free(&pump);
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
}

static void reader_that_left(void **state)
{
	int in[2], out[2];
	struct pump pump;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	make_pipe(in);
	make_pipe(out);
	close(out[0]);
	pump_init(&pump, in[0], out[1], PUMP_BUFFER);
	assert_int_equal(write(in[1], "abc", 3), 3);
	assert_true(pump_read(&pump));
	pump_write(&pump);
	assert_true(pump.refused);
	assert_int_equal(pump.error, EPIPE);
	assert_true(pump_is_empty(&pump));
	pump_free(&pump);
	close(in[0]);
	close(in[1]);
	close(out[1]);
}

static void output_leaves_the_original_blocking(void **state)
{
	int ends[2];
	size_t chunk;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	int output = pump_output(ends[1], &chunk);
	assert_true(output >= 0);
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	assert_true((fcntl(output, F_GETFL) & O_NONBLOCK) != 0 || chunk <= 4096);
	close(output);
	close(ends[0]);
	close(ends[1]);
}

static void log_finds_a_panic(void **state)
{
	static struct log log;
	static const char text[] = "init: hello\nnot PANIC: this\r\nPAN";

	(void)state;
	log_init(&log, -1, UINT64_MAX, false);
	log_add(&log, text, strlen(text));
	assert_string_equal(log.panic, "");
	log_add(&log, "IC: page fault at 0\nPANIC: second\n", 34);
	/* A process may have written the first; nothing comes after the kernel's. */
	assert_string_equal(log.panic, "PANIC: second");
}

static void log_file_is_bounded(void **state)
{
	static struct log log;
	char path[] = "/tmp/test-capos-log-XXXXXX", bytes[1000];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	log_init(&log, dup(fd), 100, false);
	for (int i = 0; i < 1000; i++)
		log_add(&log, "0123456\n", 8);
	assert_true(log.cut);
	log_finish(&log);
	ssize_t n = pread(fd, bytes, sizeof(bytes) - 1, 0);
	assert_true(n > 100 && n < 200);
	bytes[n] = '\0';
	assert_memory_equal(bytes, "0123456\n0123456\n", 16);
	assert_non_null(strstr(bytes + 100, "the log was cut here, at 100 bytes\n"));
	close(fd);
	unlink(path);
}

static void log_keeps_the_end(void **state)
{
	static struct log log;
	char line[100];

	(void)state;
	log_init(&log, -1, UINT64_MAX, false);
	for (int i = 0; i < 5000; i++) {
		int length = snprintf(line, sizeof(line), "line %d\n", i);
		log_add(&log, line, (size_t)length);
		assert_true(log.length <= LOG_KEPT);
	}
	assert_true(log.length > LOG_KEPT / 4);
	assert_memory_equal(log.kept + log.length - 10, "line 4999\n", 10);
	static char much[3 * LOG_KEPT];
	memset(much, 'z', sizeof(much));
	log_add(&log, much, sizeof(much));
	assert_int_equal(log.length, LOG_KEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bytes_stay_in_order),
	        cmocka_unit_test(full_buffer_stops_reading),
	        cmocka_unit_test(reader_that_left),
	        cmocka_unit_test(output_leaves_the_original_blocking),
	        cmocka_unit_test(log_finds_a_panic),
	        cmocka_unit_test(log_keeps_the_end),
	        cmocka_unit_test(log_file_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
