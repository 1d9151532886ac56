/* SPDX-License-Identifier: MIT */
/* Sets the thread pointer, by the instruction: a thread's FS base is its own business. */
.text
.global __set_thread_area
.hidden __set_thread_area
.type __set_thread_area,@function
__set_thread_area:
	wrfsbase %rdi
	xor %eax,%eax
	ret
.size __set_thread_area,.-__set_thread_area
