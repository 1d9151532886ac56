/* SPDX-License-Identifier: MIT */
/*
 * The program: found in the archive, given what the manifest and the request say and nothing else,
 * and seen out: its output drained, its exit status told to the host, the machine turned off.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/network_client.h>
#include <capos/schema/service_client.h>

#include "init.h"

#define SIGSEGV            11
#define EXIT_NOT_FOUND     127 /* as shells have it */
#define EXIT_NO_PERMISSION 126
#define DEFAULT_PATH       "/bin:/usr/bin:/sbin:/usr/sbin"

static const char *variable(const char *const *env, const char *name)
{
	size_t length = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
			return *env + length + 1;
	return NULL;
}

static const char *const *program_environment(void)
{
	static const char *const defaults[][2] = {
	        {"PATH", "PATH=" DEFAULT_PATH}, {"HOME", "HOME=/"},         {"TERM", "TERM=dumb"},
	        {"USER", "USER=root"},          {"SHELL", "SHELL=/bin/sh"},
	};
	enum { DEFAULTS = sizeof(defaults) / sizeof(defaults[0]) };
	static const char *env[PLAN_REQUEST_MAX + DEFAULTS + 1];
	uint32_t n = init.request.nenv;

	memcpy(env, init.request.env, n * sizeof(env[0]));
	for (int i = 0; i < DEFAULTS; i++)
		if (!variable(init.request.env, defaults[i][0]))
			env[n++] = defaults[i][1];
	env[n] = NULL;
	return env;
}

static const char *const *program_arguments(const struct program *p)
{
	static const char *args[PLAN_REQUEST_MAX + LOOKUP_EXTRA_MAX + 1];
	uint32_t n = 0;

	for (uint32_t i = 0; p->prefix[i]; i++)
		args[n++] = p->prefix[i];
	for (uint32_t i = p->skip; i < init.request.nargs; i++)
		args[n++] = init.request.args[i];
	args[n] = NULL;
	return args;
}

static void find_program(struct program *p)
{
	const char *name = init.request.args[0];
	const char *path = variable(init.request.env, "PATH");

	switch (lookup_program(&init.archive, name, path ? path : DEFAULT_PATH, p)) {
	case CAP_OK:
		return;
	case CAP_ENOENT:
		init_fail(EXIT_NOT_FOUND, "%s: not found", name);
	case CAP_ERIGHTS:
		init_fail(EXIT_NO_PERMISSION, "%s: permission denied", name);
	case CAP_EMESSAGE:
		init_fail(EXIT_SYSTEM, "%s is corrupt in the boot archive", name);
	case CAP_ENOEXEC:
		init_fail(EXIT_NOT_FOUND, "%s: its interpreter is not found", name);
	default:
		init_fail(EXIT_NO_PERMISSION, "%s: too many links, or too long a path", name);
	}
}

/* The network as far as the grants go; a program without a grant is given none. */
static void give_network(struct given *given)
{
	struct capos_call call = INIT_CALL();
	struct network_manager_restrict_params params = {
	        .grants = {.count = init.request.ngrants, .items = init.request.grants}};
	struct network_manager_restrict_results results;
	uint32_t service, export;
	int result;

	if (!init.request.ngrants ||
	    !plan_find_export(&init.plan, NETWORK_MANAGER_INTERFACE, NULL, &service, &export))
		return;
	result = network_manager_restrict(init.exports[service][export], &params, &results, &call);
	if (!result && results.manager_index >= call.ncaps)
		result = CAP_EMESSAGE;
	if (!result)
		result = given_add(given, "network", NETWORK_MANAGER_INTERFACE,
		                   call.caps[results.manager_index], CAP_RIGHTS_ALL, true);
	if (result)
		init_fail(EXIT_SYSTEM, "the program's network: %s", cap_error_text(result));
}

void program_give(struct given *given)
{
	uint32_t service, export;
	int result = given_add_holdings(given, init.plan.program, init.plan.nprogram);

	give_network(given);
	if (!result && init.request.resolve &&
	    plan_find_export(&init.plan, DNS_RESOLVER_INTERFACE, NULL, &service, &export))
		result = given_add(given, "resolver", DNS_RESOLVER_INTERFACE,
		                   init.exports[service][export], CAP_RIGHTS_ALL, false);
	if (!result)
		result = cap_event_create(&init.signals);
	if (!result)
		result = given_add(given, "signals", EVENT_INTERFACE, init.signals, CAP_RIGHTS_ALL,
		                   false);
	if (result)
		init_fail(EXIT_SYSTEM, "the program's capabilities: %s", cap_error_text(result));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void program_start(void)
{
	static struct program program;
	struct given given = {.n = 0};
	struct spawn what = {.name = base_name(init.request.args[0]), .image = &program.image};
	int result;

	find_program(&program);
	what.args = program_arguments(&program);
	what.env = program_environment();
	program_give(&given);
	result = spawn_process(&what, &given, &init.program);
	if (result == CAP_ENOEXEC)
		init_fail(EXIT_NO_PERMISSION, "%s: %s", init.request.args[0],
		          cap_error_text(result));
	if (result == CAP_ETOOBIG)
		init_fail(EXIT_NO_PERMISSION, "%s: too many arguments", init.request.args[0]);
	if (result)
		init_fail(EXIT_SYSTEM, "%s: %s", init.request.args[0], cap_error_text(result));
	if (control_attached())
		control_send("started");
}

/* ---- The program's end ---- */

static void drain(const char *name)
{
	struct capos_call call = INIT_CALL();
	uint32_t service, export;

	if (!plan_find_export(&init.plan, BYTE_STREAM_INTERFACE, name, &service, &export))
		return;
	if (byte_stream_drain(init.exports[service][export], &call))
		log_line("%s was not drained", name);
}

/* What the program sent last is still on its way when its sockets are closed by its end. */
static void settle_network(void)
{
	struct capos_call call = INIT_CALL();
	uint32_t service, export;
	int result;

	if (!plan_find_export(&init.plan, NETWORK_MANAGER_INTERFACE, NULL, &service, &export))
		return;
	result = network_manager_settle(init.exports[service][export], &call);
	if (result)
		log_line("connections were not finished: %s", cap_error_text(result));
}

void program_finish(unsigned code, unsigned signal)
{
	if (!control_attached()) {
		log_line("program exited %u %u", code, signal);
		init_power_off();
	}
	drain("stdout");
	drain("stderr");
	settle_network();
	control_send("exit %u %u", code, signal);
	control_drain();
	init_power_off();
}

void program_ended(void)
{
	const char *name = init.program.name;
	char reason[200];
	uint32_t status;
	unsigned code, signal;

	process_ended(&init.program, &status, reason, sizeof(reason));
	code = CAPOS_EXIT_CODE(status);
	signal = CAPOS_EXIT_SIGNAL(status);
	if (reason[0]) {
		log_line("program %s was killed: %s", name, reason);
		if (!signal)
			signal = SIGSEGV;
	}
	program_finish(code, signal);
}
