/* SPDX-License-Identifier: MIT */
/*
 * Becoming a member of a world, and staying one across fork, exec and the service's end.  The
 * member's capability cannot be copied, so each process has its own.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include <capos/identity.h>
#include <capos/log.h>
#include <capos/schema/process_client.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "core/core.h"
#include "process/process.h"
#include "process/world.h"
#include "signal/signal.h"

#define ENDS_WORDS_MAX 65536u /* an end's word, in the bits below the service's own number */
#define COMMAND_MAX    4096u  /* of the arguments that others may read */

static struct world_state self;

static void forget_ends(void);

cap_t world_member(void)
{
	return self.member;
}

bool world_exists(void)
{
	return self.member != CAP_NULL;
}

/* ---- Becoming a member ---- */

/* What a member hands over of itself. */
static int own_caps(struct capos_send_cap send[2], cap_t signals)
{
	send[0] = (struct capos_send_cap){.cap = CAP_SELF,
	                                  .rights = CAP_RIGHT_WATCH | CAP_RIGHT_KILL |
	                                            CAP_RIGHT_CALL | CAP_RIGHT_COPY};
	send[1] = (struct capos_send_cap){.cap = signals, .rights = CAP_RIGHT_SIGNAL};
	return 2;
}

static int enroll(cap_t signals)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE + sizeof(struct cap_identity)];
	struct capos_send_cap send[2];
	struct capos_call call = {.send_caps = send,
	                          .send_ncaps = (uint32_t)own_caps(send, signals),
	                          .buffer = buffer,
	                          .size = sizeof(buffer)};
	const struct process_world_enroll_params params = {
	        .process_index = 0, .signals_index = 1, .number = (uint32_t)self.number};
	struct process_world_enroll_results results;
	struct cap_identity identity;
	int result = process_world_enroll(self.world, &params, &results, &call);

	if (result)
		return result;
	if (results.member_index >= call.ncaps)
		return CAP_EMESSAGE;
	self.member = call.caps[results.member_index];
	self.number = results.number;
	process_set_id(self.number);
	if (!cap_identity_read(&identity, results.identity.ptr, results.identity.len))
		return CAP_EMESSAGE;
	process_set_identity(&identity);
	return CAP_OK;
}

static void send_child_action(void)
{
	const struct process_member_children_params params = {.forget = self.forgets,
	                                                      .no_stops = self.no_stops};

	(void)process_member_children(self.member, &params, NULL); /* an ended service: later */
}

void world_start(void)
{
	int result;

	self.world = start_cap("world");
	if (!self.world)
		return;
	result = enroll(signal_event());
	if (result)
		log_line("posix: not a member of a world: %s", cap_error_text(result));
}

bool world_again(int result)
{
	if (result != CAP_EGONE || !self.world)
		return false;
	cap_release(self.member);
	self.member = CAP_NULL;
	forget_ends();
	if (enroll(signal_event()))
		return false;
	if (self.forgets || self.no_stops)
		send_child_action();
	return true;
}

long world_errno(int result, long missing)
{
	switch (result) {
	case STATUS_NO_ENTRY:
	case CAP_EGONE:
		return missing;
	case STATUS_TRY_AGAIN:
	case STATUS_NO_BUFFERS:
		return -EAGAIN;
	default:
		return errno_of(result);
	}
}

/* ---- fork ---- */

static int prepare(struct world_birth *birth)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_member_prepare_fork_results results;
	int result = process_member_prepare_fork(self.member, &results, &call);

	if (result)
		return result;
	if (results.birth_index >= call.ncaps)
		return CAP_EMESSAGE;
	birth->life = call.caps[results.birth_index];
	birth->number = results.number;
	return CAP_OK;
}

long world_prepare(struct world_birth *birth)
{
	int result;

	if (!world_exists())
		return -EPERM;
	do {
		result = prepare(birth);
	} while (world_again(result));
	return result ? world_errno(result, -EAGAIN) : 0;
}

void world_abandon(const struct world_birth *birth)
{
	const struct process_member_abandon_fork_params params = {.number =
	                                                                  (uint32_t)birth->number};

	(void)process_member_abandon_fork(self.member, &params, NULL);
	cap_release(birth->life);
}

void world_made(const struct world_birth *birth)
{
	cap_release(birth->life);
}

static int join(const struct world_birth *birth, cap_t signals)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	struct capos_send_cap send[2];
	struct capos_call call = {.send_caps = send,
	                          .send_ncaps = (uint32_t)own_caps(send, signals),
	                          .buffer = buffer,
	                          .size = sizeof(buffer)};
	const struct process_birth_join_params params = {.process_index = 0, .signals_index = 1};
	struct process_birth_join_results results;
	int result = process_birth_join(birth->life, &params, &results, &call);

	if (result)
		return result;
	if (results.member_index >= call.ncaps)
		return CAP_EMESSAGE;
	self.member = call.caps[results.member_index];
	return CAP_OK;
}

void world_join(const struct world_birth *birth, cap_t signals)
{
	int result;

	self = (struct world_state){.world = self.world,
	                            .ends = self.ends,
	                            .number = birth->number,
	                            .forgets = self.forgets,
	                            .no_stops = self.no_stops};
	process_set_id(self.number);
	result = join(birth, signals);
	if (result == CAP_EGONE)
		result = enroll(signals);
	cap_release(birth->life);
	if (result)
		log_line("posix: not a member of the world: %s", cap_error_text(result));
	else if (self.forgets || self.no_stops)
		send_child_action();
}

/* ---- Ends ---- */

static const _Atomic uint32_t *words; /* NULL: not mapped */
static uint64_t nwords;

static int map_words(void)
{
	uint64_t size = 0;
	void *address;
	int result = cap_memory_size(self.ends, &size);

	if (!result)
		result = cap_memory_map(self.ends, 0, size, CAP_RIGHT_READ, &address);
	if (result)
		return result;
	words = address;
	nwords = size / sizeof(*words);
	return CAP_OK;
}

static int ask_for_words(void)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_member_ends_memory_results results;
	int result = process_member_ends_memory(self.member, &results, &call);

	if (result)
		return result;
	if (results.memory_index >= call.ncaps)
		return CAP_EMESSAGE;
	self.ends = call.caps[results.memory_index];
	return CAP_OK;
}

static int open_ends(struct shared_ends *out)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	struct capos_send_cap send = {.cap = process_event(), .rights = CAP_RIGHT_SIGNAL};
	struct capos_call call = {
	        .send_caps = &send, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};
	const struct process_member_open_ends_params params = {.event_index = 0};
	struct process_member_open_ends_results results;
	int result = self.ends ? CAP_OK : ask_for_words();

	if (!result && !words)
		result = map_words();
	if (!result)
		result = process_member_open_ends(self.member, &params, &results, &call);
	if (result)
		return result;
	if (results.first_index >= call.ncaps || results.second_index >= call.ncaps)
		return CAP_EMESSAGE;
	*out = (struct shared_ends){
	        .ends = {call.caps[results.first_index], call.caps[results.second_index]},
	        .word = results.word};
	return CAP_OK;
}

int world_ends_open(struct shared_ends *out)
{
	int result;

	*out = (struct shared_ends){.word = 0};
	if (!world_exists())
		return 0;
	do {
		result = open_ends(out);
	} while (world_again(result));
	return result ? (int)world_errno(result, -ENFILE) : 0;
}

bool world_ends_held(uint64_t word)
{
	uint64_t index = word % ENDS_WORDS_MAX;

	if (!word || !self.ends || (!words && map_words()) || index >= nwords)
		return true;
	/* Of a service that is gone nothing more is known: closing alone tells of an end. */
	if (words[0] != (uint32_t)(word >> 16) || words[1] != (uint32_t)(word >> 48))
		return true;
	return atomic_load_explicit(&words[index], memory_order_acquire) != 0;
}

static void forget_ends(void)
{
	if (words)
		cap_memory_unmap((void *)(uintptr_t)words, nwords * sizeof(*words));
	cap_release(self.ends);
	self.ends = CAP_NULL;
	words = NULL;
}

/* ---- What the service is to know ---- */

void world_child_action(void)
{
	const struct signal_action *action = &signals.actions[SIGCHLD];
	uint32_t forgets = action->handler == SIG_IGN || action->flags & SA_NOCLDWAIT;
	uint32_t no_stops = (action->flags & SA_NOCLDSTOP) != 0;

	if (forgets == self.forgets && no_stops == self.no_stops)
		return;
	self.forgets = forgets;
	self.no_stops = no_stops;
	if (world_exists())
		send_child_action();
}

/* Sent along with the next call: nothing waits for the answer. */
static struct {
	struct cap_op op;
	bool sent;
	_Alignas(8) uint8_t message[COMMAND_MAX + WORLD_MESSAGE];
} description;

static void describe(const struct process_member_describe_params *params)
{
	struct capos_sqe sqe = {.op = CAP_OP_CALL,
	                        .flags = CAPOS_SQE_UNHURRIED,
	                        .method = PROCESS_MEMBER_DESCRIBE,
	                        .cap = self.member,
	                        .interface = PROCESS_MEMBER_INTERFACE,
	                        .send_addr = (uintptr_t)description.message,
	                        .recv_addr = (uintptr_t)description.message,
	                        .recv_len = sizeof(description.message)};
	struct msg_builder builder;

	if (!world_exists())
		return;
	if (description.sent && !description.op.done) /* of another name, a moment ago */
		cap_await_uninterruptible(&description.op);
	msg_builder_init(&builder, description.message, sizeof(description.message));
	if (process_member_describe_params_write(&builder, params))
		return;
	sqe.send_len = msg_builder_length(&builder);
	description.op = (struct cap_op){.done = false};
	description.sent = !cap_submit(&sqe, &description.op);
}

/* The arguments, which the System V ABI puts below the auxiliary vector: argc, argv, NULL, the
 * environment, NULL.  NULL: they are not where they were. */
static char *const *own_arguments(void)
{
	const uintptr_t *at = (const uintptr_t *)__capos_auxv();
	uintptr_t n = 0;

	if (!at)
		return NULL;
	at -= 2; /* past the NULL behind the environment */
	while (*at)
		at--;
	for (at--; *at != n && n < COMMAND_MAX; n++)
		at--;
	return *at == n ? (char *const *)(at + 1) : NULL;
}

/* Whether the arguments are those with which init and execve start a dynamic program: LINKER
 * --argv0 NAME -- PATH ARG...  A linker that is started by hand is called by its own path. */
static bool is_linked(char *const *args, const char *called)
{
	return args[0] && args[1] && args[2] && args[3] && args[4] && strcmp(args[0], called) &&
	       !strcmp(args[1], "--argv0") && !strcmp(args[3], "--");
}

static size_t append(char *command, size_t length, const char *arg)
{
	size_t part = strlen(arg) + 1;

	if (part > COMMAND_MAX - length)
		part = COMMAND_MAX - length;
	memcpy(command + length, arg, part);
	return length + part;
}

void world_describe_image(void)
{
	static char command[COMMAND_MAX];
	char *const *args = own_arguments();
	struct process_member_describe_params params = {.executed = true};
	const char *called = NULL;
	size_t length = 0;

	for (const size_t *aux = __capos_auxv(); aux && aux[0]; aux += 2) {
		if (aux[0] == AT_EXECFN)
			called = (const char *)aux[1];
	}
	if (!called || !*called)
		called = args && *args ? *args : "";
	if (args && is_linked(args, called)) {
		length = append(command, length, args[2]);
		args += 5;
	}
	for (; args && *args && length < sizeof(command); args++)
		length = append(command, length, *args);
	params.name = MSG_TEXT(strrchr(called, '/') ? strrchr(called, '/') + 1 : called);
	params.command = MSG_DATA(command, (uint32_t)length);
	describe(&params);
}

void world_describe_name(const char *name)
{
	const struct process_member_describe_params params = {.name = MSG_TEXT(name)};

	describe(&params);
}

/* ---- Limits ---- */

static long ask_limit(uint32_t number, uint32_t resource, struct rlimit *out)
{
	const struct process_member_get_limit_params params = {.number = number,
	                                                       .resource = resource};
	struct process_member_get_limit_results results;
	int result;

	do {
		result = process_member_get_limit(self.member, &params, &results, NULL);
	} while (world_again(result));
	if (!result)
		*out = (struct rlimit){.rlim_cur = results.soft, .rlim_max = results.hard};
	return world_errno(result, -ESRCH);
}

long world_get_limit(uint32_t number, uint32_t resource, struct rlimit *out)
{
	return world_exists() ? ask_limit(number, resource, out) : -EPERM;
}

long world_set_limit(uint32_t number, uint32_t resource, const struct rlimit *limit)
{
	const struct process_member_set_limit_params params = {.number = number,
	                                                       .resource = resource,
	                                                       .soft = limit->rlim_cur,
	                                                       .hard = limit->rlim_max};
	int result;

	if (!world_exists())
		return -EPERM;
	do {
		result = process_member_set_limit(self.member, &params, NULL);
	} while (world_again(result));
	return world_errno(result, -ESRCH);
}

/* ---- exec ---- */

void world_save(struct world_state *state)
{
	*state = self;
}

void world_restore(const struct world_state *state)
{
	self = *state;
	process_set_id(self.number);
}
