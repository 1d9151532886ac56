/* SPDX-License-Identifier: MIT */
/*
 * The program's sessions with services.  init mints a session's object with a word of its own on
 * the service's endpoint, so the object outlives the service's process; and it calls each new
 * process once, which says what the word means.  The service holds calls of the object until then.
 */
#include <string.h>

#include <capos/log.h>

#include "init.h"

static int ask(struct init_session *s)
{
	struct init_call *call = &s->call;
	const struct init_service *service = &init.services[s->service];

	s->renew = false;
	call->send = (struct capos_send_cap){.cap = init.account, .rights = CAP_RIGHT_CALL};
	call->sends = true;
	memcpy(call->buffer, s->message, s->length);
	return init_call_submit(call, service->exports[s->export], s->interface, s->method,
	                        s->length);
}

int session_begin(struct init_session *s, uint32_t service, uint32_t export, uint64_t interface,
                  uint16_t method, uint32_t length)
{
	int result = cap_mint(init.services[service].endpoint, interface, SESSION_WORD, &s->object);

	s->service = service;
	s->export = export;
	s->interface = interface;
	s->method = method;
	s->length = length;
	s->wanted = !result;
	return result ? result : ask(s);
}

void session_service_ended(uint32_t service)
{
	for (uint32_t i = 0; i < SESSION_COUNT; i++)
		if (init.sessions[i].wanted && init.sessions[i].service == service)
			init.sessions[i].renew = true;
}

bool session_step(void)
{
	bool asked = false;

	for (uint32_t i = 0; i < SESSION_COUNT; i++) {
		struct init_session *s = &init.sessions[i];
		int result;

		/* A call that the process which ended had not taken yet goes to the next process:
		 * that is asked once more then, and answers that it exists. */
		if (!s->wanted || !s->call.op.done ||
		    init.services[s->service].endpoint == CAP_NULL ||
		    !(s->renew || s->call.op.cqe.result == CAP_EGONE))
			continue;
		result = ask(s);
		asked = true;
		if (result) {
			s->wanted = false;
			log_line("a session with %s: %s", init.plan.services[s->service].name,
			         cap_error_text(result));
		}
	}
	return asked;
}
