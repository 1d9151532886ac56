/* SPDX-License-Identifier: MIT */
/*
 * Numbers, grants and forwards of the command line: what is taken, and that everything else is
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/capos/grant.h"

static void numbers(void **state)
{
	static const char *const wrong[] = {
	        "", "-1", "+1", " 1", "1 ", "0x10", "1e3", "101", "18446744073709551617"};
	uint64_t value;

	(void)state;
	assert_true(parse_number("0", 0, 100, &value));
	assert_int_equal(value, 0);
	assert_true(parse_number("100", 1, 100, &value));
	assert_int_equal(value, 100);
	assert_false(parse_number("0", 1, 100, &value));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(parse_number(wrong[i], 0, 100, &value));
}

static void good_grants(void **state)
{
	struct grant grant;

	(void)state;
	assert_null(parse_grant("connect=example.org:80", &grant));
	assert_int_equal(grant.kind, GRANT_CONNECT);
	assert_int_equal(grant.host_length, strlen("example.org"));
	assert_memory_equal(grant.host, "example.org", grant.host_length);
	assert_int_equal(grant.port, 80);
	assert_null(parse_grant("connect=10.0.2.2:*", &grant));
	assert_int_equal(grant.port, 0);
	assert_null(parse_grant("connect=[2001:db8::1]:443", &grant));
	assert_memory_equal(grant.host, "2001:db8::1", grant.host_length);
	assert_null(parse_grant("listen=65535", &grant));
	assert_int_equal(grant.kind, GRANT_LISTEN);
	assert_int_equal(grant.port, 65535);
	assert_null(parse_grant("udp", &grant));
	assert_int_equal(grant.kind, GRANT_UDP);
	assert_null(parse_grant("icmp", &grant));
	assert_int_equal(grant.kind, GRANT_ICMP);
	assert_null(parse_grant("resolve", &grant));
	assert_int_equal(grant.kind, GRANT_RESOLVE);
	assert_null(parse_grant("none", &grant));
	assert_int_equal(grant.kind, GRANT_NONE);
}

static void wrong_grants(void **state)
{
	static const char *const wrong[] = {
	        "",
	        "connect",
	        "connect=",
	        "connect=a",
	        "connect=:80",
	        "connect=a:",
	        "connect=a:0",
	        "connect=a:65536",
	        "connect=a b:1",
	        "connect=a:80 ",
	        "connect=::1:80",
	        "listen",
	        "listen=",
	        "listen=0",
	        "listen=65536",
	        "listen=x",
	        "UDP",
	        "udp=1",
	        "icmp,udp",
	        "none ",
	};
	struct grant grant;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(parse_grant(wrong[i], &grant));
}

static void forwards(void **state)
{
	static const char *const wrong[] = {"",         "tcp",       "tcp:80",
	                                    "tcp:80:",  "tcp::80",   "tcp:0:80",
	                                    "sctp:1:2", "tcp:1:2:3", "tcp:70000:1"};
	struct forward forward;

	(void)state;
	assert_null(parse_forward("tcp:8080:80", &forward));
	assert_false(forward.udp);
	assert_int_equal(forward.host_port, 8080);
	assert_int_equal(forward.guest_port, 80);
	assert_null(parse_forward("udp:53:5353", &forward));
	assert_true(forward.udp);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(parse_forward(wrong[i], &forward));
}

static void publications(void **state)
{
	static const char *const wrong[] = {"",     "80",      "8080:",        ":80",
	                                    "0:80", "1:2:3",   "8080:80/",     "8080:80/sctp",
	                                    "a:80", "70000:1", "8080:80/udpx", "/udp"};
	struct forward forward;

	(void)state;
	assert_null(parse_publish("8080:80", &forward));
	assert_false(forward.udp);
	assert_int_equal(forward.host_port, 8080);
	assert_int_equal(forward.guest_port, 80);
	assert_null(parse_publish("8080:80/tcp", &forward));
	assert_false(forward.udp);
	assert_null(parse_publish("53:5353/udp", &forward));
	assert_true(forward.udp);
	assert_int_equal(forward.guest_port, 5353);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(parse_publish(wrong[i], &forward));
}

static void sizes(void **state)
{
	static const char *const wrong[] = {"",     "K",  "1X", "1KB", "-1",
	                                    "1.5G", " 1", "1 ", "KK",  "99999999999999G"};
	uint64_t value;

	(void)state;
	assert_true(parse_size("1", 1, UINT64_MAX, &value));
	assert_int_equal(value, 1);
	assert_true(parse_size("3K", 1, UINT64_MAX, &value));
	assert_int_equal(value, 3072);
	assert_true(parse_size("2m", 1, UINT64_MAX, &value));
	assert_int_equal(value, 2 << 20);
	assert_true(parse_size("1G", 1, UINT64_MAX, &value));
	assert_int_equal(value, 1 << 30);
	assert_false(parse_size("1G", 1, 1 << 20, &value));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(parse_size(wrong[i], 0, UINT64_MAX, &value));
}

static void durations(void **state)
{
	static const char *const wrong[] = {"",   "s",   "m",    "5 s", "5S", "5d", "5ms",
	                                    "-5", "5ss", "1.5h", "0",   "0s", "0h", "5s "};
	uint64_t value;

	(void)state;
	assert_true(parse_duration("5", 1, 86400, &value));
	assert_int_equal(value, 5);
	assert_true(parse_duration("5s", 1, 86400, &value));
	assert_int_equal(value, 5);
	assert_true(parse_duration("1m", 1, 86400, &value));
	assert_int_equal(value, 60);
	assert_true(parse_duration("24h", 1, 86400, &value));
	assert_int_equal(value, 86400);
	assert_false(parse_duration("25h", 1, 86400, &value));
	assert_false(parse_duration("1441m", 1, 86400, &value));
	assert_false(parse_duration("99999999999999999h", 1, UINT64_MAX, &value));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(parse_duration(wrong[i], 1, 86400, &value));
}

static void near_names(void **state)
{
	static const char *const names[] = {"allow", "memory", "timeout", "net"};

	(void)state;
	assert_string_equal(nearest_name("memroy", names, 4), "memory");
	assert_string_equal(nearest_name("alow", names, 4), "allow");
	assert_string_equal(nearest_name("nett", names, 4), "net");
	assert_string_equal(nearest_name("alolw", names, 4), "allow");
	assert_string_equal(nearest_name("nte", names, 4), "net");
	assert_string_equal(nearest_name("mem", names, 4), "memory");
	assert_null(nearest_name("oat", names, 4));
	assert_null(nearest_name("frobnicate", names, 4));
	assert_null(nearest_name("a-name-that-is-far-too-long-to-be-any-of-them", names, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(numbers),      cmocka_unit_test(good_grants),
	        cmocka_unit_test(wrong_grants), cmocka_unit_test(forwards),
	        cmocka_unit_test(publications), cmocka_unit_test(sizes),
	        cmocka_unit_test(durations),    cmocka_unit_test(near_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
