/* SPDX-License-Identifier: MIT */
/*
 * Threads: created waiting, ended from outside or by themselves, never asleep inside the kernel.
 */
#include "process/thread.h"
#include "kernel.h"
#include "process/process.h"
#include "memory/slab.h"
#include "memory/space.h"

#define RING_PAGES (sizeof(struct capos_ring) / PAGE_SIZE)

static struct slab threads = SLAB_INIT(struct thread);
static uint64_t last_thread_id;

/* A slice is a fifth shorter for each step of niceness, within these bounds: one that is shorter
 * than a batch would go for switching, and one that is longer than the eye forgives would make the
 * others of the share look dead. */
#define SLICE_SHORTEST_NS BATCH_NS
#define SLICE_LONGEST_NS  (10 * CAPOS_SLICE_NS)
/* A FIFO's ends when it waits: this is longer than any machine runs. */
#define SLICE_NO_END_NS (1ull << 62)

static uint64_t slice_of(const struct capos_scheduling *s)
{
	uint64_t slice = CAPOS_SLICE_NS;
	if (s->policy == CAPOS_POLICY_FIFO)
		return SLICE_NO_END_NS;
	if (s->policy == CAPOS_POLICY_ROUND_ROBIN)
		return CAPOS_SLICE_NS;
	if (s->policy == CAPOS_POLICY_IDLE)
		return SLICE_SHORTEST_NS;
	for (int nice = s->nice; nice > 0; nice--)
		slice = slice * 4 / 5;
	for (int nice = s->nice; nice < 0; nice++)
		slice = slice * 5 / 4;
	if (slice < SLICE_SHORTEST_NS)
		return SLICE_SHORTEST_NS;
	return slice < SLICE_LONGEST_NS ? slice : SLICE_LONGEST_NS;
}

static bool is_realtime(const struct capos_scheduling *s)
{
	return s->policy == CAPOS_POLICY_FIFO || s->policy == CAPOS_POLICY_ROUND_ROBIN;
}

void thread_schedule(struct thread *t, struct capos_scheduling scheduling)
{
	uint8_t level = LEVEL_WOKEN;
	if (is_realtime(&scheduling))
		level = (uint8_t)(LEVEL_REALTIME + scheduling.priority - 1);
	t->scheduling = t->ring.header->scheduling = scheduling;
	sched_change(t, level, slice_of(&scheduling));
}

void thread_inherit(struct thread *t, const struct thread *maker)
{
	struct capos_scheduling s = maker->scheduling;
	if (s.resets) {
		s.resets = 0;
		s.nice = s.nice < 0 ? 0 : s.nice;
		if (is_realtime(&s)) {
			s.policy = CAPOS_POLICY_OTHER;
			s.priority = 0;
		}
	}
	thread_schedule(t, s);
}

struct thread *thread_find(const struct process *p, uint64_t id)
{
	if (id == 0) {
		struct list *first = list_first(&p->threads);
		return first ? list_entry(first, struct thread, of_process) : NULL;
	}
	struct tree_node *node = tree_at_least(&p->by_id, id, 0);
	return node && node->key.high == id ? container_of(node, struct thread, by_id) : NULL;
}

static void wait_is_over(struct timeout *timeout)
{
	struct thread *t = container_of(timeout, struct thread, timeout);
	assert(t->enter == ENTER_WAITING);
	t->enter = ENTER_TIMED_OUT;
	sched_wake(t);
}

/* Makes the ring's pages present and maps them; the count of the object keeps the frames where they
 * are. */
static int ring_map(struct thread *t)
{
	struct process *p = t->process;
	t->ring_object = memobj_create(sizeof(struct capos_ring), p->account);
	if (!t->ring_object)
		return CAP_ENOMEM;
	void *page[RING_PAGES];
	for (unsigned i = 0; i < RING_PAGES; i++) {
		paddr_t frame = memobj_frame(t->ring_object, i, true);
		if (frame == PADDR_NONE)
			goto fail;
		page[i] = page_ptr(frame);
	}
	int error = space_map(&p->space, t->ring_object, 0, sizeof(struct capos_ring),
	                      CAP_RIGHT_READ | CAP_RIGHT_WRITE, false, true, &t->ring_address);
	if (error)
		goto fail;
	ring_init(&t->ring, page[0], page[1], page[2], t->ring_address, t->id);
	return CAP_OK;
fail:
	memobj_put(t->ring_object);
	return CAP_ENOMEM;
}

int thread_create(struct process *p, uint64_t entry, uint64_t stack, uint64_t argument,
                  uint64_t fs_base, struct thread **out)
{
	assert(kernel_locked());
	if (!account_count(p->account, ACCOUNT_THREADS))
		return CAP_EAGAIN;
	struct thread *t = account_alloc(p->account, &threads);
	int error = CAP_ENOMEM;
	if (t) {
		t->process = p;
		t->id = ++last_thread_id;
		error = ring_map(t);
	}
	if (error) {
		if (t)
			account_free(p->account, &threads, t);
		account_uncount(p->account, ACCOUNT_THREADS);
		return error;
	}
	list_init(&t->run);
	list_init(&t->ops);
	list_append(&p->threads, &t->of_process);
	t->by_id.key = (struct tree_key){.high = t->id};
	tree_insert(&p->by_id, &t->by_id);
	p->nthreads++;
	t->share = p->service ? &this_cpu()->services : &p->account->share;
	t->slice_left = UINT64_MAX; /* it begins with a whole one */
	thread_schedule(t, (struct capos_scheduling){.policy = CAPOS_POLICY_OTHER});
	t->timeout.fire = wait_is_over;
	arch_thread_init(&t->arch, entry, stack, argument, fs_base, t->ring_address);
	*out = t;
	return CAP_OK;
}

void thread_stop(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(kernel_locked());
	sched_end(t);
	thread_become(t, THREAD_DEAD);
	timeout_cancel(&t->timeout);
	if (cpu->loaded == t)
		cpu->loaded = NULL;
}

#define STEPS_WITHDRAW 5u /* an operation */
#define STEPS_THREAD   30u

bool thread_free(struct thread *t)
{
	struct list *node;
	assert(kernel_locked() && t->state == THREAD_DEAD);
	robust_begin(&t->robust, t);
	if (!robust_go_on(&t->robust, &t->process->space))
		return false;
	while ((node = list_first(&t->ops))) {
		if (steps_over())
			return false;
		struct op *op = list_entry(node, struct op, of_thread);
		op_withdraw(op);
		op_free(op);
		steps_spend(STEPS_WITHDRAW);
	}
	if (t->job)
		t->job->abandon(t->job);
	if (t->upcall_event)
		t->unbind(t->upcall_event);
	list_remove(&t->of_process);
	struct process *p = t->process;
	tree_remove(&p->by_id, &t->by_id);
	p->nthreads--;
	space_unmap_kernel(&p->space, t->ring_address);
	memobj_put(t->ring_object);
	account_uncount(p->account, ACCOUNT_THREADS);
	account_free(p->account, &threads, t);
	steps_spend(STEPS_THREAD);
	return true;
}

void thread_end(struct thread *t)
{
	thread_stop(t);
	while (!thread_free(t)) /* a ring has place for some hundred operations */
		steps_renew();
}

static bool signals_pending(const struct thread *t)
{
	return t->upcall_event &&
	       __atomic_load_n(&t->ring.header->upcall_bits, __ATOMIC_RELAXED) != 0;
}

bool thread_may_go_on(const struct thread *t)
{
	return ring_unread(&t->ring) >= t->wanted || signals_pending(t);
}

void thread_check_wake(struct thread *t)
{
	if (t->state == THREAD_RUNNABLE)
		sched_hurry(t);
	if (t->state != THREAD_WAITING || t->enter != ENTER_WAITING || !thread_may_go_on(t))
		return;
	timeout_cancel(&t->timeout);
	sched_wake(t);
}

void thread_signal(struct thread *t, uint64_t bits)
{
	__atomic_fetch_or(&t->ring.header->upcall_bits, bits, __ATOMIC_RELEASE);
	thread_check_wake(t);
}

void thread_before_user(struct thread *t)
{
	assert(t->enter != ENTER_SUBMITTING);
	if (t->enter != ENTER_NONE) {
		uint32_t unread = ring_unread(&t->ring);
		bool interrupted =
		        unread < t->wanted && t->enter == ENTER_WAITING && signals_pending(t);
		arch_set_result(&t->arch, interrupted ? CAP_EINTR : (int64_t)unread);
		t->enter = ENTER_NONE;
	}
	if (t->upcall_entry == 0 || !signals_pending(t))
		return;
	struct capos_ring *header = t->ring.header;
	if (__atomic_load_n(&header->upcall_mask, __ATOMIC_RELAXED) != 0)
		return;
	__atomic_store_n(&header->upcall_mask, 1, __ATOMIC_RELAXED);
	arch_upcall(&t->arch, &header->upcall_frame, t->upcall_entry, 0);
}

bool thread_fault(struct thread *t, const struct capos_fault *what)
{
	struct capos_ring *header = t->ring.header;
	struct capos_fault *fault = &header->fault;
	uint64_t entry = __atomic_load_n(&fault->entry, __ATOMIC_RELAXED);
	if (entry < CAPOS_USER_MIN || entry >= CAPOS_USER_MAX)
		return false;
	fault->entry = 0;
	fault->address = what->address;
	fault->error = what->error;
	fault->vector = what->vector;
	fault->cause = what->cause;
	fault->upcall_mask = __atomic_exchange_n(&header->upcall_mask, 1, __ATOMIC_RELAXED);
	arch_upcall(&t->arch, &fault->frame, entry, t->ring_address + PAGE_SIZE);
	return true;
}
