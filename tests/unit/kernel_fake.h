/* SPDX-License-Identifier: MIT */
/*
 * The kernel's memory code on the host: its direct map is an arena here and page tables are a list.
 * A test calls fake_start() first and fake_check_clean() when it has given everything back.
 */
#ifndef KERNEL_FAKE_H
#define KERNEL_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_ARENA_START 0x100000ull /* physical address of the arena's first frame */
#define FAKE_ARENA_PAGES 2048u

/* Stands for ARCH_DIRECT_MAP; defined as such on the compiler's command line. */
extern uint64_t fake_direct_map;

void fake_start(uint64_t pages); /* so many frames in all, bookkeeping included */
void fake_drain(void);           /* does all work that the kernel left for later */
/* What kernel_locked() looks at, where it is part of the test. */
extern bool *fake_lock;
void fake_check_clean(void); /* every frame and kernel object that fake_start left is free again */
uint64_t fake_table_entries(void);
struct memobj;
/* Stores to an object's bytes; false when they are out of range, or there is no memory for them. */
bool fake_write(struct memobj *m, uint64_t offset, const void *from, uint64_t length);

/* What went to the serial port. */
#define FAKE_SERIAL_SIZE 65536u
extern char fake_serial[FAKE_SERIAL_SIZE];
extern size_t fake_serial_length;
void fake_serial_add(const char *text, size_t length);

#endif
