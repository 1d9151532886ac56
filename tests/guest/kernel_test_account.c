/* SPDX-License-Identifier: MIT */
/*
 * Accounts: who is charged for what, that limits hold, and that memory which was drawn can be used
 * whatever happens afterwards.
 */
#include <string.h>

#include "kernel_test.h"

#define PAGE        CAPOS_PAGE_SIZE
#define READ_WRITE  (CAP_RIGHT_READ | CAP_RIGHT_WRITE)
#define LIMIT_PAGES 64u
#define TIMERS      2000u /* more than an account may have */

static const struct capos_send_cap log_only[] = {{LOG, CAP_RIGHTS_ALL, 0}};

static cap_t create(const struct process_spawner_create_account_params *params)
{
	uint64_t buffer[32];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	int result = process_spawner_create_account(SPAWNER, params, NULL, &call);
	tap_equal(result, CAP_OK, "an account is made");
	return !result ? call.caps[0] : CAP_NULL;
}

static struct account_status_results status(cap_t account)
{
	struct account_status_results results = {};
	tap_equal(account_status(account, &results, NULL), CAP_OK, "an account is looked at");
	return results;
}

static void test_drawing(void)
{
	cap_t account = create(
	        &(struct process_spawner_create_account_params){.memory_limit_pages = LIMIT_PAGES});
	cap_t memory, more, draw;
	uint8_t *a;
	tap_equal(cap_account_create_memory(account, 32 * PAGE, &memory), CAP_OK,
	          "memory is drawn");
	uint64_t used = status(account).memory_pages;
	tap_ok(used >= 32 && used < 40, "its pages are charged at once");
	tap_equal(cap_account_create_memory(account, LIMIT_PAGES * PAGE, &more), CAP_ENOMEM,
	          "more than the limit is not");
	tap_equal((int64_t)status(account).memory_pages, (int64_t)used,
	          "and what failed is not charged");
	tap_equal(cap_account_create_memory(account, 0, &more), CAP_EINVAL, "nothing is drawn");
	struct memory_object_resize_params resize = {.size = PAGE};
	tap_equal(memory_object_resize(memory, &resize, NULL), CAP_ERIGHTS,
	          "what was drawn is not resized");
	tap_equal(cap_account_slice(account, memory, PAGE, 8 * PAGE, &more), CAP_OK,
	          "a slice is drawn");
	tap_ok(status(account).memory_pages >= used + 8, "and charged");
	cap_release(more);

	cap_copy(account, CAP_RIGHT_CALL, &draw);
	struct account_status_results results;
	tap_equal(account_status(draw, &results, NULL), CAP_ERIGHTS,
	          "a holder that may draw sees no status");
	tap_equal(cap_account_create_memory(draw, PAGE, &more), CAP_OK, "but draws");
	cap_release(more);
	cap_release(account);
	cap_release(draw);
	tap_equal(cap_memory_map(memory, 0, 32 * PAGE, READ_WRITE, (void **)&a), CAP_OK,
	          "memory outlives the capabilities on its account");
	memset(a, 1, 32 * PAGE);
	cap_memory_unmap(a, 32 * PAGE);
	cap_release(memory);
}

/* A program that takes what it can, and memory of its own account that a service uses. */
static void test_committed(cap_t image)
{
	cap_t event, process, memory, slice;
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, 9)};
	uint64_t bits;
	uint8_t *a, *b;
	cap_t account = create(&(struct process_spawner_create_account_params){0});
	cap_account_create_memory(account, 16 * PAGE, &memory);
	cap_account_slice(account, memory, 0, 16 * PAGE, &slice);
	cap_memory_map(memory, 0, 16 * PAGE, READ_WRITE, (void **)&a);
	cap_memory_map(slice, 0, 16 * PAGE, READ_WRITE, (void **)&b);
	cap_event_create(&event);
	struct capos_send_cap caps[] = {{LOG, CAP_RIGHTS_ALL, 0},
	                                {event, CAP_RIGHT_SIGNAL | CAP_RIGHT_COPY, 0}};
	start_account = account;
	start_process(image, "hoard", caps, 2, &process);
	start_account = CAP_NULL;
	cap_wait(event, UINT64_MAX, CAPOS_FOREVER, &bits);
	memset(a, 1, 16 * PAGE);
	memset(b, 2, 16 * PAGE);
	tap_ok(a[0] == 1 && a[16 * PAGE - 1] == 1 && b[0] == 2 && b[16 * PAGE - 1] == 2,
	       "what was drawn is used when memory is full");
	cap_t more;
	/* The stores gave back what was set aside for the copies that are not needed now. */
	tap_equal(cap_account_create_memory(account, 20 * PAGE, &more), CAP_ENOMEM,
	          "a service that draws for a program is held to leave services their share");
	process_kill(process, &kill, NULL);
	wait_for(process, NULL, 0);
	cap_memory_unmap(a, 16 * PAGE);
	cap_memory_unmap(b, 16 * PAGE);
	cap_release(memory);
	cap_release(slice);
	cap_release(event);
	cap_release(account);
}

static void test_family(cap_t image)
{
	cap_t account, weak, first, second, third;
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, 9)};
	account = create(&(struct process_spawner_create_account_params){
	        .memory_limit_pages = 1024, .process_limit = 2, .thread_limit = 5});
	cap_copy(account, CAP_RIGHT_CALL | CAP_RIGHT_WATCH | CAP_RIGHT_COPY, &weak);
	start_account = weak;
	tap_equal(start_process(image, "wait", log_only, 1, &first), CAP_ERIGHTS,
	          "starting in an account needs the right");
	start_account = account;
	tap_equal(start_process(image, "wait", log_only, 1, &first), CAP_OK,
	          "a process starts in an account");
	uint64_t one = status(account).memory_pages;
	tap_equal(start_process(image, "wait", log_only, 1, &second), CAP_OK, "another one");
	struct account_status_results both = status(account);
	tap_ok(both.memory_pages > one && both.processes == 2 && both.threads == 2,
	       "both are charged");
	process_kill(second, &kill, NULL);
	tap_equal(start_process(image, "wait", log_only, 1, &third), CAP_EAGAIN,
	          "a third is refused while the second's status is held");
	wait_for(second, NULL, 0);
	start_process(image, "threads", log_only, 1, &second);
	tap_equal(wait_for(second, NULL, 0), CAPOS_EXIT_STATUS(3, 0),
	          "threads beyond the limit are refused");
	tap_equal(start_process(image, "greedy", log_only, 1, &second), CAP_OK,
	          "a process takes what the account has");
	start_account = CAP_NULL;
	tap_equal(wait_for(second, NULL, 0), CAPOS_EXIT_STATUS(0, 9), "and ends of it");
	process_kill(first, &kill, NULL);
	wait_for(first, NULL, 0);
	struct account_status_results none = status(account);
	tap_ok(none.memory_pages <= 2 && none.object_bytes == 0 && none.processes == 0 &&
	               none.threads == 0 && none.operations == 0 && none.calls == 0,
	       "nothing stays charged when they are gone");
	cap_release(account);
	cap_release(weak);
}

/* A process that took what memory there was, and a small one that touches a page now and then: the
 * small one ended. */
static void run_small_beside_hog(cap_t image, cap_t account_of_small, cap_t account_of_hog)
{
	static const char said[] = "out of memory: it had the most, ";
	cap_t event, hog, small;
	char reason[128] = "";
	uint64_t bits;
	cap_event_create(&event);
	const struct capos_send_cap caps[] = {
	        {LOG, CAP_RIGHTS_ALL, 0},
	        {event, CAP_RIGHT_SIGNAL | CAP_RIGHT_WAIT | CAP_RIGHT_COPY, 0}};
	start_account = account_of_small;
	start_process(image, "small", caps, 2, &small);
	start_account = account_of_hog;
	start_process(image, "hoard", caps, 2, &hog);
	start_account = CAP_NULL;
	tap_equal(cap_wait(event, 3, CAPOS_FOREVER, &bits), CAP_OK, "a process takes all memory");
	cap_signal(event, 4);
	tap_equal(wait_for(small, NULL, 0), 0, "a small one beside it goes on");
	tap_equal(wait_for(hog, reason, sizeof(reason)), CAPOS_EXIT_STATUS(0, 9),
	          "the one that took it ends");
	tap_ok(strncmp(reason, said, strlen(said)) == 0, "and it is known why");
	tap_note("%s", reason);
	cap_release(event);
}

static void test_shortage(cap_t image)
{
	cap_t one = create(&(struct process_spawner_create_account_params){0});
	cap_t other = create(&(struct process_spawner_create_account_params){0});
	cap_t limited =
	        create(&(struct process_spawner_create_account_params){.memory_limit_pages = 1024});
	run_small_beside_hog(image, one, other);
	run_small_beside_hog(image, one, one);
	run_small_beside_hog(image, limited, limited);
	tap_ok(status(limited).memory_pages <= 2, "nothing stays charged");
	cap_release(one);
	cap_release(other);
	cap_release(limited);
}

static void test_items(void)
{
	static cap_t timers[TIMERS];
	cap_t own, event;
	unsigned made = 0;
	tap_equal(cap_account(&own), CAP_OK, "a process has its own account");
	struct account_status_results before = status(own);
	cap_event_create(&event);
	tap_ok(status(own).object_bytes > before.object_bytes, "an event is charged");
	cap_release(event);
	tap_ok(status(own).object_bytes == before.object_bytes, "until it goes");
	/* As many as the account may have, which a program that makes 480,000 would go beyond. */
	uint32_t most = before.timer_limit - before.timers;
	int result = CAP_OK;
	for (; made < TIMERS; made++) {
		uint64_t buffer[16];
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		result = timer_create(TIMER, NULL, &call);
		if (result)
			break;
		timers[made] = call.caps[0];
	}
	tap_equal(result, CAP_EAGAIN, "timers beyond the limit are refused");
	tap_equal(made, most, "and none before");
	tap_equal(status(own).timers, before.timer_limit, "they are counted");
	for (unsigned i = 0; i < made; i++)
		cap_release(timers[i]);
	tap_equal(status(own).timers, before.timers, "and given back");
	cap_release(own);
}

void test_account(void)
{
	cap_t image = find_file("sbin/kernel_child");
	test_drawing();
	test_committed(image);
	test_shortage(image);
	test_family(image);
	test_items();
	cap_release(image);
}
