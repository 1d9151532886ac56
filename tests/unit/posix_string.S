/* SPDX-License-Identifier: MIT */
/*
 * The overlay's memory functions under names of their own, so that the host's library can check them.
 */
#define memcpy  capos_memcpy
#define memmove capos_memmove
#define memset  capos_memset
#define memcmp  capos_memcmp
#include "libcapos-posix/overlay/src/string/x86_64/memcpy.s"
#include "libcapos-posix/overlay/src/string/x86_64/memmove.s"
#include "libcapos-posix/overlay/src/string/x86_64/memset.s"
#include "libcapos-posix/overlay/src/string/x86_64/memcmp.s"
	.section .note.GNU-stack, "", @progbits
