/* SPDX-License-Identifier: MIT */
/*
 * Puts files and directories of the host into a boot archive.
 */
#ifndef CAPOS_TOOLS_PUT_H
#define CAPOS_TOOLS_PUT_H

#include "tools/capos/archive_writer.h"

/*
 * Adds what is at host_path as guest_path: a regular file, or a directory with all that is in it.
 * A file goes below a guest_path that ends in a slash, under its own name. Symbolic links below
 * host_path are copied as links; host_path itself may be one, and is followed.
 * What cannot be put in (sockets, devices, what cannot be read) ends the process with a message.
 */
void put_into_guest(struct archive_writer *writer, const char *host_path, const char *guest_path);

#endif
