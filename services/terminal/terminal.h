/* SPDX-License-Identifier: MIT */
/*
 * One terminal: its line discipline between the channel of those who have it open and the queues of
 * its far end, which is the console or a program.  terminal.c moves bytes, console.c is the far end
 * that a person sits at, pty.c the one that a program holds, session.c signals who it controls,
 * service.c knows the calls.
 */
#ifndef TERMINAL_TERMINAL_H
#define TERMINAL_TERMINAL_H

#include <capos/schema/terminal_server.h>
#include <capos/server.h>
#include <capos/terminal.h>

#include "ldisc.h"

/* The console, and pseudo-terminals of all programs together; each is some 30 KiB, of which 5 are
 * there always.  The first in a machine with MEMORY_FULL. */
#define TERMINALS_MAX   64u
#define TERMINALS_LEAST 8u
#define CONSOLE         0u
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

/* To the session that a terminal controls.  It outlives its terminal until what was sent is
 * answered. */
struct link {
	cap_t session;       /* ProcessSession; CAP_NULL: it controls none */
	uint64_t signals;    /* to be sent: bit N-1 is signal N */
	bool asked;          /* op is of a call that was made */
	bool asks_existence; /* and sends no signal */
	bool closing;        /* the terminal has ended */
	uint64_t deadline;   /* of a challenge, or of closing */
	cap_t challenger;    /* another ProcessSession that is to be controlled; CAP_NULL */
	struct server_pending challenge; /* the call that waits for that */
	struct cap_op op;
	_Alignas(8) uint8_t message[64], reply[64];
};

struct terminal {
	bool used;
	bool hung;   /* for good */
	bool locked; /* not to be opened yet */
	bool held;   /* of a pseudo-terminal: its master exists */
	uint64_t generation;
	uint32_t number;
	uint32_t opens;       /* now */
	uint32_t owner;       /* user; of the console: 0 */
	uint32_t group, mode; /* of a pseudo-terminal's file, to be told; nothing goes by them */
	bool wake, wake_far;
	struct far_end far;
	struct channel channel, master; /* master: of a pseudo-terminal */
	cap_t memory, master_memory;
	cap_t master_wake;
	uint64_t master_wake_bits;
	bool was_stopped; /* as the master was told last */
	struct link link;
	struct terminal_window window;
	struct ldisc ldisc;
};

struct open_terminal {
	struct terminal *terminal; /* NULL: free */
	uint64_t generation;
	cap_t wake;
	uint64_t wake_bits;
};

extern struct terminal *terminals; /* terminals_most of them, at most TERMINALS_MAX */
extern uint32_t terminals_most;
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
/* Tells the master, if it wants to know: TERMINAL_NEWS_*; those of `instead` are not news then. */
void terminal_news(struct terminal *t, uint32_t news, uint32_t instead);
void terminal_hang_up(struct terminal *t);
/* Whether all that was written has gone to the far end. */
bool terminal_is_drained(struct terminal *t);

/* ---- session.c ---- */
/* To the foreground group of the session that it controls, if any.  Status. */
int session_signal(struct terminal *t, uint32_t signal);
/* Lets it control that session, which it takes over.  Status, or MSG_DEFERRED: it is asked first
 * whether the one that it controls is over. */
int session_control(struct terminal *t, struct server_call *call, cap_t session);
/* True: it was a call of session_control. */
bool session_cancelled(uint64_t call_id);
/* The terminal ends; what was signalled is still sent. */
void session_close(struct terminal *t);
/* It controls none, and nothing is under way. */
bool session_is_over(const struct terminal *t);
/* Sends what is to be sent, of all terminals.  How long until there is more to do. */
uint64_t session_step(void);

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
