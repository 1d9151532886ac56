/* SPDX-License-Identifier: MIT */
/*
 * What the files of the host command share: the settings of one run, and how failures are told.
 * Strings in struct settings are the command line's own or live as long as the process.
 */
#ifndef CAPOS_TOOLS_CAPOS_H
#define CAPOS_TOOLS_CAPOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses of `capos` itself; any other is the program's. */
#define EXIT_MACHINE \
	125 /* bad usage, or the machine did not boot, hung, panicked or ran out of time */
#define EXIT_MISSING 127 /* no such program */
#define EXIT_SIGNAL  128 /* plus the signal's number */

#define LIST_MAX 256 /* of each repeatable option: no command line needs more */

struct string_list {
	const char *items[LIST_MAX];
	size_t count;
};

enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };
enum net { NET_USER, NET_TAP, NET_NONE };

/* One --allow, as the schema's NetworkGrant has it, and the two that are not in there. */
enum grant_kind { GRANT_CONNECT, GRANT_LISTEN, GRANT_UDP, GRANT_ICMP, GRANT_RESOLVE, GRANT_NONE };

struct grant {
	enum grant_kind kind;
	const char *host; /* connect; host_length bytes */
	size_t host_length;
	uint16_t port; /* connect: 0 is any port; listen */
};

struct forward {
	bool udp;
	uint16_t host_port; /* on the loopback address */
	uint16_t guest_port;
};

struct host_file {
	const char *host_path;
	const char *guest_path;
};

struct settings {
	struct grant grants[LIST_MAX];
	size_t ngrants;
	struct forward forwards[LIST_MAX];
	size_t nforwards;
	struct host_file files[LIST_MAX];
	size_t nfiles;
	struct string_list env;
	enum net net;
	const char *tap;     /* interface */
	const char *address; /* --address: NULL is what the image's manifest says */
	uint32_t memory_mib;
	enum accel accel;
	uint32_t timeout_seconds; /* 0: none */
	const char *pcap;
	const char *log;
	const char *image; /* base archive; NULL: the installed one */
	const char *kernel;
	const char *output; /* `capos image` */
	bool verbose;
	bool list_capabilities;
	char **program; /* NULL-terminated; NULL when there is none */
};

/* Prints "capos: ..." to stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and ends the process with EXIT_MACHINE. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Allocation that ends the process when there is no memory. */
void *must(void *allocated);
char *must_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
