/* SPDX-License-Identifier: MIT */
/*
 * The method of EntropySource.  What it gives out stays in no memory of the kernel's.
 */
#include "entropy.h"
#include "object/kcall.h"
#include "work.h"

/* Of one call: a block of 64 bytes takes some microseconds. */
#define READ_MAX    1024u
#define STEPS_BLOCK 70u

static int read(void *object, struct msg_call *msg, const struct entropy_source_read_params *params,
                struct entropy_source_read_results *results)
{
	struct cpu *cpu = this_cpu();
	(void)object;
	(void)msg;
	if (params->length > READ_MAX)
		return CAP_EINVAL;
	entropy_read(cpu->data, params->length);
	steps_spend(params->length / 64 * STEPS_BLOCK);
	results->data = MSG_DATA(cpu->data, params->length);
	return CAP_OK;
}

int entropy_call(struct object_header *object, struct msg_call *msg)
{
	static const struct entropy_source_ops ops = {.read = read};
	int result = entropy_source_dispatch(&ops, object, msg);
	entropy_wipe(this_cpu()->data, sizeof(this_cpu()->data));
	return result;
}
