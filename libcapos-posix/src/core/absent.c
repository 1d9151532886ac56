/* SPDX-License-Identifier: MIT */
/*
 * The refusals of what is not built: one bit for each entry says whether the log has its name, so
 * that a program that asks in a loop fills no log.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <capos/log.h>

#include "core/absent.h"

#define SYSCALL_NUMBERS 512 /* above every x86-64 number; larger ones share the last bit */

struct absence {
	uint8_t subject; /* enum absent_subject */
	uint8_t error;   /* errno */
	uint32_t number;
	const char *name, *error_name;
};

static const struct absence absences[] = {
#define ABSENT(subject, number, name, error) {ABSENT_##subject, error, number, name, #error},
#include "core/absent.inc"
#undef ABSENT
};
#define ABSENCES (sizeof(absences) / sizeof(absences[0]))

static const char *const subjects[] = {
#define SUBJECT(identifier, text) text,
        ABSENT_SUBJECTS(SUBJECT)
#undef SUBJECT
};

static const char *const syscall_names[SYSCALL_NUMBERS] = {
#define SYSCALL_NAME(name) [SYS_##name] = #name,
#include "syscall_names.h" /* made by musl.mk from musl's list of numbers */
#undef SYSCALL_NAME
};

/* Of this process. */
static uint64_t count;
static uint64_t named[(ABSENCES + 63) / 64], named_calls[SYSCALL_NUMBERS / 64];

/* Counts one; true: it is the first of its kind. */
static bool is_first(uint64_t bits[], size_t slot)
{
	uint64_t bit = 1ull << slot % 64;
	bool first = !(bits[slot / 64] & bit);

	count++;
	bits[slot / 64] |= bit;
	return first;
}

static long refuse(const struct absence *a)
{
	const char *subject = subjects[a->subject];

	if (is_first(named, (size_t)(a - absences)))
		log_line("posix: not implemented: %s%s%s: %s (number %llu of this process)",
		         subject, *subject ? " " : "", a->name, a->error_name,
		         (unsigned long long)count);
	return -(long)a->error;
}

long absent_option(enum absent_subject subject, unsigned long number, long otherwise)
{
	for (const struct absence *a = absences; a < absences + ABSENCES; a++) {
		if (a->subject == subject && a->number == number)
			return refuse(a);
	}
	return otherwise;
}

long absent(enum absent_other what)
{
	return absent_option(ABSENT_OTHER, what, -ENOSYS);
}

long absent_flags(enum absent_subject subject, unsigned long flags)
{
	long result = 0;

	for (const struct absence *a = absences; a < absences + ABSENCES; a++) {
		if (a->subject == subject && (flags & a->number) == a->number)
			result = refuse(a);
	}
	return result;
}

long absent_call(long number)
{
	size_t slot =
	        number >= 0 && number < SYSCALL_NUMBERS ? (size_t)number : SYSCALL_NUMBERS - 1;
	const char *name = syscall_names[slot];

	if (is_first(named_calls, slot))
		log_line(
		        "posix: not implemented: system call %s (%ld): ENOSYS (number %llu of this "
		        "process)",
		        name ? name : "without a name", number, (unsigned long long)count);
	return -ENOSYS;
}
