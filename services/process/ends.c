/* SPDX-License-Identifier: MIT */
/*
 * Ends that members share: each is an object, and the kernel tells the service when its last
 * capability is gone, so an end that nothing holds is known as such also when its holders were
 * killed.  The words are the service's to write and the members' to read.
 */
#include <stdatomic.h>

#include <capos/cap.h>
#include <capos/schema/status.h>

#include "process.h"

struct end_pair {
	cap_t event;
	uint32_t held; /* of the two */
};

/* A number that no other process of this service has had: when it was first asked. */
static uint64_t instance(void)
{
	static uint64_t number;

	if (!number)
		number = cap_now() >> 8 & 0xffffffffffffull;
	return number;
}

static int make_memory(struct session *s)
{
	struct ends *e = &s->ends;
	void *address;

	if (e->memory != CAP_NULL)
		return STATUS_OK;
	if (cap_account_create_memory(s->store.account, ENDS_SIZE, &e->memory)) {
		e->memory = CAP_NULL;
		return STATUS_NO_MEMORY;
	}
	if (cap_memory_map(e->memory, 0, ENDS_SIZE, CAP_RIGHT_READ | CAP_RIGHT_WRITE, &address)) {
		cap_release(e->memory);
		e->memory = CAP_NULL;
		return STATUS_NO_MEMORY;
	}
	e->words = address;
	e->next = 1; /* the first two words are no pair's */
	atomic_store(&e->words[0], (uint32_t)instance());
	atomic_store(&e->words[1], (uint32_t)(instance() >> 32));
	return STATUS_OK;
}

/* Where the pair stands; NULL: no memory for it. */
static struct end_pair **place_of(struct session *s, uint32_t pair)
{
	struct end_pair ***page = &s->ends.pages[pair / ENDS_PER_PAGE];

	if (!*page)
		*page = slab_get(&s->slab, ENDS_PER_PAGE * sizeof(**page));
	return *page ? &(*page)[pair % ENDS_PER_PAGE] : NULL;
}

/* A pair that is not in use; 0: there is none. */
static uint32_t find_free(struct session *s)
{
	for (uint32_t n = 1; n < ENDS_PAIRS_MAX; n++) {
		uint32_t pair = s->ends.next;
		struct end_pair **place = place_of(s, pair);

		s->ends.next = pair + 1 < ENDS_PAIRS_MAX ? pair + 1 : 1;
		if (!place)
			return 0;
		if (!*place)
			return pair;
	}
	return 0;
}

int ends_open(struct session *s, struct server_call *call, cap_t event,
              struct process_member_open_ends_results *out)
{
	int first, second, status = make_memory(s);
	struct end_pair *made;
	uint32_t pair, word;

	if (status)
		return status;
	pair = find_free(s);
	made = pair ? slab_get(&s->slab, sizeof(*made)) : NULL;
	if (!made)
		return STATUS_NO_BUFFERS;
	word = pair * 2;
	first = server_give_object(call, PROCESS_END_INTERFACE, word_in(s, WORD_END, word));
	second = server_give_object(call, PROCESS_END_INTERFACE, word_in(s, WORD_END, word + 1));
	if (first < 0 || second < 0) {
		/* One that was minted is released unsent, which changes nothing. */
		slab_put(&s->slab, made, sizeof(*made));
		return STATUS_NO_MEMORY;
	}
	*made = (struct end_pair){.event = event, .held = 2};
	*place_of(s, pair) = made;
	atomic_store(&s->ends.words[word], 1);
	atomic_store(&s->ends.words[word + 1], 1);
	*out = (struct process_member_open_ends_results){.first_index = (uint16_t)first,
	                                                 .second_index = (uint16_t)second,
	                                                 .word = instance() << 16 | word};
	return STATUS_OK;
}

int ends_give_memory(struct session *s, struct server_call *call,
                     struct process_member_ends_memory_results *out)
{
	int position, status = make_memory(s);

	if (status)
		return status;
	position = server_give(call, s->ends.memory,
	                       CAP_RIGHT_READ | CAP_RIGHT_CALL | CAP_RIGHT_COPY, false);
	if (position < 0)
		return STATUS_NO_BUFFERS;
	out->memory_index = (uint16_t)position;
	out->size = ENDS_SIZE;
	return STATUS_OK;
}

static int word(void *object, struct msg_call *msg, struct process_end_word_results *out)
{
	(void)msg;
	out->word = instance() << 16 | (uintptr_t)object;
	return STATUS_OK;
}

const struct process_end_ops end_ops = {.word = word};

void ends_released(struct session *s, uint32_t word)
{
	struct end_pair **place = word / 2 < ENDS_PAIRS_MAX ? place_of(s, word / 2) : NULL;
	struct capos_sqe sqe = {.op = CAP_OP_SIGNAL, .arg = UINT64_MAX};

	if (!place || !*place || !atomic_load(&s->ends.words[word]))
		return;
	atomic_store(&s->ends.words[word], 0);
	sqe.cap = (*place)->event;
	(void)cap_submit_quiet(&sqe);
	if (--(*place)->held)
		return;
	cap_release((*place)->event);
	slab_put(&s->slab, *place, sizeof(**place));
	*place = NULL;
}

void ends_close(struct session *s)
{
	struct ends *e = &s->ends;

	for (uint32_t i = 0; i < ENDS_PAGES_MAX; i++) {
		for (uint32_t j = 0; e->pages[i] && j < ENDS_PER_PAGE; j++) {
			struct end_pair *pair = e->pages[i][j];

			if (pair)
				cap_release(pair->event);
			slab_put(&s->slab, pair, sizeof(*pair));
		}
		slab_put(&s->slab, e->pages[i], ENDS_PER_PAGE * sizeof(*e->pages[i]));
	}
	if (e->memory != CAP_NULL)
		cap_memory_unmap((void *)e->words, ENDS_SIZE);
	cap_release(e->memory);
	*e = (struct ends){.memory = CAP_NULL};
}
