/* SPDX-License-Identifier: MIT */
/*
 * DNS messages and ICMP echo messages of libcapos-posix: what is well formed is read and answered
 * right, and no length or pointer in a message, however malformed, leads outside of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libcapos-posix/src/socket/dnspacket.h"
#include "libcapos-posix/src/socket/icmp.h"

static uint32_t seed = 4711;

static uint32_t rnd(uint32_t bound)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * bound) >> 32);
}

/* A copy of exactly that many bytes, so that the sanitizer sees every byte read behind them. */
static uint8_t *exactly(const void *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	memcpy(copy, bytes, length);
	return copy;
}

static int parse(const uint8_t *message, uint32_t length, struct dns_question *out)
{
	uint8_t *copy = exactly(message, length);
	int result = dns_parse_question(copy, length, out);

	free(copy);
	return result;
}

/* id 0x1234, recursion desired, one question: www.example.com A IN */
static const uint8_t query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                               "\x03www\x07"
                               "example\x03"
                               "com\x00\x00\x01\x00\x01";
#define QUERY_LENGTH (sizeof(query) - 1)

static void test_question(void **state)
{
	struct dns_question question;

	(void)state;
	assert_int_equal(parse(query, QUERY_LENGTH, &question), 0);
	assert_string_equal(question.name, "www.example.com");
	assert_int_equal(question.type, DNS_TYPE_A);
	assert_int_equal(question.class_, DNS_CLASS_IN);
	assert_int_equal(question.end, QUERY_LENGTH);
	/* What follows the question (EDNS) does not matter. */
	uint8_t longer[QUERY_LENGTH + 11] = {0};
	memcpy(longer, query, QUERY_LENGTH);
	assert_int_equal(parse(longer, sizeof(longer), &question), 0);
	assert_int_equal(question.end, QUERY_LENGTH);
	/* The root. */
	assert_int_equal(
	        parse((const uint8_t *)"\0\0\1\0\0\1\0\0\0\0\0\0\0\0\2\0\1", 17, &question), 0);
	assert_string_equal(question.name, "");
	assert_int_equal(question.type, 2);
}

static void test_bad_questions(void **state)
{
	struct dns_question question;
	uint8_t bad[512];

	(void)state;
	for (uint32_t length = 0; length < QUERY_LENGTH; length++)
		assert_int_equal(parse(query, length, &question),
		                 length < 12 ? -1 : (int)DNS_RCODE_FORMAT);
	static const struct {
		uint32_t at;
		uint8_t value;
		int result;
	} changes[] = {
	        {2, 0x81, -1},                        /* a response */
	        {2, 0x09, DNS_RCODE_NOT_IMPLEMENTED}, /* another operation */
	        {5, 0, DNS_RCODE_FORMAT},             /* no question */
	        {5, 2, DNS_RCODE_FORMAT},             /* two */
	        {12, 0xc0, DNS_RCODE_FORMAT},         /* a pointer */
	        {12, 64, DNS_RCODE_FORMAT},           /* a reserved kind of label */
	        {12, 63, DNS_RCODE_FORMAT},           /* a label beyond the end */
	        {13, '.', DNS_RCODE_FORMAT},          /* a dot inside a label */
	        {13, 0, DNS_RCODE_FORMAT},            /* a NUL */
	        {28, 5, DNS_RCODE_FORMAT},            /* no end */
	};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		memcpy(bad, query, QUERY_LENGTH);
		bad[changes[i].at] = changes[i].value;
		assert_int_equal(parse(bad, QUERY_LENGTH, &question), changes[i].result);
	}
	/* Names of 253 bytes are allowed, of 254 not. */
	for (uint32_t last = 60; last <= 63; last++) {
		uint32_t at = 12;
		memset(bad, 'x', sizeof(bad));
		memcpy(bad, query, 12);
		for (int i = 0; i < 3; i++, at += 64)
			bad[at] = 63;
		bad[at] = (uint8_t)last;
		at += 1 + last;
		bad[at++] = 0;
		int want = 3 * 64 + last <= DNS_NAME_MAX ? 0 : (int)DNS_RCODE_FORMAT;
		assert_int_equal(parse(bad, at + 4, &question), want);
		if (!want)
			assert_int_equal(strlen(question.name), 3 * 64 + last);
	}
	for (int round = 0; round < 200000; round++) {
		uint32_t length = rnd(80);
		for (uint32_t i = 0; i < length; i++)
			bad[i] = (uint8_t)(rnd(3) ? rnd(8) : rnd(256));
		if (length > 5 && rnd(2))
			memcpy(bad, query, 6);
		parse(bad, length, &question);
		assert_true(question.end <= length);
		assert_true(strlen(question.name) <= DNS_NAME_MAX);
	}
}

static void test_answer(void **state)
{
	static const uint8_t addresses[] = {10, 0, 2, 2, 192, 0, 2, 1};
	uint8_t answer[512];
	uint32_t length =
	        dns_build_answer(query, QUERY_LENGTH, DNS_RCODE_OK, addresses, 2, answer, 512);

	(void)state;
	assert_int_equal(length, QUERY_LENGTH + 32);
	assert_memory_equal(answer, "\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00", 12);
	assert_memory_equal(answer + 12, query + 12, QUERY_LENGTH - 12);
	assert_memory_equal(answer + QUERY_LENGTH, "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\0\2\2", 16);
	assert_memory_equal(answer + QUERY_LENGTH + 28, "\xc0\0\2\1", 4);
	length = dns_build_answer(query, QUERY_LENGTH, DNS_RCODE_NO_NAME, NULL, 0, answer, 512);
	assert_int_equal(length, QUERY_LENGTH);
	assert_int_equal(answer[3] & 15, 3);
	assert_int_equal(answer[7], 0);
	/* No question that could be repeated: the header alone. */
	length = dns_build_answer(query, 0, DNS_RCODE_FORMAT, NULL, 0, answer, 512);
	assert_int_equal(length, 12);
	assert_int_equal(answer[5], 0);
	/* Every size: nothing is written behind it. */
	for (uint32_t size = 0; size < 80; size++) {
		uint8_t *small = malloc(size ? size : 1);
		length = dns_build_answer(query, QUERY_LENGTH, 0, addresses, 2, small, size);
		assert_int_equal(length, size < QUERY_LENGTH        ? 0
		                         : size < QUERY_LENGTH + 16 ? QUERY_LENGTH
		                         : size < QUERY_LENGTH + 32 ? QUERY_LENGTH + 16
		                                                    : QUERY_LENGTH + 32);
		free(small);
	}
}

static uint16_t sum(const uint8_t *bytes, size_t length)
{
	uint32_t total = 0;

	for (size_t i = 0; i < length; i++)
		total += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

static void test_echo(void **state)
{
	uint8_t request[17] = {8, 0, 9, 9, 1, 2, 0, 5, 'd', 'a', 't', 'a'};
	uint8_t packet[64] = {0x45, 0, 0, 20 + 12, 0, 0, 0, 0, 64, 1};
	uint16_t id;
	size_t start, end;

	(void)state;
	memcpy(&id, "\xab\xcd", 2);
	for (size_t length = 0; length <= sizeof(request); length++) {
		request[0] = 8;
		assert_int_equal(icmp_make_request(request, length, id), length >= 8);
		if (length >= 8) {
			assert_memory_equal(request + 4, "\xab\xcd\0\5", 4);
			assert_int_equal(sum(request, length), 0xffff);
		}
		request[0] = 0;
		assert_false(icmp_make_request(request, length, id));
	}
	memcpy(packet + 20, request, 12);
	assert_true(icmp_find_reply(packet, 32, id, &start, &end));
	assert_int_equal(start, 20);
	assert_int_equal(end, 32);
	assert_true(icmp_find_reply(packet, 40, id, &start, &end)); /* padded */
	assert_int_equal(end, 32);
	assert_false(icmp_find_reply(packet, 32, (uint16_t)(id + 1), &start, &end));
	for (size_t length = 0; length < 32; length++) {
		uint8_t *copy = exactly(packet, length);
		assert_false(icmp_find_reply(copy, length, id, &start, &end));
		free(copy);
	}
	for (int round = 0; round < 200000; round++) {
		size_t length = rnd(64);
		uint8_t damaged[64];
		memcpy(damaged, packet, sizeof(damaged));
		for (uint32_t i = rnd(4); i; i--)
			damaged[rnd(32)] = (uint8_t)rnd(256);
		uint8_t *copy = exactly(damaged, length);
		if (icmp_find_reply(copy, length, id, &start, &end))
			assert_true(start >= 20 && start + 8 <= end && end <= length);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_question),
	        cmocka_unit_test(test_bad_questions),
	        cmocka_unit_test(test_answer),
	        cmocka_unit_test(test_echo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
