/* SPDX-License-Identifier: MIT */
/*
 * What the files of the host command share: the settings of one run.  Strings in struct settings
 * are the command line's own or live as long as the process.
 */
#ifndef CAPOS_TOOLS_CAPOS_H
#define CAPOS_TOOLS_CAPOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/capos/complain.h"

/* Exit statuses of `capos` itself; any other is the program's. */
#define EXIT_MACHINE \
	125 /* bad usage, or the machine did not boot, hung, panicked or ran out of time */
#define EXIT_NO_PROGRAM 126 /* it cannot be executed */
#define EXIT_MISSING    127 /* no such program */
#define EXIT_SIGNAL     128 /* plus the signal's number */

/* Where the guest has a program that is a file of the host, under its own name. */
#define GUEST_PROGRAMS "/run"

#define LIST_MAX 256 /* of each repeatable option: no command line needs more */

struct string_list {
	const char *items[LIST_MAX];
	size_t count;
};

enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };
enum net { NET_AUTO, NET_USER, NET_PASST, NET_TAP, NET_NONE };

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

struct volume {
	const char *host_path;
	const char *guest_path;
	bool read_only;
};
#define VOLUMES_MAX 8 /* as the manifest has drivers for them */

struct settings {
	struct grant grants[LIST_MAX];
	size_t ngrants;
	struct forward forwards[LIST_MAX];
	size_t nforwards;
	struct host_file files[LIST_MAX];
	size_t nfiles;
	struct host_file outputs[LIST_MAX];
	size_t noutputs;
	struct volume volumes[VOLUMES_MAX];
	size_t nvolumes;
	struct string_list env, env_files;
	const char *directory; /* --workdir: NULL is the root */
	const char *name;
	enum net net;
	const char *tap;     /* interface */
	const char *address; /* --address: NULL is what the image's manifest says */
	uint32_t memory_mib;
	enum accel accel;
	uint32_t timeout_seconds; /* 0: none */
	uint32_t drain_seconds;
	uint64_t file_limit; /* bytes of each file that is written: --log, --pcap, --output */
	const char *pcap;
	const char *log;
	const char *image; /* base archive; NULL: the installed one */
	const char *kernel;
	const char *written_image; /* `capos image` */
	bool verbose;
	bool terminal; /* the program is given one: ours */
	bool list_capabilities;
	char **program; /* NULL-terminated; NULL when there is none */
};

#endif
