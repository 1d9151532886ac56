/* SPDX-License-Identifier: MIT */
/*
 * ICMP echo messages.  What comes in was on the wire: every length in it is checked against what is
 * there.
 */
#include "socket/icmp.h"

#include <string.h>

#define ICMP_HEADER       8u
#define ICMP_ECHO_REQUEST 8
#define ICMP_ECHO_REPLY   0
#define IPV4_HEADER_MIN   20u
#define IPV4_PROTOCOL     9u /* offset */
#define PROTOCOL_ICMP     1

/* RFC 1071; the result is in network order on every machine, as the sum is of 16-bit words as
 * they lie. */
static uint16_t checksum(const uint8_t *bytes, size_t length)
{
	uint64_t sum = 0;
	uint16_t word;

	for (; length > 1; length -= 2, bytes += 2) {
		memcpy(&word, bytes, 2);
		sum += word;
	}
	if (length) {
		word = 0;
		memcpy(&word, bytes, 1);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

bool icmp_make_request(uint8_t *message, size_t length, uint16_t identifier)
{
	uint16_t sum;

	if (length < ICMP_HEADER || message[0] != ICMP_ECHO_REQUEST || message[1] != 0)
		return false;
	memcpy(message + 4, &identifier, 2);
	memset(message + 2, 0, 2);
	sum = checksum(message, length);
	memcpy(message + 2, &sum, 2);
	return true;
}

bool icmp_find_reply(const uint8_t *packet, size_t length, uint16_t identifier, size_t *start,
                     size_t *end)
{
	size_t header, total;

	if (length < IPV4_HEADER_MIN || packet[0] >> 4 != 4 ||
	    packet[IPV4_PROTOCOL] != PROTOCOL_ICMP)
		return false;
	header = (size_t)(packet[0] & 15u) * 4;
	total = (size_t)packet[2] << 8 | packet[3];
	if (header < IPV4_HEADER_MIN || total > length || total < header + ICMP_HEADER)
		return false;
	if (packet[header] != ICMP_ECHO_REPLY || memcmp(packet + header + 4, &identifier, 2) != 0)
		return false;
	*start = header;
	*end = total;
	return true;
}
