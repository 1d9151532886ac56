/* SPDX-License-Identifier: MIT */
/*
 * init holds what the kernel gives it (enum plan_kernel): the boot archive, the right to start
 * processes, the log, timer, entropy, power, the list of capabilities, the devices.  It reads the
 * manifest, starts the services and the program with what that says and nothing else, and stays: it
 * starts services again that end, relays signals, and reports to the host how the program ended.
 *
 * Every object that a service will export is minted by init, before any service runs, so no service
 * has to register anything and none can pretend to be another.
 */
#include <capos/log.h>
#include <capos/schema/kernel.h>
#include <capos/schema/network.h>
#include <capos/schema/service.h>

#include "init.h"

/* The kernel gives exactly these, in the order of enum plan_kernel. */
static void check_holdings(void)
{
	for (uint32_t i = 0; i < PLAN_KERNEL_COUNT; i++) {
		struct capos_sqe sqe = {.op = CAP_OP_NOP, .cap = CAP_GIVEN(i)};
		struct cap_op op = {.done = false};

		if (cap_submit(&sqe, &op) || cap_await_uninterruptible(&op))
			log_fatal("the kernel did not give capability %u", i);
	}
}

/* The console goes first: by it all other trouble is reported. */
static void start_console(void)
{
	uint32_t service, export;
	int result;

	init.console = -1;
	if (!plan_find_export(&init.plan, BYTE_STREAM_INTERFACE, "control", &service, &export)) {
		log_line("no console: the program's exit status goes to this log");
		return;
	}
	result = service_make_exports(service);
	if (!result)
		result = service_start(service);
	if (result)
		init_fail(EXIT_SYSTEM, "the console: %s", cap_error_text(result));
	init.console = (int)service;
	if (!control_ready())
		init_fail(EXIT_SYSTEM, "the console cannot be used");
}

static void start_services(void)
{
	for (uint32_t i = 0; i < init.plan.nservices; i++) {
		int result;

		if (!init.plan.services[i].enabled || (int)i == init.console)
			continue;
		result = service_make_exports(i);
		if (result)
			init_fail(EXIT_SYSTEM, "service %s: its endpoint: %s",
			          init.plan.services[i].name, cap_error_text(result));
	}
	for (uint32_t i = 0; i < init.plan.nservices; i++) {
		int result;

		if (!init.plan.services[i].enabled || (int)i == init.console)
			continue;
		result = service_start(i);
		if (result == CAP_ENOMEM)
			init_fail_memory(init.plan.services[i].name);
		if (result)
			init_fail(EXIT_SYSTEM, "service %s: %s", init.plan.services[i].name,
			          cap_error_text(result));
	}
}

/* Calls each service once, so that all of them have set themselves up when the list is made. */
static void settle_services(void)
{
	static const struct {
		uint64_t interface;
		uint16_t method;
	} calls[] = {{NETWORK_MANAGER_INTERFACE, NETWORK_MANAGER_RESTRICT},
	             {DIRECTORY_INTERFACE, DIRECTORY_SPACE}};

	for (uint32_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		static struct init_call call;
		cap_t object = service_export(calls[i].interface, NULL);

		if (!init_call_empty(&call, object, calls[i].interface, calls[i].method))
			init_call_release(&call);
	}
}

static _Noreturn void list_capabilities(void)
{
	struct given given = {.n = 0};

	settle_services();
	program_give(&given);
	for (uint32_t i = 0; i < given.n; i++) {
		struct capos_send_cap *send = &given.send[i];

		/* As if spawning had copied it, so that it differs from init's own. */
		if (!(send->flags & CAPOS_SEND_MOVE) &&
		    !cap_copy(send->cap, send->rights, &send->cap))
			send->flags |= CAPOS_SEND_MOVE;
	}
	inventory_send(&given);
	program_finish(0, 0, "");
}

int main(void)
{
	int result;

	log_set(INIT_CAP(LOG));
	check_holdings();
	init.console = -1;
	result = cap_event_create(&init.event);
	if (result)
		init_fail(EXIT_SYSTEM, "an event: %s", cap_error_text(result));
	init_watch_event();
	boot_read_plan();
	start_console();
	if (init.plan.problem[0])
		init_fail(EXIT_SYSTEM, "%s", init.plan.problem);
	boot_read_request();
	start_services();
	if (init.request.list_capabilities)
		list_capabilities();
	names_start();
	names_wait();
	program_start();
	while (!init.program.wait.op.done) {
		if (init.console >= 0 && service_is_over((uint32_t)init.console)) {
			log_line(
			        "without its console the machine serves no purpose: shutting down");
			init_power_off();
		}
		control_step();
		names_step();
		init_wait(CAPOS_FOREVER);
	}
	program_ended();
}
