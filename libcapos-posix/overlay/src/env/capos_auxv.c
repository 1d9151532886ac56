/* SPDX-License-Identifier: MIT */
/*
 * What libcapos-posix must know of musl's private state: where the auxiliary vector is, as soon as
 * musl knows.
 */
#include "libc.h"

hidden const size_t *__capos_auxv(void);

const size_t *__capos_auxv(void)
{
	return libc.auxv;
}
