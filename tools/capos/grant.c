/* SPDX-License-Identifier: MIT */
/*
 * Text of command line values into numbers and grants.
 */
#include "tools/capos/grant.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 253 /* a host name, RFC 1035 2.3.4 in text */

static bool number_of(const char *text, size_t length, uint64_t minimum, uint64_t maximum,
                      uint64_t *out)
{
	uint64_t value = 0;

	if (length == 0 || length > 18)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*out = value;
	return value >= minimum && value <= maximum;
}

bool parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *out)
{
	return number_of(text, strlen(text), minimum, maximum, out);
}

static bool port_of(const char *text, size_t length, uint16_t *out)
{
	uint64_t value;

	if (!number_of(text, length, 1, UINT16_MAX, &value))
		return false;
	*out = (uint16_t)value;
	return true;
}

static bool host_is_valid(const char *host, size_t length)
{
	if (length == 0 || length > HOST_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)host[i];
		if (!isalnum(c) && c != '.' && c != '-' && c != '_' && c != ':')
			return false;
	}
	return true;
}

static const char *parse_connect(const char *text, struct grant *out)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;

	if (!colon)
		return "connect= needs HOST:PORT";
	size_t length = (size_t)(colon - text);
	if (host[0] == '[' && length >= 2 && host[length - 1] == ']') {
		host++;
		length -= 2;
	} else if (memchr(host, ':', length)) {
		return "an IPv6 address stands in brackets: connect=[ADDRESS]:PORT";
	}
	if (!host_is_valid(host, length))
		return "connect= needs a host name or address before the colon";
	out->kind = GRANT_CONNECT;
	out->host = host;
	out->host_length = length;
	if (strcmp(colon + 1, "*") == 0)
		out->port = 0;
	else if (!port_of(colon + 1, strlen(colon + 1), &out->port))
		return "the port of connect= must be 1 to 65535, or * for any";
	return NULL;
}

const char *parse_grant(const char *text, struct grant *out)
{
	static const char *const names[] = {"connect=HOST:PORT", "listen=PORT", "udp", "icmp",
	                                    "resolve",           "none"};
	static const enum grant_kind plain[] = {GRANT_UDP, GRANT_ICMP, GRANT_RESOLVE, GRANT_NONE};

	*out = (struct grant){0};
	if (strncmp(text, "connect=", 8) == 0)
		return parse_connect(text + 8, out);
	if (strncmp(text, "listen=", 7) == 0) {
		out->kind = GRANT_LISTEN;
		return port_of(text + 7, strlen(text + 7), &out->port)
		               ? NULL
		               : "the port of listen= must be 1 to 65535";
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(text, names[i + 2]) == 0) {
			out->kind = plain[i];
			return NULL;
		}
	}
	return "unknown grant; there are connect=HOST:PORT, listen=PORT, udp, icmp, resolve and "
	       "none";
}

/* HOSTPORT:GUESTPORT, of length bytes. */
static bool parse_ports(const char *text, size_t length, struct forward *out)
{
	const char *colon = memchr(text, ':', length);

	if (!colon)
		return false;
	size_t before = (size_t)(colon - text);
	return port_of(text, before, &out->host_port) &&
	       port_of(colon + 1, length - before - 1, &out->guest_port);
}

const char *parse_forward(const char *text, struct forward *out)
{
	bool known = strncmp(text, "tcp:", 4) == 0 || strncmp(text, "udp:", 4) == 0;

	out->udp = text[0] == 'u';
	if (!known || !parse_ports(text + 4, strlen(text + 4), out))
		return "must be tcp:HOSTPORT:GUESTPORT or udp:HOSTPORT:GUESTPORT, with ports of 1 "
		       "to 65535";
	return NULL;
}

const char *parse_publish(const char *text, struct forward *out)
{
	size_t length = strcspn(text, "/");

	out->udp = strcmp(text + length, "/udp") == 0;
	if ((text[length] != '\0' && !out->udp && strcmp(text + length, "/tcp") != 0) ||
	    !parse_ports(text, length, out))
		return "must be HOSTPORT:GUESTPORT or HOSTPORT:GUESTPORT/udp, with ports of 1 to "
		       "65535; the address on the host is always 127.0.0.1";
	return NULL;
}

bool parse_size(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *out)
{
	static const char units[] = "KMG";
	size_t length = strlen(text);
	const char *unit =
	        length > 0 ? strchr(units, toupper((unsigned char)text[length - 1])) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	uint64_t value;

	if (!number_of(text, length - (unit ? 1 : 0), 0, UINT64_MAX >> shift, &value))
		return false;
	*out = value << shift;
	return *out >= minimum && *out <= maximum;
}

bool parse_duration(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *out)
{
	static const char units[] = "smh";
	static const uint64_t seconds[] = {1, 60, 3600};
	size_t length = strlen(text);
	const char *unit = length > 0 ? strchr(units, text[length - 1]) : NULL;
	uint64_t factor = unit ? seconds[unit - units] : 1;

	if (!number_of(text, length - (unit ? 1 : 0), 0, maximum / factor, out))
		return false;
	*out *= factor;
	return *out >= minimum;
}

#define NAME_MAX_LENGTH 32

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Letters to insert, remove, replace or swap with the next one to turn a into b (the optimal string
 * alignment distance); SIZE_MAX for long names. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t length_a = strlen(a), length_b = strlen(b);
	size_t distance[NAME_MAX_LENGTH + 1][NAME_MAX_LENGTH + 1];

	if (length_a > NAME_MAX_LENGTH || length_b > NAME_MAX_LENGTH)
		return SIZE_MAX;
	for (size_t i = 0; i <= length_a; i++) {
		for (size_t j = 0; j <= length_b; j++) {
			if (i == 0 || j == 0) {
				distance[i][j] = i + j;
				continue;
			}
			size_t removed = least(distance[i - 1][j], distance[i][j - 1]) + 1;
			size_t replaced = distance[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			distance[i][j] = least(removed, replaced);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				distance[i][j] = least(distance[i][j], distance[i - 2][j - 2] + 1);
		}
	}
	return distance[length_a][length_b];
}

const char *nearest_name(const char *text, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t best = SIZE_MAX;
	size_t length = strlen(text);

	for (size_t i = 0; i < count; i++) {
		/* A name that is cut short. */
		if (length >= 3 && strncmp(names[i], text, length) == 0)
			return names[i];
		size_t distance = edit_distance(text, names[i]);
		if (distance < best) {
			best = distance;
			nearest = names[i];
		}
	}
	/* Further away it is another word. */
	return best <= (length + 1) / 3 ? nearest : NULL;
}
