/* SPDX-License-Identifier: MIT */
/*
 * The two system calls on x86-64.
 */
#include <capos/cap.h>

int64_t cap_enter(uint64_t min_complete, uint64_t timeout_ns)
{
	int64_t result;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"((uint64_t)CAPOS_SYS_CAP_ENTER), "D"(min_complete), "S"(timeout_ns)
	                 : "rcx", "r11", "memory");
	return result;
}

_Noreturn void cap_exit(uint32_t status)
{
	for (;;)
		__asm__ volatile("syscall"
		                 :
		                 : "a"((uint64_t)CAPOS_SYS_EXIT), "D"((uint64_t)status)
		                 : "rcx", "r11", "memory");
}
