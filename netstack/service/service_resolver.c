/* SPDX-License-Identifier: MIT */
/*
 * DnsResolver: each call is one lookup of resolver.h.
 */
#include "netstack/service/service_call.h"
#include "netstack/service/service_resolver.h"
#include "netstack/socket/resolver.h"

#define CALLS_MAX 64u

struct lookup {
	bool used;
	bool at_once; /* the answer came before the call was deferred */
	int status;
	struct dns_answer answer;
	struct server_pending pending;
};
static struct lookup lookups[CALLS_MAX];

/* The addresses point into *answer. */
static void fill(const struct dns_answer *answer, struct dns_resolver_resolve_results *out)
{
	static struct msg_data data[DNS_ADDRESSES_MAX];

	for (unsigned i = 0; i < answer->count; i++)
		data[i] = MSG_DATA(&answer->addresses[i], 4);
	out->addresses.count = answer->count;
	out->addresses.items = data;
}

static void done(void *context, int status, const struct dns_answer *answer)
{
	struct lookup *l = context;
	struct dns_resolver_resolve_results results = {0};
	struct msg_builder builder;

	if (l->at_once) {
		l->status = status;
		if (answer)
			l->answer = *answer;
		l->at_once = false;
		return;
	}
	l->used = false;
	service_message(&builder, l->pending.recv_len);
	if (!status) {
		fill(answer, &results);
		status = dns_resolver_resolve_results_write(&builder, &results);
	}
	server_answer(&service, l->pending, status, builder.base, msg_builder_length(&builder),
	              NULL, 0);
}

bool service_resolver_cancel(uint64_t call_id)
{
	for (struct lookup *l = lookups; l < lookups + CALLS_MAX; l++) {
		if (!l->used || l->pending.call_id != call_id)
			continue;
		resolver_cancel(l);
		l->used = false;
		return true;
	}
	return false;
}

static int resolve(void *object, struct msg_call *call,
                   const struct dns_resolver_resolve_params *in,
                   struct dns_resolver_resolve_results *out)
{
	struct lookup *l = lookups;
	char canonical[DNS_NAME_MAX + 1];
	int status;

	(void)object;
	if (in->family > IP_ADDRESS_FAMILY_IPV6 ||
	    !dns_name_canonical(in->name.ptr, in->name.len, canonical))
		return STATUS_INVALID_ARGUMENT;
	if (in->family == IP_ADDRESS_FAMILY_IPV6)
		return STATUS_NO_DATA;
	while (l < lookups + CALLS_MAX && l->used)
		l++;
	if (l == lookups + CALLS_MAX)
		return STATUS_NO_BUFFERS;
	*l = (struct lookup){.used = true, .at_once = true};
	status = resolver_lookup(in->name.ptr, in->name.len, done, l);
	if (!status && l->at_once) {
		l->at_once = false;
		l->pending = server_defer(server_call_of(call));
		return MSG_DEFERRED;
	}
	l->used = false;
	if (!status)
		status = l->status;
	if (!status)
		fill(&l->answer, out);
	return status;
}

const struct dns_resolver_ops resolver_ops = {
        .resolve = resolve,
};
