/* SPDX-License-Identifier: MIT */
/*
 * What tests/guest/abuse.c does by capabilities, apart from it: the kernel's methods and POSIX have
 * names in common.
 */
#ifndef ABUSE_H
#define ABUSE_H

#include <stdbool.h>

void abuse_begin(char **argv);
/* Of the whole machine; *pages (or NULL): free ones, and those of objects. */
unsigned long kernel_objects(unsigned long *pages);
bool end_process_service(void);
void limit_processes(unsigned most);

#endif
