/* SPDX-License-Identifier: MIT */
/*
 * System V objects of a world: what a call that gave up changes (nothing), what a member's end
 * undoes, when; and that whatever is done in any order, values and counts stay right and all memory
 * comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <capos/schema/process.h>
#include <capos/schema/status.h>

#include "services/process/world.h"

/* ---- The outside ---- */

static unsigned pages, pages_max, memories;
static bool deliver;
static unsigned replies, ends_told, replies_before_end;
static int reply_status;
static uint64_t reply_token;
static struct world world;

static void *get_page(void *context)
{
	(void)context;
	if (pages >= pages_max)
		return NULL;
	pages++;
	return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
}

static void put_page(void *context, void *page)
{
	(void)context;
	pages--;
	free(page);
}

static void of_member(struct member *m)
{
	(void)m;
}

static void notify(struct member *m, uint64_t bits)
{
	(void)m, (void)bits;
}

static bool answer(const struct waiter *w, int status, const struct member *child,
                   const struct signal_note *report)
{
	(void)w, (void)status, (void)child, (void)report;
	ends_told++;
	replies_before_end = replies;
	return true;
}

static bool reply(const struct sysv_waiter *w, int status, const struct sysv_message *message)
{
	assert_true(!message || message->size <= SYSV_MESSAGE_MAX);
	replies++;
	reply_status = status;
	reply_token = w->token;
	return deliver;
}

static int make_memory(struct world *of, uint64_t size, uint64_t *memory)
{
	(void)of;
	assert_true(size > 0);
	if (pages >= pages_max)
		return STATUS_NO_MEMORY;
	*memory = 1;
	memories++;
	return STATUS_OK;
}

static void drop_memory(uint64_t memory)
{
	assert_int_equal(memory, 1);
	memories--;
}

static int64_t seconds(void)
{
	return 7;
}

static const struct world_ops ops = {.notify = notify,
                                     .kill = of_member,
                                     .answer = answer,
                                     .resume = of_member,
                                     .forget = of_member,
                                     .reply = reply,
                                     .make_memory = make_memory,
                                     .drop_memory = drop_memory,
                                     .seconds = seconds};
static struct page_source source = {.get = get_page, .put = put_page};
static struct slab slab;

static int start(void **state)
{
	(void)state;
	pages = memories = replies = ends_told = replies_before_end = 0;
	pages_max = UINT32_MAX;
	deliver = true;
	slab_init(&slab, &source);
	assert_int_equal(world_open(&world, &ops, &slab), STATUS_OK);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	world_close(&world);
	assert_int_equal(pages, 0);
	assert_int_equal(memories, 0);
	return 0;
}

static struct member *first(void)
{
	struct member *m;

	assert_int_equal(world_enroll(&world, 0, &m), STATUS_OK);
	return m;
}

static struct member *child_of(struct member *parent)
{
	struct member *m;

	assert_int_equal(world_prepare(parent, &m), STATUS_OK);
	world_joined(m);
	return m;
}

static struct sysv_object *make(struct member *m, enum sysv_kind kind, uint64_t size)
{
	struct sysv_object *o;

	assert_int_equal(sysv_get(m, kind, SYSV_KEY_NONE, size, 0600, &o), STATUS_OK);
	return o;
}

static int operate(struct member *m, const struct sysv_object *set, int change, unsigned flags,
                   uint64_t token)
{
	const struct sysv_operation o = {
	        .number = 0, .change = (int16_t)change, .flags = (uint16_t)flags};

	return sysv_operate(m, set->id, &o, sizeof(o), token);
}

/* ---- Semaphores ---- */

static void an_operation_that_is_not_delivered_changes_nothing(void **state)
{
	struct member *a = first();
	struct sysv_object *set = make(a, SYSV_SET, 1);
	(void)state;

	deliver = false;
	assert_int_equal(operate(a, set, 5, SYSV_UNDO, 1), STATUS_OK);
	assert_int_equal(set->semaphores[0].value, 0);
	assert_int_equal(a->undos->changes[0], 0);
	deliver = true;
	assert_int_equal(operate(a, set, 5, SYSV_UNDO, 1), STATUS_OK);
	assert_int_equal(set->semaphores[0].value, 5);
	assert_int_equal(a->undos->changes[0], -5);
}

static void what_is_undone_lets_others_go_on_before_the_end_is_told(void **state)
{
	struct member *a = first(), *b = child_of(a);
	struct sysv_object *set = make(a, SYSV_SET, 2);
	const struct waiter w = {.options = WAIT_EXITED, .token = {9}};
	const uint16_t one = 1;
	(void)state;

	assert_int_equal(sysv_assign(a, set, 0, &one, 1), STATUS_OK);
	assert_int_equal(operate(b, set, -1, SYSV_UNDO, 1), STATUS_OK);
	assert_int_equal(operate(a, set, -1, 0, 2), STATUS_OK);
	assert_int_equal(replies, 1);
	assert_int_equal(sysv_waiting(&world, set, 0, false), 1);
	assert_int_equal(world_wait(a, &w), STATUS_OK);
	world_ended(b, 0, 0, 0);
	assert_int_equal(reply_token, 2);
	assert_int_equal(ends_told, 1);
	assert_int_equal(replies_before_end, 2);
	assert_int_equal(set->semaphores[0].value, 0);
}

static void a_member_that_ends_waits_no_more(void **state)
{
	struct member *a = first(), *b = child_of(a);
	struct sysv_object *set = make(a, SYSV_SET, 1);
	(void)state;

	assert_int_equal(operate(b, set, -1, 0, 1), STATUS_OK);
	world_ended(b, 0, 0, 0);
	assert_false(sysv_cancel(&world, 1));
	assert_int_equal(operate(a, set, 1, 0, 2), STATUS_OK);
	assert_int_equal(set->semaphores[0].value, 1);
}

static void a_set_that_goes_ends_its_calls(void **state)
{
	struct member *a = first();
	struct sysv_object *set = make(a, SYSV_SET, 1);
	(void)state;

	assert_int_equal(operate(a, set, 1, SYSV_UNDO, 1), STATUS_OK);
	assert_int_equal(operate(a, set, 0, 0, 2), STATUS_OK);
	sysv_remove(&world, set);
	assert_int_equal(reply_status, STATUS_REMOVED);
	assert_int_equal(reply_token, 2);
	assert_null(a->undos);
}

/* ---- Messages and segments ---- */

static void a_message_stays_until_it_is_delivered(void **state)
{
	struct member *a = first();
	struct sysv_object *queue = make(a, SYSV_QUEUE, 0);
	(void)state;

	assert_int_equal(sysv_send(a, queue->id, 1, "abc", 3, false, 1), STATUS_OK);
	deliver = false;
	assert_int_equal(sysv_receive(a, queue->id, 0, 3, 0, 2), STATUS_OK);
	assert_int_equal(queue->messages, 1);
	deliver = true;
	assert_int_equal(sysv_receive(a, queue->id, 0, 3, 0, 3), STATUS_OK);
	assert_int_equal(queue->messages, 0);
	assert_int_equal(queue->bytes, 0);
}

/* Of what came since it looked last, and in the order that types ask for. */
static void a_receiver_that_waits_looks_at_what_is_new(void **state)
{
	struct member *a = first();
	struct sysv_object *queue = make(a, SYSV_QUEUE, 0);
	(void)state;

	assert_int_equal(sysv_send(a, queue->id, 5, "old", 3, false, 1), STATUS_OK);
	assert_int_equal(sysv_receive(a, queue->id, 7, 3, 0, 2), STATUS_OK);
	assert_int_equal(world.sysv.waiters->seen, 1);
	assert_int_equal(sysv_send(a, queue->id, 6, "no", 2, false, 3), STATUS_OK);
	assert_int_equal(world.sysv.waiters->seen, 2);
	assert_int_equal(sysv_send(a, queue->id, 7, "yes", 3, false, 4), STATUS_OK);
	assert_null(world.sysv.waiters);
	assert_int_equal(queue->messages, 2);
	assert_int_equal(sysv_send(a, queue->id, 5, "newer", 5, false, 5), STATUS_OK);
	assert_int_equal(sysv_receive(a, queue->id, -6, 8, 0, 6), STATUS_OK);
	assert_int_equal(queue->bytes, 7); /* the older one of the lowest type is gone */
	assert_int_equal(sysv_receive(a, queue->id, 0, 8, 0, 7), STATUS_OK);
	assert_int_equal(queue->bytes, 5);
}

static void operations_that_wait_are_bounded(void **state)
{
	static const struct sysv_operation many[SYSV_OPERATIONS_MAX] = {{.change = -1}};
	struct member *a = first();
	struct sysv_object *set = make(a, SYSV_SET, 1);
	int n = 0;
	(void)state;

	while (!sysv_operate(a, set->id, many, sizeof(many), 1 + (uint64_t)n))
		n++;
	assert_int_equal(n, SYSV_WAITING_OPERATIONS_MAX / SYSV_OPERATIONS_MAX);
	assert_true(sysv_cancel(&world, 1));
	assert_int_equal(sysv_operate(a, set->id, many, sizeof(many), 1), STATUS_OK);
}

static void a_child_has_attached_what_its_parent_has(void **state)
{
	struct member *a = first(), *b;
	struct sysv_object *segment = make(a, SYSV_SEGMENT, 1);
	(void)state;

	assert_int_equal(sysv_attach(a, segment), STATUS_OK);
	assert_int_equal(sysv_attach(a, segment), STATUS_OK);
	b = child_of(a);
	assert_int_equal(segment->attached, 4);
	sysv_remove(&world, segment);
	assert_int_equal(world_describe(b, "b", 1, NULL, 0, true), STATUS_OK);
	assert_int_equal(segment->attached, 2);
	assert_int_equal(memories, 1);
	world_ended(a, 0, 0, 0);
	assert_int_equal(memories, 0);
}

static void a_number_is_not_given_again_at_once(void **state)
{
	struct member *a = first();
	struct sysv_object *o = NULL;
	int32_t id;
	(void)state;

	for (uint32_t i = 0; i < SYSV_IDS; i++)
		o = make(a, SYSV_QUEUE, 0);
	id = o->id;
	assert_int_equal(sysv_get(a, SYSV_QUEUE, 5, 0, SYSV_CREATE, &o), STATUS_NO_SPACE);
	sysv_remove(&world, sysv_find(&world, SYSV_QUEUE, id));
	assert_int_equal(sysv_get(a, SYSV_QUEUE, 5, 0, SYSV_CREATE, &o), STATUS_OK);
	assert_int_not_equal(o->id, id);
	assert_null(sysv_find(&world, SYSV_QUEUE, id));
}

/* ---- Anything ---- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static struct member *any_member(void)
{
	struct member *m = world.first;

	for (uint32_t n = draw(world.nmembers); n-- > 0;)
		m = m->after;
	return m;
}

static struct sysv_object *any_object(enum sysv_kind kind)
{
	return sysv_at(&world, kind, draw(4));
}

static void operate_anyhow(struct member *m, const struct sysv_object *set)
{
	struct sysv_operation list[4];
	uint32_t n = 1 + draw(4);

	for (uint32_t i = 0; i < n; i++)
		list[i] = (struct sysv_operation){.number = (uint16_t)draw(4),
		                                  .change = (int16_t)((int)draw(7) - 3),
		                                  .flags = (uint16_t)((draw(3) ? 0 : SYSV_NOWAIT) |
		                                                      (draw(2) ? SYSV_UNDO : 0))};
	(void)sysv_operate(m, set->id, list, n * (uint32_t)sizeof(list[0]), 1 + draw(50));
}

static void step(void)
{
	static const char bytes[SYSV_MESSAGE_MAX];
	const uint16_t value = (uint16_t)draw(5);
	enum sysv_kind kind = (enum sysv_kind)draw(SYSV_KINDS);
	struct sysv_object *o = any_object(kind), *made;
	struct member *m = any_member(), *child;

	deliver = draw(8) != 0;
	switch (m->state == MEMBER_RUNNING ? draw(12) : 11) {
	case 0:
		(void)sysv_get(m, kind, (int32_t)draw(4), 1 + draw(4), SYSV_CREATE, &made);
		return;
	case 1:
		if (o && draw(4) == 0)
			sysv_remove(&world, o);
		return;
	case 2:
		if (!world_prepare(m, &child))
			world_joined(child);
		return;
	case 3:
		if (draw(3) == 0)
			world_ended(m, 0, 0, 0);
		return;
	case 4:
		(void)sysv_cancel(&world, 1 + draw(50));
		return;
	case 5:
		if ((o = any_object(SYSV_SEGMENT)))
			(void)(draw(3) ? sysv_attach(m, o) : sysv_detach(m, o->id));
		return;
	case 6:
		if ((o = any_object(SYSV_SET)))
			(void)sysv_assign(m, o, 0, &value, 1);
		return;
	case 7:
		if ((o = any_object(SYSV_QUEUE)))
			(void)sysv_send(m, o->id, 1 + draw(3), bytes, draw(SYSV_MESSAGE_MAX + 1),
			                draw(2), 1 + draw(50));
		return;
	case 8:
		if ((o = any_object(SYSV_QUEUE)))
			(void)sysv_receive(m, o->id, (int)draw(7) - 3, draw(SYSV_MESSAGE_MAX),
			                   (draw(2) ? SYSV_NOWAIT : 0) |
			                           (draw(2) ? SYSV_NOERROR : 0),
			                   1 + draw(50));
		return;
	case 9:
	case 10:
		if ((o = any_object(SYSV_SET)))
			operate_anyhow(m, o);
		return;
	default:
		if (m->state == MEMBER_ENDED)
			world_forget(m);
	}
}

static void check_object(const struct sysv_object *o)
{
	uint64_t bytes = 0;
	uint32_t held = 0, n = 0;

	for (const struct member *m = world.first; m; m = m->after)
		for (const struct sysv_hold *h = m->holds; h; h = h->next)
			held += h->object == o ? h->times : 0;
	assert_int_equal(held, o->attached);
	for (const struct sysv_message *q = o->first; q; q = q->next, n++) {
		bytes += q->size;
		assert_ptr_equal(q->next ? q->next->before : o->last_message, q);
	}
	assert_int_equal(bytes, o->bytes);
	assert_int_equal(n, o->messages);
	for (uint32_t i = 0; o->semaphores && i < o->size; i++)
		assert_true(o->semaphores[i].value <= SYSV_VALUE_MAX);
}

static void check(void)
{
	uint32_t n = 0;

	for (int kind = 0; kind < SYSV_KINDS; kind++)
		for (uint32_t place = 0; place < SYSV_IDS; place++) {
			const struct sysv_object *o = sysv_at(&world, (enum sysv_kind)kind, place);

			if (o)
				check_object(o);
		}
	for (const struct sysv_waiter *w = world.sysv.waiters; w; w = w->next, n++) {
		assert_ptr_equal(sysv_find(&world, w->object->kind, w->object->id), w->object);
		assert_int_equal(w->member->state, MEMBER_RUNNING);
	}
	assert_int_equal(n, world.sysv.nwaiters);
}

static void anything_in_any_order(void **state)
{
	struct member *m;
	(void)state;

	for (uint32_t round = 1; round < 200; round++) {
		seed = round;
		(void)first();
		pages_max = draw(2) ? UINT32_MAX : pages + 3 + draw(40);
		for (int i = 0; i < 600; i++) {
			step();
			check();
			if (!world.nmembers && world_enroll(&world, 0, &m))
				break;
		}
		world_close(&world);
		assert_int_equal(pages, 0);
		assert_int_equal(memories, 0);
		pages_max = UINT32_MAX;
		assert_int_equal(world_open(&world, &ops, &slab), STATUS_OK);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
	const struct CMUnitTest tests[] = {
	        TEST(an_operation_that_is_not_delivered_changes_nothing),
	        TEST(what_is_undone_lets_others_go_on_before_the_end_is_told),
	        TEST(a_member_that_ends_waits_no_more),
	        TEST(a_set_that_goes_ends_its_calls),
	        TEST(a_message_stays_until_it_is_delivered),
	        TEST(a_receiver_that_waits_looks_at_what_is_new),
	        TEST(operations_that_wait_are_bounded),
	        TEST(a_child_has_attached_what_its_parent_has),
	        TEST(a_number_is_not_given_again_at_once),
	        TEST(anything_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
