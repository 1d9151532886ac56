/* SPDX-License-Identifier: MIT */
/*
 * What QEMU's user network still holds, as its monitor says it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>
#include <sys/socket.h>

#include "tools/capos/usernet.h"

#define HEAD                                                                                       \
	"{\"return\": \"Hub -1 (net):\\r\\n  Protocol[State]    FD  Source Address  Port   Dest. " \
	"Address  Port RecvQ SendQ\\r\\n"
#define TAIL "\", \"id\": \"usernet\"}\r\n"
#define ROW(state, port, received, sent)                                                   \
	"  TCP[" state "]     42       10.0.2.15 " port "        10.0.2.2  7070 " received \
	" " sent "\\r\\n"

static void what_is_on_its_way_to_the_host_counts(void **state)
{
	(void)state;
	assert_int_equal(usernet_parse(HEAD TAIL), 0);
	assert_int_equal(usernet_parse(HEAD ROW("ESTABLISHED", "49153", "    0", "   12") TAIL), 0);
	assert_int_equal(usernet_parse(HEAD ROW("CLOSE_WAIT", "49153", " 7588", "    0")
	                                       ROW("LAST_ACK", "49154", "131072", "9") TAIL),
	                 7588 + 131072);
	assert_int_equal(
	        usernet_parse(HEAD
	                      "  UDP[12 sec]        7 10.0.2.15 53 10.0.2.3 53 5 5\\r\\n" TAIL),
	        0);
}

static void a_reply_that_makes_no_sense_holds_nothing(void **state)
{
	(void)state;
	assert_int_equal(usernet_parse(""), 0);
	assert_int_equal(usernet_parse(" TCP["), 0);
	assert_int_equal(usernet_parse(" TCP[a b c\\r\\n"), 0);
	assert_int_equal(usernet_held(-1), 0);
}

static void the_greeting_and_events_are_passed_over(void **state)
{
	static const char reply[] =
	        "{\"QMP\": {\"version\": {}}}\r\n{\"return\": {}}\r\n{\"event\": "
	        "\"RESUME\"}\r\n" HEAD ROW("ESTABLISHED", "49153", "3", "0") TAIL;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(write(ends[1], reply, strlen(reply)), strlen(reply));
	assert_int_equal(usernet_held(ends[0]), 3);
	close(ends[1]);
	assert_int_equal(usernet_held(ends[0]), 0); /* the emulator has ended */
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_on_its_way_to_the_host_counts),
	        cmocka_unit_test(a_reply_that_makes_no_sense_holds_nothing),
	        cmocka_unit_test(the_greeting_and_events_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
