/* SPDX-License-Identifier: MIT */
/*
 * What libcapos needs from the machine besides the system calls of cap.h; implemented in a
 * directory of arch/ for each architecture.
 */
#ifndef LIBCAPOS_ARCH_H
#define LIBCAPOS_ARCH_H

#include <stdint.h>

/* The counter that the clock page's base_tsc and mult are about. */
uint64_t arch_cycles(void);

#endif
