/* SPDX-License-Identifier: MIT */
/*
 * init: reads the manifest, starts the services and the program with what the manifest says and
 * nothing else, and stays to relay signals and to tell the host how the program ended.
 *
 * Every object that a service will export is minted before any service runs, so no service has to
 * register anything and none can pretend to be another.  Each endpoint is then moved to its
 * service: when that dies, its clients are told.
 */
#include <stdarg.h>
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/network_client.h>
#include <capos/schema/service_client.h>

#include "init.h"

#define SIGSEGV            11
#define DEVICES_MAX        128
#define NETWORK_ARGS_SIZE  1024
#define EXIT_NOT_FOUND     127 /* as shells have it */
#define EXIT_NO_PERMISSION 126
#define EXIT_SYSTEM        125
#define DEFAULT_PATH       "/bin:/usr/bin:/sbin:/usr/sbin"

_Alignas(8) uint8_t init_buffer[CAPOS_KERNEL_MESSAGE_MAX];
struct init_state init;

int init_call_submit(struct init_call *call, cap_t cap, uint64_t interface, uint16_t method,
                     uint32_t length)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_CALL,
	        .method = method,
	        .cap = cap,
	        .interface = interface,
	        .send_addr = (uintptr_t)call->buffer,
	        .send_len = length,
	        .recv_addr = (uintptr_t)call->buffer,
	        .recv_len = sizeof(call->buffer),
	        .recv_caps = (uintptr_t)call->caps,
	        .recv_ncaps = CAPOS_MESSAGE_CAPS_MAX,
	};

	memset(&call->op, 0, sizeof(call->op));
	return cap_submit(&sqe, &call->op);
}

/* ---- The end ------------------------------------------------------------------------------------
 */

static _Noreturn void power_off(void)
{
	struct capos_call call = INIT_CALL();
	struct power_control_shutdown_params params = {};
	struct power_control_shutdown_results results;

	for (;;) {
		int result = power_control_shutdown(INIT_CAP(POWER), &params, &results, &call);

		if (result)
			log_line("shutdown: %s", cap_error_text(result));
		cap_sleep(CAPOS_FOREVER);
	}
}

void init_fail(int code, const char *format, ...)
{
	char text[320];
	va_list args;

	va_start(args, format);
	fmt_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_line("%s", text);
	if (control_attached())
		control_send("fail %d %s", code, text);
	control_drain();
	power_off();
}

/* ---- Waiting ------------------------------------------------------------------------------------
 */

static void watch_event(void)
{
	struct capos_sqe sqe = {.op = CAP_OP_WAIT, .cap = init.event, .arg = UINT64_MAX};

	memset(&init.wake, 0, sizeof(init.wake));
	if (cap_submit(&sqe, &init.wake))
		log_fatal("too much in flight");
}

static void report_services(void)
{
	for (uint32_t i = 0; i < init.plan.nservices; i++) {
		struct init_process *p = &init.services[i];
		const char *name = p->name;
		char reason[200];
		uint32_t status;

		if (!name || !p->wait.op.done)
			continue;
		process_ended(p, &status, reason, sizeof(reason));
		log_line("service %s has ended: %s (status %u, signal %u)", name,
		         reason[0] ? reason : "it exited", CAPOS_EXIT_CODE(status),
		         CAPOS_EXIT_SIGNAL(status));
		if ((int)i == init.console) {
			log_line("without its console nobody is served: shutting down");
			power_off();
		}
	}
}

void init_wait(void)
{
	cap_poll(true, CAPOS_FOREVER);
	if (init.wake.done)
		watch_event();
	report_services();
}

/* ---- Services
 * ------------------------------------------------------------------------------------ */

static uint32_t list_devices(struct pci_device *devices)
{
	struct capos_call call = INIT_CALL();
	struct device_manager_list_params params = {};
	struct device_manager_list_results results;
	uint32_t n = 0;
	int result = device_manager_list(INIT_CAP(DEVICES), &params, &results, &call);

	if (result) {
		log_line("the list of devices: %s", cap_error_text(result));
		return 0;
	}
	for (uint32_t i = 0; i < results.devices.count && n < DEVICES_MAX; i++)
		if (!pci_device_get(&results.devices, i, &devices[n]))
			n++;
	return n;
}

static int make_exports(uint32_t index)
{
	const struct plan_service *s = &init.plan.services[index];
	int result = CAP_OK;

	if (s->nexports)
		result = cap_endpoint_create(&init.endpoints[index]);
	for (uint32_t i = 0; i < s->nexports && !result; i++)
		result = cap_mint(init.endpoints[index], s->exports[i].interface,
		                  s->exports[i].word, &init.exports[index][i]);
	return result;
}

static void start_service(uint32_t index)
{
	const char *name = init.plan.services[index].name;
	int result = spawn_service(index);

	if (result)
		init_fail(EXIT_SYSTEM, "service %s: %s", name, cap_error_text(result));
}

/* The console goes first: it is the one by which everything else can be told. */
static void start_console(void)
{
	uint32_t service, export;
	int result;

	init.console = -1;
	if (!plan_find_export(&init.plan, BYTE_STREAM_INTERFACE, "control", &service, &export)) {
		log_line("no console: the program's exit status goes to this log");
		return;
	}
	result = make_exports(service);
	if (result)
		init_fail(EXIT_SYSTEM, "the console's endpoint: %s", cap_error_text(result));
	init.console = (int)service;
	start_service(service);
	result = control_attach(init.exports[service][export]);
	if (result)
		init_fail(EXIT_SYSTEM, "the control port: %s", cap_error_text(result));
}

static void start_services(void)
{
	for (uint32_t i = 0; i < init.plan.nservices; i++) {
		int result;

		if (!init.plan.services[i].enabled || (int)i == init.console)
			continue;
		result = make_exports(i);
		if (result)
			init_fail(EXIT_SYSTEM, "service %s: its endpoint: %s",
			          init.plan.services[i].name, cap_error_text(result));
	}
	for (uint32_t i = 0; i < init.plan.nservices; i++)
		if (init.plan.services[i].enabled && (int)i != init.console)
			start_service(i);
}

/* Gives up what was minted for others; what init itself calls stays. */
static void release_exports(void)
{
	for (uint32_t i = 0; i < init.plan.nservices; i++) {
		for (uint32_t j = 0; j < init.plan.services[i].nexports; j++) {
			uint64_t interface = init.plan.services[i].exports[j].interface;

			if (interface == BYTE_STREAM_INTERFACE ||
			    interface == DIRECTORY_INTERFACE ||
			    interface == NETWORK_MANAGER_INTERFACE)
				continue;
			cap_release(init.exports[i][j]);
			init.exports[i][j] = CAP_NULL;
		}
	}
}

static void add_network_arguments(void)
{
	static char text[NETWORK_ARGS_SIZE];
	const struct network_config *config =
	        init.request.has_network ? &init.request.network : &init.plan.network;
	uint32_t service, export;

	if (!plan_find_export(&init.plan, NETWORK_MANAGER_INTERFACE, NULL, &service, &export))
		return;
	if (plan_network_arguments(&init.plan.services[service], config, text, sizeof(text)))
		init_fail(EXIT_SYSTEM, "the network's configuration is malformed or too long");
}

/* ---- Reading the archive
 * --------------------------------------------------------------------------- */

static void open_archive(void)
{
	struct capos_call call = INIT_CALL();
	struct memory_object_size_params params = {};
	struct memory_object_size_results results;
	const char *why;
	void *address;
	int result = memory_object_size(INIT_CAP(BOOT), &params, &results, &call);

	if (!result)
		result = cap_memory_map(INIT_CAP(BOOT), 0, results.size, CAP_RIGHT_READ, &address);
	if (result)
		init_fail(EXIT_SYSTEM, "the boot archive: %s", cap_error_text(result));
	if (archive_open(&init.archive, address, results.size, &why))
		init_fail(EXIT_SYSTEM, "the boot archive is corrupt: %s", why);
}

static void read_plan(void)
{
	static struct pci_device devices[DEVICES_MAX];
	struct archive_file file;

	if (archive_find(&init.archive, "etc/manifest", &file))
		init_fail(EXIT_SYSTEM, "there is no etc/manifest in the boot archive");
	if (!archive_intact(&file))
		init_fail(EXIT_SYSTEM, "etc/manifest is corrupt in the boot archive");
	/* What is wrong is told once there is a console. */
	(void)plan_read_manifest(&init.plan, file.data, file.size);
	(void)plan_resolve(&init.plan, &init.archive, devices, list_devices(devices));
}

static void read_request(void)
{
	struct archive_file file;

	if (archive_find(&init.archive, "etc/program", &file))
		init_fail(EXIT_SYSTEM, "there is no etc/program in the boot archive");
	if (!archive_intact(&file))
		init_fail(EXIT_SYSTEM, "etc/program is corrupt in the boot archive");
	if (plan_read_request(&init.request, file.data, file.size))
		init_fail(EXIT_SYSTEM, "%s", init.request.problem);
}

/* ---- The program
 * --------------------------------------------------------------------------------- */

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

static void give_program(struct given *given)
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

static void start_program(void)
{
	static struct program program;
	struct given given = {.n = 0};
	struct spawn what = {.name = base_name(init.request.args[0]), .image = &program.image};
	int result;

	find_program(&program);
	what.args = program_arguments(&program);
	what.env = program_environment();
	give_program(&given);
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

/* ---- The program's end
 * ------------------------------------------------------------------------------ */

static void drain(const char *name)
{
	struct capos_call call = INIT_CALL();
	struct byte_stream_drain_params params = {};
	struct byte_stream_drain_results results;
	uint32_t service, export;

	if (!plan_find_export(&init.plan, BYTE_STREAM_INTERFACE, name, &service, &export))
		return;
	if (byte_stream_drain(init.exports[service][export], &params, &results, &call))
		log_line("%s was not drained", name);
}

static _Noreturn void finish(unsigned code, unsigned signal)
{
	if (!control_attached()) {
		log_line("program exited %u %u", code, signal);
		power_off();
	}
	drain("stdout");
	drain("stderr");
	control_send("exit %u %u", code, signal);
	control_drain();
	power_off();
}

static _Noreturn void program_ended(void)
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
	finish(code, signal);
}

/* Asks each service something, so that all of them have set themselves up when the list is made. */
static _Noreturn void list_capabilities(void)
{
	struct given settled = {.n = 0};
	struct capos_call call = INIT_CALL();
	struct directory_space_params params = {};
	struct directory_space_results results;
	uint32_t service, export;

	init.request.grants[0] = (struct network_grant){.which = NETWORK_GRANT_ALL};
	init.request.ngrants = 1;
	give_network(&settled);
	for (uint32_t i = 0; i < settled.n; i++)
		cap_release(settled.send[i].cap);
	if (plan_find_export(&init.plan, DIRECTORY_INTERFACE, NULL, &service, &export))
		(void)directory_space(init.exports[service][export], &params, &results, &call);
	release_exports();
	inventory_send();
	finish(0, 0);
}

int main(void)
{
	int result;

	log_set(INIT_CAP(LOG));
	result = cap_event_create(&init.event);
	if (result)
		init_fail(EXIT_SYSTEM, "an event: %s", cap_error_text(result));
	watch_event();
	open_archive();
	read_plan();
	start_console();
	if (init.plan.problem[0])
		init_fail(EXIT_SYSTEM, "%s", init.plan.problem);
	read_request();
	add_network_arguments();
	start_services();
	if (init.request.list_capabilities)
		list_capabilities();
	start_program();
	release_exports();
	names_start();
	for (;;) {
		control_receive();
		names_step();
		if (init.program.wait.op.done)
			program_ended();
		init_wait();
	}
}
