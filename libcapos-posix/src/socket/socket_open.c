/* SPDX-License-Identifier: MIT */
/*
 * socket(): which kind is meant, and its making.  The right to the network is the capability
 * "network": without it there are no sockets (EACCES), with it netstack decides about each use.
 */
#include <errno.h>

#include <capos/schema/network_client.h>
#include <capos/start.h>

#include "core/core.h"
#include "socket/internal.h"

#define SOCKET_CALL_BUFFER 512u

static int open_tcp(cap_t network, struct capos_call *call, cap_t *object, struct chan *chan)
{
	const struct network_manager_open_tcp_params params = {.wake_bits = PROCESS_WAKE_BITS};
	struct network_manager_open_tcp_results r;
	int result = network_manager_open_tcp(network, &params, &r, call);

	return result ? result : socket_take(call, r.socket_index, &r.channel, object, chan);
}

static int open_udp(cap_t network, struct capos_call *call, cap_t *object, struct chan *chan)
{
	const struct network_manager_open_udp_params params = {.wake_bits = PROCESS_WAKE_BITS};
	struct network_manager_open_udp_results r;
	int result = network_manager_open_udp(network, &params, &r, call);

	return result ? result : socket_take(call, r.socket_index, &r.channel, object, chan);
}

static int open_icmp(cap_t network, struct capos_call *call, cap_t *object, struct chan *chan)
{
	const struct network_manager_open_icmp_params params = {.wake_bits = PROCESS_WAKE_BITS};
	struct network_manager_open_icmp_results r;
	int result = network_manager_open_icmp(network, &params, &r, call);

	return result ? result : socket_take(call, r.socket_index, &r.channel, object, chan);
}

static int open_kind(enum socket_kind kind, cap_t network, cap_t *object, struct chan *chan)
{
	_Alignas(8) uint8_t buffer[SOCKET_CALL_BUFFER];
	const struct capos_send_cap wake = process_wake_cap();
	struct capos_call call = {
	        .send_caps = &wake, .send_ncaps = 1, .buffer = buffer, .size = sizeof(buffer)};

	switch (kind) {
	case SOCKET_TCP:
		return open_tcp(network, &call, object, chan);
	case SOCKET_UDP:
		return open_udp(network, &call, object, chan);
	default:
		return open_icmp(network, &call, object, chan);
	}
}

#define SOCK_TYPES 11 /* SOCK_MAX of Linux */

static int unknown_protocol(int protocol)
{
	return (int)absent_option(ABSENT_PROTOCOL, (unsigned)protocol,
	                          protocol < 0 || protocol >= IPPROTO_MAX ? -EINVAL
	                                                                  : -EPROTONOSUPPORT);
}

static int kind_of(int type, int protocol, enum socket_kind *kind)
{
	switch (type) {
	case SOCK_STREAM:
		*kind = SOCKET_TCP;
		return protocol == 0 || protocol == IPPROTO_TCP ? 0 : unknown_protocol(protocol);
	case SOCK_DGRAM:
		*kind = protocol == IPPROTO_ICMP ? SOCKET_PING : SOCKET_UDP;
		return protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP
		               ? 0
		               : unknown_protocol(protocol);
	case SOCK_RAW:
		*kind = SOCKET_RAW_ICMP;
		if (protocol == IPPROTO_ICMP)
			return 0;
		return protocol > 0 && protocol < IPPROTO_MAX ? (int)absent(ABSENT_RAW_PROTOCOL)
		                                              : -EPROTONOSUPPORT;
	default:
		return (int)absent_option(ABSENT_TYPE, (unsigned)type,
		                          type > 0 && type < SOCK_TYPES ? -ESOCKTNOSUPPORT
		                                                        : -EINVAL);
	}
}

long sys_socket(long family, long type, long protocol)
{
	int flags = (int)type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
	cap_t network = start_cap("network"), object;
	enum socket_kind kind = SOCKET_TCP;
	struct chan chan;
	struct file *f;
	int result;

	if ((int)family == AF_UNIX)
		return local_socket((int)type & ~flags, flags, (int)protocol);
	if ((int)family != AF_INET)
		return absent_option(ABSENT_FAMILY, (unsigned)family, -EAFNOSUPPORT);
	result = kind_of((int)type & ~flags, (int)protocol, &kind);
	if (result)
		return result;
	if (!network)
		return -EACCES;
	result = socket_errno(open_kind(kind, network, &object, &chan));
	if (!result)
		result = socket_file(kind, SOCKET_FRESH, object, &chan, flags, &f);
	return result ? result : socket_install(f, flags);
}
