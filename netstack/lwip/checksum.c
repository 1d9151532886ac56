/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum and the copy of bulk data, both by 64-bit words: they are the most
 * expensive steps of a packet. No byte outside of the given ranges is read or written.
 */
#include "netstack/lwip/checksum.h"

typedef uint64_t __attribute__((may_alias, aligned(1))) word;
typedef uint32_t __attribute__((may_alias, aligned(1))) half;
typedef uint16_t __attribute__((may_alias, aligned(1))) quarter;

/* a + b with the carry added in again: one's complement addition of any number of 16-bit words at
 * once. */
static inline uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return sum = a + b, sum + (sum < b);
}

uint16_t port_checksum(const void *data, int length)
{
	const uint8_t *p = data;
	uint64_t sum = 0, other = 0;

	/* Two sums, so that no addition waits for the other. */
	for (; length >= 32; length -= 32, p += 32) {
		const word *w = (const word *)p;

		sum = add(sum, w[0]);
		other = add(other, w[1]);
		sum = add(sum, w[2]);
		other = add(other, w[3]);
	}
	sum = add(sum, other);
	for (; length >= 8; length -= 8, p += 8)
		sum = add(sum, *(const word *)p);
	if (length >= 4) {
		sum = add(sum, *(const half *)p);
		length -= 4, p += 4;
	}
	if (length >= 2) {
		sum = add(sum, *(const quarter *)p);
		length -= 2, p += 2;
	}
	if (length)
		sum = add(sum, *p);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void
port_copy(void *to, const void *from, size_t length)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	for (; length >= 64; length -= 64, t += 64, f += 64) {
		const word *s = (const word *)f;
		word *d = (word *)t;
		uint64_t a = s[0], b = s[1], c = s[2], e = s[3];
		uint64_t g = s[4], h = s[5], i = s[6], j = s[7];

		d[0] = a, d[1] = b, d[2] = c, d[3] = e;
		d[4] = g, d[5] = h, d[6] = i, d[7] = j;
	}
	for (; length >= 8; length -= 8, t += 8, f += 8)
		*(word *)t = *(const word *)f;
	for (; length; length--)
		*t++ = *f++;
}
