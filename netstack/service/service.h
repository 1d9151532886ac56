/* SPDX-License-Identifier: MIT */
/*
 * The server of all that netstack exports.
 */
#ifndef NETSTACK_SERVICE_H
#define NETSTACK_SERVICE_H

#include <capos/server.h>

extern const struct server_ops service_ops;
/* After the endpoint (service_call.h) is ready, before the first call. */
void service_start(void);

#endif
