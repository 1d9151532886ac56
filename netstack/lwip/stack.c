/* SPDX-License-Identifier: MIT */
/*
 * Starting lwIP and giving the host its address.  lwIP's interface structure is the only record of
 * the address; what is kept here is where it comes from and which one was reported last.
 */
#include <string.h>

#include "netstack/lwip/nic.h"
#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "netstack/lwip/timers.h"

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/ip4.h"
#include "lwip/netif.h"

static struct stack_config config;
static ip4_addr_t reported; /* the address at the last stack_changed() */
static bool reported_once;

/* ---- Arguments ---- */

/* The text after "key=", or NULL. */
static const char *value_of(const char *argument, const char *key)
{
	size_t n = strlen(key);

	return strncmp(argument, key, n) == 0 && argument[n] == '=' ? argument + n + 1 : NULL;
}

static bool parse_mode(const char *text, struct stack_config *c)
{
	static const char *const names[] = {"dhcp", "static", "none"};

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		c->mode = (enum stack_mode)i;
		return true;
	}
	return false;
}

static bool parse_argument(const char *argument, struct stack_config *c)
{
	const char *value;

	if ((value = value_of(argument, "config")))
		return parse_mode(value, c);
	if ((value = value_of(argument, "address")))
		return ip4addr_aton(value, &c->address);
	if ((value = value_of(argument, "netmask")))
		return ip4addr_aton(value, &c->netmask) &&
		       ip4_addr_netmask_valid(ip4_addr_get_u32(&c->netmask));
	if ((value = value_of(argument, "gateway")))
		return !*value || ip4addr_aton(value, &c->gateway);
	if ((value = value_of(argument, "nameserver")))
		return c->nname_servers < STACK_NAME_SERVERS &&
		       ip4addr_aton(value, &c->name_servers[c->nname_servers++]);
	if ((value = value_of(argument, "hostname")) && strlen(value) < sizeof(c->host_name)) {
		memcpy(c->host_name, value, strlen(value) + 1);
		return true;
	}
	return false;
}

bool stack_parse_arguments(int argc, const char *const *argv, struct stack_config *c,
                           const char **wrong)
{
	*c = (struct stack_config){.mode = STACK_DHCP};
	for (int i = 1; i < argc; i++) {
		*wrong = argv[i];
		if (!parse_argument(argv[i], c))
			return false;
	}
	*wrong = "config=static without address= and netmask=";
	return c->mode != STACK_STATIC ||
	       (!ip4_addr_isany_val(c->address) && !ip4_addr_isany_val(c->netmask));
}

/* ---- State ---- */

void stack_init(void)
{
	struct netif *loop;

	timers_init();
	lwip_init();
	loop = netif_list; /* the first interface, and the only one yet */
	/* What never leaves this process needs no checksums, but for those that programs see
	 * and check. */
	if (loop)
		NETIF_SET_CHECKSUM_CTRL(loop, NETIF_CHECKSUM_GEN_ICMP | NETIF_CHECKSUM_CHECK_ICMP);
	config.mode = STACK_NONE;
}

void stack_configure(const struct stack_config *c)
{
	struct netif *netif = nic_netif();

	config = *c;
	if (!netif) {
		config.mode = STACK_NONE;
		return;
	}
	if (config.host_name[0])
		netif_set_hostname(netif, config.host_name);
	switch (config.mode) {
	case STACK_DHCP:
		if (dhcp_start(netif) != ERR_OK) {
			platform_log("cannot start DHCP: out of memory");
			config.mode = STACK_NONE;
		}
		break;
	case STACK_STATIC:
		netif_set_addr(netif, &config.address, &config.netmask, &config.gateway);
		for (unsigned i = 0; i < config.nname_servers; i++) {
			ip_addr_t server = config.name_servers[i];

			dns_setserver((u8_t)i, &server);
		}
		break;
	case STACK_NONE:
		netif_set_down(netif);
		break;
	}
}

enum stack_state stack_state(void)
{
	if (config.mode == STACK_NONE)
		return STACK_ALONE;
	return ip4_addr_isany_val(*netif_ip4_addr(nic_netif())) ? STACK_WAITING : STACK_UP;
}

bool stack_changed(void)
{
	ip4_addr_t now = stack_address();

	if (reported_once && ip4_addr_eq(&now, &reported))
		return false;
	reported_once = true;
	reported = now;
	return true;
}

ip4_addr_t stack_address(void)
{
	return nic_netif() ? *netif_ip4_addr(nic_netif()) : (ip4_addr_t){0};
}

ip4_addr_t stack_netmask(void)
{
	return nic_netif() ? *netif_ip4_netmask(nic_netif()) : (ip4_addr_t){0};
}

ip4_addr_t stack_gateway(void)
{
	return nic_netif() ? *netif_ip4_gw(nic_netif()) : (ip4_addr_t){0};
}

uint16_t stack_mtu(void)
{
	return nic_netif() ? nic_netif()->mtu : 0;
}

uint32_t stack_mac(uint8_t mac[STACK_MAC_SIZE])
{
	if (!nic_netif())
		return 0;
	memcpy(mac, nic_netif()->hwaddr, STACK_MAC_SIZE);
	return STACK_MAC_SIZE;
}

unsigned stack_name_servers(ip4_addr_t servers[STACK_NAME_SERVERS])
{
	unsigned n = 0;

	for (u8_t i = 0; i < DNS_MAX_SERVERS && n < STACK_NAME_SERVERS; i++) {
		const ip_addr_t *server = dns_getserver(i);

		if (!ip_addr_isany(server))
			servers[n++] = *ip_2_ip4(server);
	}
	return n;
}

bool stack_is_local(ip4_addr_t address)
{
	ip4_addr_t own = stack_address();

	return ip4_addr_isany_val(address) || address_is_loopback(address) ||
	       ip4_addr_eq(&address, &own);
}

ip4_addr_t stack_source_for(ip4_addr_t destination)
{
	struct netif *netif = ip4_route(&destination);

	return netif ? *netif_ip4_addr(netif) : (ip4_addr_t){0};
}
