/* SPDX-License-Identifier: MIT */
/*
 * Addresses: between POSIX's struct sockaddr_in and the Data and ports of schema/network.capnp.
 * Pure.
 */
#include <errno.h>
#include <string.h>

#include "core/core.h"
#include "socket/internal.h"

int inet_parse(const struct sockaddr *address, unsigned length, struct sockaddr_in *out)
{
	if (length < sizeof(*out))
		return -EINVAL;
	memcpy(out, address, sizeof(*out));
	return out->sin_family == AF_INET ? 0 : -EAFNOSUPPORT;
}

struct msg_data inet_data(const struct in_addr *address, bool any_is_unspecified)
{
	if (any_is_unspecified && address->s_addr == 0)
		return (struct msg_data){0};
	return MSG_DATA(address, 4);
}

void inet_store(const struct sockaddr_in *in, struct sockaddr *address, unsigned *length)
{
	if (!length)
		return;
	if (address)
		memcpy(address, in, *length < sizeof(*in) ? *length : sizeof(*in));
	*length = sizeof(*in);
}

int inet_from(const struct socket_address *in, struct sockaddr_in *out)
{
	*out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(in->port)};
	if (in->addr.len == 4)
		memcpy(&out->sin_addr, in->addr.ptr, 4);
	return in->addr.len == 4 || in->addr.len == 0 ? 0 : -EIO;
}
