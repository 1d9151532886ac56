/* SPDX-License-Identifier: MIT */
/*
 * vfork says where the frame of its caller ends: from there on the parent is to find what the child
 * made of the stack.
 */
#define _GNU_SOURCE
#include <unistd.h>
#include "syscall.h"

/* libcapos-posix/src/core/syscalls.h */
#define SYS_vfork_from 0x43415001l

__attribute__((__noinline__)) pid_t vfork(void)
{
	return syscall(SYS_vfork_from, __builtin_dwarf_cfa());
}
