/* SPDX-License-Identifier: MIT */
/*
 * What the process room shares about vfork.
 */
#ifndef POSIX_VFORK_H
#define POSIX_VFORK_H

#include <capos/abi.h>

/* In a child of fork, which is none of vfork. */
void vfork_forked(void);

/* ---- fork.c ---- */
/* As fork.  The event (CAP_NULL: none) is signalled when the child has ended. */
long fork_with_event(cap_t ended);

#endif
