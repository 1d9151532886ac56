/* SPDX-License-Identifier: MIT */
/*
 * Input: a line is edited in l->line and goes to readers when it is complete; without ICANON each
 * character does at once.  Echo is written as programs' output is, so the column is always known.
 */
#include "ldisc.h"

#include <string.h>

#define OUTPUT_MOST 8u /* bytes that one byte of output becomes: a tab */

static uint8_t character(const struct ldisc *l, unsigned place)
{
	return l->attributes.characters[place];
}

/* 0 disables a character. */
static bool is(const struct ldisc *l, uint8_t c, unsigned place)
{
	return c && c == character(l, place);
}

static bool is_extended(const struct ldisc *l, uint8_t c, unsigned place)
{
	return ldisc_has(l, LDISC_IEXTEN) && is(l, c, place);
}

void ldisc_init(struct ldisc *l, const struct ldisc_ops *ops, void *context)
{
	static const struct ldisc_attributes initial = {
	        .input = LDISC_ICRNL | LDISC_IXON | LDISC_IMAXBEL | LDISC_IUTF8,
	        .output = LDISC_OPOST | LDISC_ONLCR,
	        .control = 0277, /* B38400, CS8, CREAD */
	        .local = LDISC_ISIG | LDISC_ICANON | LDISC_ECHO | LDISC_ECHOE | LDISC_ECHOK |
	                 LDISC_ECHOCTL | LDISC_ECHOKE | LDISC_IEXTEN,
	        .input_speed = 38400,
	        .output_speed = 38400,
	        .characters = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0},
	};

	*l = (struct ldisc){.ops = ops, .context = context, .attributes = initial};
}

/* ---- Output ---- */

static void move_column(struct ldisc *l, uint8_t c)
{
	switch (c) {
	case '\n':
		if (l->attributes.output & (LDISC_ONLCR | LDISC_ONLRET))
			l->column = 0;
		break;
	case '\r':
		l->column = 0;
		break;
	case '\b':
		if (l->column)
			l->column--;
		break;
	case '\t':
		l->column = (l->column | 7) + 1;
		break;
	default:
		/* The bytes of a character of UTF-8 behind its first move nothing. */
		if (c >= ' ' && c != 127 &&
		    !((l->attributes.input & LDISC_IUTF8) && (c & 0xc0) == 0x80))
			l->column++;
	}
}

/* One byte as the screen is sent it; at most OUTPUT_MOST bytes. */
static uint32_t process(struct ldisc *l, uint8_t c, uint8_t *out)
{
	const uint32_t flags = l->attributes.output;
	uint32_t n = 0;

	if (!(flags & LDISC_OPOST)) {
		out[0] = c;
		move_column(l, c);
		return 1;
	}
	if (c == '\r' && (flags & LDISC_ONOCR) && !l->column)
		return 0;
	if (c == '\r' && (flags & LDISC_OCRNL))
		c = '\n';
	if (c == '\n' && (flags & LDISC_ONLCR))
		out[n++] = '\r';
	if (c == '\t' && (flags & LDISC_TABDLY) == LDISC_TABDLY) {
		uint32_t to = (l->column | 7) + 1;

		while (l->column < to) {
			out[n++] = ' ';
			l->column++;
		}
		return n;
	}
	if ((flags & LDISC_OLCUC) && c >= 'a' && c <= 'z')
		c -= 'a' - 'A';
	out[n++] = c;
	move_column(l, c);
	return n;
}

uint32_t ldisc_output(struct ldisc *l, const uint8_t *bytes, uint32_t length, uint32_t *used,
                      uint8_t *out, uint32_t size)
{
	uint32_t n = 0;

	*used = 0;
	if (l->stopped)
		return 0;
	for (; *used < length && n + OUTPUT_MOST <= size; ++*used)
		n += process(l, bytes[*used], out + n);
	return n;
}

/* ---- Echo ---- */

/* False: the screen had no room. */
static bool show(struct ldisc *l, const char *text)
{
	uint8_t out[OUTPUT_MOST];
	bool shown = true;

	for (; *text; text++)
		shown &= l->ops->echo(l->context, out, process(l, (uint8_t)*text, out));
	return shown;
}

static bool shown_as_control(const struct ldisc *l, uint8_t c)
{
	return ldisc_has(l, LDISC_ECHOCTL) && (c < ' ' || c == 127) && c != '\t' && c != '\n';
}

static bool echo_always(struct ldisc *l, uint8_t c)
{
	const char control[] = {'^', (char)(c ^ 0100), 0};
	uint8_t out[OUTPUT_MOST];

	return shown_as_control(l, c) ? show(l, control)
	                              : l->ops->echo(l->context, out, process(l, c, out));
}

static void echo(struct ldisc *l, uint8_t c)
{
	if (ldisc_has(l, LDISC_ECHO) || (c == '\n' && ldisc_has(l, LDISC_ECHONL)))
		(void)echo_always(l, c);
}

/* Up to what the screen has room for: one typed character costs no more than what is sent. */
static void echo_line(struct ldisc *l)
{
	for (uint32_t i = 0; ldisc_has(l, LDISC_ECHO) && i < l->length; i++)
		if (!echo_always(l, l->line[i]))
			return;
}

static void bell(struct ldisc *l)
{
	if (l->attributes.input & LDISC_IMAXBEL)
		l->ops->echo(l->context, (const uint8_t *)"\a", 1);
}

/* ---- Editing ---- */

static bool continues(const struct ldisc *l, uint8_t c)
{
	return (l->attributes.input & LDISC_IUTF8) && (c & 0xc0) == 0x80;
}

/* Columns that a character takes; a tab's depend on where it stands. */
static uint32_t width(const struct ldisc *l, uint8_t c)
{
	if (shown_as_control(l, c))
		return 2;
	return c >= ' ' && c != 127 && !continues(l, c);
}

/* Of the tab behind the line's first n bytes.  Another tab ends at a multiple of 8, so that what is
 * before it does not matter. */
static uint32_t tab_width(const struct ldisc *l, uint32_t n)
{
	uint32_t column = 0;

	while (n && l->line[n - 1] != '\t')
		column += width(l, l->line[--n]);
	if (!n)
		column += l->start;
	return 8 - (column & 7);
}

/* Takes the last character off the line; the columns that it took.  The time does not grow with the
 * line, but for a tab: or killing 4096 characters would hold all terminals up. */
static uint32_t take_off(struct ldisc *l)
{
	uint32_t columns = 0;

	for (;;) {
		uint8_t c = l->line[--l->length];

		columns += c == '\t' ? tab_width(l, l->length) : width(l, c);
		if (!l->length || !continues(l, c))
			return columns;
	}
}

/* Takes the last character off the line, and off the screen when it is shown so. */
static void rub_out(struct ldisc *l)
{
	bool tab = l->line[l->length - 1] == '\t';
	uint32_t columns = take_off(l);

	if (!ldisc_has(l, LDISC_ECHO))
		return;
	if (!ldisc_has(l, LDISC_ECHOE)) {
		(void)echo_always(l, character(l, LDISC_VERASE));
		return;
	}
	for (; columns; columns--)
		(void)show(l, tab ? "\b" : "\b \b");
}

static void erase_word(struct ldisc *l)
{
	while (l->length && (l->line[l->length - 1] == ' ' || l->line[l->length - 1] == '\t'))
		rub_out(l);
	while (l->length && l->line[l->length - 1] != ' ' && l->line[l->length - 1] != '\t')
		rub_out(l);
}

static void kill_line(struct ldisc *l)
{
	if (ldisc_has(l, LDISC_ECHOKE) && ldisc_has(l, LDISC_ECHOE)) {
		while (l->length)
			rub_out(l);
		return;
	}
	l->length = 0;
	echo(l, character(l, LDISC_VKILL));
	if (ldisc_has(l, LDISC_ECHOK) && ldisc_has(l, LDISC_ECHO))
		(void)show(l, "\n");
}

static void insert(struct ldisc *l, uint8_t c)
{
	/* Its end must still fit. */
	if (l->length >= LDISC_LINE_MAX - 1) {
		bell(l);
		return;
	}
	if (!l->length)
		l->start = l->column;
	l->line[l->length++] = c;
	echo(l, c);
}

/* The line with its last character, which says how it ends. */
static void complete(struct ldisc *l, uint8_t c, uint8_t flags)
{
	for (uint32_t i = 0; i < l->length; i++)
		l->ops->deliver(l->context, l->line[i], 0);
	l->ops->deliver(l->context, c, flags);
	l->length = 0;
}

static void edit(struct ldisc *l, uint8_t c)
{
	if (is(l, c, LDISC_VERASE)) {
		if (l->length)
			rub_out(l);
	} else if (is(l, c, LDISC_VKILL)) {
		kill_line(l);
	} else if (is_extended(l, c, LDISC_VWERASE)) {
		erase_word(l);
	} else if (is_extended(l, c, LDISC_VLNEXT)) {
		l->literal_next = true;
		if (ldisc_has(l, LDISC_ECHO) && ldisc_has(l, LDISC_ECHOCTL))
			l->ops->echo(l->context, (const uint8_t *)"^\b", 2);
	} else if (is_extended(l, c, LDISC_VREPRINT)) {
		echo(l, c);
		(void)show(l, "\n");
		l->start = 0;
		echo_line(l);
	} else if (is(l, c, LDISC_VEOF)) {
		complete(l, 0, LDISC_END | LDISC_EOF);
	} else if (c == '\n' || is(l, c, LDISC_VEOL) || is_extended(l, c, LDISC_VEOL2)) {
		echo(l, c);
		complete(l, c, LDISC_END);
	} else {
		insert(l, c);
	}
}

/* ---- Input ---- */

void ldisc_flush_input(struct ldisc *l)
{
	l->length = 0;
	l->literal_next = false;
}

static int signal_of(const struct ldisc *l, uint8_t c)
{
	if (!ldisc_has(l, LDISC_ISIG))
		return 0;
	if (is(l, c, LDISC_VINTR))
		return LDISC_SIGINT;
	if (is(l, c, LDISC_VQUIT))
		return LDISC_SIGQUIT;
	return is(l, c, LDISC_VSUSP) ? LDISC_SIGTSTP : 0;
}

static void take_signal(struct ldisc *l, uint8_t c, int signal)
{
	l->stopped = false;
	if (!ldisc_has(l, LDISC_NOFLSH)) {
		ldisc_flush_input(l);
		l->ops->flush(l->context);
	}
	echo(l, c);
	l->ops->signal(l->context, signal);
}

/* What no reader sees: true. */
static bool take_special(struct ldisc *l, uint8_t c)
{
	int signal = signal_of(l, c);

	if (signal) {
		take_signal(l, c, signal);
		return true;
	}
	if (!(l->attributes.input & LDISC_IXON))
		return false;
	if (is(l, c, LDISC_VSTART) || is(l, c, LDISC_VSTOP)) {
		l->stopped = !is(l, c, LDISC_VSTART) || (is(l, c, LDISC_VSTOP) && !l->stopped);
		return true;
	}
	if (l->attributes.input & LDISC_IXANY)
		l->stopped = false;
	return false;
}

/* The character as the input flags make it; false: it is dropped. */
static bool translate(const struct ldisc *l, uint8_t *c)
{
	const uint32_t flags = l->attributes.input;

	if (flags & LDISC_ISTRIP)
		*c &= 0x7f;
	if ((flags & LDISC_IUCLC) && ldisc_has(l, LDISC_IEXTEN) && *c >= 'A' && *c <= 'Z')
		*c += 'a' - 'A';
	if (*c == '\r') {
		if (flags & LDISC_IGNCR)
			return false;
		if (flags & LDISC_ICRNL)
			*c = '\n';
	} else if (*c == '\n' && (flags & LDISC_INLCR)) {
		*c = '\r';
	}
	return true;
}

static void take(struct ldisc *l, uint8_t c)
{
	if (l->literal_next) {
		l->literal_next = false;
		if (ldisc_has(l, LDISC_ICANON)) {
			insert(l, c);
			return;
		}
	} else {
		if (take_special(l, c) || !translate(l, &c))
			return;
		if (ldisc_has(l, LDISC_ICANON)) {
			edit(l, c);
			return;
		}
	}
	echo(l, c);
	l->ops->deliver(l->context, c, 0);
}

/* Readers are full: what is typed waits, but for a signal that would drop it. */
static uint32_t find_signal(const struct ldisc *l, const uint8_t *bytes, uint32_t from,
                            uint32_t length)
{
	if (ldisc_has(l, LDISC_NOFLSH))
		return signal_of(l, bytes[from]) ? from : length;
	while (from < length && !signal_of(l, bytes[from]))
		from++;
	return from;
}

uint32_t ldisc_input(struct ldisc *l, const uint8_t *bytes, uint32_t length, uint32_t room)
{
	uint32_t used = 0, most = 1;

	for (; used < length; used++) {
		if (ldisc_has(l, LDISC_ICANON))
			most = l->length + 1;
		if (room < most) {
			uint32_t at = find_signal(l, bytes, used, length);

			if (at == length)
				break;
			used = at;
		}
		if (ldisc_has(l, LDISC_ICANON)) {
			uint32_t before = l->length;

			take(l, bytes[used]);
			if (before >= l->length && room >= most) /* perhaps a line was completed */
				room -= most;
		} else {
			take(l, bytes[used]);
			if (room)
				room--;
		}
	}
	return used;
}

void ldisc_set(struct ldisc *l, const struct ldisc_attributes *attributes, uint32_t room)
{
	bool had_lines = ldisc_has(l, LDISC_ICANON);

	l->attributes = *attributes;
	if (!(attributes->input & LDISC_IXON))
		l->stopped = false;
	if (had_lines && !ldisc_has(l, LDISC_ICANON)) {
		for (uint32_t i = 0; i < l->length && i < room; i++)
			l->ops->deliver(l->context, l->line[i], 0);
		l->length = 0;
		l->literal_next = false;
	}
}
