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

static int list_interfaces(struct ifconf *list)
{
	struct ifreq r = {.ifr_name = INTERFACE_NAME};
	int result;

	if (!list->ifc_req) {
		list->ifc_len = sizeof(r);
		return 0;
	}
	if (list->ifc_len < (int)sizeof(r)) {
		list->ifc_len = 0;
		return 0;
	}
	result = get_address(SIOCGIFADDR, &r);
	if (result)
		return result;
	list->ifc_len = sizeof(r);
	*list->ifc_req = r;
	return 0;
}

int inet_ioctl(unsigned long request, void *argument)
{
	struct ifreq *r = argument;

	switch (request) {
	case SIOCGIFCONF:
		return list_interfaces(argument);
	case SIOCGIFNAME:
		if (r->ifr_ifindex != INTERFACE_INDEX)
			return -ENODEV;
		strcpy(r->ifr_name, INTERFACE_NAME);
		return 0;
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
