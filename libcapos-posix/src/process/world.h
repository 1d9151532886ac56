/* SPDX-License-Identifier: MIT */
/*
 * This process as a member of its world (schema/process.capnp): what the process room asks the
 * process service.  A service that ends takes all that it knew with it; the member then enrols
 * again under its number, and has no children that it could wait for.
 */
#ifndef POSIX_WORLD_H
#define POSIX_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/abi.h>
#include <capos/cap.h>

/* Without a world the process is alone. */
bool world_exists(void);

/* ---- Calls ---- */

/* Messages that are short: all but those of lists and arguments. */
#define WORLD_MESSAGE 256u
/* The member's capability; CAP_NULL: there is none. */
cap_t world_member(void);
/* After a call with this result: true: the service had ended, the process is a member again, and
 * the call may be made once more. */
bool world_again(int result);
/* A call's result as -errno; missing: of a number that names no process. */
long world_errno(int result, long missing);

struct cap_identity;
/* Whose another process is; number 0: this one.  0 or -errno. */
long world_users(uint32_t number, struct cap_identity *out);

/* ---- fork ---- */

struct world_birth {
	uint64_t number;
	cap_t life; /* ProcessBirth */
};
/* 0 or -errno. */
long world_prepare(struct world_birth *birth);
void world_abandon(const struct world_birth *birth);
/* In the parent, once the child runs. */
void world_made(const struct world_birth *birth);
/* In the child. */
void world_join(const struct world_birth *birth, cap_t signals);

/* ---- Limits ---- */

struct rlimit;
/* number 0: this process.  0 or -errno. */
long world_get_limit(uint32_t number, uint32_t resource, struct rlimit *out);
long world_set_limit(uint32_t number, uint32_t resource, const struct rlimit *limit);

/* ---- exec ---- */
struct world_state {
	cap_t world, member;
	cap_t ends; /* the memory of their words; CAP_NULL: not asked for yet */
	uint64_t number;
	uint32_t forgets, no_stops;
};
void world_save(struct world_state *state);
void world_restore(const struct world_state *state);

#endif
