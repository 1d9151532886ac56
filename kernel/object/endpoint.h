/* SPDX-License-Identifier: MIT */
/*
 * Endpoints, the objects served on them, and calls of those objects.
 *
 * Contract of all functions: kernel_locked().
 */
#ifndef KERNEL_ENDPOINT_H
#define KERNEL_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <capos/abi.h>
#include "list.h"
#include "object_header.h"

struct account;
struct process;
struct thread;
struct endpoint;
struct object;
struct call;

DEFINE_HEADER_ACCESS(endpoint, KIND_ENDPOINT)
DEFINE_HEADER_ACCESS(object, KIND_OBJECT)

/* Held once, charged to the account; NULL: no memory. */
struct endpoint *endpoint_create(struct account *account);
/* The last capability has gone: no process can receive any more, and the endpoint ends, as work. */
void endpoint_last(struct object_header *header);
void endpoint_unref(struct endpoint *e);        /* a reference of an operation */
void object_last(struct object_header *header); /* the last capability has gone */

/* The operations.  Results, or OP_PENDING. */
int endpoint_mint(struct endpoint *e, const struct thread *t, const struct capos_sqe *sqe,
                  struct object **out);
int endpoint_recv(struct endpoint *e, struct thread *t, const struct capos_sqe *sqe);
int object_call(struct object *o, struct thread *t, const struct capos_sqe *sqe);
int call_return(struct thread *t, const struct capos_sqe *sqe);
/* Who made the call with that id, which the process was given and has not answered; NULL: there is
 * no such call, or nobody waits for it any more. */
const struct process *call_caller(struct process *server, uint64_t id);

/* For SystemStatus. */
const char *object_server_name(const struct object *o);
uint64_t object_interface(const struct object *o);
uint64_t object_word(const struct object *o);

#endif
