/* SPDX-License-Identifier: MIT */
/*
 * What every kernel object that a capability can name begins with: its count of references and its
 * kind.  The code that drops the last
 * reference calls the kind's function for that, exactly once.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_OBJECT_HEADER_H
#define KERNEL_OBJECT_HEADER_H

#include <stdbool.h>
#include <stdint.h>
#include "kernel.h"

/* The kinds, numbered as CapabilityEntry.Kind of schema/kernel.capnp. */
enum cap_kind {
	KIND_NONE,
	KIND_PROCESS,
	KIND_SPAWNER,
	KIND_MEMORY,
	KIND_EVENT,
	KIND_ENDPOINT,
	KIND_OBJECT,
	KIND_TIMER,
	KIND_ENTROPY,
	KIND_LOG,
	KIND_POWER,
	KIND_SYSTEM_STATUS,
	KIND_DEVICE_MANAGER,
	KIND_DEVICE_MMIO,
	KIND_INTERRUPT,
	KIND_DMA_POOL,
	KIND_CODE_MAKER,
	KIND_ACCOUNT,
	KIND_LABELLER,
	KIND_COUNT,
};

struct object_header {
	uint32_t refs;
	uint8_t kind; /* enum cap_kind; of a device, which three kinds name, KIND_DEVICE_MMIO */
};

/* A header's address is its object's.  Beside the definition of each type. */
#define ASSERT_HEADER_FIRST(type)                                                     \
	_Static_assert(offsetof(type, header) == 0, #type " begins with its header"); \
	_Static_assert(KIND_COUNT <= UINT8_MAX, "a kind fits the header")

static inline void header_get(struct object_header *h)
{
	assert(h->refs > 0 && h->refs < UINT32_MAX);
	h->refs++;
}

/* True: that was the last reference, and the caller ends the object. */
static inline bool header_put(struct object_header *h)
{
	assert(h->refs > 0);
	return --h->refs == 0;
}

/* The object of that kind which begins with the header. */
static inline void *header_object(struct object_header *h, enum cap_kind kind)
{
	assert(h && h->kind == kind);
	return h;
}

/* Defines NAME_of(header), the struct NAME that begins with the header, after a check of the kind,
 * and NAME_header(object), for types whose definition is private. */
#define DEFINE_HEADER_ACCESS(name, of_kind)                                \
	static inline struct name *name##_of(struct object_header *header) \
	{                                                                  \
		return (struct name *)header_object(header, of_kind);      \
	}                                                                  \
	static inline struct object_header *name##_header(struct name *o)  \
	{                                                                  \
		return (struct object_header *)o;                          \
	}

#endif
