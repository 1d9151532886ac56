/* SPDX-License-Identifier: MIT */
/*
 * The services: each has an endpoint that init makes and keeps, so what others hold on the service
 * leads to whichever process serves it now.  A service that ends is started again as the manifest
 * says; when its end is final, init gives the endpoint up and all calls of it fail.
 *
 * States of a service, by struct init_service:
 *
 *     running      process.name is set            its process ends: waiting, or over
 *     waiting      due_ns is set                  the time comes: running, or waiting, or over
 *     over         endpoint is CAP_NULL           for ever
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/network.h>
#include <capos/schema/process.h>
#include <capos/schema/service.h>
#include <capos/schema/terminal.h>

#include "init.h"

struct init_state init;

/* ---- Starting ---- */

/* What init calls: the program's streams, the directory for files under etc/, the network. */
static bool init_calls(uint64_t interface)
{
	return interface == BYTE_STREAM_INTERFACE || interface == DIRECTORY_INTERFACE ||
	       interface == NETWORK_MANAGER_INTERFACE || interface == PROCESS_WORLD_INTERFACE ||
	       interface == TERMINAL_SESSION_INTERFACE;
}

int service_make_exports(uint32_t index)
{
	const struct plan_service *plan = &init.plan.services[index];
	struct init_service *s = &init.services[index];
	int result = cap_endpoint_create(&s->endpoint);

	for (uint32_t i = 0; i < plan->nexports && !result; i++)
		if (init_calls(plan->exports[i].interface))
			result = cap_mint(s->endpoint, plan->exports[i].interface,
			                  plan->exports[i].word, &s->exports[i]);
	return result;
}

static int spawn_service(uint32_t index)
{
	struct plan_service *plan = &init.plan.services[index];
	struct init_service *s = &init.services[index];
	const char *args[PLAN_ARGS_MAX + 2] = {plan->path};
	static const char *const no_env[] = {NULL};
	struct spawn what = {.name = plan->name,
	                     .path = plan->path,
	                     .image = &plan->image,
	                     .args = args,
	                     .env = no_env,
	                     .memory_limit_pages = plan->memory_limit_pages,
	                     .service = true};
	struct given given = {.n = 0};
	int result = CAP_OK;

	memcpy(args + 1, plan->args, plan->nargs * sizeof(args[0]));
	if (plan->nexports)
		result = given_add(&given, "serve", 0, s->endpoint, CAP_RIGHTS_ALL, false);
	if (!result)
		result = given_add_holdings(&given, plan->holdings, plan->nholdings);
	if (result) {
		given_drop(&given);
		return result;
	}
	return spawn_process(&what, &given, &s->process);
}

int service_start(uint32_t index)
{
	struct init_service *s = &init.services[index];
	int result = spawn_service(index);

	if (result)
		return result;
	s->restart.started_ns = cap_now();
	s->instance++;
	return CAP_OK;
}

bool service_is_over(uint32_t index)
{
	return init.services[index].endpoint == CAP_NULL;
}

cap_t service_export(uint64_t interface, const char *name)
{
	uint32_t service, export;

	if (!plan_find_export(&init.plan, interface, name, &service, &export) ||
	    service_is_over(service))
		return CAP_NULL;
	return init.services[service].exports[export];
}

/* ---- Ends ---- */

/* All calls of it fail from now on. */
static void give_up(uint32_t index)
{
	struct init_service *s = &init.services[index];

	s->due_ns = 0;
	for (uint32_t i = 0; i < init.plan.services[index].nexports; i++) {
		cap_release(s->exports[i]);
		s->exports[i] = CAP_NULL;
	}
	cap_release(s->endpoint);
	s->endpoint = CAP_NULL;
}

/* Plans the next start, or gives the service up. */
static void plan_restart(uint32_t index)
{
	const struct plan_service *plan = &init.plan.services[index];
	struct init_service *s = &init.services[index];

	if (restart_decide(&s->restart, plan, cap_now(), &s->due_ns)) {
		session_service_ended(index);
		return;
	}
	log_line("service %s is not started again", plan->name);
	give_up(index);
}

/* Whether the process ended because it found no memory. */
static bool lacked_memory(uint32_t status, const char *reason)
{
	static const char killed[] = "out of memory";

	return CAPOS_EXIT_CODE(status) == LOG_EXIT_NO_MEMORY ||
	       (CAPOS_EXIT_SIGNAL(status) && !strncmp(reason, killed, sizeof(killed) - 1));
}

/* Before the program runs, all memory is the services': one that finds too little of it then would
 * find no more when it is started again. */
static void end_if_too_small(uint32_t index)
{
	static bool ending; /* init_fail waits too, and so comes here again */
	const char *name = init.plan.services[index].name;

	if (init.program.name || ending)
		return;
	ending = true;
	if ((int)index == init.console)
		give_up(index);
	init_fail_memory(name);
}

static void note_ends(void)
{
	for (uint32_t i = 0; i < init.plan.nservices; i++) {
		struct init_process *p = &init.services[i].process;
		const char *name = p->name;
		char reason[200];
		uint32_t status;

		if (!name || !p->wait.op.done)
			continue;
		process_ended(p, &status, reason, sizeof(reason));
		log_line("service %s has ended: %s (status %u, signal %u)", name,
		         reason[0] ? reason : "it exited", CAPOS_EXIT_CODE(status),
		         CAPOS_EXIT_SIGNAL(status));
		if (lacked_memory(status, reason))
			end_if_too_small(i);
		plan_restart(i);
	}
}

static void start_due(void)
{
	for (uint32_t i = 0; i < init.plan.nservices; i++) {
		struct init_service *s = &init.services[i];
		int result;

		if (!s->due_ns || s->due_ns > cap_now())
			continue;
		s->due_ns = 0;
		result = service_start(i);
		if (!result) {
			log_line("service %s is started again", init.plan.services[i].name);
			continue;
		}
		log_line("service %s: %s", init.plan.services[i].name, cap_error_text(result));
		plan_restart(i);
	}
}

/* ---- Waiting ---- */

void init_watch_event(void)
{
	struct capos_sqe sqe = {.op = CAP_OP_WAIT, .cap = init.event, .arg = UINT64_MAX};

	memset(&init.wake, 0, sizeof(init.wake));
	if (cap_submit(&sqe, &init.wake))
		log_fatal("too much in flight");
}

/* Something happened already, and was reaped by a call made since. */
static bool something_happened(void)
{
	bool happened = init.wake.done || (init.program.name && init.program.wait.op.done);

	for (uint32_t i = 0; i < init.plan.nservices && !happened; i++)
		happened = init.services[i].process.name && init.services[i].process.wait.op.done;
	return happened;
}

/* How long to sleep: not past the time when a service is to be started. */
static uint64_t until_due(uint64_t timeout_ns)
{
	uint64_t now = cap_now();

	for (uint32_t i = 0; i < init.plan.nservices; i++) {
		uint64_t due = init.services[i].due_ns;
		uint64_t left = due > now ? due - now : 0;

		if (due && left < timeout_ns)
			timeout_ns = left;
	}
	return timeout_ns;
}

void init_wait(uint64_t timeout_ns)
{
	cap_poll(!something_happened(), until_due(timeout_ns));
	if (init.wake.done)
		init_watch_event();
	note_ends();
	/* Before the next process runs: a call that is made now is the first or nearly so. */
	session_step();
	start_due();
}

int init_call_await(struct init_call *call, uint64_t timeout_ns)
{
	uint64_t start = cap_now();

	while (!call->op.done) {
		uint64_t passed = cap_now() - start;

		if (passed >= timeout_ns) {
			cap_cancel(&call->op);
			return call->op.cqe.result == CAP_ECANCELED ? CAP_ETIMEDOUT
			                                            : call->op.cqe.result;
		}
		init_wait(timeout_ns == CAPOS_FOREVER ? CAPOS_FOREVER : timeout_ns - passed);
	}
	return call->op.cqe.result;
}

int service_open_session(struct init_session *s, uint64_t interface, uint16_t method,
                         uint32_t length)
{
	uint32_t service, export;
	int result;

	if (!plan_find_export(&init.plan, interface, NULL, &service, &export) ||
	    service_is_over(service))
		return CAP_OK;
	result = session_begin(s, service, export, interface, method, length);
	/* The service may end before it answers: then it is asked again. */
	while (!result && !service_is_over(service)) {
		result = init_call_await(&s->call, CAPOS_FOREVER);
		if (result != CAP_EGONE || !session_step())
			return result;
		result = CAP_OK;
	}
	return result;
}

int init_call_empty(struct init_call *call, cap_t object, uint64_t interface, uint16_t method)
{
	int result = object == CAP_NULL ? CAP_EGONE
	                                : init_call_submit_empty(call, object, interface, method);

	return result ? result : init_call_await(call, CAPOS_FOREVER);
}
