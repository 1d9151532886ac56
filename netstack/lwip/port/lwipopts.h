/* SPDX-License-Identifier: MIT */
/*
 * How lwIP 2.2.1 is configured, and why.  lwIP runs in one thread, driven by netstack's event loop;
 * all its memory comes from the bounded heap of heap.h, and no option makes the process
 * larger before it is used.
 */
#ifndef NETSTACK_PORT_LWIPOPTS_H
#define NETSTACK_PORT_LWIPOPTS_H

/* ---- One thread, one loop ---- */

#define NO_SYS               1 /* no threads, mailboxes or semaphores under lwIP */
#define SYS_LIGHTWEIGHT_PROT 0 /* no interrupts, no threads */
#define LWIP_NETCONN         0 /* need threads */
#define LWIP_SOCKET          0
#define LWIP_TIMERS \
	0 /* timers.h calls the timer functions, and only while they have something to do */

/* ---- Memory ---- */

#define MEM_ALIGNMENT 8
#define MEM_CUSTOM_ALLOCATOR \
	1 /* heap.h: size classes with quotas, constant time, pages touched when used */
#define MEMP_MEM_MALLOC   1 /* the fixed-size objects too; their number is bounded by the quotas */
#define PBUF_POOL_SIZE    0 /* received frames are copied into the heap (nic.c) */
#define PBUF_POOL_BUFSIZE 1536

/* ---- Link and IP ---- */

#define LWIP_IPV4     1
#define LWIP_IPV6     0
#define LWIP_ARP      1
#define LWIP_ETHERNET 1
#define ETH_PAD_SIZE \
	0 /* the processor reads unaligned words, and the driver chooses where frames start */
#define ARP_TABLE_SIZE                127 /* lwIP's largest: see neighbour.h */
#define ARP_QUEUEING                  0   /* packets wait in neighbour.c */
#define ETHARP_SUPPORT_STATIC_ENTRIES 0
#define ETHARP_TABLE_MATCH_NETIF      1 /* loopback never sees the link's neighbours */

#define IP_FORWARD                0 /* a host, not a router */
#define IP_OPTIONS_ALLOWED        0 /* source routes and the like are refused */
#define IP_REASSEMBLY             0 /* reassembly.c */
#define IP_FRAG                   1 /* datagrams larger than the link's MTU go out in pieces */
#define IP_DEFAULT_TTL            64
#define IP_SOF_BROADCAST          1 /* SO_BROADCAST is asked for before a broadcast leaves */
#define LWIP_ICMP                 1
#define LWIP_BROADCAST_PING       0 /* smurf amplifier */
#define LWIP_MULTICAST_PING       0
#define LWIP_RAW                  1 /* ICMP sockets, and ICMP errors about TCP and UDP (icmp.c) */
#define LWIP_IGMP                 0 /* no interface for group membership yet */
#define LWIP_MULTICAST_TX_OPTIONS 1 /* multicast time to live is an option of sockets */

#define LWIP_HAVE_LOOPIF    1 /* 127.0.0.1 */
#define LWIP_NETIF_LOOPBACK 1 /* ... and our own address */
#define LWIP_LOOPBACK_MAX_PBUFS \
	256 /* packets under way in loopback: more than a TCP window of full segments */
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 0
#define LWIP_NETIF_HOSTNAME                1 /* DHCP's option 12 */
#define LWIP_CHECKSUM_CTRL_PER_NETIF \
	1                       /* off on loopback, and per frame where the device has checked it */
#define LWIP_CHECKSUM_ON_COPY 0 /* data is not copied (tcp.c), so it would be an extra pass */

/* ---- Configuration of the interface ---- */

#define LWIP_DHCP 1
#define LWIP_ACD  0
#define LWIP_DHCP_DOES_ACD_CHECK \
	0 /* it costs seconds, and the server rarely assigns an address twice */
#define DHCP_CREATE_RAND_XID 1
#define LWIP_AUTOIP          0
/* Only as the list of name servers that DHCP fills; resolver.h asks them. */
#define LWIP_DNS            1
#define DNS_MAX_SERVERS     3 /* as many as resolv.conf has */
#define DNS_TABLE_SIZE      2 /* never used; with 1 the compiler warns */
#define DNS_MAX_NAME_LENGTH 64

/* ---- UDP ---- */

#define LWIP_UDP             1
#define LWIP_UDPLITE         0
#define UDP_TTL              64
#define LWIP_NETBUF_RECVINFO 0

/* ---- TCP ---- */

#define LWIP_TCP       1
#define TCP_TTL        64
#define TCP_MSS        1460 /* Ethernet: 1500 - 20 - 20 */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE  3 /* 65535 << 3 covers the window with room to grow */
/* 256 KiB fill 100 Mbit/s at 20 ms.  A socket's receive queue has room for the window that it
 * announces, so that what arrives is always taken at once; sockets with smaller queues announce
 * less (tcp.c). */
#define TCP_WND (256 * 1024)
/* The window is announced in a segment of its own when it grew by so much: a quarter of what a peer
 * without window scaling can use. */
#define TCP_WND_UPDATE_THRESHOLD (16 * 1024)
#define TCP_SND_BUF \
	(128 * 1024) /* bytes lwIP keeps references to: the size of a socket's send queue */
/* Two pbufs a full segment (headers; data in place), and small pieces between. */
#define TCP_SND_QUEUELEN  (4 * (TCP_SND_BUF / TCP_MSS))
#define TCP_SNDLOWAT      (TCP_SND_BUF / 2)
#define TCP_SNDQUEUELOWAT (TCP_SND_QUEUELEN / 2)
/* Data is referenced where the program put it: no segment can be filled up. */
#define TCP_OVERSIZE          0
#define TCP_QUEUE_OOSEQ       1
#define LWIP_TCP_SACK_OUT     1 /* after a loss the peer sends only what is missing */
#define LWIP_TCP_MAX_SACK_NUM 4
#define TCP_OOSEQ_MAX_BYTES \
	(TCP_WND / 2) /* per connection; all together: nic.h's bound and the heap's quota */
#define TCP_OOSEQ_MAX_PBUFS 96
#define LWIP_TCP_TIMESTAMPS \
	0 /* 12 bytes and a clock reading a segment; one sample a round trip is enough here */
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG 0xff
#define LWIP_TCP_KEEPALIVE         1    /* idle, interval and count are options of sockets */
#define LWIP_TCP_RTO_TIME          1000 /* RFC 6298; lwIP's 3 s are RFC 1122's */
#define TCP_SYNMAXRTX              6    /* 1+2+4+8+16+32+64: some two minutes, as Linux waits */
#define TCP_MAXRTX                 12
/* TIME_WAIT lasts two of these.  Ports and sequence numbers are unpredictable, so an old duplicate
 * is unlikely to hit; and when the quota of connections is used up, lwIP drops the oldest TIME_WAIT
 * for a new connection. */
#define TCP_MSL  5000
#define SO_REUSE 1 /* a server may restart while its old connections end */

#define LWIP_TCP_PCB_NUM_EXT_ARGS 1 /* a call before a SYN is answered (tcp_listen.c) */

#define LWIP_HOOK_FILENAME "hooks.h"
/* The windows above are larger than the (absent) pool of pbufs that these checks compare them
 * with. */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

#define LWIP_STATS 0
#define LWIP_DEBUG 0

#endif
