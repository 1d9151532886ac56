/* SPDX-License-Identifier: MIT */
/*
 * Children of this process.
 */
#ifndef POSIX_CHILDREN_H
#define POSIX_CHILDREN_H

struct rusage;

/* What the children that were waited for have used, and theirs. */
void children_usage(struct rusage *usage);

#endif
