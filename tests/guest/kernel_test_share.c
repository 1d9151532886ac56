/* SPDX-License-Identifier: MIT */
/*
 * Shares of the processor: programs that never wait, side by side.  Compared is the time that each
 * of them had.  When the host holds the machine up, that is charged to the one that runs, so there
 * is some play; by threads instead of shares the parts would be one of twenty-one, or of six.
 */
#include "kernel_test.h"

#define MS       1000000ull
#define RUN_NS   (600 * MS)
#define PER_CENT 100u

static const struct capos_send_cap log_only[] = {{LOG, CAP_RIGHTS_ALL, 0}};

static uint64_t used(cap_t process)
{
	uint64_t buffer[64];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_status_results status = {};

	process_status(process, &status, &call);
	return status.cpu_ns;
}

static cap_t start(cap_t image, const char *what)
{
	cap_t process;

	tap_equal(start_process(image, what, log_only, 1, &process), CAP_OK, what);
	return process;
}

/* They run for a while: the first one's part of the time that they had. */
static unsigned part_of_first(const cap_t *processes, unsigned n)
{
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, 9)};
	uint64_t first = 0, all = 0;

	cap_sleep(RUN_NS);
	for (unsigned i = 0; i < n; i++) {
		uint64_t ns = used(processes[i]);

		first = i ? first : ns;
		all += ns;
	}
	for (unsigned i = 0; i < n; i++) {
		process_kill(processes[i], &kill, NULL);
		wait_for(processes[i], NULL, 0);
	}
	tap_note("%llu of %llu ms", (unsigned long long)(first / MS),
	         (unsigned long long)(all / MS));
	return all ? (unsigned)(first * PER_CENT / all) : 0;
}

static bool is_half(unsigned part)
{
	return part >= 28 && part <= 72;
}

static void test_threads(cap_t image)
{
	const cap_t both[] = {start(image, "busy"), start(image, "busy threads")};

	tap_ok(is_half(part_of_first(both, 2)), "twenty threads have the share of one program");
}

static void test_processes(cap_t image)
{
	uint64_t buffer[16];
	struct process_spawner_create_account_params none = {};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	cap_t all[6];

	all[0] = start(image, "busy");
	tap_equal(process_spawner_create_account(SPAWNER, &none, NULL, &call), CAP_OK,
	          "an account for several");
	start_account = call.caps[0];
	for (unsigned i = 1; i < 6; i++)
		all[i] = start(image, "busy");
	cap_release(start_account);
	start_account = CAP_NULL;
	tap_ok(is_half(part_of_first(all, 6)), "and so have five processes of one account");
}

static void test_sleeper(cap_t image)
{
	const cap_t both[] = {start(image, "busy now and then"), start(image, "busy threads")};
	unsigned part = part_of_first(both, 2);

	tap_ok(part >= 10 && part <= 72, "one that waits in between has what it asks for");
}

void test_share(void)
{
	cap_t image = find_file("sbin/kernel_child");

	test_threads(image);
	test_processes(image);
	test_sleeper(image);
	cap_release(image);
}
