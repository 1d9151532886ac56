/* SPDX-License-Identifier: MIT */
/*
 * FIFOs and sockets that the host's server refuses to make.  QEMU opens no special file since
 * CVE-2023-2861, and for a time (until 9.2) it took that to heart so much that it removed at once
 * those that it had made itself.  An empty regular file stands for one then, and what it stands for
 * is known here, for as long as this process lives: nobody outside could join programs of this
 * machine by a FIFO anyway.
 */
#include "drivers/virtio-9p/volume_inside.h"

static struct volume_node *find(struct volume *v, uint64_t path)
{
	for (uint32_t i = 0; i < v->nodes_used; i++)
		if (v->nodes[i].path == path)
			return &v->nodes[i];
	return NULL;
}

int node_stand_in(struct volume *v, uint32_t directory, struct p9_text name, uint16_t type,
                  uint32_t mode)
{
	struct p9_qid qid;
	uint32_t fid;
	int result =
	        v->nodes_used < VOLUME_NODES ? volume_copy_fid(v, directory, &fid) : -P9_ENOSPC;

	if (result)
		return result;
	result = p9_create(&v->p9, fid, name, P9_OPEN_READ | P9_OPEN_EXCLUSIVE, mode, &qid);
	p9_clunk(&v->p9, fid);
	if (!result)
		v->nodes[v->nodes_used++] = (struct volume_node){.path = qid.path, .type = type};
	return result;
}

uint16_t node_type(struct volume *v, uint64_t path, uint16_t type)
{
	const struct volume_node *n = type == FILE_TYPE_REGULAR ? find(v, path) : NULL;

	return n ? n->type : type;
}

void node_forget(struct volume *v, uint64_t path)
{
	struct volume_node *n = find(v, path);

	if (n)
		*n = v->nodes[--v->nodes_used];
}
