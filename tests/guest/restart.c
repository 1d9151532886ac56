/* SPDX-License-Identifier: MIT */
/*
 * Services that end and are started again, as their clients see it.  The manifest beside this file
 * gives the program the process of each service, with the right to kill it.  Prints TAP to the log;
 * what it writes to stdout before and behind the console's end, restart.sh compares.
 */
#include <string.h>

#include <capos/cap.h>
#include <capos/channel.h>
#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/network_client.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "tests/guest/tap.h"

#define SIGKILL 9u
#define WAIT    20000000000ull /* ns; far more than a restart takes */

static uint64_t buffer[8192];

static struct capos_call call_of(void)
{
	return (struct capos_call){.buffer = buffer, .size = sizeof(buffer), .timeout_ns = WAIT};
}

/* Kills the service's process and waits for its end. */
static void end_service(const char *name)
{
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, SIGKILL)};
	struct capos_call call = call_of();
	cap_t process = start_cap(name);

	tap_equal(process_kill(process, &kill, NULL), CAP_OK, name);
	tap_equal(process_wait(process, NULL, &call), CAP_OK, "it has ended");
}

/* ---- Files ---- */

static int open_file(const char *path, uint32_t flags, cap_t *out)
{
	struct directory_open_params in = {.path = MSG_TEXT(path), .flags = flags, .mode = 0644};
	struct directory_open_results results;
	struct capos_call call = call_of();
	int result = directory_open(start_cap("files"), &in, &results, &call);

	*out = result ? CAP_NULL : call.caps[results.file_index];
	return result;
}

static int read_file(cap_t file)
{
	struct file_read_params in = {.length = 100};
	struct file_read_results results;
	struct capos_call call = call_of();

	return file_read(file, &in, &results, &call);
}

static void test_files(void)
{
	cap_t written, archived, again;

	tap_equal(open_file("/tmp/mark", OPEN_READ | OPEN_WRITE | OPEN_CREATE, &written), CAP_OK,
	          "a file is made");
	tap_equal(open_file("/etc/manifest", OPEN_READ, &archived), CAP_OK, "another is opened");
	tap_equal(read_file(archived), CAP_OK, "and read");
	end_service("files-process");
	tap_equal(read_file(written), CAP_EGONE, "what was open fails, and does not hang");
	tap_equal(read_file(archived), CAP_EGONE, "all of it");
	tap_equal(open_file("/tmp/mark", OPEN_READ, &again), STATUS_NO_ENTRY,
	          "what was written is lost");
	tap_equal(open_file("/etc/manifest", OPEN_READ, &again), CAP_OK,
	          "what the archive holds is opened anew");
	tap_equal(read_file(again), CAP_OK, "and read");
	tap_equal(read_file(archived), CAP_EGONE, "the old file leads to no other");
	cap_release(again);
	cap_release(written);
	cap_release(archived);
}

/* ---- Network ---- */

static int name_servers(cap_t manager)
{
	struct network_manager_name_servers_results results;
	struct capos_call call = call_of();

	return network_manager_name_servers(manager, &results, &call);
}

static void test_network(const char *process, const char *what)
{
	struct network_manager_restrict_params all = {.grants = {.count = 0}};
	struct network_manager_restrict_results results;
	struct capos_call call = call_of();
	cap_t whole = start_cap("whole-network"), restricted;

	tap_equal(name_servers(whole), CAP_OK, "the network works");
	tap_equal(network_manager_restrict(whole, &all, &results, &call), CAP_OK,
	          "netstack makes an object");
	restricted = call.caps[results.manager_index];
	end_service(process);
	for (int i = 0; i < 100 && cap_test(restricted, NULL) == CAP_OK; i++)
		cap_sleep(WAIT / 1000);
	tap_equal(name_servers(restricted), CAP_EGONE, "it ends with netstack");
	cap_release(restricted);
	tap_equal(name_servers(whole), CAP_OK, what);
}

/* ---- Console ---- */

static cap_t wake;

static void write_stdout(const char *text)
{
	struct capos_send_cap send = {.cap = wake, .rights = CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY};
	struct capos_call call = call_of();
	struct byte_stream_attach_params in = {.wake_index = 0, .wake_bits = 1};
	struct byte_stream_attach_results out;
	struct memory_object_size_results size;
	struct channel channel;
	void *memory;

	call.send_caps = &send;
	call.send_ncaps = 1;
	tap_equal(byte_stream_attach(start_cap("stdout"), &in, &out, &call), CAP_OK,
	          "the console is attached");
	cap_t object = call.caps[out.channel.memory_index],
	      event = call.caps[out.channel.event_index];
	memory_object_size(object, &size, NULL);
	cap_memory_map(object, 0, size.size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &memory);
	tap_equal(channel_open(&channel, memory, size.size), CAP_OK, "its channel is opened");
	queue_put(&channel.send, text, (uint32_t)strlen(text));
	queue_publish_put(&channel.send);
	cap_signal(event, out.channel.event_bits);
	call = call_of();
	tap_equal(byte_stream_drain(start_cap("stdout"), &call), CAP_OK, "the host has the text");
	cap_memory_unmap(memory, size.size);
	cap_release(object);
	cap_release(event);
}

static void test_console(void)
{
	cap_event_create(&wake);
	write_stdout("before\n");
	end_service("console-process");
	write_stdout("behind\n");
}

/* The files service's end is final. */
static void test_final(void)
{
	cap_t file;

	tap_equal(open_file("/etc/manifest", OPEN_READ, &file), CAP_OK, "a file is opened");
	end_service("files-process");
	tap_equal(read_file(file), CAP_EGONE, "what was open fails");
	tap_equal(open_file("/etc/manifest", OPEN_READ, &file), CAP_EGONE, "and what is opened");
}

static int finish(void)
{
	unsigned failures = tap_finish();

	cap_sleep(200000000); /* the log is written out when the machine has time */
	return failures ? 1 : 0;
}

/* restart: kills every service.  restart final: kills one that is not started again. */
int main(int argc, char **argv)
{
	tap_start(start_cap("log"));
	if (argc > 1 && strcmp(argv[1], "final") == 0) {
		test_final();
		return finish();
	}
	test_files();
	test_network("netstack-process", "a new netstack takes its place");
	test_network("driver-process", "after the driver's end too, on the same device");
	test_console();
	return finish();
}
