/* SPDX-License-Identifier: MIT */
/*
 * The devices of /dev that a program may expect: null, zero, full, random, urandom, kmsg, and the
 * names for descriptors. They live in the library because they give no authority; the path is
 * compared as text, so that a file that was put there does not shadow them.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <capos/format.h>
#include <capos/log.h>
#include <capos/start.h>

#include "core/core.h"
#include "file/file.h"

#define KMSG_PIECE 400u /* bytes of one log_line, which takes a little more */

struct device {
	const char *name;
	const struct file_ops *ops;
	unsigned minor; /* of Linux's memory devices, major 1 */
};

static const struct device *device_of(const struct file *f)
{
	return f->data;
}

static ssize_t null_read(struct file *f, const struct iovec *iov, int n)
{
	(void)f, (void)iov, (void)n;
	return 0;
}

static ssize_t null_write(struct file *f, const struct iovec *iov, int n)
{
	(void)f;
	return (ssize_t)vector_length(iov, n);
}

static ssize_t zero_read(struct file *f, const struct iovec *iov, int n)
{
	static const uint8_t zeroes[4096];
	size_t done = 0;

	(void)f;
	for (int i = 0; i < n; i++) {
		for (size_t at = 0; at < iov[i].iov_len;) {
			size_t rest = iov[i].iov_len - at;
			size_t run = rest < sizeof(zeroes) ? rest : sizeof(zeroes);
			size_t left = posix_user_copy((char *)iov[i].iov_base + at, zeroes, run);

			at += run - left;
			done += run - left;
			if (left)
				return done ? (ssize_t)done : -EFAULT;
		}
	}
	return (ssize_t)done;
}

static ssize_t full_write(struct file *f, const struct iovec *iov, int n)
{
	(void)f, (void)iov, (void)n;
	return -ENOSPC;
}

static ssize_t random_read(struct file *f, const struct iovec *iov, int n)
{
	size_t done = 0;

	(void)f;
	for (int i = 0; i < n; i++) {
		for (size_t at = 0; at < iov[i].iov_len;) {
			size_t rest = iov[i].iov_len - at;
			long got =
			        sys_getrandom((long)((char *)iov[i].iov_base + at), (long)rest, 0);

			if (got <= 0)
				return done ? (ssize_t)done : got;
			at += (size_t)got;
			done += (size_t)got;
		}
	}
	return (ssize_t)done;
}

/* Linux's way to the log: what a program writes are lines of the Log that it holds. */
static ssize_t kmsg_write(struct file *f, const struct iovec *iov, int n)
{
	size_t total = vector_length(iov, n), done = 0;
	char piece[KMSG_PIECE];

	(void)f;
	if (!start_cap("log"))
		return -EACCES;
	while (done < total) {
		ssize_t length = vector_gather(piece, sizeof(piece), iov, n, done);

		if (length < 0)
			return done ? (ssize_t)done : length;
		log_line("%.*s", (int)length, piece);
		done += (size_t)length;
	}
	return (ssize_t)done;
}

/* Positions mean nothing to these devices. */
static ssize_t device_pread(struct file *f, const struct iovec *iov, int n, off_t offset)
{
	(void)offset;
	return f->ops->read(f, iov, n);
}

static ssize_t device_pwrite(struct file *f, const struct iovec *iov, int n, off_t offset)
{
	(void)offset;
	return f->ops->write(f, iov, n);
}

static off_t device_seek(struct file *f, off_t offset, int whence)
{
	(void)f, (void)offset, (void)whence;
	return 0;
}

static void stat_of(const struct device *device, struct stat *st)
{
	*st = (struct stat){
	        .st_dev = FILES_DEVICE + 1,
	        .st_ino = device->minor,
	        .st_mode = S_IFCHR | 0666,
	        .st_nlink = 1,
	        .st_rdev = makedev(1, device->minor),
	        .st_blksize = FILES_BLOCKSIZE,
	        .st_atim = boot_time(),
	        .st_mtim = boot_time(),
	        .st_ctim = boot_time(),
	};
}

static int device_fstat(struct file *f, struct stat *st)
{
	stat_of(device_of(f), st);
	return 0;
}

static int device_carry(struct file *f, struct carried *out)
{
	out->kind = CARRY_DEVICE;
	out->detail = device_of(f)->minor;
	return 0;
}

static const struct file_ops null_ops = {.read = null_read,
                                         .write = null_write,
                                         .pread = device_pread,
                                         .pwrite = device_pwrite,
                                         .seek = device_seek,
                                         .stat = device_fstat,
                                         .carry = device_carry};
static const struct file_ops zero_ops = {.zeroes = true,
                                         .read = zero_read,
                                         .write = null_write,
                                         .pread = device_pread,
                                         .pwrite = device_pwrite,
                                         .seek = device_seek,
                                         .stat = device_fstat,
                                         .carry = device_carry};
static const struct file_ops full_ops = {.read = zero_read,
                                         .write = full_write,
                                         .pread = device_pread,
                                         .pwrite = device_pwrite,
                                         .seek = device_seek,
                                         .stat = device_fstat,
                                         .carry = device_carry};
static const struct file_ops random_ops = {.read = random_read,
                                           .write = null_write,
                                           .pread = device_pread,
                                           .pwrite = device_pwrite,
                                           .seek = device_seek,
                                           .stat = device_fstat,
                                           .carry = device_carry};

static const struct file_ops kmsg_ops = {
        .write = kmsg_write, .pwrite = device_pwrite, .stat = device_fstat, .carry = device_carry};

static const struct device devices[] = {
        {"null", &null_ops, 3},     {"zero", &zero_ops, 5},      {"full", &full_ops, 7},
        {"random", &random_ops, 8}, {"urandom", &random_ops, 9}, {"kmsg", &kmsg_ops, 11},
};

/* What follows "/dev/", however many slashes and "." components it is written with; NULL: another
 * path. */
static const char *after_dev(const char *path)
{
	if (*path != '/')
		return NULL;
	for (;;) {
		while (*path == '/')
			path++;
		if (path[0] != '.' || path[1] != '/')
			break;
		path++;
	}
	if (strncmp(path, "dev/", 4))
		return NULL;
	path += 4;
	while (*path == '/')
		path++;
	return path;
}

static const struct device *device_named(const char *path)
{
	const char *name = after_dev(path);

	for (size_t i = 0; name && i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (!strcmp(name, devices[i].name))
			return &devices[i];
	}
	return NULL;
}

static int number_in(const char *text)
{
	int number = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || number >= FD_MAX)
			return -1;
		number = number * 10 + (*text - '0');
	}
	return number;
}

/* Behind "/proc/self/" or the same with this process's number; NULL: another path. */
static const char *after_self(const char *path)
{
	char own[32];
	size_t length = 11;

	if (strncmp(path, "/proc/", 6))
		return NULL;
	if (strncmp(path, "/proc/self/", length)) {
		length =
		        (size_t)fmt_snprintf(own, sizeof(own), "/proc/%u/", (unsigned)process_id());
		if (strncmp(path, own, length))
			return NULL;
	}
	return path + length;
}

int device_descriptor(const char *path)
{
	static const char *const standard[] = {"stdin", "stdout", "stderr"};
	const char *name = after_dev(path), *self = name ? NULL : after_self(path);

	if (self)
		return strncmp(self, "fd/", 3) ? -1 : number_in(self + 3);
	for (int i = 0; name && i < 3; i++) {
		if (!strcmp(name, standard[i]))
			return i;
	}
	return name && !strncmp(name, "fd/", 3) ? number_in(name + 3) : -1;
}

struct file *device_description(const char *path)
{
	struct file *f = fd_file(device_descriptor(path));

	return f && !file_directory(f) ? f : NULL;
}

static const char *through_descriptor(const char *digits, cap_t *base)
{
	const size_t length = strspn(digits, "0123456789");
	char number[8];
	const struct file *f;

	if (length >= sizeof(number))
		return NULL;
	memcpy(number, digits, length);
	number[length] = 0;
	f = fd_file(number_in(number));
	*base = f ? file_directory(f) : CAP_NULL;
	return digits + length;
}

const char *device_through_link(const char *path, cap_t *base)
{
	const char *name = after_self(path), *after = NULL;

	*base = CAP_NULL;
	if (name && !strncmp(name, "fd/", 3)) {
		after = through_descriptor(name + 3, base);
	} else if (name && !strncmp(name, "cwd", 3)) {
		*base = path_cwd();
		after = name + 3;
	} else if (name && !strncmp(name, "root", 4)) {
		*base = path_root();
		after = name + 4;
	} else if (!name && !strncmp(path, "/dev/fd/", 8)) {
		after = through_descriptor(path + 8, base);
	}
	if (!after || !*base || (*after && *after != '/'))
		return NULL;
	after += strspn(after, "/");
	return *after ? after : ".";
}

int device_open(const char *path, int flags, struct file **out)
{
	const struct device *device = device_named(path);
	const char *name = after_dev(path);

	if (!device)
		return name ? core_hooks.terminal_open(name, flags, out) : 1;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	*out = file_create(device->ops, flags & ~O_NOCTTY, (void *)(uintptr_t)device);
	return *out ? 0 : -ENOMEM;
}

const char *device_name(dev_t number)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (number == makedev(1, devices[i].minor))
			return devices[i].name;
	}
	return NULL;
}

int device_open_number(dev_t number, int flags, struct file **out)
{
	char path[32] = "/dev/";

	if (number == makedev(5, 0))
		return device_open("/dev/tty", flags, out);
	if (number == makedev(5, 2))
		return device_open("/dev/ptmx", flags, out);
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (number == makedev(1, devices[i].minor))
			return device_open(strcat(path, devices[i].name), flags, out);
	}
	return 1;
}

int device_open_log(int flags, struct file **out)
{
	return device_open("/dev/kmsg", flags, out);
}

int device_stat(const char *path, struct stat *st)
{
	const struct device *device = device_named(path);
	const char *name = after_dev(path);

	if (!device)
		return name ? core_hooks.terminal_stat(name, st) : 1;
	stat_of(device, st);
	return 0;
}

int device_change(const char *path, uint32_t user, uint32_t group, uint32_t mode)
{
	const char *name = after_dev(path);

	return name ? core_hooks.terminal_change(name, user, group, mode) : 1;
}

int device_restore(const struct carried *in, struct file **out)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (devices[i].minor != in->detail)
			continue;
		*out = file_create(devices[i].ops, in->flags, (void *)(uintptr_t)&devices[i]);
		return *out ? 0 : -ENOMEM;
	}
	return -EINVAL;
}
