/* SPDX-License-Identifier: MIT */
/*
 * A world of processes: numbers, parents and orphans, waiting, groups and sessions, signals and
 * what becomes of them, stops, limits; and that whatever is done in it, all memory comes back.
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

#define KILLED(signal) ((uint32_t)(signal) << 8)

/* ---- The outside ---- */

static unsigned pages, pages_max;
static uint64_t notified[64]; /* by number */
static unsigned kills, resumes;
static bool deliver;

static struct {
	unsigned n;
	int status;
	uint32_t number;
	struct signal_note note;
	uint64_t token;
} answered;

static void *get_page(void *context)
{
	(void)context;
	if (pages == pages_max)
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

static void notify(struct member *m, uint64_t bits)
{
	notified[m->number % 64] |= bits;
}

static void kill_member(struct member *m)
{
	(void)m;
	kills++;
}

static bool answer(const struct waiter *w, int status, const struct member *child,
                   const struct signal_note *report)
{
	answered.n++;
	answered.status = status;
	answered.token = w->token[0];
	answered.number = child ? child->number : 0;
	if (report)
		answered.note = *report;
	return deliver;
}

static void resume(struct member *m)
{
	(void)m;
	resumes++;
}

static void forget(struct member *m)
{
	(void)m;
}

static const struct world_ops ops = {.notify = notify,
                                     .kill = kill_member,
                                     .answer = answer,
                                     .resume = resume,
                                     .forget = forget};
static struct page_source source = {.get = get_page, .put = put_page};
static struct slab slab;
static struct world world;

static int start(void **state)
{
	(void)state;
	pages = kills = resumes = 0;
	pages_max = UINT32_MAX;
	deliver = true;
	memset(notified, 0, sizeof(notified));
	memset(&answered, 0, sizeof(answered));
	slab_init(&slab, &source);
	assert_int_equal(world_open(&world, &ops, &slab), STATUS_OK);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	world_close(&world);
	assert_int_equal(pages, 0);
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

static void wait_any(struct member *m, uint32_t options, uint64_t token)
{
	const struct waiter w = {.options = options, .token = {token}};

	answered.n = 0;
	assert_int_equal(world_wait(m, &w), STATUS_OK);
}

static int send(struct member *from, int64_t target, uint32_t signal)
{
	return world_kill(from, target,
	                  &(struct signal_note){.signal = signal, .number = from->number});
}

/* ---- Numbers and parents ---- */

static void numbers_begin_at_two_and_come_late(void **state)
{
	struct member *a = first(), *b = child_of(a);
	(void)state;

	assert_int_equal(a->number, 2);
	assert_int_equal(b->number, 3);
	assert_ptr_equal(b->parent, a);
	world_ended(b, 0, 0, 0);
	wait_any(a, WAIT_EXITED, 1);
	assert_null(world_find(&world, 3));
	assert_int_equal(child_of(a)->number, 4);
	world.last_number = WORLD_NUMBER_MAX;
	assert_int_equal(child_of(a)->number, 3); /* 2 and 4 are there */
	assert_int_equal(child_of(a)->number, 5);
}

static void a_group_keeps_its_number_in_use(void **state)
{
	struct member *a = first(), *leader = child_of(a), *other = child_of(a);
	(void)state;

	assert_int_equal(world_set_group(leader, 0, 0), STATUS_OK);
	assert_int_equal(world_set_group(other, 0, leader->number), STATUS_OK);
	world_ended(leader, 0, 0, 0);
	wait_any(a, WAIT_EXITED, 1);
	world.last_number = WORLD_NUMBER_MAX;
	assert_int_equal(child_of(a)->number, 5);
}

static void a_number_is_given_again_after_a_restart(void **state)
{
	struct member *m;
	(void)state;

	assert_int_equal(world_enroll(&world, 17, &m), STATUS_OK);
	assert_int_equal(m->number, 17);
	assert_int_equal(world_enroll(&world, 17, &m), STATUS_OK);
	assert_int_equal(m->number, 18);
	assert_int_equal(world_enroll(&world, UINT32_MAX, &m), STATUS_OK);
	assert_int_equal(m->number, 19);
	assert_int_equal(world_enroll(&world, 5, &m), STATUS_OK);
	assert_int_equal(m->number, 5); /* an older process that comes back after younger ones */
}

static void orphans_are_the_worlds(void **state)
{
	struct member *a = first(), *b = child_of(a), *c = child_of(b), *zombie = child_of(b);
	uint32_t number = zombie->number;
	(void)state;

	world_ended(zombie, 0, 0, 0);
	assert_non_null(world_find(&world, number));
	world_ended(b, 0, 0, 0);
	assert_null(world_find(&world, number));
	assert_null(c->parent);
	number = c->number;
	world_ended(c, 0, 0, 0);
	assert_null(world_find(&world, number));
}

static void orphans_go_to_who_reaps(void **state)
{
	struct member *a = first(), *b = child_of(a), *c = child_of(b), *d = child_of(c), *zombie;
	(void)state;

	a->reaps = true;
	assert_false(child_of(a)->reaps); /* it is not inherited */
	zombie = child_of(c);
	world_ended(zombie, 7, 0, 0);
	world_ended(c, 0, 0, 0); /* its parent b does not reap */
	assert_true(d->parent == a && zombie->parent == a);
	assert_true(notified[2] & WORLD_SIGNAL_BIT(WORLD_SIGCHLD));
	wait_any(a, WAIT_EXITED | WAIT_NO_HANG, 1);
	assert_true(answered.number == zombie->number && answered.note.status == 7);
	b->reaps = true;
	world_ended(b, 0, 0, 0); /* it reaps no more */
	world_ended(d, 0, 0, 0);
	assert_true(d->parent == a);
}

/* ---- Waiting ---- */

static void an_end_is_told_once(void **state)
{
	struct member *a = first(), *b = child_of(a);
	(void)state;

	wait_any(a, WAIT_EXITED | WAIT_NO_HANG, 1);
	assert_true(answered.n == 1 && answered.number == 0 && !answered.status);
	wait_any(a, WAIT_EXITED, 2);
	assert_int_equal(answered.n, 0);
	world_ended(b, 7, 5, 0);
	assert_true(answered.n == 1 && answered.number == 3 && answered.token == 2);
	assert_true(answered.note.code == 1 && answered.note.status == 7);
	assert_true(notified[2] & WORLD_SIGNAL_BIT(WORLD_SIGCHLD));
	assert_int_equal(a->usage.children_cpu_ns, 5);
	wait_any(a, WAIT_EXITED, 3);
	assert_int_equal(answered.status, STATUS_NO_ENTRY);
}

static void who_gave_up_takes_no_child(void **state)
{
	struct member *a = first(), *b = child_of(a);
	(void)state;

	wait_any(a, WAIT_EXITED, 1);
	deliver = false;
	world_ended(b, KILLED(9), 0, 0);
	deliver = true;
	wait_any(a, WAIT_EXITED | WAIT_KEEP, 2);
	assert_int_equal(answered.number, 3);
	wait_any(a, WAIT_EXITED, 3);
	assert_true(answered.number == 3 && answered.note.code == 2 && answered.note.status == 9);
	wait_any(child_of(a), WAIT_EXITED, 4);
	assert_int_equal(answered.status, STATUS_NO_ENTRY);
	wait_any(a, WAIT_EXITED, 5);
	assert_true(world_cancel_wait(&world, 5));
	assert_false(world_cancel_wait(&world, 5));
}

static void one_and_a_group_are_waited_for(void **state)
{
	struct member *a = first(), *b = child_of(a), *c = child_of(a);
	struct waiter w = {.which = WAIT_PROCESS, .id = c->number, .options = WAIT_EXITED};
	(void)state;

	assert_int_equal(world_wait(a, &w), STATUS_OK);
	world_ended(b, 0, 0, 0);
	assert_int_equal(answered.n, 0);
	world_ended(c, 0, 0, 0);
	assert_int_equal(answered.number, 4);
	w = (struct waiter){.which = WAIT_GROUP, .id = 99, .options = WAIT_EXITED};
	assert_int_equal(world_wait(a, &w), STATUS_OK);
	assert_int_equal(answered.status, STATUS_NO_ENTRY);
	w.id = 0;
	assert_int_equal(world_wait(a, &w), STATUS_OK);
	assert_int_equal(answered.number, 3);
}

/* Else a signal to a group could take an ended member of it away between two others. */
static void a_wait_is_for_the_group_that_its_caller_had(void **state)
{
	struct member *a = child_of(first()), *other = child_of(a), *stopped = child_of(a),
	              *ended = child_of(a);
	const struct waiter w = {.which = WAIT_GROUP, .options = WAIT_EXITED};
	const uint32_t group = stopped->number, number = other->number;
	(void)state;

	assert_int_equal(world_set_group(a, group, group), STATUS_OK);
	assert_int_equal(world_set_group(a, ended->number, group), STATUS_OK);
	world_ended(ended, 0, 0, 0);
	assert_true(world_stopped(stopped, WORLD_SIGSTOP, true));
	assert_int_equal(world_wait(a, &w), STATUS_OK);
	assert_int_equal(world_set_group(a, 0, group), STATUS_OK);
	assert_int_equal(send(a, -(int64_t)group, WORLD_SIGCONT), STATUS_OK);
	assert_int_equal(answered.n, 0);
	world_ended(other, 0, 0, 0);
	assert_int_equal(answered.number, number);
}

static void children_that_are_not_waited_for_go(void **state)
{
	struct member *a = first(), *b = child_of(a), *c = child_of(a);
	(void)state;

	a->forgets = true;
	wait_any(a, WAIT_EXITED, 1);
	world_ended(b, 0, 0, 0);
	assert_int_equal(answered.n, 0);
	world_ended(c, 0, 0, 0);
	assert_int_equal(answered.status, STATUS_NO_ENTRY);
	assert_int_equal(world.nmembers, 1);
}

static void a_child_that_was_never_made(void **state)
{
	struct member *a = first(), *b, *c;
	(void)state;

	assert_int_equal(world_prepare(a, &b), STATUS_OK);
	wait_any(a, WAIT_EXITED, 1);
	world_abandon(b);
	assert_int_equal(answered.status, STATUS_NO_ENTRY);
	assert_int_equal(world_prepare(a, &c), STATUS_OK);
	assert_int_equal(send(a, c->number, 15), STATUS_OK);
	assert_int_equal(notified[c->number], 0);
	world_joined(c);
	assert_int_equal(notified[c->number], WORLD_SIGNAL_BIT(15));
	assert_int_equal(world_prepare(a, &b), STATUS_OK);
	assert_int_equal(send(a, b->number, WORLD_SIGKILL), STATUS_OK);
	assert_int_equal(kills, 0);
	world_joined(b);
	assert_int_equal(kills, 1);
}

/* ---- Groups and sessions ---- */

static void groups_are_of_one_session(void **state)
{
	struct member *a = first(), *b = child_of(a), *c = child_of(b);
	(void)state;

	assert_int_equal(b->group, 2);
	assert_int_equal(world_set_group(a, 0, 0), STATUS_NOT_PERMITTED); /* it leads the session */
	assert_int_equal(world_set_group(a, c->number, 0), STATUS_NO_ENTRY); /* no child of its */
	assert_int_equal(world_set_group(a, b->number, 99), STATUS_NOT_PERMITTED);
	assert_int_equal(world_set_group(a, b->number, 0), STATUS_OK);
	assert_int_equal(b->group, 3);
	assert_int_equal(world_set_session(b), STATUS_NOT_PERMITTED); /* it leads a group */
	assert_int_equal(world_set_session(c), STATUS_OK);
	assert_int_equal(world_set_group(b, c->number, 3), STATUS_NOT_PERMITTED);
	b->executed = true;
	assert_int_equal(world_set_group(a, b->number, 2), STATUS_ACCESS_DENIED);
	assert_int_equal(world_foreground(a), 2);
	assert_int_equal(world_set_foreground(a, 3), STATUS_OK);
	assert_int_equal(world_foreground(b), 3);
	assert_int_equal(world_foreground(c), 4);
	assert_int_equal(world_set_foreground(a, 4), STATUS_NOT_PERMITTED);
	assert_int_equal(world_set_foreground(a, 999), STATUS_NO_ENTRY);
}

static void a_group_is_signalled(void **state)
{
	struct member *a = first(), *b = child_of(a), *c = child_of(a);
	(void)state;

	assert_int_equal(world_set_group(b, 0, 0), STATUS_OK);
	assert_int_equal(world_set_group(c, 0, 3), STATUS_OK);
	assert_int_equal(send(a, -3, 10), STATUS_OK);
	assert_true(notified[3] && notified[4] && !notified[2]);
	assert_int_equal(send(a, 0, 10), STATUS_OK);
	assert_true(notified[2] != 0);
	assert_int_equal(send(a, -99, 10), STATUS_NO_ENTRY);
	assert_int_equal(send(a, INT64_MIN, 10), STATUS_NO_ENTRY);
	assert_int_equal(send(a, INT64_MAX, 10), STATUS_NO_ENTRY);
	assert_int_equal(send(a, 1, 10), STATUS_NOT_PERMITTED);
	assert_int_equal(send(a, -1, 12), STATUS_OK);
	assert_true(notified[3] & WORLD_SIGNAL_BIT(12) && !(notified[2] & WORLD_SIGNAL_BIT(12)));
}

static void a_stopped_group_that_is_orphaned_goes_on(void **state)
{
	struct member *a = first(), *shell = child_of(a), *job = child_of(shell);
	(void)state;

	assert_int_equal(world_set_group(job, 0, 0), STATUS_OK);
	assert_true(world_stopped(job, WORLD_SIGTSTP, true));
	world_ended(shell, 0, 0, 0);
	assert_int_equal(job->state, MEMBER_RUNNING);
	assert_int_equal(notified[job->number],
	                 WORLD_SIGNAL_BIT(WORLD_SIGHUP) | WORLD_SIGNAL_BIT(WORLD_SIGCONT));
}

/* ---- Signals ---- */

static void signals_name_their_senders(void **state)
{
	struct member *a = first(), *b = child_of(a);
	struct signal_note note;
	(void)state;

	assert_int_equal(send(a, 3, 10), STATUS_OK);
	assert_int_equal(send(a, 3, 10), STATUS_OK);
	assert_int_equal(b->queued, 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(world_send(b, &(struct signal_note){.signal = 40, .value = i}),
		                 STATUS_OK);
	assert_int_equal(world_queued(b, UINT64_MAX), WORLD_SIGNAL_BIT(10) | WORLD_SIGNAL_BIT(40));
	for (unsigned i = 0; i < 3; i++) {
		assert_true(world_take_signal(b, WORLD_SIGNAL_BIT(40), &note));
		assert_int_equal(note.value, i);
	}
	assert_false(world_take_signal(b, WORLD_SIGNAL_BIT(40), &note));
	assert_true(world_take_signal(b, UINT64_MAX, &note));
	assert_true(note.signal == 10 && note.number == 2);
	assert_int_equal(b->queued_bits, 0);
	for (unsigned i = 0; i < WORLD_QUEUE_MAX; i++)
		assert_int_equal(world_send(b, &(struct signal_note){.signal = 40}), STATUS_OK);
	assert_int_equal(world_send(b, &(struct signal_note){.signal = 40}), STATUS_TRY_AGAIN);
	assert_int_equal(send(a, 3, 11), STATUS_OK); /* without a sender, but not lost */
	assert_true(notified[3] & WORLD_SIGNAL_BIT(11));
}

static struct cap_identity users(uint32_t real, uint32_t effective, uint32_t saved)
{
	return (struct cap_identity){.file_user = effective, .user = {real, effective, saved}};
}

static void users_change_within_what_they_have(void **state)
{
	struct member *a = first();
	struct cap_identity wanted = users(1, 2, 3);
	(void)state;

	wanted.ngroups = 1;
	wanted.groups[0] = 7;
	assert_int_equal(world_set_users(a, &wanted), STATUS_OK);
	wanted.user = (struct cap_ids){3, 1, 2};
	assert_int_equal(world_set_users(a, &wanted), STATUS_OK);
	wanted.file_user = 3;
	assert_int_equal(world_set_users(a, &wanted), STATUS_OK);
	wanted.file_user = 4;
	assert_int_equal(world_set_users(a, &wanted), STATUS_NOT_PERMITTED);
	wanted.file_user = 3;
	wanted.user.saved = 0;
	assert_int_equal(world_set_users(a, &wanted), STATUS_NOT_PERMITTED);
	wanted.user.saved = 2;
	wanted.group.effective = 1;
	assert_int_equal(world_set_users(a, &wanted), STATUS_NOT_PERMITTED);
	wanted.group.effective = 0;
	wanted.groups[0] = 8;
	assert_int_equal(world_set_users(a, &wanted), STATUS_NOT_PERMITTED);
	wanted.groups[0] = 7;
	assert_int_equal(world_set_users(a, &wanted), STATUS_OK);
}

static void who_may_signal_whom(void **state)
{
	struct member *a = first(), *b = child_of(a), *c = child_of(a);
	const struct cap_identity one = users(1, 1, 1), two = users(2, 2, 2);
	(void)state;

	assert_int_equal(world_set_users(b, &one), STATUS_OK);
	assert_int_equal(world_set_users(c, &two), STATUS_OK);
	assert_int_equal(send(b, c->number, 10), STATUS_NOT_PERMITTED);
	assert_int_equal(send(b, c->number, 0), STATUS_NOT_PERMITTED);
	assert_int_equal(send(b, b->number, 10), STATUS_OK);
	assert_int_equal(send(b, c->number, WORLD_SIGCONT), STATUS_OK); /* of its session */
	assert_int_equal(send(a, c->number, 10), STATUS_OK);
	assert_int_equal(send(b, -(int64_t)a->group, 12), STATUS_OK); /* itself */
	assert_false(notified[c->number] & WORLD_SIGNAL_BIT(12));
	assert_int_equal(send(b, -1, 12), STATUS_OK); /* there are only others', as on Linux */
	assert_false(notified[c->number] & WORLD_SIGNAL_BIT(12));
	c->identity.user.saved = 1;
	assert_int_equal(send(b, -1, 12), STATUS_OK);
	assert_true(notified[c->number] & WORLD_SIGNAL_BIT(12));
	assert_false(world_may_change(b, c) || world_may_look(b, c) || world_may_change(b, a));
	assert_true(world_may_change(a, c) && world_may_look(a, c) && world_may_look(b, b));
}

/* Whoever knows the key gives it, once. */
static void a_notice_comes_from_any_user(void **state)
{
	struct member *a = first(), *b = child_of(a), *c = child_of(a);
	const struct cap_identity one = users(1, 1, 1), two = users(2, 2, 2);
	struct signal_note note;
	(void)state;

	assert_int_equal(world_set_users(b, &one), STATUS_OK);
	assert_int_equal(world_set_users(c, &two), STATUS_OK);
	assert_int_equal(world_give_notice(b, c, 7), STATUS_NO_ENTRY);
	assert_int_equal(world_ask_notice(c, 7, 0, 0), STATUS_NO_ENTRY);
	assert_int_equal(world_ask_notice(c, 7, 10, 99), STATUS_OK);
	assert_int_equal(world_ask_notice(c, 7, 10, 99), STATUS_EXISTS);
	assert_int_equal(world_give_notice(b, a, 7), STATUS_NO_ENTRY);
	assert_int_equal(world_give_notice(b, c, 8), STATUS_NO_ENTRY);
	assert_int_equal(world_give_notice(b, c, 7), STATUS_OK);
	assert_true(world_take_signal(c, WORLD_SIGNAL_BIT(10), &note));
	assert_true(note.code == -3 && note.number == b->number && note.user == 1 &&
	            note.value == 99);
	assert_int_equal(world_give_notice(b, c, 7), STATUS_NO_ENTRY);
	assert_int_equal(world_ask_notice(c, 7, 10, 0), STATUS_OK);
	assert_int_equal(world_ask_notice(c, 7, 0, 0), STATUS_OK);
	for (uint64_t key = 0; key < WORLD_NOTICES_MAX; key++)
		assert_int_equal(world_ask_notice(c, key, 12, 0), STATUS_OK);
	assert_int_equal(world_ask_notice(c, WORLD_NOTICES_MAX, 12, 0), STATUS_NO_BUFFERS);
	world_ended(c, 0, 0, 0); /* nothing of it stays: finish() counts the pages */
	assert_null(c->notices);
}

static void a_child_is_its_parents_users(void **state)
{
	struct member *a = first(), *b;
	const struct cap_identity one = users(1, 1, 1);
	(void)state;

	assert_int_equal(world_set_users(a, &one), STATUS_OK);
	b = child_of(a);
	assert_int_equal(b->identity.user.real, 1);
}

static void stopping_and_going_on(void **state)
{
	struct member *a = first(), *b = child_of(a);
	(void)state;

	assert_int_equal(send(a, 3, WORLD_SIGSTOP), STATUS_OK);
	assert_int_equal(send(a, 3, WORLD_SIGCONT), STATUS_OK);
	assert_false(world_stopped(b, WORLD_SIGSTOP, false)); /* it was continued already */
	assert_int_equal(send(a, 3, WORLD_SIGSTOP), STATUS_OK);
	wait_any(a, WAIT_EXITED | WAIT_STOPPED, 1);
	assert_true(world_stopped(b, WORLD_SIGSTOP, false));
	assert_true(answered.n == 1 && answered.note.code == 5 && answered.note.status == 19);
	wait_any(a, WAIT_STOPPED | WAIT_EXITED | WAIT_NO_HANG, 2);
	assert_int_equal(answered.number, 0);
	wait_any(a, WAIT_CONTINUED, 3);
	assert_int_equal(send(a, 3, WORLD_SIGCONT), STATUS_OK);
	assert_true(resumes == 1 && answered.note.code == 6);
	assert_int_equal(b->state, MEMBER_RUNNING);
	a->no_stops = true;
	notified[2] = 0;
	assert_false(world_stopped(b, WORLD_SIGTSTP, true)); /* of an orphaned group */
	assert_int_equal(world_set_group(b, 0, 0), STATUS_OK);
	assert_true(world_stopped(b, WORLD_SIGTSTP, true));
	assert_int_equal(notified[2], 0);
	assert_int_equal(send(a, 3, WORLD_SIGKILL), STATUS_OK);
	assert_int_equal(kills, 1);
}

static void an_end_of_the_parent_is_signalled_to_who_asked(void **state)
{
	struct member *a = first(), *b = child_of(a), *c, *d, *e;
	struct signal_note note;
	(void)state;

	c = child_of(b);
	d = child_of(b);
	c->death_signal = 10;
	assert_int_equal(child_of(c)->death_signal, 0); /* it is not inherited */
	e = child_of(b);
	e->death_signal = WORLD_SIGKILL;
	b->death_signal = 10; /* its own end is not its parent's */
	world_ended(b, 0, 0, 0);
	assert_true(world_take_signal(c, WORLD_SIGNAL_BIT(10), &note));
	assert_true(note.number == b->number && note.code == 0 && !c->parent);
	assert_int_equal(d->queued, 0);
	assert_int_equal(kills, 1);
}

/* ---- Limits ---- */

static void limits_go_down_and_are_inherited(void **state)
{
	struct member *a = first(), *b;
	(void)state;

	assert_int_equal(world_set_limit(a, 16, &(struct limit){1, 1}), STATUS_INVALID_ARGUMENT);
	assert_int_equal(world_set_limit(a, 7, &(struct limit){20, 10}), STATUS_INVALID_ARGUMENT);
	assert_int_equal(world_set_limit(a, 7, &(struct limit){10, 20}), STATUS_OK);
	assert_int_equal(world_set_limit(a, 7, &(struct limit){20, 20}), STATUS_OK);
	assert_int_equal(world_set_limit(a, 7, &(struct limit){20, 21}), STATUS_NOT_PERMITTED);
	b = child_of(a);
	assert_int_equal(b->limits[7].soft, 20);
	assert_int_equal(world_set_limit(a, WORLD_LIMIT_PROCESSES, &(struct limit){2, 2}),
	                 STATUS_OK);
	assert_int_equal(world_prepare(a, &b), STATUS_TRY_AGAIN);
}

static void memory_runs_out(void **state)
{
	struct member *a = first(), *m;
	unsigned n = 0;
	(void)state;

	pages_max = pages + 20;
	while (world_prepare(a, &m) == STATUS_OK)
		n++;
	assert_true(n >= 40);
	assert_int_equal(world_prepare(a, &m), STATUS_NO_MEMORY);
	assert_int_equal(world_describe(a, "x", 1, "y", 2000, false), STATUS_NO_MEMORY);
	while (a->child)
		world_abandon(a->child);
	assert_int_equal(world_describe(a, "longer than sixteen", 19, "y", 1, true), STATUS_OK);
	assert_string_equal(a->name, "longer than six");
}

/* ---- Anything at all ---- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static struct member *any_member(void)
{
	struct member *m = world.first;

	for (uint32_t n = draw(world.nmembers); n; n--)
		m = m->after;
	return m;
}

static void step(void)
{
	struct member *m = any_member(), *made;
	struct signal_note note;
	struct waiter w;

	deliver = draw(8);
	switch (draw(12)) {
	case 0:
	case 1:
		if (m->state == MEMBER_RUNNING && world.nmembers < 60)
			(void)world_prepare(m, &made);
		break;
	case 2:
		if (m->state == MEMBER_PREPARED)
			world_joined(m);
		break;
	case 3:
		if (world.nmembers > 1)
			world_ended(m, draw(0x10000), draw(100), draw(100));
		break;
	case 4:
	case 5:
		w = (struct waiter){.which = (enum wait_which)draw(3),
		                    .id = draw(70),
		                    .options = draw(32) | 1,
		                    .token = {1 + draw(20)}};
		if (m->state == MEMBER_RUNNING)
			(void)world_wait(m, &w);
		break;
	case 6:
		(void)world_cancel_wait(&world, 1 + draw(20));
		break;
	case 7:
		if (m->state != MEMBER_ENDED)
			(void)send(m, (int64_t)draw(140) - 70, draw(65));
		break;
	case 8:
		while (draw(3) && world_take_signal(m, (uint64_t)draw(1u << 24) << draw(40), &note))
			;
		break;
	case 9:
		if (m->state == MEMBER_RUNNING)
			(void)world_stopped(m, 19 + draw(4), draw(2));
		break;
	case 10:
		if (m->state == MEMBER_RUNNING)
			(void)(draw(4) ? world_set_group(m, draw(70), draw(70))
			               : world_set_session(m));
		break;
	case 11:
		m->forgets = draw(2);
		world_abandon(m);
		break;
	}
}

/* Numbers are in use as long as members have them. */
static void check_groups(void)
{
	uint32_t uses = 0;

	for (uint32_t i = 0; i < WORLD_BUCKETS; i++)
		for (const struct group *g = world.groups[i]; g; g = g->next) {
			assert_true(g->uses);
			uses += g->uses;
			for (const struct member *m = g->members; m; m = m->in_group)
				assert_ptr_equal(m->of_group, g);
		}
	assert_int_equal(uses, 2 * world.nmembers);
}

static void check(void)
{
	uint32_t n = 0, last = 0;

	for (struct member *m = world.first; m; m = m->after, n++) {
		assert_true(m->number > last);
		last = m->number;
		assert_ptr_equal(world_find(&world, m->number), m);
		assert_ptr_equal(world_find_group(&world, m->group), m->of_group);
		assert_ptr_equal(world_find_group(&world, m->session), m->of_session);
		assert_int_equal(m->of_group->session, m->session);
		assert_ptr_equal(*m->up_group, m);
		for (struct member *c = m->child; c; c = c->sibling)
			assert_ptr_equal(c->parent, m);
		if (m->state == MEMBER_ENDED)
			assert_true(m->parent && !m->child && !m->waiters && !m->queue);
	}
	assert_int_equal(n, world.nmembers);
	check_groups();
}

static void anything_in_any_order(void **state)
{
	struct member *m;
	(void)state;

	for (seed = 1; seed < 200; seed++) {
		uint32_t begun = seed;

		first();
		pages_max = draw(2) ? UINT32_MAX : pages + 3 + draw(30);
		for (int i = 0; i < 400; i++) {
			step();
			check();
			if (!world.nmembers)
				assert_int_equal(world_enroll(&world, 0, &m), STATUS_OK);
		}
		world_close(&world);
		assert_int_equal(pages, 0);
		pages_max = UINT32_MAX;
		assert_int_equal(world_open(&world, &ops, &slab), STATUS_OK);
		seed = begun;
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
	const struct CMUnitTest tests[] = {
	        TEST(numbers_begin_at_two_and_come_late),
	        TEST(a_group_keeps_its_number_in_use),
	        TEST(a_number_is_given_again_after_a_restart),
	        TEST(orphans_are_the_worlds),
	        TEST(orphans_go_to_who_reaps),
	        TEST(an_end_is_told_once),
	        TEST(who_gave_up_takes_no_child),
	        TEST(one_and_a_group_are_waited_for),
	        TEST(a_wait_is_for_the_group_that_its_caller_had),
	        TEST(children_that_are_not_waited_for_go),
	        TEST(a_child_that_was_never_made),
	        TEST(groups_are_of_one_session),
	        TEST(a_group_is_signalled),
	        TEST(a_stopped_group_that_is_orphaned_goes_on),
	        TEST(signals_name_their_senders),
	        TEST(stopping_and_going_on),
	        TEST(users_change_within_what_they_have),
	        TEST(who_may_signal_whom),
	        TEST(a_notice_comes_from_any_user),
	        TEST(a_child_is_its_parents_users),
	        TEST(an_end_of_the_parent_is_signalled_to_who_asked),
	        TEST(limits_go_down_and_are_inherited),
	        TEST(memory_runs_out),
	        TEST(anything_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
