/* SPDX-License-Identifier: MIT */
/*
 * What the files of the service that know of calls share: the tree and who uses it.
 * directory.c and file.c hold the methods, snapshot.c makes memory of a file, service.c leads a
 * call to its method.
 */
#ifndef FILES_FILES_H
#define FILES_FILES_H

#include <capos/schema/service_server.h>
#include <capos/server.h>

#include "handle.h"
#include "path.h"
#include "session.h"

/* What one reply carries; the rest of a message is its frame. */
#define READ_MAX 61440u

struct files {
	struct tree tree;
	struct handle_table handles;
	struct sessions sessions;
	uint32_t session; /* that the call being handled belongs to */
	cap_t boot;       /* the archive's MemoryObject */
	cap_t code;       /* CodeMaker */
	const uint8_t *archive;
	uint64_t archive_size;
};
extern struct files files;

/* What a Directory's methods work on. */
struct directory_object {
	struct path_from from;
};

extern const struct directory_ops directory_ops; /* of a struct directory_object */
extern const struct file_ops file_ops;           /* of a struct handle */

/* Memory with the file's bytes, as code; charged to the session.  CAP_OK or an error. */
int snapshot_make(const struct data *data, cap_t *memory);

#endif
