/* SPDX-License-Identifier: MIT */
/*
 * platform.h over capabilities.  Memory
 * that is made here is committed; netstack's own memory is all present from server_init() on:
 * no packet and no call makes it touch a page that does not exist.
 */
#include <capos/cap.h>
#include <capos/log.h>

#include "netstack/lwip/platform.h"

static cap_t own_account; /* for sockets of no session */

uint64_t platform_now(void)
{
	return cap_now();
}

void *platform_memory_create(uint64_t account, uint64_t size, uint64_t *handle)
{
	void *memory;

	if (cap_account_create_memory(account ? account : own_account, size, handle))
		return NULL;
	if (cap_memory_map(*handle, 0, size, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &memory)) {
		(void)cap_release(*handle);
		return NULL;
	}
	return memory;
}

void platform_memory_destroy(void *memory, uint64_t size, uint64_t handle)
{
	(void)cap_memory_unmap(memory, size);
	(void)cap_release(handle);
}

void platform_signal(uint64_t event, uint64_t bits)
{
	struct capos_sqe sqe = {
	        .op = CAP_OP_SIGNAL, .flags = CAPOS_SQE_QUIET, .cap = event, .arg = bits};

	/* A capability that is not an event wakes nothing; only the client suffers. */
	(void)cap_submit_quiet(&sqe);
}

void platform_release(uint64_t handle)
{
	(void)cap_release(handle);
}

void platform_log(const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	fmt_vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log_line("%s", line);
}

_Noreturn void port_assert_failed(const char *message, int line, const char *file)
{
	log_fatal("lwIP is broken: %s (%s:%d)", message, file, line);
}

void platform_start(void)
{
	if (cap_account(&own_account))
		log_fatal("no account of its own");
}
