/* SPDX-License-Identifier: MIT */
/*
 * The return address that sigaction() hands to Linux.  Handlers are called as functions here and return to their
 * caller, so nothing ever comes this way.
 */
.text
.global __restore_rt
.hidden __restore_rt
.type __restore_rt,@function
__restore_rt:
	ud2
.size __restore_rt,.-__restore_rt
