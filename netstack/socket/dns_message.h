/* SPDX-License-Identifier: MIT */
/*
 * DNS messages (RFC 1035): one question for a name's A records, and the answer to it.  Every
 * length in an answer is checked before it is used; no answer can make the parser loop or read
 * outside of it.
 */
#ifndef NETSTACK_DNS_MESSAGE_H
#define NETSTACK_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX      253u /* characters of a name in text */
#define DNS_QUERY_MAX     (12u + DNS_NAME_MAX + 2u + 4u)
#define DNS_RESPONSE_MAX  1232u /* what a datagram may carry without being cut on the way */
#define DNS_ADDRESSES_MAX 16u   /* of one name; more are left out */

/*
 * Checks a name (letters, digits, '-' and '_' in labels of 1 to 63, at most DNS_NAME_MAX; one final
 * dot is allowed) and writes it in lower case without that dot.  False: not a host name.
 */
bool dns_name_canonical(const char *name, size_t length, char out[DNS_NAME_MAX + 1]);

/* A query for a canonical name; its length, 0 when it does not fit. */
size_t dns_build_query(uint8_t *out, size_t size, uint16_t id, const char *name);

struct dns_answer {
	uint32_t addresses[DNS_ADDRESSES_MAX]; /* network order */
	unsigned count;
	uint32_t ttl; /* seconds: the least of those used */
};

enum dns_result {
	DNS_ANSWERED, /* answer is filled, count > 0 */
	DNS_NO_NAME,  /* the name does not exist */
	DNS_NO_DATA,  /* it exists, without an address */
	DNS_FAILED,   /* this server failed or refused */
	DNS_NOT_OURS, /* not an answer to this question, or malformed: keep waiting */
};
enum dns_result dns_parse_response(const uint8_t *message, size_t length, uint16_t id,
                                   const char *name, struct dns_answer *answer);

#endif
