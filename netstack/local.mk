# SPDX-License-Identifier: MIT
# The TCP/IP server: lwIP, pristine, from its port's sources, and our own around it.

LWIP_C = work/lwip/src/core/def.c work/lwip/src/core/dns.c work/lwip/src/core/inet_chksum.c \
	work/lwip/src/core/init.c work/lwip/src/core/ip.c work/lwip/src/core/mem.c \
	work/lwip/src/core/memp.c work/lwip/src/core/netif.c work/lwip/src/core/pbuf.c \
	work/lwip/src/core/raw.c work/lwip/src/core/tcp.c work/lwip/src/core/tcp_in.c \
	work/lwip/src/core/tcp_out.c work/lwip/src/core/udp.c work/lwip/src/core/ipv4/dhcp.c \
	work/lwip/src/core/ipv4/etharp.c work/lwip/src/core/ipv4/icmp.c \
	work/lwip/src/core/ipv4/ip4.c work/lwip/src/core/ipv4/ip4_addr.c \
	work/lwip/src/core/ipv4/ip4_frag.c work/lwip/src/netif/ethernet.c
LWIP_CPPFLAGS = -I$(srcdir)/netstack/port -Iwork/lwip/src/include

$(LWIP_C): work/lwip/.unpacked
	@test -f $@

# Know nothing of calls and capabilities: the unit tests link them, too (heap.c has a test of its own).
NETSTACK_PURE_C = netstack/checksum.c netstack/datagram.c netstack/dns_message.c netstack/icmp.c \
	netstack/loop.c netstack/nic.c netstack/policy.c netstack/random.c netstack/resolver.c \
	netstack/socket.c netstack/stack.c netstack/tcp.c netstack/tcp_open.c netstack/tcp_options.c \
	netstack/timers.c
NETSTACK_H = netstack/checksum.h netstack/datagram.h netstack/dns_message.h netstack/heap.h \
	netstack/loop.h netstack/nic.h netstack/platform.h netstack/policy.h netstack/random.h \
	netstack/resolver.h netstack/service.h netstack/socket.h netstack/stack.h netstack/tcp.h \
	netstack/tcp_internal.h netstack/timers.h netstack/port/arch/cc.h netstack/port/hooks.h \
	netstack/port/lwipopts.h

noinst_PROGRAMS += netstack/netstack
IMAGE_SBIN += netstack/netstack
netstack_netstack_SOURCES = $(NETSTACK_PURE_C) $(NETSTACK_H) netstack/heap.c netstack/main.c \
	netstack/service.c netstack/service_datagram.c netstack/service_manager.c \
	netstack/service_resolver.c netstack/service_tcp.c
nodist_netstack_netstack_SOURCES = $(LWIP_C)
netstack_netstack_CPPFLAGS = $(NATIVE_CPPFLAGS) $(LWIP_CPPFLAGS)
netstack_netstack_CFLAGS = $(NATIVE_CFLAGS)
netstack_netstack_LDFLAGS = $(NATIVE_LINK_FLAGS)
netstack_netstack_LDADD = $(NATIVE_LIBS)
