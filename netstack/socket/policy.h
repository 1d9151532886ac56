/* SPDX-License-Identifier: MIT */
/*
 * What a NetworkManager (or an authority made from one) extends to: a list of grants under a
 * parent's.  A request is allowed when every policy from the asked one up to the root allows it;
 * the root allows everything.
 *
 * A policy is shared by the objects that were made under it and lives as long as the last of them.
 */
#ifndef NETSTACK_POLICY_H
#define NETSTACK_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netstack/socket/dns_message.h"

#define POLICY_GRANTS_MAX 64u /* of one policy */
#define POLICY_DEPTH_MAX  8u  /* restrictions of restrictions */

struct policy;

enum policy_verdict {
	POLICY_ALLOW,
	POLICY_DENY,
	POLICY_ASK, /* it depends on the addresses of a name that are not known (or not any more) */
};

enum grant_kind { GRANT_ALL, GRANT_CONNECT, GRANT_LISTEN, GRANT_UDP, GRANT_ICMP };

/* The policy that allows everything; it is never freed. */
struct policy *policy_root(void);

/* A policy under parent that allows nothing yet, with one reference; NULL: no memory, or too
 * deep. */
struct policy *policy_create(struct policy *parent);
/* Adds a grant.  STATUS_OK, STATUS_INVALID_ARGUMENT (a host that is neither name nor address),
 * STATUS_NO_BUFFERS. */
int policy_grant(struct policy *policy, enum grant_kind kind, const char *host, size_t length,
                 uint16_t port);
struct policy *policy_get(struct policy *policy);
void policy_put(struct policy *policy);

/*
 * Who pays for what is made under this policy: each child of the root is an account, and what is
 * restricted from it stays in that account.
 */
struct policy *policy_account(struct policy *policy);
/* Counts one more socket of the account, or one less.  False: it has as many as it may. */
bool policy_charge(struct policy *policy);
void policy_discharge(struct policy *policy);

/* A session: a policy under the root that allows nothing yet, whose sockets' memory is drawn
 * from that account (a capability, which the policy owns; released at once when it fails).
 * NULL: too many. */
struct policy *policy_create_session(uint64_t account);
/* The account that memory for it is drawn from; 0: netstack's own. */
uint64_t policy_memory_account(const struct policy *policy);
/* Counts bytes of channels that the session's sockets have, up or down. */
void policy_count_memory(struct policy *policy, int64_t change);
uint64_t policy_memory(struct policy *policy);

/* Counts lwIP's buffers that the account's connections hold to send, up or down. */
void policy_count_buffers(struct policy *policy, int32_t change);
/* Whether it may take more: an account gets a quarter of the heap's blocks for that. */
bool policy_has_buffers(struct policy *policy);

/*
 * May it connect by TCP to this address (network order) and port?  POLICY_DENY: some level denies
 * it, even if others allow it.  POLICY_ASK: *name is a name to look up, which every level grants;
 * ask again after policy_learn().  *asked, 0 at first, counts the names that were asked for this
 * request, so that it ends.
 */
enum policy_verdict policy_connect(const struct policy *policy, uint32_t address, uint16_t port,
                                   unsigned *asked, const char **name);
/* May it have that name (canonical) looked up, to connect to that port?  A question is bytes on the
 * wire, so every level must grant that very name. */
bool policy_may_look_up(const struct policy *policy, const char *host, uint16_t port);
/* May it listen on that port?  0: on one that netstack chooses. */
bool policy_listen(const struct policy *policy, uint16_t port);
/* May a TCP socket be bound to that port, to listen or to connect from?  0: one that netstack
 * chooses. */
bool policy_bind(const struct policy *policy, uint16_t port);
bool policy_udp(const struct policy *policy);
bool policy_icmp(const struct policy *policy);
/* The host of the policy's own single connect grant (of a TcpConnectAuthority); NULL when it is not
 * that. */
const char *policy_host(const struct policy *policy, uint16_t *port);

/* The resolver found these addresses for a name: grants to that name extend to them while they
 * live. */
void policy_learn(const char *name, const struct dns_answer *answer);
/* The host's own address has changed: what names meant before is void. */
void policy_forget_addresses(void);

#endif
