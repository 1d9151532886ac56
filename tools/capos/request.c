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

#include "tools/capos/grant.h"

#define REQUEST_MAX (4u << 20) /* arguments and environment: above what Linux takes by default */
#define ARGS_MAX    65536u

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

/* Takes the text up to the next comma; must be an IPv4 address. */
static struct msg_text take_address(const char **rest, const char *whole)
{
	size_t length = strcspn(*rest, ",");
	struct msg_text address = {.ptr = *rest, .len = (uint32_t)length};

	if (!is_ipv4(*rest, length))
		die("--address %s: %.*s is not an IPv4 address", whole, (int)length, *rest);
	*rest += length + ((*rest)[length] == ',');
	return address;
}

/* servers and netmask: the message's, for as long as the message is being built. */
static void address_to_message(const char *text, struct network_config *out,
                               struct msg_text servers[LIST_MAX], char netmask[16])
{
	const char *slash = strchr(text, '/');
	uint64_t prefix;

	if (strcmp(text, "none") == 0) {
		out->which = NETWORK_CONFIG_NONE;
		return;
	}
	out->which = NETWORK_CONFIG_STATIC;
	if (!slash || !is_ipv4(text, (size_t)(slash - text)))
		die("--address %s: must be none or ADDRESS/BITS[,gw=ADDRESS][,dns=ADDRESS]", text);
	size_t digits = strcspn(slash + 1, ",");
	char *bits = must(strndup(slash + 1, digits));
	if (!parse_number(bits, 0, 32, &prefix))
		die("--address %s: the bits after the slash must be 0 to 32", text);
	free(bits);
	netmask_text((unsigned)prefix, netmask);
	out->static_.addr = (struct msg_text){.ptr = text, .len = (uint32_t)(slash - text)};
	out->static_.netmask = text_of(netmask);
	out->static_.gateway = text_of("");
	out->static_.name_servers.items = servers;

	const char *rest = slash + 1 + digits;
	rest += *rest == ',';
	while (*rest != '\0') {
		if (strncmp(rest, "gw=", 3) == 0) {
			rest += 3;
			out->static_.gateway = take_address(&rest, text);
		} else if (strncmp(rest, "dns=", 4) == 0 &&
		           out->static_.name_servers.count < LIST_MAX) {
			rest += 4;
			servers[out->static_.name_servers.count++] = take_address(&rest, text);
		} else {
			die("--address %s: %s is neither gw=ADDRESS nor dns=ADDRESS", text, rest);
		}
	}
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

void *request_build(const struct settings *settings, const char *program, uint32_t *length)
{
	struct network_grant grants[LIST_MAX];
	struct msg_text servers[LIST_MAX];
	char netmask[16];
	size_t nargs = 0;

	while (program && settings->program[nargs + 1])
		nargs++;
	if (nargs >= ARGS_MAX)
		die("too many arguments for the program");

	struct program_request request = {
	        .args = text_list(program,
	                          program ? (const char *const *)settings->program + 1 : NULL,
	                          nargs),
	        .env = text_list(NULL, settings->env.items, settings->env.count),
	        .list_capabilities = settings->list_capabilities,
	        .has_network = settings->address,
	        .stdin_is_terminal = isatty(STDIN_FILENO) == 1,
	        .stdout_is_terminal = isatty(STDOUT_FILENO) == 1,
	        .stderr_is_terminal = isatty(STDERR_FILENO) == 1,
	};
	const char *paths[LIST_MAX];
	for (size_t i = 0; i < settings->nfiles; i++)
		paths[i] = settings->files[i].guest_path;
	request.files = text_list(NULL, paths, settings->nfiles);
	fill_network(settings, &request, grants);
	if (request.has_network)
		address_to_message(settings->address, &request.network, servers, netmask);

	void *buffer = must(aligned_alloc(8, REQUEST_MAX));
	struct msg_builder builder;
	msg_builder_init(&builder, buffer, REQUEST_MAX);
	if (program_request_write(&builder, &request) != 0)
		die("the program's arguments and environment are too long together");
	*length = msg_builder_length(&builder);
	free((void *)request.args.items);
	free((void *)request.env.items);
	free((void *)request.files.items);
	return buffer;
}
