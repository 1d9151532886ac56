/* SPDX-License-Identifier: MIT */
/*
 * What the files service said of files, as long as it is so.  The service shares counters that it
 * increases with each change; what clients change by themselves, the contents of files that are
 * open, the kernel says.
 */
#ifndef POSIX_FILE_REMEMBERED_H
#define POSIX_FILE_REMEMBERED_H

#include <stdbool.h>

#include <capos/abi.h>
#include <capos/schema/service.h>

/* The directory was opened by that path from base. */
void remembered_opened(cap_t directory, cap_t base, const struct msg_text *path,
                       const struct directory_open_results *results);
/* Whether a listing of it is worth its attributes. */
bool remembered_wants(cap_t directory);
/* It was listed, with attributes. */
void remembered_listed(cap_t directory, bool from_start,
                       const struct directory_list_results *results);
/* An entry that was listed. */
struct remembered_entry {
	struct file_stat stat;
	uint64_t position; /* in the listing */
	uint16_t name;     /* where in the names */
	uint8_t length;
};

/* The entry that the path leads to, if all that was said of it is still so; NULL: it is not known.
 * What stat.open says of its contents is the caller's to look at. */
struct remembered_entry *remembered_find(cap_t base, const char *path);
/* The same in the service's words, and as the program could have listed it, from that one on. */
struct remembered_entry *remembered_next(struct remembered_entry *from,
                                         const struct directory_entry *named);
unsigned remembered_number(const struct remembered_entry *entry);
struct msg_text remembered_name(const struct remembered_entry *entry);
cap_t remembered_directory(void); /* that was listed */
/* What Directory.stat would answer; false: it is to be asked. */
bool remembered_stat(cap_t base, const char *path, bool follow, struct file_stat *out);
/* Whether a file of that service is closed without anyone to be told of it. */
bool remembered_unwatched(void);
/* Whether what was said of an open file is still so; false: its File is to be asked. */
bool remembered_open_stat(const struct file_stat *stat, cap_t file, cap_t contents);

#endif
