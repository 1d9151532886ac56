/* SPDX-License-Identifier: MIT */
/*
 * Resource limits of a member: its soft limit is never above its hard one.  The service enforces
 * those on processes and processor time; the others the library of the process itself, which can
 * harm only itself by not doing so: what it may draw at all is its account's.
 */
#include "world.h"

#include <capos/schema/status.h>

/* As the library has them: entries of a process's descriptor table, bytes of its stack. */
#define DESCRIPTORS 1024u
#define STACK_BYTES (8u << 20)

/* Numbers of Linux. */
enum { LIMIT_STACK = 3, LIMIT_CORE = 4, LIMIT_FILES = 7, LIMIT_SIGNALS = 11 };

void world_first_limits(struct member *m)
{
	for (uint32_t i = 0; i < WORLD_LIMITS; i++)
		m->limits[i] = (struct limit){WORLD_NO_LIMIT, WORLD_NO_LIMIT};
	m->limits[LIMIT_STACK] = (struct limit){STACK_BYTES, WORLD_NO_LIMIT};
	m->limits[LIMIT_CORE] = (struct limit){0, 0}; /* no core is ever written */
	m->limits[WORLD_LIMIT_NICE] = m->limits[WORLD_LIMIT_REALTIME] = (struct limit){0, 0};
	m->limits[LIMIT_FILES] = (struct limit){DESCRIPTORS, DESCRIPTORS};
	m->limits[WORLD_LIMIT_PROCESSES] = (struct limit){WORLD_MEMBERS_MAX, WORLD_MEMBERS_MAX};
	m->limits[LIMIT_SIGNALS] = (struct limit){WORLD_QUEUE_MAX, WORLD_QUEUE_MAX};
}

int world_set_limit(struct member *m, uint32_t resource, const struct limit *wanted)
{
	if (resource >= WORLD_LIMITS || wanted->soft > wanted->hard)
		return STATUS_INVALID_ARGUMENT;
	if (wanted->hard > m->limits[resource].hard)
		return STATUS_NOT_PERMITTED;
	m->limits[resource] = *wanted;
	if (resource == WORLD_LIMIT_CPU && wanted->soft != WORLD_NO_LIMIT)
		m->world->cpu_limits = true;
	return STATUS_OK;
}
