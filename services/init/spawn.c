/* SPDX-License-Identifier: MIT */
/*
 * Starting processes.  A process is given what its struct given holds, in that order, and nothing
 * else: capabilities made for it alone are moved there, the others copied.
 */
#include <string.h>

#include <capos/log.h>
#include <capos/schema/kernel_client.h>
#include <capos/schema/process.h>
#include <capos/schema/service.h>

#include "init.h"

/* What one spawn message can carry besides the block. */
#define START_BLOCK_MAX (CAPOS_KERNEL_MESSAGE_MAX - 256)

/* The account and the image go with them. */
#define GIVEN_MAX (CAPOS_MESSAGE_CAPS_MAX - 2)

int given_add(struct given *given, const char *name, uint64_t interface, cap_t cap, uint32_t rights,
              bool move)
{
	if (given->n == GIVEN_MAX) {
		if (move)
			cap_release(cap);
		return CAP_ENOSLOT;
	}
	given->caps[given->n] =
	        (struct start_cap){.name = name, .interface = interface, .id = CAP_GIVEN(given->n)};
	given->send[given->n] = (struct capos_send_cap){
	        .cap = cap, .rights = rights, .flags = move ? CAPOS_SEND_MOVE : 0};
	given->n++;
	return CAP_OK;
}

void given_drop(struct given *given)
{
	for (uint32_t i = 0; i < given->n; i++)
		if (given->send[i].flags & CAPOS_SEND_MOVE)
			cap_release(given->send[i].cap);
	given->n = 0;
}

int given_add_export(struct given *given, const char *name, uint32_t service, uint32_t export)
{
	const struct plan_export *e = &init.plan.services[service].exports[export];
	cap_t object;
	int result;

	if (e->interface == DIRECTORY_INTERFACE && given->session != CAP_NULL)
		return given_add(given, name, e->interface, given->session, CAP_RIGHTS_ALL, false);
	if (e->interface == PROCESS_WORLD_INTERFACE && given->world != CAP_NULL)
		return given_add(given, name, e->interface, given->world, CAP_RIGHTS_ALL, false);
	result = cap_mint(init.services[service].endpoint, e->interface, e->word, &object);
	return result ? result : given_add(given, name, e->interface, object, CAP_RIGHTS_ALL, true);
}

/* A timer holds one setting, so each holder gets a timer of its own. */
static int add_timer(struct given *given, const char *name)
{
	struct capos_call call = INIT_CALL();
	struct timer_create_results results;
	int result = timer_create(INIT_CAP(TIMER), &results, &call);

	if (result)
		return result;
	if (results.timer_index >= call.ncaps)
		return CAP_EMESSAGE;
	return given_add(given, name, TIMER_INTERFACE, call.caps[results.timer_index],
	                 CAP_RIGHTS_ALL, true);
}

/* The names under which the holder finds a device's three capabilities; they live until it is
 * started. */
struct device_names {
	char mmio[48], interrupt[48], dma[48];
};

static int add_device(struct given *given, const struct plan_holding *h)
{
	static struct device_names names[PLAN_HOLDINGS_MAX];
	static uint32_t next; /* no process is given more devices than that */
	struct device_names *n = &names[next++ % PLAN_HOLDINGS_MAX];
	struct capos_call call = INIT_CALL();
	struct device_manager_open_params params = {.address = h->device.address,
	                                            .dma_limit_pages = h->device.dma_limit_pages};
	struct device_manager_open_results r;
	int result = device_manager_open(INIT_CAP(DEVICES), &params, &r, &call);

	if (result)
		return result;
	if (call.ncaps != 3 || r.mmio_index > 2 || r.interrupt_index > 2 || r.dma_index > 2)
		return CAP_EMESSAGE;
	fmt_snprintf(n->mmio, sizeof(n->mmio), "%s.mmio", h->name);
	fmt_snprintf(n->interrupt, sizeof(n->interrupt), "%s.interrupt", h->name);
	fmt_snprintf(n->dma, sizeof(n->dma), "%s.dma", h->name);
	result = given_add(given, n->mmio, DEVICE_MMIO_INTERFACE, call.caps[r.mmio_index],
	                   CAP_RIGHTS_ALL, true);
	if (!result)
		result = given_add(given, n->interrupt, INTERRUPT_INTERFACE,
		                   call.caps[r.interrupt_index], CAP_RIGHTS_ALL, true);
	if (!result)
		result = given_add(given, n->dma, DMA_POOL_INTERFACE, call.caps[r.dma_index],
		                   CAP_RIGHTS_ALL, true);
	return result;
}

/* A program with a terminal has that in place of the console's streams: what is typed can have one
 * reader. */
static bool is_replaced(const struct given *given, const struct plan_holding *h)
{
	return given->terminal && h->source == HOLDING_SERVICE &&
	       init.plan.services[h->service].exports[h->export].interface == BYTE_STREAM_INTERFACE;
}

static int add_kernel(struct given *given, const struct plan_holding *h)
{
	uint32_t rights = CAP_RIGHTS_ALL;

	if (h->kernel == PLAN_KERNEL_TIMER)
		return add_timer(given, h->name);
	if (h->kernel == PLAN_KERNEL_BOOT)
		rights = CAP_RIGHT_READ | CAP_RIGHT_EXEC | CAP_RIGHT_CALL | CAP_RIGHT_COPY;
	return given_add(given, h->name, plan_kernel_interface(h->kernel), CAP_GIVEN(h->kernel),
	                 rights, false);
}

int given_add_holdings(struct given *given, const struct plan_holding *holdings, uint32_t n)
{
	int result = CAP_OK;

	for (uint32_t i = 0; i < n && !result; i++) {
		const struct plan_holding *h = &holdings[i];

		/* What is not there, or has ended for good, is not given. */
		if (h->missing || is_replaced(given, h) ||
		    ((h->source == HOLDING_SERVICE || h->source == HOLDING_PROCESS) &&
		     init.services[h->service].endpoint == CAP_NULL))
			continue;
		switch (h->source) {
		case HOLDING_KERNEL:
			result = add_kernel(given, h);
			break;
		case HOLDING_SERVICE:
			result = given_add_export(given, h->name, h->service, h->export);
			break;
		case HOLDING_DEVICE:
			result = add_device(given, h);
			break;
		case HOLDING_PROCESS:
			result = given_add(given, h->name, PROCESS_INTERFACE,
			                   init.services[h->service].process.process,
			                   CAP_RIGHT_KILL | CAP_RIGHT_WATCH | CAP_RIGHT_CALL |
			                           CAP_RIGHT_COPY,
			                   false);
			break;
		}
	}
	return result;
}

/* A MemoryObject with the file's pages, shared with the archive until they are written. */
static int slice_image(const struct archive_file *file, cap_t *out)
{
	struct capos_call call = INIT_CALL();
	struct memory_object_slice_params params = {.offset = file->offset, .size = file->size};
	struct memory_object_slice_results results;
	int result = memory_object_slice(INIT_CAP(BOOT), &params, &results, &call);

	if (result)
		return result;
	if (results.memory_index >= call.ncaps)
		return CAP_EMESSAGE;
	*out = call.caps[results.memory_index];
	return CAP_OK;
}

static int read_random(void *out, uint32_t length)
{
	struct capos_call call = INIT_CALL();
	struct entropy_source_read_params params = {.length = length};
	struct entropy_source_read_results results;
	int result = entropy_source_read(INIT_CAP(ENTROPY), &params, &results, &call);

	if (result)
		return result;
	if (results.data.len != length)
		return CAP_EMESSAGE;
	memcpy(out, results.data.ptr, length);
	return CAP_OK;
}

static int call_spawner(const struct spawn *what, const struct start_place *place,
                        struct given *given, const void *block, uint32_t length, cap_t *process)
{
	struct capos_call call = INIT_CALL();
	struct process_spawner_spawn_params params = {
	        .name = MSG_TEXT(what->name),
	        .in_account = what->account != CAP_NULL,
	        .load_bias = place->load_bias,
	        .stack_top = place->stack_top,
	        .start_block = MSG_DATA(block, length),
	        .memory_limit_pages = what->memory_limit_pages,
	        .service = what->service,
	};
	struct process_spawner_spawn_results results;
	uint32_t n = given->n;
	cap_t image;
	int result = slice_image(what->image, &image);

	if (result)
		return result;
	if (params.in_account)
		given->send[n++] =
		        (struct capos_send_cap){.cap = what->account, .rights = CAP_RIGHTS_ALL};
	params.image_index = (uint16_t)n;
	given->send[n++] = (struct capos_send_cap){.cap = image, .rights = CAP_RIGHTS_ALL};
	call.send_caps = given->send;
	call.send_ncaps = n;
	result = process_spawner_spawn(INIT_CAP(SPAWNER), &params, &results, &call);
	cap_release(image);
	if (result)
		return result;
	given->n = 0; /* moved, as far as they were to be */
	if (results.process_index >= call.ncaps)
		return CAP_EMESSAGE;
	*process = call.caps[results.process_index];
	return CAP_OK;
}

int spawn_process(const struct spawn *what, struct given *given, struct init_process *started)
{
	static _Alignas(8) uint8_t block[START_BLOCK_MAX];
	struct start_params params = {.process_name = what->name,
	                              .executed = what->path,
	                              .args = what->args,
	                              .env = what->env,
	                              .caps = given->caps,
	                              .ncaps = given->n};
	struct start_place place;
	uint64_t random[2];
	uint32_t length;
	int result = read_random(random, sizeof(random));

	if (result) {
		given_drop(given);
		return result;
	}
	start_choose_place(what->image->data, what->image->size, random, &place);
	params.stack_top = place.stack_top;
	result = start_image_facts(what->image->data, what->image->size, place.load_bias,
	                           &params.image);
	if (!result)
		result = read_random(params.random, sizeof(params.random));
	if (!result)
		result = start_block_build(&params, block, sizeof(block), &length);
	if (!result)
		result = call_spawner(what, &place, given, block, length, &started->process);
	given_drop(given);
	if (result)
		return result;
	started->name = what->name;
	return init_call_submit_empty(&started->wait, started->process, PROCESS_INTERFACE,
	                              PROCESS_WAIT);
}

void process_ended(struct init_process *p, uint32_t *status, char *reason, uint32_t size)
{
	struct msg_reader reader;
	struct process_wait_results results = {.reason = MSG_TEXT("")};

	*status = 0;
	msg_reader_init(&reader, p->wait.buffer, p->wait.op.cqe.length);
	if (p->wait.op.cqe.result)
		fmt_snprintf(reason, size, "%s", cap_error_text(p->wait.op.cqe.result));
	else if (process_wait_results_read(&reader, &results))
		fmt_snprintf(reason, size, "unreadable report of its end");
	else
		fmt_snprintf(reason, size, "%s", results.reason.ptr);
	if (!p->wait.op.cqe.result)
		*status = results.status;
	cap_release(p->process);
	p->process = CAP_NULL;
	p->name = NULL;
}
