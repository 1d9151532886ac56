/* SPDX-License-Identifier: MIT */
/*
 * The process about itself: what it has used, what it is called, its end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>

#include <capos/cap.h>
#include <capos/clock.h>
#include <capos/start.h>

#include "core/core.h"
#include "process/children.h"
#include "process/proc.h"
#include "process/process.h"
#include "signal/signal.h"

#define TICKS_PER_SECOND 100 /* AT_CLKTCK, sysconf(_SC_CLK_TCK) */
#define NS_PER_TICK      (1000000000ull / TICKS_PER_SECOND)

long sys_exit_group(long status)
{
	posix_exit((int)status & 0xff, 0);
}

long sys_getpid(void)
{
	return (long)process_id();
}

long sys_uname(long out)
{
	static const struct utsname name = {.sysname = "capOS",
	                                    .nodename = "capos",
	                                    .release = "0.1",
	                                    .version = "#1",
	                                    .machine = "x86_64"};

	return user_put(out, &name);
}

long sys_getrusage(long who, long out)
{
	struct rusage usage = {0};
	struct cap_process process;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	if (who == RUSAGE_CHILDREN) {
		children_usage(&usage);
		return user_put(out, &usage);
	}
	if (cap_process_status(&process))
		return -EINVAL;
	usage.ru_utime.tv_sec = (time_t)(process.cpu_ns / 1000000000);
	usage.ru_utime.tv_usec = (long)(process.cpu_ns % 1000000000 / 1000);
	usage.ru_maxrss = (long)(process.memory_pages * (PAGE_BYTES / 1024));
	return user_put(out, &usage);
}

long sys_times(long out)
{
	struct cap_process process;
	struct rusage children;
	struct tms times = {0};

	if (out) {
		children_usage(&children);
		times.tms_cutime = children.ru_utime.tv_sec * TICKS_PER_SECOND +
		                   children.ru_utime.tv_usec / (1000000 / TICKS_PER_SECOND);
		if (!cap_process_status(&process))
			times.tms_utime = (clock_t)(process.cpu_ns / NS_PER_TICK);
		if (user_put(out, &times))
			return -EFAULT;
	}
	return (long)(cap_now() / NS_PER_TICK);
}

/* Of memory what the world may use and does not; buffers and swap are not there. */
long sys_sysinfo(long out)
{
	struct proc_load load;
	uint64_t total, unused;
	struct sysinfo info;

	proc_load(&load);
	proc_memory(&total, &unused);
	info = (struct sysinfo){.uptime = cap_now() / 1000000000,
	                        .loads = {load.average[0], load.average[1], load.average[2]},
	                        .totalram = total,
	                        .freeram = unused,
	                        .mem_unit = PAGE_BYTES,
	                        .procs = (unsigned short)load.processes};
	return user_put(out, &info);
}

#define SYSLOG_TYPES 10 /* the highest of Linux's */

/* The machine's log is its owner's, on the host: a program may write lines to it and read none. */
long sys_syslog(long type, long buffer, long length)
{
	(void)buffer;
	(void)length;
	return type < 0 || type > SYSLOG_TYPES ? -EINVAL : -EPERM;
}

#define RANDOM_PIECE CAP_ENTROPY_MAX /* bytes drawn at once */

long sys_getrandom(long buffer, long length, long flags)
{
	uint8_t drawn[RANDOM_PIECE];
	cap_t source;
	long done = 0;

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | 4 /* GRND_INSECURE */))
		return -EINVAL;
	source = start_cap("entropy");
	if (!source)
		return -EPERM;
	if (length > 0x2000000) /* as Linux: one call gives no more */
		length = 0x2000000;
	while (done < length) {
		uint32_t part =
		        length - done < RANDOM_PIECE ? (uint32_t)(length - done) : RANDOM_PIECE;
		int result = errno_of(cap_entropy_read(source, drawn, part));

		if (!result)
			result = user_write(buffer + done, drawn, part);
		if (result)
			return done ? done : result;
		done += part;
		if (done < length && signal_waiting())
			return done;
	}
	return done;
}

#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003

long sys_arch_prctl(long code, long address)
{
	uint64_t base;

	switch (code) {
	case ARCH_SET_FS:
		__asm__ volatile("wrfsbase %0" : : "r"(address));
		return 0;
	case ARCH_GET_FS:
		__asm__ volatile("rdfsbase %0" : "=r"(base));
		return user_put(address, &base);
	default:
		return absent_option(ABSENT_ARCH_PRCTL, (unsigned long)code, -EINVAL);
	}
}

long sys_sched_yield(void)
{
	bool left = library_leave();

	cap_poll(false, 0); /* nothing stays queued: the next one yields */
	cap_enter(0, 0);
	library_return(left);
	return 0;
}
