/* SPDX-License-Identifier: MIT */
/*
 * Groups, sessions, parents, and signals to other processes: each is one question to the process
 * service.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>

#include <capos/schema/process_client.h>

#include "core/core.h"
#include "file/file.h"
#include "process/process.h"
#include "process/world.h"
#include "signal/signal.h"

/* ---- Who is who ---- */

/* 0 or -errno. */
static long identity(long pid, struct process_member_identity_results *out)
{
	const struct process_member_identity_params params = {.number = (uint32_t)pid};
	int result;

	if (pid < 0)
		return -ESRCH;
	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_identity(world_member(), &params, out, NULL);
	} while (world_again(result));
	return world_errno(result, -ESRCH);
}

/* A process without a world is alone: its own group and session, the child of none. */
static bool is_alone(long pid)
{
	return !world_exists() && (!pid || pid == (long)process_id());
}

long sys_getppid(void)
{
	struct process_member_identity_results who;

	return identity(0, &who) ? 0 : (long)who.parent;
}

long sys_getpgid(long pid)
{
	struct process_member_identity_results who;
	long result;

	if (is_alone((int)pid))
		return (long)process_id();
	result = identity((int)pid, &who);
	return result ? result : (long)who.group;
}

long sys_getpgrp(void)
{
	return sys_getpgid(0);
}

long sys_getsid(long pid)
{
	struct process_member_identity_results who;
	long result;

	if (is_alone((int)pid))
		return (long)process_id();
	result = identity((int)pid, &who);
	return result ? result : (long)who.session;
}

long sys_setpgid(long pid, long group)
{
	const struct process_member_set_group_params params = {.number = (uint32_t)pid,
	                                                       .group = (uint32_t)group};
	int result;

	if ((int)(group ? group : pid) < 0)
		return -EINVAL;
	if ((int)pid < 0)
		return -ESRCH;
	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_set_group(world_member(), &params, NULL);
	} while (world_again(result));
	return world_errno(result, -ESRCH);
}

long sys_setsid(void)
{
	struct process_member_set_session_results results;
	int result;

	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_set_session(world_member(), &results, NULL);
	} while (world_again(result));
	return result ? world_errno(result, -EPERM) : (long)results.session;
}

/* ---- Signals ---- */

long world_signal(long target, int signal, int code, uint64_t value)
{
	const struct process_member_kill_params params = {
	        .target = target, .signal = (uint32_t)signal, .code = code, .value = value};
	int result;

	if (!world_exists())
		return -ESRCH;
	do {
		result = process_member_kill(world_member(), &params, NULL);
	} while (world_again(result));
	return world_errno(result, -ESRCH);
}

int world_notice_ask(uint64_t key, int signal, uint64_t value)
{
	const struct process_member_ask_notice_params params = {
	        .key = key, .signal = (uint32_t)signal, .value = value};
	int result;

	if (!world_exists())
		return 0;
	do {
		result = process_member_ask_notice(world_member(), &params, NULL);
	} while (world_again(result));
	return (int)world_errno(result, -ESRCH);
}

int world_notice_give(int pid, uint64_t key)
{
	const struct process_member_give_notice_params params = {.number = (uint32_t)pid,
	                                                         .key = key};
	int result;

	if (!world_exists())
		return -ESRCH;
	do {
		result = process_member_give_notice(world_member(), &params, NULL);
	} while (world_again(result));
	return (int)world_errno(result, -ESRCH);
}

long world_set_death_signal(uint32_t signal)
{
	const struct process_member_set_death_signal_params params = {.signal = signal};
	int result;

	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_set_death_signal(world_member(), &params, NULL);
	} while (world_again(result));
	return world_errno(result, -ESRCH);
}

long world_death_signal(uint32_t *signal)
{
	struct process_member_death_signal_results results;
	int result;

	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_death_signal(world_member(), &results, NULL);
	} while (world_again(result));
	if (result)
		return world_errno(result, -ESRCH);
	*signal = results.signal;
	return 0;
}

long world_set_reaper(bool on)
{
	const struct process_member_set_reaper_params params = {.on = on};
	int result;

	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_set_reaper(world_member(), &params, NULL);
	} while (world_again(result));
	return world_errno(result, -ESRCH);
}

long world_reaper(bool *on)
{
	struct process_member_reaper_results results;
	int result;

	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_reaper(world_member(), &results, NULL);
	} while (world_again(result));
	if (result)
		return world_errno(result, -ESRCH);
	*on = results.on;
	return 0;
}

long sys_kill(long pid, long signal)
{
	pid = (int)pid;
	if (signal < 0 || signal > SIGNAL_MAX)
		return -EINVAL;
	if (pid == (long)process_id() && signal != SIGKILL)
		return signal_self(signal, SI_USER);
	if (pid == INT32_MIN)
		return -ESRCH;
	return world_signal(pid, (int)signal, SI_USER, 0);
}

long sys_rt_sigqueueinfo(long pid, long signal, long info)
{
	struct signal_origin origin;
	long result = signal_given_origin(signal, info, &origin);

	if (result)
		return result;
	pid = (int)pid;
	if (pid != (long)process_id())
		/* Nobody makes another believe that the kernel or kill sent it. */
		return origin.code >= 0 || origin.code == SI_TKILL
		               ? -EPERM
		               : world_signal(pid, (int)signal, origin.code, origin.value);
	origin.own = true;
	return signal ? signal_post((int)signal, origin) : 0;
}

void world_take_signals(uint64_t bits, signal_arrived *arrived)
{
	_Alignas(8) uint8_t buffer[4096];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	const struct process_member_take_signals_params params = {.bits = bits};
	struct process_member_take_signals_results results;
	struct signal_info info;

	if (!world_exists() ||
	    process_member_take_signals(world_member(), &params, &results, &call))
		return;
	for (uint32_t i = 0; i < results.list.count; i++) {
		if (signal_info_get(&results.list, i, &info) || !info.signal ||
		    info.signal > SIGNAL_MAX)
			continue;
		arrived((int)info.signal, (struct signal_origin){.code = info.code,
		                                                 .pid = (int)info.number,
		                                                 .uid = (int)info.user,
		                                                 .status = info.status,
		                                                 .value = info.value,
		                                                 .cpu_ns = info.cpu_ns});
	}
}

void world_stop(int signal, bool own)
{
	const struct process_member_stop_params params = {.signal = (uint32_t)signal, .own = own};

	files_settle();
	if (world_exists()) /* an answer of any kind: it goes on */
		(void)process_member_stop(world_member(), &params, NULL);
}
