/* SPDX-License-Identifier: MIT */
/*
 * Pseudo-terminals: the far end is a program's channel.  A terminal's memory is drawn from the
 * account of who made it.
 */
#include "terminal.h"

#include <capos/schema/status.h>

#define MASTER_BYTES 8192u

int terminal_memory(cap_t account, uint32_t receive, uint32_t send, struct channel *channel,
                    cap_t *memory)
{
	const uint64_t size = CHANNEL_MEMORY_SIZE(receive, send);
	void *base;
	int result = account == CAP_NULL ? cap_memory_create_committed(size, memory)
	                                 : cap_account_create_memory(account, size, memory);

	if (result) {
		*memory = CAP_NULL;
		return STATUS_NO_MEMORY;
	}
	if (cap_memory_map(*memory, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &base)) {
		(void)cap_release(*memory);
		*memory = CAP_NULL;
		return STATUS_NO_MEMORY;
	}
	channel_create(channel, base, receive, send);
	return STATUS_OK;
}

void terminal_memory_end(struct channel *channel, cap_t *memory)
{
	if (*memory == CAP_NULL)
		return;
	(void)cap_memory_unmap(channel->shared, channel->memory_size);
	(void)cap_release(*memory);
	*memory = CAP_NULL;
}

int pty_begin(struct terminal *t, cap_t account, cap_t wake, uint64_t wake_bits)
{
	int status = terminal_begin(t, account);

	if (status)
		return status;
	status =
	        terminal_memory(account, MASTER_BYTES, MASTER_BYTES, &t->master, &t->master_memory);
	if (status) {
		terminal_end(t);
		return status;
	}
	t->master_wake = wake;
	t->master_wake_bits = wake_bits;
	t->locked = t->held = true;
	t->far = (struct far_end){
	        .in = &t->master.send, .out = &t->master.receive, .event = wake, .bits = wake_bits};
	return STATUS_OK;
}

void pty_released(struct terminal *t)
{
	t->held = false;
	terminal_hang_up(t);
	terminal_wake(t);
	if (!t->opens)
		terminal_end(t);
}

void pty_opens_changed(struct terminal *t)
{
	if (!t->held) {
		if (!t->opens)
			terminal_end(t);
		return;
	}
	/* What was written last is the master's to read before the end. */
	terminal_run(t);
	(void)channel_set_status(&t->master, t->opens ? 0 : CHANNEL_EOF,
	                         t->opens ? CHANNEL_EOF : 0);
	t->wake_far = true;
	terminal_wake(t);
}
