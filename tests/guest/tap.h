/* SPDX-License-Identifier: MIT */
/*
 * TAP lines on a Log capability, for programs that test from inside the guest.
 */
#ifndef GUEST_TAP_H
#define GUEST_TAP_H

#include <stdbool.h>
#include <stdint.h>
#include <capos/abi.h>

void tap_start(cap_t log);
void tap_ok(bool passed, const char *what);
/* Compares numbers and shows them when they differ. */
void tap_equal(int64_t got, int64_t expected, const char *what);
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The plan; returns the number of failures. */
unsigned tap_finish(void);

#endif
