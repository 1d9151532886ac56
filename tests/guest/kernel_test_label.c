/* SPDX-License-Identifier: MIT */
/*
 * Labels: what a Labeller says of a process reaches those that it calls, and nothing else does.
 * The caller is this process, which serves itself by two of its operations.
 */
#include <string.h>

#include <capos/object.h>

#include "kernel_test.h"

#define TEXT   "label of more than eight bytes"
#define PREFIX 0x666f206c6562616cull /* "label of" */

static int set(cap_t process, const void *label, uint32_t length)
{
	uint64_t buffer[40];
	const struct capos_send_cap send = {.cap = process, .rights = CAP_RIGHTS_ALL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct labeller_set_params params = {.label = {label, length}};
	return labeller_set(LABELS, &params, &call);
}

/* The length of the label that a Labeller finds; it is in `out`, as far as it fits. */
static uint32_t get(cap_t process, char out[CAPOS_LABEL_MAX])
{
	uint64_t buffer[40];
	const struct capos_send_cap send = {.cap = process, .rights = CAP_RIGHTS_ALL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct labeller_get_params params = {.process_index = 0};
	struct labeller_get_results results;
	if (labeller_get(LABELS, &params, &results, &call))
		return UINT32_MAX;
	memcpy(out, results.label.ptr, results.label.len);
	return results.label.len;
}

static int caller_label(cap_t process, uint64_t call_id, uint32_t *length, char *out)
{
	uint64_t buffer[40];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	const struct process_caller_label_params params = {.call = call_id};
	struct process_caller_label_results results;
	int result = process_caller_label(process, &params, &results, &call);
	*length = 0;
	if (result)
		return result;
	memcpy(out, results.label.ptr, results.label.len);
	*length = results.label.len;
	return CAP_OK;
}

static struct capos_received received;

/* Makes a call of the object and receives it: its completion is awaited by answer(). */
static void receive_call(cap_t endpoint, cap_t object, struct cap_op *op)
{
	struct capos_sqe call = {.op = CAP_OP_CALL, .cap = object, .interface = TEST_INTERFACE};
	struct capos_sqe recv = {.op = CAP_OP_RECV,
	                         .cap = endpoint,
	                         .recv_addr = (uint64_t)&received,
	                         .recv_len = sizeof(received)};
	cap_submit(&call, op);
	tap_equal(run(&recv, NULL), CAP_OK, "a call arrives");
}

static void answer(struct cap_op *op)
{
	struct capos_sqe sqe = {.op = CAP_OP_RETURN, .arg = received.call_id};
	run(&sqe, NULL);
	cap_await(op, CAPOS_FOREVER);
}

static void test_calls(cap_t endpoint, cap_t object)
{
	char found[CAPOS_LABEL_MAX];
	uint32_t length;
	struct cap_op op = {};
	receive_call(endpoint, object, &op);
	tap_equal((int64_t)received.caller_label, 0, "without a label, with zeroes");
	tap_equal(caller_label(CAP_SELF, received.call_id, &length, found), CAP_OK,
	          "its server asks for the label");
	tap_equal(length, 0, "which is empty");
	answer(&op);
	tap_equal(set(CAP_SELF, TEXT, sizeof(TEXT)), CAP_OK, "a process is labelled");
	receive_call(endpoint, object, &op);
	tap_ok(received.caller_label == PREFIX, "calls come with the label's beginning");
	tap_equal(caller_label(CAP_SELF, received.call_id, &length, found), CAP_OK,
	          "and their server may read it");
	tap_ok(length == sizeof(TEXT) && !memcmp(found, TEXT, length), "as a whole");
	tap_equal(caller_label(CAP_SELF, received.call_id + 1, &length, found), CAP_ENOENT,
	          "of calls that it was given");
	answer(&op);
	tap_equal(caller_label(CAP_SELF, received.call_id, &length, found), CAP_ENOENT,
	          "and has not answered");
}

static void test_set(void)
{
	static const char long_label[CAPOS_LABEL_MAX + 1];
	char found[CAPOS_LABEL_MAX];
	cap_t weak;
	tap_ok(get(CAP_SELF, found) == sizeof(TEXT), "a Labeller reads what was set");
	tap_equal(set(CAP_SELF, long_label, sizeof(long_label)), CAP_ETOOBIG,
	          "a label of 193 bytes is too long");
	tap_ok(get(CAP_SELF, found) == sizeof(TEXT) && !memcmp(found, TEXT, sizeof(TEXT)),
	       "and changes nothing");
	tap_equal(set(LOG, TEXT, 1), CAP_ETYPE, "a log is not labelled");
	cap_copy(CAP_SELF, CAP_RIGHTS_ALL & ~CAP_RIGHT_WATCH, &weak);
	tap_equal(set(weak, TEXT, 1), CAP_ERIGHTS, "nor a process that is not watched");
	cap_release(weak);
	tap_equal(set(CAP_SELF, NULL, 0), CAP_OK, "a label goes");
	tap_ok(get(CAP_SELF, found) == 0, "as a whole");
}

#define CHILD_STACK 16384u
static _Alignas(16) uint8_t child_stack[CHILD_STACK];

static void child_looks(uint64_t unused)
{
	char found[CAPOS_LABEL_MAX];
	(void)unused;
	cap_exit(CAPOS_EXIT_STATUS(get(CAP_SELF, found) != sizeof(TEXT), 0));
}

static void test_fork_label(void)
{
	uint64_t buffer[16];
	const struct process_fork_params params = {.entry = (uint64_t)child_looks,
	                                           .stack_pointer =
	                                                   (uint64_t)child_stack + CHILD_STACK - 8};
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	set(CAP_SELF, TEXT, sizeof(TEXT));
	tap_equal(process_fork(CAP_SELF, &params, NULL, &call), CAP_OK, "a labelled process forks");
	tap_equal(wait_for(call.caps[0], NULL, 0), 0, "and its child has the label");
	set(CAP_SELF, NULL, 0);
}

/* ---- How far a process raises threads ---- */

static int bound(uint16_t priority, int32_t nice)
{
	uint64_t buffer[16];
	const struct capos_send_cap send = {.cap = CAP_SELF, .rights = CAP_RIGHTS_ALL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct labeller_bound_params params = {.priority = priority, .nice = nice};
	return labeller_bound(LABELS, &params, &call);
}

static int become(uint8_t policy, uint8_t priority, bool resets)
{
	return cap_thread_set_policy(0, &(struct capos_scheduling){.policy = policy,
	                                                           .priority = priority,
	                                                           .resets = resets});
}

static void test_bound(void)
{
	tap_equal(bound(100, 0), CAP_EINVAL, "there is no priority 100");
	tap_equal(bound(0, -21), CAP_EINVAL, "nor a nice value -21");
	tap_equal(bound(0, 21), CAP_EINVAL, "nor 21");
	tap_equal(become(CAPOS_POLICY_FIFO, 7, true), CAP_OK, "at first all is allowed");
	tap_equal(bound(5, 20), CAP_OK, "a process is bound");
	tap_equal(become(CAPOS_POLICY_FIFO, 8, true), CAP_ERIGHTS, "and gets no higher than it is");
	tap_equal(become(CAPOS_POLICY_FIFO, 6, false), CAP_ERIGHTS, "nor hands on what it has");
	tap_equal(become(CAPOS_POLICY_ROUND_ROBIN, 6, true), CAP_OK, "but lower");
	tap_equal(become(CAPOS_POLICY_OTHER, 0, true), CAP_OK, "it leaves real time");
	tap_equal(become(CAPOS_POLICY_FIFO, 6, true), CAP_ERIGHTS, "and does not come back");
	tap_equal(become(CAPOS_POLICY_FIFO, 5, true), CAP_OK, "but to what it may have");
	tap_equal(cap_thread_set_nice(0, 1), CAP_OK, "it becomes nicer");
	tap_equal(cap_thread_set_nice(0, 0), CAP_ERIGHTS, "and not less nice again");
	tap_equal(bound(CAPOS_REALTIME_MAX, CAPOS_NICE_MIN), CAP_OK, "it is bound no more");
	tap_equal(become(CAPOS_POLICY_OTHER, 0, false), CAP_OK, "and as it was");
	tap_equal(cap_thread_set_nice(0, 0), CAP_OK, "at first");
}

void test_labels(void)
{
	cap_t endpoint, object;
	cap_endpoint_create(&endpoint);
	cap_mint(endpoint, TEST_INTERFACE, 1, &object);
	test_calls(endpoint, object);
	test_set();
	test_fork_label();
	test_bound();
	cap_release(object);
	cap_release(endpoint);
}
