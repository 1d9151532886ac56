/* SPDX-License-Identifier: MIT */
/*
 * The ring, capability ids, events, futexes and upcalls, each as abi.h says.
 */
#include "kernel_test.h"

static void test_indices(void)
{
	struct capos_ring *ring = cap_ring();
	tap_equal(cap_enter(CAPOS_CQ_ENTRIES + 1, 0), CAP_EINVAL,
	          "more completions than there are places are refused");
	uint32_t tail = ring->sq_tail, head = ring->cq_head;
	ring->sq_tail = tail + CAPOS_SQ_ENTRIES + 1;
	int64_t ahead = cap_enter(0, 0);
	ring->sq_tail = tail - 1;
	int64_t back = cap_enter(0, 0);
	ring->sq_tail = tail;
	ring->cq_head = ring->cq_tail + 1;
	int64_t unread = cap_enter(0, 0);
	ring->cq_head = head;
	tap_equal(ahead, CAP_EINVAL, "a submission index too far ahead is refused");
	tap_equal(back, CAP_EINVAL, "a submission index that went back is refused");
	tap_equal(unread, CAP_EINVAL, "a completion index ahead of the kernel's is refused");
	tap_equal(cap_enter(0, 0), 0, "with good indices all is well again");
	tail = ring->sq_tail;
	head = ring->cq_head;
	for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++)
		ring->sq[(tail + i) % CAPOS_SQ_ENTRIES] =
		        (struct capos_sqe){.op = CAP_OP_NOP, .user_data = 100 + i};
	ring->sq_tail = tail + CAPOS_SQ_ENTRIES;
	int64_t completed = cap_enter(0, 0);
	bool good = true;
	for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++) {
		const struct capos_cqe *cqe = &ring->cq[(head + i) % CAPOS_CQ_ENTRIES];
		good = good && cqe->user_data == 100 + i && !cqe->result;
	}
	ring->cq_head = ring->cq_tail;
	tap_equal(completed, CAPOS_SQ_ENTRIES, "a full queue of NOPs completes");
	tap_ok(good, "in order, with their user data");
}

static void test_overflow(void)
{
	struct capos_ring *ring = cap_ring();
	for (unsigned batch = 0; batch < 5; batch++) {
		for (unsigned i = 0; i < CAPOS_SQ_ENTRIES; i++)
			ring->sq[(ring->sq_tail + i) % CAPOS_SQ_ENTRIES] =
			        (struct capos_sqe){.op = CAP_OP_NOP};
		ring->sq_tail += CAPOS_SQ_ENTRIES;
		cap_enter(0, 0);
	}
	uint32_t unread = ring->cq_tail - ring->cq_head, left = ring->sq_tail - ring->sq_head;
	ring->cq_head = ring->cq_tail;
	cap_enter(0, 0);
	uint32_t later = ring->cq_tail - ring->cq_head;
	ring->cq_head = ring->cq_tail;
	tap_equal(unread, CAPOS_CQ_ENTRIES, "no more completions than there are places");
	tap_equal(left, CAPOS_SQ_ENTRIES, "submissions stay while there is no place");
	tap_equal(later, CAPOS_SQ_ENTRIES, "and are taken when there is");
}

static void test_bad_entries(void)
{
	struct capos_sqe sqe = {.op = CAP_OP_COUNT};
	tap_equal(run(&sqe, NULL), CAP_EOPCODE, "an unknown opcode is refused");
	sqe = (struct capos_sqe){.op = CAP_OP_NOP, .flags = 0x80};
	tap_equal(run(&sqe, NULL), CAP_EINVAL, "an unknown flag is refused");
	sqe = (struct capos_sqe){.op = CAP_OP_NOP, .reserved = {0, 0, 1}};
	tap_equal(run(&sqe, NULL), CAP_EINVAL, "a reserved field that is not zero is refused");
	sqe = (struct capos_sqe){.op = CAP_OP_RELEASE, .cap = CAP_ID(60000, 1)};
	tap_equal(run(&sqe, NULL), CAP_EBADCAP, "an id that was never given is refused");
	sqe = (struct capos_sqe){.op = CAP_OP_RECV, .cap = CAP_SELF};
	tap_equal(run(&sqe, NULL), CAP_ETYPE, "RECV on a process is refused");
	sqe = (struct capos_sqe){.op = CAP_OP_CALL, .cap = CAP_SELF, .interface = LOG_INTERFACE};
	tap_equal(run(&sqe, NULL), CAP_ETYPE, "a wrong interface is refused");
	sqe = (struct capos_sqe){
	        .op = CAP_OP_CALL, .cap = CAP_SELF, .interface = PROCESS_INTERFACE, .method = 999};
	tap_equal(run(&sqe, NULL), CAP_EMETHOD, "an unknown method is refused");
	sqe = (struct capos_sqe){.op = CAP_OP_CALL,
	                         .cap = CAP_SELF,
	                         .interface = PROCESS_INTERFACE,
	                         .send_addr = 0xffff800000000000ull,
	                         .send_len = 64};
	tap_equal(run(&sqe, NULL), CAP_EFAULT, "a message at a kernel address is refused");
	sqe.send_addr = CAPOS_USER_MAX - 16;
	tap_equal(run(&sqe, NULL), CAP_EFAULT, "a message across the end of user space too");
	sqe = (struct capos_sqe){.op = CAP_OP_RETURN, .arg = 1ull << 40};
	tap_equal(run(&sqe, NULL), CAP_ENOENT, "an answer to no call is refused");
	sqe = (struct capos_sqe){.op = CAP_OP_CANCEL, .arg = 12345};
	tap_equal(run(&sqe, NULL), CAP_ENOENT, "a cancel of nothing answers so");
}

static void test_capabilities(void)
{
	cap_t event, copy, weak;
	tap_equal(cap_event_create(&event), CAP_OK, "an event is made");
	tap_equal(cap_copy(event, CAP_RIGHTS_ALL, &copy), CAP_OK, "a capability is copied");
	tap_equal(cap_copy(event, CAP_RIGHT_WAIT, &weak), CAP_OK, "with fewer rights too");
	tap_equal(cap_signal(weak, 1), CAP_ERIGHTS, "what a right is missing for fails");
	cap_t no = CAP_NULL;
	tap_equal(cap_copy(weak, CAP_RIGHTS_ALL, &no), CAP_ERIGHTS,
	          "without COPY it is not copied");
	tap_equal(cap_release(copy), CAP_OK, "a copy is given up");
	tap_equal(cap_signal(copy, 1), CAP_EBADCAP, "a stale id fails");
	cap_t again;
	cap_copy(event, CAP_RIGHTS_ALL, &again);
	tap_ok(CAP_INDEX(again) == CAP_INDEX(copy) && again != copy,
	       "a slot used again has another generation");
	tap_equal(cap_signal(copy, 1), CAP_EBADCAP, "and the stale id still fails");
	cap_release(again);
	cap_release(weak);
	cap_release(event);
}

static void test_events(void)
{
	cap_t event;
	uint64_t bits = 0;
	cap_event_create(&event);
	cap_signal(event, 5);
	tap_equal(cap_wait(event, 4, CAPOS_FOREVER, &bits), CAP_OK, "a set bit is taken at once");
	tap_equal((int64_t)bits, 4, "and no other");
	tap_equal(cap_wait(event, 4, 1000000, &bits), CAP_ETIMEDOUT,
	          "a bit that was taken is gone");
	struct capos_sqe wait = {.op = CAP_OP_WAIT, .cap = event, .arg = 8};
	struct cap_op op = {0};
	cap_submit(&wait, &op);
	cap_poll(false, 0);
	tap_ok(!op.done, "WAIT waits");
	cap_signal(event, 8 | 16);
	tap_ok(op.done && op.cqe.result == CAP_OK && op.cqe.value == 8, "until its bit is set");
	wait = (struct capos_sqe){.op = CAP_OP_WAIT, .cap = event, .arg = 8};
	cap_submit(&wait, &op);
	cap_poll(false, 0);
	cap_cancel(&op);
	tap_equal(op.cqe.result, CAP_ECANCELED, "a WAIT is cancelled");
	tap_equal(cap_wait(event, 1 | 16, 0, &bits), CAP_OK,
	          "the bits that were not taken are still there");
	tap_equal((int64_t)bits, 17, "all of them");
	cap_release(event);
}

static volatile uint32_t word;
static cap_t ready;

static void waker(uint64_t argument)
{
	(void)argument;
	cap_wait(ready, 1, CAPOS_FOREVER, &(uint64_t){0});
	word = 1;
	struct capos_sqe wake = {.op = CAP_OP_FUTEX_WAKE, .send_addr = (uint64_t)&word, .arg = 10};
	struct capos_cqe cqe;
	run(&wake, &cqe);
	word = 2 + (uint32_t)cqe.value;
	cap_signal(ready, 2);
	end_thread();
}

static void test_futex(void)
{
	word = 0;
	cap_event_create(&ready);
	struct capos_sqe wait = {.op = CAP_OP_FUTEX_WAIT, .send_addr = (uint64_t)&word, .arg = 3};
	tap_equal(run(&wait, NULL), CAP_EAGAIN, "a futex word that differs does not wait");
	wait = (struct capos_sqe){.op = CAP_OP_FUTEX_WAIT, .send_addr = (uint64_t)&word + 2};
	tap_equal(run(&wait, NULL), CAP_EINVAL, "a word out of alignment is refused");
	wait = (struct capos_sqe){.op = CAP_OP_FUTEX_WAIT, .send_addr = 0x10000};
	tap_equal(run(&wait, NULL), CAP_EFAULT, "a word that is not mapped too");
	start_thread(waker, 0);
	wait = (struct capos_sqe){.op = CAP_OP_FUTEX_WAIT, .send_addr = (uint64_t)&word, .arg = 0};
	struct cap_op op = {0};
	cap_submit(&wait, &op);
	cap_signal(ready, 1);
	tap_equal(cap_await(&op, CAPOS_FOREVER), CAP_OK, "a futex is woken by another thread");
	cap_wait(ready, 2, CAPOS_FOREVER, &(uint64_t){0});
	tap_equal(word, 3, "whose result is how many it woke");
	cap_release(ready);
}

static void test_futex_bits(void)
{
	static uint32_t waited;
	struct cap_op ops[4] = {};
	struct capos_cqe cqe;
	for (unsigned i = 0; i < 4; i++) {
		struct capos_sqe wait = {.op = CAP_OP_FUTEX_WAIT,
		                         .send_addr = (uint64_t)&waited,
		                         .send_ncaps = i == 3 ? 0 : 1u << i % 2};
		cap_submit(&wait, &ops[i]);
	}
	struct capos_sqe wake = {
	        .op = CAP_OP_FUTEX_WAKE, .send_addr = (uint64_t)&waited, .arg = 1, .send_ncaps = 2};
	tap_ok(run(&wake, &cqe) == CAP_OK && cqe.value == 1 && ops[1].done && !ops[0].done,
	       "only who waits with a bit is woken by it");
	wake.send_ncaps = 0;
	tap_ok(run(&wake, &cqe) == CAP_OK && ops[0].done && !ops[2].done && !ops[3].done,
	       "and the others keep their order");
	wake.send_ncaps = 4;
	wake.arg = 9;
	tap_ok(run(&wake, &cqe) == CAP_OK && cqe.value == 1 && ops[3].done && !ops[2].done,
	       "who names none waits with all");
	wake.send_ncaps = 3;
	tap_ok(run(&wake, &cqe) == CAP_OK && cqe.value == 1 && ops[2].done, "one of several does");
}

static uint64_t signals_of(cap_t event, uint64_t seen, struct cap_op *op)
{
	struct capos_sqe watch = {.op = CAP_OP_WATCH, .cap = event, .arg = seen};
	cap_submit(&watch, op);
	cap_poll(false, 0);
	return op->done ? op->cqe.value : seen;
}

static void test_watch(void)
{
	struct cap_op first = {}, second = {};
	uint64_t bits;
	cap_t event;
	cap_event_create(&event);
	tap_ok(signals_of(event, 0, &first) == 0 && signals_of(event, 0, &second) == 0 &&
	               !first.done && !second.done,
	       "an event that was not signalled since is watched");
	cap_signal(event, 2);
	cap_poll(false, 0);
	tap_ok(first.done && second.done && first.cqe.value == 1 && second.cqe.value == 1,
	       "one signal reaches all that watch");
	tap_equal(cap_wait(event, 2, 0, &bits), CAP_OK, "and they take nothing of it");
	tap_equal((int64_t)signals_of(event, 0, &first), 1, "a signal before the watch counts");
	signals_of(event, 1, &first);
	cap_cancel(&first);
	tap_equal(first.cqe.result, CAP_ECANCELED, "a watch is cancelled");
	cap_signal(event, 1);
	cap_release(event);
}

/* ---- What a thread leaves behind ---- */

static struct {
	uint32_t held, other, exit;
	struct capos_robust_list list;
	struct {
		uint64_t next;
		uint32_t lock;
	} entries[2];
} left;

static void owner(uint64_t argument)
{
	struct capos_thread_end *end = &cap_ring()->end;
	uint32_t self = (uint32_t)cap_ring()->thread_id & CAPOS_LOCK_OWNER;
	(void)argument;
	left.held = self | CAPOS_LOCK_WAITED;
	left.other = self + 1;
	left.exit = 1;
	end->held[0] = (uint64_t)&left.held;
	end->held[1] = (uint64_t)&left.other;
	end->held[2] = 8; /* nothing is mapped there */
	left.entries[0].lock = left.entries[1].lock = 77;
	left.entries[0].next = (uint64_t)&left.entries[1];
	left.entries[1].next = (uint64_t)&left.entries[0]; /* a circle without the list's head */
	left.list.next = (uint64_t)&left.entries[0];
	left.list.offset = sizeof(uint64_t);
	end->robust_list = (uint64_t)&left.list;
	end->robust_owner = 77;
	end->exit_word = (uint64_t)&left.exit;
	cap_signal(ready, 2);
	cap_wait(ready, 1, CAPOS_FOREVER, &(uint64_t){0});
	end_thread();
}

static void test_thread_end(void)
{
	struct cap_op lock = {}, end = {};
	cap_event_create(&ready);
	start_thread(owner, 0);
	cap_wait(ready, 2, CAPOS_FOREVER, &(uint64_t){0});
	uint32_t self = left.other - 1;
	struct capos_sqe wait = {.op = CAP_OP_FUTEX_WAIT,
	                         .send_addr = (uint64_t)&left.held,
	                         .arg = self | CAPOS_LOCK_WAITED};
	cap_submit(&wait, &lock);
	wait = (struct capos_sqe){
	        .op = CAP_OP_FUTEX_WAIT, .send_addr = (uint64_t)&left.exit, .arg = 1};
	cap_submit(&wait, &end);
	cap_signal(ready, 1);
	tap_equal(cap_await(&end, CAPOS_FOREVER), CAP_OK, "a thread's end is waited for");
	tap_ok(left.exit == 0 && cap_await(&lock, CAPOS_FOREVER) == CAP_OK &&
	               left.held == (CAPOS_LOCK_WAITED | CAPOS_LOCK_DIED),
	       "one that waits for its lock is woken, and the lock is marked");
	tap_equal(left.other, self + 1, "a lock that it did not get stays its owner's");
	tap_ok(left.entries[0].lock == CAPOS_LOCK_DIED && left.entries[1].lock == CAPOS_LOCK_DIED,
	       "a list of locks without an end is gone through once in bounded time");
	cap_release(ready);
}

static void waits_for_ever(uint64_t argument)
{
	(void)argument;
	cap_signal(ready, 2);
	for (;;)
		cap_wait(ready, 1, CAPOS_FOREVER, &(uint64_t){0});
}

static void test_end_threads(void)
{
	struct process_status_results status;
	uint64_t buffer[32];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	cap_event_create(&ready);
	start_thread(waits_for_ever, 0);
	start_thread(waits_for_ever, 0);
	cap_wait(ready, 2, CAPOS_FOREVER, &(uint64_t){0});
	tap_equal(process_end_threads(CAP_SELF, NULL), CAP_OK, "the other threads are ended");
	process_status(CAP_SELF, &status, &call);
	tap_equal(status.threads, 1, "one is left");
	cap_release(ready);
}

static volatile uint64_t yields;

static void yields_for_ever(uint64_t argument)
{
	(void)argument;
	for (;; yields++)
		cap_enter(0, 0);
}

static void test_yield(void)
{
	start_thread(yields_for_ever, 0);
	cap_enter(0, 0);
	uint64_t seen = yields;
	for (unsigned i = 0; i < 100; i++)
		cap_enter(0, 0);
	/* A slice may end just then, on a machine that has other work. */
	tap_ok(yields - seen >= 50, "who gives the processor up lets another thread run");
	process_end_threads(CAP_SELF, NULL);
}

static void test_requeue(void)
{
	static uint32_t words[2];
	struct cap_op ops[3] = {};
	struct capos_cqe cqe;
	for (unsigned i = 0; i < 3; i++) {
		struct capos_sqe wait = {.op = CAP_OP_FUTEX_WAIT, .send_addr = (uint64_t)words};
		cap_submit(&wait, &ops[i]);
	}
	struct capos_sqe move = {.op = CAP_OP_FUTEX_REQUEUE,
	                         .send_addr = (uint64_t)words,
	                         .recv_addr = (uint64_t)words};
	tap_equal(run(&move, NULL), CAP_EINVAL, "waiters do not move to the word they wait for");
	move = (struct capos_sqe){.op = CAP_OP_FUTEX_REQUEUE,
	                          .send_addr = (uint64_t)words,
	                          .arg = 1,
	                          .recv_addr = (uint64_t)&words[1],
	                          .recv_len = 1};
	tap_ok(run(&move, &cqe) == CAP_OK && cqe.value == 2 && ops[0].done && !ops[1].done,
	       "the oldest waiter is woken, the next moved");
	struct capos_sqe wake = {
	        .op = CAP_OP_FUTEX_WAKE, .send_addr = (uint64_t)&words[1], .arg = 9};
	tap_ok(run(&wake, &cqe) == CAP_OK && cqe.value == 1 && ops[1].done && !ops[2].done,
	       "one is woken where it was moved to");
	move.flags = CAPOS_SQE_COMPARE;
	move.send_len = 5;
	tap_ok(run(&move, NULL) == CAP_EAGAIN && !ops[2].done,
	       "none is woken or moved when the word differs from what the call expects");
	words[0] = 5;
	tap_ok(run(&move, &cqe) == CAP_OK && cqe.value == 1 && ops[2].done,
	       "and when it is as expected they are");
	words[0] = 0; /* the test runs again */
	wake.flags = CAPOS_SQE_COMPARE;
	tap_equal(run(&wake, NULL), CAP_EINVAL, "other operations compare nothing");
}

static volatile uint64_t upcalls, upcall_seen;

/*
 * Takes the bits, clears the mask and goes back to where the thread was.  Signals come from the
 * thread itself here, so that is always behind a system call, which leaves rcx and r11 free to be
 * used.
 */
__attribute__((naked)) static void upcall_entry(void)
{
	__asm__("movq %gs:0, %rax\n"
	        "xorl %ecx, %ecx\n"
	        "xchgq %rcx, 40(%rax)\n" /* upcall_bits */
	        "movq %rcx, upcall_seen(%rip)\n"
	        "incq upcalls(%rip)\n"
	        "movq 184(%rax), %rcx\n" /* rsp */
	        "movq 256(%rax), %r11\n" /* rip */
	        "movq %r11, -136(%rcx)\n"
	        "movq 128(%rax), %r11\n" /* rax */
	        "movq %r11, -144(%rcx)\n"
	        "movl $0, 32(%rax)\n" /* upcall_mask */
	        "leaq -144(%rcx), %rsp\n"
	        "popq %rax\n"
	        "ret $128\n"); /* over the red zone */
}
_Static_assert(offsetof(struct capos_ring, upcall_bits) == 40 &&
                       offsetof(struct capos_ring, upcall_mask) == 32 &&
                       offsetof(struct capos_ring, upcall_frame) == 128,
               "upcall_entry's numbers");

static void test_upcalls(void)
{
	cap_t event, other;
	uint64_t bits;
	cap_event_create(&event);
	cap_event_create(&other);
	upcalls = 0;
	struct event_bind_upcall_params params = {.entry = 0};
	tap_equal(event_bind_upcall(event, &params, NULL), CAP_OK,
	          "an event is bound to the thread");
	tap_equal(event_bind_upcall(other, &params, NULL), CAP_EBUSY,
	          "a thread has one such event");
	cap_signal(event, 2);
	tap_equal((int64_t)cap_ring()->upcall_bits, 2, "bits collect in the ring");
	tap_equal(cap_wait(other, 1, CAPOS_FOREVER, &bits), CAP_EINTR, "and interrupt waiting");
	cap_ring()->upcall_bits = 0;
	params.entry = (uint64_t)upcall_entry;
	tap_equal(event_bind_upcall(event, &params, NULL), CAP_OK, "an entry is set");
	cap_signal(event, 0x40);
	tap_equal((int64_t)upcalls, 1, "the entry runs once");
	tap_equal((int64_t)upcall_seen, 0x40, "with the bits signalled");
	cap_ring()->upcall_mask = 1;
	cap_signal(event, 0x10);
	tap_equal((int64_t)upcalls, 1, "not while it is masked");
	cap_ring()->upcall_mask = 0;
	cap_enter(0, 0);
	tap_equal((int64_t)upcalls, 2, "but as soon as it no longer is");
	params.entry = 0;
	event_bind_upcall(event, &params, NULL);
	cap_release(event);
	cap_release(other);
}

void test_ring(void)
{
	static bool bound;
	test_indices();
	test_overflow();
	test_bad_entries();
	test_capabilities();
	test_events();
	test_futex();
	test_futex_bits();
	test_requeue();
	test_watch();
	test_thread_end();
	test_end_threads();
	test_yield();
	if (!bound) /* an event stays bound to its thread */
		test_upcalls();
	bound = true;
}
