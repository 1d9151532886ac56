/* SPDX-License-Identifier: MIT */
/*
 * One run's state, which session.c and lines.c share.  lines.c moves what comes from the machine
 * and understands it; session.c holds the loop, time and signals.
 */
#ifndef CAPOS_TOOLS_SESSION_STATE_H
#define CAPOS_TOOLS_SESSION_STATE_H

#include <poll.h>

#include "tools/capos/log.h"
#include "tools/capos/machine.h"
#include "tools/capos/pump.h"
#include "tools/capos/receive.h"

#define CONTROL_LINE  8192
#define EMULATOR_TEXT 4096

enum pump_index { PUMP_STDIN, PUMP_STDOUT, PUMP_STDERR, PUMP_COUNT };

struct session {
	const struct settings *settings;
	struct machine machine;
	struct log log;
	struct receive receive;
	struct pump pumps[PUMP_COUNT];
	int outputs[2]; /* for our stdout and stderr; own */
	size_t chunks[2];
	int signals;
	int64_t begin_ms, machine_begin_ms;
	bool started;
	bool kvm_reported; /* that KVM says nothing */
	bool reported;     /* the guest has said how the program ended, and waits for lines_end */
	bool over;         /* status is set */
	int status;
	int64_t interrupted_ms; /* last SIGINT; 0: none */
	int64_t kill_ms;        /* ends the machine then, with kill_status; 0: not */
	int kill_status;
	bool expired; /* the program was ended for being late: the status is kill_status */
	char control[CONTROL_LINE];
	size_t control_length;
	char emulator[EMULATOR_TEXT]; /* what QEMU said on its stderr */
	size_t emulator_length;
};

/* ---- session.c ---- */

int64_t session_now_ms(void);
/* Ends the run with this status, unless it has ended already. */
void session_finish(struct session *s, int status);
/* Ends the run with EXIT_MACHINE, and prints all that is known. */
void session_fail(struct session *s, const char *what);
/* Bytes of --output came: the time to send the rest begins anew. */
void session_output_came(struct session *s);

/* ---- lines.c ---- */

void lines_close(struct session *s, enum machine_line line);
/* Tells the guest to signal the program. */
void lines_signal(struct session *s, int number);
/* Tells the guest the size of our window. */
void lines_window(struct session *s, unsigned columns, unsigned rows);
/* Tells the guest, which has reported the program's end, that the machine may end. */
void lines_end(struct session *s);
/* Each reads what has come; the line is closed at its end. */
void lines_control_read(struct session *s);
void lines_serial_read(struct session *s);
void lines_emulator_read(struct session *s);
void lines_output_read(struct session *s);
/* After the machine's end: reads all that is left, but for the program's stdout and stderr. */
void lines_read_rest(struct session *s);
/* Moves the program's input and output; set: what poll said, two entries for each pump. */
void lines_move(struct session *s, const struct pollfd *set);

#endif
