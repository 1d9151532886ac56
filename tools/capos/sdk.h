/* SPDX-License-Identifier: MIT */
/*
 * `capos sdk`: where the files are with which programs are built for capOS.
 */
#ifndef CAPOS_TOOLS_SDK_H
#define CAPOS_TOOLS_SDK_H

/* The arguments after `sdk`, and a NULL. Prints to stdout; the exit status. */
int sdk_command(char **arguments);

#endif
