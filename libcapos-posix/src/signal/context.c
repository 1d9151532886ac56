/* SPDX-License-Identifier: MIT */
/*
 * The context that a handler is given, made from the registers of what it interrupts and turned
 * back into them: what the handler changes there is what goes on.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>

#include "signal/internal.h"

static void registers_to(greg_t *g, const struct capos_upcall_frame *f)
{
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	g[REG_R8] = (greg_t)f->r8, g[REG_R9] = (greg_t)f->r9;
	g[REG_R10] = (greg_t)f->r10, g[REG_R11] = (greg_t)f->r11;
	g[REG_R12] = (greg_t)f->r12, g[REG_R13] = (greg_t)f->r13;
	g[REG_R14] = (greg_t)f->r14, g[REG_R15] = (greg_t)f->r15;
	g[REG_RDI] = (greg_t)f->rdi, g[REG_RSI] = (greg_t)f->rsi;
	g[REG_RBP] = (greg_t)f->rbp, g[REG_RBX] = (greg_t)f->rbx;
	g[REG_RDX] = (greg_t)f->rdx, g[REG_RAX] = (greg_t)f->rax;
	g[REG_RCX] = (greg_t)f->rcx, g[REG_RSP] = (greg_t)f->rsp;
	g[REG_RIP] = (greg_t)f->rip, g[REG_EFL] = (greg_t)f->rflags;
	g[REG_CSGSFS] = cs;
}

static void registers_from(struct capos_upcall_frame *f, const greg_t *g)
{
	f->r8 = (uint64_t)g[REG_R8], f->r9 = (uint64_t)g[REG_R9];
	f->r10 = (uint64_t)g[REG_R10], f->r11 = (uint64_t)g[REG_R11];
	f->r12 = (uint64_t)g[REG_R12], f->r13 = (uint64_t)g[REG_R13];
	f->r14 = (uint64_t)g[REG_R14], f->r15 = (uint64_t)g[REG_R15];
	f->rdi = (uint64_t)g[REG_RDI], f->rsi = (uint64_t)g[REG_RSI];
	f->rbp = (uint64_t)g[REG_RBP], f->rbx = (uint64_t)g[REG_RBX];
	f->rdx = (uint64_t)g[REG_RDX], f->rax = (uint64_t)g[REG_RAX];
	f->rcx = (uint64_t)g[REG_RCX], f->rsp = (uint64_t)g[REG_RSP];
	f->rip = (uint64_t)g[REG_RIP], f->rflags = (uint64_t)g[REG_EFL];
}

void context_fill(struct context *c, const struct capos_upcall_frame *frame, void *fxsave,
                  uint64_t blocked, const struct signal_stack *stack)
{
	ucontext_t *uc = (ucontext_t *)c->words;

	memset(c, 0, sizeof(*c));
	uc->uc_stack.ss_sp = stack->base;
	uc->uc_stack.ss_size = stack->size;
	uc->uc_stack.ss_flags = signal_on_stack(stack, frame->rsp) ? SS_ONSTACK : stack->flags;
	memcpy(&uc->uc_sigmask, &blocked, sizeof(blocked));
	registers_to(uc->uc_mcontext.gregs, frame);
	uc->uc_mcontext.fpregs = fxsave;
}

void context_fill_fault(struct context *c, const struct capos_fault *fault)
{
	greg_t *g = ((ucontext_t *)c->words)->uc_mcontext.gregs;

	g[REG_TRAPNO] = (greg_t)fault->vector;
	g[REG_ERR] = (greg_t)fault->error;
	g[REG_CR2] = (greg_t)fault->address;
}

uint64_t context_take(const struct context *c, struct capos_upcall_frame *frame)
{
	const ucontext_t *uc = (const ucontext_t *)c->words;
	uint64_t blocked;

	registers_from(frame, uc->uc_mcontext.gregs);
	memcpy(&blocked, &uc->uc_sigmask, sizeof(blocked));
	return blocked & ~SIGNAL_UNBLOCKED;
}
