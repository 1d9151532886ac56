/* SPDX-License-Identifier: MIT */
/*
 * The end of a file of frames (--pcap), which the emulator writes, and stops to write at the limit.
 */
#ifndef CAPOS_TOOLS_PCAP_H
#define CAPOS_TOOLS_PCAP_H

#include <stdint.h>

/* If the file has reached the limit, says so, and takes off an incomplete last frame. */
void pcap_end(const char *path, uint64_t limit);

/* Pure: how many of the size bytes are whole frames, after the file's header. */
uint64_t pcap_whole(const unsigned char *bytes, uint64_t size);

#endif
