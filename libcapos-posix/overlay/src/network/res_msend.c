/* SPDX-License-Identifier: MIT */
/*
 * Where musl's resolver meets capOS: raw DNS queries are not sent anywhere but answered by the
 * process's resolver capability, one after another.  A query without an answer has length 0, as
 * after a timeout.
 */
#include <errno.h>
#include "lookup.h"
#include "syscall.h"

/* libcapos-posix/src/core/syscalls.h */
#define SYS_resolve 0x43415000l

int __res_msend_rc(int nqueries, const unsigned char *const *queries, const int *qlens,
                   unsigned char *const *answers, int *alens, int asize,
                   const struct resolvconf *conf)
{
	(void)conf; /* name servers are the resolver's business */
	for (int i = 0; i < nqueries; i++) {
		long length = __syscall_cp(SYS_resolve, queries[i], qlens[i], answers[i], asize);

		alens[i] = length > 0 ? (int)length : 0;
	}
	return 0;
}

int __res_msend(int nqueries, const unsigned char *const *queries, const int *qlens,
                unsigned char *const *answers, int *alens, int asize)
{
	return __res_msend_rc(nqueries, queries, qlens, answers, alens, asize, 0);
}
