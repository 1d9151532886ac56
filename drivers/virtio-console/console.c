/* SPDX-License-Identifier: MIT */
/*
 * The console device as a whole: its control queues and its streams, one round at a time.  A queue
 * that broke anywhere is the device's fault, and the whole device is then started anew.
 */
#include "drivers/virtio-console/console.h"

static bool device_is_broken(const struct console *c)
{
	for (uint32_t i = 0; i < CONSOLE_QUEUES(c->nports); i++)
		if (c->queues[i].broken)
			return true;
	return false;
}

void console_start(struct console *c)
{
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++)
		console_stream_reset(&c->streams[i]);
	console_control_start(c);
}

uint32_t console_run(struct console *c)
{
	console_control_run(c);
	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++)
		console_stream_run(&c->streams[i]);
	return device_is_broken(c) ? CONSOLE_DEVICE_BROKEN : 0;
}

bool console_prepare_sleep(struct console *c)
{
	bool more = console_control_prepare_sleep(c);

	for (uint32_t i = 0; i < CONSOLE_STREAMS; i++)
		more |= console_stream_prepare_sleep(&c->streams[i]);
	return more || device_is_broken(c);
}
