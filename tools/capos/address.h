/* SPDX-License-Identifier: MIT */
/*
 * The value of --address: a static IPv4 address.  Pure, and strict: a number with a leading zero is
 * refused, since the guest would read it as octal.
 */
#ifndef CAPOS_TOOLS_ADDRESS_H
#define CAPOS_TOOLS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_TEXT         16 /* "255.255.255.255" and its NUL */
#define ADDRESS_NAME_SERVERS 3  /* as many as netstack keeps */

struct address {
	bool none; /* the card gets no address */
	char address[ADDRESS_TEXT];
	char netmask[ADDRESS_TEXT];
	char gateway[ADDRESS_TEXT]; /* empty: none */
	char name_servers[ADDRESS_NAME_SERVERS][ADDRESS_TEXT];
	size_t nname_servers;
};

/* none, or ADDR/BITS[,gw=ADDR][,dns=ADDR]...  NULL, or what is wrong with it. */
const char *parse_address(const char *text, struct address *out);

#endif
