/* SPDX-License-Identifier: MIT */
/*
 * The IPC side of netstack: which object a word names, which calls wait, and answers.  Only
 * service*.c and main.c know of calls and capabilities; what a call means is in the pure files.
 */
#ifndef NETSTACK_SERVICE_H
#define NETSTACK_SERVICE_H

#include <capos/schema/network.h>
#include <capos/schema/network_server.h>
#include <capos/schema/status.h>
#include <capos/server.h>

#include "netstack/socket/socket.h"

/* Words of the manifest's exports. */
#define WORD_NETWORK  1u
#define WORD_RESOLVER 2u
/* Words with this bit are of sessions; those that netstack makes have it not. */
#define WORD_SESSION_BIT (1ull << 63)

extern struct server service;

/* ---- service.c: objects ---- */

/* A manager or an authority: an object that is a policy. */
struct holder {
	bool used;
	uint32_t generation;
	uint64_t interface;
	struct policy *policy;
	uint16_t port; /* of a TcpListenAuthority */
};
/* A new object of that interface over a policy, whose reference it takes over in any case.  Its
 * position among the reply's capabilities is written to *index. */
int holder_give(struct server_call *call, uint64_t interface, struct policy *policy, uint16_t port,
                uint16_t *index);

/* ---- service_session.c: sessions ---- */

/* What the session's manager extends to; NULL: it is not open. */
struct policy *session_policy(uint64_t word);
/* Opens it, with a reference of its own to the policy.  Status: exists, noBuffers. */
int session_open(uint64_t word, struct policy *policy);
/* Its last capability is gone.  What was made in it lives on. */
void session_close(uint64_t word);

/* ---- service_manager.c, service_tcp.c, service_datagram.c, service_resolver.c ---- */

extern const struct network_manager_ops manager_ops;
extern const struct tcp_connect_authority_ops connect_authority_ops;
extern const struct tcp_listen_authority_ops listen_authority_ops;
extern const struct tcp_socket_ops tcp_ops;
extern const struct tcp_listener_ops listener_ops;
extern const struct udp_socket_ops udp_ops;
extern const struct raw_socket_ops raw_ops;
extern const struct dns_resolver_ops resolver_ops;

/* A socket with a channel, in the reply. */
int service_open(struct msg_call *call, enum socket_kind kind, struct policy *policy,
                 uint16_t wake_index, uint64_t wake_bits, uint16_t *socket_index,
                 struct channel_ref *channel);
/* The channel and object of a socket that exists, with a new wake event, in the reply. */
int service_give_channel(struct server_call *call, struct socket *s, uint16_t wake_index,
                         uint64_t wake_bits, uint16_t *socket_index, struct channel_ref *channel);
/* A socket without one. */
int service_create(enum socket_kind kind, struct policy *policy, struct socket **out);
uint64_t service_interface(const struct socket *s);
/* Begins a connect whose answer is a new TcpSocket; addresses: count 0 means host. */
int service_connect(struct msg_call *call, struct policy *policy, const uint32_t *address,
                    const char *host, uint16_t port);
/* A TcpListener in the reply. */
int service_listen(struct msg_call *call, struct policy *policy, uint16_t port, uint16_t *index);

/* Lets the call wait. */
int service_wait(struct msg_call *call, struct socket *s, enum socket_wait kind, uint32_t argument,
                 uint64_t deadline);
void service_answer(struct socket *s, enum socket_wait kind, int status,
                    const struct msg_builder *message, const struct capos_send_cap *caps,
                    uint32_t ncaps);
/* A builder for an answer that is sent before the next one is built. */
void service_message(struct msg_builder *builder, uint32_t size);

/* What waits for its socket: called for marked ones. */
void service_tcp_progress(struct socket *s);
void service_datagram_progress(struct socket *s);
/* Ends the socket: its object is gone or closed. */
void service_close(struct socket *s);

/* What waits for the network or a name. */
void service_network_progress(void);
bool service_network_cancel(uint64_t call_id);
uint64_t service_network_deadline(void);
bool service_resolver_cancel(uint64_t call_id);
/* When the first close that lingers is to be answered; those that are overdue are marked. */
uint64_t service_linger_deadline(void);

/* Reads an address parameter. STATUS_OK with *unspecified set for one of no bytes, or a Status. */
int service_address(const struct msg_data *data, ip4_addr_t *out, bool *unspecified);
struct msg_data service_address_data(const ip4_addr_t *address);

#endif
