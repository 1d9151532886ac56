/* SPDX-License-Identifier: MIT */
/*
 * What ioctl says about the network interface: one exists, eth0 with index 1, with the addresses
 * that NetworkManager.getConfig returns.  No program has the right to change it.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include <capos/schema/network_client.h>
#include <capos/start.h>

#include "core/core.h"
#include "socket/internal.h"

#define INTERFACE_NAME  "eth0"
#define INTERFACE_INDEX 1

static int get_config(struct in_addr *address, struct in_addr *netmask)
{
	_Alignas(8) uint8_t buffer[512];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer), .interruptible = true};
	struct network_manager_get_config_results results;
	int result = network_manager_get_config(start_cap("network"), &results, &call);

	if (result)
		return socket_errno(result);
	if (results.addr.len != 4 || results.netmask.len != 4)
		return -EADDRNOTAVAIL;
	memcpy(address, results.addr.ptr, 4);
	memcpy(netmask, results.netmask.ptr, 4);
	return 0;
}

static void set_address(struct sockaddr *out, struct in_addr address)
{
	const struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};

	memcpy(out, &in, sizeof(in));
}

static int get_address(unsigned long request, struct ifreq *r)
{
	struct in_addr address, netmask;
	int result = get_config(&address, &netmask);

	if (result)
		return result;
	if (request == SIOCGIFNETMASK)
		address = netmask;
	else if (request == SIOCGIFBRDADDR)
		address.s_addr |= ~netmask.s_addr;
	set_address(&r->ifr_addr, address);
	return 0;
}

static int list_interfaces(long argument)
{
	struct ifreq r = {.ifr_name = INTERFACE_NAME};
	struct ifconf list;
	int room, result = user_get(&list, argument);

	if (result)
		return result;
	room = list.ifc_len;
	list.ifc_len = !list.ifc_req || room >= (int)sizeof(r) ? sizeof(r) : 0;
	if (list.ifc_req && list.ifc_len) {
		result = get_address(SIOCGIFADDR, &r);
		if (!result)
			result = user_put(list.ifc_req, &r);
	}
	return result ? result : user_put(argument, &list);
}

static int interface_request(unsigned long request, struct ifreq *r)
{
	if (request == SIOCGIFNAME) {
		if (r->ifr_ifindex != INTERFACE_INDEX)
			return -ENODEV;
		strcpy(r->ifr_name, INTERFACE_NAME);
		return 0;
	}
	if (strncmp(r->ifr_name, INTERFACE_NAME, IFNAMSIZ) != 0)
		return -ENODEV;
	if (request == SIOCGIFFLAGS)
		r->ifr_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST;
	else if (request == SIOCGIFINDEX)
		r->ifr_ifindex = INTERFACE_INDEX;
	else
		return get_address(request, r);
	return 0;
}

int inet_ioctl(unsigned long request, long argument)
{
	struct ifreq r;
	int result;

	switch (request) {
	case SIOCGIFCONF:
		return list_interfaces(argument);
	case SIOCGIFNAME:
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
	case SIOCGIFFLAGS:
	case SIOCGIFINDEX:
		break;
	case SIOCSIFADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFBRDADDR:
	case SIOCSIFFLAGS:
		return -EPERM;
	default:
		return -ENOTTY;
	}
	result = user_get(&r, argument);
	if (!result)
		result = interface_request(request, &r);
	return result ? result : user_put(argument, &r);
}
