/* SPDX-License-Identifier: MIT */
/*
 * Grants and who they allow what.  A grant does not change after its policy is in use, but for the
 * addresses that its host's name was found to have.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "netstack/socket/policy.h"

#include "lwip/ip4_addr.h"

#define POLICIES_MAX 128u
#define GRANTS_MAX   384u /* of all policies */
/* Of a name's addresses the latest so many: programs hold on to an address longer than a name
 * server does. */
#define KNOWN_MAX 16u
/* Sockets of one account; the program's own limit of descriptors comes first as a rule, and others
 * get their share. */
#define ACCOUNT_SOCKETS_MAX 384u
/* Of what one account restricts further: half of the tables, so that one program's managers and
 * authorities leave others theirs. */
#define ACCOUNT_POLICIES_MAX (POLICIES_MAX / 2)
#define ACCOUNT_GRANTS_MAX   (GRANTS_MAX / 2)

struct grant {
	bool used, numeric;
	enum grant_kind kind;
	uint16_t port; /* 0: any */
	struct grant *next;
	uint32_t known[KNOWN_MAX]; /* numeric: known[0] is the host */
	unsigned nknown;           /* ever learned */
	char host[DNS_NAME_MAX + 1];
};

struct policy {
	struct policy *parent; /* NULL: the root */
	struct grant *grants;
	uint32_t refs, depth, ngrants;
	/* Of an account, those of its restrictions included. */
	uint32_t sockets, policies, total_grants;
};

static struct policy root;
static struct policy policies[POLICIES_MAX];
static struct grant grants[GRANTS_MAX];
static unsigned ngrants; /* ever used: the others' memory is never touched */

struct policy *policy_root(void)
{
	return &root;
}

struct policy *policy_create(struct policy *parent)
{
	struct policy *account = policy_account(parent);

	if (parent->depth == POLICY_DEPTH_MAX ||
	    (account != &root && account->policies == ACCOUNT_POLICIES_MAX))
		return NULL;
	for (struct policy *p = policies; p < policies + POLICIES_MAX; p++) {
		if (p->refs)
			continue;
		*p = (struct policy){
		        .parent = policy_get(parent), .refs = 1, .depth = parent->depth + 1};
		account->policies++;
		return p;
	}
	return NULL;
}

struct policy *policy_get(struct policy *policy)
{
	if (policy != &root)
		policy->refs++;
	return policy;
}

void policy_put(struct policy *policy)
{
	while (policy && policy != &root && --policy->refs == 0) {
		struct policy *parent = policy->parent;

		for (struct grant *g = policy->grants; g; g = g->next)
			g->used = false;
		policy_account(policy)->total_grants -= policy->ngrants;
		policy_account(parent)->policies--;
		policy->grants = NULL;
		policy = parent;
	}
}

int policy_grant(struct policy *policy, enum grant_kind kind, const char *host, size_t length,
                 uint16_t port)
{
	struct policy *account = policy_account(policy);
	struct grant *g = grants, **last = &policy->grants;
	char canonical[DNS_NAME_MAX + 1] = "";
	ip4_addr_t address;

	if (kind == GRANT_CONNECT && !dns_name_canonical(host, length, canonical))
		return STATUS_INVALID_ARGUMENT;
	while (g < grants + GRANTS_MAX && g->used)
		g++;
	if (g == grants + GRANTS_MAX || policy->ngrants == POLICY_GRANTS_MAX ||
	    account->total_grants == ACCOUNT_GRANTS_MAX)
		return STATUS_NO_BUFFERS;
	if (g >= grants + ngrants)
		ngrants = (unsigned)(g - grants) + 1;
	*g = (struct grant){.used = true, .kind = kind, .port = port};
	memcpy(g->host, canonical, sizeof(canonical));
	if (kind == GRANT_CONNECT && ip4addr_aton(canonical, &address)) {
		g->numeric = true;
		g->known[0] = ip4_addr_get_u32(&address);
		g->nknown = 1;
	}
	while (*last)
		last = &(*last)->next;
	*last = g;
	policy->ngrants++;
	account->total_grants++;
	return STATUS_OK;
}

struct policy *policy_account(struct policy *policy)
{
	while (policy->parent && policy->parent != &root)
		policy = policy->parent;
	return policy;
}

bool policy_charge(struct policy *policy)
{
	struct policy *account = policy_account(policy);

	if (account->sockets == ACCOUNT_SOCKETS_MAX)
		return false;
	account->sockets++;
	return true;
}

void policy_discharge(struct policy *policy)
{
	policy_account(policy)->sockets--;
}

static bool knows(const struct grant *g, uint32_t address)
{
	unsigned n = g->nknown < KNOWN_MAX ? g->nknown : KNOWN_MAX;

	for (unsigned i = 0; i < n; i++)
		if (g->known[i] == address)
			return true;
	return false;
}

/* One level's verdict; *seen counts names over all levels, the first *asked of them were asked.
 * *ask: what *asked is to be when *name will have been. */
static enum policy_verdict level_connect(const struct policy *policy, uint32_t address,
                                         uint16_t port, unsigned *seen, unsigned *asked,
                                         unsigned *ask, const char **name)
{
	enum policy_verdict verdict = POLICY_DENY;

	/* To the end in any case: a name has the same number each time. */
	for (const struct grant *g = policy->grants; g; g = g->next) {
		bool was_asked = true;

		if (g->kind == GRANT_ALL)
			verdict = POLICY_ALLOW;
		if (g->kind != GRANT_CONNECT || (g->port && g->port != port))
			continue;
		if (!g->numeric)
			was_asked = (*seen)++ < *asked;
		if (knows(g, address))
			verdict = POLICY_ALLOW;
		if (was_asked || verdict != POLICY_DENY)
			continue;
		verdict = POLICY_ASK;
		*name = g->host;
		*ask = *seen;
	}
	return verdict;
}

enum policy_verdict policy_connect(const struct policy *policy, uint32_t address, uint16_t port,
                                   unsigned *asked, const char **name)
{
	unsigned seen = 0, ask = 0;

	for (; policy->parent; policy = policy->parent) {
		enum policy_verdict verdict =
		        level_connect(policy, address, port, &seen, asked, &ask, name);

		if (verdict == POLICY_ASK)
			*asked = ask;
		if (verdict != POLICY_ALLOW)
			return verdict;
	}
	return POLICY_ALLOW;
}

/* Every level has a grant of everything, or of this kind (and port). */
static bool every_level(const struct policy *policy, enum grant_kind kind, bool any_port,
                        uint16_t port)
{
	for (; policy->parent; policy = policy->parent) {
		const struct grant *g = policy->grants;

		while (g && g->kind != GRANT_ALL &&
		       !(g->kind == kind && (any_port || g->port == port)))
			g = g->next;
		if (!g)
			return false;
	}
	return true;
}

bool policy_listen(const struct policy *policy, uint16_t port)
{
	return every_level(policy, GRANT_LISTEN, false, port);
}

bool policy_bind(const struct policy *policy, uint16_t port)
{
	if (port)
		return policy_listen(policy, port);
	return every_level(policy, GRANT_CONNECT, true, 0) ||
	       every_level(policy, GRANT_LISTEN, true, 0);
}

bool policy_udp(const struct policy *policy)
{
	return every_level(policy, GRANT_UDP, true, 0);
}

bool policy_icmp(const struct policy *policy)
{
	return every_level(policy, GRANT_ICMP, true, 0);
}

const char *policy_host(const struct policy *policy, uint16_t *port)
{
	const struct grant *g = policy->grants;

	if (!g || g->next || g->kind != GRANT_CONNECT)
		return NULL;
	*port = g->port;
	return g->host;
}

void policy_learn(const char *name, const struct dns_answer *answer)
{
	for (struct grant *g = grants; g < grants + ngrants; g++) {
		if (!g->used || g->numeric || strcmp(g->host, name) != 0)
			continue;
		for (unsigned i = 0; i < answer->count; i++)
			if (!knows(g, answer->addresses[i]))
				g->known[g->nknown++ % KNOWN_MAX] = answer->addresses[i];
	}
}
