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

#define DEVICES_MAX       128
#define NETWORK_ARGS_SIZE 1024

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

/* ---- The end ---- */

void init_power_off(void)
{
	struct capos_call call = INIT_CALL();

	for (;;) {
		int result = power_control_shutdown(INIT_CAP(POWER), &call);

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
	init_power_off();
}

/* ---- Waiting ---- */

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
			init_power_off();
		}
	}
}

/* Something happened already, and was reaped by a call made since. */
static bool something_happened(void)
{
	bool happened = init.wake.done || (init.program.name && init.program.wait.op.done);

	for (uint32_t i = 0; i < init.plan.nservices && !happened; i++)
		happened = init.services[i].name && init.services[i].wait.op.done;
	return happened;
}

void init_wait(uint64_t timeout_ns)
{
	cap_poll(!something_happened(), timeout_ns);
	if (init.wake.done)
		watch_event();
	report_services();
}

/* ---- Services ---- */

static uint32_t list_devices(struct pci_device *devices)
{
	struct capos_call call = INIT_CALL();
	struct device_manager_list_results results;
	uint32_t n = 0;
	int result = device_manager_list(INIT_CAP(DEVICES), &results, &call);

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

/* ---- Reading the archive ---- */

static void open_archive(void)
{
	struct capos_call call = INIT_CALL();
	struct memory_object_size_results results;
	const char *why;
	void *address;
	int result = memory_object_size(INIT_CAP(BOOT), &results, &call);

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

/* ---- The boot ---- */

/* Asks each service something, so that all of them have set themselves up when the list is made. */
static void settle_services(void)
{
	struct capos_call call = INIT_CALL();
	struct network_manager_restrict_params restrict_params = {};
	struct network_manager_restrict_results restrict_results;
	struct directory_space_results space_results;
	uint32_t service, export;

	if (plan_find_export(&init.plan, NETWORK_MANAGER_INTERFACE, NULL, &service, &export)) {
		(void)network_manager_restrict(init.exports[service][export], &restrict_params,
		                               &restrict_results, &call);
		for (uint32_t i = 0; i < call.ncaps; i++)
			cap_release(call.caps[i]);
	}
	if (plan_find_export(&init.plan, DIRECTORY_INTERFACE, NULL, &service, &export))
		(void)directory_space(init.exports[service][export], &space_results, &call);
}

static _Noreturn void list_capabilities(void)
{
	struct given given = {.n = 0};

	settle_services();
	program_give(&given);
	for (uint32_t i = 0; i < given.n; i++) {
		struct capos_send_cap *send = &given.send[i];

		/* As if spawning had copied it, so that init itself may go on as with a program. */
		if (!(send->flags & CAPOS_SEND_MOVE) &&
		    !cap_copy(send->cap, send->rights, &send->cap))
			send->flags |= CAPOS_SEND_MOVE;
	}
	release_exports();
	inventory_send(&given);
	program_finish(0, 0);
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
	names_start();
	names_wait();
	program_start();
	release_exports();
	for (;;) {
		control_receive();
		names_step();
		if (init.program.wait.op.done)
			program_ended();
		init_wait(CAPOS_FOREVER);
	}
}
