/* SPDX-License-Identifier: MIT */
/*
 * Name resolution: a DNS query that libc would have sent to a name server is answered by the
 * capability "resolver". No DNS packet ever leaves libc.  Reached by a system call number of our
 * own, from overlay/src/network/res_msend.c.
 */
#include <errno.h>
#include <string.h>

#include <capos/schema/network_client.h>
#include <capos/schema/status.h>
#include <capos/start.h>

#include "core/core.h"
#include "socket/dnspacket.h"

/* Holds the longest name going out and DNS_ANSWERS_MAX addresses coming back, 16 bytes each. */
#define RESOLVE_BUFFER 1536u

/* Addresses in `out`, *count of them; an rcode, or -EINTR. */
static int resolve(cap_t resolver, const char *name, uint8_t out[DNS_ANSWERS_MAX][4],
                   uint32_t *count)
{
	_Alignas(8) uint8_t buffer[RESOLVE_BUFFER];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer), .interruptible = true};
	const struct dns_resolver_resolve_params params = {
	        .name = {.ptr = name, .len = (uint32_t)strlen(name)},
	        .family = IP_ADDRESS_FAMILY_IPV4};
	struct dns_resolver_resolve_results results;
	bool left = library_leave(); /* it may take seconds */
	int result = dns_resolver_resolve(resolver, &params, &results, &call);

	library_return(left);
	*count = 0;
	switch (result) {
	case CAP_OK:
		break;
	case STATUS_NO_DATA:
		return DNS_RCODE_OK;
	case STATUS_NAME_NOT_FOUND:
	case STATUS_INVALID_ARGUMENT: /* not a host name: no host has it */
		return DNS_RCODE_NO_NAME;
	case STATUS_ACCESS_DENIED:
		return DNS_RCODE_REFUSED;
	case CAP_EINTR:
		return -EINTR;
	default:
		return DNS_RCODE_FAILURE;
	}
	for (uint32_t i = 0; i < results.addresses.count && *count < DNS_ANSWERS_MAX; i++) {
		struct msg_data address;

		if (msg_list_data(&results.addresses, i, &address))
			return DNS_RCODE_FAILURE;
		if (address.len == 4)
			memcpy(out[(*count)++], address.ptr, 4);
	}
	return DNS_RCODE_OK;
}

static int answer_question(const struct dns_question *question,
                           uint8_t addresses[DNS_ANSWERS_MAX][4], uint32_t *count)
{
	cap_t resolver = start_cap("resolver");

	if (!resolver)
		return DNS_RCODE_REFUSED;
	if (question->class_ != DNS_CLASS_IN)
		return DNS_RCODE_NOT_IMPLEMENTED;
	/* Another type of an existing name has no records here; whether it exists only A can
	 * tell. */
	int rcode = resolve(resolver, question->name, addresses, count);
	if (question->type != DNS_TYPE_A)
		*count = 0;
	return rcode;
}

/* A question of a name of 255 bytes fits the first with room for options (RFC 6891), it and
 * DNS_ANSWERS_MAX addresses of 16 bytes each the second.  musl's resolver, which calls this, has
 * several KiB on its stack. */
#define QUERY_MAX  512
#define ANSWER_MAX 1536

long sys_resolve(long query, long query_length, long answer, long size)
{
	uint8_t message[QUERY_MAX], built[ANSWER_MAX];
	uint8_t addresses[DNS_ANSWERS_MAX][4];
	struct dns_question question;
	uint32_t count = 0;
	int rcode;
	long length;

	if (query_length < 0 || query_length > QUERY_MAX || size < 0)
		return -EINVAL;
	if (user_read(message, query, (size_t)query_length))
		return -EFAULT;
	rcode = dns_parse_question(message, (uint32_t)query_length, &question);
	if (rcode < 0)
		return -EINVAL;
	if (!rcode)
		rcode = answer_question(&question, addresses, &count);
	if (rcode < 0)
		return rcode;
	length = dns_build_answer(message, question.end, (unsigned)rcode, addresses[0], count,
	                          built, size < ANSWER_MAX ? (uint32_t)size : ANSWER_MAX);
	return length > 0 && user_write(answer, built, (size_t)length) ? -EFAULT : length;
}
