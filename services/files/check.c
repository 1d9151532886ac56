/* SPDX-License-Identifier: MIT */
/*
 * Large files of the archive are compared with their checksums in pieces, between which the service
 * serves others; calls that open one meanwhile are held.
 *
 * Always: every file in the list is held, and not compared to its end yet.
 */
#include "files.h"

/* As many as the server holds calls at most. */
#define WAITING_MAX 64u

static struct {
	struct inode *inode;
	uint64_t call_id; /* of the held call: others of the same object may wait for other files */
} waiting[WAITING_MAX];
static uint32_t nwaiting;

int check_file(struct msg_call *call, struct inode *file)
{
	struct server_call *c = server_call_of(call);
	bool more;
	int status = tree_check(file, &more);

	if (status || !more)
		return status;
	if (nwaiting == WAITING_MAX)
		return STATUS_TRY_AGAIN;
	status = server_hold(c);
	if (status != MSG_DEFERRED)
		return status;
	inode_hold(file);
	waiting[nwaiting].inode = file;
	waiting[nwaiting++].call_id = c->call_id;
	return status;
}

uint64_t check_some(struct server *server)
{
	struct inode *file;
	uint64_t begin = cap_now();
	bool more;

	if (!nwaiting)
		return CAPOS_FOREVER;
	file = waiting[0].inode;
	(void)tree_check(file, &more); /* those who wait find its result */
	for (uint32_t i = 0; !more && i < nwaiting;) {
		if (waiting[i].inode != file) {
			i++;
			continue;
		}
		server_resume_call(server, waiting[i].call_id);
		inode_drop(&files.tree, file);
		waiting[i] = waiting[--nwaiting];
	}
	/* Programs run while services sleep: half as long as the service worked. */
	return nwaiting ? (cap_now() - begin) / 2 + 1 : CAPOS_FOREVER;
}
