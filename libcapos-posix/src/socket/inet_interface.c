/* SPDX-License-Identifier: MIT */
/*
 * What ioctl says about network interfaces: lo, and eth0 as NetworkManager.getConfig describes it,
 * with the indices that they have on Linux.  No program has the right to change them.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

#include <capos/schema/network_client.h>
#include <capos/start.h>

#include "core/core.h"
#include "socket/internal.h"

struct interface {
	const char *name;
	int index;
	short flags;
	unsigned short hardware; /* ARPHRD_... */
};

static const struct interface interfaces[] = {
        {"lo", 1, IFF_UP | IFF_RUNNING | IFF_LOOPBACK, ARPHRD_LOOPBACK},
        {"eth0", 2, IFF_UP | IFF_RUNNING | IFF_BROADCAST, ARPHRD_ETHER},
};
#define INTERFACES    ((int)(sizeof(interfaces) / sizeof(interfaces[0])))
#define LO            (&interfaces[0])
#define LO_MTU        65536 /* as on Linux: an IP packet of any size */
#define ETHERNET_SIZE 6u

/* What is known of an interface that has an address. */
struct configuration {
	struct in_addr address, netmask;
	int mtu;
	uint8_t hardware[ETHERNET_SIZE];
};

static int get_config(const struct interface *i, struct configuration *c)
{
	_Alignas(8) uint8_t buffer[512];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer), .interruptible = true};
	struct network_manager_get_config_results results;
	int result;
	bool left;

	if (i == LO) {
		*c = (struct configuration){.address = {htonl(INADDR_LOOPBACK)},
		                            .netmask = {htonl(IN_CLASSA_NET)},
		                            .mtu = LO_MTU};
		return 0;
	}
	left = library_leave(); /* it waits until there is an address */
	result = network_manager_get_config(start_cap("network"), &results, &call);
	library_return(left);
	if (result)
		return socket_errno(result);
	if (results.addr.len != 4 || results.netmask.len != 4 ||
	    results.mac_address.len != ETHERNET_SIZE)
		return -EADDRNOTAVAIL;
	memcpy(&c->address, results.addr.ptr, 4);
	memcpy(&c->netmask, results.netmask.ptr, 4);
	memcpy(c->hardware, results.mac_address.ptr, ETHERNET_SIZE);
	c->mtu = results.mtu;
	return 0;
}

static void set_address(struct sockaddr *out, struct in_addr address)
{
	const struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};

	memcpy(out, &in, sizeof(in));
}

/* What getConfig answers; lo has no broadcast address. */
static int get_configured(const struct interface *i, unsigned long request, struct ifreq *r)
{
	struct configuration c;
	int result = get_config(i, &c);

	if (result)
		return result;
	switch (request) {
	case SIOCGIFADDR:
		set_address(&r->ifr_addr, c.address);
		break;
	case SIOCGIFNETMASK:
		set_address(&r->ifr_netmask, c.netmask);
		break;
	case SIOCGIFBRDADDR:
		if (i->flags & IFF_BROADCAST)
			c.address.s_addr |= ~c.netmask.s_addr;
		else
			c.address.s_addr = 0;
		set_address(&r->ifr_broadaddr, c.address);
		break;
	case SIOCGIFMTU:
		r->ifr_mtu = c.mtu;
		break;
	case SIOCGIFHWADDR:
		memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
		r->ifr_hwaddr.sa_family = i->hardware;
		if (i->hardware == ARPHRD_ETHER)
			memcpy(r->ifr_hwaddr.sa_data, c.hardware, ETHERNET_SIZE);
		break;
	}
	return 0;
}

/* Those that have an address, as many as fit. */
static int list_interfaces(long argument)
{
	struct ifconf list;
	int n = 0, room, result = user_get(&list, argument);

	if (result)
		return result;
	room = list.ifc_len / (int)sizeof(struct ifreq);
	for (int i = 0; i < INTERFACES && (!list.ifc_req || n < room); i++) {
		struct ifreq r = {0};

		strcpy(r.ifr_name, interfaces[i].name);
		if (get_configured(&interfaces[i], SIOCGIFADDR, &r))
			continue;
		if (list.ifc_req)
			result = user_put(&list.ifc_req[n], &r);
		if (result)
			return result;
		n++;
	}
	list.ifc_len = n * (int)sizeof(struct ifreq);
	return user_put(argument, &list);
}

static const struct interface *find(const char *name)
{
	for (int i = 0; i < INTERFACES; i++)
		if (strncmp(name, interfaces[i].name, IFNAMSIZ) == 0)
			return &interfaces[i];
	return NULL;
}

static int get_name(struct ifreq *r)
{
	for (int i = 0; i < INTERFACES; i++) {
		if (interfaces[i].index != r->ifr_ifindex)
			continue;
		strcpy(r->ifr_name, interfaces[i].name);
		return 0;
	}
	return -ENODEV;
}

static int interface_request(unsigned long request, struct ifreq *r)
{
	const struct interface *i = find(r->ifr_name);

	if (request == SIOCGIFNAME)
		return get_name(r);
	if (!i)
		return -ENODEV;
	if (request == SIOCGIFFLAGS)
		r->ifr_flags = i->flags;
	else if (request == SIOCGIFINDEX)
		r->ifr_ifindex = i->index;
	else
		return get_configured(i, request, r);
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
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
		break;
	case SIOCSIFADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFBRDADDR:
	case SIOCSIFFLAGS:
	case SIOCSIFMTU:
	case SIOCSIFHWADDR:
	case SIOCSIFNAME:
		return -EPERM; /* as without CAP_NET_ADMIN */
	default:
		return -ENOTTY;
	}
	result = user_get(&r, argument);
	if (!result)
		result = interface_request(request, &r);
	return result ? result : user_put(argument, &r);
}
