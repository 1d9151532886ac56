/* SPDX-License-Identifier: MIT */
/*
 * What is mapped of a range.
 */
#ifndef POSIX_PIECES_H
#define POSIX_PIECES_H

#include <stdbool.h>
#include <stdint.h>

/* 0 or -errno. */
typedef int memory_piece(uint64_t address, uint64_t size, uint32_t context);
/* Visits the mapped parts of whole pages, in order, up to the first hole or (over_holes) to the
 * end, until one is refused: its -errno.  -ENOMEM: there was a hole. */
int memory_pieces(uint64_t start, uint64_t size, bool over_holes, memory_piece *piece,
                  uint32_t context);

#endif
