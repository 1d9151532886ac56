/* SPDX-License-Identifier: MIT */
/*
 * etc/resolv.conf, etc/hosts and etc/hostname, written through the files service before the program
 * starts.  The name servers come by DHCP: a program that can ask them itself (it may send UDP) is
 * started when they are known, but not kept waiting for a network that is silent; any other starts
 * at once.  Files that the archive brought are left alone.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/network.h>
#include <capos/schema/service.h>

#include "init.h"

#define NAME_SERVERS_MAX 4
#define ATTEMPTS_MAX     3 /* each waits for an address as long as netstack does */
#define FILES_TIMEOUT \
	5000000000ull /* ns; a files service that does not answer must not stop init */
/* ns; DHCP answers in some milliseconds where it does at all. */
#define SERVERS_WAIT 3000000000ull
#define DEFAULT_HOST "capos"

static struct {
	cap_t network, files;
	struct init_call query;
	bool asking;
	int attempts;
} names;

static int create_file(struct init_call *call, const char *path)
{
	struct directory_open_params params = {.path = MSG_TEXT(path),
	                                       .flags = OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE,
	                                       .mode = 0644};
	struct msg_builder builder;
	int result;

	msg_builder_init(&builder, call->buffer, sizeof(call->buffer));
	result = directory_open_params_write(&builder, &params);
	if (!result)
		result = init_call_submit(call, names.files, DIRECTORY_INTERFACE, DIRECTORY_OPEN,
		                          msg_builder_length(&builder));
	return result ? result : init_call_await(call, FILES_TIMEOUT);
}

static int write_contents(struct init_call *call, cap_t file, const char *text)
{
	struct file_write_params params = {.data = MSG_DATA(text, (uint32_t)strlen(text))};
	struct msg_builder builder;
	int result;

	msg_builder_init(&builder, call->buffer, sizeof(call->buffer));
	result = file_write_params_write(&builder, &params);
	if (!result)
		result = init_call_submit(call, file, FILE_INTERFACE, FILE_WRITE,
		                          msg_builder_length(&builder));
	return result ? result : init_call_await(call, FILES_TIMEOUT);
}

static void write_file(const char *path, const char *text)
{
	static struct init_call call;
	struct archive_file brought;
	int result;

	if (names.files == CAP_NULL || !archive_find(&init.archive, path, &brought))
		return;
	result = create_file(&call, path);
	if (!result) {
		cap_t file = call.op.cqe.ncaps == 1 ? call.caps[0] : CAP_NULL;

		result = write_contents(&call, file, text);
		cap_release(file);
	}
	if (result)
		log_line("%s: %s", path, cap_error_text(result));
}

static const char *host_name(void)
{
	const struct network_config *c =
	        init.request.has_network ? &init.request.network : &init.plan.network;

	return c->host_name.len ? c->host_name.ptr : DEFAULT_HOST;
}

static void write_host_files(void)
{
	char text[320];

	fmt_snprintf(text, sizeof(text), "%.255s\n", host_name());
	write_file("etc/hostname", text);
	fmt_snprintf(text, sizeof(text), "127.0.0.1\tlocalhost\n127.0.1.1\t%.255s\n", host_name());
	write_file("etc/hosts", text);
}

static void ask(void)
{
	struct msg_builder builder;
	struct network_manager_name_servers_params params = {};

	msg_builder_init(&builder, names.query.buffer, sizeof(names.query.buffer));
	names.asking =
	        !network_manager_name_servers_params_write(&builder, &params) &&
	        !init_call_submit(&names.query, names.network, NETWORK_MANAGER_INTERFACE,
	                          NETWORK_MANAGER_NAME_SERVERS, msg_builder_length(&builder));
	names.attempts++;
}

static void write_resolv_conf(const struct network_manager_name_servers_results *servers)
{
	char text[64 * NAME_SERVERS_MAX];
	uint32_t length = 0, n = servers->addresses.count;

	text[0] = 0;
	for (uint32_t i = 0; i < n && i < NAME_SERVERS_MAX; i++) {
		struct msg_data a;

		if (msg_list_data(&servers->addresses, i, &a) || a.len != 4)
			continue;
		length += (uint32_t)fmt_snprintf(text + length, sizeof(text) - length,
		                                 "nameserver %u.%u.%u.%u\n", a.ptr[0], a.ptr[1],
		                                 a.ptr[2], a.ptr[3]);
	}
	if (length)
		write_file("etc/resolv.conf", text);
}

void names_start(void)
{
	names.network = service_export(NETWORK_MANAGER_INTERFACE, NULL);
	names.files = service_export(DIRECTORY_INTERFACE, NULL);
	if (names.network != CAP_NULL)
		ask();
	write_host_files();
}

void names_step(void)
{
	struct network_manager_name_servers_results results;
	struct msg_reader reader;

	if (!names.asking || !names.query.op.done)
		return;
	names.asking = false;
	init_call_release(&names.query); /* none is promised; none is kept */
	if (names.query.op.cqe.result) {
		if (names.query.op.cqe.result > 0 && names.attempts < ATTEMPTS_MAX)
			ask();
		return;
	}
	msg_reader_init(&reader, names.query.buffer, names.query.op.cqe.length);
	if (!network_manager_name_servers_results_read(&reader, &results))
		write_resolv_conf(&results);
}

/* Only for these the file's contents matter: names are looked up by DnsResolver. */
static bool may_ask_servers(void)
{
	for (uint32_t i = 0; i < init.request.ngrants; i++) {
		uint16_t which = init.request.grants[i].which;

		if (which == NETWORK_GRANT_ALL || which == NETWORK_GRANT_UDP)
			return true;
	}
	return false;
}

void names_wait(void)
{
	uint64_t deadline = cap_now() + SERVERS_WAIT;
	uint64_t now;

	if (!may_ask_servers())
		return;
	names_step(); /* the answer may have come with that to another call */
	while (names.asking && (now = cap_now()) < deadline) {
		init_wait(deadline - now);
		names_step();
	}
}
