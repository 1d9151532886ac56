/* SPDX-License-Identifier: MIT */
/*
 * DnsResolver.
 */
#ifndef NETSTACK_SERVICE_RESOLVER_H
#define NETSTACK_SERVICE_RESOLVER_H

#include <stdbool.h>

#include <capos/schema/network_server.h>

extern const struct dns_resolver_ops resolver_ops;

/* Withdraws a lookup; false: the call is not a lookup. */
bool service_resolver_cancel(uint64_t call_id);

#endif
