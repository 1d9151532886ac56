/* SPDX-License-Identifier: MIT */
/*
 * How musl reads time zones and message catalogues: mapped, as upstream does, but privately, since
 * capOS has no shared mappings of files. They are only read.
 */
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "syscall.h"

const unsigned char *__map_file(const char *path, size_t *size)
{
	void *mapped = MAP_FAILED;
	struct stat st;
	int fd = sys_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return NULL;
	if (__fstat(fd, &st) == 0) {
		*size = (size_t)st.st_size;
		mapped = __mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	__syscall(SYS_close, fd);
	return mapped == MAP_FAILED ? NULL : mapped;
}
