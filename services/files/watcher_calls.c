/* SPDX-License-Identifier: MIT */
/*
 * Reading a watcher's events: whole ones, copied before the reply is made, as many as it has room
 * for.
 */
#include "watcher_calls.h"

#include <capos/schema/status.h>

#define EVENTS_MAX 61440u /* bytes of one reply, which leave room for the message around them */

int watcher_serve_read(void *object, struct msg_call *call, const struct watcher_read_params *in,
                       struct watcher_read_results *out)
{
	static uint8_t events[EVENTS_MAX];
	int64_t bytes =
	        watcher_read(object, events, in->length < EVENTS_MAX ? in->length : EVENTS_MAX);

	(void)call;
	if (bytes <= 0)
		return bytes ? STATUS_INVALID_ARGUMENT : STATUS_WOULD_BLOCK;
	out->data = MSG_DATA(events, (uint32_t)bytes);
	return STATUS_OK;
}

int watcher_serve_ready(void *object, struct msg_call *call, struct watcher_ready_results *out)
{
	(void)call;
	out->bytes = ((const struct watcher *)object)->bytes;
	return STATUS_OK;
}
