/* SPDX-License-Identifier: MIT */
/*
 * The methods of Watcher that read, for any service that has watchers (watch.h).
 */
#ifndef FILES_WATCHER_CALLS_H
#define FILES_WATCHER_CALLS_H

#include <capos/schema/service_server.h>

#include "watch.h"

int watcher_serve_read(void *object, struct msg_call *call, const struct watcher_read_params *in,
                       struct watcher_read_results *out);
int watcher_serve_ready(void *object, struct msg_call *call, struct watcher_ready_results *out);

#endif
