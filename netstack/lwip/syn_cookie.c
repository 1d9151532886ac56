/* SPDX-License-Identifier: MIT */
/*
 * A cookie is, from its lowest bit: selective acknowledgements (1), the maximum segment size's
 * place in a table (2), the window scale, 15 for none (4), the period's parity (1), and a keyed
 * hash of all that and the connection (24).  An attacker that sees no answer guesses one
 * acknowledgement in 2^24 right.
 */
#include "netstack/lwip/random.h"
#include "netstack/lwip/syn_cookie.h"

#define OPTION_END          0u
#define OPTION_NONE         1u
#define OPTION_MSS          2u
#define OPTION_WINDOW_SCALE 3u
#define OPTION_SACK         4u

#define WINDOW_SCALE_MAX 14 /* RFC 7323, 2.3 */
#define NO_SCALE         15u
#define PARITY           0x80u
#define FACTS            0xffu /* all but the hash */

/* The largest of these that the peer takes: Ethernet's, a tunnel's, RFC 9293's default, and one for
 * odd links. */
static const uint16_t segment_sizes[4] = {256, 536, 1360, 1460};
#define DEFAULT_MSS 536u

void syn_read_options(struct syn *syn, const uint8_t *options, uint32_t length)
{
	syn->mss = 0;
	syn->window_scale = -1;
	syn->sack = false;
	for (uint32_t at = 0; at < length && options[at] != OPTION_END;) {
		uint32_t left = length - at, size = left > 1 ? options[at + 1] : 0;
		const uint8_t *value = options + at + 2;

		if (options[at] == OPTION_NONE) {
			at++;
			continue;
		}
		if (size < 2 || size > left)
			return;
		if (options[at] == OPTION_MSS && size == 4)
			syn->mss = (uint16_t)(value[0] << 8 | value[1]);
		else if (options[at] == OPTION_WINDOW_SCALE && size == 3)
			syn->window_scale =
			        value[0] > WINDOW_SCALE_MAX ? WINDOW_SCALE_MAX : (int8_t)value[0];
		else if (options[at] == OPTION_SACK && size == 2)
			syn->sack = true;
		at += size;
	}
}

uint32_t syn_write_options(const struct syn *syn, uint8_t *options)
{
	uint32_t length = 0;

	if (syn->mss) {
		options[length++] = OPTION_MSS;
		options[length++] = 4;
		options[length++] = (uint8_t)(syn->mss >> 8);
		options[length++] = (uint8_t)syn->mss;
	}
	if (syn->window_scale >= 0) {
		options[length++] = OPTION_NONE;
		options[length++] = OPTION_WINDOW_SCALE;
		options[length++] = 3;
		options[length++] = (uint8_t)syn->window_scale;
	}
	if (syn->sack) {
		options[length++] = OPTION_NONE;
		options[length++] = OPTION_NONE;
		options[length++] = OPTION_SACK;
		options[length++] = 2;
	}
	return length;
}

static uint32_t hash(const struct syn *syn, uint32_t facts, uint64_t period)
{
	struct {
		uint64_t period;
		uint32_t local, remote, sequence, facts;
		uint16_t local_port, remote_port;
		uint32_t unused;
	} input = {.period = period,
	           .local = syn->local_address,
	           .remote = syn->remote_address,
	           .sequence = syn->sequence,
	           .facts = facts,
	           .local_port = syn->local_port,
	           .remote_port = syn->remote_port};

	_Static_assert(sizeof(input) == 32, "hashed without padding");
	return (uint32_t)random_cookie_hash(&input, sizeof(input)) & ~FACTS;
}

static uint32_t size_index(uint16_t mss)
{
	uint32_t index = 3;

	if (!mss)
		mss = DEFAULT_MSS;
	while (index > 0 && segment_sizes[index] > mss)
		index--;
	return index;
}

uint32_t syn_cookie_make(const struct syn *syn, uint64_t now)
{
	uint64_t period = now / SYN_COOKIE_PERIOD_NS;
	uint32_t scale = syn->window_scale < 0 ? NO_SCALE : (uint32_t)syn->window_scale;
	uint32_t facts = (uint32_t)syn->sack | size_index(syn->mss) << 1 | scale << 3 |
	                 (period & 1 ? PARITY : 0);

	return hash(syn, facts, period) | facts;
}

bool syn_cookie_check(struct syn *syn, uint32_t cookie, uint64_t now)
{
	uint64_t period = now / SYN_COOKIE_PERIOD_NS;
	uint32_t facts = cookie & FACTS, scale = facts >> 3 & 15;

	if ((period & 1) != !!(facts & PARITY))
		period--; /* the one before; at time 0 there was none, and the hash differs */
	if ((hash(syn, facts, period) | facts) != cookie)
		return false;
	syn->sack = facts & 1;
	syn->mss = segment_sizes[facts >> 1 & 3];
	syn->window_scale = scale == NO_SCALE ? -1 : (int8_t)scale;
	return true;
}
