/* SPDX-License-Identifier: MIT */
/*
 * Values of the command line beside the grants: addresses, environments, and the end of a file of
 * frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>

#include "tools/capos/address.h"
#include "tools/capos/environment.h"
#include "tools/capos/pcap.h"

/* The command line's texts live as long as the process: nothing frees them. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void good_addresses(void **state)
{
	struct address address;

	(void)state;
	assert_null(
	        parse_address("192.168.7.2/22,gw=192.168.4.1,dns=1.2.3.4,dns=5.6.7.8", &address));
	assert_string_equal(address.address, "192.168.7.2");
	assert_string_equal(address.netmask, "255.255.252.0");
	assert_string_equal(address.gateway, "192.168.4.1");
	assert_int_equal(address.nname_servers, 2);
	assert_string_equal(address.name_servers[1], "5.6.7.8");
	assert_null(parse_address("10.0.0.1/32", &address));
	assert_string_equal(address.netmask, "255.255.255.255");
	assert_string_equal(address.gateway, "");
	assert_null(parse_address("10.0.0.0/31", &address));
	assert_null(parse_address("10.0.0.1/0", &address));
	assert_string_equal(address.netmask, "0.0.0.0");
	assert_null(parse_address("none", &address));
	assert_true(address.none);
}

static void wrong_addresses(void **state)
{
	static const char *const wrong[] = {
	        "",
	        "none ",
	        "10.0.0.1",
	        "10.0.0.1/",
	        "10.0.0.1/33",
	        "10.0.0.1/-1",
	        "10.0.0.1/024",
	        "10.0.0.1/24x",
	        "10.0.0.1/24,",
	        "10.0.0.300/8",
	        "10.0.0/8",
	        "10.0.0.1.2/8",
	        "010.0.0.1/8", /* the guest would take it for octal */
	        "10.0.0.0/24",
	        "10.0.0.255/24",
	        "0.0.0.1/8",
	        "127.0.0.1/8",
	        "224.0.0.1/4",
	        "255.255.255.255/32",
	        "fe80::1/64",
	        "10.0.0.1/24,gw=",
	        "10.0.0.1/24,gw=10.0.0.2x",
	        "10.0.0.1/24,gw=10.0.0.2,gw=10.0.0.3",
	        "10.0.0.1/24,dns=1.1.1.1,dns=1.1.1.2,dns=1.1.1.3,dns=1.1.1.4",
	        "10.0.0.1/24,mtu=1500",
	        "10.0.0.1/24,dns=0.0.0.0",
	};
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(parse_address(wrong[i], &address));
}

static void environments(void **state)
{
	static struct string_list list, other;

	(void)state;
	list.count = other.count = 0;
	assert_null(environment_add(&list, "A=b=c"));
	assert_null(environment_add(&list, "EMPTY="));
	assert_non_null(environment_add(&list, "A=again"));
	assert_non_null(environment_add(&list, "=b"));
	assert_non_null(environment_add(&list, ""));
	unsetenv("TEST_CAPOS_UNSET");
	setenv("TEST_CAPOS_SET", "here", 1);
	assert_non_null(environment_add(&list, "TEST_CAPOS_UNSET"));
	assert_null(environment_add(&list, "TEST_CAPOS_SET"));
	assert_int_equal(list.count, 3);
	assert_string_equal(list.items[2], "TEST_CAPOS_SET=here");

	assert_null(environment_add(&other, "A=other"));
	assert_null(environment_add(&other, "B=2"));
	assert_null(environment_merge(&list, &other));
	assert_int_equal(list.count, 4);
	assert_string_equal(list.items[0], "A=b=c");
	assert_string_equal(list.items[3], "B=2");
}

static const char *read_text(struct string_list *list, const char *text)
{
	char path[] = "/tmp/test-capos-values-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	const char *problem = environment_read(list, path);
	unlink(path);
	return problem;
}

static void environment_files(void **state)
{
	static struct string_list list;

	(void)state;
	list.count = 0;
	assert_null(read_text(&list, "# comment\n\nA=1\r\n  \nB=two words\nC=#3"));
	assert_int_equal(list.count, 3);
	assert_string_equal(list.items[0], "A=1");
	assert_string_equal(list.items[1], "B=two words");
	assert_string_equal(list.items[2], "C=#3");
	const char *problem = read_text(&list, "D=1\n\n=x\n");
	assert_non_null(problem);
	assert_non_null(strstr(problem, "line 3"));
	assert_non_null(environment_read(&list, "/no/such/file"));
}

static void whole_frames(void **state)
{
	unsigned char file[200] = {0};
	uint32_t first = 60, second = 30;

	(void)state;
	memcpy(file + 24 + 8, &first, 4);
	memcpy(file + 24 + 16 + 60 + 8, &second, 4);
	assert_int_equal(pcap_whole(file, 24 + 16 + 60 + 16 + 30), 24 + 16 + 60 + 16 + 30);
	assert_int_equal(pcap_whole(file, 24 + 16 + 60 + 16 + 29), 24 + 16 + 60);
	assert_int_equal(pcap_whole(file, 24 + 16 + 60 + 15), 24 + 16 + 60);
	assert_int_equal(pcap_whole(file, 24 + 16 + 59), 24);
	assert_int_equal(pcap_whole(file, 24), 24);
	assert_int_equal(pcap_whole(file, 10), 10);
	memset(file + 24 + 8, 0xff, 4);
	assert_int_equal(pcap_whole(file, sizeof(file)), 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(good_addresses), cmocka_unit_test(wrong_addresses),
	        cmocka_unit_test(environments),   cmocka_unit_test(environment_files),
	        cmocka_unit_test(whole_frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
