/* SPDX-License-Identifier: MIT */
/*
 * The methods of MemoryObject.  An object of a device is only mapped; only data that may change its
 * size is stored to here.
 */
#include "object/kcall.h"
#include "kernel.h"
#include "memory/memobj.h"
#include "process/process.h"
#include "process/thread.h"

static int memory_size(void *object, struct msg_call *msg,
                       struct memory_object_size_results *results)
{
	(void)msg;
	results->size = ((struct memobj *)object)->size;
	return CAP_OK;
}

static int memory_slice(void *object, struct msg_call *msg,
                        const struct memory_object_slice_params *params,
                        struct memory_object_slice_results *results)
{
	struct memobj *m = object;
	struct kcall *call = kcall_of(msg);
	if (m->kind != MEMOBJ_ANON)
		return CAP_ETYPE;
	if (!memobj_range_valid(params->offset, params->size))
		return CAP_EINVAL;
	struct slice_request what = {.from = m,
	                             .offset = params->offset,
	                             .size = params->size,
	                             .account = call->caller->process->account};
	int error = kcall_slice(call, &what);
	if (error)
		return error;
	bool code = (call->rights & CAP_RIGHT_EXEC) != 0;
	if (code)
		memobj_make_code(what.copy);
	results->memory_index = kcall_give(call, KIND_MEMORY, &what.copy->header,
	                                   code ? MEMORY_CODE_RIGHTS : MEMORY_DATA_RIGHTS);
	return CAP_OK;
}

static int memory_resize(void *object, struct msg_call *msg,
                         const struct memory_object_resize_params *params)
{
	struct memobj *m = object;
	(void)msg;
	if (m->kind != MEMOBJ_ANON || m->committed)
		return CAP_ETYPE;
	if (params->size > CAPOS_USER_MAX)
		return CAP_EINVAL;
	return memobj_resize_some(m, params->size);
}

static int memory_set_limit(void *object, struct msg_call *msg,
                            const struct memory_object_set_limit_params *params)
{
	struct memobj *m = object;
	(void)msg;
	if (m->kind != MEMOBJ_ANON || m->code || m->committed)
		return CAP_ETYPE;
	if (params->size > CAPOS_USER_MAX)
		return CAP_EINVAL;
	m->limit = params->size;
	return CAP_OK;
}

/* The pages of a range; false: it is malformed, or of an object whose pages do not come and go. */
static bool page_range(const struct memobj *m, uint64_t offset, uint64_t length)
{
	return m->kind == MEMOBJ_ANON && !m->code && !m->committed && offset <= m->size &&
	       length <= m->size - offset;
}

static int memory_prepare(void *object, struct msg_call *msg,
                          const struct memory_object_prepare_params *params)
{
	struct memobj *m = object;
	uint64_t *done = &kcall_of(msg)->caller->progress[0];
	if (!page_range(m, params->offset, params->length))
		return CAP_EINVAL;
	uint64_t first = params->offset / PAGE_SIZE;
	uint64_t end = (params->offset + params->length + PAGE_SIZE - 1) / PAGE_SIZE;
	for (; first + *done < end; ++*done) {
		if (steps_over())
			return OP_AGAIN;
		if (memobj_fill(m, first + *done) == PADDR_NONE)
			return CAP_ENOMEM;
		steps_spend(STEPS_PAGE_COPY);
	}
	return CAP_OK;
}

static int memory_discard(void *object, struct msg_call *msg,
                          const struct memory_object_discard_params *params)
{
	struct memobj *m = object;
	uint64_t *done = &kcall_of(msg)->caller->progress[0];
	if (!page_range(m, params->offset, params->length) || m->backing)
		return m->backing ? CAP_ETYPE : CAP_EINVAL;
	uint64_t first = (params->offset + PAGE_SIZE - 1) / PAGE_SIZE;
	uint64_t end = (params->offset + params->length) / PAGE_SIZE;
	if (first + *done < end)
		*done = memobj_discard_some(m, first + *done, end) - first;
	return first + *done < end ? OP_AGAIN : CAP_OK;
}

static int memory_status(void *object, struct msg_call *msg,
                         struct memory_object_status_results *results)
{
	const struct memobj *m = object;
	(void)msg;
	*results = (struct memory_object_status_results){.size = m->size,
	                                                 .pages = m->present,
	                                                 .changed_ns = m->changed_ns,
	                                                 .loaded_ns = m->loaded_ns,
	                                                 .mappings = m->nstoring};
	return CAP_OK;
}

static int memory_show_size(void *object, struct msg_call *msg,
                            struct memory_object_show_size_results *results)
{
	struct memobj *m = object;
	struct kcall *call = kcall_of(msg);
	if (m->kind != MEMOBJ_ANON || m->code || m->committed)
		return CAP_ETYPE;
	if (!memobj_show_size(m, call->caller->process->account))
		return CAP_ENOMEM;
	memobj_get(m->shown_size);
	results->memory_index = kcall_give(call, KIND_MEMORY, &m->shown_size->header,
	                                   CAP_RIGHT_READ | CAP_RIGHT_COPY);
	return CAP_OK;
}

static int memory_mark(void *object, struct msg_call *msg,
                       const struct memory_object_mark_params *params)
{
	(void)msg;
	memobj_mark(object, params->marked);
	return CAP_OK;
}

int memory_call(struct object_header *header, struct msg_call *msg)
{
	static const struct memory_object_ops ops = {
	        .size = memory_size,
	        .slice = memory_slice,
	        .resize = memory_resize,
	        .set_limit = memory_set_limit,
	        .status = memory_status,
	        .prepare = memory_prepare,
	        .discard = memory_discard,
	        .show_size = memory_show_size,
	        .mark = memory_mark,
	};
	return memory_object_dispatch(&ops, memobj_of(header), msg);
}
