/* SPDX-License-Identifier: MIT */
/*
 * Signals between members: what is sent is kept with its sender until the receiver takes it, and
 * its bit is notified.  The receiver alone knows what it blocks and ignores.
 */
#include "world.h"

#include <capos/schema/status.h>

#define SI_QUEUE (-1)

static const uint64_t stop_signals =
        WORLD_SIGNAL_BIT(WORLD_SIGSTOP) | WORLD_SIGNAL_BIT(WORLD_SIGTSTP) |
        WORLD_SIGNAL_BIT(WORLD_SIGTTIN) | WORLD_SIGNAL_BIT(WORLD_SIGTTOU);

static struct queued_signal **find(struct member *m, uint64_t bits)
{
	struct queued_signal **at = &m->queue;

	while (*at && !(bits & WORLD_SIGNAL_BIT((*at)->note.signal)))
		at = &(*at)->next;
	return at;
}

/* Takes an entry out of the queue. */
static struct queued_signal *unlink_entry(struct member *m, struct queued_signal **at)
{
	struct queued_signal *q = *at;
	uint64_t bit = WORLD_SIGNAL_BIT(q->note.signal);

	*at = q->next;
	if (m->queue_end == &q->next)
		m->queue_end = at;
	m->queued--;
	if (!*find(m, bit))
		m->queued_bits &= ~bit;
	return q;
}

static void drop(struct member *m, uint64_t bits)
{
	struct queued_signal **at;

	while (bits & m->queued_bits && *(at = find(m, bits)))
		slab_put(m->world->slab, unlink_entry(m, at), sizeof(**at));
}

void world_drop_queue(struct member *m)
{
	drop(m, UINT64_MAX);
}

uint64_t world_queued(const struct member *m, uint64_t bits)
{
	return m->queued_bits & bits;
}

bool world_take_signal(struct member *m, uint64_t bits, struct signal_note *out)
{
	struct queued_signal *q, **at = find(m, bits);

	if (!*at)
		return false;
	q = unlink_entry(m, at);
	*out = q->note;
	slab_put(m->world->slab, q, sizeof(*q));
	return true;
}

/* False: the queue is full, or there is no memory for it. */
static bool enqueue(struct member *m, const struct signal_note *note)
{
	uint64_t bit = WORLD_SIGNAL_BIT(note->signal);
	struct queued_signal *q = note->signal < WORLD_REALTIME ? *find(m, bit) : NULL;

	/* Of a signal that is not queued the receiver has one at most; the last one sent counts,
	 * since what it ignores it leaves here. */
	if (q) {
		q->note = *note;
		return true;
	}
	if (m->queued >= WORLD_QUEUE_MAX)
		return false;
	q = slab_get(m->world->slab, sizeof(*q));
	if (!q)
		return false;
	q->note = *note;
	*m->queue_end = q;
	m->queue_end = &q->next;
	m->queued++;
	m->queued_bits |= bit;
	return true;
}

static void go_on(struct member *m)
{
	m->stop_wanted = false;
	drop(m, stop_signals);
	if (m->state != MEMBER_STOPPED)
		return;
	m->state = MEMBER_RUNNING;
	m->stopped_by = 0;
	m->continued = true;
	m->world->ops->resume(m);
	world_tell_parent(m);
}

int world_send(struct member *m, const struct signal_note *note)
{
	const uint64_t bit = WORLD_SIGNAL_BIT(note->signal);

	if (m->state == MEMBER_ENDED)
		return STATUS_OK;
	if (note->signal == WORLD_SIGKILL && m->state != MEMBER_PREPARED) {
		m->world->ops->kill(m);
		return STATUS_OK;
	}
	if (bit & stop_signals) {
		drop(m, WORLD_SIGNAL_BIT(WORLD_SIGCONT));
		if (m->state == MEMBER_STOPPED)
			return STATUS_OK;
		m->stop_wanted = true;
	}
	if (note->signal == WORLD_SIGCONT)
		go_on(m);
	if (!enqueue(m, note) && (note->code == SI_QUEUE || note->signal >= WORLD_REALTIME))
		return STATUS_TRY_AGAIN;
	if (m->state != MEMBER_PREPARED)
		m->world->ops->notify(m, bit);
	return STATUS_OK;
}

bool world_stopped(struct member *m, uint32_t signal, bool own)
{
	if (!own && !m->stop_wanted)
		return false;
	m->stop_wanted = false;
	if (signal != WORLD_SIGSTOP && world_is_orphaned(m))
		return false;
	m->state = MEMBER_STOPPED;
	m->stopped_by = signal;
	m->continued = false;
	world_tell_parent(m);
	return true;
}

/* ---- kill ---- */

/* Signal 0 is sent to none, but counts. */
static int send_checked(const struct member *sender, struct member *m,
                        const struct signal_note *note)
{
	if (!world_may_signal(sender, m, note->signal))
		return STATUS_NOT_PERMITTED;
	return note->signal ? world_send(m, note) : STATUS_OK;
}

/* What a signal does takes no member away: only ends and waits do. */
uint32_t world_send_group(struct world *world, uint32_t group, const struct signal_note *note)
{
	const struct group *g = world_find_group(world, group);
	struct member *m, *after;
	uint32_t n = 0;

	for (m = g ? g->members : NULL; m; m = after, n++) {
		after = m->in_group;
		(void)world_send(m, note);
	}
	return n;
}

/* To those of many that it may signal: one is enough, unless there is none at all. */
struct sending {
	uint32_t members, allowed;
};

static void send_one(struct sending *s, const struct member *sender, struct member *m,
                     const struct signal_note *note)
{
	s->members++;
	if (send_checked(sender, m, note) != STATUS_NOT_PERMITTED)
		s->allowed++;
}

static int sent(const struct sending *s)
{
	if (s->allowed)
		return STATUS_OK;
	return s->members ? STATUS_NOT_PERMITTED : STATUS_NO_ENTRY;
}

static int kill_group(struct member *sender, uint32_t group, const struct signal_note *note)
{
	const struct group *g = world_find_group(sender->world, group);
	struct sending sending = {0};
	struct member *m, *after;

	for (m = g ? g->members : NULL; m; m = after) {
		after = m->in_group;
		send_one(&sending, sender, m, note);
	}
	return sent(&sending);
}

static int kill_all_others(struct member *sender, const struct signal_note *note)
{
	struct sending sending = {0};
	struct member *m, *after;

	for (m = sender->world->first; m; m = after) {
		after = m->after;
		if (m != sender)
			send_one(&sending, sender, m, note);
	}
	/* As on Linux those that it may not signal are no error here. */
	return sending.members ? STATUS_OK : STATUS_NO_ENTRY;
}

int world_kill(struct member *sender, int64_t target, const struct signal_note *note)
{
	struct member *m;

	if (target == WORLD_NUMBER)
		return note->signal || sender->identity.user.effective ? STATUS_NOT_PERMITTED
		                                                       : STATUS_OK;
	if (target > 0) {
		m = target <= WORLD_NUMBER_MAX ? world_find(sender->world, (uint32_t)target) : NULL;
		return m ? send_checked(sender, m, note) : STATUS_NO_ENTRY;
	}
	if (target == -1)
		return kill_all_others(sender, note);
	if (target < -(int64_t)WORLD_NUMBER_MAX)
		return STATUS_NO_ENTRY;
	return kill_group(sender, target ? (uint32_t)-target : sender->group, note);
}
