/* SPDX-License-Identifier: MIT */
/*
 * Building and parsing of DNS messages.  The parser is a cursor that fails for good when it
 * would pass the end; compression pointers only point backwards, so every name ends.
 */
#include <string.h>

#include "netstack/socket/dns_message.h"

#define HEADER_SIZE 12u
#define TYPE_A      1u
#define TYPE_CNAME  5u
#define CLASS_IN    1u
#define LABEL_MAX   63u
#define CHAIN_MOST  8u /* aliases followed */

#define FLAG_RESPONSE  0x8000u
#define FLAG_OPCODE    0x7800u
#define FLAG_TRUNCATED 0x0200u
#define FLAG_RECURSE   0x0100u
#define RCODE_MASK     0x000fu
#define RCODE_OK       0u
#define RCODE_NO_NAME  3u

struct cursor {
	const uint8_t *base;
	size_t length, at;
	bool failed;
};

static uint16_t take16(struct cursor *c)
{
	uint16_t value;

	if (c->failed || c->length - c->at < 2) {
		c->failed = true;
		return 0;
	}
	value = (uint16_t)(c->base[c->at] << 8 | c->base[c->at + 1]);
	c->at += 2;
	return value;
}

static uint32_t take32(struct cursor *c)
{
	uint32_t high = take16(c);

	return high << 16 | take16(c);
}

static void skip(struct cursor *c, size_t n)
{
	if (c->failed || c->length - c->at < n)
		c->failed = true;
	else
		c->at += n;
}

static char lower(char ch)
{
	return ch >= 'A' && ch <= 'Z' ? (char)(ch + 'a' - 'A') : ch;
}

static bool name_char(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_';
}

bool dns_name_canonical(const char *name, size_t length, char out[DNS_NAME_MAX + 1])
{
	size_t label = 0;

	if (length && name[length - 1] == '.')
		length--;
	if (!length || length > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		out[i] = lower(name[i]);
		if (out[i] == '.') {
			if (!label)
				return false;
			label = 0;
		} else if (!name_char(out[i]) || ++label > LABEL_MAX) {
			return false;
		}
	}
	out[length] = 0;
	return label != 0;
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

size_t dns_build_query(uint8_t *out, size_t size, uint16_t id, const char *name)
{
	size_t length = strlen(name), at = HEADER_SIZE;

	if (size < HEADER_SIZE + length + 2 + 4)
		return 0;
	memset(out, 0, HEADER_SIZE);
	put16(out, id);
	put16(out + 2, FLAG_RECURSE);
	put16(out + 4, 1); /* questions */
	while (*name) {
		size_t label = strcspn(name, ".");

		out[at++] = (uint8_t)label;
		memcpy(out + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	out[at++] = 0;
	put16(out + at, TYPE_A);
	put16(out + at + 2, CLASS_IN);
	return at + 4;
}

/* Reads a name, in lower case; one that is not a host name in its characters becomes one that
 * equals nothing. */
static void take_name(struct cursor *c, char out[DNS_NAME_MAX + 1])
{
	size_t at = c->at, n = 0, bound = c->at;
	bool jumped = false;

	while (!c->failed) {
		uint8_t length;

		if (at >= c->length)
			break;
		length = c->base[at];
		if ((length & 0xc0) == 0xc0) {
			size_t target;

			if (at + 1 >= c->length)
				break;
			target = (size_t)(length & 0x3f) << 8 | c->base[at + 1];
			if (!jumped)
				c->at = at + 2;
			jumped = true;
			if (target >= bound) /* backwards only */
				break;
			bound = at = target;
			continue;
		}
		if (length > LABEL_MAX || c->length - at < 1u + length)
			break;
		at++;
		if (!length) {
			if (!jumped)
				c->at = at;
			out[n] = 0;
			return;
		}
		if (n + length + (n != 0) > DNS_NAME_MAX)
			break;
		if (n)
			out[n++] = '.';
		for (; length; length--, at++) {
			char ch = lower((char)c->base[at]);

			out[n++] = name_char(ch) ? ch : '?';
		}
	}
	c->failed = true;
	out[0] = 0;
}

static void add_address(struct dns_answer *answer, uint32_t address, uint32_t ttl)
{
	if (answer->count == DNS_ADDRESSES_MAX)
		return;
	if (!answer->count || ttl < answer->ttl)
		answer->ttl = ttl;
	answer->addresses[answer->count++] = address;
}

/* One look through the answers for records of `name`; an alias replaces it: true, look again. */
static bool look_through(struct cursor c, unsigned records, char name[DNS_NAME_MAX + 1],
                         struct dns_answer *answer, bool *malformed)
{
	while (records--) {
		char owner[DNS_NAME_MAX + 1];
		uint16_t type, class, size;
		uint32_t ttl, address;
		struct cursor data;

		take_name(&c, owner);
		type = take16(&c);
		class = take16(&c);
		ttl = take32(&c);
		size = take16(&c);
		data = c;
		skip(&c, size);
		if (c.failed) {
			*malformed = true;
			return false;
		}
		if (class != CLASS_IN || strcmp(owner, name) != 0)
			continue;
		if (type == TYPE_A && size == 4) {
			memcpy(&address, data.base + data.at, 4);
			add_address(answer, address, ttl);
		} else if (type == TYPE_CNAME) {
			take_name(&data, name);
			if (data.failed)
				*malformed = true;
			return !data.failed;
		}
	}
	return false;
}

enum dns_result dns_parse_response(const uint8_t *message, size_t length, uint16_t id,
                                   const char *name, struct dns_answer *answer)
{
	struct cursor c = {.base = message, .length = length};
	char current[DNS_NAME_MAX + 1];
	uint16_t flags, questions, answers, type, class;
	bool malformed = false;

	*answer = (struct dns_answer){0};
	if (length < HEADER_SIZE || take16(&c) != id)
		return DNS_NOT_OURS;
	flags = take16(&c);
	questions = take16(&c);
	answers = take16(&c);
	skip(&c, 4);
	if (!(flags & FLAG_RESPONSE) || (flags & FLAG_OPCODE) || questions != 1)
		return DNS_NOT_OURS;
	take_name(&c, current);
	type = take16(&c);
	class = take16(&c);
	if (c.failed || type != TYPE_A || class != CLASS_IN || strcmp(current, name) != 0)
		return DNS_NOT_OURS;
	if ((flags & RCODE_MASK) == RCODE_NO_NAME)
		return DNS_NO_NAME;
	if ((flags & RCODE_MASK) != RCODE_OK)
		return DNS_FAILED;
	for (unsigned i = 0; i < CHAIN_MOST; i++)
		if (!look_through(c, answers, current, answer, &malformed))
			break;
	if (malformed && !(flags & FLAG_TRUNCATED))
		return DNS_NOT_OURS;
	if (answer->count)
		return DNS_ANSWERED;
	return flags & FLAG_TRUNCATED ? DNS_FAILED : DNS_NO_DATA;
}
