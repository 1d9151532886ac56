/* SPDX-License-Identifier: MIT */
/*
 * A terminal's line discipline: what is typed becomes lines, signals and echo; what programs write
 * becomes what the screen is sent.  Pure: it owns its state alone, and what comes of it goes by
 * struct ldisc_ops.
 *
 * Flags, characters and their numbers are Linux's (termios(3)), so that a client's structure needs
 * no translation.
 */
#ifndef TERMINAL_LDISC_H
#define TERMINAL_LDISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { /* input */
       LDISC_IGNBRK = 0000001,
       LDISC_BRKINT = 0000002,
       LDISC_ISTRIP = 0000040,
       LDISC_INLCR = 0000100,
       LDISC_IGNCR = 0000200,
       LDISC_ICRNL = 0000400,
       LDISC_IUCLC = 0001000,
       LDISC_IXON = 0002000,
       LDISC_IXANY = 0004000,
       LDISC_IXOFF = 0010000,
       LDISC_IMAXBEL = 0020000,
       LDISC_IUTF8 = 0040000,
};
enum { /* output */
       LDISC_OPOST = 0000001,
       LDISC_OLCUC = 0000002,
       LDISC_ONLCR = 0000004,
       LDISC_OCRNL = 0000010,
       LDISC_ONOCR = 0000020,
       LDISC_ONLRET = 0000040,
       LDISC_TABDLY = 0014000,
};
enum { /* local */
       LDISC_ISIG = 0000001,
       LDISC_ICANON = 0000002,
       LDISC_ECHO = 0000010,
       LDISC_ECHOE = 0000020,
       LDISC_ECHOK = 0000040,
       LDISC_ECHONL = 0000100,
       LDISC_NOFLSH = 0000200,
       LDISC_TOSTOP = 0000400,
       LDISC_ECHOCTL = 0001000,
       LDISC_ECHOPRT = 0002000,
       LDISC_ECHOKE = 0004000,
       LDISC_IEXTEN = 0100000,
};
enum { /* places of characters */
       LDISC_VINTR = 0,
       LDISC_VQUIT = 1,
       LDISC_VERASE = 2,
       LDISC_VKILL = 3,
       LDISC_VEOF = 4,
       LDISC_VTIME = 5,
       LDISC_VMIN = 6,
       LDISC_VSTART = 8,
       LDISC_VSTOP = 9,
       LDISC_VSUSP = 10,
       LDISC_VEOL = 11,
       LDISC_VREPRINT = 12,
       LDISC_VDISCARD = 13,
       LDISC_VWERASE = 14,
       LDISC_VLNEXT = 15,
       LDISC_VEOL2 = 16,
       LDISC_CHARACTERS = 19,
};
enum { LDISC_SIGINT = 2, LDISC_SIGQUIT = 3, LDISC_SIGTSTP = 20 };

struct ldisc_attributes {
	uint32_t input, output, control, local;
	uint32_t input_speed, output_speed; /* bits a second; nothing is paced by them */
	uint8_t characters[LDISC_CHARACTERS];
};

/* A line that is being edited; as Linux: what is typed past it is dropped with a bell. */
#define LDISC_LINE_MAX 4096u

/* Of a character that readers are given. */
enum {
	LDISC_END = 1, /* a line ends behind it */
	LDISC_EOF = 2
}; /* it is no character, but ends what was typed before it */

struct ldisc_ops {
	/* For readers; there is room, since ldisc_input was told so. */
	void (*deliver)(void *context, uint8_t character, uint8_t flags);
	/* For the screen: echo.  False: there was no room, and it is lost. */
	bool (*echo)(void *context, const uint8_t *bytes, uint32_t length);
	/* To the foreground group. */
	void (*signal)(void *context, int signal);
	/* What readers were given and have not read is dropped; output too, when it says so. */
	void (*flush)(void *context);
};

struct ldisc {
	const struct ldisc_ops *ops;
	void *context;
	struct ldisc_attributes attributes;
	bool stopped;      /* output, by VSTOP */
	bool literal_next; /* VLNEXT was typed */
	uint32_t column;   /* of the screen */
	uint32_t start;    /* column at which the line being edited began */
	uint32_t length;
	uint8_t line[LDISC_LINE_MAX];
};

void ldisc_init(struct ldisc *l, const struct ldisc_ops *ops, void *context);
/* How many of the bytes were used; room: characters that readers can be given.  What is left is to
 * be given again when there is more room. */
uint32_t ldisc_input(struct ldisc *l, const uint8_t *bytes, uint32_t length, uint32_t room);
/* Processes bytes that a program wrote into out, of size bytes; *used: how many were.  Its length,
 * 0 too while output is stopped. */
uint32_t ldisc_output(struct ldisc *l, const uint8_t *bytes, uint32_t length, uint32_t *used,
                      uint8_t *out, uint32_t size);
/* A line that was begun goes to the readers when the new attributes have no lines. */
void ldisc_set(struct ldisc *l, const struct ldisc_attributes *attributes, uint32_t room);
void ldisc_flush_input(struct ldisc *l);
static inline bool ldisc_has(const struct ldisc *l, uint32_t local)
{
	return l->attributes.local & local;
}

#endif
