/* SPDX-License-Identifier: MIT */
/*
 * netstack's parts that need no stack: sums, hashes, the heap, DNS messages, policies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <capos/schema/status.h>

#include "netstack/lwip/checksum.h"
#include "netstack/socket/dns_message.h"
#include "netstack/lwip/heap.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/platform.h"
#include "netstack/socket/policy.h"
#include "netstack/lwip/random.h"

#include "lwip/ip4_addr.h"

static uint64_t now;

static uint64_t released;

void platform_release(uint64_t handle)
{
	released = handle;
}

uint64_t platform_now(void)
{
	return now;
}

_Noreturn void port_assert_failed(const char *message, int line, const char *file)
{
	fail_msg("%s (%s:%d)", message, file, line);
	abort();
}

/* ---- Sums and copies ---- */

static uint16_t naive_sum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 ? 8 : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void fill(uint8_t *p, size_t n, int kind)
{
	for (size_t i = 0; i < n; i++)
		p[i] = kind == 0 ? 0xff : kind == 1 ? 0 : (uint8_t)rand();
}

static void sum_of_all_lengths_and_alignments(void **state)
{
	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		for (size_t length = 0; length < 300; length++) {
			for (size_t offset = 0; offset < 9; offset++) {
				/* Exactly as long as that, so that a byte too far is found. */
				uint8_t *block = malloc(offset + length + !(offset + length));

				fill(block, offset + length, kind);
				assert_int_equal(port_checksum(block + offset, (int)length),
				                 naive_sum(block + offset, length));
				free(block);
			}
		}
	}
}

static void sum_of_large_blocks(void **state)
{
	uint8_t *block = malloc(65536);

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		fill(block, 65536, kind);
		assert_int_equal(port_checksum(block, 65535), naive_sum(block, 65535));
		assert_int_equal(port_checksum(block, 65536), naive_sum(block, 65536));
		assert_int_equal(port_checksum(block + 1, 1460), naive_sum(block + 1, 1460));
	}
	free(block);
}

static void copies_exactly(void **state)
{
	(void)state;
	for (size_t length = 0; length < 200; length++) {
		uint8_t *from = malloc(length + 1), *to = malloc(length + 2);

		fill(from, length + 1, 2);
		memset(to, 0xa5, length + 2);
		port_copy(to + 1, from + 1, length);
		assert_int_equal(to[0], 0xa5);
		assert_int_equal(to[length + 1], 0xa5);
		assert_memory_equal(to + 1, from + 1, length);
		free(from);
		free(to);
	}
}

/* ---- Random numbers ---- */

/* The vectors of SipHash's paper: key 00..0f, message 00..(n-1). */
static void siphash_vectors(void **state)
{
	uint8_t key[16], message[64];

	(void)state;
	for (int i = 0; i < 64; i++) {
		message[i] = (uint8_t)i;
		key[i % 16] = (uint8_t)(i % 16);
	}
	assert_true(siphash(key, message, 0) == 0x726fdb47dd0e0e31);
	assert_true(siphash(key, message, 1) == 0x74f839c593dc67fd);
	assert_true(siphash(key, message, 15) == 0xa129ca6149be45e5);
}

static void sequence_numbers(void **state)
{
	uint8_t seed[RANDOM_SEED_SIZE], other[RANDOM_SEED_SIZE];
	uint32_t first;

	(void)state;
	memset(seed, 7, sizeof(seed));
	memset(other, 8, sizeof(other));
	random_seed(seed);
	now = 0;
	first = port_initial_sequence(1, 2, 3, 4);
	assert_int_equal(port_initial_sequence(1, 2, 3, 4), first);
	assert_int_not_equal(port_initial_sequence(1, 2, 3, 5), first);
	assert_int_not_equal(port_initial_sequence(2, 2, 3, 4), first);
	/* The clock of 4 microseconds. */
	now = 4000000;
	assert_int_equal(port_initial_sequence(1, 2, 3, 4), first + 1000);
	now = 0;
	random_seed(other);
	assert_int_not_equal(port_initial_sequence(1, 2, 3, 4), first);
}

static void random_numbers_are_spread(void **state)
{
	unsigned counts[10] = {0};

	(void)state;
	for (int i = 0; i < 10000; i++)
		counts[random_below(10)]++;
	for (int i = 0; i < 10; i++)
		assert_in_range(counts[i], 800, 1200);
	assert_int_equal(random_below(1), 0);
}

/* ---- Heap ---- */

static void heap_quotas(void **state)
{
	static const uint64_t machines[] = {1 << 20, 8 << 20, 1ull << 40};
	struct heap_usage usage;
	size_t before = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		size_t size = heap_plan(machines[i]);

		assert_true(size > before);
		assert_true(size < 3u << 20);
		before = size;
	}
	assert_true(heap_plan(8 << 20) < 512u << 10);
	assert_true(heap_usage(0, &usage) && usage.quota >= 512);
}

static void heap_classes(void **state)
{
	struct heap_usage usage;
	unsigned classes = 0;
	void *area = aligned_alloc(64, /* kept: the tests after this use it too */
	                           (heap_plan(UINT64_MAX) + 63) & ~63ul);

	(void)state;
	assert_non_null(area);
	heap_start(area);
	for (; heap_usage(classes, &usage); classes++) {
		uint8_t **blocks = calloc(usage.quota, sizeof(*blocks));

		for (int round = 0; round < 2; round++) {
			for (uint32_t i = 0; i < usage.quota; i++) {
				blocks[i] = heap_allocate(usage.size);
				assert_non_null(blocks[i]);
				assert_int_equal((uintptr_t)blocks[i] % 64, 0);
				memset(blocks[i], (int)i, usage.size);
			}
			assert_null(heap_allocate(usage.size));
			for (uint32_t i = 0; i < usage.quota; i++) {
				assert_int_equal(blocks[i][0], (uint8_t)i);
				assert_int_equal(blocks[i][usage.size - 1], (uint8_t)i);
				heap_free(blocks[i]);
			}
			heap_usage(classes, &usage);
			assert_int_equal(usage.used, 0);
			assert_int_equal(usage.peak, usage.quota);
		}
		free(blocks);
	}
	assert_true(classes > 3);
	assert_null(heap_allocate(1u << 20));
	assert_null(heap_allocate_zeroed(SIZE_MAX, 2));
	heap_free(NULL);
}

static void heap_zeroes(void **state)
{
	uint8_t *block = heap_allocate(100);

	(void)state;
	memset(block, 0xff, 100);
	heap_free(block);
	block = heap_allocate_zeroed(10, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(block[i], 0);
	heap_free(block);
}

/* ---- DNS messages ---- */

static void names(void **state)
{
	static const char *const good[] = {"a", "A.b.C", "x.", "a-b_c.d1", "10.0.2.2"};
	static const char *const bad[] = {"", ".", "a..b", ".a", "a b", "a/b", "a\200", "a.."};
	char out[DNS_NAME_MAX + 1], longest[DNS_NAME_MAX + 3];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(dns_name_canonical(good[i], strlen(good[i]), out));
	dns_name_canonical("WWW.Example.", 12, out);
	assert_string_equal(out, "www.example");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(dns_name_canonical(bad[i], strlen(bad[i]), out));
	memset(longest, 'a', sizeof(longest));
	assert_true(dns_name_canonical(longest, 63, out));
	assert_false(dns_name_canonical(longest, 64, out));
	for (size_t i = 49; i < sizeof(longest); i += 50)
		longest[i] = '.';
	assert_true(dns_name_canonical(longest, DNS_NAME_MAX, out));
	assert_false(dns_name_canonical(longest, DNS_NAME_MAX + 1, out));
}

/* A message under construction. */
struct message {
	uint8_t bytes[600];
	size_t length;
};

static void put16(struct message *m, unsigned value)
{
	m->bytes[m->length++] = (uint8_t)(value >> 8);
	m->bytes[m->length++] = (uint8_t)value;
}

static void put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		m->bytes[m->length++] = (uint8_t)n;
		memcpy(m->bytes + m->length, name, n);
		m->length += n;
		name += n + (name[n] == '.');
	}
	m->bytes[m->length++] = 0;
}

static void begin(struct message *m, unsigned flags, unsigned answers, const char *name)
{
	m->length = 0;
	put16(m, 0x1234);
	put16(m, flags);
	put16(m, 1);
	put16(m, answers);
	put16(m, 0);
	put16(m, 0);
	put_name(m, name);
	put16(m, 1);
	put16(m, 1);
}

/* A record whose owner is the question's name, by pointer. */
static void put_record(struct message *m, unsigned owner, unsigned type, unsigned ttl,
                       unsigned size)
{
	put16(m, 0xc000 | owner);
	put16(m, type);
	put16(m, 1);
	put16(m, ttl >> 16);
	put16(m, ttl);
	put16(m, size);
}

static enum dns_result parse(const struct message *m, size_t length, struct dns_answer *answer)
{
	/* Of exactly that length, so that a byte read too far is found. */
	uint8_t *copy = malloc(length + !length);
	enum dns_result result;

	memcpy(copy, m->bytes, length);
	result = dns_parse_response(copy, length, 0x1234, "www.example", answer);
	free(copy);
	return result;
}

static void query_is_what_it_should_be(void **state)
{
	uint8_t out[DNS_QUERY_MAX];
	static const uint8_t wanted[] = {0x12, 0x34, 1,   0, 0,   1,   0, 0, 0, 0, 0,
	                                 0,    1,    'a', 2, 'b', 'c', 0, 0, 1, 0, 1};

	(void)state;
	assert_int_equal(dns_build_query(out, sizeof(out), 0x1234, "a.bc"), sizeof(wanted));
	assert_memory_equal(out, wanted, sizeof(wanted));
	assert_int_equal(dns_build_query(out, 20, 1, "a.bc"), 0);
}

static void answer_with_alias(struct message *m)
{
	begin(m, 0x8180, 3, "www.example");
	put_record(m, 12, 5, 300, 4); /* www.example is an alias of */
	m->bytes[m->length++] = 1;
	m->bytes[m->length++] = 'x';
	put16(m, 0xc000 | 16); /* x.example */
	put_record(m, (unsigned)m->length - 4, 1, 60, 4);
	put16(m, 0x0a00);
	put16(m, 0x0202);
	put_record(m, 12, 1, 10, 4); /* not of the name that counts now */
	put16(m, 0x0101);
	put16(m, 0x0101);
}

static void answers(void **state)
{
	struct message m;
	struct dns_answer answer;

	(void)state;
	answer_with_alias(&m);
	assert_int_equal(parse(&m, m.length, &answer), DNS_ANSWERED);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.ttl, 60);
	assert_int_equal(answer.addresses[0], PP_HTONL(0x0a000202));

	begin(&m, 0x8183, 0, "www.example");
	assert_int_equal(parse(&m, m.length, &answer), DNS_NO_NAME);
	begin(&m, 0x8182, 0, "www.example");
	assert_int_equal(parse(&m, m.length, &answer), DNS_FAILED);
	begin(&m, 0x8180, 0, "WWW.EXAMPLE");
	assert_int_equal(parse(&m, m.length, &answer), DNS_NO_DATA);
	begin(&m, 0x8380, 0, "www.example"); /* cut short, with nothing left */
	assert_int_equal(parse(&m, m.length, &answer), DNS_FAILED);
	begin(&m, 0x0180, 0, "www.example"); /* a question */
	assert_int_equal(parse(&m, m.length, &answer), DNS_NOT_OURS);
	begin(&m, 0x8180, 0, "www.exampel");
	assert_int_equal(parse(&m, m.length, &answer), DNS_NOT_OURS);
	assert_int_equal(dns_parse_response(m.bytes, m.length, 0x1235, "www.exampel", &answer),
	                 DNS_NOT_OURS);
}

static void many_addresses(void **state)
{
	struct message m;
	struct dns_answer answer;

	(void)state;
	begin(&m, 0x8180, 20, "www.example");
	for (unsigned i = 0; i < 20; i++) {
		put_record(&m, 12, 1, 100 - i, 4);
		put16(&m, 0x0a00);
		put16(&m, i);
	}
	assert_int_equal(parse(&m, m.length, &answer), DNS_ANSWERED);
	assert_int_equal(answer.count, DNS_ADDRESSES_MAX);
	assert_int_equal(answer.ttl, 100 - DNS_ADDRESSES_MAX + 1);
}

static void lies_about_lengths(void **state)
{
	struct message m;
	struct dns_answer answer;

	(void)state;
	answer_with_alias(&m);
	for (size_t length = 0; length < m.length; length++)
		assert_int_equal(parse(&m, length, &answer), DNS_NOT_OURS);
	/* More records than there are; a record larger than the message; a label past the end. */
	m.bytes[7] = 200;
	assert_int_equal(parse(&m, m.length, &answer), DNS_NOT_OURS);
	begin(&m, 0x8180, 1, "www.example");
	put_record(&m, 12, 1, 60, 60000);
	assert_int_equal(parse(&m, m.length, &answer), DNS_NOT_OURS);
	begin(&m, 0x8180, 1, "www.example");
	m.bytes[m.length++] = 63;
	m.bytes[m.length++] = 'x';
	assert_int_equal(parse(&m, m.length, &answer), DNS_NOT_OURS);
	/* Pointers to themselves, forward, and in a circle; an alias of itself. */
	begin(&m, 0x8180, 1, "www.example");
	put_record(&m, (unsigned)m.length, 1, 60, 4);
	put16(&m, 0), put16(&m, 0);
	assert_int_equal(parse(&m, m.length, &answer), DNS_NOT_OURS);
	begin(&m, 0x8180, 1, "www.example");
	put_record(&m, (unsigned)m.length + 2, 1, 60, 4);
	put16(&m, 0), put16(&m, 0);
	assert_int_equal(parse(&m, m.length, &answer), DNS_NOT_OURS);
	begin(&m, 0x8180, 1, "www.example");
	put_record(&m, 12, 5, 60, 2);
	put16(&m, 0xc00c);
	assert_int_equal(parse(&m, m.length, &answer), DNS_NO_DATA);
}

static void mutations_never_harm(void **state)
{
	struct message good, m;
	struct dns_answer answer;

	(void)state;
	answer_with_alias(&good);
	srand(1);
	for (int i = 0; i < 200000; i++) {
		m = good;
		for (int n = rand() % 4 + 1; n; n--)
			m.bytes[(size_t)rand() % m.length] = (uint8_t)rand();
		parse(&m, (size_t)rand() % 4 ? m.length : (size_t)rand() % m.length, &answer);
		assert_true(answer.count <= DNS_ADDRESSES_MAX);
	}
}

/* ---- Policies ---- */

#define A(a, b, c, d) PP_HTONL(LWIP_MAKEU32(a, b, c, d))

static enum policy_verdict may_connect(struct policy *p, uint32_t address, uint16_t port)
{
	unsigned asked = 0;
	const char *name;

	return policy_connect(p, address, port, &asked, &name);
}

static int grant_connect(struct policy *p, const char *host, uint16_t port)
{
	return policy_grant(p, GRANT_CONNECT, host, strlen(host), port);
}

static void root_allows_all(void **state)
{
	(void)state;
	assert_int_equal(may_connect(policy_root(), A(1, 2, 3, 4), 80), POLICY_ALLOW);
	assert_true(policy_listen(policy_root(), 80));
	assert_true(policy_bind(policy_root(), 0));
	assert_true(policy_udp(policy_root()));
	assert_true(policy_icmp(policy_root()));
}

static void nothing_granted_nothing_allowed(void **state)
{
	struct policy *p = policy_create(policy_root());

	(void)state;
	assert_int_equal(may_connect(p, A(1, 2, 3, 4), 80), POLICY_DENY);
	assert_false(policy_listen(p, 80));
	assert_false(policy_listen(p, 0));
	assert_false(policy_bind(p, 0));
	assert_false(policy_udp(p));
	assert_false(policy_icmp(p));
	policy_put(p);
}

static void each_grant_allows_its_own(void **state)
{
	struct policy *p = policy_create(policy_root());

	(void)state;
	assert_int_equal(grant_connect(p, "10.0.2.2", 80), STATUS_OK);
	assert_int_equal(grant_connect(p, "10.0.2.3", 0), STATUS_OK);
	assert_int_equal(grant_connect(p, "not a host", 80), STATUS_INVALID_ARGUMENT);
	assert_int_equal(policy_grant(p, GRANT_LISTEN, NULL, 0, 8080), STATUS_OK);
	assert_int_equal(may_connect(p, A(10, 0, 2, 2), 80), POLICY_ALLOW);
	assert_int_equal(may_connect(p, A(10, 0, 2, 2), 81), POLICY_DENY);
	assert_int_equal(may_connect(p, A(10, 0, 2, 3), 81), POLICY_ALLOW);
	assert_int_equal(may_connect(p, A(10, 0, 2, 4), 80), POLICY_DENY);
	assert_true(policy_listen(p, 8080));
	assert_false(policy_listen(p, 8081));
	assert_true(policy_bind(p, 8080));
	assert_true(policy_bind(p, 0));
	assert_false(policy_udp(p));
	assert_false(policy_icmp(p));
	policy_grant(p, GRANT_UDP, NULL, 0, 0);
	assert_true(policy_udp(p));
	assert_false(policy_icmp(p));
	policy_put(p);
}

static void restriction_never_widens(void **state)
{
	struct policy *p = policy_create(policy_root()), *q, *chain[POLICY_DEPTH_MAX];
	unsigned n = 0;

	(void)state;
	grant_connect(p, "10.0.2.2", 80);
	q = policy_create(p);
	policy_put(p); /* q keeps it */
	policy_grant(q, GRANT_ALL, NULL, 0, 0);
	assert_int_equal(may_connect(q, A(10, 0, 2, 2), 80), POLICY_ALLOW);
	assert_int_equal(may_connect(q, A(10, 0, 2, 2), 81), POLICY_DENY);
	assert_false(policy_udp(q));
	assert_ptr_equal(policy_account(q), p);
	for (struct policy *above = q; (chain[n] = policy_create(above)); n++)
		above = chain[n];
	assert_int_equal(n, POLICY_DEPTH_MAX - 2);
	while (n)
		policy_put(chain[--n]);
	policy_put(q);
}

static void names_are_asked_once(void **state)
{
	struct policy *p = policy_create(policy_root()), *q;
	struct dns_answer answer = {.count = 1, .addresses = {A(10, 0, 0, 1)}};
	const char *name;
	unsigned asked = 0;

	(void)state;
	grant_connect(p, "One.Example", 80);
	grant_connect(p, "two.example", 80);
	grant_connect(p, "three.example", 81);
	q = policy_create(p);
	grant_connect(q, "one.example", 80);
	assert_int_equal(policy_connect(q, A(10, 0, 0, 1), 80, &asked, &name), POLICY_ASK);
	assert_string_equal(name, "one.example");
	policy_learn("one.example", &answer);
	/* Both levels have that name. */
	assert_int_equal(policy_connect(q, A(10, 0, 0, 1), 80, &asked, &name), POLICY_ALLOW);
	/* Another address: ask, and be refused. */
	asked = 0;
	assert_int_equal(policy_connect(q, A(10, 0, 0, 2), 80, &asked, &name), POLICY_ASK);
	assert_int_equal(policy_connect(q, A(10, 0, 0, 2), 80, &asked, &name), POLICY_DENY);
	/* At the port that nothing is granted for, nothing is asked. */
	asked = 0;
	assert_int_equal(policy_connect(p, A(10, 0, 0, 2), 82, &asked, &name), POLICY_DENY);
	asked = 0;
	assert_int_equal(policy_connect(p, A(10, 0, 0, 2), 80, &asked, &name), POLICY_ASK);
	assert_string_equal(name, "one.example");
	assert_int_equal(policy_connect(p, A(10, 0, 0, 2), 80, &asked, &name), POLICY_ASK);
	assert_string_equal(name, "two.example");
	assert_int_equal(policy_connect(p, A(10, 0, 0, 2), 80, &asked, &name), POLICY_DENY);
	policy_put(q);
	policy_put(p);
}

/* A question is bytes on the wire: with one level that does not grant the name, none is asked, in
 * whichever order the levels come. */
static void names_need_every_level(void **state)
{
	struct policy *p = policy_create(policy_root()), *q, *r;
	const char *name = NULL;
	unsigned asked = 0;

	(void)state;
	grant_connect(p, "10.0.2.2", 8000);
	grant_connect(p, "granted.example", 8000);
	q = policy_create(p);
	grant_connect(q, "secret.example", 8000);
	grant_connect(q, "granted.example", 8000);
	r = policy_create(q);
	policy_grant(r, GRANT_ALL, NULL, 0, 0);
	assert_false(policy_may_look_up(q, "secret.example", 8000));
	assert_false(policy_may_look_up(r, "secret.example", 8000));
	assert_false(policy_may_look_up(r, "granted.example", 8001));
	assert_true(policy_may_look_up(r, "granted.example", 8000));
	assert_true(policy_may_look_up(policy_root(), "any.example", 1));
	/* The parent allows the address, the child only names: just the common one is asked. */
	assert_int_equal(policy_connect(r, A(10, 0, 2, 2), 8000, &asked, &name), POLICY_ASK);
	assert_string_equal(name, "granted.example");
	assert_int_equal(policy_connect(r, A(10, 0, 2, 2), 8000, &asked, &name), POLICY_DENY);
	policy_put(r);
	policy_put(q);
	/* The child alone has a name: a denial above it rules. */
	q = policy_create(p);
	grant_connect(q, "secret.example", 8000);
	name = NULL;
	asked = 0;
	assert_int_equal(policy_connect(q, A(10, 0, 2, 2), 8000, &asked, &name), POLICY_DENY);
	assert_int_equal(policy_connect(q, A(10, 0, 2, 3), 8000, &asked, &name), POLICY_DENY);
	assert_null(name);
	policy_put(q);
	policy_put(p);
}

static bool still_known(struct policy *p, uint32_t address)
{
	return may_connect(p, address, 80) == POLICY_ALLOW;
}

static void addresses_of_names_expire(void **state)
{
	struct policy *p = policy_create(policy_root());
	struct dns_answer brief = {.count = 1, .addresses = {A(10, 0, 0, 1)}, .ttl = 0};
	struct dns_answer minutes = {.count = 1, .addresses = {A(10, 0, 0, 2)}, .ttl = 300};
	struct dns_answer week = {.count = 1, .addresses = {A(10, 0, 0, 3)}, .ttl = 604800};
	struct dns_answer many = {.count = 1, .ttl = 60};

	(void)state;
	grant_connect(p, "name.example", 80);
	grant_connect(p, "10.0.0.9", 80);
	policy_learn("name.example", &brief);
	policy_learn("name.example", &minutes);
	policy_learn("name.example", &week);
	now += 29 * SECOND_NS;
	assert_true(still_known(p, A(10, 0, 0, 1)));
	now += 2 * SECOND_NS;
	assert_false(still_known(p, A(10, 0, 0, 1)));
	assert_true(still_known(p, A(10, 0, 0, 2)));
	now += 270 * SECOND_NS;
	assert_false(still_known(p, A(10, 0, 0, 2)));
	assert_true(still_known(p, A(10, 0, 0, 3)));
	now += 3300 * SECOND_NS;
	assert_false(still_known(p, A(10, 0, 0, 3)));
	assert_true(still_known(p, A(10, 0, 0, 9)));
	/* More than there is room for: the newest stay. */
	for (unsigned i = 0; i < 40; i++) {
		many.addresses[0] = A(10, 0, 1, i);
		now += SECOND_NS;
		policy_learn("name.example", &many);
	}
	assert_true(still_known(p, A(10, 0, 1, 39)));
	assert_false(still_known(p, A(10, 0, 1, 3)));
	policy_forget_addresses();
	assert_false(still_known(p, A(10, 0, 1, 39)));
	assert_true(still_known(p, A(10, 0, 0, 9)));
	policy_put(p);
}

static void sessions_draw_on_their_accounts(void **state)
{
	struct policy *p = policy_create_session(7), *q = policy_create(p);

	(void)state;
	assert_int_equal(policy_memory_account(policy_root()), 0);
	assert_int_equal(policy_memory_account(p), 7);
	assert_int_equal(policy_memory_account(q), 7);
	policy_count_memory(q, 1000);
	assert_int_equal(policy_memory(p), 1000);
	policy_count_memory(q, -1000);
	policy_put(p);
	assert_int_equal(released, 0);
	policy_put(q);
	assert_int_equal(released, 7);
}

static void accounts_are_bounded(void **state)
{
	struct policy *p = policy_create(policy_root()), *q = policy_create(p);
	unsigned n = 0;

	(void)state;
	while (policy_charge(n % 2 ? p : q))
		n++;
	assert_in_range(n, 64, 512);
	assert_true(policy_charge(policy_root())); /* others are not touched */
	policy_discharge(policy_root());
	policy_discharge(q);
	assert_true(policy_charge(p));
	while (n--)
		policy_discharge(p);
	policy_put(q);
	policy_put(p);
}

static void policies_are_given_back(void **state)
{
	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct policy *p = policy_create(policy_root());

		assert_non_null(p);
		for (unsigned n = 0; n < POLICY_GRANTS_MAX; n++)
			assert_int_equal(grant_connect(p, "a.example", 80), STATUS_OK);
		assert_int_equal(grant_connect(p, "a.example", 80), STATUS_NO_BUFFERS);
		policy_put(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sum_of_all_lengths_and_alignments),
	        cmocka_unit_test(sum_of_large_blocks),
	        cmocka_unit_test(copies_exactly),
	        cmocka_unit_test(siphash_vectors),
	        cmocka_unit_test(sequence_numbers),
	        cmocka_unit_test(random_numbers_are_spread),
	        cmocka_unit_test(heap_quotas),
	        cmocka_unit_test(heap_classes),
	        cmocka_unit_test(heap_zeroes),
	        cmocka_unit_test(names),
	        cmocka_unit_test(query_is_what_it_should_be),
	        cmocka_unit_test(answers),
	        cmocka_unit_test(many_addresses),
	        cmocka_unit_test(lies_about_lengths),
	        cmocka_unit_test(mutations_never_harm),
	        cmocka_unit_test(root_allows_all),
	        cmocka_unit_test(nothing_granted_nothing_allowed),
	        cmocka_unit_test(each_grant_allows_its_own),
	        cmocka_unit_test(restriction_never_widens),
	        cmocka_unit_test(names_are_asked_once),
	        cmocka_unit_test(names_need_every_level),
	        cmocka_unit_test(addresses_of_names_expire),
	        cmocka_unit_test(sessions_draw_on_their_accounts),
	        cmocka_unit_test(accounts_are_bounded),
	        cmocka_unit_test(policies_are_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
