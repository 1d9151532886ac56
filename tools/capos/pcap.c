/* SPDX-License-Identifier: MIT */
/*
 * The end of a file of frames: libpcap's format, in the byte order of this machine.
 */
#include "tools/capos/pcap.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tools/capos/complain.h"

#define FILE_HEADER  24u
#define FRAME_HEADER 16u
#define FRAME_LENGTH 8u /* in it: the bytes that follow */

uint64_t pcap_whole(const unsigned char *bytes, uint64_t size)
{
	uint64_t whole = FILE_HEADER;
	uint32_t length;

	if (size < FILE_HEADER)
		return size;
	while (size - whole >= FRAME_HEADER) {
		memcpy(&length, bytes + whole + FRAME_LENGTH, sizeof(length));
		if (length > size - whole - FRAME_HEADER)
			break;
		whole += FRAME_HEADER + length;
	}
	return whole;
}

void pcap_end(const char *path, uint64_t limit)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return; /* a pipe whose reader has gone; the emulator has written what it could */
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < limit) {
		close(fd);
		return;
	}
	void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes != MAP_FAILED) {
		uint64_t whole = pcap_whole(bytes, (uint64_t)st.st_size);
		munmap(bytes, (size_t)st.st_size);
		if (whole < (uint64_t)st.st_size && ftruncate(fd, (off_t)whole) != 0)
			complain("--pcap %s: its last frame is incomplete", path);
	}
	close(fd);
	complain("--pcap %s was cut at %llu bytes (see --file-limit)", path,
	         (unsigned long long)limit);
}
