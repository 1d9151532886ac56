/* SPDX-License-Identifier: MIT */
/*
 * Faults of the program itself: handlers with address and code, on either stack, that return,
 * repair, change registers or jump out; and those that end the program.  Linux says the same.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "posix_tap.h"

static sigjmp_buf back;
static volatile siginfo_t seen;
static volatile int times_seen;
static volatile uintptr_t handler_sp;

static void note(int signal, siginfo_t *info, void *context)
{
	char here;

	(void)signal, (void)context;
	times_seen++;
	handler_sp = (uintptr_t)&here;
	*(siginfo_t *)&seen = *info;
}

static void note_and_jump(int signal, siginfo_t *info, void *context)
{
	note(signal, info, context);
	siglongjmp(back, 1);
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	sigaction(signal, &action, NULL);
	times_seen = 0;
}

static char *pages(size_t n, int protection)
{
	return mmap(NULL, n * 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Runs the statement, which raises one signal, and checks what its handler was given. */
#define raises(statement, signal, code, address, what)                                          \
	do {                                                                                    \
		handle(signal, note_and_jump, 0);                                               \
		if (sigsetjmp(back, 1) == 0) {                                                  \
			statement;                                                              \
		}                                                                               \
		ok(times_seen == 1 && seen.si_signo == (signal) && seen.si_code == (code) &&    \
		           (void *)seen.si_addr == (void *)(address),                           \
		   what);                                                                       \
		if (times_seen)                                                                 \
			printf("# signal %d code %d address %p\n", seen.si_signo, seen.si_code, \
			       (void *)seen.si_addr);                                           \
	} while (0)

static volatile int zero;

/* An address that the compiler knows nothing about. */
static volatile char *at(uintptr_t address)
{
	__asm__("" : "+r"(address));
	return (volatile char *)address;
}

static void addresses(void)
{
	volatile char *none = pages(1, PROT_NONE), *constant = pages(1, PROT_READ), *gone;
	char byte;

	gone = pages(1, PROT_READ);
	munmap((void *)gone, 4096);
	raises(byte = *at(8), SIGSEGV, SEGV_MAPERR, 8, "a null pointer");
	raises(byte = gone[5], SIGSEGV, SEGV_MAPERR, gone + 5, "a read where nothing is mapped");
	raises(gone[6] = 1, SIGSEGV, SEGV_MAPERR, gone + 6, "a write there");
	raises(byte = none[7], SIGSEGV, SEGV_ACCERR, none + 7, "a read of PROT_NONE");
	raises(constant[9] = 1, SIGSEGV, SEGV_ACCERR, constant + 9, "a write of PROT_READ");
	raises(((void (*)(void))(uintptr_t)constant)(), SIGSEGV, SEGV_ACCERR, constant,
	       "a call into data");
	raises(byte = *at(0xffff800000000000), SIGSEGV, SEGV_MAPERR, 0xffff800000000000,
	       "an address of the kernel");
	raises(byte = *at(0x8000000000000000), SIGSEGV, SI_KERNEL, 0,
	       "an address that none can be");
	(void)byte;
}

static void instructions(void)
{
	extern char at_ud2[] __asm__("at_ud2"), at_div[] __asm__("at_div");

	raises(__asm__ volatile("at_ud2: ud2"), SIGILL, ILL_ILLOPN, at_ud2, "an invalid opcode");
	raises(__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; at_div: divl %0"
	                        :
	                        : "m"(zero)
	                        : "eax", "edx"),
	       SIGFPE, FPE_INTDIV, at_div, "a division by zero");
	raises(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL, 0, "a breakpoint");
	raises(__asm__ volatile("hlt"), SIGSEGV, SI_KERNEL, 0, "a privileged instruction");
	raises(__asm__ volatile("push %rax; pop %rax; pushfq; orl $0x100, (%rsp); popfq; nop; nop"),
	       SIGTRAP, TRAP_TRACE, seen.si_addr, "the trap flag");
}

/* QEMU's translator says so of itself. */
static int emulated(void)
{
	uint32_t eax, name[3];

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", 12);
}

static void floating(void)
{
	static const uint32_t unmasked = 0x1f80 & ~0x0200; /* division by zero */
	static const uint32_t masked = 0x1f80;
	volatile float one = 1, nothing = 0;
	static const uint16_t x87_unmasked = 0x37f & ~0x4, x87_masked = 0x37f;

	if (emulated()) /* it raises no such exception, whatever runs in it */
		printf("# skipped: a vector division by zero\n");
	else
		raises(__asm__ volatile("ldmxcsr %0; movss %1, %%xmm0; divss %2, %%xmm0"
		                        :
		                        : "m"(unmasked), "m"(one), "m"(nothing)
		                        : "xmm0"),
		       SIGFPE, FPE_FLTDIV, seen.si_addr, "a vector division by zero");
	__asm__ volatile("ldmxcsr %0" : : "m"(masked));
	raises(__asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait"
	                        :
	                        : "m"(x87_unmasked)),
	       SIGFPE, FPE_FLTDIV, seen.si_addr, "an x87 division by zero");
	__asm__ volatile("fnclex; fninit; fldcw %0" : : "m"(x87_masked));
}

/* ---- Handlers that return ---- */

static volatile char *repaired;

static void repair(int signal, siginfo_t *info, void *context)
{
	note(signal, info, context);
	mprotect((void *)repaired, 4096, PROT_READ | PROT_WRITE);
}

static void skip_two(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	note(signal, info, context);
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RBX] = 0x1234567;
}

static void note_processor(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const greg_t *g = uc->uc_mcontext.gregs;

	note(signal, info, context);
	ok(g[REG_TRAPNO] == 14 && (g[REG_ERR] & 6) == 6 && g[REG_CR2] == (greg_t)info->si_addr,
	   "the context has the processor's numbers");
	ok(uc->uc_mcontext.fpregs != NULL, "and the floating-point state");
	mprotect((void *)repaired, 4096, PROT_READ | PROT_WRITE);
}

static void returning(void)
{
	double kept = 1.0 / 3.0, again = 1.0 / 3.0;
	long rbx;
	sigset_t now;

	repaired = pages(1, PROT_READ);
	handle(SIGSEGV, repair, 0);
	repaired[100] = 42;
	ok(times_seen == 1 && repaired[100] == 42, "a write is done again after mprotect");
	mprotect((void *)repaired, 4096, PROT_NONE);
	handle(SIGSEGV, note_processor, 0);
	repaired[101] = 43;
	ok(repaired[101] == 43 && kept == again, "again, and floating-point values are kept");
	handle(SIGILL, skip_two, 0);
	__asm__ volatile("xor %%ebx, %%ebx; ud2; mov %%rbx, %0" : "=r"(rbx) : : "rbx");
	ok(rbx == 0x1234567, "what the handler puts into registers goes on");
	handle(SIGTRAP, note, 0);
	__asm__ volatile("int3; int3; int3");
	ok(times_seen == 3, "a breakpoint is passed when its handler returns");
	sigprocmask(SIG_BLOCK, NULL, &now);
	ok(!sigismember(&now, SIGTRAP) && !sigismember(&now, SIGSEGV), "the mask is as before");
	/* A system call meets memory that a handler cannot see. */
	mprotect((void *)repaired, 4096, PROT_NONE);
	handle(SIGSEGV, note, 0);
	int fds[2];

	ok(pipe(fds) == 0, "a pipe");
	fails(write(fds[1], (void *)repaired, 10), EFAULT, "in a system call it is EFAULT");
	ok(times_seen == 0, "and no signal");
	close(fds[0]);
	close(fds[1]);
}

/* ---- Stacks ---- */

/* More than Linux asks for where the processor has the largest registers. */
#define ALTERNATE_SIZE (8 * 4096)
static char *alternate;
static int rest;

static void use_much(int signal, siginfo_t *info, void *context)
{
	note_and_jump(signal, info, context);
}

static volatile int bottomless = 1;

__attribute__((noinline)) static int deeper(int n)
{
	volatile char space[4096];

	space[0] = (char)n;
	return bottomless ? deeper(n + 1) + space[0] : n;
}

static void stacks(void)
{
	stack_t set = {.ss_size = ALTERNATE_SIZE};
	char byte;

	alternate = pages(ALTERNATE_SIZE / 4096, PROT_READ | PROT_WRITE);
	set.ss_sp = alternate;
	sigaltstack(&set, NULL);
	handle(SIGSEGV, note_and_jump, SA_ONSTACK);
	if (sigsetjmp(back, 1) == 0)
		byte = *at(16);
	ok(times_seen == 1 && handler_sp - (uintptr_t)alternate < ALTERNATE_SIZE,
	   "on the alternate stack");
	handle(SIGSEGV, use_much, SA_ONSTACK);
	if (sigsetjmp(back, 1) == 0)
		deeper(0);
	ok(times_seen == 1 && handler_sp - (uintptr_t)alternate < ALTERNATE_SIZE &&
	           seen.si_signo == SIGSEGV,
	   "an overflow of the stack");
	/* Linux wants more where the processor has more registers, without the handler's own. */
	set.ss_sp = alternate + 1024;
	set.ss_size = MINSIGSTKSZ;
	if (getauxval(51) + 1024 > (unsigned long)MINSIGSTKSZ)
		set.ss_size = getauxval(51) + 1024;
	memset(alternate, 0x5a, ALTERNATE_SIZE);
	sigaltstack(&set, NULL);
	handle(SIGSEGV, note_and_jump, SA_ONSTACK);
	if (sigsetjmp(back, 1) == 0)
		byte = *at(16);
	rest = 0;
	while (rest < 1024 && alternate[1023 - rest] == 0x5a)
		rest++;
	ok(times_seen == 1 && rest == 1024, "one of MINSIGSTKSZ suffices");
	set.ss_flags = SS_DISABLE;
	sigaltstack(&set, NULL);
	(void)byte;
}

/* ---- The end ---- */

static void crash(void)
{
	*at(0) = 1;
}

static void crash_blocked(void)
{
	sigset_t set;

	handle(SIGSEGV, note_and_jump, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	crash();
}

static void crash_ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	crash();
}

static void crash_default(void)
{
	signal(SIGSEGV, SIG_DFL);
	crash();
}

static void crash_again(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	crash();
}

static void crash_in_handler(void)
{
	handle(SIGSEGV, crash_again, 0);
	crash();
}

static void crash_without_stack(void)
{
	handle(SIGSEGV, note, 0);
	deeper(0);
}

static void crash_reset(void)
{
	handle(SIGSEGV, note, SA_RESETHAND);
	crash();
}

static void break_default(void)
{
	signal(SIGTRAP, SIG_DFL);
	__asm__ volatile("int3");
}

static void illegal_default(void)
{
	signal(SIGILL, SIG_DFL);
	__asm__ volatile("ud2");
}

static void divide_default(void)
{
	signal(SIGFPE, SIG_DFL);
	__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; divl %0" : : "m"(zero) : "eax", "edx");
}

static int ended_by(void (*how)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		how();
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void ends(void)
{
	fflush(stdout);
	ok(ended_by(crash_default) == SIGSEGV, "by default a fault ends the program");
	ok(ended_by(crash_blocked) == SIGSEGV, "when it is blocked too");
	ok(ended_by(crash_ignored) == SIGSEGV, "and when it is ignored");
	ok(ended_by(crash_in_handler) == SIGSEGV, "a fault in its own handler");
	ok(ended_by(crash_without_stack) == SIGSEGV, "a handler that has no stack left");
	ok(ended_by(crash_reset) == SIGSEGV, "with SA_RESETHAND the second time");
	ok(ended_by(break_default) == SIGTRAP, "a breakpoint ends it by SIGTRAP");
	ok(ended_by(illegal_default) == SIGILL, "an invalid opcode by SIGILL");
	ok(ended_by(divide_default) == SIGFPE, "a division by SIGFPE");
}

/* Not every program asks whether the system keeps the registers that the processor's instructions
 * use. */
static void vectors(void)
{
	unsigned a, b, c = 0, d, low = 0, high;

	__get_cpuid(1, &a, &b, &c, &d);
	if (c & bit_OSXSAVE)
		__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	ok(!(c & bit_AVX) || (low & 6) == 6, "the vectors that the processor offers are kept");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	addresses();
	instructions();
	floating();
	returning();
	stacks();
	ends();
	vectors();
	return tap_finish();
}
