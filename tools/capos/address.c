/* SPDX-License-Identifier: MIT */
/*
 * The value of --address.
 */
#include "tools/capos/address.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Takes a decimal number without leading zeros of at most `most` off the text. */
static bool take_number(const char **text, unsigned most, unsigned *out)
{
	const char *p = *text;

	*out = 0;
	if (*p == '0' && isdigit((unsigned char)p[1]))
		return false;
	for (; isdigit((unsigned char)*p) && *out <= most; p++)
		*out = *out * 10 + (unsigned)(*p - '0');
	if (p == *text || *out > most)
		return false;
	*text = p;
	return true;
}

static bool take_ipv4(const char **text, uint32_t *out)
{
	*out = 0;
	for (int part = 0; part < 4; part++) {
		unsigned value;
		if (part > 0 && *(*text)++ != '.')
			return false;
		if (!take_number(text, 255, &value))
			return false;
		*out = *out << 8 | value;
	}
	return true;
}

static void ipv4_text(uint32_t address, char out[ADDRESS_TEXT])
{
	snprintf(out, ADDRESS_TEXT, "%u.%u.%u.%u", address >> 24, address >> 16 & 0xff,
	         address >> 8 & 0xff, address & 0xff);
}

/* An address that one machine can have: not "this network", loopback, multicast or reserved
 * (RFC 6890). */
static bool is_unicast(uint32_t address)
{
	uint32_t first = address >> 24;

	return first != 0 && first != 127 && first < 224;
}

/* The options behind the address, each with a comma before it. */
static const char *parse_options(const char *text, struct address *out)
{
	uint32_t address;

	while (*text != '\0') {
		bool gateway = strncmp(text, ",gw=", 4) == 0;
		if (!gateway && strncmp(text, ",dns=", 5) != 0)
			return "only gw=ADDRESS and dns=ADDRESS may follow the address";
		text += gateway ? 4 : 5;
		if (!take_ipv4(&text, &address) || (*text != '\0' && *text != ',') ||
		    !is_unicast(address))
			return gateway ? "the value of gw= is not an IPv4 address of a machine"
			               : "the value of dns= is not an IPv4 address of a machine";
		if (gateway && out->gateway[0] != '\0')
			return "gw= is given twice";
		if (!gateway && out->nname_servers == ADDRESS_NAME_SERVERS)
			return "at most three name servers";
		ipv4_text(address,
		          gateway ? out->gateway : out->name_servers[out->nname_servers++]);
	}
	return NULL;
}

const char *parse_address(const char *text, struct address *out)
{
	uint32_t address;
	unsigned bits;

	*out = (struct address){.none = strcmp(text, "none") == 0};
	if (out->none)
		return NULL;
	if (!take_ipv4(&text, &address) || *text++ != '/')
		return "must be none or ADDRESS/BITS[,gw=ADDRESS][,dns=ADDRESS], with IPv4 "
		       "addresses like 192.168.1.2";
	if (!take_number(&text, 32, &bits) || (*text != '\0' && *text != ','))
		return "the bits after the slash must be 0 to 32";
	uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
	if (!is_unicast(address))
		return "no machine can have that address";
	if (bits < 31 && ((address & ~mask) == 0 || (address | mask) == UINT32_MAX))
		return "that is the address of the network or of its broadcasts, not of a machine";
	ipv4_text(address, out->address);
	ipv4_text(mask, out->netmask);
	return parse_options(text, out);
}
