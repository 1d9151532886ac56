/* SPDX-License-Identifier: MIT */
/*
 * The stream by which files leave the guest when the program has ended: init writes it to the
 * console port "capos.output", `capos run --output` reads it.  It is a sequence of records, each a
 * header, a name and a payload.  No record holds a path: names are single components, and a tree is
 * walked by ENTER and LEAVE, so a receiver that checks each name can be led nowhere else.
 *
 * For each path asked for, in that order: BEGIN, then one FILE (with its DATA) or ENTER ... LEAVE,
 * or none, then END.  SYMLINK comes inside a directory only: in the place that the user named, the
 * next receiver would follow it.  ERROR may come in between: what it names is missing or
 * incomplete, the rest goes on.  All integers are little-endian.
 */
#ifndef CAPOS_OUTPUT_H
#define CAPOS_OUTPUT_H

#include <stdint.h>

#define CAPOS_OUTPUT_MAGIC   0x5455504fu /* "OPUT" */
#define CAPOS_OUTPUT_NAME    255u        /* bytes of a name, without a NUL */
#define CAPOS_OUTPUT_PAYLOAD 65536u      /* bytes */
#define CAPOS_OUTPUT_DEPTH   128u        /* directories within each other, the first included */

enum capos_output_kind {
	CAPOS_OUTPUT_BEGIN = 1,
	CAPOS_OUTPUT_END = 2,
	CAPOS_OUTPUT_FILE = 3,    /* its bytes follow as DATA, until another kind comes */
	CAPOS_OUTPUT_DATA = 4,    /* payload: the next bytes of the file */
	CAPOS_OUTPUT_SYMLINK = 5, /* payload: its target */
	CAPOS_OUTPUT_ENTER = 6,   /* a directory; what follows is in it */
	CAPOS_OUTPUT_LEAVE = 7,   /* back to the one above; mode and time of the one left */
	CAPOS_OUTPUT_ERROR = 8,   /* payload: text, a path and what is wrong with it */
};

/* Of the first FILE or ENTER after a BEGIN the name is empty: the receiver knows it. */
struct capos_output_record {
	uint32_t magic;
	uint16_t kind;        /* enum capos_output_kind */
	uint16_t name_length; /* at most CAPOS_OUTPUT_NAME */
	uint32_t length;      /* of the payload, at most CAPOS_OUTPUT_PAYLOAD */
	uint32_t mode;        /* FILE, LEAVE: permission bits */
	int64_t modify_ns;    /* FILE, LEAVE: Unix time in nanoseconds */
};
_Static_assert(sizeof(struct capos_output_record) == 24, "output record layout");

#endif
