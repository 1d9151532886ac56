/* SPDX-License-Identifier: MIT */
/*
 * The program: found in the archive, given what the manifest and the request say and nothing else,
 * and seen out: its output drained, its exit status reported to the host, the machine turned off.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/network.h>
#include <capos/schema/process.h>
#include <capos/schema/service_client.h>
#include <capos/schema/status.h>

#include "init.h"

#define PATH_MAX_BYTES 4095u /* of a path, as Directory has it */

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
	        {"PATH", "PATH=" DEFAULT_PATH}, {"HOME", "HOME=/root"},     {"TERM", "TERM=dumb"},
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

/* Names what the program is to be run by and the image has not. */
static _Noreturn void fail_without_interpreter(const char *name, const struct program *p)
{
	if (p->linker[0])
		init_fail(EXIT_NOT_FOUND,
		          "%s is a dynamic program; its interpreter %s is not in the image "
		          "(x86_64-capos-linux-musl-gcc makes programs that need none)",
		          name, p->linker);
	if (p->interpreter[0])
		init_fail(EXIT_NOT_FOUND, "%s is a script; its interpreter %s is not in the image",
		          name, p->interpreter);
	init_fail(EXIT_NO_PERMISSION, "%s is a script whose first line names no interpreter", name);
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
		fail_without_interpreter(name, p);
	default:
		init_fail(EXIT_NO_PERMISSION, "%s: too many links, or too long a path", name);
	}
}

static int open_files(void)
{
	struct init_session *s = &init.sessions[SESSION_FILES];
	struct directory_open_session_params params = {.word = SESSION_WORD};
	struct msg_builder builder;
	int result;

	msg_builder_init(&builder, s->message, sizeof(s->message));
	result = directory_open_session_params_write(&builder, &params);
	return result ? result
	              : service_open_session(s, DIRECTORY_INTERFACE, DIRECTORY_OPEN_SESSION,
	                                     msg_builder_length(&builder));
}

static int open_world(void)
{
	struct init_session *s = &init.sessions[SESSION_PROCESSES];
	struct process_world_open_session_params params = {.word = SESSION_WORD};
	struct msg_builder builder;
	int result;

	msg_builder_init(&builder, s->message, sizeof(s->message));
	result = process_world_open_session_params_write(&builder, &params);
	return result ? result
	              : service_open_session(s, PROCESS_WORLD_INTERFACE, PROCESS_WORLD_OPEN_SESSION,
	                                     msg_builder_length(&builder));
}

/* The network as far as the grants go; a program without a grant is given none. */
static int give_network(struct given *given)
{
	struct init_session *s = &init.sessions[SESSION_NETWORK];
	struct network_manager_open_session_params params = {
	        .word = SESSION_WORD,
	        .grants = {.count = init.request.ngrants, .items = init.request.grants}};
	struct msg_builder builder;
	int result;

	if (!init.request.ngrants)
		return CAP_OK;
	msg_builder_init(&builder, s->message, sizeof(s->message));
	result = network_manager_open_session_params_write(&builder, &params);
	if (!result)
		result = service_open_session(s, NETWORK_MANAGER_INTERFACE,
		                              NETWORK_MANAGER_OPEN_SESSION,
		                              msg_builder_length(&builder));
	if (result || s->object == CAP_NULL)
		return result;
	return given_add(given, "network", NETWORK_MANAGER_INTERFACE, s->object, CAP_RIGHTS_ALL,
	                 false);
}

static int give_resolver(struct given *given)
{
	uint32_t service, export;

	if (!init.request.resolve ||
	    !plan_find_export(&init.plan, DNS_RESOLVER_INTERFACE, NULL, &service, &export) ||
	    service_is_over(service))
		return CAP_OK;
	return given_add_export(given, "resolver", service, export);
}

/* What the program and the processes that it makes draw on, and what servers make for them. */
static int make_account(cap_t *out)
{
	struct capos_call call = INIT_CALL();
	struct process_spawner_create_account_params params = {.service = false};
	struct process_spawner_create_account_results results;
	int result = process_spawner_create_account(INIT_CAP(SPAWNER), &params, &results, &call);

	if (result)
		return result;
	if (results.account_index >= call.ncaps)
		return CAP_EMESSAGE;
	*out = call.caps[results.account_index];
	return CAP_OK;
}

/* Opens the request's directory: written below it, files are the program's too. */
static int open_directory(struct init_call *call, cap_t root)
{
	struct directory_open_params params = {.flags = OPEN_DIRECTORY};
	struct msg_builder builder;
	int result;

	params.path = (struct msg_text){.ptr = init.request.directory,
	                                .len = (uint32_t)strlen(init.request.directory)};
	do {
		msg_builder_init(&builder, call->buffer, sizeof(call->buffer));
		result = directory_open_params_write(&builder, &params);
		if (!result)
			result = init_call_submit(call, root, DIRECTORY_INTERFACE, DIRECTORY_OPEN,
			                          msg_builder_length(&builder));
		if (!result)
			result = init_call_await(call, CAPOS_FOREVER);
		/* The service ended meanwhile: the next process is asked. */
	} while (result == CAP_EGONE && !service_is_over(init.sessions[SESSION_FILES].service));
	if (!result && call->op.cqe.ncaps != 1) {
		init_call_release(call);
		return CAP_EMESSAGE;
	}
	return result;
}

/* The request's directory in a volume. */
static int open_in_volume(cap_t root, cap_t *directory)
{
	struct directory_follow_params where = {
	        .path = {.ptr = init.request.directory,
	                 .len = (uint32_t)strlen(init.request.directory)},
	        .follow_link = true};
	struct directory_open_params params = {.flags = OPEN_DIRECTORY};
	struct directory_follow_results on;
	struct directory_open_results results;
	struct capos_call call = INIT_CALL();
	char path[PATH_MAX_BYTES + 1];
	cap_t volume;
	int result = directory_follow(root, &where, &on, &call);

	if (result)
		return result;
	if (on.end != FOLLOW_END_VOLUME || call.ncaps != 1 || on.path.len > PATH_MAX_BYTES)
		return CAP_EMESSAGE;
	volume = call.caps[0];
	memcpy(path, on.path.ptr, on.path.len); /* the buffer is used again */
	params.path = (struct msg_text){path, on.path.len};
	call = INIT_CALL();
	result = directory_open(volume, &params, &results, &call);
	cap_release(volume);
	if (!result && call.ncaps != 1)
		result = CAP_EMESSAGE;
	if (!result)
		*directory = call.caps[0];
	return result;
}

/* The directory in which the program starts, if that is not the root. */
static int give_directory(struct given *given)
{
	static struct init_call call;
	cap_t root = init.sessions[SESSION_FILES].object, directory = CAP_NULL;
	int result;

	if (!init.request.directory[0] || root == CAP_NULL)
		return CAP_OK;
	result = open_directory(&call, root);
	if (!result)
		directory = call.caps[0];
	else if (result == STATUS_ELSEWHERE)
		result = open_in_volume(root, &directory);
	if (result == STATUS_NO_ENTRY)
		init_refuse(EXIT_SYSTEM,
		            "the working directory %s: the guest has none of that name",
		            init.request.directory);
	if (result)
		init_refuse(EXIT_SYSTEM, "the working directory %s: %s", init.request.directory,
		            cap_error_text(result));
	return given_add(given, "directory", DIRECTORY_INTERFACE, directory, CAP_RIGHTS_ALL, true);
}

void program_give(struct given *given)
{
	int result = make_account(&init.account);

	if (!result)
		result = open_files();
	if (!result)
		result = open_world();
	given->session = init.sessions[SESSION_FILES].object;
	given->world = init.sessions[SESSION_PROCESSES].object;
	given->terminal = init.request.terminal;
	if (!result)
		result = terminal_give(given);
	if (!result)
		result = given_add_holdings(given, init.plan.program, init.plan.nprogram);
	if (!result)
		result = give_network(given);
	if (!result)
		result = give_resolver(given);
	if (!result)
		result = give_directory(given);
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
	what.path = program.executed;
	what.args = program_arguments(&program);
	what.env = program_environment();
	program_give(&given);
	what.account = init.account;
	result = spawn_process(&what, &given, &init.program);
	if (result == CAP_ENOEXEC)
		init_fail(EXIT_NO_PERMISSION, "%s: %s", init.request.args[0],
		          cap_error_text(result));
	if (result == CAP_ETOOBIG)
		init_fail(EXIT_NO_PERMISSION, "%s: too many arguments", init.request.args[0]);
	if (result == CAP_ENOMEM)
		init_fail_memory(init.request.args[0]);
	if (result)
		init_fail(EXIT_SYSTEM, "%s: %s", init.request.args[0], cap_error_text(result));
	if (control_ready())
		control_send("started");
}

/* ---- The program's end ---- */

static void drain(const char *name)
{
	static struct init_call call;
	cap_t stream = service_export(BYTE_STREAM_INTERFACE, name);

	if (stream != CAP_NULL &&
	    init_call_empty(&call, stream, BYTE_STREAM_INTERFACE, BYTE_STREAM_DRAIN))
		log_line("%s was not drained", name);
}

/* What the program sent last is still on its way when its sockets are closed by its end. */
static void settle_network(void)
{
	static struct init_call call;
	cap_t network = service_export(NETWORK_MANAGER_INTERFACE, NULL);
	int result;

	if (network == CAP_NULL)
		return;
	result = init_call_empty(&call, network, NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_SETTLE);
	if (result)
		log_line("connections were not finished: %s", cap_error_text(result));
}

void program_finish(unsigned code, unsigned signal, const char *reason)
{
	if (!control_ready()) {
		if (signal)
			log_line("the program was ended by signal %u", signal);
		else
			log_line("the program ended with status %u", code);
		init_power_off();
	}
	terminal_drain();
	drain("stdout");
	drain("stderr");
	settle_network();
	output_send();
	init_flush_log();
	control_send("exit %u %u %s", code, signal, reason);
	/* The emulator's network may still hold what the program sent, and ends with the
	 * machine. */
	control_await_end();
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
	program_finish(code, signal, reason);
}
