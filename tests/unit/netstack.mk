# SPDX-License-Identifier: MIT
# netstack: its pure parts alone, and the whole stack without the IPC, over a fake NIC.

UNIT_TESTS += tests/unit/test-netstack-pure
tests_unit_test_netstack_pure_SOURCES = tests/unit/test_netstack_pure.c netstack/lwip/checksum.c \
	netstack/socket/dns_message.c netstack/lwip/heap.c netstack/socket/policy.c netstack/lwip/random.c
nodist_tests_unit_test_netstack_pure_SOURCES = work/lwip/src/core/def.c \
	work/lwip/src/core/ipv4/ip4_addr.c
tests_unit_test_netstack_pure_CPPFLAGS = $(UNIT_CPPFLAGS) $(LWIP_CPPFLAGS)
tests_unit_test_netstack_pure_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_netstack_pure_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test-netstack
tests_unit_test_netstack_SOURCES = tests/unit/test_netstack.c tests/unit/test_netstack_datagram.c \
	tests/unit/test_netstack_fragments.c tests/unit/test_netstack_handshake.c tests/unit/test_netstack_hostile.c tests/unit/test_netstack_loopback.c \
	tests/unit/test_netstack_names.c tests/unit/test_netstack_shares.c tests/unit/test_netstack_tcp.c tests/unit/netstack_host.c \
	tests/unit/netstack_host.h tests/unit/netstack_peer.c tests/unit/netstack_peer.h \
	$(NETSTACK_PURE_C) libcapos/channel.c libcapos/nicqueue.c libcapos/queue.c
nodist_tests_unit_test_netstack_SOURCES = $(LWIP_C)
tests_unit_test_netstack_CPPFLAGS = $(UNIT_CPPFLAGS) $(LWIP_CPPFLAGS)
tests_unit_test_netstack_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_netstack_LDADD = $(UNIT_LIBS)
