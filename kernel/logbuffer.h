/* SPDX-License-Identifier: MIT */
/*
 * The log on its way to the serial port, which is slow: lines wait in a buffer, in order, and leave
 * it as work of the kernel does, a few bytes at a time.  What the kernel itself says is never lost;
 * what a process says is dropped when the buffer is full.
 */
#ifndef KERNEL_LOGBUFFER_H
#define KERNEL_LOGBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line of the kernel, which waits for the port when there is no place. */
void logbuffer_kernel(const char *line, size_t length);
/* The parts of a process's line, all or nothing; false: no place. */
bool logbuffer_process(const char *name, size_t name_length, const char *text, size_t length);
/* A place in the log: what was put in so far. */
uint32_t logbuffer_end(void);
/* Writes out what stands before that place, as far as the budget of steps goes; true: all of it. */
bool logbuffer_write_to(uint32_t end);
/* Writes everything out: the machine is about to end. */
void logbuffer_flush(void);

#endif
