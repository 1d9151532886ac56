/* SPDX-License-Identifier: MIT */
/*
 * The capabilities of tests/guest/abuse.c: "status" counts, "processes-process" is the process
 * service, to be killed.
 */
#include <signal.h>
#include <sys/resource.h>

#include <capos/cap.h>
#include <capos/schema/kernel_client.h>
#include <capos/start.h>

#include "abuse.h"

void abuse_begin(char **argv)
{
	start_init((const uint64_t *)argv - 1);
}

unsigned long kernel_objects(unsigned long *pages)
{
	struct system_status_memory_results results = {.kernel_objects = 0};

	if (system_status_memory(start_cap("status"), &results, NULL))
		return 0;
	if (pages)
		*pages = results.free_pages + results.object_pages;
	return results.kernel_objects;
}

bool end_process_service(void)
{
	const struct process_kill_params kill_it = {.status = CAPOS_EXIT_STATUS(0, SIGKILL)};

	return process_kill(start_cap("processes-process"), &kill_it, NULL) == CAP_OK;
}

void limit_processes(unsigned most)
{
	const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};

	setrlimit(RLIMIT_NPROC, &limit);
}
