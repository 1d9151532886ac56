/* SPDX-License-Identifier: MIT */
/*
 * The user's own terminal, while a program in the guest has it: raw, since the guest's terminal
 * edits, echoes and signals.  It is as before when this process ends, however it ends.
 */
#ifndef CAPOS_TOOLS_TERMINAL_H
#define CAPOS_TOOLS_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/* Ends the process with the line `otherwise` when stdin is no terminal. */
void terminal_check(const char *otherwise);
/* Of stdin; 0 when it does not say. */
void terminal_size(uint16_t *columns, uint16_t *rows);
/* Stdin is our terminal and this is a background job: a read would stop all of it. */
bool terminal_is_taken(void);
/* Raw, and back.  Each may be called again. */
void terminal_begin(void);
void terminal_end(void);

#endif
