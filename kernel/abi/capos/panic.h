/* SPDX-License-Identifier: MIT */
/*
 * How the kernel tells the outside that it has panicked, in a way that no process can imitate: a
 * byte to an I/O port, which only the kernel may write.  An emulator that has its "isa-debug-exit"
 * device there ends with a status of its own; where nothing is at the port, the byte has no effect.
 * Only macros: assembly includes it too.
 */
#ifndef CAPOS_PANIC_H
#define CAPOS_PANIC_H

#define CAPOS_PANIC_PORT   0xf4
#define CAPOS_PANIC_VALUE  0x31
#define CAPOS_PANIC_STATUS (CAPOS_PANIC_VALUE << 1 | 1) /* the emulator's exit status */

#endif
