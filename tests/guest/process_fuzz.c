/* SPDX-License-Identifier: MIT */
/*
 * A member that calls the process service with anything at all: random parameters, capabilities of
 * the wrong kinds, messages that are none.  Afterwards the service is the same process as before,
 * and what this program is honest about works.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <capos/cap.h>
#include <capos/schema/process_client.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "posix_tap.h"

#define ROUNDS 20000
#define HELD   32

static uint32_t seed = 1;
static uint64_t buffer[1024];
static int answered; /* calls that the service did what they asked for */

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static uint64_t draw_word(void)
{
	static const uint64_t known[] = {
	        0,         1,  2,  3,       5,          9,          17,           18,
	        19,        64, 65, 4194303, UINT32_MAX, UINT64_MAX, (uint64_t)-1, (uint64_t)-2,
	        1ull << 63};

	return draw(3) ? known[draw(sizeof(known) / sizeof(known[0]))] : draw(100);
}

/* What it holds: its process, an event, the world; then members, births, ends and memory that it
 * got, each with the interface that it has. */
static cap_t held[HELD];
static uint64_t interfaces[HELD];

static void keep(cap_t cap, uint64_t interface)
{
	uint32_t place = 3 + draw(HELD - 3);

	cap_release(held[place]);
	held[place] = cap;
	interfaces[place] = interface;
}

/* Of what the method gives. */
static uint64_t interface_of_result(uint64_t interface, uint16_t method)
{
	if (interface != PROCESS_MEMBER_INTERFACE)
		return PROCESS_MEMBER_INTERFACE; /* enroll, join */
	return method == PROCESS_MEMBER_PREPARE_FORK ? PROCESS_BIRTH_INTERFACE
	       : method == PROCESS_MEMBER_OPEN_ENDS  ? PROCESS_END_INTERFACE
	                                             : 0;
}

/* What would end or stop this program itself, which is of the same world, is left out. */
static void spare_oneself(uint64_t interface, uint16_t method, const struct msg_slot *root)
{
	static const uint32_t harmless[] = {0, 10, 18, 64, 65, 1000, UINT32_MAX};
	uint32_t signal = harmless[draw(sizeof(harmless) / sizeof(harmless[0]))];

	if (interface == PROCESS_MEMBER_INTERFACE && method == PROCESS_MEMBER_KILL)
		msg_set_bits(root, 64, 32, signal);
	if (interface == PROCESS_WORLD_INTERFACE && method == PROCESS_WORLD_SIGNAL)
		msg_set_bits(root, 0, 32, signal);
	if (interface == PROCESS_MEMBER_INTERFACE && method == PROCESS_MEMBER_SET_LIMIT)
		msg_set_bits(root, 32, 32, 16 + draw(100));
}

static void call_something(void)
{
	static const struct {
		uint64_t interface;
		uint16_t methods;
	} kinds[] = {{PROCESS_WORLD_INTERFACE, PROCESS_WORLD_METHOD_COUNT + 1},
	             {PROCESS_MEMBER_INTERFACE, PROCESS_MEMBER_METHOD_COUNT + 1},
	             {PROCESS_BIRTH_INTERFACE, PROCESS_BIRTH_METHOD_COUNT + 1},
	             {PROCESS_END_INTERFACE, PROCESS_END_METHOD_COUNT + 1}};
	struct capos_send_cap send[2];
	struct capos_call call = {.send_caps = send,
	                          .send_ncaps = draw(3),
	                          .buffer = buffer,
	                          .size = sizeof(buffer),
	                          .timeout_ns = 2000000};
	uint32_t place = draw(8) ? 2 + draw(HELD - 2) : draw(HELD);
	unsigned kind = draw(4);
	uint16_t method;
	uint32_t length, words = 2 + draw(6);
	struct msg_builder builder;
	struct msg_slot root;

	for (unsigned i = 0; i < 4 && draw(10); i++)
		kind = kinds[i].interface == interfaces[place] ? i : kind;
	method = (uint16_t)draw(kinds[kind].methods);
	for (unsigned i = 0; i < 2; i++)
		send[i] = (struct capos_send_cap){.cap = held[draw(5) ? i : draw(HELD)],
		                                  .rights = CAP_RIGHTS_ALL};
	if (draw(3))
		call.send_ncaps = 2;
	msg_builder_init(&builder, buffer, sizeof(buffer));
	msg_write_root(&builder, (uint16_t)words, (uint16_t)draw(3), &root);
	for (uint32_t i = 0; i < words; i++)
		msg_set_bits(&root, i * 64, 64, draw_word() | (draw(2) ? draw_word() << 32 : 0));
	if (draw(2)) /* the process, then the event: what enroll and join are sent */
		msg_set_bits(&root, 0, 32, 1u << 16);
	spare_oneself(kinds[kind].interface, method, &root);
	if (!draw(10))
		buffer[draw(2)] = draw_word(); /* its pointers, or the size of its parts */
	if (cap_call(held[place], kinds[kind].interface, method, msg_builder_length(&builder),
	             &call, &length))
		return;
	answered++;
	for (uint32_t i = 0; i < call.ncaps; i++)
		keep(call.caps[i], interface_of_result(kinds[kind].interface, method));
}

/* Members come of births alone, as a process enrolls once: one in good order, from time to time. */
static void be_another_member(cap_t member)
{
	const struct process_birth_join_params params = {.signals_index = 1};
	struct capos_send_cap send[2] = {{.cap = held[0], .rights = CAP_RIGHTS_ALL},
	                                 {.cap = held[1], .rights = CAP_RIGHTS_ALL}};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_member_prepare_fork_results made;
	struct process_birth_join_results joined;
	cap_t birth;

	if (process_member_prepare_fork(member, &made, &call) || !call.ncaps)
		return;
	birth = call.caps[0];
	keep(birth, PROCESS_BIRTH_INTERFACE);
	call = (struct capos_call){
	        .send_caps = send, .send_ncaps = 2, .buffer = buffer, .size = sizeof(buffer)};
	if (!process_birth_join(birth, &params, &joined, &call) && call.ncaps)
		keep(call.caps[0], PROCESS_MEMBER_INTERFACE);
}

/* ---- A relative that says anything of itself ---- */

#define REPORT 8192u

static void report(cap_t member, const char *bytes)
{
	static uint64_t message[REPORT / 8 + 64];
	const struct process_member_report_params params = {.report = MSG_DATA(bytes, REPORT)};
	struct capos_call call = {.buffer = message, .size = sizeof(message)};

	if (process_member_report(member, &params, &call) == CAP_ETYPE)
		_exit(1);
}

/* Among the first capabilities that a process has. */
static cap_t find_member(void)
{
	for (uint32_t index = 2; index < 64; index++) {
		for (uint64_t generation = 1; generation < 64; generation++) {
			cap_t cap = CAP_ID(index, generation);
			struct process_member_death_signal_results signal;
			struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};

			if (!process_member_death_signal(cap, &signal, &call))
				return cap;
		}
	}
	return CAP_NULL;
}

/* Records whose name or text is longer than that of an honest process, or has no end. */
static void report_all(void)
{
	static char bytes[REPORT];
	static const char *const names[] = {"fd/1", "exe", "cwd", "net/unix", "net/tcp", "fd/", ""};
	cap_t member;

	/* The library is not to answer in between: it does not know of these calls. */
	cap_ring()->upcall_mask = 1;
	member = find_member();
	while (member) {
		uint32_t kind = draw(4), at = 0;

		memset(bytes, kind == 3 ? 0 : '7', sizeof(bytes));
		while (kind == 0 && at < REPORT - 600) { /* records of all lengths */
			const char *name = names[draw(7)];
			memcpy(bytes + at, name, strlen(name));
			at += (uint32_t)strlen(name) + (draw(4) ? 0 : draw(300));
			bytes[at] = 0;
			at += 1 + draw(300);
		}
		if (kind == 1) /* one with a text of all that is left */
			strcpy(bytes, names[draw(7)]);
		if (kind == 2) /* a descriptor of 8,000 digits */
			memcpy(bytes, "fd/", 3);
		bytes[REPORT - 2 - draw(2)] = bytes[REPORT - 1] = 0;
		report(member, bytes);
	}
	_exit(1);
}

static bool directory_is_sane(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool sane = true;

	while (d && (e = readdir(d)))
		sane &= strlen(e->d_name) < 32;
	if (d)
		closedir(d);
	return sane;
}

static void a_relative_lies(void)
{
	static const char *const links[] = {"exe", "cwd", "fd/1"};
	char path[64], target[4096];
	bool sane = true;
	int answers = 0;
	pid_t child = fork();
	struct stat st;

	if (!child)
		report_all();
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", child, links[i % 3]);
		answers += readlink(path, target, sizeof(target)) > 0;
		(void)stat(path, &st);
		close(open(path, O_RDONLY));
		snprintf(path, sizeof(path), "/proc/%d/fd", child);
		sane &= directory_is_sane(path);
		close(open("/proc/net/unix", O_RDONLY));
	}
	printf("# %d of its links lead anywhere\n", answers);
	ok(answers && sane, "what a relative says of itself does no harm to who asks");
	ok(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child, "it did it to the end");
}

int main(int argc, char **argv)
{
	uint64_t before = 0, after = 1;
	cap_t member;
	int status;
	pid_t child;

	(void)argc;
	start_init((const uint64_t *)argv - 1);
	a_relative_lies();
	/* Signals would be about numbers that it made up. */
	for (int i = 1; i <= 64; i++)
		signal(i, SIG_IGN);
	cap_copy(CAP_SELF, CAP_RIGHT_WATCH | CAP_RIGHT_CALL | CAP_RIGHT_COPY, &held[0]);
	cap_event_create(&held[1]);
	cap_copy(start_cap("world"), CAP_RIGHTS_ALL, &held[2]);
	interfaces[2] = PROCESS_WORLD_INTERFACE;
	member = find_member();
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 50 == 0)
			be_another_member(member);
		call_something();
	}
	printf("# %d of %d calls did something\n", answered, ROUNDS);
	ok(answered > ROUNDS / 50, "the service does what it can");
	ok(cap_test(start_cap("world"), &before) == CAP_OK, "the world is there");
	for (int i = 0; i < HELD; i++)
		cap_release(held[i]);
	signal(SIGCHLD, SIG_DFL);
	child = fork();
	if (!child)
		_exit(7);
	ok(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	           WEXITSTATUS(status) == 7,
	   "fork and wait work");
	cap_test(start_cap("world"), &after);
	ok(before == after, "by the same process of the service");
	return tap_finish();
}
