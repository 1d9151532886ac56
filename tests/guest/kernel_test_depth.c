/* SPDX-License-Identifier: MIT */
/*
 * Chains that a program builds, and what a message may do to its receiver.  The kernel has one
 * stack of a few pages: where it recursed once for each link of a chain it ended in a double
 * fault.
 */
#include <string.h>

#include "kernel_test.h"

#define LINKS    90u /* calls in flight of one thread: cap_submit makes at most 96 */
#define BUILDERS 12u /* threads that build a chain together */
#define CHAIN    (BUILDERS * LINKS)

static const struct capos_send_cap log_only[] = {{LOG, CAP_RIGHTS_ALL, 0}};

/* Calls the object with one capability, and gives that up. */
static int send_away(cap_t object, cap_t cap, uint32_t length, struct cap_op *op)
{
	static uint8_t message[64];
	static struct capos_send_cap send;
	send = (struct capos_send_cap){.cap = cap, .rights = CAP_RIGHTS_ALL};
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .cap = object,
	                        .interface = TEST_INTERFACE,
	                        .send_addr = (uint64_t)message,
	                        .send_len = length,
	                        .send_caps = (uint64_t)&send,
	                        .send_ncaps = 1};
	int result = cap_submit(&sqe, op);
	if (!result)
		result = cap_poll(false, 0);
	cap_release(cap);
	return result == CAP_ETIMEDOUT ? CAP_OK : result;
}

static unsigned failed_with(struct cap_op *ops, int result)
{
	unsigned count = 0;
	for (unsigned i = 0; i < LINKS; i++)
		count += cap_await_uninterruptible(&ops[i]) == result;
	return count;
}

/* Each call carries the last reference to another object of the endpoint; a RECV that is too small
 * fails them all, one after another. */
static void test_objects_in_calls(void)
{
	static struct cap_op ops[LINKS];
	struct cap_op receive = {0};
	static uint64_t buffer[8];
	cap_t endpoint, object, sent;
	memset(ops, 0, sizeof(ops));
	cap_endpoint_create(&endpoint);
	cap_mint(endpoint, TEST_INTERFACE, 1, &object);
	for (unsigned i = 0; i < LINKS; i++) {
		cap_mint(endpoint, TEST_INTERFACE, 2 + i, &sent);
		send_away(object, sent, 64, &ops[i]);
	}
	struct capos_sqe sqe = {.op = CAP_OP_RECV,
	                        .cap = endpoint,
	                        .recv_addr = (uint64_t)buffer,
	                        .recv_len = sizeof(buffer)};
	cap_submit(&sqe, &receive);
	tap_equal(failed_with(ops, CAP_ETOOBIG), LINKS,
	          "objects in calls of their endpoint: each call fails");
	tap_equal(cap_await_uninterruptible(&receive), CAP_OK, "and a release is received");
	cap_release(object);
	cap_release(endpoint);
}

/* Each endpoint is in a message that is queued on the next. */
static void test_endpoints_in_calls(void)
{
	static struct cap_op ops[LINKS];
	cap_t endpoint, next, object;
	memset(ops, 0, sizeof(ops));
	cap_endpoint_create(&endpoint);
	for (unsigned i = 0; i < LINKS; i++) {
		cap_endpoint_create(&next);
		cap_mint(next, TEST_INTERFACE, 1, &object);
		send_away(object, endpoint, 0, &ops[i]);
		cap_release(object);
		endpoint = next;
	}
	cap_release(endpoint);
	tap_equal(failed_with(ops, CAP_EGONE), LINKS,
	          "endpoints in messages on endpoints: all end with the last");
}

/* ---- Chains of a thousand ---- */

/* What a chain grows by: one more call in flight. */
static struct {
	void (*add)(struct cap_op *op);
	int ends_with; /* what each call fails with */
	cap_t event;   /* bit 0: a builder is done; bit 1 + its number: it is to wait for the end */
	cap_t endpoint, object;
	volatile unsigned ended;
} chain;

static void build(uint64_t number)
{
	static struct cap_op ops[BUILDERS][LINKS];
	uint64_t bits;
	memset(ops[number], 0, sizeof(ops[number]));
	for (unsigned i = 0; i < LINKS; i++)
		chain.add(&ops[number][i]);
	cap_signal(chain.event, 1);
	cap_wait(chain.event, 2ull << number, CAPOS_FOREVER, &bits);
	chain.ended += failed_with(ops[number], chain.ends_with);
	cap_signal(chain.event, 1);
	end_thread();
}

static void start_builders(void)
{
	static _Alignas(16) uint8_t stacks[BUILDERS][16384];
	uint64_t bits;
	cap_event_create(&chain.event);
	chain.ended = 0;
	for (unsigned i = 0; i < BUILDERS; i++) {
		struct process_create_thread_params params = {
		        .entry = (uint64_t)build,
		        .stack_pointer = (uint64_t)stacks[i] + sizeof(stacks[i]) - 8,
		        .argument = i};
		tap_equal(process_create_thread(CAP_SELF, &params, NULL, NULL), CAP_OK,
		          "a thread builds a part of a chain");
		cap_wait(chain.event, 1, CAPOS_FOREVER, &bits);
	}
}

static void wait_for_builders(void)
{
	uint64_t bits;
	for (unsigned i = 0; i < BUILDERS; i++) {
		cap_signal(chain.event, 2ull << i);
		cap_wait(chain.event, 1, CAPOS_FOREVER, &bits);
	}
	/* One may run yet, on a stack that the next builder gets. */
	process_end_threads(CAP_SELF, NULL);
	cap_release(chain.event);
}

static void add_object(struct cap_op *op)
{
	static uint64_t word = 2;
	cap_t sent;
	cap_mint(chain.endpoint, TEST_INTERFACE, word++, &sent);
	send_away(chain.object, sent, 64, op);
}

static void test_long_chain_of_objects(void)
{
	static uint64_t buffer[8];
	struct cap_op receive = {0};
	cap_endpoint_create(&chain.endpoint);
	cap_mint(chain.endpoint, TEST_INTERFACE, 1, &chain.object);
	chain.add = add_object;
	chain.ends_with = CAP_ETOOBIG;
	start_builders();
	struct capos_sqe sqe = {.op = CAP_OP_RECV,
	                        .cap = chain.endpoint,
	                        .recv_addr = (uint64_t)buffer,
	                        .recv_len = sizeof(buffer)};
	cap_submit(&sqe, &receive);
	wait_for_builders();
	tap_equal(chain.ended, CHAIN, "1080 objects in calls of their endpoint: each call fails");
	tap_equal(cap_await_uninterruptible(&receive), CAP_OK, "and a release is received");
	cap_release(chain.object);
	cap_release(chain.endpoint);
}

static void add_endpoint(struct cap_op *op)
{
	cap_t next, object;
	cap_endpoint_create(&next);
	cap_mint(next, TEST_INTERFACE, 1, &object);
	send_away(object, chain.endpoint, 0, op);
	cap_release(object);
	chain.endpoint = next;
}

static void test_long_chain_of_endpoints(void)
{
	cap_endpoint_create(&chain.endpoint);
	chain.add = add_endpoint;
	chain.ends_with = CAP_EGONE;
	start_builders();
	cap_release(chain.endpoint);
	wait_for_builders();
	tap_equal(chain.ended, CHAIN, "1080 endpoints in messages on endpoints: all end");
}

/* Each process holds the capability on the one before, and all end together. */
static void test_processes_in_processes(cap_t image)
{
	struct capos_send_cap caps[] = {log_only[0], {CAP_NULL, CAP_RIGHTS_ALL, CAPOS_SEND_MOVE}};
	struct process_kill_params kill = {.status = CAPOS_EXIT_STATUS(0, 9)};
	cap_t process, watched[8];
	start_process(image, "wait", log_only, 1, &process);
	for (unsigned i = 0; i < 8; i++) {
		cap_copy(process, CAP_RIGHTS_ALL, &watched[i]);
		caps[1].cap = process;
		start_process(image, "wait", caps, 2, &process);
	}
	process_kill(process, &kill, NULL);
	tap_equal(wait_for(process, NULL, 0), CAPOS_EXIT_STATUS(0, 9),
	          "processes that hold processes: the last ends");
	unsigned ended = 0;
	for (unsigned i = 8; i-- > 0;) {
		process_kill(watched[i], &kill, NULL);
		ended += wait_for(watched[i], NULL, 0) == CAPOS_EXIT_STATUS(0, 9);
	}
	tap_equal(ended, 8, "and then the others");
}

/* Slices of slices of memory: each holds frames, none holds the one that it was made from. */
static void test_slices_of_slices(void)
{
	cap_t memory, next;
	unsigned made = 0;
	cap_memory_create(4 * CAPOS_PAGE_SIZE, &memory);
	for (; made < 1000; made++) {
		uint64_t buffer[16];
		struct memory_object_slice_params params = {.size = 4 * CAPOS_PAGE_SIZE};
		struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
		if (memory_object_slice(memory, &params, NULL, &call))
			break;
		next = call.caps[0];
		cap_release(memory);
		memory = next;
	}
	tap_equal(made, 1000, "slices of slices of memory");
	cap_release(memory);
}

/* A client with no memory left sends a message whose second page is not mapped. */
static void test_blame(cap_t image)
{
	static uint64_t buffer[1024];
	struct cap_op receive = {0};
	cap_t endpoint, object, process;
	cap_endpoint_create(&endpoint);
	cap_mint(endpoint, TEST_INTERFACE, 5, &object);
	struct capos_sqe sqe = {.op = CAP_OP_RECV,
	                        .cap = endpoint,
	                        .recv_addr = (uint64_t)buffer,
	                        .recv_len = sizeof(buffer)};
	cap_submit(&sqe, &receive);
	cap_poll(false, 0);
	struct capos_send_cap caps[] = {log_only[0], {object, CAP_RIGHTS_ALL, 0}};
	start_limit_pages = 512;
	start_process(image, "blame", caps, 2, &process);
	start_limit_pages = START_LIMIT_PAGES;
	tap_equal(wait_for(process, NULL, 0), 0,
	          "a message that is not mapped is its sender's error");
	cap_poll(false, 0);
	tap_ok(!receive.done, "the receiver goes on receiving");
	cap_cancel(&receive);
	cap_release(object);
	cap_release(endpoint);
}

void test_depth(void)
{
	cap_t image = find_file("sbin/kernel_child");
	test_objects_in_calls();
	test_endpoints_in_calls();
	test_long_chain_of_objects();
	test_long_chain_of_endpoints();
	test_processes_in_processes(image);
	test_slices_of_slices();
	test_blame(image);
	cap_release(image);
}
