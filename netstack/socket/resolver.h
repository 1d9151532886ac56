/* SPDX-License-Identifier: MIT */
/*
 * The resolver: names to IPv4 addresses, asked of the host's name servers over UDP, each question
 * from a random port with a random id (RFC 5452), answers kept for their time to live.  A server's
 * answer never yields loopback, the machine's own, an unspecified, multicast or broadcast address.
 */
#ifndef NETSTACK_RESOLVER_H
#define NETSTACK_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netstack/socket/dns_message.h"
#include "netstack/socket/socket.h"

/* Called once: STATUS_OK with addresses, or why none was found (see DnsResolver.resolve).  answer
 * is valid during the call only, and NULL unless STATUS_OK. */
typedef void resolver_done(void *context, int status, const struct dns_answer *answer);

/*
 * Looks up a name, or an address in text.  STATUS_OK: done will be called, possibly before this
 * returns; anything else: it will not (invalidArgument: not a host name; noBuffers: too many at
 * once).
 */
int resolver_lookup(const char *name, size_t length, resolver_done *done, void *context);
/* Ends the lookups with this context; their callbacks are not called. */
void resolver_cancel(const void *context);
/* Called for each name that was found, for any caller. */
void resolver_on_answer(void (*learn)(const char *name, const struct dns_answer *answer));

/* An ICMP error quoted a datagram of ours to that peer: if it was a question, its server is not
 * waited for. */
void resolver_icmp_error(uint16_t local_port, struct endpoint peer);
/* The host's address has changed: answers kept so far are dropped. */
void resolver_forget(void);

/* Repeats queries that are due, and ends those that have had their last attempt. */
void resolver_run(void);
uint64_t resolver_deadline(void);

#endif
