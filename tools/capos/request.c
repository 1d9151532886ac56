/* SPDX-License-Identifier: MIT */
/*
 * The ProgramRequest.  Knows the command line's grants and the schema's, and that "resolve" is a
 * capability of its own and no NetworkGrant.
 */
#include "tools/capos/request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <capos/schema/manifest.h>
#include <capos/schema/network.h>

#include "services/init/plan.h"
#include "tools/capos/address.h"
#include "tools/capos/terminal.h"

#define REQUEST_MAX (4u << 20) /* arguments and environment: above what Linux takes by default */

static struct msg_text text_of(const char *text)
{
	return (struct msg_text){.ptr = text, .len = (uint32_t)strlen(text)};
}

static bool grant_to_message(const struct grant *grant, struct network_grant *out)
{
	*out = (struct network_grant){0};
	switch (grant->kind) {
	case GRANT_CONNECT:
		out->which = NETWORK_GRANT_CONNECT;
		out->connect.host =
		        (struct msg_text){.ptr = grant->host, .len = (uint32_t)grant->host_length};
		out->connect.port = grant->port;
		return true;
	case GRANT_LISTEN:
		out->which = NETWORK_GRANT_LISTEN;
		out->listen = grant->port;
		return true;
	case GRANT_UDP:
		out->which = NETWORK_GRANT_UDP;
		return true;
	case GRANT_ICMP:
		out->which = NETWORK_GRANT_ICMP;
		return true;
	case GRANT_RESOLVE:
	case GRANT_NONE:
		break;
	}
	return false;
}

/* address and servers: the message's, for as long as the message is being built. */
static void address_to_message(const struct address *address, struct network_config *out,
                               struct msg_text servers[ADDRESS_NAME_SERVERS])
{
	if (address->none) {
		out->which = NETWORK_CONFIG_NONE;
		return;
	}
	out->which = NETWORK_CONFIG_STATIC;
	out->static_.addr = text_of(address->address);
	out->static_.netmask = text_of(address->netmask);
	out->static_.gateway = text_of(address->gateway);
	for (size_t i = 0; i < address->nname_servers; i++)
		servers[i] = text_of(address->name_servers[i]);
	out->static_.name_servers.items = servers;
	out->static_.name_servers.count = (uint32_t)address->nname_servers;
}

static void fill_network(const struct settings *settings, struct program_request *request,
                         struct network_grant grants[LIST_MAX])
{
	request->ordinary_network = settings->ngrants == 0;
	request->resolve = settings->ngrants == 0;
	request->grants.items = grants;
	for (size_t i = 0; i < settings->ngrants; i++) {
		if (settings->grants[i].kind == GRANT_RESOLVE)
			request->resolve = true;
		if (grant_to_message(&settings->grants[i], &grants[request->grants.count]))
			request->grants.count++;
	}
}

/* The list's items are the caller's to free. */
static struct msg_list text_list(const char *first, const char *const *rest, size_t count)
{
	struct msg_text *items = must(calloc(count + 1, sizeof(*items)));
	struct msg_list list = {.items = items};

	if (first)
		items[list.count++] = text_of(first);
	for (size_t i = 0; i < count; i++)
		items[list.count++] = text_of(rest[i]);
	return list;
}

/* What init would refuse after the boot is refused before it. */
static void check_counts(const struct program_request *request)
{
	if (request->args.count > PLAN_REQUEST_MAX)
		die("the program has %u arguments; a program in the guest takes at most %u",
		    request->args.count, PLAN_REQUEST_MAX);
	if (request->env.count > PLAN_REQUEST_MAX)
		die("%u environment variables; a program in the guest takes at most %u",
		    request->env.count, PLAN_REQUEST_MAX);
	if (request->grants.count > PLAN_GRANTS_MAX)
		die("%u network rights (--allow and published ports); there can be at most %u",
		    request->grants.count, PLAN_GRANTS_MAX);
}

static void *write_request(const struct program_request *request, uint32_t *length)
{
	void *buffer = must(aligned_alloc(8, REQUEST_MAX));
	struct msg_builder builder;

	msg_builder_init(&builder, buffer, REQUEST_MAX);
	if (program_request_write(&builder, request) != 0)
		die("the program's arguments and environment are too long together");
	*length = msg_builder_length(&builder);
	return buffer;
}

void *request_build(const struct settings *settings, const char *program, uint32_t *length)
{
	struct network_grant grants[LIST_MAX];
	struct msg_text servers[ADDRESS_NAME_SERVERS];
	struct address address;
	const char *files[LIST_MAX], *outputs[LIST_MAX], *volumes[VOLUMES_MAX];
	size_t nargs = 0;

	while (program && settings->program[nargs + 1])
		nargs++;
	for (size_t i = 0; i < settings->nfiles; i++)
		files[i] = settings->files[i].guest_path;
	for (size_t i = 0; i < settings->noutputs; i++)
		outputs[i] = settings->outputs[i].guest_path;
	for (size_t i = 0; i < settings->nvolumes; i++)
		volumes[i] = settings->volumes[i].guest_path;

	struct program_request request = {
	        .args = text_list(program,
	                          program ? (const char *const *)settings->program + 1 : NULL,
	                          nargs),
	        .env = text_list(NULL, settings->env.items, settings->env.count),
	        .files = text_list(NULL, files, settings->nfiles),
	        .outputs = text_list(NULL, outputs, settings->noutputs),
	        .volumes = text_list(NULL, volumes, settings->nvolumes),
	        .directory = text_of(settings->directory ? settings->directory : ""),
	        .list_capabilities = settings->list_capabilities,
	        .has_network = settings->address,
	        .stdin_is_terminal = isatty(STDIN_FILENO) == 1,
	        .stdout_is_terminal = isatty(STDOUT_FILENO) == 1,
	        .stderr_is_terminal = isatty(STDERR_FILENO) == 1,
	};
	request.terminal = settings->terminal;
	if (settings->terminal)
		terminal_size(&request.columns, &request.rows);
	fill_network(settings, &request, grants);
	if (request.has_network) {
		const char *problem = parse_address(settings->address, &address);
		if (problem)
			die("--address %s: %s", settings->address, problem);
		address_to_message(&address, &request.network, servers);
	}
	check_counts(&request);
	void *message = write_request(&request, length);
	free((void *)request.args.items);
	free((void *)request.env.items);
	free((void *)request.files.items);
	free((void *)request.outputs.items);
	free((void *)request.volumes.items);
	return message;
}
