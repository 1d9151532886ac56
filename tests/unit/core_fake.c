/* SPDX-License-Identifier: MIT */
/*
 * What core_fake.h promises: an architecture whose user mode is a longjmp() back into the test.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/arch.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/event.h"
#include "kernel/object/kcall.h"
#include "kernel/work.h"
#include "tests/unit/core_fake.h"

uint64_t fake_now = 1000;
struct arch_boot arch_boot;
static jmp_buf user_mode;

/* ---- Architecture ---- */

void arch_thread_init(struct arch_thread *t, uint64_t entry, uint64_t stack, uint64_t argument,
                      uint64_t fs_base, uint64_t gs_base)
{
	*t = (struct arch_thread){.regs = {.rip = entry, .rsp = stack, .rdi = argument},
	                          .fs_base = fs_base,
	                          .gs_base = gs_base};
}

void arch_thread_save(struct arch_thread *t)
{
	(void)t;
}

void arch_thread_restore(struct arch_thread *t)
{
	(void)t;
}

void arch_resume(struct arch_thread *t)
{
	(void)t;
	longjmp(user_mode, 1);
}

void arch_idle(void)
{
	longjmp(user_mode, 1);
}

uint64_t fake_windows;
uint32_t fake_most_steps;
void (*fake_on_window)(void);

void arch_let_interrupts_in(void)
{
	longjmp(user_mode, 2);
}

static void window(void)
{
	fake_windows++;
	if (steps_spent > fake_most_steps)
		fake_most_steps = steps_spent;
	if (fake_on_window)
		fake_on_window();
}

/* Calls into the kernel, and again after each time that it let interrupts in, until it leaves for
 * user mode. */
#define IN_KERNEL(call)                       \
	do {                                  \
		int why_ = setjmp(user_mode); \
		if (why_ == 0)                \
			call;                 \
		if (why_ == 2) {              \
			window();             \
			kernel_go_on();       \
		}                             \
	} while (0)

void arch_upcall(struct arch_thread *t, struct capos_upcall_frame *frame, uint64_t entry,
                 uint64_t stack)
{
	(void)stack;
	frame->rip = t->regs.rip;
	t->regs.rip = entry;
}

void arch_table_load(paddr_t root)
{
	(void)root;
}

uint64_t arch_clock_ns(void)
{
	return fake_now;
}

void arch_timer_set(uint64_t deadline_ns)
{
	(void)deadline_ns;
}

struct memobj *arch_clock_object(void)
{
	static struct memobj *clock;
	if (!clock)
		clock = memobj_create(PAGE_SIZE, NULL);
	return clock;
}

void arch_msi_message(unsigned vector, uint64_t *address, uint32_t *data)
{
	*address = 0;
	*data = vector;
}

uint32_t arch_pci_read(uint16_t address, uint16_t offset, unsigned width)
{
	(void)address;
	(void)offset;
	(void)width;
	return UINT32_MAX;
}

void arch_pci_write(uint16_t address, uint16_t offset, unsigned width, uint32_t value)
{
	(void)address;
	(void)offset;
	(void)width;
	(void)value;
}

void arch_pci_window(uint64_t *start, uint64_t *end)
{
	*start = *end = 0;
}

volatile void *arch_map_device(paddr_t base, uint64_t size)
{
	(void)base;
	(void)size;
	return NULL;
}

void arch_shutdown(void)
{
	panic("shut down");
}

void arch_serial_write(const char *text, size_t length)
{
	fake_serial_add(text, length);
}

unsigned arch_protections(struct arch_protection *out)
{
	(void)out;
	return 0;
}

/* ---- Users ---- */

void core_start(void)
{
	sched_init();
	process_init();
	arch_clock_object();
	the_cpu.locked = false;
	fake_lock = &the_cpu.locked;
}

struct thread *user_thread(struct process *p)
{
	struct thread *t;
	the_cpu.locked = true;
	int error = thread_create(p, 0x400000, 0, 0, 0, &t);
	assert(!error);
	sched_wake(t);
	the_cpu.locked = false;
	return t;
}

int core_setup(void **state)
{
	(void)state;
	fake_start(FAKE_ARENA_PAGES);
	fake_most_steps = 0;
	return 0;
}

int core_teardown(void **state)
{
	(void)state;
	fake_on_window = NULL;
	fake_check_clean();
	return 0;
}

struct thread *thread_of(const struct process *p)
{
	return list_entry(list_first(&p->threads), struct thread, of_process);
}

static struct process *make_process(const char *name, bool service)
{
	uint64_t address = USER_MEMORY;
	the_cpu.locked = true;
	struct account *account = account_create(&(struct account_limits){.pages = 0}, false);
	struct process *p;
	int error = process_create(name, (uint32_t)strlen(name), account, service, &p);
	assert(!error);
	account_put(account);
	struct memobj *m = memobj_create(USER_SIZE, p->account);
	error = space_map(&p->space, m, 0, USER_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE, false,
	                  false, &address);
	assert(!error);
	memobj_put(m);
	the_cpu.locked = false;
	user_thread(p);
	return p;
}

struct process *user_create(const char *name)
{
	return make_process(name, false);
}

struct process *service_create(const char *name)
{
	return make_process(name, true);
}

void user_end(struct process *p)
{
	the_cpu.locked = true;
	process_end(p, 0, NULL);
	fake_drain();
	the_cpu.locked = false;
}

/* Makes it the one that runs. */
static void make_current(struct thread *t)
{
	struct cpu *cpu = this_cpu();
	assert(t->state == THREAD_RUNNABLE || t->state == THREAD_RUNNING);
	if (cpu->current == t)
		return;
	cpu->locked = true;
	sched_hurry(t);
	if (cpu->current) {
		struct thread *other = cpu->current;
		sched_block(other);
		other->state = THREAD_WAITING;
		sched_wake(other);
	}
	sched_block(t);
	t->state = THREAD_RUNNING;
	cpu->current = t;
	thread_before_user(t);
	cpu->locked = false;
}

int64_t user_enter(struct thread *t, uint64_t min_complete, uint64_t timeout_ns)
{
	uint64_t id = t->id;
	make_current(t);
	struct process *p = t->process;
	the_cpu.locked = true;
	process_get(p);
	the_cpu.locked = false;
	IN_KERNEL(kernel_syscall(CAPOS_SYS_CAP_ENTER, min_complete, timeout_ns));
	int64_t result = USER_SLEEPS; /* or ended */
	the_cpu.locked = true;
	for (struct list *node = p->threads.next; p->state == PROCESS_ALIVE && node != &p->threads;
	     node = node->next) {
		t = list_entry(node, struct thread, of_process);
		if (t->id != id || t->state == THREAD_WAITING)
			continue;
		thread_before_user(t);
		result = (int64_t)t->arch.regs.rax;
	}
	process_put(p);
	the_cpu.locked = false;
	return result;
}

void user_exit(struct thread *t, uint32_t status)
{
	make_current(t);
	IN_KERNEL(kernel_syscall(CAPOS_SYS_EXIT, status, 0));
}

void user_submit(struct thread *t, const struct capos_sqe *sqe)
{
	t->ring.sq[t->ring.header->sq_tail % CAPOS_SQ_ENTRIES] = *sqe;
	t->ring.header->sq_tail++;
}

bool user_take(struct thread *t, struct capos_cqe *cqe)
{
	struct capos_ring *header = t->ring.header;
	if (header->cq_head == header->cq_tail)
		return false;
	*cqe = t->ring.cq[header->cq_head++ % CAPOS_CQ_ENTRIES];
	return true;
}

struct capos_cqe user_run(struct thread *t, const struct capos_sqe *sqe)
{
	struct capos_cqe cqe = {.result = INT32_MAX};
	user_submit(t, sqe);
	if (user_enter(t, 0, 0) >= 0)
		user_take(t, &cqe);
	return cqe;
}

void core_timer(void)
{
	IN_KERNEL(kernel_timer());
}

void user_write(struct process *p, uint64_t address, const void *bytes, uint64_t length)
{
	int error = space_copy_out(&p->space, address, bytes, length);
	assert(!error);
}

void user_read(struct process *p, uint64_t address, void *bytes, uint64_t length)
{
	int error = space_copy_in(&p->space, bytes, address, length);
	assert(!error);
}

static cap_t create(struct thread *t, uint16_t method)
{
	const uint64_t at = USER_MEMORY + USER_SIZE - 512;
	cap_t made = CAP_NULL;
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .cap = CAP_SELF,
	                        .interface = PROCESS_INTERFACE,
	                        .method = method,
	                        .recv_addr = at,
	                        .recv_len = 256,
	                        .recv_caps = at + 256,
	                        .recv_ncaps = 1};
	/* An empty message is a struct of zeroes. */
	const uint64_t root = 0;
	sqe.send_addr = at;
	sqe.send_len = sizeof(root);
	user_write(t->process, at, &root, sizeof(root));
	struct capos_cqe cqe = user_run(t, &sqe);
	assert(!cqe.result && cqe.ncaps == 1);
	user_read(t->process, at + 256, &made, sizeof(made));
	return made;
}

cap_t user_event(struct thread *t)
{
	return create(t, PROCESS_CREATE_EVENT);
}

cap_t user_endpoint(struct thread *t)
{
	return create(t, PROCESS_CREATE_ENDPOINT);
}
