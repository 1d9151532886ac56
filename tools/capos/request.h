/* SPDX-License-Identifier: MIT */
/*
 * The archive's etc/program: a ProgramRequest of schema/manifest.capnp, made from the settings.
 */
#ifndef CAPOS_TOOLS_REQUEST_H
#define CAPOS_TOOLS_REQUEST_H

#include "tools/capos/capos.h"

/*
 * program: args[0] as the guest is to look it up, in place of settings->program[0]; NULL when
 * nothing runs. The message's bytes, to be freed by the caller; *length is set.  A wrong --address,
 * or more of anything than init takes, ends the process.
 */
void *request_build(const struct settings *settings, const char *program, uint32_t *length);

#endif
