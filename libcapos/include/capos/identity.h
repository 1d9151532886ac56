/* SPDX-License-Identifier: MIT */
/*
 * Users and groups of a process, as POSIX and Linux have them: the bytes of its label (Labeller of
 * schema/kernel.capnp), which the process service alone sets.  A process without a label is user 0
 * and group 0.
 *
 * They allow and refuse within what a process was handed: user 0 can do no more than its
 * capabilities.
 */
#ifndef CAPOS_IDENTITY_H
#define CAPOS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capos/abi.h>

#define CAP_GROUPS_MAX 32u /* supplementary; musl's NGROUPS_MAX */

struct cap_ids {
	uint32_t real, effective, saved;
};

struct cap_identity {
	/* For access to files: the first bytes, which come with each call. */
	uint32_t file_user, file_group;
	struct cap_ids user, group;
	uint32_t ngroups;
	uint32_t groups[CAP_GROUPS_MAX];
};
_Static_assert(sizeof(struct cap_identity) <= CAPOS_LABEL_MAX, "it fits a label");
_Static_assert(offsetof(struct cap_identity, user) == sizeof(uint64_t), "what comes with a call");

/* Of a server_call.caller_label. */
static inline uint32_t cap_label_user(uint64_t label)
{
	return (uint32_t)label;
}

static inline uint32_t cap_label_group(uint64_t label)
{
	return (uint32_t)(label >> 32);
}

/* Of bytes that came in a message; false: they are none. */
bool cap_identity_read(struct cap_identity *out, const void *bytes, size_t length);
static inline size_t cap_identity_size(const struct cap_identity *identity)
{
	return offsetof(struct cap_identity, groups) + identity->ngroups * sizeof(uint32_t);
}

/* By a Labeller, of a Process.  CAP_OK, or what the kernel says. */
int cap_identity_set(cap_t labeller, cap_t process, const struct cap_identity *identity);
/* id: of the process, as server_call.caller has it. */
int cap_identity_get(cap_t labeller, cap_t process, struct cap_identity *out, uint64_t *id);
/* How far it may raise its threads, as Labeller.bound has it. */
int cap_identity_bound(cap_t labeller, cap_t process, uint16_t priority, int32_t nice);
/* Whether it is a supplementary group of the process that made this call, which the calling server
 * has not answered. */
bool cap_caller_in_group(uint64_t call_id, uint32_t group);

#endif
