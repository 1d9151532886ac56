/* SPDX-License-Identifier: MIT */
/*
 * What a program can have put on the wire by the capabilities themselves, past POSIX.  For each
 * argument one line, "ARGUMENT RESULT": a Status (schema/status.capnp) or, negative, a cap_error.
 *
 *  authority:HOST:PORT   NetworkManager.connectAuthority, then connect to any of its addresses
 *  restrict:HOST:PORT    NetworkManager.restrict to that, then connectTcp to 10.0.2.2 and PORT
 *  both:HOST:PORT        an authority of a restricted manager
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <capos/cap.h>
#include <capos/schema/network_client.h>
#include <capos/start.h>

static _Alignas(8) unsigned char buffer[4096];

static struct capos_call a_call(void)
{
	return (struct capos_call){
	        .buffer = buffer, .size = sizeof(buffer), .timeout_ns = 5000000000ull};
}

static int restricted(cap_t manager, const char *host, unsigned short port, cap_t *out)
{
	struct capos_call call = a_call();
	struct network_grant grant = {.which = NETWORK_GRANT_CONNECT,
	                              .connect = {.host = MSG_TEXT(host), .port = port}};
	struct network_manager_restrict_params in = {.grants = {.count = 1, .items = &grant}};
	struct network_manager_restrict_results results;
	int result = network_manager_restrict(manager, &in, &results, &call);

	if (!result)
		*out = call.caps[results.manager_index];
	return result;
}

static int authority(cap_t manager, const char *host, unsigned short port)
{
	struct capos_call call = a_call(), second = a_call();
	struct network_manager_connect_authority_params in = {.host = MSG_TEXT(host), .port = port};
	struct network_manager_connect_authority_results results;
	struct tcp_connect_authority_connect_params connect_in = {0};
	struct tcp_connect_authority_connect_results connected;
	int result = network_manager_connect_authority(manager, &in, &results, &call);

	if (result)
		return result;
	return tcp_connect_authority_connect(call.caps[results.authority_index], &connect_in,
	                                     &connected, &second);
}

static int connect_restricted(cap_t manager, const char *host, unsigned short port)
{
	unsigned address = inet_addr("10.0.2.2");
	struct network_manager_connect_tcp_params in = {.addr = MSG_DATA(&address, 4),
	                                                .port = port};
	struct network_manager_connect_tcp_results results;
	struct capos_call call = a_call();
	cap_t made;
	int result = restricted(manager, host, port, &made);

	return result ? result : network_manager_connect_tcp(made, &in, &results, &call);
}

static int try(cap_t manager, char *what)
{
	const char *kind = strtok(what, ":"), *host = strtok(NULL, ":"), *port = strtok(NULL, ":");
	unsigned short number = port ? (unsigned short)atoi(port) : 0;
	cap_t made;
	int result;

	if (strcmp(kind, "authority") == 0)
		return authority(manager, host, number);
	if (strcmp(kind, "restrict") == 0)
		return connect_restricted(manager, host, number);
	result = restricted(manager, host, number, &made);
	return result ? result : authority(made, host, number);
}

int main(int argc, char **argv)
{
	start_init((const unsigned long *)argv - 1);
	for (int i = 1; i < argc; i++) {
		char *copy = strdup(argv[i]);

		printf("%s %d\n", argv[i], try(start_cap("network"), copy));
		fflush(stdout);
		free(copy);
	}
	return 0;
}
