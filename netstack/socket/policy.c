/* SPDX-License-Identifier: MIT */
/*
 * Grants and what they allow.  A grant does not change after its policy is in use, except
 * for the addresses that its host's name resolves to, each for a time.
 */
#include <string.h>

#include <capos/schema/status.h>

#include "netstack/lwip/platform.h"
#include "netstack/socket/policy.h"

#include "lwip/ip4_addr.h"

#define POLICIES_MAX 128u
#define GRANTS_MAX   384u /* of all policies */
/* Addresses of one name, as many as an answer has. */
#define KNOWN_MAX DNS_ADDRESSES_MAX
/* An address counts as the name's for its time to live, within these bounds.  Least: a program that
 * has looked a name up tries its addresses one after another, some seconds each, while a balancer's
 * name lives a second and has others the next time.  Most: a right that an answer gave ends within
 * the hour; after that the name is looked up anew. */
#define KNOWN_LEAST (30 * SECOND_NS)
#define KNOWN_MOST  (3600 * SECOND_NS)
/* Sockets of one account; the program's own limit of descriptors comes first as a rule, and others
 * get their share. */
#define ACCOUNT_SOCKETS_MAX 384u
/* Buffers (pbufs) that one account's connections hold to send: each second one is a header's block,
 * of which the heap has four times as many (heap.c, 128 bytes). */
#define ACCOUNT_BUFFERS_MAX 2048u
/* Of what one account restricts further: half of the tables, so that one program's managers and
 * authorities leave others theirs. */
#define ACCOUNT_POLICIES_MAX (POLICIES_MAX / 2)
#define ACCOUNT_GRANTS_MAX   (GRANTS_MAX / 2)

struct known_address {
	uint32_t address; /* network order */
	uint64_t expires; /* monotonic ns; 0: unused */
};

struct grant {
	bool used, numeric;
	enum grant_kind kind;
	uint16_t port; /* 0: any */
	struct grant *next;
	struct known_address known[KNOWN_MAX]; /* numeric: known[0] is the host, for ever */
	char host[DNS_NAME_MAX + 1];
};

struct policy {
	struct policy *parent; /* NULL: the root */
	struct grant *grants;
	uint32_t refs, depth, ngrants;
	/* Of an account, those of its restrictions included. */
	uint32_t sockets, policies, total_grants, buffers;
	uint64_t memory;
	uint64_t memory_account; /* of a session: the Account that it draws on */
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

struct policy *policy_create_session(uint64_t account)
{
	struct policy *p = policy_create(&root);

	if (p)
		p->memory_account = account;
	else
		platform_release(account);
	return p;
}

uint64_t policy_memory_account(const struct policy *policy)
{
	while (policy->parent && !policy->memory_account)
		policy = policy->parent;
	return policy->memory_account;
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
		if (policy->memory_account)
			platform_release(policy->memory_account);
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
		g->known[0] = (struct known_address){ip4_addr_get_u32(&address), UINT64_MAX};
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

void policy_count_memory(struct policy *policy, int64_t change)
{
	policy_account(policy)->memory += (uint64_t)change;
}

uint64_t policy_memory(struct policy *policy)
{
	return policy_account(policy)->memory;
}

void policy_count_buffers(struct policy *policy, int32_t change)
{
	policy_account(policy)->buffers += (uint32_t)change;
}

bool policy_has_buffers(struct policy *policy)
{
	return policy_account(policy)->buffers < ACCOUNT_BUFFERS_MAX;
}

static bool knows(const struct grant *g, uint32_t address)
{
	uint64_t now = platform_now();

	for (unsigned i = 0; i < KNOWN_MAX; i++)
		if (g->known[i].expires > now && g->known[i].address == address)
			return true;
	return false;
}

static bool grants_connect(const struct grant *g, uint16_t port)
{
	return g->kind == GRANT_CONNECT && (!g->port || g->port == port);
}

bool policy_may_look_up(const struct policy *policy, const char *host, uint16_t port)
{
	for (; policy->parent; policy = policy->parent) {
		const struct grant *g = policy->grants;

		while (g && g->kind != GRANT_ALL &&
		       !(grants_connect(g, port) && strcmp(g->host, host) == 0))
			g = g->next;
		if (!g)
			return false;
	}
	return true;
}

static bool level_allows(const struct policy *level, uint32_t address, uint16_t port)
{
	for (const struct grant *g = level->grants; g; g = g->next)
		if (g->kind == GRANT_ALL || (grants_connect(g, port) && knows(g, address)))
			return true;
	return false;
}

/* The level's first name that was not asked yet and that every level of the policy grants.  *seen
 * numbers the names over all levels, so that a name has the same number each time. */
static const struct grant *level_name(const struct policy *policy, const struct policy *level,
                                      uint16_t port, unsigned asked, unsigned *seen,
                                      unsigned *number)
{
	const struct grant *found = NULL;

	for (const struct grant *g = level->grants; g; g = g->next) {
		if (!grants_connect(g, port) || g->numeric)
			continue;
		++*seen;
		if (found || *seen <= asked || !policy_may_look_up(policy, g->host, port))
			continue;
		found = g;
		*number = *seen;
	}
	return found;
}

enum policy_verdict policy_connect(const struct policy *policy, uint32_t address, uint16_t port,
                                   unsigned *asked, const char **name)
{
	enum policy_verdict verdict = POLICY_ALLOW;
	unsigned seen = 0, number = 0, first = 0;

	for (const struct policy *level = policy; level->parent; level = level->parent) {
		const struct grant *g = level_name(policy, level, port, *asked, &seen, &number);

		if (level_allows(level, address, port))
			continue;
		if (!g)
			return POLICY_DENY;
		if (verdict == POLICY_ASK)
			continue;
		verdict = POLICY_ASK;
		*name = g->host;
		first = number;
	}
	if (verdict == POLICY_ASK)
		*asked = first;
	return verdict;
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

/* The place of an address that is known already, or else that of the one that expires first. */
static struct known_address *place_for(struct grant *g, uint32_t address)
{
	struct known_address *place = g->known;

	for (struct known_address *k = g->known; k < g->known + KNOWN_MAX; k++) {
		if (k->expires && k->address == address)
			return k;
		if (k->expires < place->expires)
			place = k;
	}
	return place;
}

void policy_learn(const char *name, const struct dns_answer *answer)
{
	uint64_t life = answer->ttl * SECOND_NS;

	life = life < KNOWN_LEAST ? KNOWN_LEAST : life > KNOWN_MOST ? KNOWN_MOST : life;
	for (struct grant *g = grants; g < grants + ngrants; g++) {
		if (!g->used || g->numeric || strcmp(g->host, name) != 0)
			continue;
		for (unsigned i = 0; i < answer->count; i++)
			*place_for(g, answer->addresses[i]) =
			        (struct known_address){answer->addresses[i], platform_now() + life};
	}
}

void policy_forget_addresses(void)
{
	for (struct grant *g = grants; g < grants + ngrants; g++)
		if (g->used && !g->numeric)
			memset(g->known, 0, sizeof(g->known));
}
