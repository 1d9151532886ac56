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
LWIP_CPPFLAGS = -I$(srcdir) -I$(srcdir)/netstack/lwip/port -Iwork/lwip/src/include

$(LWIP_C): work/lwip/.unpacked
	@test -f $@

# Without calls and capabilities: the unit tests link them, too (heap.c has a test of its own).
NETSTACK_PURE_C = netstack/lwip/checksum.c netstack/lwip/handshake.c netstack/lwip/neighbour.c netstack/lwip/nic.c \
	netstack/lwip/random.c netstack/lwip/reassembly.c netstack/lwip/stack.c netstack/lwip/syn_cookie.c netstack/lwip/timers.c netstack/socket/datagram.c \
	netstack/socket/datagram_queue.c netstack/socket/dns_message.c netstack/socket/icmp.c netstack/socket/icmp_echo.c \
	netstack/socket/loop.c netstack/socket/policy.c netstack/socket/resolver.c netstack/socket/socket.c netstack/socket/socket_option.c \
	netstack/socket/tcp.c netstack/socket/tcp_listen.c netstack/socket/tcp_open.c netstack/socket/tcp_options.c \
	netstack/socket/tcp_stream.c
NETSTACK_SERVICE_C = netstack/service/service.c netstack/service/service_call.c netstack/service/service_datagram.c \
	netstack/service/service_driver.c netstack/service/service_holder.c netstack/service/service_manager.c \
	netstack/service/service_resolver.c netstack/service/service_session.c netstack/service/service_socket.c \
	netstack/service/service_tcp.c
NETSTACK_H = $(NETSTACK_PURE_C:.c=.h) $(NETSTACK_SERVICE_C:.c=.h) netstack/lwip/heap.h netstack/lwip/platform.h \
	netstack/lwip/port/arch/cc.h netstack/lwip/port/hooks.h netstack/lwip/port/lwipopts.h

noinst_PROGRAMS += netstack/netstack
IMAGE_SBIN += netstack/netstack
netstack_netstack_SOURCES = $(NETSTACK_PURE_C) $(NETSTACK_SERVICE_C) $(NETSTACK_H) netstack/lwip/heap.c \
	netstack/lwip/platform.c netstack/main.c
nodist_netstack_netstack_SOURCES = $(LWIP_C)
netstack_netstack_CPPFLAGS = $(NATIVE_CPPFLAGS) $(LWIP_CPPFLAGS)
netstack_netstack_CFLAGS = $(NATIVE_CFLAGS)
netstack_netstack_LDFLAGS = $(NATIVE_LINK_FLAGS)
netstack_netstack_LDADD = $(NATIVE_LIBS)
