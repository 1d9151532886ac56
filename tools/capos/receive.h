/* SPDX-License-Identifier: MIT */
/*
 * Takes what the guest sends for --output (capos/output.h) and writes it to the host's files.  The
 * stream is hostile: nothing outside the paths that the user named is ever created, opened or
 * followed, and the bytes and entries of all of it together are bounded.
 */
#ifndef CAPOS_TOOLS_RECEIVE_H
#define CAPOS_TOOLS_RECEIVE_H

#include <capos/output.h>

#include "tools/capos/capos.h"

/* Files, directories and links of one run: as many as a boot archive has. */
#define RECEIVE_ENTRIES_MAX 65536u
/* Failures of single entries that are reported; the rest is counted. */
#define RECEIVE_REPORTS_MAX 10u

/* Where an output goes.  It is opened before the guest has sent anything: a path that leads through
 * what another output brought would lead where a symbolic link of the guest's says. */
struct output_place {
	int directory; /* the one named, or its parent; -1: could not be opened, error says why */
	int error;
	bool inside; /* the directory itself was named: what comes goes into it */
	char *name;  /* in the parent */
};

/* Where an entry goes. */
struct entry_place {
	int directory; /* to be closed; -1: it could not be made or opened */
	char *name;    /* one component; to be freed */
};

struct receive {
	const struct host_file *outputs; /* the caller's */
	size_t noutputs;
	struct output_place places[LIST_MAX]; /* of the outputs */
	size_t index;                         /* of the output that is being received */
	bool begun;                           /* BEGIN was seen, END was not */
	bool arrived;                         /* the first FILE or ENTER of it was seen */
	bool stopped; /* the stream made no sense, or the host cannot take more */
	unsigned errors;
	uint64_t limit, bytes;
	unsigned entries;

	/* The record that is being received. */
	unsigned char record[sizeof(struct capos_output_record) + CAPOS_OUTPUT_NAME +
	                     CAPOS_OUTPUT_PAYLOAD];
	size_t have;

	/* directories[0..depth) are open; -1: could not be made, and all in it is dropped. */
	int directories[CAPOS_OUTPUT_DEPTH];
	bool made[CAPOS_OUTPUT_DEPTH]; /* by us: its mode and time are the guest's */
	unsigned depth;
	bool file_open;                /* DATA may follow */
	int file;                      /* -1: could not be made */
	struct entry_place file_place; /* of the open file, which gets its name when it is whole */
	bool file_named;               /* it has the temporary one already */
	char temporary[32];
	struct capos_output_record file_record;
	char name[CAPOS_OUTPUT_NAME + 1]; /* of the entry, for messages */
};

/* Opens the places of the outputs, at most LIST_MAX, until receive_finish. */
void receive_init(struct receive *receive, const struct host_file *outputs, size_t noutputs,
                  uint64_t limit);

/* Takes the next bytes of the stream.  False: no more are wanted, what is wrong was reported. */
bool receive_add(struct receive *receive, const void *bytes, size_t size);

/* At the stream's end.  Whether all that was asked for has arrived; what has not is reported. */
bool receive_finish(struct receive *receive);

#endif
