/* SPDX-License-Identifier: MIT */
/*
 * DNS messages: header, one question, A records whose names point back at the question's.
 */
#include "socket/dnspacket.h"

#include <stdbool.h>
#include <string.h>

#define HEADER                   12u
#define RECORD                   16u /* an A record with a compressed name */
#define FLAG_RESPONSE            0x80
#define FLAG_OPCODE              0x78
#define FLAG_RECURSION_DESIRED   0x01
#define FLAG_RECURSION_AVAILABLE 0x80
/* How long a program may keep an answer: not at all, since the resolver keeps it and knows for how
 * long. */
#define TTL 0

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* Reads the name at *at into text; false: it leaves the message, is compressed, too long or not
 * text. */
static bool read_name(const uint8_t *message, uint32_t length, uint32_t *at,
                      char text[DNS_NAME_MAX + 1])
{
	uint32_t used = 0;

	for (;;) {
		if (*at >= length)
			return false;
		uint32_t label = message[(*at)++];
		if (!label)
			break;
		if (label > 63 || label > length - *at || used + label + (used != 0) > DNS_NAME_MAX)
			return false;
		if (used)
			text[used++] = '.';
		for (uint32_t i = 0; i < label; i++) {
			char c = (char)message[*at + i];
			if (c == '.' || c == 0)
				return false;
			text[used++] = c;
		}
		*at += label;
	}
	text[used] = 0;
	return true;
}

int dns_parse_question(const uint8_t *message, uint32_t length, struct dns_question *out)
{
	uint32_t at = HEADER;

	memset(out, 0, sizeof(*out));
	if (length < HEADER || message[2] & FLAG_RESPONSE)
		return -1;
	if (message[2] & FLAG_OPCODE)
		return DNS_RCODE_NOT_IMPLEMENTED;
	if (get16(message + 4) != 1)
		return DNS_RCODE_FORMAT;
	if (!read_name(message, length, &at, out->name) || length - at < 4)
		return DNS_RCODE_FORMAT;
	out->type = get16(message + at);
	out->class_ = get16(message + at + 2);
	out->end = at + 4;
	return 0;
}

uint32_t dns_build_answer(const uint8_t *message, uint32_t end, unsigned rcode,
                          const uint8_t *addresses, uint32_t count, uint8_t *answer, uint32_t size)
{
	uint32_t at = end ? end : HEADER;

	if (at > size)
		return 0;
	if (!end || count > DNS_ANSWERS_MAX)
		count = end ? DNS_ANSWERS_MAX : 0;
	if (count > (size - at) / RECORD)
		count = (size - at) / RECORD;
	memcpy(answer, message, at);
	answer[2] =
	        (uint8_t)(FLAG_RESPONSE | (message[2] & (FLAG_OPCODE | FLAG_RECURSION_DESIRED)));
	answer[3] = (uint8_t)(FLAG_RECURSION_AVAILABLE | rcode);
	put16(answer + 4, end ? 1 : 0);
	put16(answer + 6, count);
	put16(answer + 8, 0);
	put16(answer + 10, 0);
	for (uint32_t i = 0; i < count; i++, at += RECORD) {
		uint8_t *record = answer + at;

		put16(record, 0xc000 | HEADER); /* the question's name */
		put16(record + 2, DNS_TYPE_A);
		put16(record + 4, DNS_CLASS_IN);
		put16(record + 6, TTL);
		put16(record + 8, TTL);
		put16(record + 10, 4);
		memcpy(record + 12, addresses + (size_t)4 * i, 4);
	}
	return at;
}
