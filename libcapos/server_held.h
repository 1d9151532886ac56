/* SPDX-License-Identifier: MIT */
/*
 * What the server loop asks of the held calls (server_hold).
 */
#ifndef LIBCAPOS_SERVER_HELD_H
#define LIBCAPOS_SERVER_HELD_H

#include <capos/server.h>

/* Handles the calls whose object was resumed or whose time is up. */
void server_held_run(struct server *server);
/* Forgets a call whose caller gave up.  False: it is not held. */
bool server_held_cancel(struct server *server, uint64_t call_id);
/* How long until the next one's time is up, in nanoseconds. */
uint64_t server_held_timeout(const struct server *server);

#endif
