/* SPDX-License-Identifier: MIT */
/*
 * Makes text from an untrusted process safe to show: in the log, on a terminal, in a list.  What
 * comes out is valid UTF-8 in which no character moves the cursor, ends a line or changes the order
 * of what stands beside it.  The kernel, init and the host's command all use these two functions,
 * so a text is judged in the same way everywhere.
 */
#ifndef CAPOS_TEXT_H
#define CAPOS_TEXT_H

#include <stdint.h>

/* Copies length bytes to out, of size bytes (at least 1), and ends them with NUL; the number of
 * bytes without it.  Printable characters stay.  A '?' stands for every byte of: control characters
 * (C0, DEL, C1 as a byte or as UTF-8), malformed UTF-8, line and paragraph separators, invisible
 * and direction-changing characters, and what is no character.  The text is cut when out is full,
 * never within a character.  out may be text itself. */
uint32_t text_clean(char *out, uint32_t size, const char *text, uint32_t length);

/* As text_clean, for the name of a process: letters, digits and "-_.+@[]" stay, any other byte
 * becomes '_'.  So a name holds no colon, semicolon, slash or space, and "NAME: text" can be taken
 * apart.  A name that would pass for the kernel's ("kernel" or "PANIC", in any mixture of cases)
 * gets a '_' in front; an empty one becomes "unnamed".  size: at least 9. */
uint32_t text_clean_name(char *out, uint32_t size, const char *text, uint32_t length);

#endif
