/* SPDX-License-Identifier: MIT */
/*
 * A 9P server for the tests of the driver's pure part: a small tree that can be changed.  It checks
 * what it is asked, counts fids, and lies when it is told to.
 */
#ifndef TESTS_VOLUME_SERVER_H
#define TESTS_VOLUME_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/virtio-9p/volume_inside.h"

#define FIDS             4096u
#define SERVER_NODES     11 /* that are there from the start */
#define SERVER_NODES_MAX 1200

struct node {
	const char *name;
	int parent;
	uint8_t type; /* qid's */
	const char *target;
	uint32_t number; /* the file's; 0: as in the table below */
	char own[64];    /* the name of what was made */
};

struct volume_server {
	int of[FIDS]; /* node + 1; 0: no such fid */
	uint32_t live;
	uint32_t asked; /* requests, of which each holds up all clients */
	uint8_t request[P9_MESSAGE_MAX], reply[P9_MESSAGE_MAX];
	uint32_t seed; /* of damage; 0: none */
	uint32_t length;
	uint32_t made, refuses; /* what mknod was asked for; its error */
	bool closed;            /* nothing may be opened */
	uint32_t refuse_move;   /* the so many-th, from 1 */
	uint8_t lie_to;         /* requests of this type get what `lie` holds */
	uint8_t lie[P9_MESSAGE_MAX];
	uint32_t lie_length;
	struct node nodes[SERVER_NODES_MAX];
	int nodes_count;
};

extern struct volume_server server;
extern struct volume *v; /* served by it, between server_start and server_stop */

int server_start(void **state);
int server_stop(void **state);
/* The tree is as it was at the start. */
void server_reset(void);
/* Answers server.request in server.reply. */
void server_answer(void);
uint32_t server_random(void);

static inline struct msg_text text_of(const char *path)
{
	return (struct msg_text){path, (uint32_t)strlen(path)};
}

#endif
