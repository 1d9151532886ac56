/* SPDX-License-Identifier: MIT */
/*
 * One terminal: its line discipline between the channel of those who have it open and the queues of
 * its far end, which is the console or a program.  terminal.c moves bytes, console.c is the far end
 * that a person sits at, pty.c the one that a program holds, service.c knows the calls.
 */
#ifndef TERMINAL_TERMINAL_H
#define TERMINAL_TERMINAL_H

#include <capos/schema/terminal_server.h>
#include <capos/server.h>
#include <capos/terminal.h>

#include "ldisc.h"

/* The console, and pseudo-terminals of all programs together; each is some 30 KiB. */
#define TERMINALS_MAX 64u
#define CONSOLE       0u
/* Open terminals: an open description each. */
#define OPENS_MAX 1024u
/* Calls that wait for output to be taken. */
#define DRAINS_MAX    64u
#define RECEIVE_BYTES (4u * LDISC_LINE_MAX) /* two full lines */
#define SEND_BYTES    8192u

#define BIT_CLIENT  1ull
#define BIT_CONSOLE 2ull

struct terminal;

/* Where typed bytes come from and the screen's go to. */
struct far_end {
	struct queue *in, *out; /* NULL: there is none (more) */
	cap_t event;            /* of it, or CAP_NULL */
	uint64_t bits;
};

struct terminal {
	bool used;
	bool hung;   /* for good */
	bool locked; /* not to be opened yet */
	bool held;   /* of a pseudo-terminal: its master exists */
	uint32_t generation, number;
	uint32_t opens; /* now */
	bool wake, wake_far;
	struct far_end far;
	struct channel channel, master; /* master: of a pseudo-terminal */
	cap_t memory, master_memory;
	cap_t master_wake;
	uint64_t master_wake_bits;
	cap_t session; /* ProcessSession; CAP_NULL: it controls none */
	struct terminal_window window;
	struct ldisc ldisc;
};

struct open_terminal {
	struct terminal *terminal; /* NULL: free */
	uint32_t generation;
	cap_t wake;
	uint64_t wake_bits;
};

extern struct terminal terminals[TERMINALS_MAX];
extern struct open_terminal opens[OPENS_MAX];
extern struct server server;

/* ---- terminal.c ---- */
/* With its channel's memory, drawn from the account, or the service's own when that is CAP_NULL.
 * Status. */
int terminal_begin(struct terminal *t, cap_t account);
void terminal_end(struct terminal *t);
/* Moves what can be moved. */
void terminal_run(struct terminal *t);
/* Asks all sides to say when there is more, and the far end, if a call waits for a drain, when it
 * has taken some.  True: there is already. */
bool terminal_prepare_sleep(struct terminal *t, bool draining);
void terminal_wake(struct terminal *t);
int terminal_set(struct terminal *t, const struct terminal_attributes *in);
void terminal_get(struct terminal *t, struct terminal_attributes *out);
void terminal_resize(struct terminal *t, const struct terminal_window *window);
void terminal_flush(struct terminal *t, bool input, bool output);
void terminal_hang_up(struct terminal *t);
/* To the foreground group of the session that it controls. */
int terminal_signal(struct terminal *t, uint32_t signal);
/* Whether all that was written has gone to the far end. */
bool terminal_is_drained(struct terminal *t);

/* ---- console.c ---- */
/* Attaches to the console's streams, if that is not done.  Status or error. */
int console_open(struct terminal *t);
/* After an event: follows a console that was started anew. */
void console_follow(struct terminal *t);

/* ---- pty.c ---- */
/* Memory and map. */
int terminal_memory(cap_t account, uint32_t receive, uint32_t send, struct channel *channel,
                    cap_t *memory);
void terminal_memory_end(struct channel *channel, cap_t *memory);
int pty_begin(struct terminal *t, cap_t account, cap_t wake, uint64_t wake_bits);
/* The last holder of the master is gone. */
void pty_released(struct terminal *t);
/* The last who had it open is gone, or there is one again. */
void pty_opens_changed(struct terminal *t);

#endif
