/* SPDX-License-Identifier: MIT */
/*
 * The host as a whole: its address, by DHCP or as configured, and whether it has one yet.
 */
#ifndef NETSTACK_STACK_H
#define NETSTACK_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/ip4_addr.h"

#define STACK_NAME_SERVERS 3

enum stack_mode { STACK_DHCP, STACK_STATIC, STACK_NONE };

struct stack_config {
	enum stack_mode mode;
	ip4_addr_t address, netmask, gateway; /* of STACK_STATIC */
	ip4_addr_t name_servers[STACK_NAME_SERVERS];
	unsigned nname_servers;
	char host_name[64]; /* "": none */
};

/*
 * Reads netstack's arguments, as init makes them of the manifest: "config=dhcp" (the default),
 * "config=static" with "address=A", "netmask=M", "gateway=G" and "nameserver=N" (repeated), or
 * "config=none"; "hostname=NAME".  False: *wrong is the unknown or malformed argument.
 */
bool stack_parse_arguments(int argc, const char *const *argv, struct stack_config *config,
                           const char **wrong);

/* Starts lwIP: loopback, and what a NIC needs. */
void stack_init(void);
/* With a NIC attached: gives it its address, or starts DHCP.  Without: loopback alone works. */
void stack_configure(const struct stack_config *config);

enum stack_state {
	STACK_WAITING, /* for DHCP */
	STACK_UP,
	STACK_ALONE, /* no network but loopback */
};
enum stack_state stack_state(void);
/* How long a call waits for an address. */
#define STACK_WAIT_NS (10 * 1000000000ull)
/* True once after each change of the address. */
bool stack_changed(void);

ip4_addr_t stack_address(void);
ip4_addr_t stack_netmask(void);
ip4_addr_t stack_gateway(void);
/* Bytes of the largest IP packet that the NIC sends; 0 without a NIC. */
uint16_t stack_mtu(void);
/* The NIC's link address; its length, 0 without a NIC. */
#define STACK_MAC_SIZE 6u
uint32_t stack_mac(uint8_t mac[STACK_MAC_SIZE]);
unsigned stack_name_servers(ip4_addr_t servers[STACK_NAME_SERVERS]);

/* May a socket be bound to it?  Unspecified, loopback, or the host's. */
bool stack_is_local(ip4_addr_t address);
/* The address that packets to it leave from; unspecified when no route exists. */
ip4_addr_t stack_source_for(ip4_addr_t destination);

static inline bool address_is_loopback(ip4_addr_t a)
{
	return ip4_addr_isloopback(&a);
}

#endif
