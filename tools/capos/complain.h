/* SPDX-License-Identifier: MIT */
/*
 * How the host command reports failures: one line on stderr that starts with "capos: ", without
 * control characters (clean.h), whatever names and texts it quotes.
 */
#ifndef CAPOS_TOOLS_COMPLAIN_H
#define CAPOS_TOOLS_COMPLAIN_H

/* Prints the line; it is cut to a few thousand bytes. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and ends the process with EXIT_MACHINE. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Writes out what stdio still holds for stdout. The exit status: that one, or EXIT_MACHINE after a
 * line if not all of it could be written; without the line when the reader has gone.
 */
int finish_stdout(int status);
/* Allocation that ends the process when there is no memory. */
void *must(void *allocated);
char *must_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
