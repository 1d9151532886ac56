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

/* ---- Policies and nice values ---- */

static int set_policy(cap_t process, uint64_t thread, uint16_t policy, uint16_t priority)
{
	return process_set_policy(process,
	                          &(struct process_set_policy_params){.thread_id = thread,
	                                                              .policy = policy,
	                                                              .priority = priority},
	                          NULL);
}

static int set_nice(cap_t process, uint64_t thread, int nice)
{
	return process_set_nice(
	        process, &(struct process_set_nice_params){.thread_id = thread, .nice = nice},
	        NULL);
}

static void test_errors(cap_t image)
{
	const struct process_scheduling_params first = {.thread_id = 0};
	struct process_scheduling_results now = {};
	cap_t process = start(image, "wait"), less;

	tap_equal(set_policy(process, 0, CAPOS_POLICY_FIFO, 7), CAP_OK, "a policy is set");
	tap_equal(set_nice(process, 0, -20), CAP_OK, "and a nice value");
	tap_equal(process_scheduling(process, &first, &now, NULL), CAP_OK, "both are told");
	tap_ok(now.policy == CAPOS_POLICY_FIFO && now.priority == 7 && now.nice == -20,
	       "as they were set");
	tap_equal(set_policy(process, 0, 4, 0), CAP_EINVAL, "no such policy");
	tap_equal(set_policy(process, 0, UINT16_MAX, 0), CAP_EINVAL, "nor such");
	tap_equal(set_policy(process, 0, CAPOS_POLICY_FIFO, 0), CAP_EINVAL, "no priority 0");
	tap_equal(set_policy(process, 0, CAPOS_POLICY_FIFO, 100), CAP_EINVAL, "nor 100");
	tap_equal(set_policy(process, 0, CAPOS_POLICY_ROUND_ROBIN, 257), CAP_EINVAL, "nor 257");
	tap_equal(set_policy(process, 0, CAPOS_POLICY_IDLE, 1), CAP_EINVAL, "none without it");
	tap_equal(set_nice(process, 0, 20), CAP_EINVAL, "no nice value 20");
	tap_equal(set_nice(process, 0, -276), CAP_EINVAL, "nor -276");
	tap_equal(set_policy(process, UINT64_MAX, 0, 0), CAP_ENOENT, "no such thread");
	tap_equal(set_policy(process, cap_ring()->thread_id, 0, 0), CAP_ENOENT,
	          "a thread of another process is none of this one");
	tap_equal(set_policy(CAP_SELF, cap_ring()->thread_id, 0, 0), CAP_OK, "the caller");
	cap_copy(process, CAP_RIGHTS_ALL & ~CAP_RIGHT_KILL, &less);
	tap_equal(set_policy(less, 0, 0, 0), CAP_ERIGHTS, "without the right to kill it");
	tap_equal(set_nice(less, 0, 0), CAP_ERIGHTS, "nor that");
	cap_release(less);
	cap_copy(process, CAP_RIGHTS_ALL & ~CAP_RIGHT_WATCH, &less);
	tap_equal(process_scheduling(less, &first, &now, NULL), CAP_ERIGHTS,
	          "nor seen without the right to watch it");
	cap_release(less);
	process_kill(process, &(struct process_kill_params){.status = 9}, NULL);
	wait_for(process, NULL, 0);
}

/* Real time of one program is nothing to another. */
static void test_real_time(cap_t image)
{
	const cap_t both[] = {start(image, "busy"), start(image, "busy threads")};

	tap_equal(set_policy(both[0], 0, CAPOS_POLICY_FIFO, 99), CAP_OK, "real time");
	tap_ok(is_half(part_of_first(both, 2)), "has no more of the processor");
}

void test_share(void)
{
	cap_t image = find_file("sbin/kernel_child");

	test_threads(image);
	test_processes(image);
	test_sleeper(image);
	test_errors(image);
	test_real_time(image);
	cap_release(image);
}
