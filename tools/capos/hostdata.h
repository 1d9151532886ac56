/* SPDX-License-Identifier: MIT */
/*
 * Data of this machine that programs expect of any system and the image does not carry: time zones
 * and certificates of authorities.
 */
#ifndef CAPOS_TOOLS_HOSTDATA_H
#define CAPOS_TOOLS_HOSTDATA_H

#include "tools/capos/capos.h"

/* Set an option without a value: NULL, or what is wrong. */
const char *set_zoneinfo(struct settings *settings, const char *value);
const char *set_certificates(struct settings *settings, const char *value);

#endif
