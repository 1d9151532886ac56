/* SPDX-License-Identifier: MIT */
/*
 * The program's terminal, which `capos run -t` asks for: the console of the terminal service.  Its
 * size is the host's window's, at the start and whenever that changes.
 */
#include <capos/log.h>
#include <capos/schema/terminal_client.h>

#include "init.h"

static struct {
	struct init_call call;
	bool asked;
	unsigned columns, rows; /* to be sent next; 0: nothing */
} size;

static cap_t console(void)
{
	return service_export(TERMINAL_SESSION_INTERFACE, "console");
}

/* One size is under way at a time; of those that come meanwhile the last one counts. */
static void send_size(void)
{
	struct terminal_session_set_window_params params = {
	        .window = {.columns = (uint16_t)size.columns, .rows = (uint16_t)size.rows}};
	struct msg_builder builder;

	if (!size.columns || console() == CAP_NULL || (size.asked && !size.call.op.done))
		return;
	msg_builder_init(&builder, size.call.buffer, sizeof(size.call.buffer));
	if (terminal_session_set_window_params_write(&builder, &params))
		return;
	size.asked = !init_call_submit(&size.call, console(), TERMINAL_SESSION_INTERFACE,
	                               TERMINAL_SESSION_SET_WINDOW, msg_builder_length(&builder));
	size.columns = size.rows = 0;
}

void terminal_resize(unsigned columns, unsigned rows)
{
	size.columns = columns;
	size.rows = rows;
	send_size();
}

void terminal_step(void)
{
	send_size();
}

int terminal_give(struct given *given)
{
	uint32_t service, export;

	if (!init.request.terminal)
		return CAP_OK;
	if (!plan_find_export(&init.plan, TERMINAL_SESSION_INTERFACE, "console", &service,
	                      &export) ||
	    service_is_over(service))
		init_fail(EXIT_SYSTEM, "this system has no terminal service");
	terminal_resize(init.request.columns, init.request.rows);
	if (size.asked)
		(void)init_call_await(&size.call, CAPOS_FOREVER);
	return given_add_export(given, "terminal", service, export);
}

void terminal_drain(void)
{
	static struct init_call call;

	if (init.request.terminal && console() != CAP_NULL &&
	    init_call_empty(&call, console(), TERMINAL_SESSION_INTERFACE, TERMINAL_SESSION_DRAIN))
		log_line("the terminal was not drained");
}
