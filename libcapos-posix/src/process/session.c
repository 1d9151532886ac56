/* SPDX-License-Identifier: MIT */
/*
 * What terminals ask of the process service: whose a terminal is, and which group is in front.
 */
#include <errno.h>
#include <stdint.h>

#include <capos/schema/process_client.h>
#include <capos/schema/status.h>

#include "core/core.h"
#include "process/process.h"
#include "process/world.h"
#include "terminal/terminal.h"

static int job(struct terminal_job *out)
{
	struct process_member_job_results results;
	int result;

	if (!world_exists())
		return -ENOTTY;
	do {
		result = process_member_job(world_member(), &results, NULL);
	} while (world_again(result));
	*out = (struct terminal_job){.controlled = !result && results.controlled,
	                             .terminal = results.terminal,
	                             .foreground = results.foreground,
	                             .orphaned = results.orphaned};
	return (int)world_errno(result, -ENOTTY);
}

static int take(cap_t terminal, uint32_t number, cap_t *session)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	const struct capos_send_cap send = {.cap = terminal, .rights = CAP_RIGHTS_ALL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct process_member_set_terminal_params params = {.number = number};
	struct process_member_set_terminal_results results;
	int result;

	if (!world_exists())
		return -EPERM;
	result = process_member_set_terminal(world_member(), &params, &results, &call);
	if (!result && results.session_index >= call.ncaps)
		result = CAP_EMESSAGE;
	if (!result)
		*session = call.caps[results.session_index];
	return (int)world_errno(result, -EPERM);
}

static int find(cap_t *terminal)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_member_terminal_results results;
	int result;

	if (!world_exists())
		return -ENXIO;
	result = process_member_terminal(world_member(), &results, &call);
	if (!result && results.terminal_index >= call.ncaps)
		result = CAP_EMESSAGE;
	if (!result)
		*terminal = call.caps[results.terminal_index];
	return (int)world_errno(result, -ENXIO);
}

static int leave(void)
{
	return world_exists()
	               ? (int)world_errno(process_member_leave_terminal(world_member(), NULL),
	                                  -ENOTTY)
	               : -ENOTTY;
}

static int foreground(uint32_t *group)
{
	struct process_member_foreground_results results;
	int result = process_member_foreground(world_member(), &results, NULL);

	*group = result ? 0 : results.group;
	return (int)world_errno(result, -ENOTTY);
}

static int set_foreground(uint32_t group)
{
	const struct process_member_set_foreground_params params = {.group = group};

	return (int)world_errno(process_member_set_foreground(world_member(), &params, NULL),
	                        -ESRCH);
}

static int session(uint32_t *out)
{
	const struct process_member_identity_params params = {.number = 0};
	struct process_member_identity_results results;
	int result = world_exists()
	                     ? process_member_identity(world_member(), &params, &results, NULL)
	                     : STATUS_NO_ENTRY;

	*out = result ? 0 : results.session;
	return (int)world_errno(result, -ENOTTY);
}

static int signal_group(int signal)
{
	const struct process_member_kill_params params = {.signal = (uint32_t)signal};

	return (int)world_errno(process_member_kill(world_member(), &params, NULL), -ESRCH);
}

void world_start_terminals(void)
{
	static const struct terminal_world world = {.job = job,
	                                            .take = take,
	                                            .find = find,
	                                            .leave = leave,
	                                            .foreground = foreground,
	                                            .set_foreground = set_foreground,
	                                            .session = session,
	                                            .signal_group = signal_group};

	terminal_set_world(&world);
}
