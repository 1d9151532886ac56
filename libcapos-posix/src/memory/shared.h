/* SPDX-License-Identifier: MIT */
/*
 * Where shared mappings are, and what they keep: a volume's file, to which what is stored there
 * goes back.
 */
#ifndef POSIX_MEMORY_SHARED_H
#define POSIX_MEMORY_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>

/* A new one.  file: a File with File.writeBack, which it takes over, with the mapping's offset in
 * it; or CAP_NULL.  False: there is no memory for it. */
bool shared_mapped(uint64_t start, uint64_t end, cap_t file, uint64_t offset);
/* Something else is there now, or nothing.  A range that is cut in its inside stays as it is. */
void shared_unmapped(uint64_t start, uint64_t end);
/* The pages from there on are mapped from `to` on, and (size not 0) no more where they were. */
void shared_moved(uint64_t from, uint64_t size, uint64_t to, uint64_t new_size);
/* What is stored there goes to the host.  0 or -errno. */
int shared_write_back(uint64_t start, uint64_t end, bool wait_for_disk);
/* The next store to each page is one more that the kernel notes (MemoryObject.status). */
void shared_note_stores(uint64_t start, uint64_t end);
void shared_forked(void);

#endif
