/* SPDX-License-Identifier: MIT */
/*
 * Where system calls come in: the only room that knows all others.
 */
#ifndef POSIX_ENTRY_H
#define POSIX_ENTRY_H

/* On the first system call after the auxiliary vector is known: start block, signals, descriptors 0
 * to 2. */
void posix_start(void);

#endif
