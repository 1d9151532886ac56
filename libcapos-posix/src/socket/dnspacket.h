/* SPDX-License-Identifier: MIT */
/*
 * DNS messages (RFC 1035) as far as libc's resolver exchanges them with us: one question read, one
 * answer built.  Pure; the question comes from the program, which may have built anything.
 */
#ifndef POSIX_DNSPACKET_H
#define POSIX_DNSPACKET_H

#include <stdint.h>

#define DNS_NAME_MAX              253u /* in text, without a final dot */
#define DNS_TYPE_A                1u
#define DNS_TYPE_AAAA             28u
#define DNS_CLASS_IN              1u
#define DNS_ANSWERS_MAX           64u
#define DNS_RCODE_OK              0u
#define DNS_RCODE_FORMAT          1u
#define DNS_RCODE_FAILURE         2u
#define DNS_RCODE_NO_NAME         3u
#define DNS_RCODE_NOT_IMPLEMENTED 4u
#define DNS_RCODE_REFUSED         5u

struct dns_question {
	char name[DNS_NAME_MAX + 1]; /* with a final NUL; "" is the root */
	uint16_t type, class_;
	uint32_t end; /* bytes of the message up to behind the question */
};

/* 0, or an rcode for the answer: DNS_RCODE_FORMAT, DNS_RCODE_NOT_IMPLEMENTED (no plain query of one
 * question).  A message too short to be answered at all: -1. */
int dns_parse_question(const uint8_t *message, uint32_t length, struct dns_question *out);

/* Builds the answer to a message of which `end` bytes (header and question) are repeated; question
 * 0: the header alone. addresses: count times 4 bytes.  Bytes built, 0 when size does not suffice;
 * answers that do not fit are left out. */
uint32_t dns_build_answer(const uint8_t *message, uint32_t end, unsigned rcode,
                          const uint8_t *addresses, uint32_t count, uint8_t *answer, uint32_t size);

#endif
