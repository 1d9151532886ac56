/* SPDX-License-Identifier: MIT */
/*
 * What `capos run` asks of init: the ProgramRequest made from settings, read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <capos/schema/manifest.h>
#include <capos/schema/network.h>

#include "tools/capos/grant.h"
#include "tools/capos/request.h"

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

static struct settings settings;
static struct msg_reader reader;
static struct program_request request;

/* The message lives as long as the caller keeps it. */
static void *build_and_read(const char *program)
{
	uint32_t length;
	void *message = request_build(&settings, program, &length);

	msg_reader_init(&reader, message, length);
	assert_int_equal(program_request_read(&reader, &request), 0);
	return message;
}

static void assert_text(const struct msg_list *list, uint32_t index, const char *expected)
{
	struct msg_text text;

	assert_int_equal(msg_list_text(list, index, &text), 0);
	assert_string_equal(text.ptr, expected);
}

static void ordinary(void **state)
{
	static char *program[] = {"./prog", "-x", "", NULL};

	(void)state;
	settings = (struct settings){.program = program};
	settings.env.items[settings.env.count++] = "A=b c";
	void *message = build_and_read("/run/prog");
	assert_int_equal(request.args.count, 3);
	assert_text(&request.args, 0, "/run/prog");
	assert_text(&request.args, 1, "-x");
	assert_text(&request.args, 2, "");
	assert_int_equal(request.env.count, 1);
	assert_text(&request.env, 0, "A=b c");
	assert_true(request.ordinary_network);
	assert_true(request.resolve);
	assert_int_equal(request.grants.count, 0);
	assert_false(request.has_network);
	assert_false(request.list_capabilities);
	free(message);
}

static void exact_grants(void **state)
{
	static char *program[] = {"p", NULL};
	struct network_grant grant;

	(void)state;
	settings = (struct settings){.program = program, .ngrants = 4};
	assert_null(parse_grant("connect=h.example:8080", &settings.grants[0]));
	assert_null(parse_grant("resolve", &settings.grants[1]));
	assert_null(parse_grant("listen=7", &settings.grants[2]));
	assert_null(parse_grant("icmp", &settings.grants[3]));
	void *message = build_and_read("p");
	assert_false(request.ordinary_network);
	assert_true(request.resolve);
	assert_int_equal(request.grants.count, 3);
	assert_int_equal(network_grant_get(&request.grants, 0, &grant), 0);
	assert_int_equal(grant.which, NETWORK_GRANT_CONNECT);
	assert_string_equal(grant.connect.host.ptr, "h.example");
	assert_int_equal(grant.connect.port, 8080);
	assert_int_equal(network_grant_get(&request.grants, 1, &grant), 0);
	assert_int_equal(grant.which, NETWORK_GRANT_LISTEN);
	assert_int_equal(grant.listen, 7);
	assert_int_equal(network_grant_get(&request.grants, 2, &grant), 0);
	assert_int_equal(grant.which, NETWORK_GRANT_ICMP);
	free(message);
}

static void no_grant(void **state)
{
	(void)state;
	settings = (struct settings){.ngrants = 1, .list_capabilities = true};
	assert_null(parse_grant("none", &settings.grants[0]));
	void *message = build_and_read(NULL);
	assert_false(request.ordinary_network);
	assert_false(request.resolve);
	assert_int_equal(request.grants.count, 0);
	assert_int_equal(request.args.count, 0);
	assert_true(request.list_capabilities);
	free(message);
}

static void static_address(void **state)
{
	(void)state;
	settings = (struct settings){
	        .address = "192.168.7.2/22,gw=192.168.4.1,dns=1.2.3.4,dns=5.6.7.8"};
	void *message = build_and_read(NULL);
	assert_true(request.has_network);
	assert_int_equal(request.network.which, NETWORK_CONFIG_STATIC);
	assert_string_equal(request.network.static_.addr.ptr, "192.168.7.2");
	assert_string_equal(request.network.static_.netmask.ptr, "255.255.252.0");
	assert_string_equal(request.network.static_.gateway.ptr, "192.168.4.1");
	assert_int_equal(request.network.static_.name_servers.count, 2);
	assert_text(&request.network.static_.name_servers, 1, "5.6.7.8");
	free(message);

	settings.address = "none";
	message = build_and_read(NULL);
	assert_int_equal(request.network.which, NETWORK_CONFIG_NONE);
	free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ordinary),
	        cmocka_unit_test(exact_grants),
	        cmocka_unit_test(no_grant),
	        cmocka_unit_test(static_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
