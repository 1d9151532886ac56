/* SPDX-License-Identifier: MIT */
/*
 * A session's place is free when its word is 0 and its store is gone: files that it made and that
 * exist keep the place, and so the charge, as long as they exist.
 */
#include "session.h"

void session_start(struct sessions *sessions, cap_t account)
{
	struct session *own = &sessions->of[SESSION_OWN];

	own->word = HANDLE_ROOT;
	store_open(&own->store, account, SESSION_OWN_PAGES);
	slab_init(&own->slab, &own->store.source);
}

int session_find(struct sessions *sessions, uint64_t word)
{
	if (!word)
		return -1;
	if (sessions->of[sessions->found].word == word)
		return (int)sessions->found;
	for (uint32_t i = 0; i < HANDLE_SESSIONS_MAX; i++) {
		if (sessions->of[i].word == word) {
			sessions->found = i;
			return (int)i;
		}
	}
	return -1;
}

int session_open(struct sessions *sessions, const struct handle_table *handles, uint64_t word,
                 cap_t account)
{
	if (session_find(sessions, word) >= 0)
		return STATUS_EXISTS;
	for (uint32_t i = 0; i < HANDLE_SESSIONS_MAX; i++) {
		struct session *s = &sessions->of[i];

		if (s->word || handles->of_session[i] || !store_is_gone(&s->store))
			continue;
		s->word = word;
		store_open(&s->store, account, 0);
		slab_init(&s->slab, &s->store.source);
		return STATUS_OK;
	}
	return STATUS_NO_BUFFERS;
}

void session_settle(struct sessions *sessions, const struct handle_table *handles, uint32_t index)
{
	struct session *s = &sessions->of[index];

	if (!s->word && !handles->of_session[index] && s->store.account != CAP_NULL)
		store_close(&s->store);
}

void session_close(struct sessions *sessions, const struct handle_table *handles, uint32_t index)
{
	if (index == SESSION_OWN)
		return;
	sessions->of[index].word = 0;
	session_settle(sessions, handles, index);
}
